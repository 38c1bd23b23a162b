"""The first screen: what runs here, live."""

from collections.abc import AsyncIterator, Iterable, Sequence

from textual.widget import Widget

from tui import text
from tui.collectors.samples import ProcessesSample
from tui.screens.base import CURSOR, CUT, FASTER, REVERSE, SLOWER, SORT, SORTED, counted, filter_by
from tui.screens.functions import FunctionsScreen
from tui.screens.process_rows import KERNEL, REPLACED, ProcessRow, row_key, spelt, tree, visible
from tui.screens.target import target_of
from tui.screens.top import CLEAR, PAUSE, TopScreen
from tui.widgets.actions import Action
from tui.widgets.columns import Column, Sort
from tui.widgets.history import STEPS, History
from tui.widgets.lines import Detail, Phrase
from tui.widgets.pieces import Cell
from tui.widgets.table import Table

MACHINE = "machine"
READING = "reading processes …"
BUSY = 10.0  # percent of a CPU that fill a bar of a sparkline at least: less is to look like less


def _command(row: ProcessRow, width: int) -> Cell:
    """The command; where there is no room for all of it, without the folder of its program."""
    process = row.process
    command = process.command or process.name
    if len(row.branch) + len(command) > width and command.startswith("/"):
        program, blank, rest = command.partition(" ")
        command = program.rpartition("/")[2] + blank + rest
    return ((row.branch, "faint"), (command, ""))


COLUMNS: tuple[Column[ProcessRow], ...] = (
    Column("pid", "PID", 7, lambda row, _: str(row.process.pid), lambda row: row.process.pid, right=True),
    Column("user", "USER", 10, lambda row, _: row.process.user, lambda row: row.process.user, priority=3, narrow=8),
    Column(
        "cpu",
        "CPU%",
        6,
        lambda row, _: f"{row.process.cpu_percent:.1f}",
        lambda row: row.process.cpu_percent,
        descending=True,
        right=True,
    ),
    Column(
        "history",
        "60 s",
        STEPS,
        lambda row, width: ((text.sparkline(row.history.last(row.key, width), width, BUSY), "graph"),),
        priority=2,
        narrow=STEPS // 2,
    ),
    Column(
        "memory",
        "MEM",
        8,
        lambda row, _: text.size(row.process.rss_bytes),
        lambda row: row.process.rss_bytes,
        descending=True,
        right=True,
        priority=1,
    ),
    Column(
        "threads",
        "THR",
        5,
        lambda row, _: str(row.process.threads),
        lambda row: row.process.threads,
        descending=True,
        right=True,
        priority=5,
    ),
    Column(
        "language",
        "LANGUAGE",
        11,
        lambda row, _: row.process.language,
        lambda row: row.process.language,
        priority=4,
        narrow=9,
    ),
    Column("unit", "UNIT", 22, lambda row, _: row.process.unit, lambda row: row.process.unit, priority=6, middle=True),
    Column("command", "COMMAND", 20, _command, lambda row: row.process.command, flexible=True),
)


