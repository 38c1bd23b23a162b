"""How fast something grows, from readings of its total. Pure: knows no widget."""

from typing import Final

SHORTEST: Final = 0.1  # seconds; over less, a rate is noise


class Pace:
    """Calls per second between the last two readings."""

    def __init__(self) -> None:
        self.per_second = 0.0
        self._then: tuple[float, int] | None = None

    def take(self, time: float, total: int) -> None:
        """Note a total at a time (seconds, monotonic)."""
        if self._then is None:
            self._then = time, total
        elif (seconds := time - self._then[0]) >= SHORTEST:
            self.per_second = max(0, total - self._then[1]) / seconds
            self._then = time, total
