"""Totals become rates, shares and figures since a reset."""

import pytest

from tests.screens.fakes import CACHE, LOOP, RECURSIVE
from tui.collectors.samples import Cost, CountsSample, Suspended
from tui.elf.names import Function, Skipped
from tui.screens.calls import Calls, document
from tui.screens.target import Target


def sample(time: float, calls: dict[Function, int], lost: int = 0) -> CountsSample:
    return CountsSample(100 + time, time, tuple(calls), tuple(calls.values()), lost)


def taken(*samples: CountsSample) -> Calls:
    calls = Calls()
    for one in samples:
        calls.take(one)
    return calls


def figures(calls: Calls) -> dict[str, tuple[int, float]]:
    return {row.function.name: (row.calls, row.per_second) for row in calls.rows()}


def test_nothing_yet() -> None:
    calls = Calls()
    assert (calls.rows(), calls.total, calls.per_second, calls.elapsed) == ([], 0, 0, 0.0)


def test_rates_and_shares() -> None:
    calls = taken(sample(0, {LOOP: 0, CACHE: 0}), sample(2, {LOOP: 30, CACHE: 10}), sample(2.5, {LOOP: 80, CACHE: 20}))
    assert figures(calls) == {LOOP.name: (80, 100.0), CACHE.name: (20, 20.0)}
    assert [row.share for row in calls.rows()] == [0.8, 0.2]
    assert (calls.total, calls.per_second) == (100, 120.0)


def off(*functions: Function) -> Cost:
    return Cost(4.0, 10.0, tuple(Suspended(one, "the probes took 31 %", 0.5) for one in functions))


def test_a_count_that_has_stopped_has_no_rate_and_no_share() -> None:
    calls = taken(sample(0, {LOOP: 0, CACHE: 0, RECURSIVE: 0}))
    calls.take(sample(1, {LOOP: 900, CACHE: 30, RECURSIVE: 10})._replace(cost=off(LOOP)))
    loop, cache, _ = calls.rows()
    assert (loop.off, loop.calls, loop.per_second, loop.share) == (True, 900, 0.0, 0.0)
    assert (cache.off, cache.per_second, cache.share) == (False, 30.0, 0.75)
    assert calls.per_second == 40


def test_a_count_that_was_put_back_lacks_calls() -> None:
    calls = taken(sample(0, {LOOP: 0, CACHE: 0}))
    calls.take(sample(1, {LOOP: 900, CACHE: 30})._replace(cost=off(LOOP)))
    calls.take(sample(2, {LOOP: 950, CACHE: 50}))
    assert [(row.off, row.gap, row.per_second) for row in calls.rows()] == [(False, True, 50.0), (False, True, 20.0)]
    calls.reset()
    calls.take(sample(3, {LOOP: 999, CACHE: 50}))
    assert [row.gap for row in calls.rows()] == [False, False]


def test_shares_beside_what_was_added_later_are_of_unlike_times() -> None:
    calls = taken(sample(0, {LOOP: 0, CACHE: 0}), sample(1, {LOOP: 10, CACHE: 10}))
    assert not any(row.gap for row in calls.rows())
    calls.take(sample(2, {LOOP: 20, CACHE: 20, RECURSIVE: 10}))
    assert all(row.gap for row in calls.rows())
    calls.take(sample(3, {LOOP: 30, CACHE: 30}))
    assert not any(row.gap for row in calls.rows())


def test_no_calls_have_no_share() -> None:
    assert [row.share for row in taken(sample(0, {LOOP: 0})).rows()] == [0.0]


def test_a_rate_over_a_moment_is_not_believed() -> None:
    calls = taken(sample(0.001, {LOOP: 50}))
    assert calls.per_second == 0
    calls.take(sample(1.001, {LOOP: 100}))
    calls.take(sample(1.002, {LOOP: 101}))
    assert (calls.per_second, calls.total) == (50.0, 101)
    calls.take(sample(2.001, {LOOP: 130}))
    assert calls.per_second == 30.0


def test_reset_subtracts() -> None:
    calls = taken(sample(0, {LOOP: 0}), sample(10, {LOOP: 70}))
    calls.reset()
    assert calls.was_reset
    assert (calls.total, calls.since) == (0, 10)
    calls.take(sample(11, {LOOP: 75, CACHE: 4}))
    assert figures(calls) == {LOOP.name: (5, 5.0), CACHE.name: (4, 4.0)}


def test_functions_come_and_go() -> None:
    calls = taken(sample(0, {LOOP: 0, CACHE: 0}), sample(1, {LOOP: 50, CACHE: 9}))
    calls.reset()
    calls.take(sample(2, {CACHE: 10}))
    assert figures(calls) == {CACHE.name: (1, 1.0)}
    calls.take(sample(3, {CACHE: 10, LOOP: 3}))
    assert figures(calls) == {CACHE.name: (1, 0.0), LOOP.name: (3, 3.0)}


def test_a_second_reading_at_the_same_time_changes_no_rate() -> None:
    calls = taken(sample(0, {LOOP: 0}), sample(1, {LOOP: 10}), sample(1, {LOOP: 10}))
    assert calls.per_second == pytest.approx(10.0)


def test_the_exported_document() -> None:
    calls = taken(sample(0, {LOOP: 0}), sample(4, {LOOP: 70}, lost=2))
    calls.reset()
    calls.take(sample(5, {LOOP: 71}, lost=2))
    assert document(Target(7, "fib", "go"), calls, [Skipped(RECURSIVE, "why")]) == {
        "kind": "summary",
        "pid": 7,
        "name": "fib",
        "since_reset": True,
        "elapsed_ns": 1_000_000_000,
        "functions": [
            {
                "module": "fibonacci",
                "function": LOOP.name,
                "raw_name": LOOP.raw_name,
                "address": LOOP.address,
                "calls": 1,
            }
        ],
        "attached": 1,
        "skipped": [{"module": "fibonacci", "function": RECURSIVE.name, "reason": "why"}],
        "lost": 2,
        "ended": None,
        "cost_percent": 0.0,
        "cost_cpu_percent": 0.0,
        "budget_percent": None,
        "suspended": [],
    }


def test_what_stays_at_the_end_is_the_mean() -> None:
    calls = taken(sample(0, {LOOP: 0}), sample(10, {LOOP: 100}))
    calls.reset()
    calls.take(sample(12, {LOOP: 130}))
    calls.take(sample(15, {LOOP: 150})._replace(ended="exited 0"))
    assert figures(calls) == {LOOP.name: (50, 10.0)}


def test_a_reading_that_contradicts_itself_changes_no_number() -> None:
    calls = taken(sample(0, {LOOP: 0}), sample(1, {LOOP: 10}))
    calls.take(CountsSample(102, 2, (LOOP, CACHE), (11,), 0, "exited 0"))
    assert [row.calls for row in calls.rows()] == [10]
    assert calls.elapsed == 2
    assert [row.calls for row in taken(CountsSample(102, 2, (LOOP,), (), 0)).rows()] == []


def test_names_that_several_functions_have() -> None:
    other = LOOP._replace(address=1)
    assert taken(sample(0, {LOOP: 0, other: 0, CACHE: 0})).twins == {LOOP.name}
    assert taken(sample(0, {LOOP: 0}), sample(1, {})).modules == frozenset()
