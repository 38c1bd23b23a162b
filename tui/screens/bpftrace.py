"""A view as a bpftrace program, to be read and copied, with what would be wrong in it."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from tui.export.bpftrace import Program
from tui.screens.help import KEYS
from tui.widgets.lines import KeyLine, Line, Rule


class BpftraceScreen(Screen[None]):
    """The program, and below it what is wrong."""

    CSS_PATH = "bpftrace.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,w", "close", show=False),
        Binding("q", "app.quit", show=False),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, title: str, program: Program) -> None:
        super().__init__()
        self._title = title
        self._program = program

    def compose(self) -> ComposeResult:
        """The text between a line on top and one below."""
        yield Line()
        yield Rule()
        with VerticalScroll():
            yield Static(self._program.text, id="program", markup=False)
            yield Static("What would be wrong in it", id="head", markup=False)
            for sentence in self._program.wrong:
                yield Static(f"– {sentence}", classes="wrong", markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """Say of what this is the program."""
        self.query_one(Line).show([(("As bpftrace ▸ ", "dim"), (self._title, "title"))])
        self.query_one(KeyLine).show(KEYS)
        self.query_one(VerticalScroll).focus()

    def action_close(self) -> None:
        """Back to the screen."""
        self.dismiss()

    def action_scroll(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def on_key_line_pressed(self, event: KeyLine.Pressed) -> None:
        """Back was clicked."""
        if event.action.name:
            self.action_close()
