"""What is attached to one cgroup, here and further up, with all that its programs allow and deny."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from textual.widget import Widget

from tui import text
from tui.collectors.cgroup_samples import Cgroup, CgroupsSample
from tui.screens.base import CURSOR, CUT, FASTER, SLOWER, counted, filter_by
from tui.screens.cgroup_columns import QUIET, counts
from tui.screens.cgroup_programs import BOTH, COLUMNS, PageRow, limits, row_key, rows_of, spelt, words
from tui.screens.cgroup_rows import Traffic
from tui.screens.live import LiveScreen
from tui.screens.top import PAUSE, TopScreen
from tui.widgets.actions import Action
from tui.widgets.columns import Sort
from tui.widgets.filter import Haystack
from tui.widgets.history import STEPS
from tui.widgets.lines import Detail, Phrase
from tui.widgets.table import Table

NOTHING = "no BPF program is attached here or above: c counts packets"
ENDED = "this cgroup has ended; what is shown is from before"


class CgroupScreen(TopScreen[CgroupsSample]):
    """A page about one cgroup, read again and again; enter opens the program's page."""

    CSS_PATH = "cgroup.tcss"
    NAME = "Cgroup"
    MODE = ""
    ALWAYS = LiveScreen.ALWAYS
    ACTIONS = (
        Action("enter", "enter", "program", "open", "Show the program under the cursor", 0),
        Action("c", "c", "count", "count", "Count its packets, and those of all below it; or no longer", 1),
        filter_by("what has this in hook, name, rule, or where it is attached", 2),
        PAUSE,
        FASTER,
        SLOWER,
        Action("escape", "esc", "back", "back", "Clear the filter, or go back", 1),
    )
    SIGNS = (
        CURSOR,
        ("in out dev", "programs for packets that come and go, and for devices"),
        ("allow deny", f"what the program above lets pass and what not; {BOTH}"),
        ("the cgroup", "no link holds it: it stays until somebody detaches it, or the cgroup ends"),
        CUT,
    )

    def __init__(self, cgroup: Cgroup, traffic: Traffic, count: Callable[[Sequence[Cgroup]], None]) -> None:
        """`traffic`: the list's, where what passes goes on to be noted; `count`: what counts there, or no longer."""
        super().__init__()
        self.cgroup = cgroup
        self.ended = False
        self._rows: list[PageRow] = []
        self._traffic = traffic
        self._count = count

    def content(self) -> Iterable[Widget]:
        """The table."""
        table: Table[PageRow] = Table(COLUMNS, row_key, Sort("", False), arrange=lambda rows, _: rows)
        table.empty = "reading programs …"
        yield table

    def samples(self) -> AsyncIterator[CgroupsSample]:
        """All cgroups: those above have programs that count here too."""
        return self.sources.cgroups(self.interval)

    def every(self) -> float:
        """Seconds from one reading to the next."""
        return max(self.interval, self._latest.every if self._latest else 0.0)

    def take(self, sample: CgroupsSample) -> None:
        """Note the cgroup as it is now. Of one that has ended, the reading from before stays."""
        self._traffic.add(sample)
        found = next((one for one in sample.cgroups if one.id == self.cgroup.id), None)
        if found is not None:
            self.cgroup, self._rows = found, rows_of(sample, found.id)
        else:
            self.ended = True
            self.workers.cancel_group(self, "samples")

    def filtered(self) -> None:
        """Show what the filter leaves."""
        if self._sample is not None:
            rows, table = self._rows, self.table()
            nothing = f"nothing matches {self.prompt.wanted}; esc clears the filter" if rows else NOTHING
            table.empty = "" if self.ended else nothing
            for key, cells in limits(rows).items():
                table.limit(key, cells)
            table.show(self.leaves(Haystack(rows, words).matching))
        self.show_state()

    def show_state(self) -> None:
        """The lines around the table."""
        unit = self.cgroup.unit if self.cgroup.unit != self.cgroup.name else ""
        context = ([(("Cgroups ▸ ", "dim"), (self.cgroup.path, "title")), (unit, "")], self._state_right())
        state = [(self.failure, "bad")] if self.failure else self.state()
        self.put_lines(context, state)

    def state(self) -> list[Phrase]:
        """Whether it lives, how much is attached, what passed."""
        if self._sample is None:
            return [("reading programs …", "dim")]
        rows = [row for row in self._rows if row.rule is None]
        shown = sum(row.rule is None for row in self.table().rows)
        inherited = sum(not row.here for row in rows)
        return [
            (ENDED if self.ended else "", "warn"),
            (counted(shown, len(rows), "program"), "strong"),
            (f"{inherited:,} from above" if inherited else "", ""),
            *((phrase, "") for phrase in counts(self.cgroup)),
            self._rates(),
        ]

    def _rates(self) -> Phrase:
        """What passes now, and did in the last minute."""
        (row,) = self._traffic.rows([self.cgroup])
        if self.ended or row.rates is None or row.rates.rx_bytes is None or row.rates.tx_bytes is None:
            return ("", "")
        spark = text.sparkline(row.history.last(self.cgroup.id, STEPS // 2), STEPS // 2, QUIET).strip()
        said = f"{text.size(round(row.rates.rx_bytes))}/s in, {text.size(round(row.rates.tx_bytes))}/s out "
        return ((said, "strong"), (spark, "graph"))

    def _state_right(self) -> list[Phrase]:
        return [("paused ‖", "warn")] if self.paused else [self.pace()]

    def can(self, name: str) -> bool:
        """What does something now."""
        if name == "count":
            return not self.ended
        return name != "open" or self.table().row is not None

    def on_table_moved(self) -> None:
        """Spell the row out."""
        row = self.table().row
        self.query_one(Detail).show(*(spelt(row) if row else ("",)))
        self.show_keys()

    def on_table_chosen(self) -> None:
        """A double click is enter."""
        if self.can("open"):
            self.action_open()

    def action_open(self) -> None:
        """The page of the program under the cursor."""
        row = self.table().row
        if row is not None:
            self.console.open_program(row.program.id)

    def action_count(self) -> None:
        """Count, or no longer."""
        self._count((self.cgroup,))

    def action_back(self) -> None:
        """Clear the filter, or go back."""
        if not self.clear_filter():
            self.app.pop_screen()
