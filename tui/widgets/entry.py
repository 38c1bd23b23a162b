"""An expression that is typed: with what was typed before (up, down) and completion (tab)."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import Key
from textual.message import Message
from textual.widgets import Input

from tui.text import sanitise
from tui.widgets.lines import Line

SIGN = 3  # cells in front of the expression

Complete = Callable[[str, int], Sequence[str]]


class Past:
    """What was entered before, the newest last; and a walk through it. Pure."""

    def __init__(self, entries: Sequence[str] = (), most: int = 200) -> None:
        self.entries = list(entries)[-most:]
        self._most = most
        self._at: int | None = None  # where the walk is
        self._draft = ""  # what was typed when it began

    def add(self, entry: str) -> None:
        """Entered; the walk is over."""
        self._at = None
        if entry.strip():
            self.entries = [*(one for one in self.entries if one != entry), entry][-self._most :]

    def forget(self) -> None:
        """Something was typed: the walk is over."""
        self._at = None

    def older(self, typed: str) -> str | None:
        """The one before; None where there is none."""
        at = len(self.entries) if self._at is None else self._at
        if self._at is None:
            self._draft = typed
        if at == 0:
            return None
        self._at = at - 1
        return self.entries[self._at]

    def newer(self) -> str | None:
        """The one after; behind the last what had been typed; None where there is none."""
        if self._at is None:
            return None
        if self._at + 1 < len(self.entries):
            self._at += 1
            return self.entries[self._at]
        self._at = None
        return self._draft


class Completion:
    """Words that may stand where the cursor is, one after the other. Pure."""

    def __init__(self, complete: Complete) -> None:
        self._complete = complete
        self._words: Sequence[str] = ()
        self._turn = 0
        self._around = ("", "")
        self._gave: tuple[str, int] | None = None

    def words(self, text: str, cursor: int) -> Sequence[str]:
        """All that may stand there."""
        return self._complete(text, cursor)

    def next(self, text: str, cursor: int) -> tuple[str, int] | None:
        """The text with the next word, and the cursor behind it; None where nothing may stand there."""
        if self._gave != (text, cursor) or not self._words:
            self._words, self._turn = self._complete(text, cursor), 0
            if not self._words:
                return None
            begun = _begun(text[:cursor], self._words[0])
            self._around = (text[: cursor - begun], text[cursor:])
        word = self._words[self._turn % len(self._words)]
        self._turn += 1
        before, behind = self._around
        end = "" if behind.startswith(" ") or len(self._words) > 1 else " "
        whole = f"{before}{word}{end}"
        self._gave = (whole + behind, len(whole))
        return self._gave


def _begun(before: str, word: str) -> int:
    """How many letters of the word are there already."""
    return next(size for size in range(min(len(before), len(word)), -1, -1) if before.endswith(word[:size]))


class Entry(Horizontal):
    """A sign and the expression behind it."""

    DEFAULT_CSS = """
    Entry { height: 1; width: 1fr; background: $background; }
    Entry > Line { width: 3; }
    Entry > Input, Entry > Input:focus {
        height: 1; width: 1fr; border: none; padding: 0; background: $background; color: $text-title;
    }
    Entry > Input:focus { text-style: bold; }
    """

    class Changed(Message):
        """Something else is typed."""

        def can_replace(self, message: Message) -> bool:
            """Only the last text matters."""
            return isinstance(message, Entry.Changed)

    class _Input(Input):
        BINDINGS: ClassVar[list[BindingType]] = [
            Binding("enter", "screen.apply", show=False),
            Binding("escape", "screen.leave_entry", show=False),
            Binding("up", "screen.older", show=False),
            Binding("down", "screen.newer", show=False),
            Binding("tab", "screen.complete", show=False),
        ]

    def __init__(self, placeholder: str, complete: Complete, past: Past) -> None:
        super().__init__()
        self.past = past
        self._completion = Completion(complete)
        self._placeholder = placeholder

    def compose(self) -> ComposeResult:
        """The sign and the field."""
        yield Line()
        field = self._Input(placeholder=self._placeholder, select_on_focus=False, compact=True)
        field.cursor_blink = False
        yield field

    def on_mount(self) -> None:
        """Draw the sign."""
        self.query_one(Line).show([("›", "key")])

    @property
    def field(self) -> Input:
        """Where it is typed."""
        return self.query_one(Input)

    @property
    def text(self) -> str:
        """What is typed."""
        return self.field.value

    @property
    def typing(self) -> bool:
        """Whether keys go into it."""
        return self.screen.focused is self.field

    @property
    def words(self) -> Sequence[str]:
        """What tab would put there."""
        return self._completion.words(self.text, self.field.cursor_position)

    def put(self, text: str, cursor: int | None = None) -> None:
        """Another text, the cursor behind it."""
        self.field.value = text
        self.field.cursor_position = len(text) if cursor is None else cursor

    def takes(self, key: Key) -> bool:
        """Type a character, if one is typed and the keys go here."""
        if not (self.typing and key.is_printable and key.character):
            return False
        self.past.forget()
        self.field.insert_text_at_cursor(key.character)
        return True

    def older(self) -> None:
        """What was entered before."""
        if (text := self.past.older(self.text)) is not None:
            self.put(text)

    def newer(self) -> None:
        """What was entered after that."""
        if (text := self.past.newer()) is not None:
            self.put(text)

    def complete(self) -> None:
        """The next word that may stand here."""
        if found := self._completion.next(self.text, self.field.cursor_position):
            self.put(*found)

    def cells(self, column: int) -> int:
        """In which cell of the line a letter of the expression is; outside of the line where it isn't seen."""
        return SIGN + cell_len(self.text[:column]) - round(self.field.scroll_offset.x)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell the screen."""
        event.stop()
        harmless = sanitise(event.value)
        if harmless != event.value:
            event.input.value = harmless
            return
        self.post_message(self.Changed())
