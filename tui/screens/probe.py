"""The third screen: calls per function, live, while a probe is attached."""

from collections.abc import Iterable, Mapping, Sequence

from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from tui import text
from tui.collectors.samples import CountsSample
from tui.collectors.sources import Attached, Probing, Readings
from tui.elf.names import Function
from tui.errors import BpfscopeError
from tui.export.rows import Row
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
from tui.screens.calls import CallRow, Calls, document, row_key, words
from tui.screens.spending import OFF
from tui.screens.target import Key, function_key
from tui.screens.views import BACK, EXPORT, RESET, SKIPPED, Views
from tui.widgets.actions import Action
from tui.widgets.columns import Sort
from tui.widgets.filter import Haystack
from tui.widgets.lines import Detail, Phrase
from tui.widgets.table import Table


class ProbeScreen(AttachedScreen[CountsSample]):
    """A probe lives as long as this screen, which may be hidden while functions are added."""

    VIEW = "calls"
    CSS_PATH = "probe.tcss"
    NAME = "Calls"
    ACTIONS = (
        filter_by("functions with this in their name", 4),
        SORT,
        REVERSE,
        Action("p", "p", "pause", "pause", "Stop painting, not counting; on return the numbers are current", 1),
        RESET,
        FASTER,
        SLOWER,
        Action("space", "space", "mark", "mark", "Mark the function, or unmark it", 8),
        Action("a", "a", "add", "add", "Choose more functions while the probe goes on", 3),
        Action(
            "h",
            "h",
            "keep hot",
            "keep_hot",
            "Detach all that wasn't called, or had less than 1 % of the calls, and of the CPU time before",
            7,
        ),
        Action("d,delete", "d", "remove", "remove", "Detach the marked functions, or the one under the cursor", 3),
        SKIPPED,
        EXPORT,
        BACK,
    )
    SIGNS = (
        CURSOR,
        MARKED,
        OFF,
        ("~", "of functions that were not all counted all the time; r counts anew"),
        SORTED,
        CUT,
    )

    class Removed(Message):
        """Functions were detached."""

        def __init__(self, keys: set[Key]) -> None:
            super().__init__()
            self.keys = keys

    def __init__(self, views: Views) -> None:
        super().__init__(views)
        self.calls = Calls()
        self.marked: set[Key] = set()
        self.probed: set[Key] = set()
        self._probing: Probing | None = None
        self._keys: tuple[Key, ...] = ()

    async def attach(self) -> tuple[Readings[CountsSample], Attached]:
        """Count them."""
        self._probing, attached = await self.sources.probe(self.target.pid, self.modules, self.asked)
        return self._probing, attached

    @property
    def count(self) -> int:
        """How many functions are probed, or are about to be."""
        return len(self.probed) + self.attaching

    def content(self) -> Iterable[Widget]:
        """The table, or why there is none."""
        table: Table[CallRow] = Table(
            columns(self.calls), row_key, Sort("rate", True), mark=self._mark_of, shade=_shade
        )
        table.empty = self.busy
        yield table
        yield Static(id="failure", markup=False)

    def _mark_of(self, row: CallRow) -> str:
        return "●" if row.key in self.marked else OFF[0] if row.off else ""

    def opened(self, attached: Attached) -> None:
        """These count from now on."""
        self.probed |= set(map(function_key, attached.attached))

    def on_probe_screen_removed(self, event: Removed) -> None:
        """These don't count any more."""
        self.probed -= event.keys
        self.done()

    def work(self, doing: str) -> None:
        """Say what is done, in the table too."""
        self.table().empty = doing or self._empty()
        self.table().repaint()
        super().work(doing)

    @property
    def calls_seen(self) -> int:
        """How many calls were seen."""
        return sum(self.sample.calls) if self.sample else 0

    def take(self, sample: CountsSample) -> None:
        """Note the counts."""
        self.calls.take(sample)

    # Painting

    def filtered(self) -> None:
        """Show what the filter leaves."""
        if self.sample is not None:
            table = self.table()
            if self.calls.keys is not self._keys:
                self._keys = self.calls.keys
                self.probed = set(self._keys)
                table.use(columns(self.calls), limits(self.calls))
            rows: Sequence[CallRow] = self.calls.rows()
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

    def clock(self) -> list[Phrase]:
        """How long it has run, and since when the figures count."""
        if self.sample is None or not self.calls.was_reset:
            return super().clock()
        return [(f"since reset {text.clock(self.calls.elapsed - self.calls.since)}", "dim"), *super().clock()]

    def figures(self) -> list[Phrase]:
        """What the state line says of the numbers."""
        phrases: list[Phrase] = []
        if self.prompt.wanted:
            phrases.append((counted(len(self.table().rows), len(self.calls.keys), "function"), "strong"))
        if not self.ended:
            phrases.append((f"{text.rate(self.calls.per_second)} calls/s", "strong"))
        phrases.append((f"{text.count(self.calls.total)} calls", ""))
        if self.marked:
            phrases.append((f"● {len(self.marked)} marked", "accent"))
        return phrases

    def on_table_moved(self) -> None:
        """Spell the function's name out."""
        row = self.table().row
        self.query_one(Detail).show(*(_spelt(row.function, self.suspended) if row else ("",)))
        self.show_keys()

    def can(self, name: str) -> bool:
        """What does something now."""
        if not super().can(name):
            return False
        if name == "add":
            return not self.ended
        return name not in ("remove", "mark", "keep_hot") or (not self.ended and self.table().row is not None)

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

    def action_add(self) -> None:
        """Choose more functions while this goes on."""
        self.console.choose_more(self)

    def add(self, functions: Sequence[Function]) -> None:
        """Probe these as well."""
        self.attaching = len(functions)
        self.views.add(functions)
        self.work(f"attaching {text.plural(len(functions), 'function')} …")
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
        self._take_off(functions)

    def action_keep_hot(self) -> None:
        """Detach what is hardly called: what is left is worth timing."""
        cold = self.calls.cold(self.views.hot)
        left = len(self.calls.keys) - len(cold)
        if left and cold:
            kept = set(self.calls.keys).difference(map(function_key, cold))
            off = f", {len(kept & self.off):,} of them taken off by the budget (u)" if kept & self.off else ""
            self.say(f"{text.plural(left, 'function')} kept{off}; l times them, f shows who calls them")
            self._take_off(cold)
        else:
            self.say("all of these are hot" if left else "nothing was called yet")

    def _take_off(self, functions: Sequence[Function]) -> None:
        """A view that is opened meanwhile is one of what is left."""
        if functions:
            self.views.remove(functions)
            self.work(f"detaching {text.plural(len(functions), 'function')} …")
            self.run_worker(self._remove(functions))

    async def _remove(self, functions: Sequence[Function]) -> None:
        try:
            if self._probing is not None:
                await self._probing.remove(functions)
                self.post_message(self.Removed(set(map(function_key, functions))))
        except BpfscopeError as error:
            self.post_message(self.Refused(error))

    def document(self) -> Row:
        """What an export says."""
        return document(self.target, self.calls, self.skipped)


def _shade(row: CallRow) -> str:
    return "dim" if row.off else ""


def _spelt(function: Function, suspended: Mapping[Function, str]) -> tuple[str, str]:
    """The function's whole name, and where it is; or why it is off."""
    return function.name, suspended.get(function) or f"{function.module} · {function.address:x}"
