"""The columns of the cgroups' list, and what is said about one. Pure: knows no widget."""

import re
from collections.abc import Callable, Iterable
from typing import Final

from rich.cells import cell_len

from tui import text
from tui.collectors.cgroup_samples import ALLOW, ANY, DENY, Cgroup, Passed, denied_in_words
from tui.screens.cgroup_rows import CgroupRow, Rates, row_key, short
from tui.widgets.columns import Column
from tui.widgets.history import STEPS
from tui.widgets.pieces import Cell, Piece

QUIET: Final = 1_000.0  # bytes a second that fill a bar of a sparkline at least: less is to look like less
_ID: Final = re.compile(r"([0-9a-f]{12})[0-9a-f]{52}")  # a container's, of which people know the first twelve digits
_LONGEST: Final = 60  # cells of a path that get room before others


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


def limits(rows: Iterable[CgroupRow]) -> dict[str, int]:
    """How many cells the flexible columns can use."""
    rows = list(rows)
    return {
        "path": min(_LONGEST, max((sum(cell_len(piece) for piece, _ in _name(row, 0)) for row in rows), default=20)),
        "hooks": max((cell_len(hooks(row.cgroup)) for row in rows), default=10),
    }


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
