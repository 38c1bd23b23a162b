"""All keys of a screen, and what its signs mean."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.strip import Strip
from textual.widget import Widget

from tui.screens.page import PageScreen
from tui.widgets.actions import Action
from tui.widgets.pieces import Piece, fit, paint, palette, wrap

TWO_COLUMNS = 72  # cells
MARGIN = 11  # cells for the key


class Page(Widget):
    """The keys, in two columns where there is room."""

    DEFAULT_CSS = """
    Page { height: auto; width: 1fr; background: $background; }
    """

    def __init__(self, entries: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._entries = entries
        self._lines: list[list[Piece]] = []

    def get_content_height(self, container: object, viewport: object, width: int) -> int:  # noqa: ARG002 - Textual's
        """As many lines as it takes."""
        columns = 2 if width >= TWO_COLUMNS else 1
        column = width // columns - 2
        lines = [_entry(key, what, column) for key, what in self._entries]
        parts = _split(lines, columns)
        self._lines = [
            [piece for part in parts for piece in (part[y] if y < len(part) else fit("", column + 1))]
            for y in range(max(map(len, parts)))
        ]
        return len(self._lines)

    def render_line(self, y: int) -> Strip:
        """One line."""
        line = self._lines[y] if y < len(self._lines) else ()
        return paint(line, self.size.width, palette(self.rich_style, self.app.theme))


def _entry(key: str, what: str, width: int) -> list[tuple[Piece, ...]]:
    """A key and what it does, in lines of one cell more than `width`."""
    lines = wrap(what, max(8, width - MARGIN))
    keys = [((key, "key"), (" " * (MARGIN - len(key)), "")), *[((" " * MARGIN, ""),)] * (len(lines) - 1)]
    shown = [(*margin, (line, "")) for margin, line in zip(keys, lines, strict=True)]
    return [((" ", ""), *fit(line, width)) for line in shown]


def _split(entries: Sequence[list[tuple[Piece, ...]]], columns: int) -> list[list[tuple[Piece, ...]]]:
    """The entries' lines in columns of about the same length; an entry stays whole."""
    total = sum(map(len, entries))
    parts: list[list[tuple[Piece, ...]]] = [[]]
    for entry in entries:
        if len(parts) < columns and len(parts[-1]) + len(entry) / 2 > total / columns:
            parts.append([])
        parts[-1] += entry
    return parts


class HelpScreen(PageScreen):
    """Made from the screen's own registry of actions."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark", "close", show=False)]

    def __init__(self, title: str, actions: Sequence[Action], signs: Sequence[tuple[str, str]]) -> None:
        super().__init__("Help", title)
        self._entries = [(action.shown, action.help) for action in actions if action.listed]
        self._signs = signs

    def page(self) -> Iterable[Widget]:
        """The keys, and the signs."""
        yield Page([*self._entries, ("", ""), *self._signs])
