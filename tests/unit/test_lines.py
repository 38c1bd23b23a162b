"""Source lines of addresses, beside pyelftools and on files that no compiler would write."""

import struct
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.elf_files import CODE_AT, Elf, Symbol, module, mutated
from tests.unit.test_hostile_elf import bounded
from tui.elf import functions, line_programs, lines, modules
from tui.elf.lines import Line, LineTable
from tui.elf.reader import ElfFile

SOURCE = Path(__file__).parents[1] / "targets" / "stacks.c"
V4 = bytes.fromhex("01 01 01 fb 0e 0d 00 01 01 01 01 00 00 00 01 00 00 01")  # shortest … lengths of 12 opcodes
ADDRESS, END = b"\0\x09\x02", b"\0\x01\x01"


def unit(program: bytes, tables: bytes = b"src\0\0run.c\0\x01\0\0\0", version: int = 4) -> bytes:
    """A unit of version 4, with its length."""
    head = V4 + tables
    return struct.pack("<IHI", 6 + len(head) + len(program), version, len(head)) + head + program


def sequence(address: int, rows: bytes) -> bytes:
    return ADDRESS + struct.pack("<Q", address) + rows + END


def table(folder: Path, content: bytes, *more: tuple[str, bytes], name: str = ".debug_line") -> LineTable | None:
    return lines.read(module(folder, Elf([Symbol("run")], extra=[(name, content), *more]).build()))


def at(folder: Path, content: bytes, address: int) -> Line | None:
    found = table(folder, content)
    assert found
    with found:
        return found.at(address)


PLAIN = unit(sequence(CODE_AT, b"\x03\x06\x01" + b"\x02\x10\x03\x02\x01" + b"\x02\x10"))  # 7 at 0, 9 at 16, end at 32


@pytest.mark.parametrize(
    ("offset", "line"), [(-1, None), (0, 7), (1, 7), (15, 7), (16, 9), (31, 9), (32, None), (1 << 63, None)]
)
def test_a_line_reaches_to_the_next(tmp_path: Path, offset: int, line: int | None) -> None:
    assert at(tmp_path, PLAIN, CODE_AT + offset) == (line and Line("src/run.c", line))


def test_of_several_lines_of_an_address_the_first_that_is_one(tmp_path: Path) -> None:
    rows = b"\x03\x7f\x01" + b"\x03\x06\x01" + b"\x03\x02\x01" + b"\x02\x10"  # 0, which is none, 6 and 8
    assert at(tmp_path, unit(sequence(CODE_AT, rows)), CODE_AT) == Line("src/run.c", 6)


def test_units_that_are_damaged_cost_only_themselves(tmp_path: Path) -> None:
    later = unit(sequence(CODE_AT + 64, b"\x01\x02\x10"))
    for broken in (unit(b"", version=9), unit(b"", tables=b"\xff"), struct.pack("<I", 3) + b"abc", PLAIN[:-1]):
        whole = struct.pack("<I", len(broken) - 4) + broken[4:]
        assert at(tmp_path, whole + later, CODE_AT + 70) == Line("src/run.c", 1)


def test_what_was_left_out_by_the_linker_hides_nothing(tmp_path: Path) -> None:
    left_out = b"".join(sequence(0, b"\x01\x02\x80\x80\x80\x01") for _ in range(50))
    assert at(tmp_path, unit(left_out) + PLAIN, CODE_AT + 3) == Line("src/run.c", 7)
    disguised = unit(b"\x03\x06\x01" + b"\0\x0e\x80" + ADDRESS + struct.pack("<Q", CODE_AT + 2))  # within an operand
    assert at(tmp_path, PLAIN + disguised, CODE_AT + 3) == Line("src/run.c", 7)


