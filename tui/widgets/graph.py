"""A figure over time as bars of eighth blocks, under a line that says what it is; the newest on the right."""

import math
from collections.abc import Sequence

from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.pieces import Piece, fit, length, paint, palette

_EIGHTHS = " ▁▂▃▄▅▆▇█"


class Graph(Widget):
    """Bars that fill its height, scaled to the largest; where nothing is known there is none."""

    DEFAULT_CSS = """
    Graph { height: 5; width: 1fr; background: $background; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._values: tuple[float, ...] = ()
        self._title: tuple[Piece, ...] = ()
        self._right: Piece = ("", "")

    @property
    def bars(self) -> int:
        """How many there is room for."""
        return max(1, self.size.width - 2)

    def show(self, title: tuple[Piece, ...], right: Piece, values: Sequence[float]) -> None:
        """Show these values, NaN where one isn't known, under these words."""
        new = (title, right, tuple(values))
        if repr(new) != repr((self._title, self._right, self._values)):  # NaN is never equal
            self._title, self._right, self._values = new
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The title, or one line of bars."""
        width = max(1, self.size.width - 2)
        if y == 0:
            right = self._right if length((*self._title, self._right)) + 1 < width else ("", "")
            room = width - length((right,))
            pieces: list[Piece] = [(" ", ""), *fit(self._title, room), right]
        else:
            lines = bars(self._values, width, self.size.height - 1)
            pieces = [(" ", ""), (lines[y - 1], "graph")]
        return paint(pieces, self.size.width, palette(self.rich_style, self.app.theme))

    @property
    def plain(self) -> str:
        """Its title, for tests."""
        return " ".join(text for text, _ in (*self._title, self._right))


def bars(values: Sequence[float], width: int, height: int) -> list[str]:
    """The last `width` values as `height` lines, the upper first; what is above nought shows."""
    shown = values[-width:]
    top = max((value for value in shown if not math.isnan(value)), default=0.0)
    levels = [_level(value, top, 8 * height) for value in shown]
    return [
        "".join(_EIGHTHS[min(8, max(0, level - 8 * (height - 1 - line)))] for level in levels).rjust(width)
        for line in range(height)
    ]


def _level(value: float, top: float, most: int) -> int:
    """In eighths of a line; a known nought is a thin line."""
    if math.isnan(value):
        return 0
    return max(1, round(most * value / top)) if top > 0 else 1
