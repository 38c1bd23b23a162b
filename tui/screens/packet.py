"""One packet: its layers and fields, and its bytes, in which those of the field under the cursor stand out."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from textual.containers import Horizontal
from textual.widget import Widget

from tui.collectors import packet_text
from tui.collectors.samples import PacketRecord
from tui.export import pcap
from tui.screens.base import CURSOR, CUT, ConsoleScreen
from tui.screens.exporting import written
from tui.screens.machine import MachineScreen
from tui.screens.modes import SWITCHING
from tui.screens.packet_tail import PacketRow, summary
from tui.widgets.actions import Action
from tui.widgets.bytes import Bytes
from tui.widgets.columns import Column, Sort
from tui.widgets.lines import Detail
from tui.widgets.pieces import Cell
from tui.widgets.table import Table

if TYPE_CHECKING:
    from tui.screens.filter_run import Run

SLIM: Final = 116  # cells, below which fields and bytes are above each other


class FieldRow(NamedTuple):
    """A layer, or a field of it."""

    number: int
    layer: str
    name: str  # "" for the layer itself
    value: str
    offset: int
    size: int


def field_rows(record: PacketRecord) -> list[FieldRow]:
    """What the packet is made of."""
    rows: list[FieldRow] = []
    for layer in packet_text.layers(record):
        size = f"{layer.size:,} {'byte' if layer.size == 1 else 'bytes'} at {layer.offset:,}"
        rows.append(FieldRow(len(rows), layer.name, "", size, layer.offset, layer.size))
        for field in layer.fields:
            rows.append(FieldRow(len(rows), layer.name, field.name, field.value, field.offset, field.size))
    return rows


def _name(row: FieldRow, _: int) -> Cell:
    return f"  {row.name}" if row.name else ((row.layer, "title"),)


COLUMNS: Final[tuple[Column[FieldRow], ...]] = (
    Column("name", "FIELD", 24, _name, middle=True, narrow=20),
    Column("value", "VALUE", 12, lambda row, _: row.value if row.name else ((row.value, "dim"),), flexible=True),
)


class PacketScreen(ConsoleScreen):
    """The fields of one of several packets."""

    CSS_PATH = "packet.tcss"
    NAME = "Packet"
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (SLIM, "-wide")]
    ALWAYS = (*SWITCHING, *ConsoleScreen.ALWAYS)
    ACTIONS = (
        Action("enter,m", "enter", "machine", "machine", "Run the packet through the filter, step by step; m too", 0),
        Action("right,n", "← →", "next", "other(1)", "The next packet, or the one before; n and N too", 1),
        Action("left,N", "←", "before", "other(-1)", "The packet before", 10, listed=False),
        Action("e", "e", "export", "export", "Write this packet to a pcap file in the current folder", 3),
        Action("escape", "esc", "back", "back", "Back to the packets", 0),
    )
    SIGNS = (CURSOR, CUT)

    def __init__(self, rows: Sequence[PacketRow], number: int, run: "Run") -> None:
        """`number`: of the packet that is shown first."""
        super().__init__()
        self.rows = rows
        self.at = next((at for at, row in enumerate(rows) if row.number == number), 0)
        self._filters = run

    @property
    def record(self) -> PacketRecord:
        """The packet."""
        return self.rows[self.at].record

    def content(self) -> Iterable[Widget]:
        """Fields and bytes."""
        with Horizontal(id="views"):
            yield Table(
                COLUMNS, lambda row: (row.layer, row.name, row.number), Sort("", False), arrange=lambda rows, _: rows
            )
            yield Bytes()

    def begin(self) -> None:
        """Show it."""
        self.table().focus()
        self._show()

    def _show(self) -> None:
        table = self.table()
        table.empty = "nothing of this packet was kept"
        table.show(field_rows(self.record), anew=True)
        self.show_state()

    def show_state(self) -> None:
        """The lines around the fields."""
        row = self.rows[self.at]
        place = f"packet {self.at + 1:,} of {len(self.rows):,}"
        left = [((f"Network ▸ {row.record.interface} ▸ ", "dim"), (place, "title"))]
        kept = len(row.record.data)
        cut = f"{kept:,} of them kept" if kept < row.record.length else ""
        way = {"in": "came in", "out": "went out"}.get(row.record.direction, "")
        self.put_lines(
            (left, [(f"{row.at:.6f} s", "strong")]), [(summary(row), "strong")], [(cut, "warn"), (way, "dim")]
        )

    def on_table_moved(self) -> None:
        """Its bytes stand out."""
        row: FieldRow | None = self.table().row
        marked = (row.offset, row.size) if row else (0, 0)
        self.query_one(Bytes).show(self.record.data, marked)
        if row is not None:
            where = (
                f"{row.size:,} {'byte' if row.size == 1 else 'bytes'} at {row.offset:,}"
                if row.size
                else "not in the bytes"
            )
            self.query_one(Detail).show(f"{row.layer} ▸ {row.name}: {row.value}" if row.name else row.layer, where)
        self.show_keys()

    def can(self, name: str) -> bool:
        """What does something now."""
        if name == "machine":
            return bool(self._filters.filters)
        return len(self.rows) > 1 if name.startswith("other") else True

    def action_other(self, step: int) -> None:
        """Another packet."""
        self.at = max(0, min(self.at + step, len(self.rows) - 1))
        self._show()

    def action_machine(self) -> None:
        """The packet in the machine."""
        self.app.push_screen(MachineScreen(self.record, self._filters.filters))

    def action_export(self) -> None:
        """Write it."""
        self.run_worker(self._export(self.record))

    async def _export(self, record: PacketRecord) -> None:
        said, bad = await written(record.interface, {"pcap": lambda: pcap.encode([record])})
        self.say(said, bad=bad)

    def action_back(self) -> None:
        """Back to the packets."""
        self.app.pop_screen()
