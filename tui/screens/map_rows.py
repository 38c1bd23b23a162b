"""The rows of the maps' list: columns, words to filter by, what is said about one. Pure: knows no widget."""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from rich.cells import cell_len

from tui import text
from tui.collectors.maps import MapRow, MapsSample
from tui.widgets.columns import Column
from tui.widgets.history import STEPS, History
from tui.widgets.pieces import Cell


class Filling(NamedTuple):
    """A map's row with what the list keeps of it."""

    row: MapRow
    growth: "Growth"


class Growth:
    """How many entries maps had in the last sixty seconds."""

    def __init__(self) -> None:
        self.entries = History()

    def add(self, sample: MapsSample) -> None:
        """Note a reading; of a map that is still being counted nothing yet."""
        counted = {row.map.id: float(row.entries or 0) for row in sample.maps if row.complete}
        self.entries.add(sample.time, counted)

    def drawn(self, number: int, width: int) -> str:
        """How a map's entries grew and shrank, from the fewest that there were."""
        last = self.entries.last(number, width)
        return text.sparkline([value - min(last) for value in last], width, 1.0)

    def rows(self, maps: Iterable[MapRow]) -> list[Filling]:
        """The rows for these maps."""
        return [Filling(row, self) for row in maps]


def row_key(row: Filling) -> int:
    """The row's key."""
    return row.row.map.id


def words(row: Filling) -> str:
    """By what a map can be found."""
    one = row.row
    users = (user.shown for user in one.users)
    held = (f"{holder.name} {holder.pid}" for holder in one.holders)
    return "\n".join((one.map.name, one.type, str(one.map.id), *users, *held, *one.pins))


def used_by(row: MapRow) -> str:
    """The programs, then who else holds it."""
    programs = ", ".join(user.shown for user in row.users)
    return programs or held_by(row) or (f"pinned {row.pins[0]}" if row.pins else "")


def held_by(row: MapRow) -> str:
    """The processes that have it open."""
    return ", ".join(f"{holder.name} {holder.pid}" for holder in row.holders)


def _name(row: Filling, _: int) -> Cell:
    name = row.row.map.name or "(no name)"
    role = "" if row.row.map.name else "dim"
    return ((name, role), (" ours" if row.row.ours else "", "accent"))


def _entries(row: Filling, _: int) -> Cell:
    number = row.row.entries
    if number is None:
        return (("–", "dim"),)
    shown = text.count(number) if number < 10_000_000 else text.rate(number)
    return shown if row.row.complete else f"{shown}+"


def _most(row: Filling, _: int) -> Cell:
    number = row.row.map.entries
    return ((text.count(number) if number < 10_000_000 else text.rate(number), "dim"),) if number else ""


def _full(row: Filling, _: int) -> Cell:
    full = row.row.full
    if full is None:
        return ""
    return ((f"▲{100 * full:.0f}", "warn"),) if row.row.nearly_full else f"{100 * full:.0f}"


def _used_by(row: Filling, width: int) -> Cell:
    """Of several that don't fit, the first and how many more: numbers aren't cut."""
    role, users = "" if row.row.users else "dim", row.row.users
    said = used_by(row.row)
    if cell_len(said) > width and (several := users or row.row.holders) and len(several) > 1:
        said = f"{said.split(', ')[0]} +{len(several) - 1}"
    return ((said or ("nobody that is known" if row.row.known else ""), role),)


def _size(of: Callable[[MapRow], int]) -> Callable[[Filling, int], Cell]:
    """Bytes; in few letters where there is no room for all."""
    return lambda row, width: short if len(short := text.count(of(row.row))) <= width else text.rate(of(row.row))


COLUMNS: Final[tuple[Column[Filling], ...]] = (
    Column("id", "ID", 7, lambda row, _: str(row.row.map.id), lambda row: row.row.map.id, right=True),
    Column("type", "TYPE", 14, lambda row, _: row.row.type, lambda row: row.row.type, priority=1),
    Column(
        "name", "NAME", 15, _name, lambda row: row.row.map.name.lower(), middle=True, flexible=True
    ),
    Column(
        "key", "KEY", 6, _size(lambda one: one.map.key_size), lambda row: row.row.map.key_size,
        descending=True, right=True, priority=6,
    ),
    Column(
        "value", "VALUE", 10, _size(lambda one: one.map.value_size), lambda row: row.row.map.value_size,
        descending=True, right=True, priority=6, narrow=6,
    ),
    Column(
        "entries", "ENTRIES", 10, _entries, lambda row: -1 if row.row.entries is None else row.row.entries,
        descending=True, right=True,
    ),
    Column("most", "OF", 10, _most, lambda row: row.row.map.entries, descending=True, right=True, priority=3),
    Column(
        "full", "% FULL", 6, _full, lambda row: -1.0 if row.row.full is None else row.row.full,
        descending=True, right=True, priority=2,
    ),
    Column(
        "history", "60 s", STEPS // 2,
        lambda row, width: ((row.growth.drawn(row_key(row), width), "graph"),),
        priority=5,
    ),
    Column(
        "memory", "MEMORY", 8, lambda row, _: text.size(row.row.memory), lambda row: row.row.memory,
        descending=True, right=True,
    ),
    Column("users", "USED BY", 14, _used_by, lambda row: used_by(row.row).lower(), flexible=True, middle=True,
        priority=4),
)  # fmt: skip


def name_limit(rows: Iterable[Filling]) -> int:
    """How many cells the names need."""
    names = (len(row.row.map.name or "(no name)") + 5 * row.row.ours for row in rows)
    return max(names, default=0)


def _kept(row: MapRow) -> str:
    """Why a map that no process holds is there."""
    return "held by no process" if row.pins or row.users else "held by no process: another map or a link keeps it"


def spelt(row: Filling, now: float) -> str:
    """All that is known of the map."""
    one = row.row.map
    counted = f"counted {now - row.row.counted:.0f} s ago" if row.row.counted and now - row.row.counted >= 2 else ""
    lru = "when full, the entries that were used longest ago go" if row.row.makes_room else ""
    whose = [
        f"used by {', '.join(user.shown for user in row.row.users)}" if row.row.users else "no program uses it",
        f"pinned {', '.join(row.row.pins)}" if row.row.pins else "",
        f"held by {held_by(row.row)}" if row.row.holders else _kept(row.row),
    ]
    parts = [
        f"{row.row.type}, keys of {one.key_size:,} bytes, values of {one.value_size:,}",
        "types known (BTF)" if one.btf_id or one.btf_vmlinux_value_type else "types not known (no BTF)",
        *row.row.flags,
        lru or ("when full, adding fails" if row.row.nearly_full else ""),
        counted,
        *(whose if row.row.known else ()),
    ]
    return f"{one.name or 'map'} {one.id}  {' · '.join(filter(None, parts))}"
