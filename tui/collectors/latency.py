"""A probe that times: functions, how each one's return is seen, and what attaches them; a context manager."""

import time
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from tui.bpf.counting import Place
from tui.bpf.features import Method, attach_method
from tui.bpf.frames import Timed
from tui.bpf.timing import By, Row, Timing
from tui.collectors import calibration, returns
from tui.collectors.budget import HeldBack, hold_back
from tui.collectors.files import Chosen, Files, nothing_attached
from tui.collectors.probe import ended
from tui.collectors.returns import NO_CALL
from tui.collectors.samples import Attached, Latency, LatencySample
from tui.collectors.target import Target, Watch
from tui.elf.names import Function, Skipped
from tui.errors import BpfscopeError
from tui.owner import Owner
from tui.text import sanitise

_SWEEP_SECONDS: Final = 1.0  # between looks for calls of threads that have ended
MOST: Final = 2_000  # functions: each has 2.6 KB in the kernel, read every second


class _Timed(NamedTuple):
    """A function, and how it is timed."""

    function: Function
    place: Timed
    emulated: bool  # its entry
    note: str


class _Cost(NamedTuple):
    """Of a function's probes, in nanoseconds."""

    hit: int  # at entry
    call: int  # a call with its return
    floor: int


class LatencyProbe(Owner):
    """Times functions of one target. Leaving it detaches everything."""

    def __init__(self, target: Target, *, return_probes: bool = False, by: By = By.FUNCTION) -> None:
        """Nothing is attached yet. `by`: what calls are told apart by, besides their function.

        Raises TargetError, NotPermitted, NotSupported.
        """
        self._return_probes, self._by = return_probes, by
        self._names = GroupNames(by)
        self._method: Method = attach_method()
        self._target = target
        self._files = Files(target)
        self._timing: Timing | None = None
        self._functions: tuple[Function, ...] = ()
        self._indexes: dict[Function, int] = {}  # into `_timing`
        self._costs: list[_Cost] = []  # of the functions
        self.held_back = HeldBack()
        self._started = self._swept = 0.0
        self.watch = Watch(target.pid) if target.pid is not None else None

    def add(
        self, functions: Sequence[Function], limit: float | None = None, off: Collection[Function] = ()
    ) -> Attached:
        """Times these, once. Raises BpfscopeError where not one could be attached.

        What is `off`, and of many what would clearly exceed the budget `limit` (percent), is in `held_back`, and
        not put on.
        """
        if len(functions) > MOST:
            raise BpfscopeError(
                f"at most {MOST:,} functions can be timed at once, not {len(functions):,}: count first, then time few"
            )
        chosen, skipped = self._files.choose(list(dict.fromkeys(functions)), returns=True, no_usdt=NO_CALL)
        timed = self._timed(chosen, skipped)
        costs = calibration.costs()
        calls = [costs.call(emulated=each.emulated, return_probe=not each.place.returns) for each in timed]
        pid, method = self._target.pid, self._method
        self.held_back = hold_back(
            [each.function for each in timed],
            [Place(each.place.file, each.place.entry) for each in timed],
            [call.cost for call in calls],
            pid,
            method,
            limit,
            off,
        )
        places = [each.place for each in timed]
        self._timing = Timing(places, pid, method, calls, self._by, self.held_back.indexes)
        rejected = self._timing.attachment.rejected
        skipped += [Skipped(timed[index].function, reason) for index, reason in rejected.items()]
        self._indexes = {each.function: index for index, each in enumerate(timed) if index not in rejected}
        self._functions = tuple(self._indexes)
        self._costs = [_Cost(costs.hit(emulated=timed[at].emulated), *calls[at]) for at in self._indexes.values()]
        self._started = time.monotonic()
        if not self._functions:
            raise nothing_attached(skipped)
        inexact = tuple(
            Skipped(each.function, each.note) for each in timed if each.note and each.function in self._indexes
        )
        return Attached(self._functions, tuple(skipped), inexact)

    def _timed(self, chosen: Sequence[Chosen], skipped: list[Skipped]) -> list[_Timed]:
        """Those that can be timed; the others are added to `skipped`. Raises BpfscopeError where there are none."""
        timed: list[_Timed] = []
        for each in chosen:
            if reason := returns.no_function(each) or returns.unseen(each, return_probes=self._return_probes):
                skipped.append(Skipped(each.function, reason))
                continue
            path = self._files.path(each.function.module)
            place = returns.place(path, each, seen=True, return_probes=self._return_probes)
            note = returns.note(each, return_probes=self._return_probes)
            timed.append(_Timed(each.function, place, each.site.emulated, note))
        if not timed:
            raise nothing_attached(skipped)
        return timed

    @property
    def functions(self) -> tuple[Function, ...]:
        """What is timed, also what is suspended."""
        return self._functions

    def spent(self) -> list[int]:
        """Nanoseconds that the target has lost to each function's probes."""
        if self._timing is None:
            return []
        calls, returns = self._timing.hits()
        return [
            calls[at] * cost.hit + returns[at] * (cost.call - cost.hit)
            for at, cost in zip(self._indexes.values(), self._costs, strict=True)
        ]

    def suspend(self, functions: Sequence[Function]) -> None:
        """Takes these out of the target; their figures stay."""
        if self._timing:
            self._timing.attachment.suspend([self._indexes[function] for function in functions])

    def resume(self, functions: Sequence[Function]) -> None:
        """Puts these back."""
        if self._timing:
            self._timing.attachment.resume([self._indexes[function] for function in functions])

    def read(self) -> LatencySample:
        """The figures now."""
        now = time.monotonic()
        timing = self._timing
        said = ended(self.watch, self._method)
        if timing and (said or now - self._swept > _SWEEP_SECONDS):
            timing.sweep()
            self._swept = now
        sample = LatencySample(now, now - self._started, (), (), timing.misses() if timing else 0, said)
        return self._filled(sample, timing) if timing else sample

    def _filled(self, sample: LatencySample, timing: Timing) -> LatencySample:
        """The sample with a figure for each function, or for each group of calls and what isn't in one."""
        figures = timing.rows()
        rows = [
            (function, "", _latency(*figures[at], cost))
            for (function, at), cost in zip(self._indexes.items(), self._costs, strict=True)
        ]
        if self._by:
            of = {at: (one, cost) for (one, at), cost in zip(self._indexes.items(), self._costs, strict=True)}
            rows = [row for row in rows if row[2].calls or row[2].unmatched]
            rows += [
                (of[at][0], self._names[name], _latency(row, buckets, of[at][1]))
                for at, name, row, buckets in timing.groups()
            ]
        functions, groups, latencies = zip(*rows, strict=True) if rows else ((), (), ())
        if functions == self._functions:
            functions = self._functions  # the same object, which others recognise
        return sample._replace(functions=functions, latencies=latencies, groups=groups if self._by else ())

    def close(self) -> None:
        """Detaches everything; a second time is harmless."""
        if self._timing:
            self._timing.close()
            self._timing = None
        self._files.close()
        if self.watch:
            self.watch.close()
            self.watch = None


