"""Keys that come at once act in the order in which they came."""

from typing import Any

from textual import events
from textual.pilot import Pilot

from tests.screens.fakes import FakeSources
from tests.screens.steps import at, functions, names, until
from tui.app import Bpfscope
from tui.screens.probe import ProbeScreen

NAMES = {"/": "slash", "\r": "enter", "\x1b": "escape", "\t": "tab", " ": "space", ".": "full_stop"}


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
