"""The filter line: a slash and what is typed after it."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import Key
from textual.message import Message
from textual.widgets import Input

from tui.text import sanitise
from tui.widgets.filter import finished
from tui.widgets.lines import Line


class Prompt(Horizontal):
    """Hidden until opened; stays visible while it holds a filter."""

    DEFAULT_CSS = """
    Prompt { height: 1; width: 40%; min-width: 14; display: none; background: $background; }
    Prompt.-open { display: block; }
    Prompt > Line { width: 3; }
    Prompt > Input, Prompt > Input:focus {
        height: 1; width: 1fr; border: none; padding: 0; background: $background; color: $foreground;
    }
    Prompt > Input:focus { text-style: bold; }
    """

    class Changed(Message):
        """Something else is typed."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

        def can_replace(self, message: Message) -> bool:
            """Only the last text matters."""
            return isinstance(message, Prompt.Changed)

    _wanted = ""
    _refused = ""

    class _Input(Input):
        BINDINGS: ClassVar[list[BindingType]] = [
            Binding("enter,down,tab", "screen.leave_filter", show=False),
            Binding("escape", "screen.empty_filter", show=False),
        ]

    def compose(self) -> ComposeResult:
        """The slash and the text."""
        yield Line()
        field = self._Input(select_on_focus=False, compact=True)
        field.cursor_blink = False
        yield field

    def on_mount(self) -> None:
        """Draw the slash."""
        self.query_one(Line).show([("/", "key")])

    @property
    def text(self) -> str:
        """What is typed."""
        return self.query_one(Input).value

    @property
    def complaint(self) -> str:
        """Why what is typed can't apply; empty where it can."""
        if self.text and self.text == self._refused:
            return "this expression takes too long"
        return "" if finished(self.text) else "unfinished expression"

    def refuse(self) -> None:
        """What is typed takes too long: nothing is filtered until something else is typed."""
        self._refused, self._wanted = self.text, ""

    @property
    def wanted(self) -> str:
        """The filter that applies: what is typed; while that can't apply, what was typed before."""
        if not self.complaint:
            self._wanted = self.text
        return self._wanted

    @property
    def is_open(self) -> bool:
        """Whether it is seen."""
        return self.has_class("-open")

    @property
    def typing(self) -> bool:
        """Whether keys go into it."""
        return self.screen.focused is self.query_one(Input)

    def open(self) -> None:
        """Show it and type into it."""
        self.add_class("-open")
        self.screen.set_focus(self.query_one(Input))

    def takes(self, key: Key) -> bool:
        """Type a character, if one is typed and the keys go here."""
        if not (self.typing and key.is_printable and key.character):
            return False
        self.query_one(Input).insert_text_at_cursor(key.character)
        return True

    def empty(self) -> bool:
        """Forget what is typed, and stay; whether there was something."""
        there = bool(self.text)
        self.query_one(Input).value = ""
        return there

    def clear(self) -> None:
        """Forget what is typed, and close."""
        self.query_one(Input).value = ""
        self.remove_class("-open")

    def settle(self) -> None:
        """The list has the keys again: close if nothing is typed."""
        if not self.text:
            self.remove_class("-open")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell the screen."""
        event.stop()
        harmless = sanitise(event.value)
        if harmless != event.value:
            event.input.value = harmless
            return
        self.post_message(self.Changed(event.value))
