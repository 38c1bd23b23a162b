"""Real binaries, against pyelftools."""

import os
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from tui.elf import functions, modules
from tui.elf.names import USDT

LIBRARIES = [
    line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "r-xp" in line and ".so" in line
]
BINARIES = sorted({os.path.realpath(path) for path in ("/usr/bin/python3", "/bin/bash", *LIBRARIES)})


def by_pyelftools(path: str) -> set[tuple[str, int, int]]:
    """(name, address, offset) of all functions that the file defines."""
    found = set()
    with open(path, "rb") as file:
        elf = ELFFile(file)
        segments = [
            (part["p_vaddr"], part["p_filesz"], part["p_offset"])
            for part in elf.iter_segments()
            if part["p_type"] == "PT_LOAD" and part["p_flags"] & 1
        ]
        for section in elf.iter_sections():
            if isinstance(section, SymbolTableSection):
                for symbol in section.iter_symbols():
                    kind, where, address = symbol["st_info"]["type"], symbol["st_shndx"], symbol["st_value"]
                    if kind in {"STT_FUNC", "STT_LOOS"} and where not in {"SHN_UNDEF", "SHN_ABS"} and symbol.name:
                        for low, size, offset in segments:
                            if low <= address < low + size:
                                found.add((symbol.name, address, address - low + offset))
    return found


@pytest.mark.parametrize("path", BINARIES)
def test_names_addresses_and_offsets_are_those_of_pyelftools(path: str) -> None:
    ours = [each for each in functions.read(modules.of_file(path)) if each.origin != USDT]
    theirs = by_pyelftools(path)
    assert {(function.address, function.offset) for function in ours} == {
        (address, offset) for _, address, offset in theirs
    }
    assert len({function.address for function in ours}) == len(ours)
    every = {(name, one.address, one.offset) for one in ours for name in (one.name, one.raw_name, *one.aliases)}
    assert theirs <= every
    assert {(one.raw_name, one.address, one.offset) for one in ours} <= theirs