class ProcessesScreen(TopScreen[ProcessesSample]):
    """Everything that runs; enter shows the functions of the one under the cursor."""

    CSS_PATH = "processes.tcss"
    NAME = "Processes"
    MODE = "processes"
    SIGNS = (CURSOR, REPLACED, SORTED, CUT)
    ACTIONS = (
        Action("enter", "enter", "functions", "open", "Show the functions of the process under the cursor", 0),
        filter_by("what has this in name, command, user, pid, language or unit", 1),
        SORT._replace(rank=3),
        REVERSE,
        Action("t", "t", "tree", "tree", "Show children below their parents", 4),
        Action("K", "K", "kernel", "kernel", "Show or hide the kernel's own threads", 6),
        PAUSE,
        FASTER,
        SLOWER,
        CLEAR,
    )

    def __init__(self) -> None:
        super().__init__()
        self.kernel = False
        self.as_tree = False
        self._rated = False
        self._history = History()
        self._machine = History()

    def content(self) -> Iterable[Widget]:
        """The table."""
        table: Table[ProcessRow] = Table(
            COLUMNS,
            row_key,
            Sort("cpu", True),
            mark=lambda row: REPLACED[0] if row.process.deleted else "",
            shade=lambda row: "" if row.matches else "dim",
            arrange=self._arrange,
        )
        table.empty = READING
        yield table

    def samples(self) -> AsyncIterator[ProcessesSample]:
        """All processes, again and again."""
        return self.sources.processes(self.interval)

    def take(self, sample: ProcessesSample) -> None:
        """Note the shares."""
        self._history.add(sample.time, {(one.pid, one.started): one.cpu_percent for one in sample.processes})
        self._machine.add(sample.time, {MACHINE: sample.cpu_percent})
        self._rated = self._latest is not None  # the first reading has no rates of the machine

    def filtered(self) -> None:
        """Show what the filter leaves."""
        if self._sample is not None:
            rows = [ProcessRow(process, self._history) for process in self._sample.processes]
            shown = self.leaves(lambda wanted: visible(rows, wanted, kernel=self.kernel, tree=self.as_tree))
            self._show_units(any(row.process.unit for row in rows))
            self.table().empty = f"no process matches {self.prompt.wanted}; esc clears the filter"
            self.table().show(shown)
        self.show_state()

    def _show_units(self, there: bool) -> None:
        """Show the column of units where a process has one."""
        columns = COLUMNS if there else tuple(column for column in COLUMNS if column.key != "unit")
        if self.table().columns != columns:
            self.table().use(columns, {})

    def _arrange(self, rows: Sequence[ProcessRow], sort: Sort) -> Sequence[ProcessRow]:
        if self.as_tree:
            return tree(rows, COLUMNS, sort)
        key = next(column.sort for column in COLUMNS if column.key == sort.key)
        plain = [row._replace(branch="") if row.branch else row for row in rows]
        return sorted(plain, key=key, reverse=sort.descending) if key else plain

    def state(self) -> list[Phrase]:
        """How many there are, and the machine's own figures."""
        sample = self._sample
        if sample is None:
            return [(READING, "dim")]
        threads = sum(process.language == KERNEL for process in sample.processes)
        own = len(sample.processes) - threads
        shown = len(self.table().rows)
        hidden = threads and not self.kernel
        total = own if hidden else own + threads
        phrases: list[Phrase] = [(counted(shown, total, "process"), "strong")]
        if self.prompt.is_open:
            return phrases
        if hidden:
            phrases.append((f"{text.plural(threads, 'kernel thread')} hidden (K)", "dim"))
        spark = text.sparkline(self._machine.last(MACHINE, 10), 10, 100.0).strip()
        if self._rated:
            phrases.append(((f"CPU {sample.cpu_percent:.0f} % ", ""), (spark, "graph")))
        total_memory = text.size(sample.memory_total)
        phrases.append((f"memory {text.size(sample.memory_used)} of {total_memory}", ""))
        return phrases

    def can(self, name: str) -> bool:
        """What does something now."""
        return self.table().row is not None if name == "open" else super().can(name)

    def on_table_moved(self) -> None:
        """Spell the row out."""
        row = self.table().row
        self.query_one(Detail).show(*(spelt(row.process) if row else ("",)))
        self.show_keys()

    def on_table_chosen(self) -> None:
        """A double click is enter."""
        self.action_open()

    def action_open(self) -> None:
        """Go to the functions of the process under the cursor."""
        row = self.table().row
        if row is not None:
            self.app.push_screen(FunctionsScreen(target_of(row.process)))

    def action_tree(self) -> None:
        """Tree or list."""
        self.as_tree = not self.as_tree
        self.table().release()
        self.filtered()

    def action_kernel(self) -> None:
        """Show or hide kernel threads."""
        self.kernel = not self.kernel
        self.filtered()
