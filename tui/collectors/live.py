"""The command line's clock: samples at an interval until the time is up, the target ends or somebody stops it.

Without asyncio, whose import takes longer than attaching; the console has the same in `console.py`.
"""

import math
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, Self, TypeVar

from tui.collectors.budget import Guard
from tui.collectors.samples import Cost
from tui.collectors.target import Watch


class Stop:
    """Becomes readable on a signal once it is armed; before, a signal ends what is done, at once."""

    def __init__(self, fd: int) -> None:
        self._fd, self._armed, self._asked = fd, False, False

    def arm(self) -> None:
        """From now on somebody looks at it."""
        self._armed = True

    def fileno(self) -> int:
        """The descriptor, which stays its owner's."""
        return self._fd

    def handle(self, number: int, _: object) -> None:
        """What a signal does. Raises KeyboardInterrupt, SystemExit."""
        if self._armed and not self._asked:  # somebody looks; who asks again doesn't want to wait for that
            self._asked = True
            return
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)


@contextmanager
def stop_signals() -> Iterator[Stop]:
    """Takes over SIGINT, SIGTERM and SIGHUP, which don't end the process once the stop is armed."""
    read_end, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    stop = Stop(read_end)
    before = [signal.signal(number, stop.handle) for number in signals]
    old = signal.set_wakeup_fd(write_end)
    try:
        yield stop
    finally:
        signal.set_wakeup_fd(old)
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
        os.close(read_end)
        os.close(write_end)


class Ended(Protocol):
    """A reading that says whether more is to be expected."""

    @property
    def ended(self) -> str:
        """Why the target can't be called any more."""


class Sample(Ended, Protocol):
    """A reading of a probe that costs its target something."""

    def _replace(self, *, cost: Cost) -> Self:
        """The reading, with what it cost."""


Reading_co = TypeVar("Reading_co", bound=Sample, covariant=True)
Ending = TypeVar("Ending", bound=Ended)


class Probe(Protocol[Reading_co]):
    """What can be read again and again."""

    watch: Watch | None

    def read(self) -> Reading_co:
        """The figures now."""


def samples(
    probe: Probe[Reading_co],
    stop: int | Stop,
    interval: float,
    duration: float | None,
    guard: Guard | None = None,
    *,
    started: float | None = None,
) -> Iterator[tuple[Reading_co, bool]]:
    """A sample every `interval` seconds, and a last one, marked so, after `duration`, when `stop` is readable, or when
    the target ends. Meanwhile the guard keeps the budget. `started`: when the time began to run; now.
    """

    def read() -> Reading_co:
        sample = probe.read()
        return sample if guard is None else sample._replace(cost=guard.cost)

    return ticks(read, stop, interval, duration, probe.watch, guard, started=started)


def ticks(
    read: Callable[[], Ending],
    stop: int | Stop,
    interval: float,
    duration: float | None,
    watch: Watch | None = None,
    guard: Guard | None = None,
    *,
    started: float | None = None,
) -> Iterator[tuple[Ending, bool]]:
    """The same, of whatever can be read. The time runs from this call on, not from when the first is asked for."""
    return _ticks(started or time.monotonic(), read, stop, interval, duration, watch, guard)


def _ticks(
    start: float,
    read: Callable[[], Ending],
    stop: int | Stop,
    interval: float,
    duration: float | None,
    watch: Watch | None,
    guard: Guard | None,
) -> Iterator[tuple[Ending, bool]]:
    poll = select.poll()
    poll.register(stop, select.POLLIN)
    if watch:
        poll.register(watch, select.POLLIN)
    end = math.inf if duration is None else start + duration
    tick = 1
    while True:
        due = min(start + tick * interval, end)
        stopped = _wait(poll, due, guard)
        sample = read()
        last = stopped or due == end or bool(sample.ended)
        yield sample, last
        if last:
            return
        tick = max(tick + 1, int((time.monotonic() - start) / interval) + 1)  # a slow reader skips, never lags


def _wait(poll: select.poll, due: float, guard: Guard | None) -> bool:
    """Until then, or until there is something to stop for, which is true then."""
    while guard is not None and guard.due < due:
        if poll.poll(max(0.0, guard.due - time.monotonic()) * 1000):
            return True
        if dear := guard.look():
            guard.suspend(dear)
    return bool(poll.poll(max(0.0, due - time.monotonic()) * 1000))
