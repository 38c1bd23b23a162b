"""Calls over time: rates, shares and baselines from samples of totals. Pure: knows no widget."""

from collections import Counter
from collections.abc import Iterable
from itertools import repeat
from operator import attrgetter
from typing import NamedTuple

from tui.collectors.samples import CountsSample
from tui.elf.names import Function, Skipped
from tui.export import rows
from tui.screens.hotness import HOT
from tui.screens.target import Key, Target, function_key
from tui.widgets.history import History

SHORTEST = 0.1  # seconds; over less, a rate is noise


class CallRow(NamedTuple):
    """A function and its calls."""

    key: Key
    function: Function
    calls: int  # since the start, or since the reset
    per_second: float
    share: float  # of all these calls that are still counted, 0–1
    history: History
    off: bool = False  # taken off by the budget: the count has stopped
    gap: bool = False  # it, or another one, was not counted all the time: the share is of unlike times


row_key = attrgetter("key")


def words(row: CallRow) -> str:
    """By what a row can be found."""
    function = row.function
    return "\n".join((function.name, function.raw_name, *function.aliases))


class Calls:
    """What is known of a running probe's calls."""

    def __init__(self) -> None:
        self.sample: CountsSample | None = None
        self.since = 0.0  # seconds after the start of the probe: the last reset
        self.modules: frozenset[str] = frozenset()  # names
        self.twins: frozenset[str] = frozenset()  # names that several functions have
        self._history = History()
        self._keys: tuple[Key, ...] = ()
        self._totals: dict[Key, int] = {}
        self._rated = 0.0  # when the rates were computed last, and from what
        self._earlier: dict[Key, int] = {}
        self._rates: dict[Key, float] = {}
        self._baseline: dict[Key, int] = {}
        self._off: frozenset[Key] = frozenset()
        self._gaps: frozenset[Key] = frozenset()  # what is off, or came or was off since the start or the reset

    def take(self, sample: CountsSample) -> None:
        """Note the next sample."""
        before = self.sample
        if len(sample.functions) != len(
            sample.calls
        ):  # it contradicts itself: only its time and its end are worth something
            known = before or sample._replace(functions=(), calls=())
            sample = sample._replace(functions=known.functions, calls=known.calls)
        self.sample = sample
        if before is None or before.functions is not sample.functions:
            counted, self._keys = set(self._keys), tuple(map(function_key, sample.functions))
            if before is not None:
                self._gaps |= set(self._keys) - counted
            self.modules = frozenset(function.module for function in sample.functions)
            names = Counter(function.name for function in sample.functions)
            self.twins = frozenset(name for name, times in names.items() if times > 1)
        self._totals = dict(zip(self._keys, sample.calls, strict=True))
        self._off = frozenset(function_key(one.function) for one in sample.cost.suspended)
        self._gaps |= self._off
        seconds = sample.time - self._rated
        if sample.ended and sample.elapsed > self.since:  # what stays is the mean of all that is shown
            shown = sample.elapsed - self.since
            self._rates = {key: calls / shown for key, calls in self._since_baseline().items()}
        elif before is None:
            self._rated, self._earlier = sample.time, self._totals
        elif seconds >= SHORTEST:
            earlier = self._earlier.get
            self._rates = {key: max(0, calls - earlier(key, 0)) / seconds for key, calls in self._totals.items()}
            for key in self._off:
                self._rates.pop(key, None)
            self._history.add(sample.time, self._rates)
            self._rated, self._earlier = sample.time, self._totals

    def reset(self) -> None:
        """Count from here: the totals so far become the baseline."""
        self._baseline = dict(self._totals)
        self._gaps = self._off
        self.since = self.sample.elapsed if self.sample else 0.0
        self._history.clear()

    @property
    def keys(self) -> tuple[Key, ...]:
        """What names the functions; the same object until others are probed."""
        return self._keys

    @property
    def was_reset(self) -> bool:
        """Whether the figures are not those since the start."""
        return bool(self._baseline)

    @property
    def elapsed(self) -> float:
        """Seconds since the start of the probe."""
        return self.sample.elapsed if self.sample else 0.0

    @property
    def per_second(self) -> float:
        """Calls per second of all functions."""
        return sum(self._rates.values())

    @property
    def total(self) -> int:
        """Calls of all functions since the start, or since the reset."""
        return sum(self._since_baseline().values())

    def rows(self) -> list[CallRow]:
        """One row per function, in the probe's order."""
        if self.sample is None:
            return []
        counted = self._since_baseline()
        total = sum(counted.values()) - sum(counted.get(key, 0) for key in self._off) or 1
        rates = map(self._rates.get, self._keys, repeat(0.0))
        shares = (one / total for one in counted.values())
        columns = self._keys, self.sample.functions, counted.values(), rates, shares, repeat(self._history)
        rows = list(map(CallRow, *columns))
        if self._off:
            rows = [row._replace(off=True, per_second=0.0, share=0.0) if row.key in self._off else row for row in rows]
        if not (self._gaps - self._off).isdisjoint(self._keys):
            rows = [row._replace(gap=True) for row in rows]
        return rows

    def cold(self, hot: frozenset[Key]) -> list[Function]:
        """Those that weren't called, or for less than a hundredth of all calls and aren't `hot`."""
        least = self.total * HOT
        return [row.function for row in self.rows() if not row.calls or (row.calls < least and row.key not in hot)]

    def _since_baseline(self) -> dict[Key, int]:
        if not self._baseline:
            return self._totals
        baseline = self._baseline
        # A function that was removed and added again counts from nought: its baseline is void.
        return {
            key: calls - before if (before := baseline.get(key, 0)) <= calls else calls
            for key, calls in self._totals.items()
        }


def document(target: Target, calls: Calls, skipped: Iterable[Skipped]) -> rows.Row:
    """What an export says: the summary of `bpfscope count --json`, and whom it is about."""
    sample = calls.sample
    about: rows.Row = {"kind": "summary", "pid": target.pid, "name": target.name, "skipped": rows.skipped(skipped)}
    if sample is None:
        return about | {"attached": 0}
    totals = tuple(row.calls for row in calls.rows())
    shown = sample._replace(elapsed=calls.elapsed - calls.since, calls=totals)
    if calls.was_reset:
        about["since_reset"] = True
    return about | {"attached": len(sample.functions)} | rows.counts(shown)
