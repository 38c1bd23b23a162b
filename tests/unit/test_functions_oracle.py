"""Real binaries, against pyelftools."""

import lzma
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import NoteSection, SymbolTableSection

from tui.elf import functions, modules
from tui.elf.names import UNWIND, USDT

LIBRARIES = [
    line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "r-xp" in line and ".so" in line
]
WHEELS = sorted(str(path) for path in Path(sys.prefix).glob("lib/python3*/site-packages/cypcap.libs/*.so*"))
BINARIES = sorted({os.path.realpath(path) for path in ("/usr/bin/python3", "/bin/bash", *LIBRARIES, *WHEELS)})
LARGE = [
    os.path.realpath(path)
    for path in (
        sys.executable,
        shutil.which("node"),
        next(Path("/usr/lib").glob("*-linux-gnu/libstdc++.so.6"), None),
        next(Path(sys.prefix).glob("lib/python3*/site-packages/go/pkg/tool/*/compile"), None),
    )
    if path
]
VERSION = re.compile(r"(?<=.)@@?[A-Za-z_][\w.]*(?: \(\d+\))?$")


def debug_file(elf: ELFFile) -> list[Path]:
    """The file with its symbols, where a debug package is installed (libc6-dbg); no path where it has them itself."""
    note = elf.get_section_by_name(".note.gnu.build-id")
    if not isinstance(note, NoteSection) or elf.get_section_by_name(".symtab"):
        return []
    build = next(note.iter_notes())["n_desc"]
    path = Path(f"/usr/lib/debug/.build-id/{build[:2]}/{build[2:]}.debug")
    return [path] if path.exists() else []


def by_pyelftools(path: str) -> set[tuple[str, int, int]]:
    """(name, address, offset) of all functions that the file, its debug file or its .gnu_debugdata defines."""
    found: set[tuple[str, int, int]] = set()
    with ExitStack() as stack:
        elf = ELFFile(stack.enter_context(open(path, "rb")))
        segments = [
            (part["p_vaddr"], part["p_filesz"], part["p_offset"])
            for part in elf.iter_segments()
            if part["p_type"] == "PT_LOAD" and part["p_flags"] & 1
        ]
        others = [ELFFile(stack.enter_context(other.open("rb"))) for other in debug_file(elf)]
        if packed := elf.get_section_by_name(".gnu_debugdata"):  # wheels have libraries of AlmaLinux
            others.append(ELFFile(BytesIO(lzma.decompress(packed.data()))))
        for each in (elf, *others):
            known = {address for _, address, _ in found if packed}  # it only adds to what is there
            for name, address in defined(each):
                for low, size, offset in segments:
                    if low <= address < low + size and address not in known:
                        found.add((name, address, address - low + offset))
    return found


def defined(elf: ELFFile) -> Iterator[tuple[str, int]]:
    """The functions in the file's symbol tables."""
    for section in elf.iter_sections():
        if isinstance(section, SymbolTableSection):
            for symbol in section.iter_symbols():
                kind, where = symbol["st_info"]["type"], symbol["st_shndx"]
                if kind in {"STT_FUNC", "STT_LOOS"} and where not in {"SHN_UNDEF", "SHN_ABS"} and symbol.name:
                    yield symbol.name, symbol["st_value"]


@pytest.mark.parametrize("path", BINARIES)
def test_names_addresses_and_offsets_are_those_of_pyelftools(path: str) -> None:
    ours = [each for each in functions.read(modules.of_file(path)) if each.origin not in (USDT, UNWIND)]
    theirs = by_pyelftools(path)
    assert {(function.address, function.offset) for function in ours} == {
        (address, offset) for _, address, offset in theirs
    }
    assert len({function.address for function in ours}) == len(ours)
    every = {(name, one.address, one.offset) for one in ours for name in (one.name, one.raw_name, *one.aliases)}
    assert theirs <= every
    assert {(one.raw_name, one.address, one.offset) for one in ours} <= theirs


def by_readelf(path: str) -> set[tuple[int, str]]:
    """(address, name) of all functions that the file's own symbol tables define, without versions."""
    out = subprocess.run(["readelf", "--syms", "--wide", path], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=7) for line in out.splitlines() if " FUNC " in line or " IFUNC " in line]
    return {(int(row[1], 16), VERSION.sub("", row[7])) for row in rows if len(row) == 8 and row[6].isdecimal()}


@pytest.mark.parametrize("path", LARGE, ids=os.path.basename)
def test_the_same_functions_as_readelf(path: str) -> None:
    theirs = by_readelf(path)
    found = functions.read(modules.of_file(path))
    own = {(one.address, name) for one in found for name in (one.name, one.raw_name, *one.aliases)}
    assert len(theirs) > 1000
    assert theirs <= own
    assert {one.address for one in found if one.origin in ("symtab", "dynsym")} == {address for address, _ in theirs}
