"""A return is only matched with its own call: beside calls that threw, while probes are taken off, put back or ended.

Each test leaves a frame behind, by an exception, and then lets another call return from the same place on the stack
whose entry wasn't seen. Self times add up all the same.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.kernel.conftest import Start
from tests.kernel.probing import pick, resolve
from tests.kernel.test_latency import latencies, timed, whole
from tests.kernel.test_values import HOT, WITH_RESULTS
from tests.targets.running import Running
from tui.bpf import links
from tui.bpf.features import Method
from tui.collectors.events import EventsProbe
from tui.collectors.latency import LatencyProbe
from tui.collectors.samples import EventsSample
from tui.collectors.values import ValuesProbe

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="calls are timed on x86-64 only")


@contextmanager
def tracing(process: Running, name: str = "step") -> Iterator[EventsProbe]:
    target = resolve(process.pid)
    (function,) = pick(target, name)
    with EventsProbe(target) as probe:
        probe.add([function], {function: HOT})
        yield probe


def call(process: Running, line: str | int) -> int:
    """What the target's function gave."""
    process.send(str(line))
    return process.truth()["gave"]


def enter(process: Running) -> None:
    """Lets the target begin a call that goes on until `leave`."""
    process.send("0")
    assert process.truth() == {"inside": 1}


def leave(process: Running) -> None:
    process.send("go on")
    assert process.truth() == {"gave": 0}


def seen(sample: EventsSample) -> list[tuple[object, object]]:
    return [(event.arguments[0][1], event.results[0][1]) for event in sample.events]


