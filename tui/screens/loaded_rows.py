"""What a program of the user's own shows, in panes: its events, its maps, its histograms. Pure: knows no widget."""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from itertools import islice
from typing import Final, NamedTuple

from tui import text
from tui.collectors.entries import Entry, MapSample
from tui.collectors.hints import Hints, Value, hints
from tui.collectors.loaded import PRINTK, Event, LoadedProgram, LoadedSample
from tui.collectors.loaded_maps import Distribution, distributions, powers, used
from tui.collectors.map_values import is_number
from tui.widgets.columns import Column
from tui.widgets.pieces import Cell

KEPT: Final = 10_000  # events of a pane; older ones are forgotten
_WIDEST: Final = 40  # cells that a column asks for
_TIME: Final = "time"
_LOOKED_AT: Final = 50  # new rows whose cells are made at once


class Row:
    """An event, or an entry of a map; written out when it is seen."""

    __slots__ = ("_cells", "_pane", "growth", "key", "members")

    def __init__(self, pane: "Pane", key: Hashable, members: dict[str, Value], growth: int = 0) -> None:
        self.key, self.members = key, members
        self.growth = growth  # how much an entry's first number grew since the reading before
        self._pane = pane
        self._cells: tuple[str, ...] = ()

    @property
    def cells(self) -> tuple[str, ...]:
        """As they are shown, in the order of the pane's columns."""
        if not self._cells:
            self._cells = self._pane.written(self.members)
        return self._cells

    def order(self, at: int) -> tuple[bool, int | str]:
        """By what a column is sorted: numbers before texts, where it has both."""
        value = list(self.members.values())[at] if at < len(self.members) else ""
        if is_number(value) and isinstance(value, int):
            return False, value
        return True, self.cells[at] if at < len(self.cells) else ""

    @property
    def words(self) -> str:
        """By what it can be found."""
        return "\n".join(self.cells)


class Pane:
    """The rows of one map, or of one kind of events, with their columns."""

    def __init__(self, name: str, hints: Hints) -> None:
        self.name = name
        self.names: tuple[str, ...] = ()  # of the columns
        self.note = ""
        self.rows: Sequence[Row] = ()
        self._hints = hints
        self._numeric: dict[str, bool] = {}
        self._widths: dict[str, int] = {}

    @property
    def title(self) -> str:
        """The pane's name, and how much is in it."""
        return f"{self.name} {len(self.rows):,}"

    def columns(self) -> tuple[Column[Row], ...]:
        """As wide as what they have shown so far."""
        last = len(self.names) - 1
        return tuple(
            Column(
                name,
                name.upper(),
                self._widths.get(name, len(name)),
                _cell(at),
                sort=_value(at),
                descending=self._numeric.get(name, False) and name != _TIME,
                right=self._numeric.get(name, False) and name != _TIME,
                middle=at == last,
                flexible=at == last and not self._numeric.get(name, False),
                priority=0 if at in (0, last) else at,
                narrow=min(self._widths.get(name, 8), max(8, len(name))),
            )
            for at, name in enumerate(self.names)
        )

    def _row(self, key: Hashable, members: dict[str, Value], growth: int = 0) -> Row:
        if tuple(members) != self.names:
            self.names = tuple(members)
            self.written(members)
        return Row(self, key, members, growth)

    def written(self, members: dict[str, Value]) -> tuple[str, ...]:
        """A row's cells; columns become as wide as the widest."""
        return tuple(self._written(name, value) for name, value in members.items())

    def _written(self, name: str, value: Value) -> str:
        said = value if name == _TIME and isinstance(value, str) else self._hints.shown(value, name)
        number = is_number(value) and not isinstance(self._hints.named(value, name), str)
        self._numeric[name] = self._numeric.get(name, False) or number  # an errno beside descriptors changes nothing
        self._widths[name] = max(self._widths.get(name, 0), len(name) + 2, min(_WIDEST, len(said)))
        return said


class EventsPane(Pane):
    """Events of one type, the newest last."""

    def __init__(self, name: str, hints: Hints) -> None:
        super().__init__(name, hints)
        self._kept: deque[Row] = deque(maxlen=KEPT)
        self.total = 0

    @property
    def title(self) -> str:
        """The pane's name, and how many events there were."""
        return f"{self.name} {self.total:,}"

    def take(self, events: Sequence[Event], started: float) -> None:
        """Note events; `started`: when everything was attached, monotonic."""
        for event in events:
            members = event.value if isinstance(event.value, dict) else {"said": event.value}
            thread: dict[str, Value] = {"thread": event.tid} if event.table == PRINTK and event.tid else {}
            at = f"{max(0.0, event.time_ns / 1e9 - started):.3f}"
            self._kept.append(self._row(self.total, {_TIME: at, **thread, **members}))
            self.total += 1
        self.rows = self._kept
        for row in islice(reversed(self._kept), _LOOKED_AT):
            row.cells  # noqa: B018 - how wide the columns are to be

    def shown(self) -> Sequence[Row]:
        """The events that are kept."""
        return list(self._kept)


