"""Go's own table, in real programs, beside what their symbol tables and Go's tools say.

Three differences are left: names of functions in assembly end in `.abi0` in the symbol table alone; runtime.text
and runtime.etext are there, which are places, not functions; and go:textfipsstart, which has 32 bytes, has one.
"""

import random
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.targets.build import environment
from tui.elf import functions, modules, pclntab, reader
from tui.elf.names import Function
from tui.elf.reader import ElfFile

GO = Path(sys.executable).with_name("go")
ENVIRONMENT = environment()  # Go builds these tools when they are first asked for, and keeps them
ODD_SIZE = "go:textfipsstart"
PLACES = {"runtime.text", "runtime.etext"}
Row = tuple[int, int, str]


def tools() -> dict[str, Path]:
    """The toolchain's own programs, and what the tests probe; names of the latter."""
    spec = find_spec("go")
    assert spec
    folder = Path((spec.submodule_search_locations or [""])[0])
    compiler = next(folder.glob("pkg/tool/*/compile"))
    return {"go": folder / "bin/go", "compile": compiler, "fibonacci": Path("fibonacci")}


def go_tool(*words: str | Path, given: str = "") -> list[str]:
    """The lines that `go tool WORDS` prints."""
    command = [GO, "tool", *words]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=True, env=ENVIRONMENT)
    return done.stdout.splitlines()


def by_go_nm(path: Path) -> set[Row]:
    """Address, size and name of each function in the symbol table, C's left out."""
    found = set()
    for line in go_tool("nm", "-size", path):
        address, size, kind, name = line.split(maxsplit=3)
        if kind in "Tt":
            found.add((int(address, 16), int(size), name.removesuffix(".abi0")))
    return found


def rows(found: list[Function] | tuple[Function, ...]) -> set[Row]:
    return {(one.address, one.size, one.raw_name) for one in found}


@pytest.mark.parametrize("program", tools())
def test_stripping_changes_no_name(targets: Path, tmp_path: Path, program: str) -> None:
    whole = targets / tools()[program]
    subprocess.run(["objcopy", "--strip-all", whole, tmp_path / "stripped"], check=True)
    found = functions.read(modules.of_file(str(tmp_path / "stripped")))
    assert {one.origin for one in found} == {"pclntab"}
    ours, theirs = rows(found), by_go_nm(whole)
    assert len(ours) > 1500
    assert {name for _, _, name in ours - theirs} <= {ODD_SIZE}
    assert {name for _, _, name in theirs - ours} <= {ODD_SIZE, *PLACES}


@pytest.mark.parametrize("how", ["external", "external-pie"])
def test_linked_by_the_system(targets: Path, how: str) -> None:
    """Such programs have C code before Go's, so that nothing counts from the start of .text."""
    found = functions.read(modules.of_file(str(targets / f"fibonacci-{how}")))
    of_go = [one for one in found if one.origin == "pclntab"]
    assert {"main.fibonacciLoop", "runtime.main", "runtime.rt0_go"} <= {one.name for one in of_go}
    plain = functions.read(modules.of_file(str(targets / "fibonacci")))
    sizes = {one.name: one.size for one in plain if one.name.startswith("main.")}
    assert {one.name: one.size for one in of_go if one.name.startswith("main.")} == sizes


def test_a_stripped_program_has_the_names_of_the_whole_one(targets: Path) -> None:
    stripped, whole = (
        functions.read(modules.of_file(str(targets / name))) for name in ("fibonacci-stripped", "fibonacci")
    )
    ours, theirs = (
        {(address, name.removesuffix(".abi0")) for address, _, name in rows(found)} for found in (stripped, whole)
    )
    assert {name for _, name in ours ^ theirs} <= PLACES


@pytest.mark.parametrize("program", tools())
def test_lines_are_those_of_addr2line(targets: Path, program: str) -> None:
    path = targets / tools()[program]
    with ElfFile.open(str(path)) as elf:
        table = pclntab.read(elf)
    assert table
    starts, sizes, _ = table.functions()
    chosen = random.Random(7).sample(range(len(starts)), 300)
    asked = [starts[row] + at for row in chosen for at in (0, sizes[row] // 2, max(0, sizes[row] - 1))]
    out = go_tool("addr2line", path, given="\n".join(map(hex, asked)) + "\n")
    found = [table.line(address) for address in asked]
    lines = ["{}:{}".format(*line) if line else "" for line in found]
    assert lines == [line if line[0] not in ":?" else "" for line in out[1::2]]  # some have no file, only a marker
    assert len(list(filter(None, lines))) > 890


def test_arm64(targets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_HERE", "aarch64")
    whole = targets / "goroutines-arm64"
    with ElfFile.open(str(whole)) as elf:
        table = pclntab.read(elf)
    assert table
    theirs = by_go_nm(whole)
    assert {name for _, _, name in set(zip(*table.functions(), strict=True)) ^ theirs} <= {ODD_SIZE, *PLACES}
