"""All BPF maps, live: how full they are, what they take, who uses them; enter shows what is in one."""

from collections.abc import AsyncIterator, Iterable, Sequence

from textual.widget import Widget

from tui import text
from tui.collectors.maps import MapsSample
from tui.screens.above import BACK, AboveScreen
from tui.screens.base import CURSOR, CUT, FASTER, REVERSE, SLOWER, SORT, SORTED, counted, filter_by
from tui.screens.map_rows import COLUMNS, Filling, Growth, name_limit, row_key, spelt, words
from tui.screens.top import PAUSE
from tui.widgets.actions import Action
from tui.widgets.columns import Sort
from tui.widgets.filter import Haystack
from tui.widgets.lines import Detail, Phrase
from tui.widgets.table import Table

OPEN = Action("enter", "enter", "entries", "open", "Show what is in the map", 0)
WAYS = (
    Action("a", "a", "attached", "attachments", "Go to what is attached where", 4),
    Action("l", "l", "load", "load", "Load a program of your own, or one of the library", 4),
)
READING = "reading maps …"
NOBODY = "there are no BPF maps: load a program that has one, and it appears here"
SIGNS = (
    ("–", "how many entries it has can't be told, or wasn't counted yet"),
    ("12+", "there are more: entries are counted up to 10,000 a reading, of all maps together"),
    ("▲97", "nearly full: what programs add is about to be refused (LRU maps make room by themselves)"),
    ("ours", "bpfscope holds it"),
)


class MapsScreen(AboveScreen[MapsSample]):
    """The list of maps."""

    CSS_PATH = "maps.tcss"
    NAME = "Maps"
    ACTIONS = (
        OPEN,
        *WAYS,
        filter_by("maps that have this in name, type, number, programs or holders", 1),
        SORT._replace(rank=3),
        REVERSE,
        PAUSE,
        FASTER,
        SLOWER,
        BACK,
    )
    SIGNS = (CURSOR, *SIGNS, SORTED, CUT)

    def __init__(self) -> None:
        super().__init__()
        self._growth = Growth()
        self._widest = 0

    def content(self) -> Iterable[Widget]:
        """The table."""
        table: Table[Filling] = Table(COLUMNS, row_key, Sort("memory", True))
        table.empty = READING
        yield table

    def samples(self) -> AsyncIterator[MapsSample]:
        """All maps, again and again."""
        return self.sources.maps(self.interval)

    def take(self, sample: MapsSample) -> None:
        """Note how many entries there are."""
        self._growth.add(sample)

    def filtered(self) -> None:
        """Show what the filter leaves."""
        if self._sample is not None:
            wanted = self.prompt.wanted
            self.table().empty = f"no map matches {wanted}; esc clears the filter" if self._sample.maps else NOBODY
            rows = self._growth.rows(self._sample.maps)
            self._widest = max(self._widest, name_limit(rows))  # columns don't jump to and fro
            self.table().limit("name", self._widest)
            self.table().show(self.leaves(Haystack(rows, words).matching))
        self.show_state()

    def where(self) -> Sequence[str]:
        """Above the programs."""
        return ("BPF", "Maps")

    def state(self) -> list[Phrase]:
        """How many there are, what they take, and how many are nearly full."""
        if self._sample is None:
            return [(READING, "dim")]
        maps = self._sample.maps
        full = sum(row.nearly_full for row in maps)
        return [
            (counted(len(self.table().rows), len(maps), "map"), "strong"),
            (f"{text.size(sum(row.memory for row in maps))} of memory in all", ""),
            (f"▲ {full} nearly full" if full else "", "warn"),
        ]

    def can(self, name: str) -> bool:
        """What does something now."""
        return self.table().row is not None if name == "open" else super().can(name)

    def on_table_moved(self) -> None:
        """Spell the row out."""
        row = self.table().row
        now = self._sample.time if self._sample else 0.0
        self.query_one(Detail).show(spelt(row, now) if row else "")
        self.show_keys()

    def on_table_chosen(self) -> None:
        """A double click is enter."""
        if self.can("open"):
            self.action_open()

    def action_attachments(self) -> None:
        """Go to what is attached where."""
        self.console.open_attachments()

    def action_load(self) -> None:
        """Go to programs of the user's own."""
        self.console.open_load()

    def action_open(self) -> None:
        """Show what is in it."""
        if row := self.table().row:
            self.paused = False
            self.console.open_map(row.row.map.id)
