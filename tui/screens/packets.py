"""Packets that matched, a few of them, in words: a tail that stands still while one looks, and can be searched."""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, ClassVar, Final

from textual.widget import Widget

from tui import text
from tui.collectors.samples import Interface, PacketRecord
from tui.export import pcap
from tui.screens.base import CURSOR, CUT, REVERSE, SORT, SORTED, ConsoleScreen, counted, filter_by
from tui.screens.exporting import written
from tui.screens.machine import MachineScreen
from tui.screens.modes import SWITCHING
from tui.screens.packet import PacketScreen
from tui.screens.packet_tail import PacketRow, summary, words
from tui.widgets.actions import Action
from tui.widgets.columns import Column, Sort
from tui.widgets.filter import Haystack
from tui.widgets.lines import Detail, Phrase
from tui.widgets.table import Table

if TYPE_CHECKING:
    from tui.screens.filter_run import Run

AS_THEY_CAME: Final = Sort("time", False)
COLUMNS: Final[tuple[Column[PacketRow], ...]] = (
    Column("time", "TIME", 13, lambda row, _: ((f"{row.at:.6f}", "dim"),), attrgetter("number"), right=True, narrow=11),
    Column("interface", "INTERFACE", 9, lambda row, _: ((row.record.interface, "dim"),), priority=3),
    Column("way", "WAY", 4, lambda row, _: row.record.direction or "", lambda row: row.record.direction, priority=1),
    Column(
        "length",
        "LENGTH",
        8,
        lambda row, _: text.count(row.record.length),
        lambda row: row.record.length,
        descending=True,
        right=True,
        narrow=6,
    ),
    Column("summary", "PACKET", 30, lambda row, _: summary(row), summary, flexible=True),
)


