"""Which columns fit."""

from itertools import pairwise

import pytest

from tui.widgets.columns import Column, place

COLUMNS = (
    Column[str]("name", "NAME", 10, lambda row, _: row, flexible=True),
    Column[str]("calls", "CALLS", 8, lambda row, _: row, narrow=6),
    Column[str]("history", "60 s", 20, lambda row, _: row, priority=2, narrow=10),
    Column[str]("share", "SHARE", 7, lambda row, _: row, priority=1),
    Column[str]("bar", "", 5, lambda row, _: row, filler=True, priority=3),
)


@pytest.mark.parametrize("width", range(1, 200))
def test_nothing_is_wider_than_the_table(width: int) -> None:
    placed = place(COLUMNS, width, {"name": 20})
    assert placed
    assert placed[-1].start + placed[-1].width <= width
    for before, after in pairwise(placed):
        assert after.start > before.start + before.width


@pytest.mark.parametrize(
    ("width", "keys"),
    [
        (120, "name calls history share bar"),
        (42, "name calls history share bar"),
        (41, "name calls history share"),
        (30, "name calls share"),
        (20, "name calls"),
        (9, "name"),
    ],
)
def test_the_least_important_go_first(width: int, keys: str) -> None:
    assert " ".join(one.column.key for one in place(COLUMNS, width, {})) == keys


def test_a_flexible_column_takes_no_more_than_it_needs() -> None:
    widths = {one.column.key: one.width for one in place(COLUMNS, 120, {"name": 30})}
    assert widths["name"] == 30
    assert widths["bar"] == 120 - 30 - 8 - 20 - 7 - 4 * 2
