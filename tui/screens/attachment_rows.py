"""The rows of the list of attachments: columns, signs, what is said about one. Pure: knows no widget."""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.cells import cell_len

from tui.collectors.attachment_samples import KINDS, AttachmentsSample, Owner, Placed
from tui.text import plural
from tui.widgets.columns import Column

NEW: Final = "+"
GONE: Final = "-"
OURS: Final = "◆"
_SHOWN: Final = 30.0  # seconds in which what came or went has its sign
_LONG: Final = 44  # cells of a place, beyond which the other columns are worth more
_MOST_GONE: Final = 1_000
NAMES: Final = {  # of kinds of places, several
    "interface": "interfaces",
    "cgroup": "cgroups",
    "function": "functions",
    "kernel": "kernel",
    "socket": "sockets",
    "map": "maps",
    "namespace": "namespaces",
    "route": "routes",
    "other": "others",
}


class AttachmentRow(NamedTuple):
    """An attachment, and whether it came or went lately."""

    placed: Placed
    sign: str = ""  # NEW, GONE
    age: float | None = None  # seconds since the program was loaded; None where nobody knows

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it from others; what went and came again is another one."""
        return (*self.placed.key, self.sign == GONE)


class Changes:
    """What came and what went, from one reading to the next."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Placed] = {}
        self._new: dict[tuple[object, ...], float] = {}
        self._gone: dict[tuple[object, ...], tuple[float, Placed]] = {}
        self._read = False
        self.still = False  # the last reading changed no sign

    def add(self, sample: AttachmentsSample) -> None:
        """Note a reading."""
        before = self._new.keys() | self._gone.keys()
        now = {one.key: one for one in sample.placed}
        if self._read:
            self._new |= dict.fromkeys(now.keys() - self._known.keys(), sample.time)
            self._gone |= {key: (sample.time, self._known[key]) for key in self._known.keys() - now.keys()}
        since = sample.time - _SHOWN
        self._new = {key: time for key, time in self._new.items() if time > since and key in now}
        gone = [(key, what) for key, what in self._gone.items() if what[0] > since and key not in now]
        self._gone = dict(gone[-_MOST_GONE:])
        self._known, self._read = now, True
        self.still = before == self._new.keys() | self._gone.keys()

    def rows(self, sample: AttachmentsSample) -> list[AttachmentRow]:
        """The rows of a reading, and of what went."""
        found = [
            AttachmentRow(
                one,
                NEW if one.key in self._new else "",
                (sample.uptime - one.loaded) / 1e9 if one.loaded and sample.uptime else None,
            )
            for one in sample.placed
        ]
        return found + [AttachmentRow(one, GONE) for _, one in self._gone.values()]


def key_of(row: AttachmentRow) -> tuple[object, ...]:
    """The row's key."""
    return row.key


def owner(one: Placed) -> str:
    """Who holds it, or where it is pinned."""
    if not one.owners:
        return f"pinned {one.pins[0]}" if one.pins else ""
    more = len(one.owners) - 1
    return _named(one.owners[0]) + (f" +{more}" if more else "")


def place(where: str, width: int) -> str:
    """Where; of a path that is too long the last parts: a service, a file with a function of it."""
    rest = where
    while cell_len(rest) + 2 > width and "/" in rest[1:] and where.startswith("/"):
        rest = rest.removeprefix("/").partition("/")[2]
    return where if rest == where or cell_len(where) <= width else f"…/{rest}"


def age(seconds: float) -> str:
    """At most six characters: 42 s, 17 min, 5 h, 12 d."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(0.0, seconds) // 1:.0f} s"


def _named(one: Owner) -> str:
    return f"{one.name} {one.pid}".lstrip()


def _whole(one: Owner) -> str:
    return _named(one) + (f" in {one.unit}" if one.unit else "")


def name(one: Placed) -> str:
    """Of the program."""
    return one.name or ("(classic)" if one.instructions else "(unnamed)" if one.program else "")


COLUMNS: Final[tuple[Column[AttachmentRow], ...]] = (
    Column("hook", "HOOK", 14, lambda row, _: row.placed.hook, lambda row: row.placed.hook, middle=True, flexible=True),
    Column(
        "where",
        "WHERE",
        20,
        lambda row, width: place(row.placed.where, width),
        lambda row: (KINDS.index(row.placed.kind), row.placed.where, row.placed.hook, row.placed.detail),
        flexible=True,
        middle=True,
    ),
    Column(
        "program",
        "PROGRAM",
        7,
        lambda row, _: str(row.placed.program or ""),
        lambda row: row.placed.program,
        right=True,
    ),
    Column(
        "name",
        "NAME",
        15,
        lambda row, _: name(row.placed),
        lambda row: name(row.placed),
        middle=True,
        flexible=True,
        priority=1,
    ),
    Column(
        "owner",
        "HELD BY",
        15,
        lambda row, _: owner(row.placed),
        lambda row: owner(row.placed),
        middle=True,
        flexible=True,
        priority=2,
    ),
    Column(
        "age",
        "AGE",
        6,
        lambda row, _: "" if row.age is None else age(row.age),
        lambda row: math.inf if row.age is None else row.age,
        right=True,
        priority=4,
    ),
    Column("detail", "DETAIL", 16, lambda row, _: row.placed.detail, flexible=True, priority=3),
)


def limits(rows: Sequence[AttachmentRow]) -> dict[str, int]:
    """How many cells the flexible columns can use."""
    return {
        "hook": max((cell_len(row.placed.hook) for row in rows), default=4),
        "where": min(_LONG, max((cell_len(row.placed.where) for row in rows), default=5)),
        "name": min(_LONG, max((cell_len(name(row.placed)) for row in rows), default=4)),
        "owner": min(_LONG, max((cell_len(owner(row.placed)) for row in rows), default=7)),
        "detail": max((cell_len(row.placed.detail) for row in rows), default=6),
    }


def plain(one: Placed) -> str:
    """A function's place without its name, as the kernel has it: "/usr/bin/bash+0x31f44"."""
    return f"{one.file}+{one.offset:#x}" if one.file else one.where


def words(row: AttachmentRow) -> str:
    """By what a row can be found."""
    one = row.placed
    held = (f"{each.name}\n{each.pid}\n{each.unit}" for each in one.owners)
    program = str(one.program) if one.program else ""
    whose = "ours" if one.ours else ""
    what = (program, name(one), one.type, one.detail, whose)
    return "\n".join((one.hook, one.where, plain(one), one.kind, *what, *one.pins, *held))


def spelt(row: AttachmentRow) -> tuple[str, str]:
    """The place, and all that is known of what is there."""
    one = row.placed
    links = f"link {', '.join(map(str, one.links[:4]))}{' …' if len(one.links) > 4 else ''}"
    parts = (
        "detached" if row.sign == GONE else "",
        one.hook,
        " ".join(filter(None, (f"program {one.program}" if one.program else "", one.type, one.name))),
        f"loaded {age(row.age)} ago" if row.age is not None else "",
        one.detail,
        links if one.links else "no link",
        f"only in process {one.pid}" if one.kind == "function" and one.pid else "",
        f"held by {', '.join(map(_whole, one.owners[:8]))}" if one.owners else "held by no process",
        f"{plural(len(one.owners) - 8, 'process')} more" if len(one.owners) > 8 else "",
        f"pinned at {', '.join(one.pins[:4])}" if one.pins else "",
        "ours" if one.ours else "",
    )
    return one.where, " · ".join(filter(None, parts))
