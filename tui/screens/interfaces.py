"""The network mode's first screen: the interfaces of this machine, live, and which of them to filter on."""

from collections.abc import AsyncIterator, Iterable
from importlib import import_module

from textual.events import Key
from textual.widget import Widget

from tui import text
from tui.collectors.samples import Interface, InterfacesSample
from tui.screens.base import CURSOR, CUT, FASTER, MARKED, REVERSE, SLOWER, SORT, SORTED, counted, filter_by
from tui.screens.interface_rows import COLUMNS, InterfaceRow, Traffic, limits, row_key, spelt, words
from tui.screens.top import CLEAR, PAUSE, TopScreen
from tui.widgets.actions import Action
from tui.widgets.columns import Sort
from tui.widgets.filter import Haystack
from tui.widgets.lines import Detail, Phrase
from tui.widgets.table import Table

OPEN = Action("enter", "enter", "packets", "open", "Filter packets of the marked interfaces, or of this one", 0)
ATTACHED = Action("a", "a", "attached", "attached", "Go to the BPF that is attached to the interface", 10)
SOON = 0.3  # seconds
READING = "reading network interfaces …"
UNITS = ("b/s p/s", "bits and packets a second; bits with the headers of the link")
VIRTUAL = ("(veth)", "no device is behind it, and so no driver: what the kernel calls it")
GREW = ("▲", "there were more in the last 60 seconds")


class InterfacesScreen(TopScreen[InterfacesSample]):
    """All network interfaces; enter filters packets of those that are marked, or of the one under the cursor."""

    CSS_PATH = "interfaces.tcss"
    NAME = "Network"
    MODE = "network"
    ACTIONS = (
        OPEN,
        Action("space", "space", "mark", "mark", "Mark the interface, to filter on several; or unmark it", 2),
        filter_by("what has this in name, state, addresses, driver or kind", 1),
        SORT._replace(rank=3),
        REVERSE,
        ATTACHED,
        PAUSE,
        FASTER,
        SLOWER,
        CLEAR,
    )
    SIGNS = (CURSOR, MARKED, UNITS, VIRTUAL, GREW, SORTED, CUT)

    def __init__(self) -> None:
        super().__init__()
        self.marked: set[int] = set()  # their numbers
        self._traffic = Traffic()
        self._limits: dict[str, int] = {}
        self._early = False  # enter came before the first reading

    def begin(self) -> None:
        """Show them; what enter leads to is loaded meanwhile, so that it opens at once."""
        super().begin()
        self.set_timer(SOON, lambda: import_module("tui.screens.filter"))

    @property
    def ready(self) -> bool:
        """Whether keys can act; until then they wait."""
        return super().ready and not self._early

    def types(self, key: Key) -> bool:
        """Type a character of the filter; an enter that comes before the first reading waits for it, too."""
        if key.key == "enter" and not (self._latest or self.failure or self.prompt.typing):
            self._early = True
            return True
        return super().types(key)

    def content(self) -> Iterable[Widget]:
        """The table."""
        table: Table[InterfaceRow] = Table(
            COLUMNS, row_key, Sort("rx", True), mark=lambda row: "●" if row_key(row) in self.marked else ""
        )
        table.empty = READING
        yield table

    def samples(self) -> AsyncIterator[InterfacesSample]:
        """All interfaces, again and again."""
        return self.sources.interfaces(self.interval)

    def take(self, sample: InterfacesSample) -> None:
        """Note the totals; marks of what is gone go, too."""
        self._traffic.add(sample)
        self.marked &= {one.ifindex for one in sample.interfaces}

    def show_latest(self) -> None:
        """Paint the last reading, or that it is paused."""
        super().show_latest()
        if self._early:
            self._early = False
            self.action_open()
            self.take_keys()

    def on_top_screen_failed(self, event: TopScreen.Failed) -> None:
        """Say it; keys that waited for a reading act."""
        super().on_top_screen_failed(event)
        self._early = False
        self.take_keys()

    def filtered(self) -> None:
        """Show what the filter leaves."""
        if self._sample is not None:
            rows = self._traffic.rows(self._sample.interfaces)
            table = self.table()
            for key, cells in limits(rows).items():  # never less than before: columns don't jump to and fro
                self._limits[key] = max(cells, self._limits.get(key, 0))
                table.limit(key, self._limits[key])
            table.empty = f"no interface matches {self.prompt.wanted}; esc clears the filter"
            table.show(self.leaves(Haystack(rows, words).matching))
        self.show_state()

    def state(self) -> list[Phrase]:
        """How many there are, and how many of them work."""
        if self._sample is None:
            return [(READING, "dim")]
        interfaces = self._sample.interfaces
        up = sum(one.state == "up" for one in interfaces)
        return [
            (counted(len(self.table().rows), len(interfaces), "interface"), "strong"),
            (f"● {len(self.marked):,} marked" if self.marked else "", "accent"),
            (f"{text.count(up)} up", ""),
        ]

    @property
    def chosen(self) -> tuple[Interface, ...]:
        """The marked interfaces; where none is, the one under the cursor."""
        everywhere = self._latest.interfaces if self._latest else ()
        marked = tuple(one for one in everywhere if one.ifindex in self.marked)
        row = self.table().row
        return marked or ((row.interface,) if row else ())

    def can(self, name: str) -> bool:
        """What does something now."""
        return self.table().row is not None if name in ("open", "mark", "attached") else super().can(name)

    def on_table_moved(self) -> None:
        """Spell the row out."""
        row = self.table().row
        self.query_one(Detail).show(spelt(row) if row else "")
        self.show_keys()

    def on_table_chosen(self) -> None:
        """A double click is enter."""
        if self.can("open"):
            self.action_open()

    def action_open(self) -> None:
        """Filter packets."""
        if self.chosen:
            self._go_on()
            self.console.open_packets(self.chosen)

    def action_attached(self) -> None:
        """Go to what is attached to the interface under the cursor."""
        row = self.table().row
        if row is not None:
            self._go_on()
            self.console.open_attachments(row.interface.name)

    def action_mode(self, name: str) -> None:
        """Go to another mode."""
        self._go_on()
        super().action_mode(name)

    def _go_on(self) -> None:
        """Whoever leaves finds what is there when coming back, not what was there when it was paused."""
        self.paused = False

    def action_mark(self) -> None:
        """Mark or unmark, and go on to the next."""
        row = self.table().row
        if row is not None:
            self.marked ^= {row_key(row)}
            self.table().action_move(1)
            self.table().repaint()
            self.show_state()
