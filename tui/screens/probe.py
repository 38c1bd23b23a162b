"""The third screen: calls per function, live, while a probe is attached."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from tui import text
from tui.collectors.samples import CountsSample
from tui.collectors.sources import Attached, Probing
from tui.elf.names import Function, Module, Skipped
from tui.errors import BpfscopeError
from tui.screens.base import ConsoleScreen, quicker, slower
from tui.screens.calls import CallRow, Calls, Key, document, row_key, words
from tui.screens.session import Session
from tui.screens.skipped import SkippedScreen
from tui.screens.target import Target, function_key
from tui.widgets.actions import Action
from tui.widgets.columns import Column, Sort
from tui.widgets.filter import Haystack, Unfinished
from tui.widgets.history import STEPS
from tui.widgets.lines import Detail, Phrase
from tui.widgets.pieces import Cell
from tui.widgets.table import Table


def _share(row: CallRow, _: int) -> Cell:
    return f"{100 * row.share:.1f} %"


def _bar(row: CallRow, width: int) -> Cell:
    return ((text.bar(row.share, width), "graph"),)


NAME = Column[CallRow](
    "function",
    "FUNCTION",
    16,
    lambda row, _: row.function.name,
    lambda row: row.function.name,
    middle=True,
    flexible=True,
)
MODULE = Column[CallRow](
    "module",
    "MODULE",
    16,
    lambda row, _: ((row.function.module, "dim"),),
    lambda row: row.function.module,
    middle=True,
    priority=4,
    narrow=12,
)
FIGURES: tuple[Column[CallRow], ...] = (
    Column(
        "calls",
        "CALLS",
        15,
        lambda row, _: text.count(row.calls),
        lambda row: row.calls,
        descending=True,
        right=True,
        narrow=13,
    ),
    Column(
        "rate",
        "CALLS/S",
        9,
        lambda row, _: text.rate(row.per_second),
        lambda row: row.per_second,
        descending=True,
        right=True,
    ),
    Column(
        "history",
        "60 s",
        STEPS,
        lambda row, width: ((text.sparkline(row.history.last(row.key, width), width), "graph"),),
        priority=2,
        narrow=STEPS // 2,
    ),
    Column("share", "SHARE", 8, _share, lambda row: row.share, descending=True, right=True, priority=1),
    Column("bar", "", 8, _bar, filler=True, priority=3),
)


class ProbeScreen(ConsoleScreen):
    """A probe lives as long as this screen, which may be hidden while functions are added."""

    CSS_PATH = "probe.tcss"
    NAME = "Calls"
    ACTIONS = (
        Action(
            "slash",
            "/",
            "filter",
            "filter",
            "Keep functions with this text, a glob, or a /regex/; ! in front inverts",
            2,
        ),
        Action("s", "s", "sort", "sort", "Sort by the next column; a click on a title does it too", 3),
        Action("S", "S", "reverse", "sort_reverse", "Sort the other way round", 10),
        Action("p", "p", "pause", "pause", "Stop painting, not counting; on return the numbers are current", 3),
        Action("r", "r", "reset", "reset", "Count from here", 4),
        Action("plus,equals_sign", "+ -", "rate", "faster", "Read more often; - less often", 9),
        Action("minus", "-", "slower", "slower", "Read less often", 10),
        Action("space", "space", "mark", "mark", "Mark the function, or unmark it", 8),
        Action("a", "a", "add", "add", "Choose more functions while the probe goes on", 3),
        Action("d,delete", "d", "detach", "remove", "Detach the marked functions, or the one under the cursor", 5),
        Action("x", "x", "skipped", "skipped", "List the functions that could not be probed, with reasons", 6),
        Action("e", "e", "export", "export", "Write the numbers to a JSON file in the current folder", 6),
        Action("escape", "esc", "back", "back", "Clear the filter, or detach everything and go back", 1),
    )

    class Opened(Message):
        """Functions were attached."""

        def __init__(self, attached: Attached) -> None:
            super().__init__()
            self.attached = attached

    class Refused(Message):
        """A source said no; `fatal` where nothing is attached."""

        def __init__(self, reason: str, *, fatal: bool = False) -> None:
            super().__init__()
            self.reason = reason
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
        super().__init__()
        self.target = target
        self.modules = modules
        self.asked = functions
        self.interval = 1.0
        self.paused = False
        self.calls = Calls()
        self.skipped: tuple[Skipped, ...] = ()
        self.marked: set[Key] = set()
        self.probed: set[Key] = set()
        self.session: Session | None = None
        self.busy = f"attaching {text.plural(len(functions), 'function')} …"
        self.failure = ""
        self._probing: Probing | None = None
        self._keys: tuple[Key, ...] = ()

    @property
    def ended(self) -> str:
        """Why the target can't be called any more."""
        return self.calls.sample.ended if self.calls.sample else ""

    def content(self) -> Iterable[Widget]:
        """The table, or why there is none."""
        several = len({function.module for function in self.asked}) > 1
        columns = (NAME, *((MODULE,) if several else ()), *FIGURES)
        table: Table[CallRow] = Table(columns, row_key, Sort("rate", True), mark=self._mark_of)
        table.empty = self.busy
        yield table
        yield Static(id="failure", markup=False)

    def _mark_of(self, row: CallRow) -> str:
        return "●" if row.key in self.marked else ""

    def on_mount(self) -> None:
        """Attach."""
        self.session = self.console.open_session(self.sources.probe(self.target.pid, self.modules, self.asked))
        self.table().focus()
        self.show_state()
        self.run_worker(self._open(self.session))

    async def _open(self, session: Session) -> None:
        try:
            self._probing, attached = await session.attached()
        except BpfscopeError as error:
            self.post_message(self.Refused(str(error), fatal=True))
            return
        self.post_message(self.Opened(attached))

    def on_probe_screen_opened(self, event: Opened) -> None:
        """Read what is attached."""
        first = not self.probed
        self.probed |= set(map(function_key, event.attached.attached))
        self.skipped += event.attached.skipped
        self.busy = ""
        self.table().empty = "nothing is probed; a adds functions"
        if first:
            self._start()
        self.show_state()

    def on_probe_screen_refused(self, event: Refused) -> None:
        """Say why."""
        self.busy = ""
        if event.fatal:
            self.failure = event.reason
            self.query_one("#failure", Static).update(event.reason)
            self.add_class("-failed")
        else:
            self.say(event.reason, bad=True)
        self.show_state()

    def _start(self) -> None:
        if self._probing is not None and not self.ended:
            self.run_worker(self._collect(self._probing), group="samples", exclusive=True)

    async def _collect(self, probing: Probing) -> None:
        try:
            async for sample in probing.counts(self.interval):
                self.post_message(self.Arrived(sample))
        except BpfscopeError as error:
            self.post_message(self.Refused(str(error)))

    def on_probe_screen_arrived(self, event: Arrived) -> None:
        """Take the reading; show it unless paused."""
        self.calls.take(event.sample)
        if self.calls.keys is not self._keys:
            self._keys = self.calls.keys
            self.probed = set(self._keys)
            longest = max((cell_len(function.name) for function in event.sample.functions), default=16)
            self.table().limit("function", longest)
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
            if self.prompt.text:
                with suppress(Unfinished):
                    rows = Haystack(rows, words).matching(self.prompt.text)
                table.empty = f"no function matches {self.prompt.text}; esc clears the filter"
            table.show(rows)
        self.show_state()

    def show_state(self) -> None:
        """The lines around the table."""
        what = text.plural(len(self.probed) or len(self.asked), "function")
        left: list[Phrase] = [((f"{self.target.title} ▸ ", "dim"), (what, "title"))]
        right: list[Phrase] = []
        if self.calls.was_reset:
            right.append((f"since reset {text.clock(self.calls.elapsed - self.calls.since)}", "dim"))
        right.append((text.clock(self.calls.elapsed), "strong"))
        self.put_lines((left, right if self.calls.sample else ()), self._state(), self._state_right())

    def _state(self) -> list[Phrase]:
        sample = self.calls.sample
        if self.failure:
            return [("nothing is attached", "bad")]
        if self.busy:
            return [(self.busy, "strong")]
        if sample is None:
            return [("waiting for the first reading …", "dim")]
        phrases: list[Phrase] = []
        if self.ended:
            after = text.clock(sample.elapsed)
            phrases.append((f"{self.target.title} {self.ended} after {after}; the numbers stay", "warn"))
        else:
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
        live: Phrase = ("paused ‖", "warn") if self.paused else ("live ●", "good")
        return [live, (f"every {self.interval:g} s", "dim")]

    def on_table_moved(self) -> None:
        """Spell the function's name out."""
        row = self.table().row
        self.query_one(Detail).show(*((row.function.name, row.function.module) if row else ("",)))
        self.show_keys()

    def can(self, name: str) -> bool:
        """What does something now."""
        if name == "back":
            return True
        if self.failure or self.busy or self.calls.sample is None:
            return name.startswith("app.") or name == ""
        if name in ("pause", "faster", "slower", "add", "reset"):
            return not self.ended
        if name in ("remove", "mark"):
            return not self.ended and self.table().row is not None
        return name != "skipped" or bool(self.skipped)

    def actions(self) -> list[Action]:
        """Labels that depend on the state."""
        labels = {
            "back": "clear" if self.prompt.is_open else "back" if self.failure or self.ended else "detach, back",
            "pause": "go on" if self.paused else "pause",
        }
        return [action._replace(label=labels.get(action.name, action.label)) for action in super().actions()]

    # Actions

    def action_pause(self) -> None:
        """Stop painting, or show the last reading."""
        self.paused = not self.paused
        self.filtered()

    def action_reset(self) -> None:
        """Count from here."""
        self.calls.reset()
        self.filtered()

    def action_faster(self) -> None:
        """Read more often."""
        self._set_interval(quicker(self.interval))

    def action_slower(self) -> None:
        """Read less often."""
        self._set_interval(slower(self.interval))

    def _set_interval(self, interval: float) -> None:
        if interval != self.interval:
            self.interval = interval
            self._start()
        self.show_state()

    def action_mark(self) -> None:
        """Mark or unmark, and go on to the next."""
        row = self.table().row
        if row is not None:
            self.marked ^= {row.key}
            self.table().action_move(1)
            self.table().repaint()
            self.show_state()

    def action_skipped(self) -> None:
        """List what could not be probed."""
        self.app.push_screen(SkippedScreen(self.target, self.skipped))

    def action_add(self) -> None:
        """Choose more functions while this goes on."""
        self.console.choose_more(self)

    def add(self, functions: Sequence[Function]) -> None:
        """Probe these as well."""
        self.busy = f"attaching {text.plural(len(functions), 'function')} …"
        self.show_state()
        self.run_worker(self._add(functions))

    async def _add(self, functions: Sequence[Function]) -> None:
        try:
            if self._probing is not None:
                self.post_message(self.Opened(await self._probing.add(functions)))
        except BpfscopeError as error:
            self.post_message(self.Refused(str(error)))

    def action_remove(self) -> None:
        """Detach the marked functions, or the one under the cursor."""
        under = self.table().row
        wanted = self.marked or ({under.key} if under else set())
        functions = [row.function for row in self.calls.rows() if row.key in wanted]
        self.marked = set()
        if functions:
            self.busy = f"detaching {text.plural(len(functions), 'function')} …"
            self.show_state()
            self.run_worker(self._remove(functions))

    async def _remove(self, functions: Sequence[Function]) -> None:
        try:
            if self._probing is not None:
                await self._probing.remove(functions)
                self.post_message(self.Opened(Attached((), ())))
        except BpfscopeError as error:
            self.post_message(self.Refused(str(error)))

    def action_export(self) -> None:
        """Write the numbers to a file."""
        self.run_worker(self._export(document(self.target, self.calls, self.skipped)))

    async def _export(self, content: dict[str, Any]) -> None:
        path = Path.cwd() / f"bpfscope-{self.target.pid}-{datetime.now().astimezone():%Y%m%d-%H%M%S}.json"
        try:
            await asyncio.to_thread(_write, path, content)
        except OSError as error:
            self.say(f"{path} can't be written: {(error.strerror or str(error)).lower()}", bad=True)
        else:
            self.say(f"written to {path}")

    def action_back(self) -> None:
        """Clear the filter; then detach and go back."""
        if not self.clear_filter() and self.session and not self.session.closing:
            self.busy = "" if self.failure or self.ended else f"detaching {text.plural(len(self.probed), 'function')} …"
            self.show_state()
            self.run_worker(self._leave(self.session), group="leave")

    async def _leave(self, session: Session) -> None:
        try:
            await self.console.close_session(session)
        except BpfscopeError as error:
            self.say(str(error), bad=True)
        self.console.leave(self)

    async def on_unmount(self) -> None:
        """Whatever took the screen away, nothing stays attached."""
        if self.session is not None:
            with suppress(BpfscopeError):
                await self.console.close_session(self.session)


def _write(path: Path, content: dict[str, Any]) -> None:
    with path.open("x", encoding="utf-8") as file:
        json.dump(content, file, ensure_ascii=False, indent=2)
        file.write("\n")
