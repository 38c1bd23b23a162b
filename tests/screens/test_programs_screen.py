"""The list of BPF programs and the page of one: keys, states, what stays."""

import math
from functools import partial
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.screens.fake_programs import PAGE, PROGRAMS, program, ran
from tests.screens.fakes import FakeSources
from tests.screens.steps import at, context, detail, keys, processes, state, type_filter, until
from tui.app import Bpfscope
from tui.errors import NotPermitted
from tui.screens.attachments import AttachmentsScreen
from tui.screens.interfaces import InterfacesScreen
from tui.screens.map import MapScreen
from tui.screens.program import ProgramScreen
from tui.screens.program_rows import named
from tui.screens.programs import ProgramsScreen
from tui.widgets.graph import Graph

SIZE = (160, 40)


async def programs(pilot: Pilot[Any]) -> ProgramsScreen:
    """The programs, by the key that leads there, read."""
    await processes(pilot)
    await pilot.press("3")
    screen = await at(pilot, ProgramsScreen)
    await until(pilot, lambda: screen._sample is not None)
    return screen


def _shown(screen: ProgramsScreen, sources: FakeSources) -> bool:
    return screen._sample is not None and screen._sample.programs == sources.loaded


async def run_for(pilot: Pilot[Any], screen: ProgramsScreen, sources: FakeSources, *seconds: float) -> None:
    """Readings at these times; the programs do their steady work from one to the next."""
    before = 0.0
    for time in seconds:
        sources.run_programs(time, ran(sources.loaded, time - before))
        await until(pilot, partial(_shown, screen, sources))
        before = time


def listed(screen: ProgramsScreen) -> list[int]:
    return [row.program.id for row in screen.table().rows]


