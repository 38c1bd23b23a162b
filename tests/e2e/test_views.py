"""The five views of one probe on a real program: each shows its truth, and switching detaches nothing."""

import json
import re
from pathlib import Path

import pytest

from tests.e2e import walk
from tests.e2e.conftest import Open, Start
from tests.targets.build import X86


@pytest.mark.parametrize(("width", "height"), [(120, 36), (80, 24)])
def test_all_five_on_a_go_program(console: Open, start: Start, tmp_path: Path, width: int, height: int) -> None:
    target = start("fibonacci")
    terminal = console(target.pid, prefix=["env", "-C", tmp_path], width=width, height=height)
    walk.wait_functions(terminal, target.pid)
    walk.to_calls(terminal, "main.fibonacciRecursive")
    for letter, shown in (("l", "P50"), ("f", "who calls these"), ("g", "together|n ▸"), ("v", "DURATION")):
        terminal.keys(letter)
        terminal.wait_for(rf"live ●[\s\S]*({shown})")
    truth = target.work()["main.fibonacciRecursive"]
    terminal.wait_for(rf"{truth:,} events")
    terminal.wait_for(r"main\.fibonacciRecursive\(n=15\) = 610")  # the outermost call ends last
    terminal.keys("c")
    walk.wait_calls(terminal, "main.fibonacciRecursive", truth)
    terminal.keys("l")
    walk.wait_calls(terminal, "main.fibonacciRecursive", truth)
    assert "unmatched" not in terminal.screen()
    terminal.keys("f")
    terminal.wait_for(rf"Flame[\s\S]*{truth:,} calls[\s\S]*main\.main\.func1")
    terminal.keys("i")
    terminal.wait_for(r"inverted|root on top")
    terminal.keys("e")
    terminal.wait_for("written to")
    folded = next(tmp_path.glob("bpfscope-*.folded")).read_text()
    assert sum(int(line.rpartition(" ")[2]) for line in folded.splitlines()) == truth
    assert json.loads(next(tmp_path.glob("bpfscope-*.speedscope.json")).read_text())["profiles"]
    terminal.keys("g")
    terminal.wait_for(r"Arguments[\s\S]* 1 +610 ")  # fibonacciRecursive(15) calls it with 1 so often
    terminal.keys("w")
    terminal.wait_for(rf"bpftrace -p {target.pid}")
    terminal.keys("Escape")
    terminal.wait_for(r"g Arguments[\s\S]*live ●")
    walk.quit_detaching(terminal)
    assert target.end() == 0


def test_the_code_of_a_function(console: Open, start: Start) -> None:
    target = start("fibonacci")
    terminal = console(target.pid)
    walk.wait_functions(terminal, target.pid)
    walk.filter_by(terminal, "main.fibonacciRecursive")
    terminal.wait_for(r"main\.fibonacciRecursive +\S*fibonacci\.go:\d+")
    terminal.keys("d")
    terminal.wait_for(r"push +rbp +← probe \(emulated, [\d.]+ [nµ]s\)" if X86 else r"← probe \((emulated|single)")
    terminal.type("]")
    terminal.wait_for(r"(call|bl) +main\.fibonacciRecursive[\s\S]*runtime\.morestack")


def test_keys_faster_than_probes(console: Open, start: Start) -> None:
    target = start("load")
    terminal = console(target.pid)
    walk.wait_functions(terminal, target.pid)
    walk.to_calls(terminal, "main.areas")
    target.send("2000")
    for keys in ("lfgvc", "vglfc", "clfgv", "gvl"):
        terminal.type(keys)
    terminal.wait_for(r"l Latency[\s\S]*live ●")
    rounds = target.truth()["rounds"]
    screen = terminal.wait_for(lambda now: re.search(r"main\.areas +[\d,]+", now))
    assert "traceback" not in screen.lower()
    terminal.keys("c")
    walk.wait_calls(terminal, "main.areas", rounds)
    walk.quit_detaching(terminal)
    assert target.end() == 0
