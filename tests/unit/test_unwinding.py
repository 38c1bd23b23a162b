"""The unwinder's records, against a second reader's, and damaged ones."""

import os
import random
from pathlib import Path

import pytest
from elftools.dwarf.callframe import FDE
from elftools.elf.elffile import ELFFile

from tui.elf.reader import ElfFile
from tui.elf.unwinding import Frame, Height, Unwinding

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="a target with instructions of x86-64")


def test_frames_are_those_that_another_reader_sees(targets: Path) -> None:
    path = targets / "throwing"
    with path.open("rb") as file, ElfFile.open(str(path)) as elf:
        unwinding = Unwinding(elf)
        theirs = [each for each in ELFFile(file).get_dwarf_info().EH_CFI_entries() if isinstance(each, FDE)]
        assert len(theirs) > 5
        for each in theirs:
            start = each["initial_location"]
            expected = Frame(start, start + each["address_range"], each.lsda_pointer or 0)
            assert unwinding.frame(start) == expected
            assert unwinding.frame(expected.end - 1) == expected
        assert unwinding.frame(0) is None


@pytest.mark.parametrize("name", ["throwing", "usdt", "usdt-frames"])
def test_heights_are_those_that_another_reader_sees(targets: Path, name: str) -> None:
    seen = set()
    with (targets / name).open("rb") as file, ElfFile.open(str(targets / name)) as elf:
        unwinding = Unwinding(elf)
        for each in ELFFile(file).get_dwarf_info().EH_CFI_entries():
            if not isinstance(each, FDE):
                continue
            table = each.get_decoded().table
            end = each["initial_location"] + each["address_range"]
            for row, after in zip(table, [*(row["pc"] for row in table[1:]), end], strict=True):
                rule = row["cfa"]
                expected = Height(rule.reg, rule.offset) if rule.expr is None else None
                seen.add(expected)
                if row["pc"] < after:  # of a linker's own stubs the last begins where they end
                    assert {unwinding.height(row["pc"]), unwinding.height(after - 1)} == {expected}
    assert len(seen) > 3


def test_landing_pads_begin_behind_calls(targets: Path) -> None:
    path = targets / "throwing"
    with path.open("rb") as file, ElfFile.open(str(path)) as elf:
        unwinding = Unwinding(elf)
        frames = [
            unwinding.frame(each["initial_location"])
            for each in ELFFile(file).get_dwarf_info().EH_CFI_entries()
            if isinstance(each, FDE)
        ]
        pads = [(frame, pad) for frame in frames if frame for pad in unwinding.landing_pads(frame)]
        assert pads
        assert all(frame.start < pad < frame.end for frame, pad in pads)


def test_damaged_records_are_as_good_as_none(targets: Path, tmp_path: Path) -> None:
    data = (targets / "throwing").read_bytes()
    with ElfFile.open(str(targets / "throwing")) as elf:
        parts = [part for name in (".eh_frame_hdr", ".eh_frame", ".gcc_except_table") if (part := elf.section(name))]
        starts = Unwinding(elf)._starts
    chance = random.Random(7)
    for number in range(60):
        damaged = bytearray(data)
        for part in parts:
            for _ in range(20):
                damaged[part.offset + chance.randrange(part.size)] = chance.choice((0, 0x7F, 0x80, 0xFF))
        path = tmp_path / str(number)
        path.write_bytes(damaged)
        with ElfFile.open(str(path)) as elf:
            unwinding = Unwinding(elf)
            for start in starts:
                if frame := unwinding.frame(start):
                    unwinding.landing_pads(frame)
                    unwinding.height(frame.end - 1)
