"""The functions that were asked for and are not probed, with reasons; those that the budget took off too."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from textual.widget import Widget

from tui.elf.names import Skipped
from tui.screens.base import REVERSE, SORT, ConsoleScreen, counted, filter_by
from tui.screens.target import Target, function_key
from tui.widgets.actions import Action
from tui.widgets.columns import Column, Sort
from tui.widgets.filter import Haystack
from tui.widgets.lines import Detail
from tui.widgets.table import Table

LONG = 48  # cells of a name, beyond which the reason is worth more
COLUMNS: tuple[Column[Skipped], ...] = (
    Column(
        "function",
        "FUNCTION",
        16,
        lambda row, _: row.function.name,
        lambda row: row.function.name,
        middle=True,
        flexible=True,
    ),
    Column("reason", "REASON", 24, lambda row, _: row.reason, lambda row: row.reason, flexible=True),
)


class SkippedScreen(ConsoleScreen):
    """One row per function that is not probed."""

    CSS_PATH = "skipped.tcss"
    NAME = "Skipped"
    ACTIONS = (
        filter_by("what has this in name or reason", 1),
        SORT,
        REVERSE,
        Action("escape", "esc", "back", "back", "Clear the filter, or go back", 0),
    )

    def __init__(self, target: Target, skipped: Sequence[Skipped], suspended: Sequence[Skipped] = ()) -> None:
        """`suspended`: what was taken off, which may have been probed for a while."""
        super().__init__()
        self.target = target
        self._suspended = len(suspended)
        self._haystack = Haystack((*suspended, *skipped), lambda row: f"{row.function.name}\n{row.reason}")

    def content(self) -> Iterable[Widget]:
        """The table."""
        table: Table[Skipped] = Table(COLUMNS, lambda row: function_key(row.function), Sort("function", False))
        rows = self._haystack.rows
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
        total, shown = len(self._haystack.rows), len(table.rows)
        off, that = self._suspended, "" if shown == total else "that "
        what = "could not be probed" if not off else "are not probed" if total > 1 else "is not probed"
        taken = [(f"{off:,} of them taken off by the budget: u puts them back", "warn")] if 0 < off < total else []
        self.put_lines((left, ()), [(f"{counted(shown, total, 'function')} {that}{what}", "strong"), *taken])

    def on_table_moved(self) -> None:
        """Spell the row out."""
        row = self.table().row
        self.query_one(Detail).show(*((row.function.name, row.reason) if row else ("",)))
        self.show_keys()

    def action_back(self) -> None:
        """Clear the filter, or go back."""
        if not self.clear_filter():
            self.app.pop_screen()
