"""The BPF mode's first screen: the programs in the kernel, of whomever, and what each takes."""

from collections.abc import AsyncIterator, Iterable

from textual.widget import Widget

from tui import text
from tui.collectors.program_history import ALL
from tui.collectors.program_samples import ProgramsSample
from tui.collectors.program_words import share, watching
from tui.screens.base import CURSOR, CUT, FASTER, REVERSE, SLOWER, SORT, SORTED, counted, filter_by
from tui.screens.program_rows import (
    COLUMNS,
    CPU,
    JUMPED,
    MISSED,
    OURS,
    QUIET,
    Churn,
    ProgramRow,
    graph,
    limits,
    row_key,
    spelt,
    words,
)
from tui.screens.top import CLEAR, PAUSE, TopScreen
from tui.widgets.actions import Action
from tui.widgets.columns import Sort
from tui.widgets.filter import Haystack
from tui.widgets.history import STEPS
from tui.widgets.lines import Detail, Phrase
from tui.widgets.table import Table

ROOMY = 100  # cells, from which on there is room for graphs in the state line
READING = "reading BPF programs …"
NONE = "no BPF program is loaded: probes and filters of bpfscope are some, once they are attached"
OPEN = Action("enter", "enter", "program", "open", "Its instructions, maps, places and holders", 0)
WAYS = (
    Action("m", "m", "maps", "go('maps')", "Go to the maps in the kernel", 2),
    Action("a", "a", "attached", "go('attachments')", "Go to what is attached where", 2),
    Action("l", "l", "load", "go('load')", "Load a program of your own, or one of the library", 3),
)


class ProgramsScreen(TopScreen[ProgramsSample]):
    """All programs; statistics are on while it is seen."""

    CSS_PATH = "programs.tcss"
    NAME = "BPF programs"
    MODE = "bpf"
    ACTIONS = (
        OPEN,
        *WAYS,
        filter_by(
            "what has this in number, name, type, tag, user, place, holder, unit or maps (map 12); ours by ours", 1
        ),
        SORT._replace(rank=3),
        REVERSE,
        PAUSE,
        Action("r", "r", "reset", "reset", "Averages and runs count from now on; again: from the beginning", 6),
        FASTER,
        SLOWER,
        CLEAR,
    )
    SIGNS = (
        CURSOR,
        (OURS, "this console's own"),
        (JUMPED, "runs as part of another program aren't counted: tail calls, replaced functions"),
        (MISSED, "runs were missed, since one ran on that CPU already"),
        ("AVG", "of a run; dim where it is hardly above an empty run's"),
        ("CPU%", "of one CPU"),
        ("watching", "what the kernel's statistics take meanwhile: they add some tens of ns to each run of a program"),
        ("floor", "what an empty program's run is said to take: a time near it says nothing"),
        ("+ −", "programs that were loaded and unloaded in the last 60 seconds"),
        ("MEM", "the program with its maps, also where others use these too"),
        SORTED,
        CUT,
    )

    def __init__(self) -> None:
        super().__init__()
        self._limits: dict[str, int] = {}
        self._before: dict[int, tuple[int, int]] = {}  # runs and times when it was reset
        self._reset_at: float | None = None
        self._churn = Churn()

    def content(self) -> Iterable[Widget]:
        """The table."""
        table: Table[ProgramRow] = Table(
            COLUMNS, row_key, Sort("cpu", True), mark=lambda row: OURS if row.program.ours else ""
        )
        table.empty = READING
        yield table

    def samples(self) -> AsyncIterator[ProgramsSample]:
        """All programs, again and again."""
        return self.sources.programs(self.interval)

    def take(self, sample: ProgramsSample) -> None:
        """Note who came and went."""
        self._churn.take(sample.time, {one.id for one in sample.programs})

    def filtered(self) -> None:
        """Show what the filter leaves."""
        sample = self._sample
        if sample is not None:
            rows = [
                ProgramRow(one, sample.history, sample.floor.reported, self._before.get(one.id, (0, 0)))
                for one in sample.programs
            ]
            table = self.table()
            for key, cells in limits(rows).items():  # never less than before: columns don't jump to and fro
                self._limits[key] = max(cells, self._limits.get(key, 0))
                table.limit(key, self._limits[key])
            missing = f"no program matches {self.prompt.wanted}; esc clears the filter"
            table.empty = missing if sample.programs else NONE
            table.show(self.leaves(Haystack(rows, words).matching) if self.prompt.wanted else rows)
        self.show_state()

    def state(self) -> list[Phrase]:
        """How many there are, and what all of them take."""
        sample = self._sample
        if sample is None:
            return [(READING, "dim")]
        phrases: list[Phrase] = [(counted(len(self.table().rows), len(sample.programs), "program"), "strong")]
        if self._reset_at is not None:
            phrases.append((f"since {text.clock(sample.time - self._reset_at)}", "accent"))
        if sample.cpu_percent is not None and sample.per_second is not None:
            bars = 10 if self.size.width >= ROOMY else 0
            spark = graph(sample.history.last(ALL, CPU, bars, STEPS), bars, QUIET).strip()
            phrases.append(((f"CPU {share(sample.cpu_percent)} %", ""), (f" {spark}" if spark else "", "graph")))
            phrases.append((watching(sample), "dim"))
            phrases.append((f"floor {text.duration(sample.floor.reported)}", "dim"))
            phrases.append((f"{text.rate(sample.per_second)} events/s", ""))
        phrases.append((self._churn.said, ""))
        return [*phrases, (f"{text.size(sample.memory)} with maps" if sample.complete else "", "")]

    def can(self, name: str) -> bool:
        """What does something now."""
        if name.startswith("go("):
            return hasattr(self.console, f"open_{name[4:-2]}")
        return self.table().row is not None if name in ("open", "reset") else super().can(name)

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
        """Go to the program's page."""
        row = self.table().row
        if row is not None:
            self.console.open_program(row.program.id)

    def action_go(self, name: str) -> None:
        """Go to another list of what BPF there is."""
        getattr(self.console, f"open_{name}")()

    def action_reset(self) -> None:
        """Count from now on, or from the beginning again."""
        if self._latest is not None and self._reset_at is None:
            self._before = {one.id: (one.runs, one.run_time_ns) for one in self._latest.programs}
            self._reset_at = self._latest.time
        else:
            self._before, self._reset_at = {}, None
        self.filtered()
