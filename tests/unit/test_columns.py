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
        (44, "name calls history share bar"),
        (43, "name calls history share"),
        (30, "name calls share"),
        (20, "name calls"),
        (9, "name"),
    ],
)
def test_the_least_important_go_first(width: int, keys: str) -> None:
    assert " ".join(one.column.key for one in place(COLUMNS, width, {"name": 10})) == keys


MODULES = (
    Column[str]("name", "FUNCTION", 16, lambda row, _: row, flexible=True),
    Column[str]("module", "MODULE", 12, lambda row, _: row, flexible=True, priority=2),
    *COLUMNS[1:],
)


@pytest.mark.parametrize(
    ("width", "name", "module", "history", "bar"),
    [
        (130, 50, 20, 20, 15),  # everything has its width, the bar takes the rest
        (120, 50, 20, 20, 5),  # the bar shrinks first
        (115, 50, 20, 20, 0),
        (105, 50, 20, 10, 0),  # then the sparkline is narrow
        (100, 50, 19, 10, 0),  # then the module
        (90, 47, 12, 10, 0),  # and only then the name
    ],
)
def test_names_get_the_room_first(width: int, name: int, module: int, history: int, bar: int) -> None:
    widths = {one.column.key: one.width for one in place(MODULES, width, {"name": 50, "module": 20})}
    assert (widths["name"], widths["module"], widths["history"], widths.get("bar", 0)) == (name, module, history, bar)


def test_a_column_of_short_texts_is_narrow() -> None:
    assert next(one.width for one in place(COLUMNS, 120, {"name": 3})) == len("NAME ↓")


def test_a_flexible_column_takes_no_more_than_it_needs() -> None:
    widths = {one.column.key: one.width for one in place(COLUMNS, 120, {"name": 30})}
    assert widths["name"] == 30
    assert widths["bar"] == 120 - 30 - 8 - 20 - 7 - 4 * 2
