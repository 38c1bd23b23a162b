"""The rows of the cgroups' list: rates from totals, the tree and its folds, what the filter leaves. Knows no widget."""

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from tui.collectors.cgroup_samples import Cgroup, CgroupsSample
from tui.widgets.columns import Column, Sort
from tui.widgets.filter import Haystack
from tui.widgets.history import History
from tui.widgets.order import by_column

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


def tree(rows: Sequence[CgroupRow], columns: Sequence[Column[CgroupRow]], sort: Sort) -> list[CgroupRow]:
    """Each below the one that it is in; those in the same one sorted."""
    shown = {row.cgroup.id for row in rows}
    children: dict[int, list[CgroupRow]] = {}
    for row in by_column(rows, columns, sort):
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


def short(hook: str) -> str:
    """Where a program is attached, without saying that it is a cgroup: "in", "dev", "bind4"."""
    bare = hook.removeprefix("cgroup-")
    return _SHORT.get(bare) or _FAMILY.sub(r"\2\1", bare)
