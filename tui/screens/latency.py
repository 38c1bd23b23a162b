"""How long calls take: percentiles, total and self time of each function, its histogram, and the last minute."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from tui import text
from tui.collectors import histogram
from tui.collectors.samples import LatencySample
from tui.collectors.sources import Attached, Timing
from tui.elf.names import Function, Module
from tui.errors import BpfscopeError
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
from tui.screens.latencies import Latencies, LatencyRow, row_key
from tui.screens.session import Session
from tui.screens.target import Target, sentence
from tui.widgets.actions import Action
from tui.widgets.columns import Column, Sort
from tui.widgets.filter import Haystack
from tui.widgets.histogram import HeatMap, Histogram
from tui.widgets.lines import Detail, Phrase
from tui.widgets.table import Table

SLIM, LOW = 100, 30  # cells of width, lines of height, below which there is room for less


def _words(row: LatencyRow) -> str:
    return "\n".join((row.function.name, row.function.raw_name, *row.function.aliases))


def _time(key: str, title: str, *, priority: int = 0) -> Column[LatencyRow]:
    """A column of durations."""

    def value(row: LatencyRow) -> int:
        found: int = getattr(row, key) if key in LatencyRow._fields else getattr(row.latency, key)
        return found

    return Column(
        key,
        title,
        8,
        lambda row, _: text.duration(value(row)) if row.latency.returns else (("–", "dim"),),
        value,
        descending=True,
        right=True,
        priority=priority,
    )


COLUMNS: tuple[Column[LatencyRow], ...] = (
    Column(
        "function",
        "FUNCTION",
        20,
        lambda row, _: row.function.name,
        lambda row: row.function.name,
        middle=True,
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
    _time("p90", "P90", priority=1),
    _time("p99", "P99"),
    _time("max_ns", "MAX", priority=1),
    _time("total_ns", "TOTAL", priority=3),
    _time("self_ns", "SELF", priority=2),
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


class LatencyScreen(AttachedScreen):
    """Times functions as long as it lives."""

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
        Action("x", "x", "skipped", "skipped", "List the functions that could not be timed, with reasons", 6),
        Action("escape", "esc", "back", "back", "Clear the filter, or detach everything and go back", 0),
    )
    SIGNS: ClassVar[tuple[tuple[str, str], ...]] = (
        CURSOR,
        SORTED,
        CUT,
        ("SELF", "time that no other timed function took"),
        ("·░▒▓█", "few to many calls: time from left to right"),
        ("P50 …", "half of the calls took less; at most 1/16 off"),
    )

    class Opened(Message):
        """Functions are timed."""

        def __init__(self, attached: Attached) -> None:
            super().__init__()
            self.attached = attached

    class Refused(Message):
        """Nothing can be timed, or read any more."""

        def __init__(self, reason: str) -> None:
            super().__init__()
            self.reason = reason

    class Arrived(Message):
        """A new reading; an older one that still waits is dropped."""

        def __init__(self, sample: LatencySample) -> None:
            super().__init__()
            self.sample = sample

        def can_replace(self, message: Message) -> bool:
            """Only the last reading matters: it has the totals."""
            return isinstance(message, LatencyScreen.Arrived)

    def __init__(self, target: Target, modules: Sequence[Module], functions: Sequence[Function]) -> None:
        super().__init__(target, modules, functions)
        self.busy = f"attaching {text.plural(len(functions), 'function')} …"
        self.latencies = Latencies()
        self._timing: Timing | None = None

    @property
    def ended(self) -> str:
        """Why the target can't be called any more."""
        return self.latencies.sample.ended if self.latencies.sample else ""

    @property
    def count(self) -> int:
        """How many functions are timed, or are about to be."""
        sample = self.latencies.sample
        return len(sample.functions) if sample else len(self.asked)

    def content(self) -> Iterable[Widget]:
        """The table, the histogram, the last minute; or why there is none."""
        table: Table[LatencyRow] = Table(COLUMNS, row_key, Sort("self_ns", True))
        table.empty = self.busy
        with Horizontal(id="views"):
            with Vertical(id="left"):
                yield table
                yield HeatMap(id="heat")
            yield Histogram(id="bars")
        yield Static(id="failure", markup=False)

    def begin(self) -> None:
        """Attach."""
        attaching = self.sources.latency(self.target.pid, self.modules, self.asked)
        self.session = self.console.open_session(attaching)
        self.table().focus()
        self.show_state()
        self.run_worker(self._open(self.session))

    async def _open(self, session: Session[Timing]) -> None:
        try:
            self._timing, attached = await session.attached()
        except BpfscopeError as error:
            self.post_message(self.Refused(sentence(error)))
            return
        self.post_message(self.Opened(attached))

    def on_latency_screen_opened(self, event: Opened) -> None:
        """Read what is attached."""
        self.busy = ""
        self.skipped = event.attached.skipped
        longest = max((cell_len(function.name) for function in event.attached.attached), default=20)
        self.table().limit("function", longest)
        self.start()
        self.show_state()

    def on_latency_screen_refused(self, event: Refused) -> None:
        """Say why."""
        self.busy, self.failure = "", event.reason
        self.query_one("#failure", Static).update(event.reason)
        self.add_class("-failed")
        self.show_state()

    def start(self) -> None:
        """Read, from now on at this interval."""
        if self._timing is not None and not self.ended:
            self.run_worker(self._collect(self._timing), group="samples", exclusive=True)

    async def _collect(self, timing: Timing) -> None:
        try:
            async for sample in timing.latencies(self.interval):
                self.post_message(self.Arrived(sample))
        except BpfscopeError as error:
            self.post_message(self.Refused(str(error)))

    def on_latency_screen_arrived(self, event: Arrived) -> None:
        """Take the reading; show it unless paused."""
        self.latencies.take(event.sample)
        if self.ended:
            self.paused = False
        if not self.paused:
            self.filtered()

    # Painting

    def filtered(self) -> None:
        """Show what the filter leaves."""
        if self.latencies.sample is not None:
            rows: Sequence[LatencyRow] = self.latencies.rows()
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
            f"{text.count(row.latency.returns)} calls since the start", histogram.powers(row.latency.buckets)
        )
        self.query_one(HeatMap).show(f"last {len(self.latencies.heat(row.key))} readings", self.latencies.heat(row.key))

    def show_state(self) -> None:
        """The lines around the table."""
        what = text.plural(self.count, "function")
        left: list[Phrase] = [((f"{self.target.title} ▸ latency ▸ ", "dim"), (what, "title"))]
        sample = self.latencies.sample
        right: list[Phrase] = [(text.clock(sample.elapsed), "strong")] if sample else []
        self.put_lines((left, right), self._state(), self._state_right())

    def _state(self) -> list[Phrase]:
        sample = self.latencies.sample
        if self.failure:
            return [("nothing is timed", "bad")]
        if self.busy or sample is None:
            return [(self.busy or "waiting for the first reading …", "strong")]
        phrases: list[Phrase] = []
        if self.ended:
            phrases.append((f"{self.ended} after {text.clock(sample.elapsed)}; the numbers stay", "warn"))
        if self.prompt.wanted:
            phrases.append((counted(len(self.table().rows), self.count, "function"), "strong"))
        if not self.ended:
            phrases.append((f"{text.rate(self.latencies.per_second)} calls/s", "strong"))
        if sample.lost:
            phrases.append((f"lost {sample.lost:,}", "bad"))
        for name, what, role in (("untimed", "not timed", "warn"), ("unmatched", "unmatched", "warn")):
            if number := self.latencies.total(name):
                phrases.append((f"{number:,} {what}", role))
        phrases.append((f"{self.latencies.total('calls'):,} calls", ""))
        if in_flight := self.latencies.total("in_flight"):
            phrases.append((f"{in_flight:,} in flight", "dim"))
        if self.skipped:
            phrases.append((f"{len(self.skipped):,} skipped (x)", "warn"))
        return phrases

    def _state_right(self) -> list[Phrase]:
        if self.failure or self.latencies.sample is None:
            return []
        if self.ended:
            return [("ended ■", "warn")]
        live: Phrase = ("paused ‖", "warn") if self.paused else ("live ●", "good")
        return [live, (f"every {self.interval:g} s", "dim")]

    def on_table_moved(self) -> None:
        """Spell the function's name out, and show its times."""
        row: LatencyRow | None = self.table().row
        where = f"{row.function.module} · {row.function.address:x}" if row else ""
        self.query_one(Detail).show(row.function.name if row else "", where)
        self._show_row()
        self.show_keys()

    def can(self, name: str) -> bool:
        """What does something now."""
        if name == "back" or name.startswith("app.") or not name:
            return True
        if self.failure or self.latencies.sample is None:
            return False
        if name in ("pause", "faster", "slower"):
            return not self.ended
        return name != "skipped" or bool(self.skipped)

    # Actions

    def action_back(self) -> None:
        """Clear the filter; then detach and go back."""
        if not self.clear_filter() and self.session and not self.session.closing:
            if self.holds:
                self.busy = f"detaching {text.plural(self.count, 'function')} …"
                self.show_state()
            self.leave(self.session)
