"""Where a filter may run: a list with what each hook sees, and why those that don't work here don't."""

from collections.abc import Iterable, Sequence
from typing import Final

from textual.widget import Widget

from tui.collectors.filters import HookChoice
from tui.collectors.samples import Interface
from tui.errors import BpfscopeError
from tui.screens.base import CURSOR, CUT, ConsoleScreen
from tui.widgets.actions import Action
from tui.widgets.columns import Column, Sort
from tui.widgets.lines import Detail
from tui.widgets.pieces import Cell
from tui.widgets.table import Table

XDP_NOTE: Final = (
    "XDP changes the traffic: the kernel stops merging packets, and some drivers stop the link for a moment to set it"
    " up anew. tcx-ingress sees the same packets without that."
)


def _works(row: HookChoice, _: int) -> Cell:
    return (("yes", "good"),) if row.works else (("no", "bad"),)


COLUMNS: Final[tuple[Column[HookChoice], ...]] = (
    Column("hook", "HOOK", 11, lambda row, _: row.hook),
    Column("works", "HERE", 5, _works),
    Column("sees", "WHAT IT SEES", 30, lambda row, _: row.sees if row.works else ((row.detail, "dim"),), flexible=True),
)


class HookScreen(ConsoleScreen):
    """Gives the chosen hook, and whether it is one more; None where none was chosen."""

    CSS_PATH = "hook_choice.tcss"
    NAME = "Hook"
    ACTIONS = (
        Action("enter", "enter", "use", "use", "Let the filter run there", 0),
        Action("a", "a", "add", "add", "Let it run there too, and compare", 1),
        Action("escape", "esc", "back", "back", "Back, and leave it where it is", 0),
    )
    SIGNS = (CURSOR, CUT)

    def __init__(self, interfaces: Sequence[Interface], now: str) -> None:
        super().__init__()
        self.interfaces, self.now = tuple(interfaces), now
        self.answer: tuple[str, bool] | None = None

    def content(self) -> Iterable[Widget]:
        """The table."""
        table: Table[HookChoice] = Table(
            COLUMNS,
            lambda row: row.hook,
            Sort("", False),
            mark=lambda row: "●" if row.hook == self.now else "",
            arrange=lambda rows, _: rows,
        )
        table.empty = "trying what works here …"
        yield table

    def begin(self) -> None:
        """Find out."""
        self.table().focus()
        self.show_state()
        self.run_worker(self._find())

    async def _find(self) -> None:
        table = self.table()
        try:
            found = await self.sources.hooks()
        except BpfscopeError as error:
            table.empty = str(error)
            found = ()
        table.show(found)
        names = [row.hook for row in found]
        if self.now in names:
            table.move_to(names.index(self.now))
        self.show_state()

    def show_state(self) -> None:
        """The lines around the table."""
        names = ", ".join(one.name for one in self.interfaces)
        left = [((f"Network ▸ {names} ▸ ", "dim"), ("hook", "title"))]
        self.put_lines((left, ()), [("where the filter runs", "strong"), ("● now", "accent")])

    def on_table_moved(self) -> None:
        """Spell the row out."""
        row = self.table().row
        if row is None:
            return
        note = XDP_NOTE if row.hook == "xdp" and row.works else ""
        self.query_one(Detail).show(f"{row.hook}: {row.sees}", note or row.detail)
        self.show_keys()

    def on_table_chosen(self) -> None:
        """A double click is enter."""
        self.action_use()

    def can(self, name: str) -> bool:
        """Only what works can be used."""
        row = self.table().row if self.is_mounted and self.children else None
        return bool(row and row.works) if name in ("use", "add") else True

    def action_use(self) -> None:
        """Move the filter there."""
        self._give(add=False)

    def action_add(self) -> None:
        """Have one more there."""
        self._give(add=True)

    def _give(self, *, add: bool) -> None:
        row: HookChoice | None = self.table().row
        if row is not None and row.works:
            self.dismiss((row.hook, add))

    def action_back(self) -> None:
        """None."""
        self.dismiss(None)