class EntriesPane(Pane):
    """Entries of a map: key, value, and how much it grew."""

    _keys = 0  # columns of the key; the others are the value's

    def take(self, sample: MapSample) -> None:
        """Note a reading."""
        self.note = sample.note or ("" if sample.complete else f"the first {len(sample.entries):,} entries")
        self.rows = [self._entry(one) for one in used(sample)]

    def _entry(self, one: Entry) -> Row:
        keys: dict[str, Value] = one.key if isinstance(one.key, dict) else {"key": one.key}
        values: dict[str, Value] = one.value if isinstance(one.value, dict) else {"value": one.value}
        self._keys = len(keys)
        twice = keys.keys() & values.keys()
        members = keys | {f"{name} of value" if name in twice else name: value for name, value in values.items()}
        return self._row(one.raw, members, _growth(one))

    @property
    def first_figure(self) -> str:
        """By which column the entries are sorted first: the first number of the value."""
        return next((name for name in self.names[self._keys :] if self._numeric.get(name)), "")


def _growth(one: Entry) -> int:
    delta = one.delta
    if isinstance(delta, dict):
        return next((value for value in delta.values() if isinstance(value, int)), 0)
    return delta if isinstance(delta, int) else 0


class BarsPane(Pane):
    """A map that is a histogram, or several."""

    def __init__(self, name: str, hints: Hints, shift: int | None) -> None:
        super().__init__(name, hints)
        self._shift = shift
        self.bars: tuple[Distribution, ...] = ()
        self.label = hints.unit(name)

    @property
    def title(self) -> str:
        """The pane's name, and how much was counted."""
        return f"{self.name} {sum(one.total for one in self.bars):,}"

    def take(self, sample: MapSample) -> None:
        """Note a reading."""
        self.bars = distributions(sample, self._hints, self._shift)
        self.note = sample.note


class View:
    """All panes of one source, filled from readings."""

    def __init__(self, source: str) -> None:
        self.hints = hints(source)
        self.powers = powers(source)  # of the maps that are histograms
        self.panes: list[Pane] = []
        self.sample: LoadedSample | None = None
        self._runs: dict[str, tuple[float, int]] = {}
        self.rates: dict[str, float] = {}  # runs a second, by function

    def take(self, sample: LoadedSample) -> None:
        """Note a reading."""
        started = sample.time - sample.elapsed
        by_table: dict[str, list[Event]] = {}
        for event in sample.events:
            by_table.setdefault(event.table, []).append(event)
        for name, events in by_table.items():
            self._events(name).take(events, started)
        new = self.sample is None or sample.time != self.sample.time
        if new:
            for name, one in zip(sample.names, sample.maps, strict=True):
                if name not in self.hints.hidden:
                    self._map(name).take(one)
            self.rates = {one.name: self._rate(one, sample.time) for one in sample.programs}
        self.sample = sample

    def _rate(self, one: LoadedProgram, time: float) -> float:
        then, runs = self._runs.get(one.name, (time, one.runs))
        self._runs[one.name] = time, one.runs
        return (one.runs - runs) / (time - then) if time > then else 0.0

    def _events(self, name: str) -> EventsPane:
        for pane in self.panes:
            if isinstance(pane, EventsPane) and pane.name == name:
                return pane
        pane = EventsPane(name, self.hints)
        self.panes.insert(sum(isinstance(one, EventsPane) for one in self.panes), pane)
        return pane

    def _map(self, name: str) -> EntriesPane | BarsPane:
        for pane in self.panes:
            if isinstance(pane, EntriesPane | BarsPane) and pane.name == name:
                return pane
        made = BarsPane(name, self.hints, self.powers[name]) if name in self.powers else EntriesPane(name, self.hints)
        self.panes.append(made)
        return made


def _cell(at: int) -> Callable[[Row, int], Cell]:
    return lambda row, _: row.cells[at] if at < len(row.cells) else ""


def _value(at: int) -> Callable[[Row], tuple[bool, int | str]]:
    return lambda row: row.order(at)


class ProgramRow(NamedTuple):
    """A function, where it runs, and how often."""

    program: LoadedProgram
    rate: float

    @property
    def each(self) -> str:
        """What a run takes on average."""
        one = self.program
        return text.duration(one.run_time_ns / one.runs) if one.runs else "–"


PROGRAM_COLUMNS: Final[tuple[Column[ProgramRow], ...]] = (
    Column("id", "ID", 7, lambda row, _: ((str(row.program.id), "dim"),), right=True, priority=3),
    Column("place", "RUNS AT", 20, lambda row, _: row.program.place, middle=True, flexible=True),
    Column("runs", "RUNS", 12, lambda row, _: text.count(row.program.runs), right=True, narrow=9),
    Column("rate", "/S", 7, lambda row, _: text.rate(row.rate), right=True),
    Column("each", "EACH", 7, lambda row, _: row.each, right=True),
)
