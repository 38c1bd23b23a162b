"""Sixty seconds in steps."""

import pytest

from tui.widgets.history import STEPS, History


def test_steps_are_means() -> None:
    history = History()
    for second, value in enumerate([3.0, 6.0, 9.0, 1.0, 1.0, 4.0]):
        history.add(300.0 + second, {"f": value})
    assert history.last("f", STEPS) == pytest.approx([6.0, 2.0])


def test_keeps_a_minute() -> None:
    history = History()
    for second in range(200):
        history.add(float(second), {"f": float(second)})
    assert len(history.last("f", STEPS)) == STEPS
    assert history.last("f", STEPS)[-1] == pytest.approx(198.5)
    assert len(history.last("f", 10)) == 10


def test_a_long_interval_fills_its_steps() -> None:
    history = History()
    history.add(300.0, {"f": 1.0})
    history.add(310.0, {"f": 5.0})
    assert history.last("f", STEPS) == [1.0, 5.0, 5.0, 5.0]
    history.add(9_000.0, {"f": 2.0})
    assert history.last("f", STEPS) == [2.0] * STEPS


def test_rows_that_are_gone_are_forgotten() -> None:
    history = History()
    history.add(1.0, {"f": 1.0, "g": 1.0})
    history.add(2.0, {"g": 3.0, "h": 8.0})
    assert history.last("f", STEPS) == []
    assert history.last("g", STEPS) == [2.0]
    assert history.last("h", STEPS) == [8.0]
    history.clear()
    assert history.last("g", STEPS) == []


def test_bars_of_two_steps_do_not_wobble() -> None:
    history = History()
    seen = []
    for step in range(STEPS + 2):
        history.add(3.0 * step, {"f": float(step)})
        seen.append(history.last("f", 10))
    assert seen[-1][1:-1] == seen[-2][1:-1]
