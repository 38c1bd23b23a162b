import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.elf_files import CODE_AT, Elf, Symbol, module, patch
from tests.unit.pclntab_files import (
    DATA_AT,
    FILES,
    FUNCTIONS,
    GO_116,
    GO_118,
    GO_120,
    TEXT,
    Made,
    program,
    record,
    table,
)
from tests.unit.test_hostile_elf import bounded
from tui.elf import functions, pclntab
from tui.elf.pclntab import Table
from tui.elf.reader import ElfFile
from tui.elf.sites import Sites
from tui.errors import BpfscopeError

TRUTH = [(made.name.replace("·", "."), made.address, made.size) for made in FUNCTIONS]
VERSIONS = pytest.mark.parametrize("magic", [GO_116, GO_118, GO_120])


def read(folder: Path, data: bytes) -> Table | None:
    with ElfFile.open(module(folder, data).file) as elf:
        return pclntab.read(elf)


def rows(table: Table | None) -> list[tuple[str, int, int]]:
    """Names, addresses and sizes."""
    assert table
    addresses, sizes, names = table.functions()
    return list(zip(names, addresses, sizes, strict=True))


@VERSIONS
def test_functions_and_lines(tmp_path: Path, magic: int) -> None:
    found = read(tmp_path, program(table(magic)).build())
    assert rows(found) == TRUTH
    assert found
    for made in FUNCTIONS:
        start = 0
        for end, line in made.lines:
            assert {found.line(made.address + at) for at in range(start, end)} == {(FILES[made.file], line)}
            start = end
    assert found.line(TEXT - 1) is None
    assert found.line(FUNCTIONS[1].address + 9) is None  # padding
    assert found.line(FUNCTIONS[-1].address + 16) is None


@VERSIONS
def test_as_functions_of_the_module(tmp_path: Path, magic: int) -> None:
    elf = program(table(magic), dynamic=[Symbol("main", CODE_AT), Symbol("_exported", TEXT)])
    found = functions.read(module(tmp_path, elf.build()))
    assert [(one.name, one.address, one.size) for one in found if one.origin == "pclntab"] == sorted(TRUTH)
    assert [one.name for one in found if one.origin == "dynsym"] == ["main"]
    assert all(one.offset == one.address for one in found)


def test_a_symbol_table_is_enough(tmp_path: Path) -> None:
    elf = program(table(GO_120))._replace(symbols=[Symbol("main.fibonacci", TEXT + 16)])
    assert [one.origin for one in functions.read(module(tmp_path, elf.build()))] == ["symtab"]


def test_arm64_counts_instructions(tmp_path: Path) -> None:
    made = [Made("main.run", TEXT, 12, 0, [(4, 5), (12, 6)])]
    data = table(GO_120, made, quantum=4)
    found = read(tmp_path, program(data, record(data)[:-24] + struct.pack("<3Q", TEXT, TEXT + 16, TEXT)).build())
    assert rows(found) == [("main.run", TEXT, 12)]
    assert found
    assert [found.line(TEXT + at) for at in (3, 4, 11)] == [(FILES[0], 5), (FILES[0], 6), (FILES[0], 6)]


def test_text_by_the_header_where_there_is_no_record(tmp_path: Path) -> None:
    assert rows(read(tmp_path, program(table(GO_118, text=TEXT), b"").build())) == TRUTH
    assert read(tmp_path, program(table(GO_118), b"").build()) is None


def test_a_record_of_something_else_is_none(tmp_path: Path) -> None:
    data = table(GO_120)
    for at in (1, 20, 21, 22):
        changed = patch(record(data), 8 * at, "<Q", TEXT + 1)
        assert read(tmp_path, program(data, changed).build()) is None
        assert rows(read(tmp_path, program(data, changed + record(data)).build())) == TRUTH


def test_what_the_loader_fills_in(tmp_path: Path) -> None:
    data = table(GO_120)
    data += bytes(-len(data) % 8)
    kind = 8 if Elf().machine == 62 else 1027  # R_X86_64_RELATIVE, R_AARCH64_RELATIVE
    words = struct.unpack("<23Q", record(data))
    relocations = [
        struct.pack("<QQQ", DATA_AT + len(data) + 8 * index, kind, word) for index, word in enumerate(words) if word
    ]
    other = struct.pack("<QQQ", DATA_AT, kind + 1, DATA_AT)
    elf = program(data, bytes(len(words) * 8))
    elf = elf._replace(extra=[*elf.extra, (".rela.dyn", b"".join([other, *relocations]))])
    assert rows(read(tmp_path, elf.build())) == TRUTH


@VERSIONS
def test_found_by_its_magic_number(tmp_path: Path, magic: int) -> None:
    stray = struct.pack("<IHBB", magic, 0, 1, 8)
    data = table(magic)
    elf = program(data, record(data) + stray, (".data.rel.ro", ".data"))
    assert read(tmp_path, elf.build()) is None
    elf = elf._replace(extra=[*elf.extra, (".go.buildinfo", b"")])
    assert rows(read(tmp_path, elf.build())) == TRUTH


