"""The columns of the calls' table. Pure: knows no widget."""

from rich.cells import cell_len

from tui import text
from tui.screens.calls import CallRow, Calls
from tui.widgets.columns import Column
from tui.widgets.history import STEPS
from tui.widgets.pieces import Cell, cut_middle

NONE: Cell = (("–", "dim"),)
GAP = "  "  # between a name and its address

MODULE = Column[CallRow](
    "module",
    "MODULE",
    12,
    lambda row, _: ((row.function.module, "dim"),),
    lambda row: row.function.module,
    middle=True,
    flexible=True,
    priority=2,
)
FIGURES: tuple[Column[CallRow], ...] = (
    Column(
        "calls",
        "CALLS",
        15,
        lambda row, _: text.count(row.calls),
        lambda row: row.calls,
        descending=True,
        right=True,
        narrow=13,
    ),
    Column(
        "rate",
        "CALLS/S",
        9,
        lambda row, _: NONE if row.off else text.rate(row.per_second),
        lambda row: row.per_second,
        descending=True,
        right=True,
    ),
    Column(
        "history",
        "60 s",
        STEPS,
        lambda row, width: ((text.sparkline(row.history.last(row.key, width), width), "graph"),),
        priority=3,
        narrow=STEPS // 2,
    ),
    Column(
        "share",
        "SHARE",
        8,
        lambda row, _: NONE if row.off else f"{'~' if row.gap else ''}{100 * row.share:.1f} %",
        lambda row: row.share,
        descending=True,
        right=True,
        priority=1,
    ),
    Column("bar", "", 8, lambda row, width: ((text.bar(row.share, width), "graph"),), filler=True),
)


def columns(calls: Calls) -> tuple[Column[CallRow], ...]:
    """The columns, with the modules where there are several."""
    name = Column[CallRow](
        "function",
        "FUNCTION",
        16,
        lambda row, width: _name(row, width, calls),
        lambda row: row.function.name,
        flexible=True,
    )
    return (name, *((MODULE,) if len(calls.modules) > 1 else ()), *FIGURES)


def limits(calls: Calls) -> dict[str, int]:
    """How many cells the flexible columns can use."""
    names = (cell_len(row.function.name) + len(_address(row, calls)) for row in calls.rows())
    return {"function": max(names, default=16), "module": max(map(cell_len, calls.modules), default=8)}


def _name(row: CallRow, width: int, calls: Calls) -> Cell:
    """The name, cut in the middle; with its address where another function has the same name."""
    address = _address(row, calls)
    return ((cut_middle(row.function.name, max(1, width - len(address))), ""), (address, "dim"))


def _address(row: CallRow, calls: Calls) -> str:
    return f"{GAP}{row.function.address:x}" if row.function.name in calls.twins else ""