def test_offsets_of_64_bits(tmp_path: Path) -> None:
    rest = PLAIN[10:]
    wide = b"\xff" * 4 + struct.pack("<QHQ", 10 + len(rest), 4, struct.unpack_from("<I", PLAIN, 6)[0]) + rest
    assert at(tmp_path, wide + PLAIN[:4], CODE_AT) == Line("src/run.c", 7)


def test_a_name_is_harmless(tmp_path: Path) -> None:
    hostile = unit(sequence(CODE_AT, b"\x01\x02\x10"), b"\0\x1b[31m\xff.c\0\0\0\0\0")
    assert at(tmp_path, hostile, CODE_AT) == Line("␛[31m\ufffd.c", 1)


def test_no_lines(tmp_path: Path) -> None:
    assert table(tmp_path, b"", name=".other") is None
    for content in (b"", b"\0\0\0\0", b"\xff" * 40, PLAIN[:20]):
        assert at(tmp_path, content, CODE_AT) is None


FLAGS = [
    *(["-g", f"-gdwarf-{version}"] for version in (2, 3, 4, 5)),
    ["-g", "-gz"], ["-g", "-gz", "-gdwarf-4"], ["-g", "-ffunction-sections", "-Wl,--gc-sections"],
]  # fmt: skip


@pytest.mark.parametrize("flags", FLAGS, ids=" ".join)
def test_of_c_as_pyelftools_has_them(tmp_path: Path, flags: list[str]) -> None:
    subprocess.run(["gcc", "-O2", *flags, SOURCE, "-o", tmp_path / "made"], check=True)
    assert _compared(tmp_path / "made") > 100


@pytest.mark.parametrize("program", ["fibonacci", "arguments-cc", "throwing"])
def test_of_programs_as_pyelftools_has_them(targets: Path, program: str) -> None:
    assert _compared(targets / program) > (10_000 if program == "fibonacci" else 50)


def _compared(path: Path) -> int:
    """How many addresses it has, all of whose lines are the same."""
    found = lines.read(modules.of_file(str(path)))
    assert found
    expected: dict[int, tuple[str, int]] = {}
    for address, name, line in _pyelftools(path):
        if line and address:
            expected.setdefault(address, (name, line))
    with found:
        for address, (name, line) in expected.items():
            mine = found.at(address)
            assert mine, hex(address)
            assert (mine.file.rpartition("/")[2], mine.line) == (name.rpartition("/")[2], line), hex(address)
    return len(expected)


def _pyelftools(path: Path) -> Iterator[tuple[int, str, int]]:
    """Address, file and line of each row before the end of its sequence."""
    with path.open("rb") as file:
        debug = ELFFile(file).get_dwarf_info()
        for compiled in debug.iter_CUs():
            program = debug.line_program_for_CU(compiled)
            if program is None:
                continue
            first = 0 if program.header.version >= 5 else 1
            states = [entry.state for entry in program.get_entries() if entry.state]
            ends = [row.address for row in states if row.end_sequence]
            for row in states:
                if row.end_sequence:
                    ends.pop(0)
                elif row.address < ends[0]:
                    yield row.address, program.header.file_entry[row.file - first].name.decode(), row.line


def test_the_end_of_a_function_belongs_to_nobody(targets: Path) -> None:
    found = lines.read(modules.of_file(str(targets / "fibonacci")))
    assert found
    with found:
        assert found.at(0) is None
        assert found.at((1 << 64) - 1) is None


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(PLAIN[:4] + PLAIN[4:].replace(b"\x02\x10", b"\x02" + b"\xff" * 40), id="a number without an end"),
        pytest.param(unit(ADDRESS * 100_000), id="nothing but beginnings"),
        pytest.param(unit(sequence(CODE_AT, b"\x01" * 2_000_000)), id="rows of one address"),
        pytest.param(unit(sequence(CODE_AT, b"\xff" * 2_000_000)), id="many rows"),
        pytest.param(unit(b"\x04\xff\xff\xff\xff\x7f" + sequence(CODE_AT, b"\x01\x02\x01")), id="a file of any number"),
        pytest.param(unit(sequence((1 << 64) - 1, b"\xff\xff\xff")), id="beyond the last address"),
        pytest.param(unit(b"\0\x05\x03a\0\0\0" * 100_000), id="files that are defined"),
        pytest.param(unit(b"", b"a\0" * 500_000), id="folders"),
        pytest.param(b"\0\0\0\0" * 300_000, id="empty units"),
    ],
)
def test_hostile_programs(tmp_path: Path, content: bytes) -> None:
    with bounded(seconds=8, megabytes=160):
        found = table(tmp_path, content)
        if found:
            with found:
                for address in (0, CODE_AT, CODE_AT + 5, (1 << 64) - 1):
                    found.at(address)


