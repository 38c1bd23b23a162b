"""The rows of the cgroups' list: rates from totals, the tree and its folds, columns, what is said about one. Pure:
knows no widget.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from rich.cells import cell_len

from tui import text
from tui.collectors.cgroup_samples import ALLOW, ANY, DENY, Cgroup, CgroupsSample, Passed, denied_in_words
from tui.widgets.columns import Column, Sort
from tui.widgets.filter import Haystack
from tui.widgets.history import STEPS, History
from tui.widgets.order import by_column
from tui.widgets.pieces import Cell, Piece

QUIET: Final = 1_000.0  # bytes a second that fill a bar of a sparkline at least: less is to look like less
_ID: Final = re.compile(r"([0-9a-f]{12})[0-9a-f]{52}")  # a container's, of which people know the first twelve digits
_LONGEST: Final = 60  # cells of a path that get room before others
_SHORT: Final = {"inet-ingress": "in", "inet-egress": "out", "device": "dev"}
_FAMILY: Final = re.compile(r"(?:inet|udp)([46])-(.+)")  # libbpf's names: cgroup/bind4


class Rates(NamedTuple):
    """Per second; CPU in percent of one."""

    cpu: float
    rx_bytes: float | None = None  # None: nobody counts
    tx_bytes: float | None = None


class CgroupRow(NamedTuple):
    """A cgroup, and what the list shows with it."""

    cgroup: Cgroup
    rates: Rates | None  # None: it was read only once
    history: History
    branch: str = ""  # the lines of the tree in front of the name
    folded: int = 0  # how many below it are hidden
    matches: bool = True  # false for one that is only shown because of those below


class Traffic:
    """Rates and their last sixty seconds, from one reading to the next."""

    def __init__(self) -> None:
        self.history = History()  # bytes a second, in and out
        self._before: dict[int, Cgroup] = {}
        self._time = 0.0
        self._rates: dict[int, Rates] = {}

    def add(self, sample: CgroupsSample) -> None:
        """Note a reading."""
        seconds = sample.time - self._time
        now = {one.id: one for one in sample.cgroups}
        both = [(now[number], self._before[number]) for number in now.keys() & self._before.keys()]
        self._rates = {one.id: _rates(one, before, seconds) for one, before in both} if seconds > 0 else {}
        passing = {
            number: (rates.rx_bytes or 0.0) + (rates.tx_bytes or 0.0)
            for number, rates in self._rates.items()
            if rates.rx_bytes is not None
        }
        self.history.add(sample.time, passing)
        self._before, self._time = now, sample.time

    def rows(self, cgroups: Iterable[Cgroup]) -> list[CgroupRow]:
        """The rows for these."""
        return [CgroupRow(one, self._rates.get(one.id), self.history) for one in cgroups]


def _rates(now: Cgroup, before: Cgroup, seconds: float) -> Rates:
    """A total that is smaller than before began anew. What two counters tell doesn't make a rate."""
    cpu = max(0, now.cpu_us - before.cpu_us) / seconds / 10_000
    same = bool(now.counted) == bool(before.counted)
    if now.counted and before.counted:
        same = now.counted.here == before.counted.here
    if now.passed is None or before.passed is None or not same:
        return Rates(cpu)

    def per_second(after: int, earlier: int) -> float:
        return (after - earlier if after >= earlier else after) / seconds

    received = per_second(now.passed.rx_bytes, before.passed.rx_bytes)
    return Rates(cpu, received, per_second(now.passed.tx_bytes, before.passed.tx_bytes))


# Rows


def row_key(row: CgroupRow) -> int:
    """The row's key."""
    return row.cgroup.id


def words(row: CgroupRow) -> str:
    """By what a cgroup can be found."""
    one = row.cgroup
    programs = (word for program in one.programs for word in (short(program.hook), program.name))
    return "\n".join((one.path, one.name, one.unit, *programs, *(rule.what for rule in one.rules)))


def visible(rows: Sequence[CgroupRow], typed: str, folded: frozenset[int], *, tree: bool) -> list[CgroupRow]:
    """What the filter leaves; in a tree with those that they are in, and without what is folded up.

    While something is typed, nothing is folded up: what matches is to be seen.
    """
    found = list(Haystack(rows, words).matching(typed)) if typed else list(rows)
    if not tree:
        return found
    if len(found) < len(rows):
        return _with_ancestors(rows, found)
    return _unfolded(rows, folded)


def _with_ancestors(rows: Sequence[CgroupRow], found: Iterable[CgroupRow]) -> list[CgroupRow]:
    parents = {row.cgroup.id: row.cgroup.parent for row in rows}
    matching = {row.cgroup.id for row in found}
    kept = set(matching)
    for number in matching:
        while (number := parents.get(number, 0)) and number not in kept:
            kept.add(number)
    return [row._replace(matches=row.cgroup.id in matching) for row in rows if row.cgroup.id in kept]


