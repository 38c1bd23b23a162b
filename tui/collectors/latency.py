"""A probe that times: functions, how each one's return is seen, and what attaches them; a context manager."""

import time
from collections.abc import Sequence
from typing import Final

from tui.bpf.features import Method, attach_method
from tui.bpf.timing import Timing
from tui.collectors import returns
from tui.collectors.files import Files, nothing_attached
from tui.collectors.probe import ended
from tui.collectors.samples import Attached, Latency, LatencySample
from tui.collectors.target import Target, Watch
from tui.elf.names import Function, Skipped
from tui.errors import BpfscopeError
from tui.owner import Owner

_SWEEP_SECONDS: Final = 1.0  # between looks for calls of threads that have ended
MOST: Final = 2_000  # functions: each has 2.6 KB in the kernel, read every second


class LatencyProbe(Owner):
    """Times functions of one target. Leaving it detaches everything."""

    def __init__(self, target: Target, *, return_probes: bool = False) -> None:
        """Nothing is attached yet. Raises TargetError, NotPermitted, NotSupported."""
        self._return_probes = return_probes
        self._method: Method = attach_method()
        self._target = target
        self._files = Files(target)
        self._timing: Timing | None = None
        self._functions: tuple[Function, ...] = ()
        self._indexes: tuple[int, ...] = ()
        self._started = self._swept = 0.0
        self.watch = Watch(target.pid) if target.pid is not None else None

    def add(self, functions: Sequence[Function]) -> Attached:
        """Times these, once. Raises BpfscopeError where not one could be attached."""
        if len(functions) > MOST:
            raise BpfscopeError(
                f"at most {MOST:,} functions can be timed at once, not {len(functions):,}: count first, then time few"
            )
        chosen, skipped = self._files.choose(list(dict.fromkeys(functions)), returns=True)
        timed = []
        for each in chosen:
            if reason := returns.no_function(each) or returns.unseen(each, return_probes=self._return_probes):
                skipped.append(Skipped(each.function, reason))
                continue
            path = self._files.path(each.function.module)
            place = returns.place(path, each, seen=True, return_probes=self._return_probes)
            timed.append((each.function, place, returns.note(each, return_probes=self._return_probes)))
        if not timed:
            raise nothing_attached(skipped)
        self._timing = Timing([place for _, place, _ in timed], self._target.pid, self._method)
        rejected = self._timing.rejected
        skipped += [Skipped(timed[index][0], reason) for index, reason in rejected.items()]
        self._indexes = tuple(index for index in range(len(timed)) if index not in rejected)
        self._functions = tuple(timed[index][0] for index in self._indexes)
        self._started = time.monotonic()
        if not self._functions:
            raise nothing_attached(skipped)
        inexact = tuple(Skipped(function, note) for function, _, note in timed if note and function in self._functions)
        return Attached(self._functions, tuple(skipped), inexact)

    def read(self) -> LatencySample:
        """The figures now."""
        now = time.monotonic()
        timing = self._timing
        said = ended(self.watch, self._method)
        if timing and (said or now - self._swept > _SWEEP_SECONDS):
            timing.sweep()
            self._swept = now
        latencies = tuple(_latency(timing, index) for index in self._indexes) if timing else ()
        return LatencySample(
            now,
            now - self._started,
            self._functions,
            latencies,
            timing.misses() if timing else 0,
            said,
        )

    def close(self) -> None:
        """Detaches everything; a second time is harmless."""
        if self._timing:
            self._timing.close()
            self._timing = None
        self._files.close()
        if self.watch:
            self.watch.close()
            self.watch = None


def _latency(timing: Timing, index: int) -> Latency:
    row = timing.row(index)
    untimed = row.full + row.nested
    unmatched = row.left + max(0, row.strays - row.full)
    in_flight = max(0, row.calls - row.returns - row.left - untimed)
    return Latency(
        row.calls,
        row.returns,
        in_flight,
        unmatched,
        untimed,
        row.shortest,
        row.longest,
        row.total,
        row.own,
        row.children,
        tuple(timing.buckets(index)),
    )
