"""A C program of the user's own: compiled, attached, its maps and events live; or where it is wrong, at its line.

It stays attached as long as the screen lives. After a change in an editor `r` loads it anew.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from tui import text
from tui.errors import BpfscopeError
from tui.screens.base import CURSOR, CUT, FASTER, REVERSE, SLOWER, SORT, SORTED, counted, filter_by
from tui.screens.confirm import ConfirmScreen
from tui.screens.exporting import written
from tui.screens.live import LiveScreen
from tui.screens.loaded_rows import (
    PROGRAM_COLUMNS,
    BarsPane,
    EntriesPane,
    EventsPane,
    Pane,
    ProgramRow,
    Row,
    View,
)
from tui.screens.source_rows import SOURCE_COLUMNS, SourceLine, source_lines
from tui.widgets.actions import Action
from tui.widgets.columns import Sort
from tui.widgets.filter import Haystack
from tui.widgets.histogram import Histogram
from tui.widgets.lines import Detail, Line, Phrase
from tui.widgets.table import Table

if TYPE_CHECKING:
    from tui.collectors.load_request import Request
    from tui.collectors.loaded import LoadedSample
    from tui.collectors.sources import Loading
    from tui.screens.session import Session
    from tui.widgets.pieces import Piece

_BESIDE: Final = 110  # cells from which the source stands beside the figures
_PROGRAMS: Final = 4  # lines
_NUMBER: Final = 9  # cells of the source pane for line numbers and margins


class LoadedScreen(LiveScreen):
    """Runs a source as long as it lives."""

    CSS_PATH = "loaded.tcss"
    NAME = "Loaded"
    ACTIONS = (
        Action("tab", "tab", "pane", "pane(1)", "The next map, or kind of event", 1),
        Action("shift+tab", "shift+tab", "pane back", "pane(-1)", "The one before", 10),
        Action("v", "v", "source", "source", "Show or hide the source", 2),
        Action("r", "r", "reload", "reload", "Read the file anew, compile and attach it: after a change", 3),
        filter_by("rows with this", 4),
        Action("p", "p", "pause", "pause", "Stop painting, and go on", 5),
        SORT,
        REVERSE,
        Action("h", "h", "histogram", "histogram", "Of several histograms the next", 7),
        FASTER,
        SLOWER,
        Action("e", "e", "export", "export", "Write programs, maps and their entries as JSON, into this folder", 7),
        Action("escape", "esc", "back", "back", "Take it off, and go back", 0),
    )
    SIGNS = (
        CURSOR,
        SORTED,
        CUT,
        ("▲", "the entry grew since the reading before"),
        ("RUNS", "how often the kernel has run the program since it was attached; EACH: how long on average"),
        ("^", "here the compiler or the verifier sees something wrong"),
    )

    def __init__(self, request: "Request", line: str, *, runs: bool = True) -> None:
        """`line`: what was asked for, in words. `runs`: otherwise only the source is shown."""
        super().__init__()
        self.request, self.line, self.runs = request, line, runs
        self.view = View(request.source)
        self.failure = ""  # why it doesn't run
        self.problems: Sequence[tuple[int, int, str, bool]] = ()
        self.ended = ""
        self.notes: tuple[str, ...] = ()
        self._asked = line.split(maxsplit=1)[0].rpartition("/")[2] if line.strip() else ""
        self._session: Session[Loading] | None = None
        self._shown_pane = 0
        self._bars = 0
        self._sorted: dict[str, Sort] = {}
        self._wants_source: bool | None = None  # None: where there is room
        self._leaving = False

    class Arrived(Message):
        """A new reading: none is dropped, since each has its own events."""

        def __init__(self, sample: "LoadedSample") -> None:
            super().__init__()
            self.sample = sample

    def content(self) -> Iterable[Widget]:
        """Programs, what they show, and the source."""
        programs: Table[ProgramRow] = Table(
            PROGRAM_COLUMNS, lambda row: row.program.name, Sort("", False), arrange=lambda rows, _: rows, id="programs"
        )
        programs.can_focus = False
        yield programs
        with Horizontal(id="panes"):
            with Vertical(id="figures"):
                yield Line(id="tabs")
                yield Table[Row]((), attrgetter("key"), Sort("", False), mark=self._mark, id="rows")
                yield Histogram(id="bars")
                yield Static(id="failure", markup=False)
            source: Table[SourceLine] = Table(
                SOURCE_COLUMNS, lambda row: (row.number, row.text), Sort("", False), arrange=lambda rows, _: rows,
                mark=lambda row: "▸" if row.number and row.error else "", id="source",
            )  # fmt: skip
            yield source

    def _mark(self, row: Row) -> str:
        return "▲" if row.growth > 0 and isinstance(self.pane, EntriesPane) else ""

    # Widgets

    @property
    def rows(self) -> Table[Row]:
        """The events, or the entries of a map."""
        return self.query_one("#rows", Table)

    @property
    def code(self) -> Table[SourceLine]:
        """The source."""
        return self.query_one("#source", Table)

    def table(self) -> Table[Any]:
        """The one that has the keys."""
        return self.code if self.code.has_focus else self.rows

    @property
    def pane(self) -> Pane | None:
        """What is looked at."""
        panes = self.view.panes
        return panes[self._shown_pane % len(panes)] if panes else None

    # Beginning and ending

    def begin(self) -> None:
        """Compile and attach."""
        self.rows.empty = "compiling …" if self.runs else "this is only read: esc, then enter runs it"
        self._show_source()
        if self.runs:
            self.start_session()
        else:
            self.set_class(True, "-read")
            self.set_focus(self.code)
        self.show_state()

    def start_session(self) -> None:
        """Compile, load, attach; in a task that is closed by whatever way this ends."""
        self._session = self.console.open_session(self.sources.load(self.request), cancels=True)
        self.start()

    def start(self) -> None:
        """Read, from now on at this interval."""
        if self._session is not None:
            self.run_worker(self._run(self._session), group="samples", exclusive=True)

    async def _run(self, session: "Session[Loading]") -> None:
        try:
            running, _ = await session.attached()
            self.notes = running.notes
            async for sample in running.readings(self.interval):
                self.post_message(self.Arrived(sample))
        except BpfscopeError as error:
            self._fail(error)

    def _fail(self, error: BpfscopeError) -> None:
        self.failure = str(error)
        self.problems = tuple(
            (each.line, each.column, f"{each.text}: {each.hint}" if each.hint else each.text, each.error)
            for each in getattr(error, "problems", ())
        )
        self.set_class(True, "-failed")
        self._show_source()
        self.set_focus(self.code)
        self.show_state()
        self.call_after_refresh(self._show_source)  # it has more room now

    def on_loaded_screen_arrived(self, event: Arrived) -> None:
        """Take the reading, and show it unless paused."""
        first = not self.view.panes
        self.view.take(event.sample)
        self.ended = event.sample.ended
        if first and self.view.panes:
            self._choose(0)
        if not self.focused:
            self.set_focus(self.rows)
        if self.is_current and not self.paused:
            self.filtered()

    def on_screen_resume(self) -> None:
        """What came meanwhile."""
        if self.view.sample is not None:
            self.filtered()

    @property
    def holding(self) -> str:
        """What quitting would take off."""
        if self._session is None or self._session.closing or self.failure:
            return ""
        return text.plural(max(1, len(self.view.sample.programs) if self.view.sample else 1), "program")

    def leave_for(self, mode: str) -> bool:
        """Take it off and go to that mode, after a question where something would be lost."""
        self._ask(mode)
        return True

    def action_mode(self, name: str) -> None:
        """Take it off and go to another mode."""
        self._ask(name)

    def action_back(self) -> None:
        """Close the filter, or take all off and go back."""
        if not self.clear_filter():
            self._ask("")

    def _ask(self, mode: str) -> None:
        """Leave for a mode, or (empty) go back; after a question where something would be lost."""
        seen = self.view.sample.seen if self.view.sample else 0
        if self.holding and (seen or any(pane.rows or getattr(pane, "bars", ()) for pane in self.view.panes)):
            question = ConfirmScreen(f"Detach {self.holding} and go back?", "What was seen is lost then.")
            self.app.push_screen(question, lambda yes: self._leave(mode) if yes else None)
        else:
            self._leave(mode)

    def _leave(self, mode: str) -> None:
        if not self._leaving:
            self._leaving = True
            self.run_worker(self._close(mode), group="leave")
            self.show_state()

    async def _close(self, mode: str) -> None:
        await self._end()
        while self in self.app.screen_stack:
            self.app.pop_screen()
        if mode:
            self.console.open_mode(mode)

    async def _end(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with suppress(BpfscopeError):
                await self.console.close_session(session)

    async def on_unmount(self) -> None:
        """Whatever took the screen away, nothing stays attached."""
        await self._end()

    def action_reload(self) -> None:
        """Read the file anew."""
        if not self._leaving:
            self.run_worker(self._reload(), group="reload", exclusive=True)

    async def _reload(self) -> None:
        try:
            request = await self.sources.request(self.line)
        except BpfscopeError as error:
            self.say(str(error), bad=True)
            return
        self.workers.cancel_group(self, "samples")
        await self._end()
        self.request, self.view = request, View(request.source)
        self.failure, self.problems, self.ended, self.notes, self.runs = "", (), "", (), True
        self._shown_pane = self._bars = 0
        self.remove_class("-failed", "-read")
        self.rows.empty = "compiling …"
        self.rows.show((), anew=True)
        self._show_source()
        self.set_focus(self.rows)
        self.start_session()
        self.show_state()

    # Painting

    def on_resize(self) -> None:
        """Whether there is room for the source."""
        self._arrange()
        self._show_source()

    def _arrange(self) -> None:
        wanted = self.size.width >= _BESIDE if self._wants_source is None else self._wants_source
        self.set_class(wanted, "-source")
        self.set_class(self.size.width < _BESIDE, "-slim")

    def _show_source(self) -> None:
        self._arrange()
        table = self.code
        width = max(20, (table.size.width or self.size.width) - _NUMBER)
        rows = tuple(source_lines(self.request.source, self.problems, width))
        if rows != table.rows:
            table.show(rows, anew=True)  # in this order, also when the cursor has just moved
            if first := next((at for at, row in enumerate(rows) if row.number and row.error), None):
                table.move_to(min(len(rows) - 1, first + 3))
                table.move_to(first)

    def filtered(self) -> None:
        """Show what the filter leaves of the pane."""
        sample, pane = self.view.sample, self.pane
        if sample is not None:
            programs = [ProgramRow(one, self.view.rates.get(one.name, 0.0)) for one in sample.programs]
            table: Table[ProgramRow] = self.query_one("#programs", Table)
            table.styles.height = 1 + min(_PROGRAMS, len(programs))
            table.show(programs)
            self._show_pane(pane)
        self._show_tabs()
        self.show_state()

    def _show_pane(self, pane: Pane | None) -> None:
        bars = self.query_one(Histogram)
        self.set_class(isinstance(pane, BarsPane), "-bars")
        if isinstance(pane, BarsPane):
            at = self._bars % max(1, len(pane.bars))
            one = pane.bars[at] if pane.bars else None
            several = f" ({at + 1} of {len(pane.bars)}, h: the next)" if len(pane.bars) > 1 else ""
            title = f"{one.label}{several}" if one and one.label else pane.name if one else "nothing counted yet"
            bars.show(title, one.bars if one else (), label=pane.label)
            return
        rows = self.rows
        if pane is None:
            rows.empty = "running; nothing yet: no event came, and there is no map to look at"
            rows.repaint()
            return
        chronological = isinstance(pane, EventsPane) and rows.sort.key in ("", "time") and not rows.sort.descending
        follows = chronological and rows.cursor >= len(rows.rows) - 1
        there = pane.shown() if isinstance(pane, EventsPane) else pane.rows
        columns = pane.columns()
        if columns != rows.columns:
            rows.use(columns, {})
        rows.empty = (
            f"no row matches {self.prompt.wanted}; esc clears the filter"
            if self.prompt.wanted
            else ("no event yet" if isinstance(pane, EventsPane) else pane.note or "the map is empty")
        )
        rows.show(self.leaves(Haystack(there, attrgetter("words")).matching))
        if follows and rows.rows:
            rows.move_to(len(rows.rows) - 1)
            rows.release()

    def _show_tabs(self) -> None:
        pieces: list[Piece] = []
        for pane in self.view.panes:
            here = pane is self.pane
            pieces += [("  " if pieces else "", ""), (pane.title, "title" if here else "dim")]
        self.query_one("#tabs", Line).show([tuple(pieces)] if pieces else [])

    def show_latest(self) -> None:
        """Paint the last reading, or that it is paused."""
        self.filtered()

    def show_state(self) -> None:
        """The lines around the panes."""
        left = [(("BPF ▸ Load ▸ ", "dim"), (self._asked, "title"))]
        self.put_lines((left, [(self.request.path, "dim")]), self._state(), self._state_right())

    def _state(self) -> list[Phrase]:
        if self.failure:
            return [(self.failure, "bad")]
        if self._leaving:
            return [("detaching …", "dim")]
        sample = self.view.sample
        if not self.runs:
            return [("only its source is shown", "dim")]
        if sample is None:
            return [("compiling and attaching …", "dim")]
        phrases: list[Phrase] = [(self.ended, "warn")] if self.ended else []
        phrases.append((text.clock(sample.elapsed), ""))
        if sample.seen:
            phrases.append((text.plural(sample.seen, "event"), "strong"))
        if sample.lost:
            phrases.append((f"{sample.lost:,} lost", "bad"))
        pane = self.pane
        if self.prompt.wanted and pane is not None:
            phrases.append((counted(len(self.rows.rows), len(pane.rows), "row"), "strong"))
        if pane is not None and pane.note:
            phrases.append((pane.note, "warn"))
        return phrases

    def _state_right(self) -> list[Phrase]:
        if self.view.sample is None or self.failure:
            return []
        return [("paused ‖", "warn")] if self.paused else [(f"every {self.interval:g} s", "dim")]

    def on_table_moved(self, event: Table.Moved) -> None:
        """Spell the row out."""
        table = event.table
        if table.id == "programs" or table is not self.table():
            return
        if table is self.code:
            line: SourceLine | None = self.code.row
            self.query_one(Detail).show(line.problem if line else "", self.request.path)
            return
        row: Row | None = self.rows.row
        pane = self.pane
        if row is None or pane is None:
            self.query_one(Detail).show("; ".join(self.notes))
            return
        self.query_one(Detail).show(
            ", ".join(f"{name} {said}" for name, said in zip(pane.names, row.cells, strict=False))
        )
        self.show_keys()

    def on_table_sorted(self) -> None:
        """Remember it for this pane."""
        if self.pane is not None:
            self._sorted[self.pane.name] = self.rows.sort

    # Keys

    def can(self, name: str) -> bool:
        """What does something now."""
        if name in ("pane(1)", "pane(-1)"):
            return len(self.view.panes) > 1
        if name == "source":
            return self.runs and not self.failure
        if name == "histogram":
            return isinstance(self.pane, BarsPane) and len(self.pane.bars) > 1
        if name in ("pause", "faster", "slower", "export", "filter", "sort", "sort_reverse"):
            return self.view.sample is not None and not self.failure
        return True

    def action_pane(self, step: int) -> None:
        """Another map, or kind of event."""
        if self.view.panes:
            self._choose((self._shown_pane + step) % len(self.view.panes))
            self.filtered()

    def _choose(self, at: int) -> None:
        """Show this pane from now on, in its order."""
        self._shown_pane = at
        pane = self.view.panes[at]
        first = Sort(pane.first_figure, True) if isinstance(pane, EntriesPane) else Sort("", False)
        self.rows.sort = self._sorted.get(pane.name, first)
        self.rows.show((), anew=True)

    def action_source(self) -> None:
        """Show or hide the source."""
        self._wants_source = not self.has_class("-source")
        self._arrange()
        self.set_focus(self.code if self._wants_source and self.has_class("-slim") else self.rows)
        self.call_after_refresh(self._show_source)

    def action_histogram(self) -> None:
        """The next histogram of the map."""
        self._bars += 1
        self.filtered()

    def action_export(self) -> None:
        """Write what is shown."""
        self.run_worker(self._export())

    async def _export(self) -> None:
        from tui.export import loaded_rows, rows

        sample, view = self.view.sample, self.view
        if sample is not None:
            row = loaded_rows.sample(sample, view.hints, view.powers)
            said, bad = await written(self._asked.removesuffix(".c"), {"json": lambda: rows.line(row)})
            self.say(said, bad=bad)
