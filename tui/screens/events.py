"""Each call as it happens: a tail that follows, stands still while one looks through it, and can be searched."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import StringIO
from operator import attrgetter
from typing import ClassVar, Final

from textual.widget import Widget
from textual.widgets import Static

from tui import text
from tui.collectors.samples import Event, EventsSample
from tui.collectors.sources import Readings
from tui.elf.names import Function
from tui.export.chrome import Trace
from tui.screens.attached import AttachedScreen
from tui.screens.base import CURSOR, CUT, FASTER, REVERSE, SLOWER, SORT, SORTED, counted, filter_by
from tui.screens.event_columns import COLUMNS, moment
from tui.screens.pace import Pace
from tui.screens.session import Attaching
from tui.screens.tail import Tail, TailRow, call, words
from tui.screens.views import BACK, SKIPPED, Views
from tui.widgets.actions import Action
from tui.widgets.columns import Sort
from tui.widgets.filter import Haystack
from tui.widgets.lines import SEPARATOR, Detail, Phrase
from tui.widgets.pieces import Piece
from tui.widgets.table import Table

AS_THEY_CAME: Final = Sort("time", False)


class EventsScreen(AttachedScreen[EventsSample]):
    """Sees calls as long as it lives. The tail follows while the cursor is on the newest; else it is frozen."""

    VIEW = "events"
    DOING = "seen"
    CSS_PATH = "events.tcss"
    NAME = "Events"
    ACTIONS = (
        filter_by("calls with this in name, values or thread", 2),
        Action("p", "p", "freeze", "pause", "Freeze the tail, as going up does; again, or end: follow the newest", 1),
        SORT,
        REVERSE,
        FASTER,
        SLOWER,
        SKIPPED,
        Action(
            "e", "e", "export", "export", "Write the calls that are kept as a trace for Perfetto, into this folder", 6
        ),
        BACK,
    )
    SIGNS: ClassVar[tuple[tuple[str, str], ...]] = (
        CURSOR,
        SORTED,
        CUT,
        ("DURATION", "has in it what probes take: up to some 15 µs for each probed call within the call"),
        ("TIME", "when the call ended, since the probe began; when it began where returns aren't seen"),
        ("–", "returns of this function aren't seen"),
        ("g …", "a goroutine, by its address"),
    )

    def __init__(self, views: Views) -> None:
        super().__init__(views)
        self.tail = Tail()
        self.pace = Pace()
        self._wanted = ""  # what the rows below were filtered by
        self._rows: deque[TailRow] = deque()
        self._looked = 0  # rows of the tail that went through the filter
        self._passed = self._shown = 0  # of these: how many passed, and were there when the table was filled

    def attach(self) -> Attaching[Readings[EventsSample]]:
        """See each of their calls."""
        return self.sources.events(self.target.pid, self.modules, self.asked)

    def content(self) -> Iterable[Widget]:
        """The tail, or why there is none."""
        table: Table[TailRow] = Table(COLUMNS, attrgetter("number"), AS_THEY_CAME)
        table.empty = self.busy
        yield table
        yield Static(id="failure", markup=False)

    @property
    def calls_seen(self) -> int:
        """How many calls were seen."""
        return self.sample.calls if self.sample else 0

    def take(self, sample: EventsSample) -> None:
        """Keep the events, whether anybody looks or not."""
        self.tail.take(sample)
        self.pace.take(sample.time, sample.seen, sample.elapsed)

    def under(self) -> Function | None:
        """The function under the cursor, if somebody put it there."""
        return None if self.chronological and not self.frozen else super().under()

    # Following

    @property
    def chronological(self) -> bool:
        """Whether the newest is at the bottom."""
        return self.table().sort == AS_THEY_CAME

    @property
    def frozen(self) -> bool:
        """Whether the tail stands still: somebody went up in it."""
        return self.chronological and self.table().cursor < len(self.table().rows) - 1

    @property
    def newer(self) -> int:
        """How many have come since the table was filled."""
        return self._passed - self._shown

    def show_latest(self) -> None:
        """Show what came; while the tail is frozen, only say how much."""
        if self.frozen:
            self._sift()
            self.show_state()
        else:
            self.filtered()

    def filtered(self) -> None:
        """Show what the filter leaves, the cursor on the newest unless the tail is frozen."""
        if self.sample is not None:
            table, frozen = self.table(), self.frozen
            anew = self._sift()
            table.empty = f"no call matches {self._wanted}; esc clears the filter" if self._wanted else "no call yet"
            if self.chronological:
                table.release()  # the order is the same at all times
            table.show(list(self._rows), anew=anew)
            self._shown = self._passed
            if self.chronological and (anew or not frozen):
                table.action_end()
        self.show_state()

    def _sift(self) -> bool:
        """Put what has come through the filter; whether that is another one than before."""
        anew = self._wanted != self.prompt.wanted
        if anew:
            self._wanted, self._looked, self._passed = self.prompt.wanted, 0, 0
            self._rows.clear()
        passed: Sequence[TailRow] = self.tail.since(self._looked)
        self._looked = self.tail.total
        if self._wanted:
            passed = self.leaves(Haystack([row for row in passed if row.event], words).matching)
        self._rows.extend(passed)
        self._passed += len(passed)
        while self._rows and self._rows[0].number < self._looked - len(self.tail.rows):
            self._rows.popleft()
        return anew

    def on_table_moved(self) -> None:
        """Spell the event out; follow again from the newest on."""
        row: TailRow | None = self.table().row
        self.query_one(Detail).show(*spelt(row))
        if self.newer and not self.paused and self.chronological and not self.frozen:
            self.filtered()
        self.show_state()

    def on_table_sorted(self) -> None:
        """In another order: from its beginning, or following again."""
        self.paused = False
        self.filtered()
        self.table().move_to(len(self._rows) - 1 if self.chronological else 0)
        self.table().release()

    def action_pause(self) -> None:
        """Freeze the tail, or follow it; in another order: stop painting, or go on."""
        if not self.chronological:
            super().action_pause()
        elif self.frozen:
            self.table().action_end()
        else:
            self.table().action_move(-1)

    def exports(self) -> Mapping[str, Callable[[], str]]:
        """A trace for Perfetto or chrome://tracing."""
        events = [row.event for row in self.tail.rows if row.event]
        return {"trace.json": lambda: _trace(events)}

    # Lines

    def figures(self) -> list[Phrase]:
        """What the state line says of the numbers; what must be seen goes first, as one where nothing is typed."""
        sample = self.sample
        if sample is None:
            return []
        first: list[Piece] = []
        if self.frozen:
            first.append((f"frozen, {self.newer:,} newer", "warn"))
        if not self.ended:
            first.append(self.pace.said("events"))
        if sample.dropped:
            first.append((f"dropped {sample.dropped:,}", "bad"))
        first = [piece for piece in first if piece[0]]
        phrases: list[Phrase] = [*first] if self.prompt.is_open or not first else [joined(first)]
        if self._wanted:
            phrases.append((counted(len(self._rows), self.tail.kept, "event"), "strong"))
        else:
            phrases.append((text.plural(sample.seen, "event"), ""))
        if sample.unmatched:
            phrases.append((f"{sample.unmatched:,} unmatched", "warn"))
        if self.tail.forgotten:
            phrases.append((f"the first {self.tail.forgotten:,} are forgotten", "dim"))
        return phrases

    def _state_right(self) -> list[Phrase]:
        right = super()._state_right()
        return [("frozen ‖", "warn"), *right[1:]] if right and self.frozen and not self.ended else right

    def can(self, name: str) -> bool:
        """What does something now."""
        if name == "pause" and self.ended:
            return self.frozen
        return super().can(name)

    def actions(self) -> list[Action]:
        """Labels that depend on the state."""
        if not self.is_mounted:
            return super().actions()
        label = "follow" if self.frozen else "freeze" if self.chronological else "go on" if self.paused else "pause"
        return [action._replace(label=label) if action.name == "pause" else action for action in super().actions()]


def _trace(events: Sequence[Event]) -> str:
    file = StringIO()
    trace = Trace(file, min((event.start_ns for event in events), default=0))
    trace.write(events)
    trace.finish()
    return file.getvalue()


def joined(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """As one phrase, of which nothing is left out."""
    return tuple(part for piece in pieces for part in (SEPARATOR, piece))[1:]


def spelt(row: TailRow | None) -> tuple[str, str]:
    """The whole event, and what else is known of it."""
    if row is None:
        return "", ""
    if row.event is None:
        return f"{text.plural(row.dropped, 'event')} dropped", "they came faster than they could be read"
    event = row.event
    began = row.at - (event.duration_ns or 0) / 1e9
    notes = [
        f"began {moment(began, 6)}",
        f"took {event.duration_ns:,} ns" if event.duration_ns is not None else "",
        f"{event.comm}, thread {event.tid} of process {event.pid}",
        f"goroutine {event.goroutine:x}" if event.goroutine else "",
        event.function.module,
    ]
    return call(event), " · ".join(filter(None, notes))
