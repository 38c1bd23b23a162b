"""Values as people read them, how often each was there, and histograms of numbers."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.screens.fakes import LOOP
from tui.collectors.samples import Read, ValuesRow, ValuesSample
from tui.screens import values
from tui.screens.reads import spelt
from tui.widgets.columns import Sort
from tui.widgets.order import by_column


def sample(names: str, *found: tuple[int, tuple[Read, ...]]) -> ValuesSample:
    rows = tuple(ValuesRow(looked, calls) for calls, looked in found)
    return ValuesSample(1.0, 1.0, LOOP, tuple(names.split()), rows, sum(row.calls for row in rows), 0, 0)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "unreadable"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-12345678, "-12345678"),
        (0.5, "0.5"),
        (1.0, "1.0"),
        (math.nan, "nan"),
        ("", '""'),
        ("true", '"true"'),
        ('say "x\\"', '"say \\"x\\\\\\""'),
        ("日本語 [/]", '"日本語 [/]"'),
    ],
)
def test_no_two_kinds_of_values_look_alike(value: Read, said: str) -> None:
    assert spelt(value) == said


SAMPLE = sample("n name", (5, (1, "a")), (3, (1, "b")), (2, (2, "a")), (10, (None, "a")))


def figures(places: tuple[int, ...]) -> dict[str, tuple[int, float]]:
    return {" ".join(row.spelt): (row.calls, row.share) for row in values.rows(SAMPLE, places)}


def test_each_value_by_itself() -> None:
    assert figures((0,)) == {"1": (8, 0.4), "2": (2, 0.1), "unreadable": (10, 0.5)}
    assert figures((1,)) == {'"a"': (17, 0.85), '"b"': (3, 0.15)}


def test_all_together() -> None:
    assert [row.calls for row in values.rows(SAMPLE, (0, 1))] == [5, 3, 2, 10]
    assert next(row.spelt for row in values.rows(SAMPLE, (1, 0))) == ('"a"', "1")
    assert values.words(values.rows(SAMPLE, (0, 1))[1], ("n", "name")) == 'n=1\nname="b"'
    assert values.rows(sample("n"), (0,)) == []


def test_numbers_are_what_can_be_counted_with() -> None:
    found = values.rows(sample("n", *((1, (one,)) for one in (None, True, "7", math.inf, math.nan, -3, 2.5))), (0,))
    assert values.numbers(found) == [(-3, 1), (2.5, 1)]
    assert values.spread([(-3, 1), (2.5, 3), (40, 1)]) == "-3 to 40, mean 8.9"
    assert values.spread([(1, 1), (121_072, 1)]) == "1 to 121,072, mean 60,536"
    assert values.spread([(1e30, 1)]) == "1e+30 to 1e+30, mean 1e+30"
    assert values.spread([]) == ""


@given(st.lists(st.tuples(st.one_of(st.integers(-(1 << 63), 1 << 64), st.floats(-1e30, 1e30)), st.integers(1, 99))))
def test_bars_lie_side_by_side_and_lose_nothing(found: list[tuple[float, int]]) -> None:
    bars = values.bars(found)
    for (_, high, _), (low, *_) in pairwise(bars):
        assert high == low
    for low, high, calls in bars:
        assert calls == sum(number for value, number in found if low <= value < high)
    assert sum(calls for *_, calls in bars) == sum(calls for _, calls in found)
    if bars:
        assert bars[0][2]
        assert bars[-1][2]


def test_bars_begin_with_powers_of_two_of_either_sign() -> None:
    assert [low for low, *_ in values.bars([(-9, 1), (9, 1)])] == [-16, -8, -4, -2, -1, 0, 1, 2, 4, 8]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0"),
        (-512, "-512"),
        (1 << 16, "65,536"),
        (-(1 << 31), "-2,147,483,648"),
        (-(1 << 63), "-2^63"),
        (1 << 70, "2^70"),
    ],
)
def test_powers_are_short_and_exact(number: int, said: str) -> None:
    assert values.power(number) == said


@given(st.integers(0, 1023), st.booleans())
def test_powers_fit_beside_a_bar(exponent: int, negative: bool) -> None:
    assert len(values.power(-(1 << exponent) if negative else 1 << exponent)) <= 14


def test_every_kind_can_be_sorted() -> None:
    found = values.rows(sample("x", *((1, (one,)) for one in ("b", None, 2, True, math.nan, "a", 1.5, -1))), (0,))
    columns = values.columns(("x",), (0,))
    order = [row.spelt[0] for row in by_column(found, columns, Sort("value0", False))]
    assert order == ["unreadable", "nan", "-1", "true", "1.5", "2", '"a"', '"b"']


def test_numbers_are_never_cut() -> None:
    names = ("depth", "ポインタ")
    found = values.rows(sample("depth ポインタ", (1, (1, "x" * 99)), (1, (140737488347136, "y"))), (0, 1))
    assert values.widths(names, found) == (15, 0)
    assert values.widths(names[1:], values.rows(sample("ポインタ", (1, (1,))), (0,))) == (cell_len("ポインタ") + 2,)
    assert values.limits((15, 0), found) == {"value1": values.LONG}
