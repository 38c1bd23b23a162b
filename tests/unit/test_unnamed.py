"""Functions without a name, by unwind records: against what was stripped, against a second reader, and damaged ones."""

import os
import random
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import pytest
from elftools.dwarf.callframe import FDE
from elftools.elf.elffile import ELFFile

from tests.unit.elf_files import mutated
from tui.elf import functions, modules, packages, patterns, unnamed
from tui.elf.names import UNWIND, Function
from tui.elf.reader import ElfFile

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="a target with instructions of x86-64")
STRIPPED = ("/usr/bin/bash", "/usr/bin/python3.11", "/usr/sbin/sshd", "/usr/lib/x86_64-linux-gnu/libcrypto.so.3")


def read(path: Path) -> tuple[Function, ...]:
    return functions.read(modules.of_file(str(path)))


def stripped(path: Path, folder: Path) -> Path:
    subprocess.run(["objcopy", "--strip-all", path, folder / "program"], check=True)
    return folder / "program"


@pytest.mark.parametrize("name", ["plain-pie", "plain-fixed", "stacks", "throwing", "plain-static"])
def test_of_a_stripped_program_all_that_compilers_made_is_found(targets: Path, tmp_path: Path, name: str) -> None:
    whole = {each.address: each for each in read(targets / name)}
    found = [each for each in read(stripped(targets / name, tmp_path)) if each.origin == UNWIND]
    with (targets / name).open("rb") as file:
        theirs = {
            each["initial_location"]: each["address_range"]
            for each in ELFFile(file).get_dwarf_info().EH_CFI_entries()
            if isinstance(each, FDE)
        }
    named = [whole[each.address] for each in found if each.address in whole]
    assert {each.name.partition("(")[0] for each in named} >= {"main"}
    assert all(theirs[each.address] == each.size for each in found)
    missing = {address for address, each in whole.items() if address in theirs and each.size} - {
        each.address for each in found
    }
    assert all(".cold" in whole[address].name or whole[address].name == "__restore_rt" for address in missing)
    assert [each.name for each in found] == [f"program+0x{each.offset:x}" for each in found]
    assert [each.offset for each in found] == sorted(each.offset for each in found)


@pytest.mark.parametrize(("name", "parts"), [("stacks", 1), ("plain-static", 30)])
def test_parts_with_a_frame_and_stubs_are_none(targets: Path, tmp_path: Path, name: str, parts: int) -> None:
    found = {each.address for each in read(stripped(targets / name, tmp_path)) if each.origin == UNWIND}
    assert sum(".cold" in each.name and each.address not in found for each in read(targets / name)) >= parts
    with ElfFile.open(str(targets / name)) as elf:
        stubs = [section for section in elf.sections if section.name.startswith(".plt")]
    assert stubs
    assert not any(each.address <= address < each.address + each.size for each in stubs for address in found)


@pytest.mark.parametrize("path", STRIPPED)
def test_what_is_found_has_records_and_overlaps_nothing(path: str) -> None:
    if not Path(path).exists():
        pytest.skip("it isn't there")
    every = sorted((each.address, each.size, each.origin) for each in read(Path(path)) if each.size)
    with open(path, "rb") as file:
        theirs = {
            (each["initial_location"], each["address_range"])
            for each in ELFFile(file).get_dwarf_info().EH_CFI_entries()
            if isinstance(each, FDE)
        }
    assert sum(origin == UNWIND for *_, origin in every) > 500
    assert {(address, size) for address, size, origin in every if origin == UNWIND} <= theirs
    for (address, size, origin), after in pairwise(every):
        assert UNWIND not in (origin, after[2]) or address + size <= after[0]


def test_it_is_found_by_its_place(targets: Path, tmp_path: Path) -> None:
    found = read(stripped(targets / "plain-pie", tmp_path))
    place = f"0x{found[2].offset:x}"
    assert patterns.select(found, place) == patterns.select(found, f"program+{place}") == [found[2]]
    assert packages.of(f"libc.so.6+{place}") == ""


def test_of_very_many_only_what_is_asked_for(targets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = modules.of_file(str(stripped(targets / "plain-pie", tmp_path)))
    found = functions.read(module)
    monkeypatch.setattr(functions, "_USUAL", 99)
    assert functions.read(module) == ()
    assert [name for *_, name in functions.places(module)] == [each.name for each in found]
    assert functions.read(module, every=True) == found


def test_damaged_records_are_passed_over(targets: Path, tmp_path: Path) -> None:
    whole = stripped(targets / "throwing", tmp_path).read_bytes()
    with ElfFile.open(str(tmp_path / "program")) as elf:
        parts = [each for name in (".eh_frame", ".eh_frame_hdr") if (each := elf.section(name))]
        ends = [each.address + each.size for each in elf.sections]
    started = time.process_time()
    for seed in range(300):
        (tmp_path / "damaged").write_bytes(mutated(whole, [(each.offset, each.size) for each in parts], seed))
        last = 0
        for function in read(tmp_path / "damaged"):
            assert last <= function.address < max(ends)
            last = function.address + function.size
    (tmp_path / "damaged").write_bytes(whole[:-1] + random.Random(1).randbytes(1))
    assert time.process_time() - started < 20


def test_records_that_would_take_for_ever_end_it(
    targets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = modules.of_file(str(stripped(targets / "plain-pie", tmp_path)))
    assert functions.read(module)
    monkeypatch.setattr(unnamed, "_SECONDS", -1.0)
    assert functions.read(module) == ()
