"""A BPF program's page: what it is made of, what belongs to it, and what it does over time."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from rich.cells import cell_len
from textual.containers import Horizontal
from textual.widget import Widget

from tui import text
from tui.collectors.program_history import STEP, History
from tui.collectors.program_samples import ProgramFigures, ProgramPage, ProgramsSample
from tui.collectors.program_words import share
from tui.errors import BpfscopeError
from tui.screens.above import BACK, AboveScreen
from tui.screens.base import CURSOR, CUT, FASTER, SLOWER, filter_by
from tui.screens.program_parts import CODE, MACHINE, PARTS, CodeRow, PartRow, about, parts, state
from tui.screens.program_rows import named
from tui.screens.top import PAUSE
from tui.widgets.actions import Action
from tui.widgets.columns import Sort
from tui.widgets.filter import Haystack
from tui.widgets.graph import Graph
from tui.widgets.lines import Detail, Phrase
from tui.widgets.table import Table

SLIM: Final = 110
READING: Final = "reading the program …"
GRAPHS: Final = ("EVENTS/S", "AVG", "CPU%")  # in the order of program_history.Figures
_SHOWN: Final = (text.rate, text.duration, share)


class ProgramScreen(AboveScreen[ProgramsSample]):
    """One program; what is known of it stays when it has ended."""

    CSS_PATH = "program.tcss"
    NAME = "BPF program"
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (SLIM, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-high")]
    ACTIONS = (
        Action("enter", "enter", "open", "open", "Go to the map, or to all that is attached at the place", 0),
        Action("tab", "tab", "other pane", "pane", "From the instructions to what belongs to it, and back", 1),
        filter_by("instructions and source lines that have this", 2),
        Action("o", "o", "source", "source", "Show or hide source lines, where the program brought some", 3),
        Action("x", "x", "machine code", "machine", "The machine's instructions, or the program's own", 4),
        PAUSE,
        FASTER,
        SLOWER,
        BACK,
    )
    SIGNS = (CURSOR, ("call", "functions of the kernel are named as it names them"), CUT)

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.ended = False
        self.with_source, self.as_machine = True, False
        self._page: ProgramPage | None = None
        self._missing = ""  # why there is no page
        self._figures: ProgramFigures | None = None
        self._shown: ProgramFigures | None = None
        self._history: History | None = None

    def content(self) -> Iterable[Widget]:
        """The graphs above the two panes."""
        with Horizontal(id="graphs"):
            for figure in range(len(GRAPHS)):
                yield Graph(id=f"graph{figure}")
        with Horizontal(id="panes"):
            code: Table[CodeRow] = Table(
                CODE, lambda row: row.number, Sort("", False), arrange=lambda rows, _: rows, id="code"
            )
            code.empty = READING
            yield code
            yield Table[PartRow](PARTS, lambda row: row, Sort("", False), arrange=lambda rows, _: rows, id="parts")

    @property
    def code(self) -> "Table[CodeRow]":
        """The instructions."""
        return self.query_one("#code", Table)

    @property
    def parts(self) -> "Table[PartRow]":
        """What belongs to it."""
        return self.query_one("#parts", Table)

    def table(self) -> "Table[CodeRow] | Table[PartRow]":
        """The one that has the keys."""
        return self.parts if self.focused is self.parts else self.code

    def begin(self) -> None:
        """Read what doesn't change, and go on reading what does."""
        self.code.focus()
        self.show_state()
        self.run_worker(self._read(), group="page", exclusive=True)

    async def _read(self) -> None:
        try:
            self._page = await self.sources.program(self.number)
        except BpfscopeError as error:
            self._missing = self.code.empty = str(error)
            self.code.repaint()
            self.show_state()
        else:
            self.filtered()
            self._show_parts()

    # Readings

    def samples(self) -> AsyncIterator[ProgramsSample]:
        """All programs, of which it is one."""
        return self.sources.programs(self.interval)

    def start(self) -> None:
        """Read, from now on at this interval."""
        if not self.ended:
            super().start()

    def take(self, sample: ProgramsSample) -> None:
        """Note its figures; where it has ended, the last ones stay."""
        found = next((one for one in sample.programs if one.id == self.number), None)
        if found is None:
            self.ended, self.paused = True, False
            self.workers.cancel_group(self, "samples")
        elif not self.ended:
            self._figures, self._history = found, sample.history

    def show_latest(self) -> None:
        """Paint the last reading, or that it is paused."""
        self._sample, self._shown = self._latest, self._figures
        self._show_graphs()
        self._show_parts()
        self.show_state()

    def _show_graphs(self) -> None:
        if self._history is None or self._shown is None or self.ended:
            return
        values = (self._shown.per_second, self._shown.period_average, self._shown.cpu_percent)
        for figure, (title, words, now) in enumerate(zip(GRAPHS, _SHOWN, values, strict=True)):
            graph = self.query_one(f"#graph{figure}", Graph)
            past = self._history.last(self.number, figure, graph.bars, graph.bars)
            most = self._history.most(self.number, figure, graph.bars)
            said = "" if most is None else f"most {words(most)} in {text.clock(len(past) * STEP)}"
            said_now = "no run now" if now is None else words(now)
            graph.show(((f"{title} ", "head"), (said_now, "dim" if now is None else "strong")), (said, "dim"), past)

    def on_resize(self) -> None:
        """Other bars fit."""
        self.call_after_refresh(self._show_graphs)

    # Painting

    def filtered(self) -> None:
        """Show what the filter leaves of the code."""
        if self._page is not None:
            code = self._page.machine if self.as_machine else self._page.code
            kept = (line for line in code if self.with_source or not line.source)
            rows = [CodeRow(number, line) for number, line in enumerate(kept)]
            missing = f"no instruction matches {self.prompt.wanted}; esc clears the filter"
            self.code.empty = missing if rows else self._page.reason
            self.code.show(self.leaves(Haystack(rows, lambda row: f"{row.line.text} {row.line.place}").matching))
        self.show_state()

    def _show_parts(self) -> None:
        belonging = list(parts(self._shown, self._page))
        self.parts.limit("what", _needed(belonging))
        self.parts.show(belonging)

    def show_state(self) -> None:
        """The lines around the panes."""
        one = self._shown
        title = f"{named(one)} {self.number}" if one else str(self.number)
        left: list[Phrase] = [(("BPF ▸ ", "dim"), (title, "title"))]
        if one:
            left += [(one.type, ""), (f"by {one.user}, {text.clock(one.age)} ago", "dim"), (about(one), "dim")]
        said: list[Phrase] = [(READING, "dim")] if one is None else state(one)
        if self.ended and one is not None:
            said = [(f"program {self.number} was unloaded; the numbers stay", "warn"), *said]
        elif reason := self.failure or self._missing:
            said = [(reason, "bad")]
        right: list[Phrase] = [("paused ‖", "warn")] if self.paused else [(f"every {self.interval:g} s", "dim")]
        self.put_lines((left, []), said, [] if self.ended or one is None else right)

    def can(self, name: str) -> bool:
        """What does something now."""
        if name == "open":
            row = self.parts.row if self.focused is self.parts else None
            return row is not None and row.kind in ("map", "attached")
        if name == "source":
            return self._page is not None and any(line.source for line in self._page.code)
        if name == "machine":
            return self._page is not None and bool(self._page.machine)
        return not self.ended if name in ("pause", "faster", "slower") else super().can(name)

    def on_table_moved(self) -> None:
        """Spell the row out."""
        row = self.table().row
        if isinstance(row, PartRow):
            about = " · ".join(filter(None, (row.detail, row.more)))
            self.query_one(Detail).show(" ".join(filter(None, (row.kind, row.what, str(row.number or "")))), about)
        elif isinstance(row, CodeRow):
            self.query_one(Detail).show(f"{row.line.slot} {row.line.text}", row.line.place)
        self.show_keys()

    def on_descendant_focus(self) -> None:
        """Other keys apply, another row is spelt out."""
        super().on_descendant_focus()
        self.call_next(self.on_table_moved)

    # Keys

    def on_table_chosen(self) -> None:
        """A double click is enter."""
        if self.can("open"):
            self.action_open()

    def action_open(self) -> None:
        """Go to the map's page, or to what else is attached there."""
        row = self.parts.row
        if row is not None and row.kind == "map":
            self.console.open_map(row.number)
        elif row is not None:
            self.console.open_attachments(row.where)

    def action_pane(self) -> None:
        """To the other pane."""
        (self.code if self.focused is self.parts else self.parts).focus()

    def action_source(self) -> None:
        """With source lines, or without."""
        self.with_source = not self.with_source
        self.filtered()

    def action_machine(self) -> None:
        """The machine's instructions, or the program's own."""
        self.as_machine = not self.as_machine
        self.code.use(MACHINE if self.as_machine else CODE, {})
        self.filtered()


def _needed(rows: Sequence[PartRow]) -> int:
    """The cells that names need; a path in a BPF file system may be cut where others have something beside them."""
    beside = any(row.detail for row in rows)
    return max((cell_len(row.what) for row in rows if row.kind != "pinned" or not beside), default=0)
