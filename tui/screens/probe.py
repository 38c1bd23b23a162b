"""The third screen: calls per function, live, while a probe is attached."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from tui import text
from tui.collectors.samples import CountsSample
from tui.collectors.sources import Attached, Probing
from tui.elf.names import Function, Module
from tui.errors import BpfscopeError, TargetError
from tui.screens.attached import AttachedScreen
from tui.screens.base import (
    CURSOR,
    CUT,
    FASTER,
    MARKED,
    REVERSE,
    SLOWER,
    SORT,
    SORTED,
    counted,
    filter_by,
)
from tui.screens.call_columns import columns, limits
from tui.screens.calls import CallRow, Calls, Key, document, row_key, words
from tui.screens.latency import LatencyScreen
from tui.screens.session import Session
from tui.screens.target import Target, function_key, sentence
from tui.text import sanitise
from tui.widgets.actions import Action
from tui.widgets.columns import Sort
from tui.widgets.filter import Haystack
from tui.widgets.lines import Detail, Phrase
from tui.widgets.table import Table

STOPPING = "stopping: what is attached already is detached again …"
LEAVE = "esc leads back to the functions, and once more to the processes"


class ProbeScreen(AttachedScreen):
    """A probe lives as long as this screen, which may be hidden while functions are added."""

    CSS_PATH = "probe.tcss"
    NAME = "Calls"
    ACTIONS = (
        filter_by("functions with this in their name", 4),
        SORT,
        REVERSE,
        Action("p", "p", "pause", "pause", "Stop painting, not counting; on return the numbers are current", 1),
        Action("r", "r", "reset", "reset", "Count from here", 2),
        FASTER,
        SLOWER,
        Action("space", "space", "mark", "mark", "Mark the function, or unmark it", 8),
        Action("a", "a", "add", "add", "Choose more functions while the probe goes on", 3),
        Action("d,delete", "d", "remove", "remove", "Detach the marked functions, or the one under the cursor", 3),
        Action("l", "l", "latency", "latency", "Time these functions too; the counts go on", 5),
        Action("x", "x", "skipped", "skipped", "List the functions that could not be probed, with reasons", 6),
        Action("e", "e", "export", "export", "Write the numbers to a JSON file in the current folder", 6),
        Action("escape", "esc", "back", "back", "Clear the filter, or detach everything and go back", 0),
    )
    SIGNS = (CURSOR, MARKED, SORTED, CUT)

    class Opened(Message):
        """Functions were attached."""

        def __init__(self, attached: Attached) -> None:
            super().__init__()
            self.attached = attached

    class Removed(Message):
        """Functions were detached."""

        def __init__(self, keys: set[Key]) -> None:
            super().__init__()
            self.keys = keys

    class Refused(Message):
        """A source said no; `fatal` where nothing is attached."""

        def __init__(self, error: BpfscopeError, *, fatal: bool = False) -> None:
            super().__init__()
            self.reason = str(error)
            self.gone = sentence(error) if isinstance(error, TargetError) else ""
            self.fatal = fatal

    class Arrived(Message):
        """A new reading; an older one that still waits is dropped."""

        def __init__(self, sample: CountsSample) -> None:
            super().__init__()
            self.sample = sample

        def can_replace(self, message: Message) -> bool:
            """Only the last reading matters: it has the totals."""
            return isinstance(message, ProbeScreen.Arrived)

    def __init__(self, target: Target, modules: Sequence[Module], functions: Sequence[Function]) -> None:
        super().__init__(target, modules, functions)
        self.calls = Calls()
        self.marked: set[Key] = set()
        self.probed: set[Key] = set()
        self.attaching = len(functions)  # so many are being attached
        self.busy = _attaching(functions)
        self._probing: Probing | None = None
        self._keys: tuple[Key, ...] = ()

    @property
    def ended(self) -> str:
        """Why the target can't be called any more."""
        return self.calls.sample.ended if self.calls.sample else ""

    @property
    def count(self) -> int:
        """How many functions are probed, or are about to be."""
        return len(self.probed) + self.attaching

    def content(self) -> Iterable[Widget]:
        """The table, or why there is none."""
        table: Table[CallRow] = Table(columns(self.calls), row_key, Sort("rate", True), mark=self._mark_of)
        table.empty = self.busy
        yield table
        yield Static(id="failure", markup=False)

    def _mark_of(self, row: CallRow) -> str:
        return "●" if row.key in self.marked else ""

    def begin(self) -> None:
        """Attach."""
        self.session = self.console.open_session(self.sources.probe(self.target.pid, self.modules, self.asked))
        self.table().focus()
        self.show_state()
        self.run_worker(self._open(self.session))

    async def _open(self, session: Session[Probing]) -> None:
        try:
            self._probing, attached = await session.attached()
        except BpfscopeError as error:
            self.post_message(self.Refused(error, fatal=True))
            return
        self.post_message(self.Opened(attached))

    def on_probe_screen_opened(self, event: Opened) -> None:
        """Read what is attached."""
        self.probed |= set(map(function_key, event.attached.attached))
        self.skipped += event.attached.skipped
        self._is_done()
        if self.calls.sample is None:
            self.start()

    def on_probe_screen_removed(self, event: Removed) -> None:
        """These don't count any more."""
        self.probed -= event.keys
        self._is_done()

    def on_probe_screen_refused(self, event: Refused) -> None:
        """Say why."""
        if event.fatal:
            self.failure, self.gone = event.reason, event.gone
            self.query_one("#failure", Static).update(LEAVE if event.gone else event.reason)
            self.add_class("-failed")
        else:
            self.say(event.gone or event.reason, bad=True)
        self._is_done()

    def _is_busy(self, doing: str) -> None:
        """Say what is done, and take no orders meanwhile."""
        self.busy = self.table().empty = doing
        self.table().repaint()
        self.show_state()

    def _is_done(self) -> None:
        """Take orders again, unless the probe is on its way out."""
        self.attaching = 0
        if self.session is None or not self.session.closing:
            self._is_busy("")
            self.table().empty = "nothing is probed; a adds functions"

    def start(self) -> None:
        """Read, from now on at this interval."""
        if self._probing is not None and not self.ended:
            self.run_worker(self._collect(self._probing), group="samples", exclusive=True)

    async def _collect(self, probing: Probing) -> None:
        try:
            async for sample in probing.counts(self.interval):
                self.post_message(self.Arrived(sample))
        except BpfscopeError as error:
            self.post_message(self.Refused(error))

    def on_probe_screen_arrived(self, event: Arrived) -> None:
        """Take the reading; show it unless paused."""
        self.calls.take(event.sample)
        if self.calls.keys is not self._keys:
            self._keys = self.calls.keys
            self.probed = set(self._keys)
            self.table().use(columns(self.calls), limits(self.calls))
        if self.ended:
            self.paused = False
        if not self.paused:
            self.filtered()

    # Painting

    def filtered(self) -> None:
        """Show what the filter leaves."""
        if self.calls.sample is not None:
            rows: Sequence[CallRow] = self.calls.rows()
            table = self.table()
            if self.prompt.wanted:
                rows = self.leaves(Haystack(rows, words).matching)
            if not self.busy:
                table.empty = self._empty()
            table.show(rows)
        self.show_state()

    def _empty(self) -> str:
        if self.prompt.wanted and self.probed:
            return f"no function matches {self.prompt.wanted}; esc clears the filter"
        return "nothing is probed; a adds functions"

    def show_state(self) -> None:
        """The lines around the table."""
        what = text.plural(len(self.asked) if self.failure else self.count, "function")
        left: list[Phrase] = [((f"{self.target.title} ▸ ", "dim"), (what, "title"))]
        right: list[Phrase] = []
        if self.calls.was_reset:
            right.append((f"since reset {text.clock(self.calls.elapsed - self.calls.since)}", "dim"))
        right.append((text.clock(self.calls.elapsed), "strong"))
        self.put_lines((left, right if self.calls.sample else ()), self._state(), self._state_right())

    def _state(self) -> list[Phrase]:
        sample = self.calls.sample
        if self.failure:
            return [(self.gone or "nothing is attached", "bad")]
        if self.busy:
            return [(self.busy, "strong")]
        if sample is None:
            return [("waiting for the first reading …", "dim")]
        phrases: list[Phrase] = []
        after = text.clock(sample.elapsed)
        if self.ended and self.prompt.is_open:
            phrases.append((f"{self.ended} after {after}", "warn"))
        if self.prompt.wanted:
            phrases.append((counted(len(self.table().rows), len(self.calls.keys), "function"), "strong"))
        if self.ended and not self.prompt.is_open:
            phrases.append((f"{self.target.title} {self.ended} after {after}; the numbers stay", "warn"))
        if not self.ended:
            phrases.append((f"{text.rate(self.calls.per_second)} calls/s", "strong"))
        if sample.lost:
            phrases.append((f"lost {sample.lost:,}", "bad"))
        phrases.append((f"{text.count(self.calls.total)} calls", ""))
        if self.skipped:
            phrases.append((f"{len(self.skipped):,} skipped (x)", "warn"))
        if self.marked:
            phrases.append((f"● {len(self.marked)} marked", "accent"))
        return phrases

    def _state_right(self) -> list[Phrase]:
        if self.failure or self.busy or self.calls.sample is None:
            return []
        if self.ended:
            return [("ended ■", "warn")]
        if not self.probed:
            return []
        live: Phrase = ("paused ‖", "warn") if self.paused else ("live ●", "good")
        return [live, (f"every {self.interval:g} s", "dim")]

    def on_table_moved(self) -> None:
        """Spell the function's name out."""
        row = self.table().row
        self.query_one(Detail).show(*(_spelt(row.function) if row else ("",)))
        self.show_keys()

    def can(self, name: str) -> bool:
        """What does something now."""
        if name == "back":
            return True
        if self.failure or self.busy or self.calls.sample is None:
            return name.startswith("app.") or name == ""
        if name in ("pause", "faster", "slower", "add", "reset"):
            return not self.ended
        if name == "latency":
            return not self.ended and bool(self.probed)
        if name in ("remove", "mark"):
            return not self.ended and self.table().row is not None
        return name != "skipped" or bool(self.skipped)

    def actions(self) -> list[Action]:
        """Labels that depend on the state."""
        labels = {
            "back": "clear" if self.prompt.is_open else "back" if self.failure or self.ended else "detach",
            "pause": "go on" if self.paused else "pause",
        }
        return [action._replace(label=labels.get(action.name, action.label)) for action in super().actions()]

    # Actions

    def action_reset(self) -> None:
        """Count from here."""
        self.calls.reset()
        self.filtered()

    def action_mark(self) -> None:
        """Mark or unmark, and go on to the next."""
        row = self.table().row
        if row is not None:
            self.marked ^= {row.key}
            self.table().action_move(1)
            self.table().repaint()
            self.show_state()

    def action_latency(self) -> None:
        """Time what is counted, on a screen above this one."""
        functions = tuple(row.function for row in self.calls.rows())
        self.app.push_screen(LatencyScreen(self.target, self.modules, functions))

    def action_add(self) -> None:
        """Choose more functions while this goes on."""
        self.console.choose_more(self)

    def add(self, functions: Sequence[Function]) -> None:
        """Probe these as well."""
        self.attaching = len(functions)
        self._is_busy(_attaching(functions))
        self.run_worker(self._add(functions))

    async def _add(self, functions: Sequence[Function]) -> None:
        try:
            if self._probing is not None:
                self.post_message(self.Opened(await self._probing.add(functions)))
        except BpfscopeError as error:
            self.post_message(self.Refused(error))

    def action_remove(self) -> None:
        """Detach the marked functions, or the one under the cursor."""
        under = self.table().row
        wanted = self.marked or ({under.key} if under else set())
        functions = [row.function for row in self.calls.rows() if row.key in wanted]
        self.marked = set()
        if functions:
            self._is_busy(f"detaching {text.plural(len(functions), 'function')} …")
            self.run_worker(self._remove(functions))

    async def _remove(self, functions: Sequence[Function]) -> None:
        try:
            if self._probing is not None:
                await self._probing.remove(functions)
                self.post_message(self.Removed(set(map(function_key, functions))))
        except BpfscopeError as error:
            self.post_message(self.Refused(error))

    def action_export(self) -> None:
        """Write the numbers to a file."""
        self.run_worker(self._export(document(self.target, self.calls, self.skipped)))

    async def _export(self, content: dict[str, Any]) -> None:
        path = Path.cwd() / f"bpfscope-{self.target.pid}-{datetime.now().astimezone():%Y%m%d-%H%M%S}.json"
        try:
            await asyncio.to_thread(_write, path, content)
        except OSError as error:
            self.say(f"{sanitise(str(path))} can't be written: {(error.strerror or str(error)).lower()}", bad=True)
        else:
            self.say(f"written to {sanitise(str(path))}")

    def action_back(self) -> None:
        """Clear the filter; then detach and go back."""
        if not self.clear_filter() and self.session and not self.session.closing:
            if not (self.failure or self.ended):
                detaching = f"detaching {text.plural(len(self.probed), 'function')} …"
                self._is_busy(STOPPING if self.attaching else detaching)
            self.leave(self.session)


def _attaching(functions: Sequence[Function]) -> str:
    return f"attaching {text.plural(len(functions), 'function')} …"


def _spelt(function: Function) -> tuple[str, str]:
    """The function's whole name, and where it is."""
    return function.name, f"{function.module} · {function.address:x}"


def _write(path: Path, content: dict[str, Any]) -> None:
    with path.open("x", encoding="utf-8") as file:
        json.dump(content, file, ensure_ascii=False, indent=2)
        file.write("\n")
