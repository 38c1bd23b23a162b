"""Order and cursor."""

from tui.widgets.columns import Column, Sort
from tui.widgets.order import by_column, held, position_of

ROWS = [("a", 2), ("b", 1), ("c", 2), ("d", 3)]
COLUMNS = (Column[tuple[str, int]]("n", "N", 3, lambda row, _: row[0], lambda row: row[1]),)


def key(row: tuple[str, int]) -> str:
    return row[0]


def test_equal_rows_keep_their_order_both_ways() -> None:
    assert [row[0] for row in by_column(ROWS, COLUMNS, Sort("n", False))] == ["b", "a", "c", "d"]
    assert [row[0] for row in by_column(ROWS, COLUMNS, Sort("n", True))] == ["d", "a", "c", "b"]
    assert by_column(ROWS, COLUMNS, Sort("?", True)) == ROWS


def test_held_rows_stay_and_new_ones_come_last() -> None:
    before = [("d", 0), ("b", 0), ("x", 0)]
    assert [row[0] for row in held(ROWS, before, key)] == ["d", "b", "a", "c"]


def test_position() -> None:
    assert position_of(ROWS, key, "c", 2) == 2
    assert position_of(ROWS, key, "c", 99) == 2
    assert position_of(ROWS, key, "z", 0) is None
    assert position_of([], key, "z", 0) is None
