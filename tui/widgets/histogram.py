"""A histogram, of durations unless its labels say something else, and a heat map of durations over time."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final

from textual.strip import Strip
from textual.widget import Widget

from tui import text
from tui.widgets.pieces import Piece, fit, paint, palette

_LABEL: Final = 7  # cells of a duration, or at least of whatever a bar begins with
_BELOW: Final = "░"
_LEVELS: Final = " ·░▒▓█"


class Histogram(Widget):
    """Bars by powers of two, each with its lower bound, or both, and its number; what is too low to tell is marked."""

    DEFAULT_CSS = """
    Histogram { height: 1fr; width: 1fr; background: $background; }
    """

    def __init__(self, label: Callable[[int], str] = text.duration, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        """`label` says where a bar begins, in few cells."""
        super().__init__(id=id)
        self._label = label
        self._span: Callable[[int, int], str] = lambda low, _: self._label(low)
        self._title = ""
        self._bars: Sequence[tuple[int, int, int]] = ()
        self._floor = 0
        self._painted = lru_cache(1)(self.lines)  # for each line of a painting, the same

    def show(
        self,
        title: str,
        bars: Sequence[tuple[int, int, int]],
        floor: int = 0,
        label: Callable[[int], str] | None = None,
        span: Callable[[int, int], str] | None = None,
    ) -> None:
        """Show these: from, up to but without (ns, or what the labels say), calls. A floor marks what lies below.

        `label`: from now on these are the labels; `span`: they tell both ends.
        """
        if span is not None and span is not self._span:
            self._span, self._title = span, ""
        if label is not None and label is not self._label:
            self._label, self._title = label, ""
        if (title, bars, floor) != (self._title, self._bars, self._floor):
            self._title, self._bars, self._floor = title, bars, floor
            self._painted.cache_clear()
            self.refresh()

    def lines(self, width: int, height: int) -> list[tuple[Piece, ...]]:
        """What is painted."""
        shown = _folded(self._bars, max(1, height - 1))
        most = max((count for _, _, count in shown), default=1)
        numbers = max((len(text.count(count)) for _, _, count in shown), default=1)
        labels = max([_LABEL, *(len(self._span(low, high)) for low, high, _ in shown)])
        room = max(1, width - labels - numbers - 4)
        lines: list[tuple[Piece, ...]] = [fit(((f" {self._title}", "head"),), width)]
        for low, high, count in shown:
            label = (f"{self._span(low, high):>{labels}} ", "dim")
            bar = text.bar(count / most, room)
            if self._floor and high <= self._floor:
                bar = _BELOW * len(bar)
            bar = bar.ljust(room)
            lines.append((label, ("▏", "faint"), (bar, "graph"), (f" {text.count(count):>{numbers}}", "")))
        return lines

    def render_line(self, y: int) -> Strip:
        """One bar."""
        lines = self._painted(self.size.width, self.size.height)
        return paint(lines[y] if y < len(lines) else (), self.size.width, palette(self.rich_style, self.app.theme))


def _folded(bars: Sequence[tuple[int, int, int]], most: int) -> Sequence[tuple[int, int, int]]:
    """At most so many bars: neighbours are added up, none is left out."""
    while len(bars) > most:
        pairs = [bars[at : at + 2] for at in range(0, len(bars), 2)]
        bars = [(pair[0][0], pair[-1][1], sum(count for *_, count in pair)) for pair in pairs]
    return bars


class HeatMap(Widget):
    """Time from left to right, durations from below upwards; the denser, the more calls."""

    DEFAULT_CSS = """
    HeatMap { height: 1fr; width: 1fr; background: $background; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._title = ""
        self._columns: Sequence[Sequence[int]] = ()
        self._painted = lru_cache(1)(self.lines)  # for each line of a painting, the same

    def show(self, title: str, columns: Sequence[Sequence[int]]) -> None:
        """Show these columns, the last one on the right: calls by the number of bits of their nanoseconds."""
        if (title, columns) != (self._title, self._columns):
            self._title, self._columns = title, columns
            self._painted.cache_clear()
            self.refresh()

    def lines(self, width: int, height: int) -> list[tuple[Piece, ...]]:
        """What is painted."""
        room = max(1, width - _LABEL - 2)
        columns = self._columns[-room:]
        there = sorted({bits for column in columns for bits, count in enumerate(column) if count})
        lines: list[tuple[Piece, ...]] = [fit(((f" {self._title}", "head"),), width)]
        if not there:
            return lines
        top, bottom = there[-1], max(there[0], there[-1] - max(0, height - 2))
        most = max(count for column in columns for count in column) if columns else 1
        for bits in range(top, bottom - 1, -1):
            cells = "".join(_LEVELS[_level(column, bits, most)] for column in columns)
            lines.append(((f"{text.duration(1 << bits >> 1):>{_LABEL}} ", "dim"), (cells.rjust(room), "graph")))
        return lines

    def render_line(self, y: int) -> Strip:
        """One line of durations."""
        lines = self._painted(self.size.width, self.size.height)
        return paint(lines[y] if y < len(lines) else (), self.size.width, palette(self.rich_style, self.app.theme))

    @property
    def plain(self) -> list[str]:
        """What is shown, for tests."""
        return ["".join(piece for piece, _ in line).rstrip() for line in self._all()]

    def _all(self) -> Iterable[tuple[Piece, ...]]:
        return self.lines(self.size.width, self.size.height)


def _level(column: Sequence[int], bits: int, most: int) -> int:
    """0 to 5 for the calls in a cell, by powers of the largest: few calls are seen beside many."""
    count = column[bits] if bits < len(column) else 0
    if not count:
        return 0
    return max(1, min(5, round(5 * count.bit_length() / most.bit_length())))
