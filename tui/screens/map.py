"""One BPF map, live: its entries decoded by their types, each number with its rate; histograms drawn as such."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Final

from textual.containers import Horizontal
from textual.widget import Widget

from tui import text
from tui.collectors import map_histograms
from tui.collectors.entries import Entry, MapSample
from tui.collectors.map_histograms import LINEAR, POWERS
from tui.collectors.map_values import is_zero
from tui.errors import BpfscopeError
from tui.export import map_rows
from tui.screens.above import BACK, AboveScreen
from tui.screens.base import CURSOR, CUT, FASTER, REVERSE, SLOWER, SORT, SORTED, filter_by
from tui.screens.entry_rows import columns, figure_of, first_sort, limits, row_key, spelt, words
from tui.screens.entry_view import KEY, View
from tui.screens.exporting import written
from tui.screens.map_words import about, read_so_far
from tui.screens.pace import Pace
from tui.screens.top import PAUSE
from tui.widgets.actions import Action
from tui.widgets.columns import Sort
from tui.widgets.filter import Haystack
from tui.widgets.histogram import Histogram
from tui.widgets.lines import Detail, Phrase
from tui.widgets.table import Table

READING: Final = "reading the map …"
_NARROW: Final = 90  # cells of width, below which a histogram takes the table's place
_SCALES: Final = ("", POWERS, LINEAR)
_READING: Final = ("pause", "faster", "slower")  # of no use where nothing is read any more
_DOING: Final = (*_READING, "filter", "sort", "sort_reverse")  # where nothing was
SIGNS: Final = (
    ("/S", "how much the number on its left grows a second"),
    ("{ }", "what has types (BTF) is shown by them; without, numbers are unsigned and the rest is bytes or text"),
    ("?", "there is nothing to show: a type without a size, or CPUs that don't agree"),
)


class MapScreen(AboveScreen[MapSample]):
    """What is in one map."""

    CSS_PATH = "map.tcss"
    NAME = "Map"
    ACTIONS = (
        Action("enter", "enter", "open", "open", "Go to the program or map that this entry is", 0),
        filter_by("entries that have this in key or value", 1),
        SORT._replace(rank=3),
        REVERSE,
        Action("a", "a", "read all", "scan", "Read all entries now; the largest by the sorted figure stay shown", 2),
        Action("A", "A", "first entries", "first", "Show the first entries again, as they come", 2),
        Action("h", "h", "histogram", "histogram", "Draw it as a histogram by powers of two; linear; or not", 4),
        Action("z", "z", "zeros", "zeros", "Hide entries that are all zero; or show them", 6),
        Action("x", "x", "bytes", "raw", "Show keys and values as bytes; or decoded", 7),
        Action("r", "r", "reset", "reset", "Count from nought from now on; once more: the map's own figures", 6),
        Action("u", "u", "program", "user", "Go to the first program that uses the map", 5),
        Action("e", "e", "export", "export", "Write the entries to a JSON file in the current folder", 8),
        PAUSE,
        FASTER,
        SLOWER,
        BACK,
    )
    SIGNS = (CURSOR, *SIGNS, SORTED, CUT)

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self._view = View()
        self._written = Pace()  # bytes of a ring buffer
        self._scale: str | None = None  # as the map suggests
        self._hides_zeros = False
        self._sorted = False  # by somebody, or as the first entries suggest
        self._scanning = ""

    def content(self) -> Iterable[Widget]:
        """The entries, and a histogram beside them where they are one."""
        table: Table[Entry] = Table(columns(self._view, "KEY"), row_key, Sort(KEY, False))
        table.empty = READING
        with Horizontal(id="views"):
            yield table
            yield Histogram(id="bars")

    def begin(self) -> None:
        """Begin with the one map."""
        self._watching = self.sources.entries(self.number)
        super().begin()

    def samples(self) -> AsyncIterator[MapSample]:
        """The map, again and again."""
        return self._watching.readings(self.interval)

    def start(self) -> None:
        """Read, unless the map is gone: its last entries stay."""
        if not (self._latest and self._latest.ended):
            super().start()

    def take(self, sample: MapSample) -> None:
        """Note rates; entries of another shape have other columns."""
        if sample.ended:
            return
        if sample.ring:
            self._written.take(sample.time, sample.ring.produced, 0.0)
        if self._view.take(sample):
            self._lay_out(sample)

    def _lay_out(self, sample: MapSample) -> None:
        title = sample.layout.key_type.upper() if sample.layout.key_type in ("prefix", "thread", "cgroup") else "KEY"
        table = self.table()
        if not self._sorted:
            self._sorted = True
            table.sort = first_sort(self._view, ordered=sample.ordered)
        table.use(columns(self._view, title), limits(self._view))

    def filtered(self) -> None:
        """Show what the filter leaves."""
        sample = self._sample
        if sample is not None:
            shown: Sequence[Entry] = sample.entries
            if self._hides_zeros:
                shown = [entry for entry in shown if not is_zero(entry.value)]
            table = self.table()
            table.empty = self._nothing(sample)
            table.show(self.leaves(Haystack(shown, words).matching))
            self._draw()
        self.show_state()

    def _nothing(self, sample: MapSample) -> str:
        """Why there are no rows."""
        if sample.note:
            return sample.note
        if not sample.entries:
            return "the map is empty" if not sample.ended else "it was empty"
        zeros = "all entries that are left are zero: z shows them" if self._hides_zeros else ""
        return f"no entry matches {self.prompt.wanted}; esc clears the filter" if self.prompt.is_open else zeros

    def _draw(self) -> None:
        """The histogram beside the table, where there is one."""
        found = map_histograms.found(self._sample, self.table().row) if self._sample else None
        scale = self._scale if self._scale is not None else POWERS if found and found.sure else ""
        found = found if scale else None
        self.set_class(bool(found), "-bars")
        self.set_class(self.size.width < _NARROW, "-slim")
        if found:
            drawn = map_histograms.bars(found.slots, found.first, scale)
            title = f"{found.title}  {sum(found.slots):,}  {scale}"
            self.query_one(Histogram).show(title, drawn, span=_span)

    def on_resize(self) -> None:
        """Another width has room for other views."""
        self._draw()

    # What is said

    def where(self) -> Sequence[str]:
        """Below the maps."""
        name = self._sample.map.name if self._sample else ""
        return ("BPF", "Maps", f"{name or 'map'} {self.number}")

    def what(self) -> list[Phrase]:
        """The map's type and its entries' types."""
        return about(self._sample) if self._sample else []

    def state(self) -> list[Phrase]:
        """How many entries, how they were read, who uses the map."""
        sample = self._sample
        if sample is None:
            return [(READING, "dim")]
        users = ", ".join(user.shown for user in sample.users)
        holders = ", ".join(f"{holder.name} {holder.pid}" for holder in sample.holders)
        return [
            (sample.ended, "warn"),
            *(
                [(self._scanning, "warn")]
                if self._scanning
                else read_so_far(sample, len(self.table().rows), self._written.said("bytes"))
            ),
            (text.size(sample.memory), ""),
            ("since the reset" if self._view.is_reset else "", "accent"),
            (sample.layout.note, "warn"),
            (f"used by {users}" if users else "", ""),
            (f"held by {holders}" if holders else "", "dim"),
        ]

    # Keys

    def can(self, name: str) -> bool:
        """What does something now."""
        sample, row = self._sample, self.table().row
        if name == "open":
            return row is not None and self._leads_to(row) is not None
        over = sample.ended if sample else self.failure
        if over and name in (_READING if sample else _DOING):
            return False
        needed = _NEEDS.get(name)
        return super().can(name) if needed is None else sample is not None and needed(self, sample, row)

    def can_scan(self, sample: MapSample) -> bool:
        """Whether there is more to read, and nobody reads it."""
        return not sample.ended and not self._scanning and (not sample.complete or sample.scan is not None)

    def _leads_to(self, row: Entry) -> tuple[str, int] | None:
        """What an entry is the number of, where the console can show it: a program or a map."""
        if isinstance(row.value, dict):
            for noun in ("program", "map"):
                number = row.value.get(noun)
                if isinstance(number, int) and number:
                    return noun, number
        return None

    def on_table_moved(self) -> None:
        """Spell the row out; it may have a histogram."""
        row = self.table().row
        self.query_one(Detail).show(spelt(row, self._sample.cpus) if row and self._sample else "")
        self._draw()
        self.show_keys()

    def on_table_chosen(self) -> None:
        """A double click is enter."""
        if self.can("open"):
            self.action_open()

    def action_open(self) -> None:
        """Go to the program or map."""
        row = self.table().row
        if row and (target := self._leads_to(row)):
            open_it = self.console.open_program if target[0] == "program" else self.console.open_map
            open_it(target[1])

    def action_scan(self) -> None:
        """Read everything, once."""
        self._scanning = "reading all entries …"
        self.show_state()
        self.run_worker(self._scan(figure_of(self.table().sort, self._view)), group="scan", exclusive=True)

    async def _scan(self, by: str) -> None:
        try:
            await self._watching.scan(by)
        except BpfscopeError as error:
            self.say(str(error), bad=True)
        finally:
            self._scanning = ""
        self.start()

    def action_first(self) -> None:
        """The first entries again."""
        self.run_worker(self._forget(), group="scan", exclusive=True)

    async def _forget(self) -> None:
        await self._watching.forget_scan()
        self.start()

    def action_histogram(self) -> None:
        """By powers of two, linear, or not at all."""
        shown = self._scale if self._scale is not None else POWERS if self.has_class("-bars") else ""
        self._scale = _SCALES[(_SCALES.index(shown) + 1) % len(_SCALES)]
        self._draw()

    def action_zeros(self) -> None:
        """Hide entries that are all zero, or show them."""
        self._hides_zeros = not self._hides_zeros
        self.filtered()

    def action_raw(self) -> None:
        """Bytes, or decoded."""
        self._view.raw = not self._view.raw
        if self._sample:
            self._lay_out(self._sample)
        self.filtered()

    def action_user(self) -> None:
        """Go to a program that uses it."""
        if self._sample and self._sample.users:
            self.console.open_program(self._sample.users[0].id)

    def action_export(self) -> None:
        """Write what was read last."""
        if self._latest:
            self.run_worker(self._write(self._latest), group="export")

    async def _write(self, sample: MapSample) -> None:
        said, bad = await written(f"map-{self.number}", {"json": lambda: map_rows.document(sample)})
        self.say(said, bad=bad)

    def action_reset(self) -> None:
        """From nought, or the map's own figures."""
        if self._view.is_reset:
            self._view.undo_reset()
        elif self._latest:
            self._view.reset(self._latest)
        self.filtered()


_NEEDS: Final[dict[str, Callable[[MapScreen, MapSample, Entry | None], bool]]] = {
    "scan": lambda screen, sample, _: screen.can_scan(sample),
    "first": lambda _, sample, __: sample.scan is not None,
    "histogram": lambda _, sample, row: map_histograms.found(sample, row) is not None,
    "user": lambda _, sample, __: bool(sample.users),
} | dict.fromkeys(("zeros", "raw", "reset", "export"), lambda _, sample, __: bool(sample.entries))


def _span(low: int, high: int) -> str:
    """A bar's numbers, of any unit; large ones in few letters."""
    return f" {text.span(low, high, lambda number: text.count(number) if number < 100_000 else text.rate(number))}"
