"""The rows of the process list: filtered, sorted, and as a tree. Pure: knows no widget."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tui.collectors.samples import Process
from tui.widgets.columns import Column, Sort
from tui.widgets.filter import Haystack
from tui.widgets.history import History
from tui.widgets.order import by_column

KERNEL = "kernel"
DELETED = "its program's file was deleted or replaced since it started"

REPLACED = ("!", DELETED)


class ProcessRow(NamedTuple):
    """A process and what the list shows with it."""

    process: Process
    history: History
    branch: str = ""  # the lines of the tree in front of the command
    matches: bool = True  # false for an ancestor that is only shown because of its children

    @property
    def key(self) -> tuple[int, int]:
        """What names a process for good."""
        return self.process.pid, self.process.started


def row_key(row: ProcessRow) -> tuple[int, int]:
    """The row's key."""
    return row.key


def words(row: ProcessRow) -> str:
    """By what a process can be found."""
    process = row.process
    known = (process.name, process.command, process.user, str(process.pid), process.language, process.unit)
    return "\n".join((*known, DELETED) if process.deleted else known)


def spelt(process: Process) -> tuple[str, str]:
    """The whole command, and what is to be said about the process."""
    return f"{process.pid}  {process.command}", " · ".join(filter(None, (process.unit, DELETED * process.deleted)))


def visible(rows: Sequence[ProcessRow], typed: str, *, kernel: bool, tree: bool) -> list[ProcessRow]:
    """The rows that the filter leaves, in a tree with their ancestors. Kernel threads only on request."""
    shown = [row for row in rows if kernel or row.process.language != KERNEL]
    found = list(Haystack(shown, words).matching(typed))
    return _with_ancestors(shown, found) if tree and len(found) < len(shown) else found


def _with_ancestors(rows: Sequence[ProcessRow], found: Iterable[ProcessRow]) -> list[ProcessRow]:
    by_pid = {row.process.pid: row for row in rows}
    matching = {row.process.pid for row in found}
    kept = set(matching)
    for pid in matching:
        parent = by_pid[pid].process.parent
        while parent in by_pid and parent not in kept:
            kept.add(parent)
            parent = by_pid[parent].process.parent
    return [row._replace(matches=row.process.pid in matching) for row in rows if row.process.pid in kept]


def tree(rows: Sequence[ProcessRow], columns: Sequence[Column[ProcessRow]], sort: Sort) -> list[ProcessRow]:
    """Children below their parents; brothers and sisters sorted."""
    pids = {row.process.pid for row in rows}
    children: dict[int, list[ProcessRow]] = {}
    roots = []
    for row in by_column(rows, columns, sort):
        parent = row.process.parent
        if parent in pids and parent != row.process.pid:
            children.setdefault(parent, []).append(row)
        else:
            roots.append(row)
    return _branches(roots, children)


def _branches(roots: Sequence[ProcessRow], children: dict[int, list[ProcessRow]]) -> list[ProcessRow]:
    rows: list[ProcessRow] = []
    waiting = [(root, "", "") for root in reversed(roots)]
    while waiting or children:
        if not waiting:  # a circle of parents: a pid was reused between two readings
            _, circle = children.popitem()
            waiting = [(row, "", "") for row in circle]
        row, branch, below = waiting.pop()
        rows.append(row._replace(branch=branch))
        own = children.pop(row.process.pid, [])
        for index, child in enumerate(reversed(own)):
            last = index == 0
            waiting.append((child, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  ")))
    return rows
