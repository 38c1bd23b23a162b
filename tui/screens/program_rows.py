"""The rows of the programs' list: columns, what is said about one. Pure: knows no widget."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from rich.cells import cell_len

from tui import text
from tui.collectors.program_history import History
from tui.collectors.program_samples import ProgramFigures
from tui.collectors.program_words import UNCOUNTED, UNSEEN, held_by, holders, places, share
from tui.widgets.columns import Column
from tui.widgets.history import SECONDS, STEPS
from tui.widgets.pieces import Cell

QUIET: Final = 0.1  # percent of a CPU that fill a bar of a sparkline at least: less is to look like less
OURS: Final = "◆"
JUMPED: Final = "↷"
MISSED: Final = "▲"
CPU: Final = 2  # which of History's figures
_PLACE, _HOLDER = 17, 14  # cells that say something: `tcx-ingress vlan7`, `bpftrace 17538`


class Churn:
    """How many were loaded and unloaded in the last sixty seconds, as far as readings saw them."""

    def __init__(self) -> None:
        self._before: set[int] | None = None
        self._changes: deque[tuple[float, int, int]] = deque()  # when, how many came and went

    def take(self, time: float, numbers: set[int]) -> None:
        """Note who is there at a time (seconds, monotonic)."""
        before = numbers if self._before is None else self._before
        self._before = numbers
        if numbers != before:
            self._changes.append((time, len(numbers - before), len(before - numbers)))
        while self._changes and self._changes[0][0] <= time - SECONDS:
            self._changes.popleft()

    @property
    def said(self) -> str:
        """+12 −3 in 60 s; nothing where nobody came or went."""
        came, went = (sum(one[at] for one in self._changes) for at in (1, 2))
        return f"+{came:,} −{went:,} in {SECONDS} s" if self._changes else ""


class ProgramRow(NamedTuple):
    """A program and what the list shows with it."""

    program: ProgramFigures
    history: History
    floor: float  # ns that an empty run reports
    before: tuple[int, int] = (0, 0)  # runs and their time that were there when somebody asked for a new beginning

    @property
    def runs(self) -> int:
        """Since then."""
        return self.program.runs - self.before[0]

    @property
    def average(self) -> float | None:
        """Nanoseconds a run took, since then; None where there was none."""
        return (self.program.run_time_ns - self.before[1]) / self.runs if self.runs else None


def row_key(row: ProgramRow) -> int:
    """The row's key."""
    return row.program.id


def named(one: ProgramFigures) -> str:
    """The name; where there is none the tag, by which it can be found all the same."""
    return one.name or f"({one.tag})"


def words(row: ProgramRow) -> str:
    """By what a program can be found."""
    one = row.program
    attached = (f"{each.hook} {each.where}" for each in one.attached)
    own = "ours" if one.ours else ""
    held, maps = holders(one.holders), (f"map {number}" for number in one.maps)
    return "\n".join(
        (str(one.id), one.name, one.type, one.tag, one.user, own, held, *one.units, *attached, *one.pins, *maps)
    )


def graph(values: Sequence[float], width: int, least: float) -> str:
    """A sparkline with blanks where nothing is known."""
    shown = text.sparkline([0.0 if math.isnan(value) else value for value in values], width, least)
    known = [False] * (width - len(values)) + [not math.isnan(value) for value in values[-width:]]
    return "".join(bar if there else " " for bar, there in zip(shown, known, strict=True))


def _name(row: ProgramRow, _: int) -> Cell:
    return ((named(row.program), "" if row.program.name else "dim"),)


def _events(row: ProgramRow, _: int) -> Cell:
    one = row.program
    sign = JUMPED if one.uncounted else MISSED if one.misses else ""
    if one.per_second is None or (one.uncounted and not one.runs):
        return ((sign, "warn"),)
    return ((sign, "warn"), (text.rate(one.per_second), "" if one.period_runs else "dim"))


def _time(of: Callable[[ProgramRow], float | None]) -> Callable[[ProgramRow, int], Cell]:
    """A duration; one that is hardly above what an empty run reports says little."""

    def cell(row: ProgramRow, _: int) -> Cell:
        value = of(row)
        if value is None:
            return ""
        return ((text.duration(value), "dim" if value < 1.2 * row.floor else ""),)

    return cell


def _known(of: Callable[[ProgramRow], float | None]) -> Callable[[ProgramRow], float]:
    """What it is sorted by: what isn't known comes last."""

    def key(row: ProgramRow) -> float:
        value = of(row)
        return -1.0 if value is None else value

    return key


