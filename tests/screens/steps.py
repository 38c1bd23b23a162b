"""Ways to a screen, and waiting for conditions instead of for time."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from tests.screens.fakes import FakeProbing, FakeSources
from tui.screens.base import ConsoleScreen
from tui.screens.functions import FunctionsScreen
from tui.screens.interfaces import InterfacesScreen
from tui.screens.probe import ProbeScreen
from tui.screens.processes import ProcessesScreen
from tui.widgets.lines import Detail, KeyLine, Line

Kind = TypeVar("Kind", bound=Screen[Any])
TURNS = 400


async def until(pilot: Pilot[Any], condition: Callable[[], object]) -> None:
    """Let the console work until the condition holds."""
    for _ in range(TURNS):
        if condition():
            await pilot.pause()
            return
        await pilot.pause()
    raise AssertionError(f"never came true; the screen is {pilot.app.screen!r}")


async def at(pilot: Pilot[Any], kind: type[Kind]) -> Kind:
    """The screen, once it is on top."""
    await until(pilot, lambda: type(pilot.app.screen) is kind and pilot.app.screen.is_mounted)
    screen = pilot.app.screen
    assert isinstance(screen, kind)
    return screen


async def processes(pilot: Pilot[Any]) -> ProcessesScreen:
    """The process list, filled."""
    screen = await at(pilot, ProcessesScreen)
    await until(pilot, lambda: screen.table().rows)
    return screen


async def interfaces(pilot: Pilot[Any]) -> InterfacesScreen:
    """The interfaces, by the key that leads there, filled."""
    await at(pilot, ProcessesScreen)
    await pilot.press("2")
    screen = await at(pilot, InterfacesScreen)
    await until(pilot, lambda: screen.table().rows)
    return screen


async def functions(pilot: Pilot[Any]) -> FunctionsScreen:
    """The functions of the console's own pid, read."""
    screen = await at(pilot, FunctionsScreen)
    await until(pilot, lambda: screen.functions.rows)
    return screen


async def type_filter(pilot: Pilot[Any], typed: str) -> None:
    """Type a filter and go back to the list."""
    await pilot.press("slash")
    pilot.app.screen.query_one(Input).value = typed
    await pilot.pause()
    await pilot.press("enter")
    await pilot.pause()


async def probe(pilot: Pilot[Any], sources: FakeSources, typed: str = "main.fib") -> tuple[ProbeScreen, FakeProbing]:
    """A probe on the functions that the filter leaves, and what it reads from."""
    await functions(pilot)
    await type_filter(pilot, typed)
    await pilot.press("a", "enter")
    screen = await at(pilot, ProbeScreen)
    await until(pilot, lambda: sources.probings and not screen.busy)
    return screen, sources.probing


async def ticks(
    pilot: Pilot[Any], screen: ProbeScreen, probing: FakeProbing, *calls: dict[str, int], step: int = 1
) -> None:
    """Samples every `step` seconds, each taken before the next."""
    begin = int(screen.calls.elapsed) + step if screen.calls.sample else 0
    for second, totals in zip(range(begin, begin + step * len(calls), step), calls, strict=True):
        probing.tick(float(second), totals)
        await until(pilot, partial(_taken, screen, second))


def _taken(screen: ProbeScreen, second: int) -> bool:
    return screen.calls.sample is not None and screen.calls.elapsed == second


def under(screen: ConsoleScreen) -> Any:  # noqa: ANN401 - rows differ
    """The row under the cursor."""
    row = screen.table().row
    assert row is not None
    return row


def state(screen: Screen[Any]) -> str:
    """The state line."""
    return screen.query_one("#state", Line).plain


def context(screen: Screen[Any]) -> str:
    """The context line."""
    return screen.query_one("#context", Line).plain


def keys(screen: Screen[Any]) -> str:
    """The key line."""
    return screen.query_one(KeyLine).plain


def detail(screen: Screen[Any]) -> str:
    """The row's whole text."""
    return screen.query_one(Detail).plain


def painted(screen: ConsoleScreen) -> list[str]:
    """What the table shows, line by line."""
    table = screen.table()
    return ["".join(segment.text for segment in table.render_line(y)).rstrip() for y in range(table.size.height)]


def names(rows: Iterable[Any]) -> list[str]:
    """The rows' functions by name."""
    return [getattr(row, "function", row).name for row in rows]
