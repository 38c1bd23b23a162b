"""The functions that were asked for and are not probed in some view, or not exactly, with reasons."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from textual.widget import Widget

from tui.screens.base import REVERSE, SORT, ConsoleScreen, counted, filter_by
from tui.screens.off import Kind, Off, off_key
from tui.screens.target import Target, function_key
from tui.widgets.actions import Action
from tui.widgets.columns import Column, Sort
from tui.widgets.filter import Haystack
from tui.widgets.lines import Detail, Phrase
from tui.widgets.table import Table

LONG = 48  # cells of a name, beyond which the reason is worth more
FUNCTION: Column[Off] = Column(
    "function",
    "FUNCTION",
    16,
    lambda row, _: row.function.name,
    lambda row: row.function.name,
    middle=True,
    flexible=True,
)
REASON: Column[Off] = Column("reason", "REASON", 24, lambda row, _: row.reason, lambda row: row.reason, flexible=True)


class SkippedScreen(ConsoleScreen):
    """One row per function and reason."""

    CSS_PATH = "skipped.tcss"
    NAME = "Skipped"
    ACTIONS = (
        filter_by("what has this in name or reason", 1),
        SORT,
        REVERSE,
        Action("escape", "esc", "back", "back", "Clear the filter, or go back", 0),
    )

    def __init__(self, target: Target, off: Sequence[Off], *, several: bool = False, ended: bool = False) -> None:
        """`off`: of all views; `several`: say which. `ended`: nothing is put back any more."""
        super().__init__()
        self.target = target
        self._several, self._ended = several, ended
        self._haystack = Haystack(off, _words)

    def content(self) -> Iterable[Widget]:
        """The table."""
        rows = self._haystack.rows
        columns = (FUNCTION, _views(rows), REASON) if self._several else (FUNCTION, REASON)
        table: Table[Off] = Table(columns, off_key, Sort("function", False))
        table.limit("function", min(LONG, max((cell_len(row.function.name) for row in rows), default=16)))
        table.limit("reason", max((cell_len(row.reason) for row in rows), default=24))
        yield table

    def begin(self) -> None:
        """Show them."""
        self.table().focus()
        self.filtered()

    def filtered(self) -> None:
        """Show what the filter leaves."""
        table = self.table()
        table.empty = f"nothing matches {self.prompt.wanted}; esc clears the filter"
        table.show(self.leaves(self._haystack.matching), anew=True)
        left = [((f"{self.target.title} ▸ ", "dim"), ("skipped", "title"))]
        self.put_lines((left, ()), self._said(_distinct(table.rows)))

    def _said(self, shown: int) -> list[Phrase]:
        """How many functions there are, and how many of them the budget took off."""
        rows = self._haystack.rows
        total, off = _distinct(rows), _distinct(row for row in rows if row.kind is Kind.TAKEN)
        kinds = {row.kind for row in rows}
        if kinds == {Kind.INEXACT}:
            verb = "are" if total > 1 else "is"
            return [(f"{counted(shown, total, 'function')} {verb} probed, but not exactly", "strong")]
        that = "" if shown == total else "that "
        what = "are not probed" if total > 1 else "is not probed"
        if Kind.INEXACT in kinds:
            what += ", or not exactly"
        elif not off:
            what = "could not be probed"
        phrases: list[Phrase] = [(f"{counted(shown, total, 'function')} {that}{what}", "strong")]
        if off:
            whose = f"{off:,} of them" if off < total else "all of them" if off > 1 else ""
            back = "" if self._ended else f": u in the views puts {'them' if off > 1 or whose else 'it'} back"
            phrases.append((f"{whose} taken off by the budget{back}".lstrip(), "warn"))
        return phrases

    def on_table_moved(self) -> None:
        """Spell the row out."""
        row = self.table().row
        self.query_one(Detail).show(*((row.function.name, row.reason) if row else ("",)))
        self.show_keys()

    def action_back(self) -> None:
        """Clear the filter, or go back."""
        if not self.clear_filter():
            self.app.pop_screen()


def _distinct(rows: Iterable[Off]) -> int:
    """How many functions these are."""
    return len({function_key(row.function) for row in rows})


def _words(row: Off) -> str:
    """By what a row can be found."""
    return "\n".join((row.function.name, row.reason, *row.views))


def _named(row: Off) -> str:
    return ", ".join(row.views)


def _views(rows: Sequence[Off]) -> Column[Off]:
    """The column of the views, as wide as it has to be."""
    return Column("view", "IN", max(map(len, map(_named, rows)), default=2), lambda row, _: _named(row), _named)
