"""Latencies over time: percentiles, and what the heat map shows, from samples of totals. Pure: knows no widget."""

from collections import deque
from collections.abc import Sequence
from operator import attrgetter
from typing import Final, NamedTuple

from tui.collectors import histogram
from tui.collectors.samples import Latency, LatencySample
from tui.elf.names import Function
from tui.screens.calls import Key
from tui.screens.target import function_key

COLUMNS: Final = 60  # readings that the heat map has
_SHARES: Final = (0.5, 0.9, 0.99)


class LatencyRow(NamedTuple):
    """A function and its times (ns)."""

    key: Key
    function: Function
    latency: Latency
    p50: int
    p90: int
    p99: int

    @property
    def share(self) -> float:
        """What part of the total no other timed function took, 0–1."""
        return self.latency.self_ns / self.latency.total_ns if self.latency.total_ns else 0.0


row_key = attrgetter("key")


class _Known(NamedTuple):
    """What was computed of a function at some number of returns."""

    row: LatencyRow
    powers: tuple[int, ...]
    columns: deque[tuple[int, ...]]


class Latencies:
    """What is known of a running probe's times."""

    def __init__(self) -> None:
        self.sample: LatencySample | None = None
        self.per_second = 0.0
        self._known: dict[Key, _Known] = {}

    def take(self, sample: LatencySample) -> None:
        """Note the next sample."""
        before, self.sample = self.sample, sample
        known = {}
        for function, latency in zip(sample.functions, sample.latencies, strict=True):
            key = function_key(function)
            known[key] = _grown(self._known.get(key), key, function, latency)
        self._known = known
        if before is not None and sample.time > before.time:
            self.per_second = (calls(sample) - calls(before)) / (sample.time - before.time)

    def rows(self) -> list[LatencyRow]:
        """One row per function, in the probe's order."""
        return [known.row for known in self._known.values()]

    def heat(self, key: Key) -> Sequence[tuple[int, ...]]:
        """Calls by powers of two of nanoseconds, per reading, the last last."""
        known = self._known.get(key)
        return tuple(known.columns) if known else ()

    def total(self, name: str) -> int:
        """The sum of a figure over all functions."""
        return sum(getattr(known.row.latency, name) for known in self._known.values())


def calls(sample: LatencySample) -> int:
    """Of all functions."""
    return sum(latency.calls for latency in sample.latencies)


def _grown(known: _Known | None, key: Key, function: Function, latency: Latency) -> _Known:
    """What is known now; nothing is computed of a function that didn't return meanwhile."""
    if known and known.row.latency.returns == latency.returns:
        known.columns.append(())
        return known._replace(row=known.row._replace(latency=latency))
    middle = histogram.percentiles(latency.buckets, _SHARES, latency.min_ns, latency.max_ns)
    powers = histogram.by_power(latency.buckets)
    columns: deque[tuple[int, ...]] = known.columns if known else deque(maxlen=COLUMNS)
    if known:
        columns.append(tuple(now - then for now, then in zip(powers, known.powers, strict=True)))
    return _Known(LatencyRow(key, function, latency, *middle), powers, columns)
