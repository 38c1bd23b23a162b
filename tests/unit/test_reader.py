import os
from pathlib import Path

import pytest

from tests.unit.elf_files import CODE, CODE_AT, Elf, Load, Symbol, module, patch
from tui.elf.reader import ElfFile
from tui.errors import BinaryError, NotPermitted, TargetError

PLAIN = Elf(symbols=[Symbol("run")], extra=[(".comment", b"made by hand\0")])
PHNUM, SHOFF, SHNUM, SHSTRNDX = 56, 40, 60, 62


def opened(folder: Path, data: bytes) -> ElfFile:
    return ElfFile.open(module(folder, data).file)


@pytest.mark.parametrize(
    ("kind", "load"),
    [
        (3, Load(CODE_AT, CODE_AT, len(CODE))),  # PIE
        (2, Load(CODE_AT, 0x401000, len(CODE))),  # not PIE
        (3, Load(CODE_AT, 0x3000, len(CODE))),  # a shared object whose segments moved apart
        (3, Load(0, 0, CODE_AT + len(CODE))),  # one segment with the headers
    ],
)
def test_addresses_to_offsets(tmp_path: Path, kind: int, load: Load) -> None:
    data_segment = Load(0, 0x800000, 64, flags=6)
    first = load.address + CODE_AT - load.offset
    inside, outside = [first, first + len(CODE) - 1], [first + len(CODE), load.address - 1, 0x800000]
    with opened(tmp_path, PLAIN._replace(kind=kind, loads=[data_segment, load]).build()) as elf:
        assert elf.file_offsets(inside) == [CODE_AT, CODE_AT + len(CODE) - 1]
        assert elf.file_offsets(outside) == [-1, -1, -1]  # the last one is mapped, but can't be executed
        assert elf.bytes_at(CODE_AT, 4) == CODE[:4]


def test_sections(tmp_path: Path) -> None:
    with opened(tmp_path, PLAIN.build()) as elf:
        assert [section.name for section in elf.sections] == [
            "",
            ".text",
            ".symtab",
            ".symtab.names",
            ".comment",
            ".shstrtab",
        ]
        comment = elf.section(".comment")
        assert comment
        assert elf.contents(comment) == b"made by hand\0"
        assert elf.section(".gone") is None


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    elf = opened(tmp_path, PLAIN.build())
    elf.close()
    elf.close()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"#!/bin/sh\n" + bytes(64), "not an ELF file: scripts have none"),
        (b"\x7fELF", "not an ELF file"),
        (b"", "is empty"),
        (PLAIN._replace(bits=1).build(), "32-bit"),
        (PLAIN._replace(order=2).build(), "another kind of machine"),
        (PLAIN._replace(machine=8).build(), "another kind of machine"),
        (PLAIN._replace(loads=()).build(), "no program headers"),
        (patch(PLAIN.build(), PHNUM, "<H", 0xFFFF), "no program headers"),
        (PLAIN._replace(loads=[Load(CODE_AT, CODE_AT, 16)] * 65).build(), "65 executable segments"),
    ],
)
def test_what_is_no_program_of_this_machine(tmp_path: Path, data: bytes, sentence: str) -> None:
    with pytest.raises(BinaryError, match=sentence):
        opened(tmp_path, data)


@pytest.mark.parametrize(
    ("at", "layout", "value"),
    [
        (SHOFF, "<Q", 1 << 40),  # past the end
        (SHOFF, "<Q", (1 << 64) - 1),
        (SHNUM, "<H", 0xFFFF),
        (SHNUM, "<H", 0),  # and the first entry says nought as well
        (58, "<H", 8),  # entries smaller than they can be
    ],
)
def test_a_damaged_section_table_costs_only_the_sections(tmp_path: Path, at: int, layout: str, value: int) -> None:
    with opened(tmp_path, patch(PLAIN.build(), at, layout, value)) as elf:
        assert elf.sections == ()
        assert elf.file_offsets([CODE_AT]) == [CODE_AT]


def test_section_names_out_of_range_are_empty(tmp_path: Path) -> None:
    with opened(tmp_path, patch(PLAIN.build(), SHSTRNDX, "<H", 99)) as elf:
        assert {section.name for section in elf.sections} == {""}


def test_many_sections_are_counted_in_the_first_entry(tmp_path: Path) -> None:
    data = PLAIN.build()
    table = len(data) - 6 * 64
    data = patch(patch(data, SHNUM, "<H", 0), SHSTRNDX, "<H", 0xFFFF)
    with opened(tmp_path, patch(patch(data, table + 32, "<Q", 6), table + 40, "<I", 5)) as elf:
        assert elf.section(".comment")


@pytest.mark.parametrize("size", [1 << 20, 1 << 34, (1 << 64) - 1])
def test_a_section_past_the_end(tmp_path: Path, size: int) -> None:
    data = PLAIN.build()
    comment = len(data) - 2 * 64
    with opened(tmp_path, patch(data, comment + 32, "<Q", size)) as elf:
        section = elf.section(".comment")
        assert section
        with pytest.raises(BinaryError, match=r"truncated|damaged"):
            elf.contents(section)


def test_a_file_that_is_cut_short_meanwhile(tmp_path: Path) -> None:
    with opened(tmp_path, PLAIN.build()) as elf:
        os.truncate(tmp_path / "program", 100)
        with pytest.raises(BinaryError, match="truncated"):
            elf.contents(elf.sections[1])


def test_what_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name in (".", "fifo"):
        with pytest.raises(BinaryError, match="not a regular file"):
            ElfFile.open(str(tmp_path / name))
    with pytest.raises(TargetError, match="is gone"):
        ElfFile.open(str(tmp_path / "nowhere"))
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(BinaryError, match="cannot read"):
        ElfFile.open(str(tmp_path / "circle"))

    def refuse(path: str, flags: int) -> int:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(NotPermitted, match="CAP_DAC_READ_SEARCH"):
        ElfFile.open("/bin/true")