async def test_those_that_take_most_come_first_and_all_are_shown(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        screen = await programs(pilot)
        await run_for(pilot, screen, sources, 1, 2)
        assert listed(screen)[:4] == [128, 131, 7, 140]
        assert set(listed(screen)) == {one.id for one in PROGRAMS}
        assert state(pilot.app.screen).startswith(
            "7 programs · CPU 3.76 % ██ · watching 1.37 % · floor 51 ns · 185.7 k events/s"
        )


async def test_unnamed_programs_and_unknown_types_can_be_found(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        screen = await programs(pilot)
        unnamed = next(one for one in PROGRAMS if not one.name)
        assert named(unnamed) == f"({unnamed.tag})"
        for typed, found in ((unnamed.tag, 140), ("type 99", 141), ("tcx-ingress eth0", 128), ("tomorrow", 141)):
            await type_filter(pilot, typed)
            assert listed(screen) == [found]
        await type_filter(pilot, "ours")
        assert listed(screen) == [131]
        await pilot.press("escape")
        await type_filter(pilot, "nothing like it")
        assert "no program matches" in screen.table().empty


async def test_statistics_are_on_only_while_somebody_looks(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        await programs(pilot)
        assert sources.looking == 1
        await pilot.press("2")
        await at(pilot, InterfacesScreen)
        await until(pilot, lambda: sources.looking == 0)


async def test_history_survives_leaving_and_coming_back(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        screen = await programs(pilot)
        await run_for(pilot, screen, sources, 3, 6, 9)
        await pilot.press("2")
        await at(pilot, InterfacesScreen)
        await pilot.press("3")
        await at(pilot, ProgramsScreen)
        await until(pilot, lambda: sources.looking == 1)
        await run_for(pilot, screen, sources, 21)
        values = sources.history.last(128, 2, 20, 20)
        assert [math.isnan(value) for value in values[-7:]] == [False, False, False, True, True, True, False]


async def test_reset_counts_from_now_on_and_again_from_the_beginning(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        screen = await programs(pilot)
        await run_for(pilot, screen, sources, 1)
        await pilot.press("r")
        await run_for(pilot, screen, sources, 2)
        row = screen.table().rows[0]
        assert (row.program.id, row.runs, row.average) == (128, 2 * 81_204, pytest.approx(410))
        assert "since 00:01" in state(pilot.app.screen)
        await pilot.press("r")
        assert screen.table().rows[0].runs == screen.table().rows[0].program.runs
        assert "since" not in state(pilot.app.screen)


async def test_nothing_is_loaded(sources: FakeSources) -> None:
    sources.loaded = ()
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        screen = await programs(pilot)
        assert "no BPF program is loaded" in screen.table().empty


async def test_without_the_right_it_is_said(sources: FakeSources) -> None:
    sources.refusals["programs"] = NotPermitted("Linux doesn't let this user count how long BPF programs run")
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        await processes(pilot)
        await pilot.press("3")
        screen = await at(pilot, ProgramsScreen)
        await until(pilot, lambda: screen.failure)
        assert "doesn't let this user" in state(pilot.app.screen)


async def test_a_row_is_spelt_out(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        screen = await programs(pilot)
        await type_filter(pilot, "tail_handle")
        await until(pilot, lambda: len(screen.table().rows) == 1)
        assert "tail_handle_ipv4 129  sched_cls · by root 3:04:05 ago" in detail(pilot.app.screen)
        assert "held by cilium-agent 1811" in detail(pilot.app.screen)
        assert "such runs aren't counted" in detail(pilot.app.screen)


async def test_keys_without_a_screen_arent_offered(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        await programs(pilot)
        ways = {"m maps": "open_maps", "a attached": "open_attachments", "l load": "open_load"}
        for shown, way in ways.items():
            assert (shown in keys(pilot.app.screen)) == hasattr(pilot.app, way)


async def page(pilot: Pilot[Any], sources: FakeSources) -> ProgramScreen:
    """The page of the busiest program, filled."""
    screen = await programs(pilot)
    await run_for(pilot, screen, sources, 1, 2)
    await pilot.press("enter")
    shown = await at(pilot, ProgramScreen)
    await until(pilot, lambda: shown.code.rows and shown._shown)
    return shown


async def _tick(pilot: Pilot[Any], screen: ProgramScreen, sources: FakeSources, time: float) -> None:
    sources.run_programs(time, ran(sources.loaded, 1))
    wanted = next(one for one in sources.loaded if one.id == screen.number)
    await until(pilot, lambda: screen._shown == wanted)


async def test_the_page_has_code_parts_and_graphs(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        screen = await page(pilot, sources)
        await _tick(pilot, screen, sources, 3)
        assert [row.line for row in screen.code.rows] == list(PAGE.code)
        assert [(row.kind, row.number) for row in screen.parts.rows] == [
            ("map", 40),
            ("map", 41),
            ("attached", 31),
            ("held by", 1811),
            ("pinned", 0),
        ]
        assert "BPF ▸ cil_from_netdev 128 · sched_cls" in context(pilot.app.screen)
        assert state(pilot.app.screen).startswith("81.2 k events/s · 410 ns now · 402 ns in all · 3.33 % of one CPU")
        assert screen.query_one("#graph0", Graph).plain.startswith("EVENTS/S  81.2 k most 81.2 k")


async def test_the_page_shows_code_without_source_and_filters_it(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        screen = await page(pilot, sources)
        await pilot.press("o")
        assert [row.line for row in screen.code.rows] == [line for line in PAGE.code if not line.source]
        await type_filter(pilot, "nothing")
        assert screen.code.empty.startswith("no instruction matches nothing")
        await pilot.press("escape")
        await type_filter(pilot, "call")
        assert [row.line.slot for row in screen.code.rows] == [3, 5]
        await pilot.press("escape")
        assert len(screen.code.rows) == 9


async def test_the_page_shows_machine_code(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        screen = await page(pilot, sources)
        await pilot.press("x")
        assert [row.line for row in screen.code.rows] == list(PAGE.machine)
        await pilot.press("o")
        assert [row.line.slot for row in screen.code.rows] == [0, 5, 6, 11]
        await pilot.press("x")
        assert len(screen.code.rows) == 9


async def test_enter_on_what_belongs_to_it_goes_there(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        screen = await page(pilot, sources)
        assert "enter open" not in keys(screen)
        await pilot.press("tab", "enter")
        assert (await at(pilot, MapScreen)).number == 40
        await pilot.press("escape")
        assert await at(pilot, ProgramScreen) is screen
        await pilot.press("down", "down", "enter")
        places = await at(pilot, AttachmentsScreen)
        await until(pilot, lambda: context(places).startswith("BPF ▸ Attachments ▸ eth0"))
        await pilot.press("3")
        await at(pilot, ProgramsScreen)
        assert len(pilot.app.screen_stack) == 2


async def test_escape_and_the_modes_key_lead_back_to_the_same_row(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        screen = await programs(pilot)
        await run_for(pilot, screen, sources, 1)
        for key in ("escape", "3"):
            screen.table().move_to(2)
            await pilot.press("enter")
            await at(pilot, ProgramScreen)
            await pilot.press(key)
            assert await at(pilot, ProgramsScreen) is screen
            assert screen.table().cursor == 2
        await pilot.press("enter")
        await at(pilot, ProgramScreen)
        await pilot.press("2")
        await at(pilot, InterfacesScreen)
        await pilot.press("3")
        assert await at(pilot, ProgramsScreen) is screen
        assert len(pilot.app.screen_stack) == 2


async def test_a_program_that_is_unloaded_leaves_its_numbers(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        screen = await page(pilot, sources)
        await _tick(pilot, screen, sources, 3)
        sources.run_programs(4, tuple(one for one in sources.loaded if one.id != 128))
        await until(pilot, lambda: screen.ended)
        await until(pilot, lambda: "unloaded" in state(pilot.app.screen))
        assert state(pilot.app.screen).startswith("program 128 was unloaded; the numbers stay · 81.2 k events/s")
        assert "p pause" not in keys(pilot.app.screen)
        await until(pilot, lambda: sources.looking == 0)


async def test_a_program_that_has_ended_before_its_page_was_read(sources: FakeSources) -> None:
    sources.loaded = (program(77, "quick"),)
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        screen = await programs(pilot)
        await pilot.press("enter")
        shown = await at(pilot, ProgramScreen)
        await until(pilot, lambda: shown._missing)
        assert "there is no program 77" in shown.code.empty
        sources.run_programs(1, ())
        await until(pilot, lambda: shown.ended)
        assert state(shown).startswith("program 77 was unloaded; the numbers stay")
        await pilot.press("escape")
        assert await at(pilot, ProgramsScreen) is screen