@pytest.mark.guest
def test_calls_while_probes_are_detached(start: Start, method: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    process = start("leaves")
    process.work()
    with tracing(process) as probe:
        assert call(process, 7) == 21
        assert call(process, -1) == -1

        def close(fd: int) -> None:
            os.close(fd)
            assert call(process, 11) == 33  # whichever of its probes is off by now

        monkeypatch.setattr(links, "os", SimpleNamespace(close=close))
        probe.stop()
        sample = probe.read()
    assert seen(sample) == [(7, 21)]
    assert (sample.calls, sample.unmatched, sample.lost) == (2, 0, 0)


@pytest.mark.guest
def test_events_of_a_function_that_is_taken_off_and_put_back(start: Start, method: Method) -> None:
    process = start("leaves")
    process.work()
    with tracing(process) as probe:
        call(process, -1)
        probe.suspend(probe.functions)
        enter(process)
        probe.resume(probe.functions)
        leave(process)
        call(process, 7)
        sample = probe.read()
    assert seen(sample) == [(7, 21)]
    assert (sample.calls, sample.unmatched, sample.lost) == (2, 1, 0)


@pytest.mark.guest
def test_times_of_a_function_that_is_taken_off_and_put_back(start: Start, method: Method) -> None:
    process = start("leaves")
    process.work()
    with timed(process, "step") as (probe, _):
        call(process, -1)
        probe.suspend(probe.functions)
        enter(process)
        probe.resume(probe.functions)
        leave(process)
        call(process, 7)
        step = latencies(probe)["step"]
    assert (step.calls, step.returns, step.unmatched, step.in_flight) == (2, 1, 1, 0)


def test_a_call_that_is_under_way_when_its_function_is_taken_off(
    start: Start, method: Method, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("latency", "calls"):
        monkeypatch.setattr(f"tui.collectors.{module}._SWEEP_SECONDS", 0.0)
    process = start("leaves")
    process.work()
    with timed(process, "step") as (times, _), tracing(process) as events:
        enter(process)
        assert latencies(times)["step"].in_flight == 1
        for probe in (times, events):
            probe.suspend(probe.functions)
        leave(process)
        step, sample = latencies(times)["step"], events.read()
    assert (step.calls, step.returns, step.unmatched, step.in_flight) == (1, 0, 1, 0)
    assert (sample.events, sample.calls, sample.unmatched) == ((), 1, 1)


@pytest.mark.guest
def test_calls_that_began_before_everything_was_attached_are_no_news(start: Start) -> None:
    process = start("leaves")
    process.work()
    enter(process)
    target = resolve(process.pid)
    (step,) = pick(target, "step")
    with (
        timed(process, "step") as (times, _),
        tracing(process) as events,
        ValuesProbe(target, step, HOT, WITH_RESULTS) as values,
    ):
        values.add()
        leave(process)
        call(process, 7)
        whole(latencies(times)["step"], 1)
        sample, table = events.read(), values.read()
    assert seen(sample) == [(7, 21)]
    assert (sample.calls, sample.unmatched, sample.lost) == (1, 0, 0)
    assert ([row.values for row in table.rows], table.calls, table.unmatched) == ([(7, 21)], 1, 0)


def test_a_call_without_room_leaves_no_other_s_frame_in_its_place(
    start: Start, targets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.bpf.timing._RUNNERS", (1, 0))
    target = resolve(targets / "leaves")
    with LatencyProbe(target) as probe:
        probe.add(pick(target, "catches", "passes", "holds"))
        process = start("leaves")
        process.work()
        before = latencies(probe)
        call(process, "catches 1")
        call(process, "holds")
        for _ in range(1000):  # its thread takes the only room
            if latencies(probe)["holds"].calls:
                break
        call(process, "catches 2")
        found = latencies(probe)
    assert (found["holds"].calls, found["holds"].untimed) == (1, 0)
    assert found["passes"].calls - before["passes"].calls == 2
    assert found["passes"].returns == before["passes"].returns
    assert (found["passes"].untimed, found["passes"].unmatched) == (1, 51)
    assert found["catches"].returns - before["catches"].returns == found["catches"].untimed == 1


@pytest.mark.guest
@pytest.mark.requires("uprobe_multi")
def test_while_a_program_takes_over_each_hit_is_handled_once(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the newer program; by the older one where the newer has passed over it, here as it isn't attached there."""
    process = start("leaves")
    process.work()
    target = resolve(process.pid)
    functions = pick(target, "step", "catches")

    def hand_over(*_: object) -> None:
        call(process, 7)
        call(process, "catches 2")

    monkeypatch.setattr("tui.bpf.attachment.let_hits_finish", hand_over)
    monkeypatch.setattr("tui.bpf.events.Events._next_turn", lambda *_: None)  # what is taken off goes on as long
    with EventsProbe(target) as probe:
        probe.add(functions, dict.fromkeys(functions, HOT))
        probe.suspend(functions[1:])
        sample = probe.read()
    assert seen(sample) == [(7, 21), (2, 2)]
    assert (sample.calls, sample.unmatched, sample.lost) == (2, 0, 0)


@pytest.mark.requires("uprobe_multi")
def test_detached_and_handed_over_under_load(start: Start) -> None:
    """Taking one function off lets another program take over the rest: no entry and no return of theirs is lost."""
    process = start("hammer", 2)
    target = resolve(process.pid)
    every = pick(target, "hot0", "hot1", "hot2", "hot3", "hot4")
    with LatencyProbe(target) as probe, tracing(process, "hot5") as events:
        probe.add(every)
        process.send("go")
        for _ in range(12):
            probe.suspend(every[3:])
            probe.resume(every[3:])
        events.stop()
        sample = events.read()
        process.send("stop")
        truth = process.truth()
        found = latencies(probe)
    assert truth["hot0"] > 1_000
    for function in every[:3]:
        latency = found[function.name]
        assert latency.calls - latency.returns == 0, function.name
        assert (latency.unmatched, latency.untimed, latency.in_flight, latency.mixed) == (0, 0, 0, 0)
    counts = [found[function.name].calls for function in every[:3]]
    assert max(counts) - min(counts) <= 2  # of two threads, where counting began
    assert sample.unmatched == sample.lost == 0
    assert sample.calls - sample.seen - sample.dropped <= 2


@pytest.mark.guest
def test_self_times_beside_tail_calls_add_up(start: Start) -> None:
    process = start("tails")
    with timed(process, "outer", "middle", "inner", "last") as (probe, _):
        truth = process.work()
        found = latencies(probe)
    for name in ("outer", "inner", "last"):
        whole(found[name], truth[name])
    middle, outer = found["middle"], found["outer"]
    assert (middle.calls, middle.returns, middle.unmatched) == (truth["middle"], truth["odd"], truth["last"])
    assert sum(latency.self_ns for latency in found.values()) == outer.total_ns
    assert outer.self_ns < outer.total_ns / 2
    assert outer.children == truth["middle"] + truth["last"]
    assert (outer.mixed, middle.mixed, found["last"].mixed) == (truth["last"], 0, 0)
    assert outer.doubtful


def test_self_times_beside_tail_calls_by_return_probes(start: Start) -> None:
    process = start("tails")
    with timed(process, "outer", "middle", "inner", "last", return_probes=True) as (probe, _):
        truth = process.work()
        found = latencies(probe)
    for name in ("outer", "middle", "inner", "last"):
        whole(found[name], truth[name])
        assert found[name].mixed == 0
    assert sum(latency.self_ns for latency in found.values()) == found["outer"].total_ns


@pytest.mark.guest
def test_self_times_beside_exceptions_add_up(start: Start) -> None:
    process = start("leaves")
    with timed(process, "catches", "passes", "takes_time") as (probe, _):
        truth = process.work()
        found = latencies(probe)
    for name in ("catches", "takes_time"):
        whole(found[name], truth[name])
    passes, catches = found["passes"], found["catches"]
    assert (passes.calls, passes.unmatched, catches.mixed) == (truth["passes"], truth["thrown"], truth["thrown"])
    assert sum(latency.self_ns for latency in found.values()) == catches.total_ns


def test_coroutines_are_said_to_be_mixed(start: Start) -> None:
    process = start("stacks")
    with timed(process, "yields_in", "split") as (probe, _):
        process.work()
        found = latencies(probe)
    assert found["yields_in"].mixed > 0
    assert found["split"].mixed == 0


@pytest.mark.guest
def test_self_times_beside_a_signal_stack_inside_the_thread_s_own_add_up(start: Start) -> None:
    process = start("inner_stack")
    with timed(process, "repeats", "descends", "takes_time") as (probe, _):
        truth = process.work()
        found = latencies(probe)
    assert truth["wrong"] == 0
    for name in ("repeats", "descends", "takes_time"):
        whole(found[name], truth[name])
    assert sum(latency.self_ns for latency in found.values()) == found["repeats"].total_ns
    assert found["repeats"].mixed == 1
    assert found["takes_time"].mixed == 0


@pytest.mark.guest
def test_coroutines_that_change_threads(start: Start) -> None:
    process = start("migrates")
    with timed(process, "changes_threads") as (probe, _):
        truth = process.work()
        found = latencies(probe)["changes_threads"]
    assert truth["wrong"] == 0
    whole(found, truth["changes_threads"])
    assert found.max_ns < truth["pause"]
    assert found.mixed == truth["changes_threads"]


def test_events_of_coroutines_that_change_threads(start: Start) -> None:
    process = start("migrates")
    with tracing(process, "changes_threads") as probe:
        truth = process.work()
        sample = probe.read()
    assert (sample.calls, sample.seen, sample.unmatched) == (truth["changes_threads"], truth["changes_threads"], 0)
    assert all(0 < (event.duration_ns or 0) < truth["pause"] for event in sample.events)
