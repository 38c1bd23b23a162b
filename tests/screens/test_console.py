"""Help, palette, and what the console must not load."""

import subprocess
import sys
from typing import Any

import pytest
from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.pilot import Pilot
from textual.widgets import OptionList

from tests.screens.fakes import FakeSources
from tests.screens.steps import at, functions, processes, until
from tui.app import Bpfscope
from tui.screens.arguments import ArgumentsScreen
from tui.screens.base import FILTERS, ConsoleScreen
from tui.screens.events import EventsScreen
from tui.screens.functions import FunctionsScreen
from tui.screens.help import HelpScreen
from tui.screens.interfaces import InterfacesScreen
from tui.screens.latency import LatencyScreen
from tui.screens.probe import ProbeScreen
from tui.screens.processes import ProcessesScreen
from tui.screens.skipped import SkippedScreen
from tui.screens.stacks import StacksScreen
from tui.widgets.colourless import Colourless

VIEWS: list[type[ConsoleScreen]] = [ProbeScreen, LatencyScreen, StacksScreen, ArgumentsScreen, EventsScreen]
SCREENS: list[type[ConsoleScreen]] = [ProcessesScreen, InterfacesScreen, FunctionsScreen, *VIEWS]
RESERVED = {"ctrl+a", "ctrl+b", "ctrl+h", "ctrl+i", "ctrl+j", "ctrl+m"}


async def test_without_colours(sources: FakeSources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with Bpfscope(sources, pid=2696).run_test() as pilot:
        await functions(pilot)
        styles = {segment.style for line in pilot.app.screen._compositor.render_strips() for segment in line}
        filters, background = pilot.app._filters, pilot.app.screen.styles.background
        segments = [Segment("x", style) for style in styles]
        for one in filters:
            segments = one.apply(segments, background)
        assert {(style.color, style.bgcolor) for _, style, _ in segments if style} == {(None, None)}
        assert any(style and style.bold for _, style, _ in segments)
        chosen = Segment("x", RichStyle(color="#101317", bgcolor="#6cb6c4"))
        (segment,) = Colourless().apply([chosen], background)
        assert segment.style is not None
        assert segment.style.reverse


async def test_help_and_back(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(80, 24)) as pilot:
        await processes(pilot)
        for key in ("escape", "question_mark"):
            await pilot.press("question_mark")
            await at(pilot, HelpScreen)
            await pilot.press("j", "k", key)
            await at(pilot, ProcessesScreen)


def _first(pilot: Pilot[Any]) -> str:
    options = pilot.app.screen.query_one(OptionList).options
    return str(getattr(options[0], "hit").prompt) if options else ""  # noqa: B009 - the palette's own kind of option


async def test_the_palette_runs_the_screens_actions(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(80, 24)) as pilot:
        screen = await processes(pilot)
        await pilot.press("ctrl+p", *"tree")
        await until(pilot, lambda: _first(pilot) == "Tree")
        await pilot.press("enter")
        await until(pilot, lambda: screen.as_tree)


@pytest.mark.parametrize("screen", SCREENS)
def test_every_action_has_a_method_and_a_sentence(screen: type[ConsoleScreen]) -> None:
    for action in screen.ACTIONS:
        assert not action.name or hasattr(screen, f"action_{action.name.partition('(')[0]}")
        assert action.help
        assert not RESERVED & set(action.keys.split(","))


async def test_functions_open_at_once_for_a_pid(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(80, 24)) as pilot:
        await functions(pilot)


def test_the_console_loads_nothing_heavy() -> None:
    heavy = (
        "numpy markdown_it pygments tree_sitter bcc tui.bpf.kernel rich.markdown rich.syntax textual.widgets._markdown"
    )
    script = f"import sys, tui.app; print([name for name in '{heavy}'.split() if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("screen", [*SCREENS, SkippedScreen])
def test_the_filter_is_explained_alike_everywhere(screen: type[ConsoleScreen]) -> None:
    (filters,) = (action for action in screen.ACTIONS if action.name == "filter")
    assert FILTERS in filters.help
    assert all(action.rank == 0 for action in screen.ACTIONS if action.name == "back")


@pytest.mark.parametrize("screen", [*SCREENS, SkippedScreen])
def test_the_help_lists_a_key_once(screen: type[ConsoleScreen]) -> None:
    shown = [key for action in screen.ACTIONS if action.listed for key in action.shown.split()]
    assert len(shown) == len(set(shown))
    helps = [action.help for action in screen.ACTIONS if action.listed]
    assert len(helps) == len(set(helps))


def test_the_legend_has_the_screens_own_signs() -> None:
    signs = {screen: {sign for sign, _ in screen.SIGNS} for screen in SCREENS}
    assert not {"●", "◉", "–"} & signs[ProcessesScreen]
    assert {"●", "◉", "–"} <= signs[FunctionsScreen]
    assert "●" in signs[ProbeScreen]
    assert "◉" not in signs[ProbeScreen]
