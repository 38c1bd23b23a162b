"""Latencies over time: percentiles, and what the heat map shows, from samples of totals. Pure: knows no widget."""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import pairwise
from operator import attrgetter, sub
from typing import Final, NamedTuple

from tui.collectors import histogram
from tui.collectors.samples import Latency, LatencySample
from tui.elf.names import Function, Skipped
from tui.export import rows
from tui.screens.target import Target, function_key

COLUMNS: Final = 60  # readings that the heat map has
REMEMBERED: Final = 200  # functions of which all are remembered for the heat map; of more, those that were looked at
_ADDED: Final = (
    "calls",
    "returns",
    "unmatched",
    "untimed",
    "total_ns",
    "self_ns",
    "children",
    "probe_ns",
    "total_probe_ns",
    "mixed",
)
Key = tuple[str, int, str]  # module, address, group


class LatencyRow(NamedTuple):
    """A function and its times (ns)."""

    key: Key
    function: Function
    group: str
    latency: Latency

    @property
    def p50(self) -> int:
        """Half of the calls took less."""
        return self._percentile(0.5)

    @property
    def p90(self) -> int:
        """Nine tenths of the calls took less."""
        return self._percentile(0.9)

    @property
    def p99(self) -> int:
        """All but a hundredth of the calls took less."""
        return self._percentile(0.99)

    def _percentile(self, share: float) -> int:
        """Computed when it is shown or sorted by: of a thousand functions it takes longer than reading them."""
        latency = self.latency
        return histogram.percentiles(latency.buckets, (share,), latency.min_ns, latency.max_ns)[0]

    @property
    def share(self) -> float:
        """What part of the total no other timed function took, nor a probe, 0–1."""
        return self.latency.net_ns / self.latency.total_ns if self.latency.total_ns else 0.0


row_key = attrgetter("key")


class Latencies:
    """What is known of a running probe's times."""

    def __init__(self) -> None:
        self.sample: LatencySample | None = None
        self.per_second = 0.0
        self.since = 0.0  # seconds after the start: the last reset
        self._baseline: dict[Key, Latency] = {}
        self._last: dict[Key, Latency] = {}
        self._rows: dict[Key, LatencyRow] = {}
        self._powers: dict[Key, deque[tuple[int, ...]]] = {}  # calls by powers of two, at each of the last readings

    def take(self, sample: LatencySample) -> None:
        """Note the next sample."""
        before, self.sample = self.sample, sample
        rows = {}
        groups = sample.groups or ("",) * len(sample.functions)
        for function, group, latency in zip(sample.functions, groups, sample.latencies, strict=True):
            key = (*function_key(function), group)
            self._last[key] = latency
            if key in self._baseline:
                latency = since(latency, self._baseline[key])
            rows[key] = LatencyRow(key, function, group, latency)
        self._rows = rows
        if len(rows) <= REMEMBERED:
            self._powers |= {key: _readings() for key in rows.keys() - self._powers.keys()}
        for key, powers in self._powers.items():
            if key in rows:
                self._note(powers, rows[key].latency)
        if before is not None and sample.time > before.time:
            self.per_second = (calls(sample) - calls(before)) / (sample.time - before.time)

    def reset(self) -> None:
        """Everything so far becomes the baseline."""
        self._baseline = dict(self._last)
        self.since = self.sample.elapsed if self.sample else 0.0
        self._powers.clear()
        if self.sample:
            self.take(self.sample)

    @property
    def was_reset(self) -> bool:
        """Whether the figures are not those since the start."""
        return bool(self._baseline)

    def rows(self) -> list[LatencyRow]:
        """One row per function, in the probe's order."""
        return list(self._rows.values())

    def heat(self, key: Key) -> Sequence[tuple[int, ...]]:
        """Calls by powers of two of nanoseconds, per reading, the last last."""
        if key in self._rows and key not in self._powers:  # of many functions, only from now on
            self._powers[key] = _readings()
            self._note(self._powers[key], self._rows[key].latency)
        return tuple(tuple(map(sub, now, then)) for then, now in pairwise(self._powers.get(key, ())))

    @staticmethod
    def _note(powers: deque[tuple[int, ...]], latency: Latency) -> None:
        powers.append(histogram.by_power(latency.buckets, latency.max_ns))

    def total(self, name: str) -> int:
        """The sum of a figure over all functions."""
        return sum(map(attrgetter(f"latency.{name}"), self._rows.values()))


def _readings() -> deque[tuple[int, ...]]:
    return deque(maxlen=COLUMNS + 1)


def since(latency: Latency, baseline: Latency) -> Latency:
    """What came after the baseline. Its least and most are known as well as the buckets tell."""
    buckets = tuple(map(sub, latency.buckets, baseline.buckets))
    there = [bounds for bounds, number in zip(histogram.BOUNDS, buckets, strict=True) if number]
    least, most = (there[0][0], there[-1][1]) if there else (0, 0)
    return latency._replace(
        **{name: getattr(latency, name) - getattr(baseline, name) for name in _ADDED},
        min_ns=max(latency.min_ns, least),
        max_ns=min(latency.max_ns, most),
        buckets=buckets,
    )


def document(target: Target, latencies: Latencies, skipped: Iterable[Skipped]) -> rows.Row:
    """What an export says: the summary of `bpfscope latency --json`, and whom it is about."""
    about: rows.Row = {"kind": "summary", "pid": target.pid, "name": target.name, "skipped": rows.skipped(skipped)}
    sample = latencies.sample
    if sample is None:
        return about | {"attached": 0}
    figures = tuple(row.latency for row in latencies.rows())
    shown = sample._replace(elapsed=sample.elapsed - latencies.since, latencies=figures)
    if latencies.was_reset:
        about["since_reset"] = True
    return about | {"attached": len(set(sample.functions))} | rows.latencies(shown)


def calls(sample: LatencySample) -> int:
    """Of all functions."""
    return sum(latency.calls for latency in sample.latencies)