def _cpu(row: ProgramRow, _: int) -> Cell:
    percent = row.program.cpu_percent
    if percent is None:
        return ""
    shown = f"{percent:.3f}" if 0 < percent < 9.9995 else share(percent)  # the point stands still
    return ((shown, "" if percent else "dim"),)


def _attached(row: ProgramRow, width: int) -> Cell:
    """Where; of several places that don't fit, how many."""
    attached = row.program.attached
    said = places(attached)
    if cell_len(said) > width:
        said = places(attached, short=True)
    if len(attached) < 2 or cell_len(said) <= width:
        return said
    hooks = {each.hook for each in attached}
    return f"{hooks.pop()} ×{len(attached)}" if len(hooks) == 1 else f"{len(attached):,} places"


def _memory(row: ProgramRow, _: int) -> Cell:
    return text.size(row.program.memory + row.program.maps_memory) if row.program.known else ""


def _holder(row: ProgramRow, width: int) -> Cell:
    said = held_by(row.program)
    if said == UNSEEN and cell_len(said) > width:
        said = "not seen here"
    return ((said, "" if row.program.holders else "dim"),)


COLUMNS: Final[tuple[Column[ProgramRow], ...]] = (
    Column("id", "ID", 6, lambda row, _: str(row.program.id), lambda row: row.program.id, right=True, flexible=True),
    Column(
        "type", "TYPE", 10, lambda row, _: row.program.type, lambda row: row.program.type, flexible=True, priority=5,
        middle=True,
    ),
    Column("name", "NAME", 15, _name, lambda row: row.program.name, flexible=True, middle=True),
    Column(
        "events", "EVENTS/S", 8, _events, _known(lambda row: row.program.per_second), descending=True, right=True
    ),
    Column(
        "now", "AVG NOW", 7, _time(lambda row: row.program.period_average),
        _known(lambda row: row.program.period_average), descending=True, right=True, priority=1,
    ),
    Column(
        "all", "AVG ALL", 7, _time(lambda row: row.average), _known(lambda row: row.average), descending=True,
        right=True, priority=7,
    ),
    Column("cpu", "CPU%", 5, _cpu, _known(lambda row: row.program.cpu_percent), descending=True, right=True),
    Column(
        "history", "60 s", STEPS // 2,
        lambda row, width: ((graph(row.history.last(row.program.id, CPU, width, STEPS), width, QUIET), "graph"),),
        priority=9,
    ),
    Column(
        "memory", "MEM", 8, _memory, lambda row: row.program.memory + row.program.maps_memory,
        descending=True, right=True, priority=8,
    ),
    Column(
        "attached", "ATTACHED", _PLACE, _attached,
        lambda row: places(row.program.attached), flexible=True, middle=True, priority=3,
    ),
    Column("holders", "HELD BY", _HOLDER, _holder, lambda row: held_by(row.program), flexible=True, middle=True,
        priority=4,
    ),
)  # fmt: skip


def limits(rows: Sequence[ProgramRow]) -> dict[str, int]:
    """How many cells the flexible columns can use."""
    said: dict[str, Callable[[ProgramFigures], str]] = {
        "id": lambda one: str(one.id),
        "type": lambda one: one.type,
        "name": named,
        "attached": lambda one: places(one.attached),
        "holders": held_by,
    }
    return {key: max(map(cell_len, {of(row.program) for row in rows}), default=0) for key, of in said.items()}


def _takes(one: ProgramFigures) -> str:
    if not one.known:
        return ""
    return f"{text.size(one.memory)}, maps {text.size(one.maps_memory)}" if one.maps else text.size(one.memory)


def spelt(row: ProgramRow) -> tuple[str, str]:
    """All that is known of the program, and what is to be said about it."""
    one = row.program
    parts = [
        one.type,
        f"by {one.user} {text.clock(one.age)} ago",
        text.plural(row.runs, "run"),
        _takes(one),
        places(one.attached),
        f"held by {' · '.join(filter(None, (held_by(one), *sorted(set(one.units)))))}" if one.known else "",
        f"pinned {', '.join(one.pins)}" if one.pins and one.holders else "",
        f"{one.misses:,} missed" if one.misses else "",
        f"tag {one.tag}",
    ]
    return f"{named(one)} {one.id}  {' · '.join(filter(None, parts))}", UNCOUNTED.get(one.uncounted, "")
