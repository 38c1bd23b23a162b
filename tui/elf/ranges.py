"""Names of ranges of bytes, looked up by a place in them: in a file, or in memory."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import Final

_MOST_AROUND: Final = 64  # ranges before a place that are looked at: in a damaged table any number may overlap


class Ranges:
    """Where ranges overlap, the one that was named last has the place."""

    def __init__(self, rows: Iterable[tuple[int, int, str]]) -> None:
        """Rows of start, size and name; below 2⁶⁴."""
        ordered = sorted((start, rank, size, name) for rank, (start, size, name) in enumerate(rows) if size)
        self._starts = array("Q", [start for start, *_ in ordered])
        self._ends = array("Q", [start + size for start, _, size, _ in ordered])
        self._reach = array("Q", accumulate(self._ends, max))
        self._ranks = array("Q", [rank for _, rank, *_ in ordered])
        self._names = [name for *_, name in ordered]

    def at(self, place: int) -> str:
        """The name there; empty where there is none."""
        found = self._row(place)
        return self._names[found] if found >= 0 else ""

    def start(self, place: int) -> int:
        """Where the range begins that has the place; -1 where there is none."""
        found = self._row(place)
        return self._starts[found] if found >= 0 else -1

    def _row(self, place: int) -> int:
        last = bisect_right(self._starts, place) - 1
        found = -1
        for index in range(last, max(-1, last - _MOST_AROUND), -1):
            if self._reach[index] <= place:
                break
            if self._ends[index] > place and (found < 0 or self._ranks[index] > self._ranks[found]):
                found = index
        return found
