"""The last events of a probe, each with its place in the order in which they came. Pure: knows no widget."""

from collections import deque
from itertools import islice
from typing import Final, NamedTuple

from tui.collectors.samples import Event, EventsSample
from tui.elf.names import Function
from tui.screens.reads import spelt

KEPT: Final = 10_000  # rows; older ones are forgotten


class TailRow(NamedTuple):
    """A call; or, in its place, how many were dropped about there."""

    number: int  # of the row, from the first on
    at: float  # seconds since the probe began: when the call ended, or began where returns aren't seen
    event: Event | None
    dropped: int = 0

    @property
    def function(self) -> Function | None:
        """What was called."""
        return self.event.function if self.event else None


class Tail:
    """What was read, as far as it is kept."""

    def __init__(self) -> None:
        self.rows: deque[TailRow] = deque()
        self.total = 0  # rows that there were
        self.kept = 0  # events among those that are there
        self.forgotten = 0  # events that aren't kept any more
        self._dropped = 0

    def take(self, sample: EventsSample) -> None:
        """Note the next sample's events; those that were dropped since the last sample came after what was read."""
        began = sample.time - sample.elapsed
        for event in sample.events:
            ended = event.start_ns + (event.duration_ns or 0)
            self._add(TailRow(self.total, max(0.0, ended / 1e9 - began), event))
        if sample.dropped > self._dropped:
            self._add(TailRow(self.total, sample.elapsed, None, sample.dropped - self._dropped))
            self._dropped = sample.dropped

    def _add(self, row: TailRow) -> None:
        self.rows.append(row)
        self.total += 1
        self.kept += row.event is not None
        if len(self.rows) > KEPT and self.rows.popleft().event is not None:
            self.kept -= 1
            self.forgotten += 1

    def since(self, number: int) -> list[TailRow]:
        """The rows from this one on, as far as they are kept."""
        return list(islice(self.rows, max(0, len(self.rows) - (self.total - number)), None))


def results(event: Event) -> str:
    """What it gave: true, 3."""
    return ", ".join(spelt(value) for _, value in event.results)


def call(event: Event) -> str:
    """The whole call: main.search(n=3, name="x") = true."""
    said = ", ".join(f"{name}={spelt(value)}" for name, value in event.arguments)
    return f"{event.function.name}({said}){f' = {results(event)}' if event.results else ''}"


def thread(event: Event) -> str:
    """Who called: a goroutine by its address, or a thread by number."""
    return f"g {event.goroutine:x}" if event.goroutine else str(event.tid)


def words(row: TailRow) -> str:
    """By what a row can be found."""
    if row.event is None:
        return ""
    return f"{call(row.event)}\n{row.event.function.raw_name}\n{thread(row.event)} {row.event.comm}"
