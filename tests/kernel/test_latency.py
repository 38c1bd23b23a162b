"""Times of calls against programs that know their own: right under recursion, threads, goroutines and exceptions."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kernel.conftest import Start
from tests.kernel.probing import Command, pick, resolve, wait_until
from tests.targets.running import Running
from tui.bpf.features import Method
from tui.bpf.timing import By
from tui.collectors import histogram
from tui.collectors.latency import LatencyProbe
from tui.collectors.samples import Attached, Latency
from tui.errors import BpfscopeError

FLOOR = 100_000  # ns that two hits take at most, single-stepped, on a machine that does other things too


@contextmanager
def timed(process: Running, *names: str, return_probes: bool = False) -> Iterator[tuple[LatencyProbe, Attached]]:
    target = resolve(process.pid)
    with LatencyProbe(target, return_probes=return_probes) as probe:
        yield probe, probe.add(pick(target, *names))


def latencies(probe: LatencyProbe) -> dict[str, Latency]:
    sample = probe.read()
    assert sample.lost == 0
    return {function.raw_name: one for function, one in zip(sample.functions, sample.latencies, strict=True)}


def whole(latency: Latency, calls: int) -> None:
    """Every call was seen, and every return."""
    assert (latency.calls, latency.returns, latency.unmatched, latency.untimed, latency.in_flight) == (
        calls, calls, 0, 0, 0,
    )  # fmt: skip
    assert sum(latency.buckets) == calls
    assert latency.min_ns * calls <= latency.total_ns <= latency.max_ns * calls
    assert latency.self_ns <= latency.total_ns


@pytest.mark.guest
@pytest.mark.parametrize("program", ["fibonacci", "fibonacci-stripped", "fibonacci-external-pie"])
def test_the_three_functions_of_the_talk(start: Start, program: str) -> None:
    process = start(program)
    names = [
        "main.fibonacciRecursive",
        "main.fibonacciCache",
        "main.fibonacciLoop",
        "main.largeFrame",
        "main.hugeFrame",
    ]
    with timed(process, *names) as (probe, _):
        truth = process.work()
        found = latencies(probe)
        for name in names:
            whole(found[name], truth[name])


def test_goroutines_whose_stacks_grow_and_that_change_threads(start: Start) -> None:
    process = start("goroutines")
    with timed(process, "main.descend", "main.outermost") as (probe, _):
        truth = process.work()
        found = latencies(probe)
        whole(found["main.descend"], 20_200)
        whole(found["main.outermost"], 200)
        assert found["main.outermost"].max_ns <= truth["longest"]
        assert found["main.outermost"].children == 200
        assert found["main.descend"].children == 20_000
        both = found["main.descend"].self_ns + found["main.outermost"].self_ns
        assert both == found["main.outermost"].total_ns


@pytest.mark.parametrize("by", [By.PROCESS, By.THREAD, By.COMM])
def test_groups_add_up(start: Start, by: By) -> None:
    process = start("timing")
    target = resolve(process.pid)
    with LatencyProbe(target, by=by) as probe:
        probe.add(pick(target, "threaded", "many"))
        process.work()
        sample = probe.read()
        spent = sum(probe.spent())
    rows = list(zip(sample.functions, sample.groups, sample.latencies, strict=True))
    threaded = [(group, one) for function, group, one in rows if function.name == "threaded"]
    many = [(group, one) for function, group, one in rows if function.name == "many"]
    assert sum(one.calls for _, one in threaded) == sum(one.returns for _, one in threaded) == 6464
    whole(many[0][1], 499)
    assert spent > 0
    if by is By.THREAD:
        assert len(threaded) == 64
        assert {one.calls for _, one in threaded} == {101}
        assert many[0][0] == f"{process.pid} timing"
    elif by is By.PROCESS:
        assert [group for group, _ in threaded] == [f"{process.pid} timing"]
    else:
        assert [group for group, _ in threaded] == ["timing"]


def test_what_probes_take_is_subtracted(start: Start) -> None:
    process = start("timing")
    with timed(process, "spin", "outer") as (probe, _):
        process.work()
        found = latencies(probe)
    outer, spin = found["outer"], found["spin"]
    assert outer.floor_ns <= outer.min_ns
    assert 0 < outer.probe_ns < FLOOR * 10
    assert outer.net_ns == outer.self_ns - outer.probe_ns
    assert not spin.doubtful
    process = start("fibonacci")
    with timed(process, "main.fibonacciRecursive") as (probe, _):
        process.work()
        recursive = latencies(probe)["main.fibonacciRecursive"]
    assert recursive.probe_ns > 500 * recursive.calls  # a RET is executed from a copy, on any machine
    assert recursive.total_probe_ns > 2 * recursive.probe_ns  # each call's probes are in all calls around it
    assert recursive.net_ns == max(0, recursive.self_ns - recursive.probe_ns)


def test_a_known_distribution(start: Start, method: Method) -> None:
    process = start("timing")
    with timed(process, "spin", "outer") as (probe, _):
        truth = process.work()
        found = latencies(probe)
    whole(found["spin"], 518)
    whole(found["outer"], 3)
    spin = found["spin"]
    assert spin.min_ns >= 1_000_000
    assert 64_000_000 <= spin.max_ns <= truth["longest"]
    shares = histogram.percentiles(spin.buckets, (0.5, 0.9, 0.99), spin.min_ns, spin.max_ns)
    for got, name in zip(shares, ("p50", "p90", "p99"), strict=True):
        own = truth[name]  # by the caller's clock: with what the probes take, and whatever interrupts it
        assert (own - FLOOR) * (1 - histogram.ERROR) <= got <= own * (1 + histogram.ERROR), (name, got, own)
    outer = found["outer"]
    assert outer.total_ns >= 3 * 6_000_000
    assert outer.children == 6
    assert outer.self_ns >= 3 * 2_000_000


def test_recursion_deeper_than_the_kernel_keeps_return_probes(start: Start) -> None:
    process = start("timing")
    with timed(process, "ping", "pong", return_probes=True) as (probe, _):
        process.work()
        found = latencies(probe)
    for name, calls in (("ping", 101), ("pong", 100)):
        assert found[name].calls == calls
        assert found[name].returns == 32
        assert found[name].untimed == calls - 32
        assert found[name].unmatched == found[name].in_flight == 0


def test_recursion_a_hundred_thousand_deep(start: Start) -> None:
    process = start("timing")
    with timed(process, "deep") as (probe, _):
        process.work()
        deep = latencies(probe)["deep"]
    assert deep.calls == 100_003
    assert deep.returns + deep.untimed == deep.calls
    assert deep.returns > 60_000
    assert deep.unmatched == deep.in_flight == 0


def test_functions_that_call_each_other(start: Start) -> None:
    process = start("timing")
    with timed(process, "ping", "pong") as (probe, _):
        process.work()
        found = latencies(probe)
        whole(found["ping"], 101)
        whole(found["pong"], 100)


@pytest.mark.parametrize("names", [["yields_in"], ["interrupted", "handled", "handler"], ["split", "brief"]])
def test_other_stacks_and_odd_code_are_unharmed(start: Start, names: list[str]) -> None:
    process = start("stacks")
    with timed(process, *names) as (probe, _):
        truth = process.work()
        assert truth["wrong"] == 0
        found = latencies(probe)
    assert process.end() == 0
    for name in set(names) & set(truth):
        latency = found[name]
        assert latency.calls == truth[name]
        if name == "yields_in":  # the last two calls wait for ever
            assert latency.returns == latency.calls - 2
            assert latency.in_flight + latency.unmatched == 2
        else:
            whole(latency, truth[name])


def test_self_times_around_a_signal_on_a_stack_above(start: Start) -> None:
    process = start("stacks")
    with timed(process, "around", "interrupted", "handled") as (probe, _):
        truth = process.work()
        found = latencies(probe)
    for name in ("around", "interrupted", "handled"):
        whole(found[name], truth[name])
    assert found["around"].self_ns == found["around"].total_ns - found["interrupted"].total_ns


@pytest.mark.requires("x86-64")  # GCC moves no cold parts out on arm64
def test_what_is_jumped_to_is_not_timed(start: Start) -> None:
    process = start("stacks")
    with timed(process, "split*", "_start") as (probe, attached):
        reasons = {skipped.function.name: skipped.reason for skipped in attached.skipped}
        assert "jumped to" in reasons["split.cold"]
        assert "never returns" in reasons["_start"]
        assert process.work()["wrong"] == 0
        whole(latencies(probe)["split"], 1009)


def test_more_threads_than_there_is_room_for_at_once(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.bpf.timing._RUNNERS", (64, 1))
    process = start("stacks")
    with timed(process, "brief") as (probe, _):
        truth = process.work()
        whole(latencies(probe)["brief"], truth["brief"])


@pytest.mark.guest
def test_calls_that_are_left_by_longjmp(start: Start) -> None:
    process = start("timing")
    with timed(process, "around", "leaver", "spin") as (probe, _):
        process.work()
        found = latencies(probe)
    for name in ("around", "leaver"):
        assert found[name].calls == 186
        assert found[name].returns == 89
        assert found[name].unmatched + found[name].in_flight == 97
        assert found[name].in_flight <= 1
    whole(found["spin"], 518)


@pytest.mark.guest
def test_threads_that_end_inside_a_call(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    process = start("timing")
    with timed(process, "exits", "many") as (probe, _):
        truth = process.work()
        monkeypatch.setattr("tui.collectors.latency._SWEEP_SECONDS", 0.0)
        threads = Path(f"/proc/{process.pid}/task")  # a thread that was joined may be in the kernel's list for a moment
        wait_until(lambda: len(list(threads.iterdir())) == 1, "only the main thread is left")
        found = latencies(probe)
        assert (found["exits"].calls, found["exits"].unmatched, found["exits"].in_flight) == (truth["exits"], 59, 0)
        whole(found["many"], truth["many"])
        assert latencies(probe) == found
    assert process.end() == 0


@pytest.mark.guest
@pytest.mark.parametrize("return_probes", [False, True])
def test_many_returns_and_many_threads(start: Start, method: Method, *, return_probes: bool) -> None:
    process = start("timing")
    with timed(process, "many", "threaded", return_probes=return_probes) as (probe, _):
        truth = process.work()
        found = latencies(probe)
    whole(found["many"], truth["many"])
    whole(found["threaded"], truth["threaded"])


def test_exceptions_pass_unharmed(start: Start) -> None:
    process = start("throwing")
    with timed(process, "thrower(int)", "passed(int)", "catches(int)", "main") as (probe, _):
        assert process.work() == {"thrower": 312, "passed": 211, "caught": 105, "catches": 101}
        found = latencies(probe)
    for name, calls, thrown in (("_Z7throweri", 312, 155), ("_Z6passedi", 211, 105)):
        assert (found[name].calls, found[name].returns) == (calls, calls - thrown)
        assert found[name].unmatched + found[name].in_flight == thrown
    whole(found["_Z7catchesi"], 101)
    assert process.end() == 0


@pytest.mark.requires("x86-64")
def test_returns_that_are_not_predicted(start: Start) -> None:
    process = start("plain-thunks")
    with timed(process, "alpha", "beta", "hidden") as (probe, attached):
        truth = process.work()
        found = latencies(probe)
    assert not attached.skipped
    assert not attached.inexact
    for name in ("alpha", "beta", "hidden"):
        whole(found[name], truth[name])


def test_a_filter_of_system_calls_lets_the_target_live(start: Start) -> None:
    process = start("timing", "seccomp")
    with timed(process, "spin", "many", "around") as (probe, _):
        truth = process.work()
        found = latencies(probe)
        whole(found["spin"], truth["spin"])
        whole(found["many"], truth["many"])
    assert process.end() == 0


def test_too_many_functions_at_once(start: Start) -> None:
    process = start("fibonacci")
    target = resolve(process.pid)
    many = pick(target, "main.fibonacciLoop") * 2_001
    with LatencyProbe(target) as probe, pytest.raises(BpfscopeError, match="at most 2,000 functions"):
        probe.add(many)


def test_the_command(start: Start) -> None:
    process = start("fibonacci")
    with Command(process.pid, "main.fibonacciLoop", "main.largeFrame", name="latency") as command:
        truth = process.work()
        process.end()
        summary = command.finish()
    rows = {row["raw_name"]: row for row in summary["functions"]}
    for name, row in rows.items():
        assert row["calls"] == row["returns"] == truth[name]
        assert row["unmatched"] == row["in_flight"] == row["untimed"] == 0
        assert sum(count for _, _, count in row["buckets"]) == truth[name]
        assert 0 < row["min_ns"] <= row["p50_ns"] <= row["p90_ns"] <= row["p99_ns"] <= row["max_ns"]
