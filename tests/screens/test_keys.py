"""Keys that come at once act in the order in which they came."""

import asyncio
from typing import Any

import pytest
from textual import events
from textual.command import CommandList
from textual.pilot import Pilot
from textual.widgets import Input

from tests.screens.fakes import FakeSources
from tests.screens.filtering import asked
from tests.screens.steps import at, functions, interfaces, names, probe, processes, state, until
from tui.app import Bpfscope
from tui.screens.confirm import ConfirmScreen
from tui.screens.filter import FilterScreen
from tui.screens.functions import FunctionsScreen
from tui.screens.help import HelpScreen
from tui.screens.interfaces import InterfacesScreen
from tui.screens.palette import Palette
from tui.screens.probe import ProbeScreen

NAMES = {
    "/": "slash",
    "?": "question_mark",
    "\r": "enter",
    "\x1b": "escape",
    "\t": "tab",
    " ": "space",
    ".": "full_stop",
}


def type_at_once(pilot: Pilot[Any], keys: str) -> None:
    for key in keys:
        pilot.app.post_message(events.Key(NAMES.get(key, key), key if key.isprintable() else None))


async def test_a_filter_typed_at_once(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test() as pilot:
        screen = await functions(pilot)
        type_at_once(pilot, "/main.fib\ra")
        await until(pilot, lambda: screen.marks)
        assert screen.prompt.text == "main.fib"
        assert len(screen.marks) == len(screen.functions.rows) == 3
        assert all("main.fib" in name for name in names(screen.functions.rows))


async def test_from_the_filter_to_the_probe_at_once(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test() as pilot:
        await functions(pilot)
        type_at_once(pilot, "/main.fib\ra\r")
        await at(pilot, ProbeScreen)
        await until(pilot, lambda: sources.probings)
        assert [one.name.startswith("main.fib") for one in sources.probing.functions] == [True] * 3


async def test_escape_empties_then_leaves(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test() as pilot:
        screen = await functions(pilot)
        everything = len(screen.functions.rows)
        type_at_once(pilot, "/q\x1b\x1b ")
        await until(pilot, lambda: screen.marks)
        assert not screen.prompt.is_open
        assert len(screen.functions.rows) == everything


async def test_keys_for_a_screen_that_is_still_being_made(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test() as pilot:
        type_at_once(pilot, "sSptK+-/!x\r\x1b\x1b\x1bjk\r/main\rsa\rsprx/\x1b\x1b")
        await until(pilot, lambda: pilot.app.is_running)
        await pilot.pause()
        assert pilot.app.return_code is None


async def test_an_expression_that_takes_too_long_is_said_so(sources: FakeSources, monkeypatch: Any) -> None:  # noqa: ANN401
    monkeypatch.setattr("tui.elf.patterns.PATIENCE", 0.05)
    async with Bpfscope(sources, 2696).run_test() as pilot:
        screen = await functions(pilot)
        everything = len(screen.functions.rows)
        type_at_once(pilot, "/")
        await until(pilot, lambda: screen.prompt.typing)
        screen.prompt.query_one(Input).value = "/(.*)*(.*)*(.*)*x{1,5}\\1z/"
        await until(pilot, lambda: "takes too long" in state(screen))
        assert len(screen.functions.rows) == everything
        type_at_once(pilot, "\x1b\x1b")
        await until(pilot, lambda: not screen.prompt.is_open)


async def test_the_end_of_a_probe_under_help(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test() as pilot:
        screen, probing = await probe(pilot, sources)
        probing.hold = asyncio.Event()
        type_at_once(pilot, "\x1b?")
        await at(pilot, HelpScreen)
        probing.hold.set()
        await at(pilot, FunctionsScreen)
        assert screen not in pilot.app.screen_stack
        assert probing.closed == 1


async def test_pages_of_a_palette_that_is_still_being_made(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test() as pilot:
        await functions(pilot)
        for key in ("ctrl+p", "pagedown", "pageup", "down", "pagedown"):
            pilot.app.post_message(events.Key(key, None))
        await at(pilot, Palette)
        await pilot.press("escape")
        await at(pilot, FunctionsScreen)


@pytest.mark.parametrize("typed", ["back", "filter", "help", "probe"])
async def test_enter_twice_in_the_palette(sources: FakeSources, typed: str) -> None:
    async with Bpfscope(sources).run_test() as pilot:
        await processes(pilot)
        await pilot.press("enter")
        await functions(pilot)
        await pilot.press("ctrl+p")
        await at(pilot, Palette)
        commands = pilot.app.screen.query_one(CommandList)
        await until(pilot, lambda: commands.option_count > 5)
        await pilot.press(*typed)
        await until(pilot, lambda: 0 < commands.option_count <= 5 and commands.highlighted is not None)
        for _ in range(3):
            pilot.app.post_message(events.Key("enter", None))
        await until(pilot, lambda: not isinstance(pilot.app.screen, Palette))
    assert pilot.app.return_code in (None, 0)


async def test_what_is_being_detached_is_not_asked_about(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test() as pilot:
        screen, probing = await probe(pilot, sources)
        probing.hold = asyncio.Event()
        await pilot.press("escape")
        await until(pilot, lambda: screen.session and screen.session.closing)
        await pilot.press("q")
        assert not isinstance(pilot.app.screen, ConfirmScreen)
        probing.hold.set()
        await until(pilot, lambda: not pilot.app.is_running)
        assert probing.closed == 1


async def test_an_expression_typed_before_its_screen_is_there(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test() as pilot:
        await processes(pilot)
        type_at_once(pilot, "2\rudp\rb")
        screen = await at(pilot, FilterScreen)
        await until(pilot, lambda: sources.filterings and sources.filterings[-1].by == "proto")
        await until(pilot, lambda: not screen.run.busy)
        assert asked(sources.filterings) == [("lo", "socket-ebpf", "udp")]
        assert not screen.paused
        below = pilot.app.screen_stack[-2]
        assert isinstance(below, InterfacesScreen)
        assert not below.paused


async def test_the_correction_of_an_expression_typed_at_once(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test() as pilot:
        await interfaces(pilot)
        type_at_once(pilot, "\rup\rd\r")
        screen = await at(pilot, FilterScreen)
        await until(pilot, lambda: screen.complaint[0] and screen.ready)
        assert screen.entry.text == "upd"
        assert screen.languages == ("classic", "extended")
        assert not screen.paused
