"""What `symbols --sites` says: where a probe goes, on what, and at what cost."""

import json
import os
from pathlib import Path

import pytest

from tests.kernel.probing import run
from tui.collectors import calibration

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="instructions of x86-64")


def test_the_cost_of_a_hit_is_measured() -> None:
    costs = calibration.measure()
    assert 50 < costs.emulated < costs.stepped < 1_000_000


def test_sites_of_go(targets: Path) -> None:
    done = run("symbols", targets / "fibonacci", "main.fibonacci*", "--sites", "--json")
    rows = {row["function"]: row for row in map(json.loads, done.stdout.splitlines())}
    recursive, loop = rows["main.fibonacciRecursive"], rows["main.fibonacciLoop"]
    assert (recursive["site"] - recursive["address"], recursive["instruction"]) == (6, "push rbp")
    assert recursive["emulated"]
    assert loop["site"] == loop["address"]
    assert not loop["emulated"]
    assert 50 < recursive["cost_ns"] < loop["cost_ns"]


def test_sites_for_people(targets: Path) -> None:
    done = run("symbols", targets / "changed", "answer", "flags", "--sites")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["ADDRESS", "SITE", "COST", "INSTRUCTION", "FUNCTION"]
    assert "mov eax, 0x29" in lines[1]
    assert "pushf" in lines[2]
    assert "–" in lines[2].split()