class GroupNames(dict[bytes, str]):
    """What a group is called, by the 16 bytes that the kernel tells it by; looked up once."""

    def __init__(self, by: By) -> None:
        super().__init__()
        self._by = by

    def __missing__(self, name: bytes) -> str:
        if self._by is By.COMM:
            label = sanitise(name.partition(b"\0")[0].decode("utf-8", "surrogateescape"))
        else:
            number = int.from_bytes(name[:8], "little")
            pid, tid = (number, number) if self._by is By.PROCESS else (number >> 32, number & 0xFFFFFFFF)
            label = f"{tid} {thread_name(pid, tid)}".strip()
        self[name] = label
        return label


def thread_name(pid: int, tid: int) -> str:
    """As /proc has it; empty where there is no such thread any more."""
    try:
        with open(f"/proc/{pid}/task/{tid}/comm", "rb") as file:
            return sanitise(file.read().rstrip(b"\n").decode("utf-8", "surrogateescape"))
    except OSError:
        return ""


def _latency(row: Row, buckets: Sequence[int], cost: _Cost) -> Latency:
    untimed = row.full + row.nested
    in_flight = max(0, row.calls - row.returns - row.left - untimed)
    return Latency(
        row.calls,
        row.returns,
        in_flight,
        row.left,
        untimed,
        row.shortest,
        row.longest,
        row.total,
        row.own,
        row.children,
        buckets,
        cost.floor,
        row.spent + row.returns * cost.floor,
        row.mixed,
        row.strays,
        row.probed + row.returns * cost.floor,
    )
