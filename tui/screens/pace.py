"""How fast something grows, from readings of its total. Pure: knows no widget."""

from typing import Final

from tui import text
from tui.widgets.pieces import Piece

SHORTEST: Final = 0.1  # seconds; over less, a rate is noise


class Pace:
    """Calls per second between the last two readings; of the first one, since the start."""

    def __init__(self) -> None:
        self.per_second: float | None = None  # not known yet
        self._then: tuple[float, int] | None = None

    def take(self, time: float, total: int, elapsed: float) -> None:
        """Note a total at a time (seconds, monotonic), so many seconds after it was nought."""
        if self._then is None:
            self._then = (time, total) if elapsed < SHORTEST else (time - elapsed, 0)
        if (seconds := time - self._then[0]) >= SHORTEST:
            self.per_second = max(0, total - self._then[1]) / seconds
            self._then = time, total

    def said(self, noun: str) -> Piece:
        """As the state line has it: 97 calls/s; nothing where it isn't known."""
        return ("" if self.per_second is None else f"{text.rate(self.per_second)} {noun}/s", "strong")
