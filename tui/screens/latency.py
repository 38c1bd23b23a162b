"""How long calls take: percentiles, total and self time of each function, its histogram, and the last minute."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Static

from tui import text
from tui.collectors import histogram
from tui.collectors.samples import Latency, LatencySample
from tui.collectors.sources import Readings
from tui.export.rows import Row
from tui.screens.attached import AttachedScreen
from tui.screens.base import (
    CURSOR,
    CUT,
    FASTER,
    REVERSE,
    SLOWER,
    SORT,
    SORTED,
    counted,
    filter_by,
)
from tui.screens.latencies import Latencies, LatencyRow, calls, document, row_key
from tui.screens.session import Attaching
from tui.screens.spending import OFF
from tui.screens.views import BACK, EXPORT, RESET, SKIPPED, Views
from tui.widgets.actions import Action
from tui.widgets.columns import Column, Sort
from tui.widgets.filter import Haystack
from tui.widgets.histogram import HeatMap, Histogram
from tui.widgets.lines import Detail, Phrase
from tui.widgets.pieces import Cell, cut_middle
from tui.widgets.table import Table

if TYPE_CHECKING:
    from tui.screens.target import Key as FunctionKey

BY = ("function", "process", "thread", "comm")
GROUP = 8  # cells of a group's first word, which it always has
GROUPED = 34  # cells of a name with a group, at least
SLIM, LOW = 100, 30  # cells of width, lines of height, below which there is room for less


def _words(row: LatencyRow) -> str:
    return "\n".join((row.function.name, row.function.raw_name, *row.function.aliases))


def _name(row: LatencyRow) -> str:
    return f"{row.function.name}  {row.group}" if row.group else row.function.name


def _named(row: LatencyRow, width: int) -> Cell:
    """The name and the group. Where there is no room, the group is cut first, down to its number; then the name."""
    if not row.group:
        return cut_middle(row.function.name, width)
    group, name = f"  {row.group}", row.function.name
    least = min(cell_len(group), 2 + min(GROUP, cell_len(row.group.partition(" ")[0])))
    room = max(1, width - least, width - cell_len(group)) if cell_len(name) + cell_len(group) > width else width
    shown = cut_middle(name, room)
    left = width - cell_len(shown)
    if cell_len(group) > left and left == least:
        group = f"  {row.group.partition(' ')[0]}"
    return ((shown, ""), (group, "dim"))


def _self(row: LatencyRow, _: int) -> Cell:
    if not row.latency.returns:
        return (("–", "dim"),)
    shown = text.duration(row.latency.net_ns)
    return ((f"~{shown}", "dim"),) if row.latency.doubtful else shown


def _duration(row: LatencyRow, value: int) -> Cell:
    if not row.latency.returns:
        return (("–", "dim"),)
    return ((f"~{text.duration(value)}", "dim"),) if row.latency.swollen else text.duration(value)


def _time(key: str, title: str, *, priority: int = 0) -> Column[LatencyRow]:
    """A column of durations."""

    def value(row: LatencyRow) -> int:
        found: int = getattr(row, key) if hasattr(row, key) else getattr(row.latency, key)
        return found

    return Column(
        key,
        title,
        8,
        lambda row, _: _duration(row, value(row)),
        value,
        descending=True,
        right=True,
        priority=priority,
    )


COLUMNS: tuple[Column[LatencyRow], ...] = (
    Column(
        "function",
        "FUNCTION",
        24,
        _named,
        lambda row: (row.function.name, row.group),
        flexible=True,
    ),
    Column(
        "calls",
        "CALLS",
        12,
        lambda row, _: text.count(row.latency.calls),
        lambda row: row.latency.calls,
        descending=True,
        right=True,
        narrow=10,
    ),
    _time("min_ns", "MIN", priority=4),
    _time("p50", "P50"),
    _time("p90", "P90", priority=2),
    _time("p99", "P99"),
    _time("max_ns", "MAX", priority=1),
    _time("total_ns", "TOTAL", priority=3),
    Column(
        "self_ns",
        "SELF",
        8,
        _self,
        lambda row: row.latency.net_ns,
        descending=True,
        right=True,
        priority=1,
    ),
    Column(
        "share",
        "SELF %",
        7,
        lambda row, _: f"{100 * row.share:.0f} %" if row.latency.returns else (("–", "dim"),),
        lambda row: row.share,
        descending=True,
        right=True,
        priority=5,
    ),
)


def _probes(latency: Latency) -> str:
    """What probes take of each time, in words."""
    if latency.swollen and latency.children:
        return f"~ probes of what it calls take {text.duration(latency.each_probe_ns)} of each time"
    return f"the probe takes {text.duration(latency.floor_ns)} of each time" if latency.floor_ns else ""


class LatencyScreen(AttachedScreen[LatencySample]):
    """Times functions as long as it lives."""

    VIEW = "latency"
    DOING = "timed"
    CSS_PATH = "latency.tcss"
    NAME = "Latency"
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (SLIM, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (LOW, "-high")]
    ACTIONS = (
        filter_by("functions with this in their name", 4),
        SORT,
        REVERSE,
        Action("p", "p", "pause", "pause", "Stop painting, not timing; on return the numbers are current", 1),
        FASTER,
        SLOWER,
        RESET,
        Action(
            "h", "h", "heat map", "heat", "Show the last readings instead of the histogram, where both don't fit", 6
        ),
        Action("b", "b", "by", "by", "Tell processes, threads or their names apart, in turn; times begin anew", 7),
        EXPORT,
        SKIPPED,
        BACK,
    )
    SIGNS: ClassVar[tuple[tuple[str, str], ...]] = (
        CURSOR,
        OFF,
        SORTED,
        CUT,
        ("SELF", "time that no other timed function took, nor a probe; ~ where that is uncertain"),
        ("░ bars", "shorter than what the probe itself takes"),
        ("·░▒▓█", "few to many calls: time from left to right"),
        ("P50 …", "half of the calls took less; at most 1/16 off"),
    )

    def __init__(self, views: Views) -> None:
        super().__init__(views)
        self.latencies = Latencies()
        self._by = BY[0]
        self._named: tuple[object, object] = ((), ())  # for what there is room
        self._off: set[FunctionKey] = set()

    def attach(self) -> Attaching[Readings[LatencySample]]:
        """Time them."""
        return self.sources.latency(self.target.pid, self.modules, self.asked, self._by)

    def content(self) -> Iterable[Widget]:
        """The table, the histogram, the last minute; or why there is none."""
        table: Table[LatencyRow] = Table(COLUMNS, row_key, Sort("self_ns", True), mark=self._mark, shade=self._shade)
        table.empty = self.busy
        with Horizontal(id="views"):
            with Vertical(id="left"):
                yield table
                yield HeatMap(id="heat")
            yield Histogram(id="bars")
        yield Static(id="failure", markup=False)

    def _shade(self, row: LatencyRow) -> str:
        return "dim" if self._mark(row) else ""

    def _mark(self, row: LatencyRow) -> str:
        return OFF[0] if row.key[:2] in self._off else ""

    @property
    def calls_seen(self) -> int:
        """How many calls were seen."""
        return calls(self.sample) if self.sample else 0

    def take(self, sample: LatencySample) -> None:
        """Note the figures."""
        self.latencies.take(sample)

    # Painting

    def filtered(self) -> None:
        """Show what the filter leaves."""
        if self.sample is not None:
            self._off = self.off
            rows: Sequence[LatencyRow] = self.latencies.rows()
            if self._named != (self.sample.functions, self.sample.groups):
                self._named = (self.sample.functions, self.sample.groups)
                self.table().limit("function", max((cell_len(_name(row)) for row in rows), default=20))
            if self.prompt.wanted:
                rows = self.leaves(Haystack(rows, _words).matching)
            self.table().empty = f"no function matches {self.prompt.wanted}; esc clears the filter"
            self.table().show(rows)
            self._show_row()
        self.show_state()

    def _show_row(self) -> None:
        """The histogram and the last minute of the function under the cursor."""
        row: LatencyRow | None = self.table().row
        if row is None:
            return
        self.query_one(Histogram).show(
            f"{text.count(row.latency.returns)} calls since the start",
            histogram.powers(row.latency.buckets),
            row.latency.floor_ns,
        )
        heat = self.latencies.heat(row.key)
        self.query_one(HeatMap).show(
            f"last {len(heat)} readings" if len(heat) > 1 else f"the last reading{'s' * (not heat)}", heat
        )

    def figures(self) -> list[Phrase]:
        """What the state line says of the numbers."""
        phrases: list[Phrase] = []
        if self.prompt.wanted:
            phrases.append((counted(len(self.table().rows), self.count, "function"), "strong"))
        if self._by != BY[0]:
            phrases.append((f"by {self._by} (b)", "accent"))
        if not self.ended:
            phrases.append((f"{text.rate(self.latencies.per_second)} calls/s", "strong"))
        for name, what, role in (("untimed", "not timed", "warn"), ("unmatched", "unmatched", "warn")):
            if number := self.latencies.total(name):
                phrases.append((f"{number:,} {what}", role))
        phrases.append((f"{self.latencies.total('calls'):,} calls", ""))
        if in_flight := self.latencies.total("in_flight"):
            phrases.append((f"{in_flight:,} in flight", "dim"))
        return phrases

    def _note(self, row: LatencyRow) -> str:
        """What is to be said of a row."""
        notes = [
            row.group,
            f"{row.function.module} · {row.function.address:x}",
            _probes(row.latency),
            f"~ of {text.plural(row.latency.mixed, 'call')} it has others' time in it" if row.latency.mixed else "",
            self.suspended.get(row.function, ""),
        ]
        return " · ".join(filter(None, notes))

    def on_table_moved(self) -> None:
        """Spell the function's name out, and show its times."""
        row: LatencyRow | None = self.table().row
        self.query_one(Detail).show(row.function.name if row else "", self._note(row) if row else "")
        self._show_row()
        self.show_keys()

    def clock(self) -> list[Phrase]:
        """How long it has run, and since when the figures count."""
        if self.sample is None or not self.latencies.was_reset:
            return super().clock()
        return [(f"since reset {text.clock(self.sample.elapsed - self.latencies.since)}", "dim"), *super().clock()]

    def document(self) -> Row:
        """What an export says."""
        return document(self.target, self.latencies, self.skipped)

    def can(self, name: str) -> bool:
        """The heat map is called for only where it isn't shown anyway."""
        small = self.has_class("-slim") or self.has_class("-low")
        return small if name == "heat" else super().can(name)

    def action_heat(self) -> None:
        """The last readings instead of the histogram, or the other way round."""
        self.toggle_class("-heat")

    def action_reset(self) -> None:
        """Time from here."""
        self.latencies.reset()
        self.filtered()

    def action_by(self) -> None:
        """Tell calls apart in another way, from now on."""
        self._by = BY[(BY.index(self._by) + 1) % len(BY)]
        self.latencies = Latencies()
        self._named = ((), ())
        name = COLUMNS[0] if self._by == BY[0] else COLUMNS[0]._replace(width=GROUPED)
        self.table().use((name, *COLUMNS[1:]), {})
        self.reopen()
