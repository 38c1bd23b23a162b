"""The process list's rows."""

from tests.screens.fakes import PROCESSES, process
from tui.collectors.samples import Process
from tui.screens.process_rows import ProcessRow, tree, visible
from tui.widgets.columns import Column, Sort
from tui.widgets.history import History

HISTORY = History()
COLUMNS = (Column[ProcessRow]("pid", "PID", 5, lambda row, _: "", lambda row: row.process.pid),)
BY_PID = Sort("pid", False)


def rows(*processes: Process) -> list[ProcessRow]:
    return [ProcessRow(one, HISTORY) for one in processes]


def drawn(some: list[ProcessRow]) -> list[str]:
    return [f"{row.branch}{row.process.pid}" for row in tree(some, COLUMNS, BY_PID)]


def test_tree() -> None:
    family = rows(
        process(1, "a", parent=0),
        process(4, "b", parent=3),
        process(2, "c"),
        process(3, "d"),
        process(5, "e", parent=2),
    )
    assert drawn(family) == ["1", "├─ 2", "│  └─ 5", "└─ 3", "   └─ 4"]


def test_a_tree_loses_nobody() -> None:
    circle = process(8, "x", parent=9), process(9, "y", parent=8)
    odd = rows(process(7, "own", parent=7), *circle, process(3, "z", parent=99))
    assert sorted(row.process.pid for row in tree(odd, COLUMNS, BY_PID)) == [3, 7, 8, 9]


def test_a_filtered_tree_keeps_ancestors() -> None:
    shown = visible(rows(*PROCESSES), "fibonacci", kernel=False, tree=True)
    assert [(row.process.pid, row.matches) for row in shown] == [(1, False), (702, False), (2210, False), (2696, True)]
    assert [row.process.pid for row in visible(rows(*PROCESSES), "fibonacci", kernel=False, tree=False)] == [2696]


def test_kernel_threads_only_on_request() -> None:
    assert (
        len(visible(rows(*PROCESSES), "", kernel=True, tree=False))
        - len(visible(rows(*PROCESSES), "", kernel=False, tree=False))
        == 2
    )
