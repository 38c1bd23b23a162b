"""The functions that were asked for and are not probed, with reasons."""

from collections.abc import Iterable, Sequence

from textual.widget import Widget

from tui import text
from tui.elf.names import Skipped
from tui.screens.base import ConsoleScreen
from tui.screens.target import Target, function_key
from tui.widgets.actions import Action
from tui.widgets.columns import Column, Sort
from tui.widgets.filter import Haystack, Unfinished
from tui.widgets.lines import Detail
from tui.widgets.table import Table

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
    Column("reason", "REASON", 24, lambda row, _: row.reason, lambda row: row.reason, filler=True),
)


class SkippedScreen(ConsoleScreen):
    """One row per function that is not probed."""

    CSS_PATH = "skipped.tcss"
    NAME = "Skipped"
    ACTIONS = (
        Action("slash", "/", "filter", "filter", "Keep what has this text in name or reason", 1),
        Action("s", "s", "sort", "sort", "Sort by the other column", 2),
        Action("escape", "esc", "back", "back", "Clear the filter, or go back", 0),
    )

    def __init__(self, target: Target, skipped: Sequence[Skipped]) -> None:
        super().__init__()
        self.target = target
        self._haystack = Haystack(skipped, lambda row: f"{row.function.name}\n{row.reason}")

    def content(self) -> Iterable[Widget]:
        """The table."""
        table: Table[Skipped] = Table(COLUMNS, lambda row: function_key(row.function), Sort("function", False))
        longest = max((len(row.function.name) for row in self._haystack.rows), default=16)
        table.limit("function", min(48, longest))
        yield table

    def on_mount(self) -> None:
        """Show them."""
        self.table().focus()
        self.filtered()

    def filtered(self) -> None:
        """Show what the filter leaves."""
        table = self.table()
        table.empty = f"nothing matches {self.prompt.text}; esc clears the filter"
        try:
            table.show(self._haystack.matching(self.prompt.text), anew=True)
        except Unfinished:
            table.show(table.rows)
        left = [((f"{self.target.title} ▸ ", "dim"), ("skipped", "title"))]
        counted = text.plural(len(self._haystack.rows), "function")
        self.put_lines((left, ()), [(f"{counted} could not be probed", "strong")])

    def on_table_moved(self) -> None:
        """Spell the row out."""
        row = self.table().row
        self.query_one(Detail).show(*((row.function.name, row.reason) if row else ("",)))
        self.show_keys()

    def action_back(self) -> None:
        """Clear the filter, or go back."""
        if not self.clear_filter():
            self.app.pop_screen()