@pytest.mark.parametrize(("size", "kind"), [(1 << 60, 1), (1 << 20, 2), (100, 1)])
def test_sections_that_expand(tmp_path: Path, size: int, kind: int) -> None:
    data = bytearray(Elf([Symbol("run")], extra=[(".debug_line", b"")]).build())
    squeezed = struct.pack("<IIQQ", kind, 0, size, 1) + zlib.compress(bytes(1 << 22))
    header = len(data) - 64 * 2  # .debug_line, .shstrtab
    struct.pack_into("<QQQQ", data, header + 8, 0x800, 0, len(data), len(squeezed))
    with bounded(seconds=2, megabytes=20):
        found = lines.read(module(tmp_path, bytes(data) + squeezed))
        if found:
            found.close()


@pytest.mark.parametrize("program", ["fibonacci", "arguments-cc"])
def test_changed_bytes_of_a_real_program(targets: Path, tmp_path: Path, program: str) -> None:
    whole = (targets / program).read_bytes()
    with ElfFile.open(str(targets / program)) as elf:
        spans = [(each.offset, each.size) for each in elf.sections if each.name in (".debug_line", ".debug_line_str")]
    for seed in range(25):
        with bounded(seconds=5, megabytes=50):
            found = lines.read(module(tmp_path, mutated(whole, spans, seed)))
            if found:
                with found:
                    for address in range(0x401000, 0x420000, 0x321):
                        found.at(address)


@given(st.binary(max_size=400), st.integers(2, 5), st.integers(0, (1 << 64) - 1))
@settings(max_examples=400, deadline=None)
def test_any_bytes(program: bytes, version: int, address: int) -> None:
    content = unit(sequence(address & 0xFFFF, program), version=version) if version < 5 else program
    try:
        found = line_programs.rows(content, lambda _section, _offset: b"x")
    except (ValueError, IndexError, OverflowError, struct.error):
        return
    found.at(address)
    found.at(address & 0xFFFF)


def test_a_separate_debug_file(targets: Path, tmp_path: Path) -> None:
    whole, stripped, debug = targets / "stacks", tmp_path / "stacks", tmp_path / "stacks.debug"
    subprocess.run(["objcopy", "--only-keep-debug", whole, debug], check=True)
    subprocess.run(["objcopy", "--strip-all", f"--add-gnu-debuglink={debug}", whole, stripped], check=True)
    expected, found = _by_address(whole), _by_address(stripped)
    assert len(expected) > 10
    assert found == expected
    debug.unlink()
    assert not _by_address(stripped)


def test_stripped_go_has_the_same_lines(targets: Path, tmp_path: Path) -> None:
    subprocess.run(["strip", "--strip-all", targets / "fibonacci", "-o", tmp_path / "fibonacci"], check=True)
    expected, found = _by_address(targets / "fibonacci"), _by_address(tmp_path / "fibonacci")
    assert len(expected.keys() & found.keys()) > 1_000
    assert not {at for at in expected.keys() & found.keys() if expected[at] != found[at]}


def _by_address(path: Path) -> dict[int, Line]:
    made = modules.of_file(str(path))
    return {function.address: line for function, line in lines.of_functions(made, functions.read(made)).items()}
