"""In which order rows stand, and where the cursor goes when they change. Pure: knows no widget."""

from collections.abc import Callable, Hashable, Sequence
from operator import indexOf
from typing import TypeVar

from tui.widgets.columns import Column, Sort

Row = TypeVar("Row")


def by_column(rows: Sequence[Row], columns: Sequence[Column[Row]], sort: Sort) -> list[Row]:
    """The rows sorted by one column. Equal rows keep the order in which they came, so that they don't jump."""
    key = next((column.sort for column in columns if column.key == sort.key), None)
    return list(rows) if key is None else sorted(rows, key=key, reverse=sort.descending)


def held(rows: Sequence[Row], before: Sequence[Row], key: Callable[[Row], Hashable]) -> list[Row]:
    """The rows in the order in which they stood before; new ones come last."""
    positions = {key(row): index for index, row in enumerate(before)}
    last = len(positions)
    return sorted(rows, key=lambda row: positions.get(key(row), last))


def position_of(rows: Sequence[Row], key: Callable[[Row], Hashable], wanted: Hashable, near: int) -> int | None:
    """Where the row with the key `wanted` stands; `near` is looked at first."""
    if near < len(rows) and key(rows[near]) == wanted:
        return near
    try:
        return indexOf(map(key, rows), wanted)
    except ValueError:
        return None
