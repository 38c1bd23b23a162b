"""The columns of the tail of events. Pure: knows no widget."""

from tui import text
from tui.collectors.samples import Event
from tui.screens.reads import spelt
from tui.screens.tail import TailRow, results, thread
from tui.widgets.columns import Column
from tui.widgets.pieces import Cell, Piece, cut_middle, fit, length

LEAST = 12  # cells of a name that is cut
NONE: Cell = (("–", "dim"),)


def moment(seconds: float, digits: int = 3) -> str:
    """Since the probe began: 01:23.456."""
    whole, rest = divmod(round(seconds * 10**digits), 10**digits)
    return f"{text.clock(whole)}.{rest:0{digits}}"


def _thread(row: TailRow, width: int) -> Cell:
    """A thread and its name; or a goroutine, by what its address ends with where there is no room for all of it."""
    if row.event is None:
        return ""
    if row.event.goroutine:
        whole = thread(row.event)
        return whole if len(whole) <= width else f"g …{whole[-max(1, width - 3) :]}"
    return ((thread(row.event), ""), (f" {row.event.comm}", "dim"))


def _call(row: TailRow, width: int) -> Cell:
    """Name, arguments and results; the results are seen even where there is no room for all arguments."""
    if row.event is None:
        return ((f"── {row.dropped:,} dropped about here ──", "bad"),)
    tail: tuple[Piece, ...] = ((")", "dim"),)
    if row.event.results:
        tail = (*tail, (" = ", "dim"), (results(row.event), ""))
    room = width - min(length(tail), width // 2)
    head = _head(row.event, room)
    return (*(_cut(head, room) if length(head) > room else head), *tail)


def _head(event: Event, room: int) -> list[Piece]:
    """The name, which is cut so that the arguments get a third of the room, if they need it; and these."""
    said: list[Piece] = []
    for name, value in event.arguments:
        said += [(f", {name}=" if said else f"{name}=", "dim"), (spelt(value), "")]
    most = max(LEAST, room - 1 - length(said), 2 * room // 3)
    return [(cut_middle(event.function.name, most), ""), ("(", "dim"), *said]


def _cut(head: list[Piece], room: int) -> tuple[Piece, ...]:
    """What fits of it, with a sign that it was cut wherever the cut falls."""
    kept = fit(tuple(head), room - 1)
    return kept if kept[-1][0].endswith("…") else (*kept, ("…", "dim"))


def _duration(row: TailRow, _: int) -> Cell:
    if row.event is None:
        return ""
    return NONE if row.event.duration_ns is None else text.duration(row.event.duration_ns)


def _took(row: TailRow) -> int:
    return -1 if row.event is None or row.event.duration_ns is None else row.event.duration_ns


COLUMNS: tuple[Column[TailRow], ...] = (
    Column("time", "TIME", 11, lambda row, _: ((moment(row.at), "dim"),), lambda row: row.number, right=True, narrow=9),
    Column("thread", "THREAD", 20, _thread, priority=1, narrow=12),
    Column("call", "CALL", 28, _call, flexible=True),
    Column("duration", "DURATION", 10, _duration, _took, descending=True, right=True),
)