def test_without_a_section_table(tmp_path: Path) -> None:
    data = patch(patch(program(table(GO_120)).build(), 40, "<Q", 0), 60, "<H", 0)
    assert rows(read(tmp_path, data)) == TRUTH
    with ElfFile.open(module(tmp_path, data).file) as elf, Sites(elf) as sites:
        assert sites.go
    data = patch(patch(Elf().build(), 40, "<Q", 0), 60, "<H", 0)
    with ElfFile.open(module(tmp_path, data).file) as elf, Sites(elf) as sites:
        assert not sites.go


def attempt(folder: Path, data: bytes) -> None:
    """Everything that is read of a file."""
    made = module(folder, data)
    try:
        functions.read(made)
        with ElfFile.open(made.file) as elf:
            if found := pclntab.read(elf):
                for address in range(TEXT, TEXT + 64, 3):
                    found.line(address)
                found.functions()
    except BpfscopeError:
        return


@pytest.mark.parametrize("magic", [GO_116, GO_120])
def test_every_byte_changed_and_cut_anywhere(tmp_path: Path, magic: int) -> None:
    whole = program(table(magic)).build()
    for at in range(DATA_AT, DATA_AT + len(table(magic))):
        for value in (0, 1, 0x7F, 0xFF):
            attempt(tmp_path, patch(whole, at, "B", value))
        attempt(tmp_path, whole[:at])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([GO_116, GO_118, GO_120]),
    st.lists(
        st.tuples(
            st.integers(0, len(table(GO_116)) // 4 - 2),
            st.sampled_from(["<I", "<Q"]),
            st.sampled_from([0, 1, 3, 63, 64, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 63, (1 << 64) - 1, TEXT, DATA_AT]),
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_changed_numbers(tmp_path: Path, magic: int, changes: list[tuple[int, str, int]]) -> None:
    data = program(table(magic)).build()
    for at, layout, value in changes:
        data = patch(data, DATA_AT + 4 * at, layout, value & (1 << 8 * struct.calcsize(layout)) - 1)
    attempt(tmp_path, data)


def test_tables_that_never_end_take_no_time(tmp_path: Path) -> None:
    many = [Made("f", TEXT + number // 64, 1 << 40, 0, [(1 << 20, 1)]) for number in range(1_000)]
    data = bytearray(table(GO_120, many))
    numbers, rows_at = struct.unpack_from("<2Q", data, 8 + 6 * 8)
    data[numbers:rows_at] = b"\x02\x00" * ((rows_at - numbers) // 2) + b"\x02" * ((rows_at - numbers) % 2)
    elf = program(bytes(data), b"")
    with bounded(seconds=4, megabytes=60):
        attempt(tmp_path, patch(elf.build(), DATA_AT + 8 + 16, "<Q", TEXT))


def test_names_that_overlap_are_no_names(tmp_path: Path) -> None:
    many = [Made("x" * 100, TEXT + number // 1000, 1) for number in range(20_000)]
    data = bytearray(table(GO_120, many, text=TEXT))
    names, units = struct.unpack_from("<2Q", data, 8 + 3 * 8)
    data[names:units] = b"x" * (units - names)
    with bounded(seconds=4, megabytes=100):
        assert functions.read(module(tmp_path, program(bytes(data), b"").build())) == ()


@pytest.mark.parametrize("fill", [struct.pack("<IHBB", GO_120, 0, 1, 8), struct.pack("<Q", DATA_AT)])
@pytest.mark.parametrize("shift", [0, 3])
def test_a_file_full_of_what_is_searched(tmp_path: Path, fill: bytes, shift: int) -> None:
    data = table(GO_120) + bytes(shift) + fill * 1_000_000
    elf = program(data, b"", (".rodata", ".data"))
    with bounded(seconds=4, megabytes=100):
        attempt(tmp_path, elf._replace(extra=[*elf.extra, (".go.buildinfo", b"")]).build())


def test_many_beginnings_of_tables(tmp_path: Path) -> None:
    data = table(GO_120, text=TEXT)
    broken = patch(data, 8, "<Q", 200_000) + bytes(-len(data) % 8)
    elf = program(broken * 1000 + bytes(8_000_000), b"", (".rodata", ".data"))
    with bounded(seconds=4, megabytes=200):
        attempt(tmp_path, elf._replace(extra=[*elf.extra, (".go.buildinfo", b"")]).build())


def test_lines_that_never_end_take_no_time(tmp_path: Path) -> None:
    data = table(GO_120, text=TEXT) + b"\x02\x00" * 4_000_000
    numbers = struct.unpack_from("<8Q", data, 8)[6]
    start = len(data) - 8_000_000 - numbers
    made = data.index(struct.pack("<I", 0), struct.unpack_from("<8Q", data, 8)[7] + 36)  # the first function's record
    found = read(tmp_path, program(patch(data, made + 20, "<II", start, start), b"").build())
    assert found
    with bounded(seconds=6, megabytes=20):
        assert found.line(TEXT) is None
