import asyncio
import os
import signal
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import pytest

from tui.collectors import live
from tui.collectors.console import LiveSources
from tui.collectors.samples import CountsSample
from tui.collectors.target import Watch
from tui.errors import TargetError

if TYPE_CHECKING:
    from tui.collectors.probe import CountingProbe


class FakeProbe:
    """Counts its own readings."""

    def __init__(self, ended_at: int = 0) -> None:
        self.watch: Watch | None = None
        self.reads, self._ended_at = 0, ended_at

    def read(self) -> CountsSample:
        self.reads += 1
        ended = "exited 0" if self.reads == self._ended_at else ""
        return CountsSample(time.monotonic(), self.reads / 10, (), (), 0, ended)


@pytest.fixture
def stop() -> Iterator[int]:
    read_end, write_end = os.pipe()
    yield read_end
    os.close(read_end)
    os.close(write_end)


def taken(probe: FakeProbe, stop: int, interval: float, duration: float | None) -> tuple[list[bool], float]:
    start = time.monotonic()
    lasts = [last for _, last in live.samples(cast("CountingProbe", probe), stop, interval, duration)]
    return lasts, time.monotonic() - start


def test_a_sample_per_interval_and_the_last_one_marked(stop: int) -> None:
    lasts, seconds = taken(FakeProbe(), stop, 0.05, 0.225)
    assert lasts in ([False] * number + [True] for number in range(1, 5))  # four, unless the machine is very busy
    assert 0.225 <= seconds < 5


def test_the_last_interval_is_the_summary(stop: int) -> None:
    assert taken(FakeProbe(), stop, 0.05, 0.1)[0] == [False, True]


def test_a_duration_below_the_interval(stop: int) -> None:
    lasts, seconds = taken(FakeProbe(), stop, 100.0, 0.05)
    assert lasts == [True]
    assert seconds < 1


def test_the_time_runs_from_when_counting_began_whatever_came_between(stop: int) -> None:
    probe, now = cast("CountingProbe", FakeProbe()), time.monotonic()
    asked = live.samples(probe, stop, 100.0, 0.2)
    time.sleep(0.25)  # as long as it takes to make labels for very many functions
    for readings in (asked, live.samples(probe, stop, 100.0, 60.0, started=now - 60)):
        began = time.monotonic()
        assert [last for _, last in readings] == [True]
        assert time.monotonic() - began < 0.15


def test_the_end_of_the_target_ends_it(stop: int) -> None:
    assert taken(FakeProbe(ended_at=3), stop, 0.01, None)[0] == [False, False, True]


def test_a_target_that_ends_is_seen_at_once(stop: int) -> None:
    probe = FakeProbe(ended_at=1)
    child = os.posix_spawn("/bin/true", ["true"], {})
    with Watch(child) as watch:
        probe.watch = watch
        lasts, seconds = taken(probe, stop, 100.0, None)
    os.waitpid(child, 0)
    assert lasts == [True]
    assert seconds < 10


def test_somebody_stops_it() -> None:
    with live.stop_signals() as stop:
        stop.arm()
        probe = FakeProbe()
        found = live.samples(cast("CountingProbe", probe), stop, 0.02, None)
        assert next(found)[1] is False
        os.kill(os.getpid(), signal.SIGTERM)
        assert next(found)[1] is True
        assert next(found, None) is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_wait_their_turn_and_are_given_back(number: signal.Signals) -> None:
    before: Any = signal.getsignal(number)
    with live.stop_signals() as stop:
        stop.arm()
        os.kill(os.getpid(), number)
        assert os.read(stop.fileno(), 1) == bytes([number])
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_before_anything_is_attached_a_signal_ends_it(number: signal.Signals) -> None:
    before: Any = signal.getsignal(number)
    with pytest.raises((KeyboardInterrupt, SystemExit)) as raised, live.stop_signals():
        os.kill(os.getpid(), number)
    if number != signal.SIGINT:
        assert cast("SystemExit", raised.value).code == 128 + number
    assert signal.getsignal(number) is before


def test_who_asks_twice_is_not_kept_waiting() -> None:
    with live.stop_signals() as stop:
        stop.arm()
        os.kill(os.getpid(), signal.SIGINT)
        assert os.read(stop.fileno(), 1) == bytes([signal.SIGINT])
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_slow_reader_skips_and_never_lags(stop: int) -> None:
    probe = FakeProbe()
    start = time.monotonic()
    found = live.samples(cast("CountingProbe", probe), stop, 0.02, 0.3)
    next(found)
    time.sleep(0.2)
    times = [sample.time - start for sample, _ in found]
    assert len(times) <= 6
    assert times[-1] < 2


def test_the_longest_interval_fits_into_poll(stop: int) -> None:
    assert taken(FakeProbe(), stop, 1e6, 0.01)[0] == [True]


def test_the_console_does_not_count_its_own_drawing() -> None:
    with pytest.raises(TargetError, match="bpfscope itself"):
        asyncio.run(LiveSources().probe(os.getpid(), (), ()))
