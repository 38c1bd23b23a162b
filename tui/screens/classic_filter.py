"""A classic filter that somebody attached: its instructions, and what they do."""

from collections.abc import Iterable

from rich.cells import cell_len
from textual.widget import Widget

from tui.collectors.attachment_samples import Placed
from tui.collectors.classic_filters import ClassicLine, lines
from tui.screens.attachment_rows import owner
from tui.screens.base import CURSOR, CUT, ConsoleScreen, counted, filter_by
from tui.widgets.actions import Action
from tui.widgets.columns import Column, Sort
from tui.widgets.filter import Haystack
from tui.widgets.lines import Detail
from tui.widgets.table import Table


def text_of(row: ClassicLine) -> str:
    """The operation and what it works on."""
    return f"{row.operation:<5} {row.operand}".rstrip()


COLUMNS: tuple[Column[ClassicLine], ...] = (
    Column("number", "#", 4, lambda row, _: f"{row.number:03}", lambda row: row.number, right=True),
    Column("text", "INSTRUCTION", 16, lambda row, _: text_of(row), flexible=True),
    Column("jt", "JT", 3, lambda row, _: str(row.jumps[0]) if row.jumps else "", right=True),
    Column("jf", "JF", 3, lambda row, _: str(row.jumps[1]) if row.jumps else "", right=True),
    Column("words", "WHAT IT DOES", 20, lambda row, _: row.words, flexible=True, priority=1),
)


class ClassicFilterScreen(ConsoleScreen):
    """It stays as it was when it was opened: a filter doesn't change."""

    CSS_PATH = "attachments.tcss"
    NAME = "Classic filter"
    passing = True
    ACTIONS = (
        filter_by("instructions that have this in them, or in what they do", 1),
        Action("escape", "esc", "back", "back", "Clear the filter, or go back", 0),
    )
    SIGNS = (
        CURSOR,
        ("JT JF", "where it goes on: if the condition holds, and if not"),
        ("A X M[]", "the registers, and the words that a filter can remember"),
        ("ret #0", "the packet isn't taken; any other number: so many bytes of it are"),
        CUT,
    )

    def __init__(self, placed: Placed) -> None:
        super().__init__()
        self.placed = placed
        self._rows = Haystack(lines(placed), lambda row: f"{text_of(row)}\n{row.words}")

    def content(self) -> Iterable[Widget]:
        """The table."""
        table: Table[ClassicLine] = Table(COLUMNS, lambda row: row.number, Sort("number", False))
        table.limit("text", max((cell_len(text_of(row)) for row in self._rows.rows), default=16))
        yield table

    def begin(self) -> None:
        """Show them."""
        self.table().focus()
        self.filtered()

    def filtered(self) -> None:
        """Show what the filter leaves."""
        table = self.table()
        table.empty = f"no instruction matches {self.prompt.wanted}; esc clears the filter"
        table.show(self.leaves(self._rows.matching))
        one = self.placed
        context = [(("BPF ▸ Attachments ▸ ", "dim"), (f"{one.hook} {one.where}", "title"))]
        held = f"held by {owner(one)}" if one.owners else "held by no process"
        number = counted(len(table.rows), len(self._rows.rows), "instruction")
        self.put_lines((context, ()), [(number, "strong"), (held, ""), (one.detail, "dim")])

    def on_table_moved(self) -> None:
        """Spell the row out."""
        row = self.table().row
        self.query_one(Detail).show(*((text_of(row), row.words) if row else ("",)))
        self.show_keys()

    def action_back(self) -> None:
        """Clear the filter, or go back."""
        if not self.clear_filter():
            self.app.pop_screen()
