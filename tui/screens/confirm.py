"""A question with two answers."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.widgets.actions import Action
from tui.widgets.lines import KeyLine

ANSWERS = (
    Action("y,enter", "y", "yes", "answer(True)", "Yes", 0),
    Action("n,escape", "n", "no", "answer(False)", "No", 0),
)


class ConfirmScreen(ModalScreen[bool]):
    """Gives True for yes."""

    CSS_PATH = "confirm.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "answer(True)", show=False),
        Binding("n,escape", "answer(False)", show=False),
    ]

    def __init__(self, question: str, note: str = "", *, quits: bool = False) -> None:
        """`quits`: whether yes ends the console, which asking to quit once more says too."""
        super().__init__()
        self.quits = quits
        self.question = question
        self.note = note

    def compose(self) -> ComposeResult:
        """The question, a note, the answers."""
        with Vertical():
            yield Static(self.question, markup=False, id="question")
            if self.note:
                yield Static(self.note, markup=False, id="note")
            yield KeyLine()

    def on_mount(self) -> None:
        """Show the answers."""
        self.query_one(KeyLine).show(ANSWERS)

    def on_key_line_pressed(self, event: KeyLine.Pressed) -> None:
        """An answer was clicked."""
        self.action_answer(event.action is ANSWERS[0])

    def action_answer(self, yes: bool) -> None:
        """Done."""
        self.dismiss(yes)
