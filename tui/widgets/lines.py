"""Single lines: context, state, rules, the row's whole text, the keys. Each repaints only when it changed."""

from collections.abc import Iterable, Sequence

from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.actions import Action
from tui.widgets.pieces import Piece, cut_middle, fit, length, paint, palette, wrap

Phrase = Piece | tuple[Piece, ...]
SEPARATOR: Piece = (" · ", "faint")


class Line(Widget):
    """Phrases on the left and on the right, joined by dots. Where they don't fit the last go, and the first is cut."""

    DEFAULT_CSS = """
    Line { height: 1; width: 1fr; background: $background; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._shown: tuple[tuple[Piece, ...], ...] = ()
        self._right: tuple[tuple[Piece, ...], ...] = ()

    def show(self, left: Iterable[Phrase], right: Iterable[Phrase] = ()) -> None:
        """Say these phrases; empty ones are left out."""
        new = (_phrases(left), _phrases(right))
        if new != (self._shown, self._right):
            self._shown, self._right = new
            self.refresh()

    def render_line(self, y: int) -> Strip:  # noqa: ARG002 - there is one line
        """The line."""
        left, right, width = list(self._shown), list(self._right), self.size.width
        room = width - 2
        while _width(left) + _width(right) + 2 * bool(right) > room and len(left) > 1:
            left.pop()
        while _width(left) + _width(right) + 2 * bool(right) > room and right:
            right.pop()
        said = _joined(left)
        pieces = [(" ", ""), *(fit(tuple(said), room) if length(said) > room > 0 else said)]
        if right:
            pieces = [*pieces, (" " * (width - 1 - length(pieces) - _width(right)), ""), *_joined(right)]
        return paint(pieces, width, palette(self.rich_style, self.app.theme))

    @property
    def plain(self) -> str:
        """All that is said, for tests."""
        return " · ".join("".join(text for text, _ in phrase) for phrase in (*self._shown, *self._right))


class Rule(Widget):
    """A thin rule."""

    DEFAULT_CSS = """
    Rule { height: 1; width: 1fr; background: $background; }
    """

    def render_line(self, y: int) -> Strip:  # noqa: ARG002 - there is one line
        """The rule."""
        return paint([("─" * self.size.width, "faint")], self.size.width, palette(self.rich_style, self.app.theme))


class Detail(Widget):
    """The whole text of the row under the cursor: as many lines as it takes, never fewer than it took before."""

    DEFAULT_CSS = """
    Detail { height: 1; width: 1fr; background: $background; }
    """
    MOST = 6

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._text = ""
        self._note = ""
        self._lines: list[str] = [""]
        self._width = 0

    def show(self, text: str, note: str = "") -> None:
        """Say this text, and a note behind it."""
        if (text, note) != (self._text, self._note):
            self._text, self._note = text, note
            self._fold()

    def one_line(self) -> None:
        """Other rows are shown: one line is enough again."""
        self.styles.height = 1

    def on_resize(self) -> None:
        """Fold for the new width."""
        if self.size.width != self._width:
            self._width = self.size.width
            self.one_line()
        self._fold()

    def _fold(self) -> None:
        whole = f"{self._text}  {self._note}" if self._note else self._text
        most = max(1, min(self.MOST, self.app.size.height // 6))
        lines = wrap(whole, max(8, self.size.width - 4))
        if len(lines) > most:  # the end of a name, and what is said about it, matter as much as its beginning
            room = max(8, self.size.width - 4)
            lines = wrap(cut_middle(whole, room * most - most), room)[:most]
        self._lines = lines
        if len(lines) > self.size.height:
            self.styles.height = len(lines)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of the text."""
        text = self._lines[y] if y < len(self._lines) else ""
        return paint([("  ", ""), (text, "dim")], self.size.width, palette(self.rich_style, self.app.theme))

    @property
    def plain(self) -> str:
        """All that is said, for tests."""
        return f"{self._text}  {self._note}".strip()


class KeyLine(Widget):
    """The keys that do something now; the least important are left out where there is no room. Click to press one."""

    DEFAULT_CSS = """
    KeyLine { height: 1; width: 1fr; background: $background; }
    """

    class Pressed(Message):
        """A key was clicked."""

        def __init__(self, action: Action) -> None:
            super().__init__()
            self.action = action

    def __init__(self) -> None:
        super().__init__()
        self._actions: tuple[Action, ...] = ()

    def show(self, actions: Iterable[Action]) -> None:
        """Show these actions."""
        new = tuple(actions)
        if new != self._actions:
            self._actions = new
            self.refresh()

    def fitting(self) -> list[Action]:
        """The actions that fit."""
        shown = list(self._actions)
        while len(shown) > 1 and sum(map(_key_width, shown)) > self.size.width - 1:
            shown.remove(max(shown, key=lambda action: action.rank))
        return shown

    def render_line(self, y: int) -> Strip:  # noqa: ARG002 - there is one line
        """The line."""
        pieces: list[Piece] = [(" ", "")]
        for action in self.fitting():
            pieces += [(action.shown, "key"), (f" {action.label}", "dim"), ("  ", "")]
        return paint(pieces, self.size.width, palette(self.rich_style, self.app.theme))

    def on_click(self, event: events.Click) -> None:
        """Press the key under the mouse."""
        x = 1
        for action in self.fitting():
            if x <= event.x < x + _key_width(action) - 2:
                self.post_message(self.Pressed(action))
            x += _key_width(action)

    @property
    def plain(self) -> str:
        """What is shown, for tests."""
        return "  ".join(f"{action.shown} {action.label}" for action in self.fitting())


def _key_width(action: Action) -> int:
    return length([(action.shown, ""), (action.label, "")]) + 3


def _phrases(phrases: Iterable[Phrase]) -> tuple[tuple[Piece, ...], ...]:
    tuples = (phrase if isinstance(phrase[0], tuple) else (phrase,) for phrase in phrases if phrase)
    return tuple(phrase for phrase in tuples if any(text for text, _ in phrase))


def _joined(phrases: Sequence[tuple[Piece, ...]]) -> list[Piece]:
    pieces: list[Piece] = []
    for phrase in phrases:
        pieces += [SEPARATOR, *phrase] if pieces else phrase
    return pieces


def _width(phrases: Sequence[tuple[Piece, ...]]) -> int:
    return length(_joined(phrases))
