"""The filter screen: what is typed, attached, counted, compared, and every way out."""

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from tests.screens.fakes import FakeSources
from tests.screens.filtering import FakeFiltering, asked, figures, grouped
from tests.screens.network import INTERFACES
from tests.screens.steps import at, context, detail, interfaces, keys, painted, state, under, until
from tui.app import Bpfscope
from tui.collectors.samples import FilterFigures
from tui.errors import BpfscopeError
from tui.screens.confirm import ConfirmScreen
from tui.screens.filter import FilterScreen
from tui.screens.filter_columns import differing
from tui.screens.help import HelpScreen
from tui.screens.hook_choice import HookScreen
from tui.screens.interfaces import InterfacesScreen
from tui.screens.processes import ProcessesScreen
from tui.widgets.histogram import Histogram
from tui.widgets.lines import Line

WIDE = (160, 50)


async def filtering(pilot: Pilot[Any], sources: FakeSources, *marks: str) -> tuple[FilterScreen, FakeFiltering]:
    """The filter of eth0, watching everything; `marks`: keys that are pressed before enter."""
    await interfaces(pilot)
    await pilot.press("down", *marks, "enter")
    screen = await at(pilot, FilterScreen)
    await until(pilot, lambda: sources.filterings and not screen.run.busy)
    return screen, sources.filterings[-1]


async def apply(pilot: Pilot[Any], sources: FakeSources, screen: FilterScreen, typed: str) -> FakeFiltering:
    """Type an expression and attach it."""
    before = len(sources.filterings)
    screen.entry.put(typed)
    await pilot.press("enter")
    await until(pilot, lambda: len(sources.filterings) > before and not screen.run.busy)
    return sources.filterings[-1]


async def tick(
    pilot: Pilot[Any],
    screen: FilterScreen,
    running: FakeFiltering,
    time: float,
    *counted: FilterFigures,
    ended: str = "",
) -> None:
    running.tick(time, *counted, ended=ended)
    await until(pilot, partial(_taken, screen, time))


def _taken(screen: FilterScreen, time: float) -> bool:
    sample = screen.run.counted.sample
    return sample is not None and sample.elapsed == time


def _grouped(screen: FilterScreen, sources: FakeSources, by: str) -> bool:
    return sources.filterings[-1].by == by and not screen.run.busy


def _attached(screen: FilterScreen, sources: FakeSources, before: int) -> bool:
    return len(sources.filterings) > before and not screen.run.busy


def listing(screen: FilterScreen) -> list[str]:
    table = screen.listing
    return ["".join(segment.text for segment in table.render_line(y)).rstrip() for y in range(table.size.height)]


def title(screen: FilterScreen, which: str) -> str:
    return screen.query_one(f"#{which}-title", Line).plain


