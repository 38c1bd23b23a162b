"""What is taken off when probes cost more than their budget, and when."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.bpf.features import Method
from tui.collectors import budget, calibration
from tui.collectors.budget import Guard, HeldBack, dearest, hold_back
from tui.collectors.calibration import ASSUMED
from tui.elf.names import Function

SECOND = 1_000_000_000


def function(number: int) -> Function:
    return Function("program", f"f{number}", f"f{number}", number, 1, "symtab", number)


@dataclass
class World:
    """A target whose functions take a share of its time, and a clock that the test sets."""

    shares: dict[Function, float]
    now: float = 100.0
    speed: float = 1.0  # the part of the time that it runs
    cpu: float = 0.0
    spent_by: dict[Function, float] = field(default_factory=dict)
    off: set[Function] = field(default_factory=set)

    @property
    def functions(self) -> Sequence[Function]:
        return tuple(self.shares)

    def spent(self) -> Sequence[int]:
        return [int(self.spent_by.get(one, 0)) for one in self.shares]

    def suspend(self, functions: Sequence[Function]) -> None:
        self.off |= set(functions)

    def resume(self, functions: Sequence[Function]) -> None:
        self.off -= set(functions)

    def run(self, guard: Guard, seconds: float) -> None:
        """Time goes by, with looks when they are due; what is asked for is taken off."""
        end = self.now + seconds
        while self.now < end:
            step = guard.due - self.now
            self.now += step
            self.cpu += step * SECOND * self.speed
            for one, share in self.shares.items():
                if one not in self.off:
                    self.spent_by[one] = self.spent_by.get(one, 0) + share * step * SECOND * self.speed
            if dear := guard.look():
                guard.suspend(dear)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World({})
    monkeypatch.setattr("time.monotonic", lambda: made.now)
    monkeypatch.setattr(budget, "cpu_time", lambda _: int(made.cpu))
    return made


def test_many_are_cut_at_once_the_dearest_first(world: World) -> None:
    world.shares = {function(number): 0.0001 for number in range(100)}
    world.shares |= {function(7): 0.3, function(8): 0.2}
    guard = Guard(world, 1, 10.0)
    world.run(guard, 0.3)
    assert world.off == {function(7), function(8)}
    (first, _) = guard.cost.suspended
    assert first.function == function(7)
    assert first.reason == "the probes took 51 % of the target's time, and the budget is 10 %"
    world.run(guard, 5)
    assert len(world.off) == 2
    assert guard.cost.percent == pytest.approx(1.0, abs=0.2)


def test_few_that_were_chosen_are_let_go_on_for_a_while(world: World) -> None:
    world.shares = {function(1): 0.6, function(2): 0.01}
    guard = Guard(world, 1, 10.0)
    world.run(guard, 8)
    assert not world.off
    assert guard.cost.percent == pytest.approx(61, abs=1)
    world.run(guard, 4)
    assert world.off == {function(1)}
    world.run(guard, 30)
    assert world.off == {function(1)}


def test_what_hardly_costs_anything_stays(world: World) -> None:
    world.shares, world.speed = {function(1): 0.6}, 0.01  # of a target that runs for a hundredth of the time
    guard = Guard(world, 1, 10.0)
    world.run(guard, 30)
    assert not world.off
    assert guard.cost.percent == pytest.approx(60, abs=1)


@pytest.mark.parametrize("functions", [4, 40])
def test_a_target_that_hardly_runs_loses_none_where_more_is_predicted_than_it_ran(world: World, functions: int) -> None:
    world.shares, world.speed = {function(number): 1.8 / functions for number in range(functions)}, 0.0098
    guard = Guard(world, 1, 10.0)
    world.run(guard, 60)
    assert not world.off
    assert guard.cost.percent == 100.0
    assert guard.cost.tolerated
    assert guard.cost.acts_in is None


def test_it_is_known_when_something_will_be_done(world: World) -> None:
    world.shares = {function(1): 0.6}
    guard = Guard(world, 1, 10.0)
    world.run(guard, 3)
    assert guard.cost.acts_in == pytest.approx(7, abs=0.6)
    guard.undo()
    assert guard.cost.acts_in is None


def test_of_many_what_hardly_costs_anything_stays_too(world: World) -> None:
    world.shares, world.speed = {function(number): 0.0188 for number in range(40)}, 0.012  # 75 % of a hundredth
    guard = Guard(world, 1, 10.0)
    world.run(guard, 30)
    assert not world.off
    assert guard.cost.percent == pytest.approx(75.2, abs=1)
    assert guard.cost.cpu_percent == pytest.approx(0.9, abs=0.02)
    assert guard.cost.tolerated


def test_the_words_name_what_exceeded_what(world: World) -> None:
    world.shares = {function(number): 0.00251 for number in range(40)}  # 10.04 %, which is more than 10 %
    guard = Guard(world, 1, 10.0)
    world.run(guard, 120)
    assert guard.cost.suspended[0].reason == "the probes took 10.04 % of the target's time, and the budget is 10 %"
    assert guard.cost.suspended[0].after == pytest.approx(10, abs=1)


def test_probes_on_one_target_share_a_budget(world: World) -> None:
    world.shares = {function(number): 0.002 for number in range(40)}  # 8 %
    other = World({function(number): 0.0005 for number in range(40)} | {function(7): 0.05})
    guard = Guard(world, 1, 10.0)
    guard.join(other)
    end = world.now + 5
    while world.now < end:
        for one, share in other.shares.items():
            if one not in other.off:
                other.spent_by[one] = other.spent_by.get(one, 0) + share * (guard.due - world.now) * SECOND
        world.run(guard, guard.due - world.now)
    assert other.off == {function(7)}
    assert len(guard.cost_of(world).suspended) == len(world.off) < 40
    assert [one.function for one in guard.cost_of(other).suspended] == [function(7)]
    guard.undo()
    assert not world.off
    assert not other.off
    assert guard.cost_of(other).limit is None
    guard.leave(other)
    assert guard.cost_of(other).suspended == ()


class Trial:
    """Stands for a batch whose places are hit so often while it is on."""

    hits: Sequence[int] = ()

    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def calls(self) -> Sequence[int]:
        return self.hits


@pytest.mark.parametrize(
    ("hits", "cpu", "held", "percent"),
    [
        ((10, 2), 200_000, 0, 0.0),  # 0.4 % of a CPU, of which they would take 0.3 %
        ((100, 900), 50_000_000, 0, 0.0),  # 9 %: within the budget
        ((100, 1_900), 50_000_000, 1, 17.2),
        ((9_000, 90_000), 50_000_000, 2, 100.0),
    ],
)
def test_what_is_held_back(
    monkeypatch: pytest.MonkeyPatch, hits: Sequence[int], cpu: int, held: int, percent: float
) -> None:
    clock = iter((100.0, 100.05))
    cpus = iter((0, cpu))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(budget, "cpu_time", lambda _: next(cpus))
    monkeypatch.setattr(budget, "Batch", Trial)
    monkeypatch.setattr(calibration, "known", lambda: ASSUMED)
    monkeypatch.setattr(Trial, "hits", (*hits, *[0] * 38))
    found = hold_back([function(number) for number in range(40)], (), [5_000] * 40, 1, Method.MULTI, 10.0)
    assert len(found.functions) == held
    assert found.percent == pytest.approx(percent, abs=0.1)


def test_what_is_off_already_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    cpus = iter((0, 50_000_000))
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(budget, "cpu_time", lambda _: next(cpus))
    monkeypatch.setattr(budget, "Batch", Trial)
    monkeypatch.setattr(calibration, "known", lambda: ASSUMED)
    monkeypatch.setattr(Trial, "hits", (1_900, *[0] * 38))  # of f1, which then is the first
    every = [function(number) for number in range(40)]
    found = hold_back(every, (), [5_000] * 40, 1, Method.MULTI, 10.0, {function(0)})
    assert found.functions == (function(0), function(1))
    assert found.indexes == (0, 1)
    few = hold_back([function(7), function(0), function(7)], (), [5_000] * 3, 1, Method.MULTI, None, {function(7)})
    assert (few.functions, few.indexes) == ((function(7),), (0, 2))


def test_what_one_view_took_off_stays_off_in_the_next(world: World) -> None:
    world.shares = {function(number): 0.02 for number in range(40)}
    guard = Guard(world, 1, 10.0)
    world.run(guard, 1)
    assert guard.off == world.off
    one = next(iter(world.off))
    guard.leave(world)  # it is attached anew in another way
    assert one in guard.off
    next_view = World({one: 0.0})
    guard.join(next_view, HeldBack((one,)))
    (said,) = guard.cost_of(next_view).suspended
    assert said.after == 0
    assert said.reason.startswith("the probes took ")
    guard.undo()
    assert not guard.off


def test_what_was_never_on_is_said_so() -> None:
    guard = Guard(World({function(1): 0.1}), 1, 10.0, HeldBack((function(1),), 15.2, (0,)))
    (one,) = guard.cost.suspended
    assert (one.after, one.reason) == (
        0.0,
        "the probes would take 15 % of the target's time, and the budget is 10 %",
    )


def test_within_the_budget_nothing_happens(world: World) -> None:
    world.shares = {function(number): 0.002 for number in range(48)}
    guard = Guard(world, 1, 10.0)
    world.run(guard, 60)
    assert not world.off
    assert guard.cost.percent == pytest.approx(9.6, abs=0.1)


def test_without_a_budget_it_is_only_said(world: World) -> None:
    world.shares = {function(number): 0.02 for number in range(40)}
    guard = Guard(world, 1, None)
    world.run(guard, 60)
    assert not world.off
    assert guard.cost.percent == pytest.approx(80, abs=1)
    assert guard.cost.limit is None


def test_undone(world: World) -> None:
    world.shares = {function(number): 0.02 for number in range(40)}
    guard = Guard(world, 1, 10.0)
    world.run(guard, 1)
    assert len(world.off) >= 36
    guard.undo()
    world.run(guard, 60)
    assert not world.off
    assert guard.cost.suspended == ()
    assert (guard.cost.limit, guard.cost.waived) == (None, 10.0)
    guard.undo()
    assert (guard.cost.limit, guard.cost.waived) == (10.0, None)
    assert not world.off
    world.run(guard, 60)
    assert len(world.off) >= 36


def test_functions_that_are_added(world: World) -> None:
    world.shares = {function(number): 0.0 for number in range(40)}
    guard = Guard(world, 1, 10.0)
    world.run(guard, 1)
    world.shares |= {function(50): 0.5}
    world.spent_by[function(50)] = 50 * SECOND
    world.run(guard, 1)
    assert world.off == {function(50)}


def test_the_clock_of_a_process() -> None:
    before = budget.cpu_time(1)
    assert 0 < before <= budget.cpu_time(1)
    assert budget.cpu_time(99_999_999) == 0
    assert budget.cpu_time(None) > 0


@given(st.lists(st.integers(0, 10**9), max_size=50), st.integers(0, 10**10), st.floats(0.001, 1))
def test_what_is_left_is_within_the_share(spent: list[int], cpu: int, share: float) -> None:
    taken = dearest(spent, cpu, share)
    left = sum(spent) - sum(spent[index] for index in taken)
    own = max(cpu - sum(spent), 0.01 * cpu, 1)
    assert left <= share * (own + left) * 1.000001
    assert len(set(taken)) == len(taken)
    for index in taken[:-1]:  # none in vain: with one less taken off, it would be too much
        assert spent[index] >= spent[taken[-1]]
