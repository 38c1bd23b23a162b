"""The columns of a table, and which of them fit. Pure: knows no widget."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from tui.widgets.pieces import Cell

Row = TypeVar("Row")
NARROW = 82  # below so many cells, columns stand closer


class Column(NamedTuple, Generic[Row]):
    """One column. `cell` gets the row and the column's width in cells."""

    key: str
    title: str
    width: int  # cells; for a flexible column and a filler the fewest that make sense
    cell: Callable[[Row, int], Cell]
    sort: Callable[[Row], Any] | None = None
    descending: bool = False  # the order in which it is sorted first
    right: bool = False
    middle: bool = False  # cut in the middle: both ends of a name matter
    flexible: bool = False  # takes what the others leave, up to a limit that the table knows
    filler: bool = False  # takes what all others leave, if that is enough
    priority: int = 0  # the higher, the sooner it is dropped
    narrow: int = 0  # width where there is no room for more; 0: the same


class Sort(NamedTuple):
    """By which column, and which way."""

    key: str
    descending: bool


class Placed(NamedTuple, Generic[Row]):
    """A column that fits, and where."""

    column: Column[Row]
    start: int
    width: int


def place(columns: Sequence[Column[Row]], width: int, limits: dict[str, int]) -> tuple[Placed[Row], ...]:
    """The columns that fit into `width` cells, the least important dropped first, of equals the last. None is cut.

    `limits` says how many cells a flexible column can use at most. Those that have a limit are what people read: they
    get room first, in a narrow table with those that have none. Then the others get their full width, the most
    important first; fillers take what is left.
    """
    gap = 1 if width < NARROW else 2
    shown = [column for column in columns if not column.filler]
    while len(shown) > 1 and sum(_least(column, limits) + gap for column in shown) - gap > width:
        shown.remove(max(reversed(shown), key=lambda column: column.priority))
    widths = {column.key: min(width, _least(column, limits)) for column in shown}
    spare = width - sum(widths.values()) - gap * (len(shown) - 1)
    for column in sorted(shown, key=lambda column: _turn(column, limits, width)):
        grown = _grown(column, widths[column.key] + spare, limits)
        if grown > widths[column.key]:
            spare -= grown - widths[column.key]
            widths[column.key] = grown
    for column in columns:
        if column.filler and spare >= column.width + gap:
            widths[column.key] = spare - gap
            spare = 0
    placed, start = [], 0
    for column in columns:
        if column.key in widths:
            placed.append(Placed(column, start, widths[column.key]))
            start += widths[column.key] + gap
    return tuple(placed)


def _least(column: Column[Row], limits: dict[str, int]) -> int:
    """The fewest cells that make sense."""
    least = column.narrow or column.width
    return min(least, max(limits[column.key], len(column.title) + 2)) if column.key in limits else least


def _turn(column: Column[Row], limits: dict[str, int], width: int) -> tuple[int, int]:
    """When it is the column's turn to grow."""
    if not column.flexible:
        return 1, column.priority
    return (0, 0) if column.key in limits or width < NARROW else (2, 0)


def _grown(column: Column[Row], most: int, limits: dict[str, int]) -> int:
    """The width that the column takes where it can have `most` cells; others than flexible ones grow whole or not."""
    if column.flexible:
        return min(most, limits.get(column.key, most))
    return column.width if column.width <= most else 0