async def test_everything_is_watched_at_once_and_the_expression_has_the_keys(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, running = await filtering(pilot, sources)
        assert asked(sources.filterings) == [("eth0", "socket-ebpf", "")]
        assert running.by == "flow"
        assert screen.entry.typing
        one = running.filters[0]
        groups = grouped(
            "flow", ("tcp 192.0.2.2:51044 → 192.0.2.17:22", 700), ("udp a → b", 200), (None, 60), others=40
        )
        await tick(pilot, screen, running, 0.0, figures(one, 0, 0, by="flow"))
        await tick(pilot, screen, running, 2.0, figures(one, 1_009, 1_000, **groups))
        assert "matched 1,000 of 1,009" in state(screen)
        assert "500/s" in state(screen)
        assert "lost 0" in state(screen)
        assert context(screen) == "Network ▸ eth0 · socket-ebpf · in and out · 00:02"
        assert [row.name for row in screen.groups.rows] == [
            "tcp 192.0.2.2:51044 → 192.0.2.17:22", "udp a → b", "no addresses", "others",
        ]  # fmt: skip
        assert sum(row.packets for row in screen.groups.rows) == 1_000
        assert "sum 1,000 = matched" in title(screen, "groups")


async def test_typing_shows_the_program_and_enter_attaches_it(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, first = await filtering(pilot, sources)
        await pilot.press(*"udp")
        await until(pilot, lambda: screen.preview is not None and screen.preview.expression == "udp")
        assert "not attached: enter attaches it" in title(screen, "listing")
        assert any("if A is 0x86dd" in line or "jeq" in line for line in listing(screen))
        assert len(sources.filterings) == 1
        assert "enter attach" in keys(screen)
        second = await apply(pilot, sources, screen, "udp")
        await until(pilot, lambda: first.closed == 1)
        assert asked(sources.filterings) == [("eth0", "socket-ebpf", "udp")]
        await tick(
            pilot,
            screen,
            second,
            1.0,
            figures(second.filters[0], 997, 499, hits=(997, 997, 10, 10, 987, 980, 980, 499, 498)),
        )
        assert "not attached" not in title(screen, "listing")
        lines = listing(screen)
        assert "997" in lines[1]
        assert "100 %" in lines[1]
        assert "esc detach" in keys(screen)


async def test_an_expression_that_is_wrong_has_a_caret_and_attaches_nothing(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, first = await filtering(pilot, sources)
        await pilot.press(*"udp", "space", *"prt")
        await until(pilot, lambda: screen.complaint[0])
        assert state(screen) == " " * 9 + "▲ syntax error"
        screen.entry.put("tcp and udp")
        await until(pilot, lambda: "contradicts" in screen.complaint[0])
        assert state(screen) == "no packet can match: the expression contradicts itself"
        await pilot.press("enter")
        await until(pilot, lambda: screen.ready)
        assert "contradicts itself" in state(screen)
        assert screen.entry.typing
        assert first.closed == 0  # what runs goes on
        await pilot.press("escape")
        await tick(pilot, screen, first, 1.0, figures(first.filters[0], 5, 5))
        assert "matched 5 of 5" in state(screen)
        assert len(sources.filterings) == 1


async def test_what_is_wrong_is_corrected_in_the_line(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, first = await filtering(pilot, sources)
        await pilot.press(*"udq", "enter")
        await until(pilot, lambda: screen.complaint[0] and screen.ready)
        assert state(screen) == "  " + "   ▲ syntax error"
        assert screen.entry.field.cursor_position == 3
        await pilot.press("backspace", "p", "enter")
        await until(pilot, lambda: asked(sources.filterings) == [("eth0", "socket-ebpf", "udp")])
        await until(pilot, lambda: first.closed and not screen.run.busy)
        assert not screen.paused
        assert not screen.entry.typing
        assert screen.entry.past.entries == ["udp"]
        await pilot.press("slash", "x", "enter")
        await until(pilot, lambda: screen.complaint[0] and screen.ready)
        await pilot.press("escape")
        assert pilot.app.screen is screen
        assert screen.entry.text == "udp"
        assert screen.focused is screen.groups
        assert len(sources.filterings) == 2


async def test_escape_keeps_what_runs_and_leads_to_the_figures(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, running = await filtering(pilot, sources)
        await tick(pilot, screen, running, 1.0, figures(running.filters[0], 5, 5, **grouped("flow", ("a", 5))))
        await pilot.press(*"udp", "escape")
        assert not screen.entry.typing
        assert screen.entry.text == ""
        assert screen.focused is screen.groups
        await pilot.press("slash")
        assert screen.entry.typing


async def test_earlier_expressions_and_completion(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, _ = await filtering(pilot, sources)
        await apply(pilot, sources, screen, "udp")
        await pilot.press("slash")
        await apply(pilot, sources, screen, "tcp port 22")
        await pilot.press("slash", "ctrl+u", *"ar", "up")
        assert screen.entry.text == "tcp port 22"
        await pilot.press("up")
        assert screen.entry.text == "udp"
        await pilot.press("down", "down")
        assert screen.entry.text == "ar"
        await pilot.press("ctrl+u", *"tcp po")
        await pilot.press("tab")
        assert screen.entry.text == "tcp port"
        await pilot.press("tab")
        assert screen.entry.text == "tcp portrange"
        assert "tab" in keys(screen)
    async with Bpfscope(FakeSources()).run_test(size=WIDE) as pilot:  # the next session knows them
        await interfaces(pilot)
        await pilot.press("enter")
        screen = await at(pilot, FilterScreen)
        await pilot.press("up")
        assert screen.entry.text == "tcp port 22"


async def test_groups_in_turn_tables_and_bars(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, running = await filtering(pilot, sources)
        await pilot.press("escape")
        for by in ("proto", "src", "dst", "sport", "dport", "size"):
            await pilot.press("b")
            await until(pilot, partial(_grouped, screen, sources, by))
        running = sources.filterings[-1]
        await tick(
            pilot,
            screen,
            running,
            1.0,
            figures(running.filters[0], 30, 30, **grouped("size", ("64-127", 19), ("1024-2047", 11))),
        )
        bars = ["".join(piece for piece, _ in line) for line in screen.query_one(Histogram).lines(60, 12)]
        assert bars[1].split()[0] == "64"
        assert bars[1].split()[-1] == "19"
        assert not screen.groups.display
        await pilot.press("b", "b")
        await until(pilot, lambda: sources.filterings[-1].by == "gap" and not screen.run.busy)
        running = sources.filterings[-1]
        await tick(
            pilot,
            screen,
            running,
            1.0,
            figures(running.filters[0], 9, 9, **grouped("gap", ("1024-2047", 8), (None, 1))),
        )
        assert "1 without" in title(screen, "groups")
        assert "sum 9 = matched" in title(screen, "groups")
        await pilot.press("B")
        await until(pilot, lambda: sources.filterings[-1].by == "hops")


async def test_listing_in_two_languages_and_in_words(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, _ = await filtering(pilot, sources)
        await apply(pilot, sources, screen, "tcp port 22")
        assert "eBPF" in listing(screen)[0]
        assert "CLASSIC" in listing(screen)[0]
        await pilot.press("d")
        await until(pilot, lambda: "CLASSIC" not in listing(screen)[0])
        await pilot.press("d")
        await until(pilot, lambda: "eBPF" not in listing(screen)[0])
        await pilot.press("x")
        await until(pilot, lambda: "WHAT IT DOES" in listing(screen)[0])
        assert "A = the 2 bytes at 12, the EtherType" in listing(screen)[1]
        assert screen.focused is screen.listing
        await pilot.press("down")
        await until(pilot, lambda: "go to 002, else to 008" in detail(screen))
        await pilot.press("o")
        await until(pilot, lambda: sources.compiled[-1][3] is False and not screen.run.busy)
        assert "not optimised" in title(screen, "listing")


async def test_another_hook_and_why_one_does_not_work(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, first = await filtering(pilot, sources)
        await pilot.press("escape", "h")
        choice = await at(pilot, HookScreen)
        await until(pilot, lambda: choice.table().rows)
        lines = painted(choice)
        assert "no cgroup v2 is mounted" in next(line for line in lines if "cgroup" in line)
        await pilot.press("end", "up")
        assert under(choice).hook == "cgroup"
        assert "enter use" not in keys(choice)
        await pilot.press("enter")
        assert pilot.app.screen is choice
        await pilot.press("home", "down", "enter")
        await until(pilot, lambda: asked(sources.filterings) == [("eth0", "tcx-ingress", "")])
        await until(pilot, lambda: first.closed and not screen.run.busy)


async def test_xdp_asks_first_and_the_old_one_goes_before(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, _ = await filtering(pilot, sources)
        await pilot.press("escape", "h")
        choice = await at(pilot, HookScreen)
        await until(pilot, lambda: choice.table().rows)
        await pilot.press("down", "down", "down")
        assert "changes the traffic" in detail(choice)
        await pilot.press("enter")
        question = await at(pilot, ConfirmScreen)
        assert "eth0" in question.question
        await pilot.press("n")
        assert len(sources.filterings) == 1
        await pilot.press("h")
        choice = await at(pilot, HookScreen)
        await until(pilot, lambda: choice.table().rows)
        await pilot.press("down", "down", "down", "enter")
        await at(pilot, ConfirmScreen)
        await pilot.press("y")
        await until(pilot, lambda: asked(sources.filterings) == [("eth0", "xdp", "")] and not screen.run.busy)
        xdp = sources.filterings[-1]
        sources.holds["packets"] = asyncio.Event()
        await pilot.press("b")
        await until(pilot, lambda: xdp.closed == 1)  # before the next one is attached
        sources.holds["packets"].set()
        await until(pilot, lambda: len(sources.filterings) == 3 and not screen.run.busy)
        await pilot.press("a")
        screen.entry.put("udp")
        await pilot.press("enter")
        await until(pilot, lambda: "an interface runs only one XDP program" in state(screen))
        assert (len(sources.filterings), sources.filterings[-1].closed) == (3, 0)
        assert [spec.expression for spec in screen.run.specs] == [""]


async def test_what_is_there_already_is_not_added(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, _ = await filtering(pilot, sources)
        await apply(pilot, sources, screen, "udp")
        await pilot.press("a")
        screen.entry.put("udp")
        await pilot.press("enter")
        await until(pilot, lambda: any("there already" in each.message for each in pilot.app._notifications))
        assert len(sources.filterings) == 2


async def test_one_of_several_interfaces_disappears(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, running = await filtering(pilot, sources, "space", "space")
        gone = figures(running.filters[1], 9, 9)._replace(gone="eth1 disappeared")
        await tick(pilot, screen, running, 1.0, figures(running.filters[0], 7, 7), gone)
        await pilot.press("escape")
        screen.set_focus(screen.filters)
        await pilot.press("end")
        await until(pilot, lambda: "eth1 disappeared" in state(screen))
        await pilot.press("b")
        await until(pilot, lambda: asked(sources.filterings) == [("eth0", "socket-ebpf", "")] and not screen.run.busy)


async def test_filters_and_interfaces_are_compared(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, _ = await filtering(pilot, sources, "space", "space")
        assert asked(sources.filterings) == [("eth0", "socket-ebpf", ""), ("eth1", "socket-ebpf", "")]
        await pilot.press("escape", "a")
        assert screen.entry.typing
        running = await apply(pilot, sources, screen, "udp")
        assert asked(sources.filterings)[2:] == [("eth0", "socket-ebpf", "udp"), ("eth1", "socket-ebpf", "udp")]
        one = [figures(each, 100 * number, 10 * number) for number, each in enumerate(running.filters)]
        await tick(pilot, screen, running, 1.0, *one)
        assert len(screen.filters.rows) == 4
        await until(pilot, lambda: "matched 20 of 200" in state(screen))  # the cursor is on what was added
        assert screen.entry.text == "udp"
        screen.set_focus(screen.filters)
        await pilot.press("end")
        await until(pilot, lambda: "matched 30 of 300" in state(screen))
        assert screen.entry.text == "udp"
        screen.set_focus(screen.groups)
        await pilot.press("D")
        await until(pilot, lambda: screen.entry.text == "")
        await until(pilot, lambda: len(sources.filterings[-1].filters) == 2 and not screen.run.busy)
        assert asked(sources.filterings) == [("eth0", "socket-ebpf", ""), ("eth1", "socket-ebpf", "")]
        await pilot.press("a", "escape")  # thought better of it
        assert len(sources.filterings[-1].filters) == 2


async def test_reset_subtracts_and_pause_only_stops_painting(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, running = await filtering(pilot, sources)
        one = running.filters[0]
        await pilot.press("escape")
        await tick(pilot, screen, running, 1.0, figures(one, 100, 90, **grouped("flow", ("a", 60), ("b", 30))))
        await pilot.press("r")
        await tick(
            pilot, screen, running, 2.0, figures(one, 150, 137, **grouped("flow", ("a", 60), ("b", 70), ("c", 7)))
        )
        assert "matched 47 of 50" in state(screen)
        assert [(row.name, row.packets) for row in screen.groups.rows] == [("b", 40), ("c", 7)]
        assert "since reset 00:01" in context(screen)
        await pilot.press("p")
        await tick(
            pilot, screen, running, 3.0, figures(one, 250, 237, **grouped("flow", ("a", 160), ("b", 70), ("c", 7)))
        )
        assert "paused ‖" in state(screen)
        assert [(row.name, row.packets) for row in screen.groups.rows] == [("b", 40), ("c", 7)]
        await pilot.press("p")
        await until(pilot, lambda: screen.groups.rows[0].name == "a")
        await pilot.press("plus")
        await until(pilot, lambda: running.intervals[-1] == 0.5)


async def test_reset_begins_anew_where_groups_are_only_known_together(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, running = await filtering(pilot, sources)
        await pilot.press("escape")
        await tick(
            pilot, screen, running, 1.0, figures(running.filters[0], 9, 9, **grouped("flow", ("a", 4), others=5))
        )
        await pilot.press("r")
        await until(pilot, lambda: len(sources.filterings) == 2 and running.closed)


async def test_what_is_counted_anew_is_said_so(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, running = await filtering(pilot, sources)
        await pilot.press("escape")
        await tick(pilot, screen, running, 12.0, figures(running.filters[0], 100, 90))
        for key, what in (("b", "by proto"), ("o", "not optimised"), ("o", "optimised")):
            before = len(sources.filterings)
            await pilot.press(key)
            await until(pilot, partial(_attached, screen, sources, before))
            assert f"{what}: counting from here" in [one.message for one in pilot.app._notifications]
            running = sources.filterings[-1]
            running.began = 1_012.0
            await tick(pilot, screen, running, 3.0, figures(running.filters[0], 1, 1))
            assert f"{what} since 00:12" in state(screen)
            assert context(screen).endswith("00:15")
        await pilot.press("r")
        await until(pilot, lambda: "since 00:12" not in state(screen))
        await pilot.press("slash")
        running = await apply(pilot, sources, screen, "udp")
        running.began = 1_020.0
        await tick(pilot, screen, running, 1.0, figures(running.filters[0], 1, 1, **grouped("proto", ("udp", 1))))
        assert "counted since 00:20" in state(screen)
        await until(pilot, lambda: "1 packet ·" in detail(screen))


async def test_classic_bpf_cannot_group_and_says_so(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, _ = await filtering(pilot, sources)
        screen.run.change(0, hook="socket")
        await until(pilot, lambda: sources.filterings[-1].by == "" and not screen.run.busy)
        running = sources.filterings[-1]
        await tick(pilot, screen, running, 1.0, figures(running.filters[0], 7, 7))
        assert "which can't group" in screen.groups.empty
        screen.run.change(0, hook="socket-ebpf")
        await until(pilot, lambda: sources.filterings[-1].by == "flow")


async def test_an_interface_that_disappears_leaves_the_numbers(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, running = await filtering(pilot, sources)
        await pilot.press("escape")
        await tick(pilot, screen, running, 12.0, figures(running.filters[0], 997, 997), ended="eth0 disappeared")
        assert "eth0 disappeared after 00:12; the numbers stay" in state(screen)
        assert "matched 997 of 997" in state(screen)
        assert "ended ■" in state(screen)
        await pilot.press("q")
        await pilot.pause()
        assert not pilot.app.is_running or not isinstance(pilot.app.screen, ConfirmScreen)


async def test_an_interface_that_is_set_down_is_said_so(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(80, 24)) as pilot:
        screen, running = await filtering(pilot, sources)
        await pilot.press("escape")
        await tick(pilot, screen, running, 1.0, figures(running.filters[0], 997, 499))
        assert " down" not in state(screen)
        down = tuple(one._replace(state="down") if one.name == "eth0" else one for one in INTERFACES)
        sources.pass_time(2, down)
        await until(pilot, lambda: "eth0 is down" in state(screen))
        sources.pass_time(3, INTERFACES)
        await until(pilot, lambda: "is down" not in state(screen))


@pytest.mark.parametrize(
    ("expression", "differs", "shown"),
    [
        ("udp dst port 47032", 17, "…st port 47032"),
        ("udp", 0, "udp"),
        ("host 192.0.2.1 and port 22", 13, "…192.0.2.1 an…"),
        ("tcp port 22 and not host a", 0, "tcp por…host a"),
        ("ether host 02:fc:00:00:00:01", 27, "…c:00:00:00:01"),
        ("udp and port 53", 0, "udp and…ort 53"),
    ],
)
def test_a_filter_that_is_cut_shows_what_tells_it_from_others(expression: str, differs: int, shown: str) -> None:
    assert differing(expression, differs, 14) == shown


async def test_refused_at_first_says_why_and_can_be_tried_again(sources: FakeSources) -> None:
    sources.refusals["packets"] = BpfscopeError("Linux doesn't let this user open a packet socket: run as root")
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        await interfaces(pilot)
        await pilot.press("down", "enter")
        screen = await at(pilot, FilterScreen)
        await until(pilot, lambda: screen.run.failure)
        assert screen.has_class("-failed")
        assert state(screen) == "nothing is attached"
        assert "run as root" in str(screen.query_one("#failure", Static).content)
        assert not screen.holding
        del sources.refusals["packets"]
        await pilot.press("enter")
        await until(pilot, lambda: sources.filterings and not screen.run.busy)
        await tick(pilot, screen, sources.filterings[-1], 0.0, figures(sources.filterings[-1].filters[0], 0, 0))
        assert not screen.has_class("-failed")


async def test_a_refused_change_leaves_what_runs(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, running = await filtering(pilot, sources)
        await tick(pilot, screen, running, 1.0, figures(running.filters[0], 7, 7))
        sources.refusals["packets"] = BpfscopeError("XDP of eth0 is taken")
        screen.run.change(0, hook="tcx-egress")
        await until(pilot, lambda: screen.run.failure)
        assert "XDP of eth0 is taken" in state(screen)
        assert screen.run.specs[0].hook == "socket-ebpf"
        assert running.closed == 0
        await tick(pilot, screen, running, 2.0, figures(running.filters[0], 9, 9))
        assert "matched 9 of 9" in state(screen)


async def test_leaving_takes_everything_off(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, running = await filtering(pilot, sources)
        running.hold = asyncio.Event()
        await pilot.press("escape", "escape")
        await until(pilot, lambda: screen.run.leaving)
        assert "taking the filters off" in state(screen)
        running.hold.set()
        await at(pilot, InterfacesScreen)
        assert running.closed == 1


async def test_leaving_asks_where_figures_would_be_lost(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, running = await filtering(pilot, sources)
        await tick(pilot, screen, running, 1.0, figures(running.filters[0], 5, 0))
        await pilot.press("escape", "escape")
        question = await at(pilot, ConfirmScreen)
        assert question.question == "Detach 1 filter and go back?"
        assert question.note.startswith("All that was counted is lost then")
        await pilot.press("escape")
        assert pilot.app.screen is screen
        assert running.closed == 0
        await pilot.press("1")
        await at(pilot, ConfirmScreen)
        await pilot.press("y")
        await at(pilot, ProcessesScreen)
        assert running.closed == 1
        assert not [one for one in pilot.app.screen_stack if isinstance(one, FilterScreen)]
        await pilot.press("2")
        await at(pilot, InterfacesScreen)


async def test_leaving_while_it_is_attached(sources: FakeSources) -> None:
    sources.holds["packets"] = asyncio.Event()
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        await interfaces(pilot)
        await pilot.press("down", "enter")
        screen = await at(pilot, FilterScreen)
        await until(pilot, lambda: screen.run.busy)
        assert "attaching 1 filter" in state(screen)
        await pilot.press("escape", "escape")
        sources.holds["packets"].set()
        await at(pilot, InterfacesScreen)
        assert [one.closed for one in sources.filterings] == [1]


async def test_quitting_asks_and_takes_off(sources: FakeSources) -> None:
    console = Bpfscope(sources)
    async with console.run_test(size=WIDE) as pilot:
        _, running = await filtering(pilot, sources)
        await pilot.press("escape", "q")
        question = await at(pilot, ConfirmScreen)
        assert question.question == "Detach 1 filter and quit?"
        await pilot.press("y")
        await until(pilot, lambda: running.closed == 1)
    assert sources.closed == 1


async def test_export_writes_figures(sources: FakeSources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, running = await filtering(pilot, sources)
        await pilot.press("escape")
        await tick(pilot, screen, running, 1.0, figures(running.filters[0], 100, 90, **grouped("flow", ("a", 90))))
        await pilot.press("e")
        await until(pilot, lambda: (text := _written(tmp_path)) and text.endswith("}\n"))
        found = json.loads(_written(tmp_path))
        assert found["filters"][0]["matched"] == 90
        assert found["filters"][0]["groups"] == [{"key": "a", "packets": 90, "bytes": 81_000}]


def _written(folder: Path) -> str:
    return "".join(file.read_text() for file in folder.glob("bpfscope-eth0-*.json"))


async def test_narrow_terminals_show_one_pane_and_help_has_all_keys(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(80, 24)) as pilot:
        screen, running = await filtering(pilot, sources)
        await tick(pilot, screen, running, 1.0, figures(running.filters[0], 9, 9, **grouped("flow", ("a", 9))))
        await pilot.press("escape")
        assert screen.groups.region.width > 70
        assert not screen.listing.region.width
        await pilot.press("tab")
        await until(pilot, lambda: screen.listing.region.width > 70)
        await pilot.press("tab")
        await until(pilot, lambda: not screen.listing.region.width)
        await pilot.press("question_mark")
        await at(pilot, HelpScreen)