def _unfolded(rows: Sequence[CgroupRow], folded: frozenset[int]) -> list[CgroupRow]:
    """Rows come after the one that they are in."""
    if not folded:
        return list(rows)
    hiding: dict[int, int] = {}  # by hidden cgroup, which one hides it
    hidden: dict[int, int] = {}  # how many one hides
    shown: list[CgroupRow] = []
    for row in rows:
        number, parent = row.cgroup.id, row.cgroup.parent
        hider = hiding.get(parent, parent if parent in folded else None)
        if hider is None:
            shown.append(row)
        else:
            hiding[number] = hider
            hidden[hider] = hidden.get(hider, 0) + 1
    return [row._replace(folded=hidden.get(row.cgroup.id, 0)) for row in shown]


def tree(rows: Sequence[CgroupRow], sort: Sort) -> list[CgroupRow]:
    """Each below the one that it is in; those in the same one sorted."""
    shown = {row.cgroup.id for row in rows}
    children: dict[int, list[CgroupRow]] = {}
    for row in by_column(rows, COLUMNS, sort):
        children.setdefault(row.cgroup.parent if row.cgroup.parent in shown else 0, []).append(row)
    arranged: list[CgroupRow] = []
    waiting = [(row, "", "") for row in reversed(children.get(0, ()))]
    while waiting:
        row, branch, below = waiting.pop()
        arranged.append(row._replace(branch=branch))
        own = children.get(row.cgroup.id, ())
        for index, child in enumerate(reversed(own)):
            last = index == 0
            waiting.append((child, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  ")))
    return arranged


# Columns


def short(hook: str) -> str:
    """Where a program is attached, without saying that it is a cgroup: "in", "dev", "bind4"."""
    bare = hook.removeprefix("cgroup-")
    return _SHORT.get(bare) or _FAMILY.sub(r"\2\1", bare)


def _name(row: CgroupRow, _: int) -> tuple[Piece, ...]:
    """In a tree the last part of the path, else all of it."""
    hidden = f" +{row.folded:,}" if row.folded else ""
    shown = row.cgroup.name if row.branch else row.cgroup.path
    return (row.branch, "faint"), (_ID.sub(r"\1…", shown), ""), (hidden, "dim")


def _rate(of: Callable[[Rates], float | None]) -> tuple[Callable[[CgroupRow, int], Cell], Callable[[CgroupRow], float]]:
    """The cell, and what it is sorted by."""

    def value(row: CgroupRow) -> float | None:
        return of(row.rates) if row.rates else None

    def sort(row: CgroupRow) -> float:
        found = value(row)
        return -1.0 if found is None else found

    return lambda row, _: "" if (found := value(row)) is None else text.rate(found), sort


def _total(
    of: Callable[[Passed], int], shown: Callable[[int], str]
) -> tuple[Callable[[CgroupRow, int], Cell], Callable[[CgroupRow], int]]:
    def cell(row: CgroupRow, _: int) -> Cell:
        passed = row.cgroup.passed
        return "" if passed is None else ((shown(of(passed)), "" if of(passed) else "dim"),)

    return cell, lambda row: of(row.cgroup.passed) if row.cgroup.passed else -1


def packets(number: int) -> str:
    """Exact, as long as there is room."""
    return text.count(number) if number < 10_000_000 else text.rate(number)


def _verdict(verdict: str) -> tuple[Callable[[CgroupRow, int], Cell], Callable[[CgroupRow], int]]:
    """How many addresses are allowed, or denied; or any."""

    def cell(row: CgroupRow, _: int) -> Cell:
        found = [rule.what for rule in row.cgroup.rules if rule.verdict == verdict]
        if not found:
            return ""
        return ((ANY if ANY in found else f"{len(found):,}", "good" if verdict == ALLOW else "warn"),)

    return cell, lambda row: sum(rule.verdict == verdict for rule in row.cgroup.rules)


def by(one: Cgroup) -> str:
    """Who counts."""
    if one.counted:
        return f"ours {text.clock(one.counted.seconds)}"
    return "systemd" if one.systemd else ""


def hooks(one: Cgroup) -> str:
    """Where programs of others are attached, each once; more than one of a kind with their number."""
    found: dict[str, int] = {}
    for program in one.programs:
        if not program.ours:
            found[short(program.hook)] = found.get(short(program.hook), 0) + 1
    return " ".join(name if number == 1 else f"{name}×{number}" for name, number in found.items())


_RX, _TX = _rate(lambda rates: rates.rx_bytes), _rate(lambda rates: rates.tx_bytes)
_CPU = _rate(lambda rates: rates.cpu)

COLUMNS: Final[tuple[Column[CgroupRow], ...]] = (
    Column("path", "CGROUP", 26, _name, lambda row: row.cgroup.path, flexible=True, middle=True),
    Column(
        "processes",
        "PROCS",
        5,
        lambda row, _: ((text.count(row.cgroup.processes), "" if row.cgroup.processes else "dim"),),
        lambda row: row.cgroup.processes,
        descending=True,
        right=True,
        priority=6,
    ),
    Column("cpu", "CPU%", 6, *_CPU, descending=True, right=True, priority=5),
    Column(
        "memory",
        "MEM",
        8,
        lambda row, _: "" if row.cgroup.memory is None else text.size(row.cgroup.memory),
        lambda row: row.cgroup.memory or 0,
        descending=True,
        right=True,
        priority=7,
    ),
    Column("rx", "IN B/s", 7, *_RX, descending=True, right=True),
    Column("tx", "OUT B/s", 7, *_TX, descending=True, right=True),
    Column(
        "history",
        "60 s",
        STEPS // 2,
        lambda row, width: ((text.sparkline(row.history.last(row_key(row), width), width, QUIET), "graph"),),
        priority=9,
    ),
    Column("rx-bytes", "IN", 8, *_total(lambda one: one.rx_bytes, text.size), descending=True, right=True, priority=2),
    Column("tx-bytes", "OUT", 8, *_total(lambda one: one.tx_bytes, text.size), descending=True, right=True, priority=2),
    Column(
        "rx-packets", "IN pkts", 9, *_total(lambda one: one.rx_packets, packets), descending=True, right=True,
        priority=8,
    ),
    Column(
        "tx-packets", "OUT pkts", 9, *_total(lambda one: one.tx_packets, packets), descending=True, right=True,
        priority=8,
    ),
    Column("allow", "ALLOW", 5, *_verdict(ALLOW), descending=True, right=True, priority=3),
    Column("deny", "DENY", 5, *_verdict(DENY), descending=True, right=True, priority=3),
    Column("hooks", "PROGRAMS", 10, lambda row, _: hooks(row.cgroup), lambda row: hooks(row.cgroup), flexible=True),
    Column(
        "by",
        "COUNTED BY",
        10,
        lambda row, _: ((by(row.cgroup), "accent" if row.cgroup.counted and row.cgroup.counted.here else "dim"),),
        lambda row: by(row.cgroup),
        priority=4,
    ),
)  # fmt: skip


def columns_for(cgroups: Iterable[Cgroup]) -> tuple[Column[CgroupRow], ...]:
    """Memory only where somebody counts it."""
    there = any(one.memory is not None for one in cgroups)
    return tuple(column for column in COLUMNS if there or column.key != "memory")


def limits(rows: Iterable[CgroupRow]) -> Mapping[str, int]:
    """How many cells the flexible columns can use."""
    rows = list(rows)
    return {
        "path": min(_LONGEST, max((sum(cell_len(piece) for piece, _ in _name(row, 0)) for row in rows), default=20)),
        "hooks": max((cell_len(hooks(row.cgroup)) for row in rows), default=10),
    }


# Words


def spelt(one: Cgroup) -> tuple[str, str]:
    """The path; and all that is known of the cgroup."""
    unit = one.unit if one.unit != one.name else ""
    programs = text.plural(len(one.programs), "program") if one.programs else ""
    return one.path, " · ".join(filter(None, (unit, *counts(one), *verdicts(one), programs)))


def verdicts(one: Cgroup) -> tuple[str, ...]:
    """What is allowed and denied, in words."""
    found = ((verdict, [rule.what for rule in one.rules if rule.verdict == verdict]) for verdict in (ALLOW, DENY))
    return tuple(f"{verdict} {', '.join(what)}" for verdict, what in found if what)


def counts(one: Cgroup) -> tuple[str, ...]:
    """Who has counted how much, the way in and the way out for themselves: a narrow line leaves the latter out."""
    found: list[str] = []
    if one.counted:
        found += figures(f"ours {text.clock(one.counted.seconds)}", one.counted.passed)
        found.append(denied_in_words(one.counted.denied))
    if one.systemd:
        found += figures("systemd", one.systemd)
    return tuple(filter(None, found))


def figures(who: str, passed: Passed) -> tuple[str, str]:
    """As in "systemd: 97 in, 12 KiB" and "3 out, 120 B"; packets, and their bytes."""
    return (
        f"{who}: {passed.rx_packets:,} in, {text.size(passed.rx_bytes)}",
        f"{passed.tx_packets:,} out, {text.size(passed.tx_bytes)}",
    )