class PacketsScreen(ConsoleScreen):
    """The tail of the packets that a filter screen keeps."""

    CSS_PATH = "packets.tcss"
    NAME = "Packets"
    ALWAYS = (*SWITCHING, *ConsoleScreen.ALWAYS)
    ACTIONS = (
        Action("enter", "enter", "fields", "open", "See the packet's fields and its bytes", 0),
        Action("m", "m", "machine", "machine", "Run the packet through the filter, step by step", 1),
        filter_by("packets with this in their summary, way or interface", 2),
        Action("p", "p", "freeze", "pause", "Freeze the tail, as going up does; again, or end: follow the newest", 3),
        SORT,
        REVERSE,
        Action("e", "e", "export", "export", "Write the packets to a pcap file in the current folder", 4),
        Action("escape", "esc", "back", "back", "Clear the filter, or go back: the filters go on", 0),
    )
    SIGNS: ClassVar[tuple[tuple[str, str], ...]] = (CURSOR, SORTED, CUT, ("TIME", "seconds since the first packet"))

    def __init__(self, interfaces: Sequence[Interface], run: "Run") -> None:
        super().__init__()
        self.interfaces, self.tail = tuple(interfaces), run.tail
        self._filters = run
        self._rows: deque[PacketRow] = deque()
        self._looked = 0
        self._wanted = ""

    def content(self) -> Iterable[Widget]:
        """The tail."""
        yield Table(COLUMNS, attrgetter("number"), AS_THEY_CAME)

    def begin(self) -> None:
        """Show what there is."""
        self.table().focus()
        self.filtered()

    # Following

    @property
    def chronological(self) -> bool:
        """Whether the newest is at the bottom."""
        return self.table().sort == AS_THEY_CAME

    @property
    def frozen(self) -> bool:
        """Whether the tail stands still: somebody went up in it."""
        table = self.table()
        return self.chronological and table.cursor < len(table.rows) - 1

    def packets_arrived(self) -> None:
        """There are more packets."""
        if self.is_current and self.is_mounted and self.children:
            if self.frozen:
                self.show_state()
            else:
                self.filtered()

    def on_screen_resume(self) -> None:
        """What came meanwhile."""
        if self.is_mounted and self.children:
            self.packets_arrived()

    def filtered(self) -> None:
        """Show what the filter leaves, the cursor on the newest unless the tail is frozen."""
        table, frozen = self.table(), self.frozen
        anew = self._wanted != self.prompt.wanted or not self._looked or self.tail.total < self._looked
        if anew:
            self._wanted, self._looked = self.prompt.wanted, 0
            self._rows.clear()
        passed: Sequence[PacketRow] = self.tail.since(self._looked)
        self._looked = self.tail.total
        if self._wanted:
            passed = self.leaves(Haystack(passed, words).matching)
        self._rows.extend(passed)
        oldest = self.tail.rows[0].number if self.tail.rows else 0
        while self._rows and self._rows[0].number < oldest:
            self._rows.popleft()
        table.empty = f"no packet matches {self._wanted}; esc clears the filter" if self._wanted else "no packet yet"
        if self.chronological:
            table.release()
        table.show(list(self._rows), anew=anew)
        if self.chronological and (anew or not frozen):
            table.action_end()
        self.show_state()

    def show_state(self) -> None:
        """The lines around the table."""
        names = ", ".join(one.name for one in self.interfaces[:3])
        left = [((f"Network ▸ {names} ▸ ", "dim"), ("packets", "title"))]
        table, kept = self.table(), len(self.tail.rows)
        said: list[Phrase] = []
        newer = self.tail.total - self._looked
        if self.frozen:
            said.append((f"frozen, {newer:,} newer", "warn"))
        said.append((counted(len(table.rows), kept, "packet"), "strong"))
        figures = self._filters.counted.figures
        if matched := sum(one.matched for one in figures):
            said.append((f"a sample of {max(matched, self.tail.total):,} that matched", "dim"))  # it is read after
        if self.tail.total > kept:
            said.append((f"the first {self.tail.total - kept:,} are forgotten", "dim"))
        if self._filters.ended:
            said.insert(0, (f"{self._filters.ended}; the packets stay", "warn"))
        right: list[Phrase] = [("frozen ‖", "warn") if self.frozen else ("live ●", "good")]
        self.put_lines((left, ()), said, [] if self._filters.ended else right)

    def on_table_moved(self) -> None:
        """Spell the packet out; follow again from the newest on."""
        row: PacketRow | None = self.table().row
        if row is None:
            self.query_one(Detail).show("")
        else:
            moment = datetime.fromtimestamp(row.record.time_ns / 1e9).astimezone()
            kept = len(row.record.data)
            note = f"{moment:%H:%M:%S.%f} · {row.record.length:,} bytes"
            self.query_one(Detail).show(summary(row), note + (f", {kept:,} kept" if kept < row.record.length else ""))
        self.show_state()

    def on_table_sorted(self) -> None:
        """In another order."""
        self.filtered()

    def on_table_chosen(self) -> None:
        """A double click is enter."""
        self.action_open()

    def can(self, name: str) -> bool:
        """What does something now."""
        there = self.is_mounted and self.children and self.table().row is not None
        return bool(there) if name in ("open", "machine", "pause", "export") else True

    # Keys

    def action_pause(self) -> None:
        """Freeze the tail, or follow it."""
        if self.frozen:
            self.table().action_end()
            self.filtered()
        else:
            self.table().action_move(-1)

    def action_open(self) -> None:
        """The packet's fields."""
        row: PacketRow | None = self.table().row
        if row is not None:
            self.app.push_screen(PacketScreen(list(self.table().rows), row.number, self._filters))

    def action_machine(self) -> None:
        """The packet in the machine."""
        row: PacketRow | None = self.table().row
        if row is not None and self._filters.filters:
            self.app.push_screen(MachineScreen(row.record, self._filters.filters))

    def action_export(self) -> None:
        """Write the packets that are shown."""
        records = [row.record for row in self.table().rows]
        self.run_worker(self._export(records))

    async def _export(self, records: Sequence[PacketRecord]) -> None:
        said, bad = await written(self.interfaces[0].name, {"pcap": lambda: pcap.encode(records)})
        self.say(f"{text.plural(len(records), 'packet')} {said}", bad=bad)

    def action_back(self) -> None:
        """Clear the filter, or go back."""
        if not self.clear_filter():
            self.app.pop_screen()
