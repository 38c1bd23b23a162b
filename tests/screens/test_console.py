"""Help, palette, and what the console must not load."""

import subprocess
import sys
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from tests.screens.fakes import FakeSources
from tests.screens.steps import at, functions, processes, until
from tui.app import Bpfscope
from tui.screens.functions import FunctionsScreen
from tui.screens.help import HelpScreen
from tui.screens.probe import ProbeScreen
from tui.screens.processes import ProcessesScreen

SCREENS = [ProcessesScreen, FunctionsScreen, ProbeScreen]
RESERVED = {"ctrl+a", "ctrl+b", "ctrl+h", "ctrl+i", "ctrl+j", "ctrl+m"}


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
def test_every_action_has_a_method_and_a_sentence(screen: type[ProcessesScreen]) -> None:
    for action in screen.ACTIONS:
        assert hasattr(screen, f"action_{action.name}")
        assert action.help
        assert not RESERVED & set(action.keys.split(","))


async def test_functions_open_at_once_for_a_pid(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(80, 24)) as pilot:
        await functions(pilot)


def test_the_console_loads_nothing_heavy() -> None:
    heavy = "numpy markdown_it pygments tree_sitter bcc tui.bpf rich.markdown rich.syntax textual.widgets._markdown"
    script = f"import sys, tui.app; print([name for name in '{heavy}'.split() if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
