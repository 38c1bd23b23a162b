"""The main job, in a terminal of its own: pick a process, pick its functions, watch exact live counts."""

import re
import sys

import pytest

from tests.e2e import walk
from tests.e2e.conftest import Open, Start

PYTHON = """
import ctypes, sys
print("ready", flush=True)
sys.stdin.readline()
for _ in range(1013):
    ctypes.pythonapi.PyGC_Disable()
print('{"PyGC_Disable": 1013}', flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("program", "pattern", "raw_name", "shown"),
    [
        ("plus", "Square::perimeter", "_ZNK6shapes6Square9perimeterEv", "shapes::Square::perimeter() const"),
        ("fibonacci", "main.fibonacciRecursive", "main.fibonacciRecursive", "main.fibonacciRecursive"),
        ("plain-pie", "/^alpha$/", "alpha", "alpha"),
    ],
)
def test_counts_are_the_truth(
    console: Open, start: Start, program: str, pattern: str, raw_name: str, shown: str
) -> None:
    target = start(program)
    terminal = console()
    walk.to_functions(terminal, target.pid)
    walk.to_calls(terminal, pattern)
    walk.wait_calls(terminal, shown, 0)
    truth = target.work()
    walk.wait_calls(terminal, shown, truth[raw_name])
    terminal.keys("?")
    terminal.wait_for(r"esc back[\s\S]*|Help")
    terminal.keys("Escape")
    terminal.wait_for("live ●")
    terminal.keys("q")
    terminal.wait_for("Detach 1 function and quit")
    terminal.keys("n")
    terminal.wait_for(lambda screen: "Detach 1 function" not in screen)
    walk.quit_detaching(terminal)
    assert target.end() == 0


def test_a_python_process(console: Open, start: Start) -> None:
    target = start(sys.executable, "-c", PYTHON)
    terminal = console()
    walk.to_functions(terminal, target.pid)
    walk.to_calls(terminal, "PyGC_Disable")
    truth = target.work()
    walk.wait_calls(terminal, "PyGC_Disable", truth["PyGC_Disable"])
    walk.quit_detaching(terminal)
    assert target.end() == 0


def test_several_functions_with_the_target_named_at_once(console: Open, start: Start) -> None:
    target = start("plus")
    terminal = console(target.pid)
    walk.wait_functions(terminal, target.pid)
    walk.to_calls(terminal, "shapes::area*", 2)
    truth = target.work()
    walk.wait_calls(terminal, "shapes::area(int)", truth["_ZN6shapes4areaEi"])
    walk.wait_calls(terminal, "shapes::area(double)", truth["_ZN6shapes4areaEd"])
    walk.quit_detaching(terminal)


def is_grey(colour: str) -> bool:
    """Of the numbers after 38 or 48: 5 and an index into the 256 colours, or 2 and three shares."""
    kind, first, *rest = map(int, colour.split(";"))
    if kind == 2:
        return first == rest[0] == rest[1]
    red, green, blue = (first - 16) // 36, (first - 16) // 6 % 6, (first - 16) % 6
    return first >= 232 or first in {0, 7, 8, 15} or (first >= 16 and red == green == blue)


@pytest.mark.parametrize(
    "options",
    [
        {"width": 80, "height": 24},
        {"term": "screen"},
        {"environment": {"NO_COLOR": "1"}},
        {"width": 80, "height": 24, "term": "screen", "environment": {"NO_COLOR": "1", "LANG": "C"}},
        {"width": 60, "height": 20},
    ],
    ids=["80x24", "screen", "no-color", "all-of-these", "narrow"],
)
def test_modest_terminals(console: Open, start: Start, options: dict[str, object]) -> None:
    target = start("plain-pie")
    terminal = console(**options)
    walk.to_functions(terminal, target.pid)
    walk.to_calls(terminal, "alpha")
    truth = target.work()
    walk.wait_calls(terminal, "alpha", truth["alpha"])
    if "environment" in options:
        assert all(map(is_grey, re.findall(r"[34]8;(5;\d+|2;\d+;\d+;\d+)", terminal.colours())))
    walk.quit_detaching(terminal)


def test_a_target_that_exits_while_probed(console: Open, start: Start) -> None:
    target = start("plain-pie")
    terminal = console(target.pid)
    walk.wait_functions(terminal, target.pid)
    walk.to_calls(terminal, "alpha")
    truth = target.work()
    target.end()
    terminal.wait_for("exited 0")
    walk.wait_calls(terminal, "alpha", truth["alpha"])
    terminal.keys("q")
    assert walk.restored(terminal) == 0


def test_escape_detaches_and_goes_back(console: Open, start: Start) -> None:
    target = start("plain-pie")
    terminal = console()
    walk.to_functions(terminal, target.pid)
    walk.to_calls(terminal, "alpha")
    programs, links = walk.program_ids(terminal.pid()), walk.link_ids(terminal.pid())
    walk.leave(terminal, target.pid)
    walk.wait_gone(programs, links)
    terminal.keys("q")
    assert walk.restored(terminal) == 0
    assert target.work()["alpha"]


def test_demo_ends_its_workload(console: Open) -> None:
    terminal = console("demo")
    terminal.wait_for(r"[\d,]+ functions")
    workload = terminal.pid()
    with open(f"/proc/{workload}/task/{workload}/children") as file:
        children = file.read().split()
    assert children
    terminal.keys("q")
    assert walk.restored(terminal) == 0
    walk.wait_until(lambda: not any(walk.alive(int(child)) for child in children), "the workload gone")
