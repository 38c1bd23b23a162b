"""A probe that times: functions, how each one's return is seen, and what attaches them; a context manager.

A return probe is the cheap way to see a return: the kernel puts an address of its own in place of the caller's. Who
looks for callers on the stack meets that address. So returns are seen at the function's own RET instructions

- in Go, whose runtime moves stacks and walks them;
- in processes that can throw: an exception that meets a return probe ends the program (std::terminate);
- under a seccomp filter: the return probe makes a system call, from 6.11, for which a filter may kill;
- in functions that call themselves: the kernel keeps 64 return probes one in another.
"""

import os
import re
import time
from collections.abc import Sequence
from typing import Final

from tui.bpf.features import Method, attach_method
from tui.bpf.timing import Timed, Timing
from tui.collectors.files import Chosen, Files, nothing_attached
from tui.collectors.probe import ended
from tui.collectors.samples import Attached, Latency, LatencySample
from tui.collectors.target import Target, Watch
from tui.elf.names import Function, Skipped
from tui.errors import BpfscopeError
from tui.owner import Owner

_UNWINDERS: Final = re.compile(r"lib(?:gcc_s|stdc\+\+|c\+\+|c\+\+abi|unwind)(?:-[\w.]+)?\.so")
_SECCOMP: Final = re.compile(rb"^Seccomp:\s*2", re.MULTILINE)
_SWEEP_SECONDS: Final = 5.0  # between looks for calls of threads that have ended
MOST: Final = 2_000  # functions: each has 2.6 KB in the kernel, read every second
_MOST_RETURNS: Final = 256  # of a function


class LatencyProbe(Owner):
    """Times functions of one target. Leaving it detaches everything."""

    def __init__(self, target: Target) -> None:
        """Nothing is attached yet. Raises TargetError, NotPermitted, NotSupported."""
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
        throws = self._can_throw()
        filtered = self._target.pid is None or _under_seccomp(self._target.pid)
        timed: list[tuple[Function, Timed, str]] = []
        for each in chosen:
            how, reason, note = _by_returns(each, throws=throws, filtered=filtered)
            if reason:
                skipped.append(Skipped(each.function, reason))
                continue
            returns = each.returns.offsets if how else ()
            place = Timed(self._files.path(each.function.module), each.site.offset, returns, each.go)
            timed.append((each.function, place, note or each.site.note))
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
        if timing and now - self._swept > _SWEEP_SECONDS:
            timing.sweep()
            self._swept = now
        latencies = tuple(_latency(timing, index) for index in self._indexes) if timing else ()
        return LatencySample(
            now,
            now - self._started,
            self._functions,
            latencies,
            timing.misses() if timing else 0,
            ended(self.watch, self._method),
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

    def _can_throw(self) -> bool:
        """Whether the process has what walks its stack for exceptions, or has it linked in."""
        if self._target.pid is None:
            return True  # which processes, and what they map, isn't known
        return any(_UNWINDERS.match(module.name) for module in self._target.modules)


def _by_returns(chosen: Chosen, *, throws: bool, filtered: bool) -> tuple[bool, str, str]:
    """Whether its returns are seen at RET instructions; why it can't be timed; and what is inexact about it."""
    why = (
        "in Go" if chosen.go
        else "where exceptions may be thrown" if throws or chosen.throws
        else "under a seccomp filter" if filtered
        else ""
    )  # fmt: skip
    returns = chosen.returns
    known = bool(returns.offsets) and "data lies" not in returns.note and len(returns.offsets) <= _MOST_RETURNS
    if why and not known:
        reason = returns.note or f"it has {len(returns.offsets)} returns"
        return False, f"it can't be timed {why}, where a return probe would harm: {reason}", ""
    if why or (returns.recursive and known and not returns.note):
        return True, "", f"some calls may count as unmatched: {returns.note}" if returns.note else ""
    return False, "", ""


def _under_seccomp(pid: int) -> bool:
    """Whether one of its threads has a filter of system calls."""
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/status", "rb") as file:
                if _SECCOMP.search(file.read()):
                    return True
    except OSError:
        return True  # not known: the careful way
    return False


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
