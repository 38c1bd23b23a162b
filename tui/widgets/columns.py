"""The columns of a table, and which of them fit. Pure: knows no widget."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from tui.widgets.pieces import Cell

Row = TypeVar("Row")
NARROW = 82  # below so many cells, columns take their narrow width and stand closer


class Column(NamedTuple, Generic[Row]):
    """One column. `cell` gets the row and the column's width in cells."""

    key: str
    title: str
    width: int  # cells; for a flexible column the fewest that make sense
    cell: Callable[[Row, int], Cell]
    sort: Callable[[Row], Any] | None = None
    descending: bool = False  # the order in which it is sorted first
    right: bool = False
    middle: bool = False  # cut in the middle: both ends of a name matter
    flexible: bool = False  # takes what the others leave, up to a limit that the table knows
    filler: bool = False  # takes what the flexible one leaves
    priority: int = 0  # the higher, the sooner it is dropped
    narrow: int = 0  # width where the table is narrow; 0: the same


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
    """The columns that fit into `width` cells, the least important dropped first, of equals the last.

    `limits` says how many cells a flexible column can use at most.
    """
    narrow = width < NARROW
    gap = 1 if narrow else 2
    shown = list(columns)
    while len(shown) > 1 and sum(_width(column, narrow) + gap for column in shown) - gap > width:
        shown.remove(max(reversed(shown), key=lambda column: column.priority))
    widths = {column.key: min(width, _width(column, narrow)) for column in shown}
    spare = width - sum(widths.values()) - gap * (len(shown) - 1)
    for column in sorted(shown, key=lambda column: column.filler):
        if column.flexible or column.filler:
            most = max(widths[column.key], limits.get(column.key, width))
            grown = min(most, widths[column.key] + spare)
            spare -= grown - widths[column.key]
            widths[column.key] = grown
    placed, start = [], 0
    for column in shown:
        placed.append(Placed(column, start, widths[column.key]))
        start += widths[column.key] + gap
    return tuple(placed)


def _width(column: Column[Row], narrow: bool) -> int:
    return column.narrow if narrow and column.narrow else column.width
