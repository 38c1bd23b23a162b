"""A view as a bpftrace program, to be read and copied, with what would be wrong in it."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Static

from tui.export.bpftrace import Program
from tui.screens.page import PageScreen


class BpftraceScreen(PageScreen):
    """The program, and below it what is wrong."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("w", "close", show=False)]

    def __init__(self, title: str, program: Program) -> None:
        super().__init__("As bpftrace", title)
        self._program = program

    def page(self) -> Iterable[Widget]:
        """The text."""
        yield Static(self._program.text, id="program", markup=False)
        yield Static("What would be wrong in it", id="head", markup=False)
        for sentence in self._program.wrong:
            yield Static(f"– {sentence}", classes="wrong", markup=False)
