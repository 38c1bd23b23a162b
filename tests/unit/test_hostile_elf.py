"""Whatever a file holds: functions, or one of our errors, soon and in little memory."""

import contextlib
import resource
import struct
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.unit.elf_files import CODE_AT, MACHINE, Elf, Symbol, module, patch
from tui.elf import functions, languages
from tui.elf.names import Function
from tui.elf.reader import ElfFile
from tui.elf.sites import Sites
from tui.errors import BinaryError, BpfscopeError

WHOLE = Elf(
    symbols=[
        Symbol("run"),
        Symbol("runner"),
        Symbol(b"\x1b]0;x\x07", CODE_AT + 16),
        Symbol("i", CODE_AT + 32, kind=10),
    ],
    dynamic=[Symbol("api", CODE_AT + 48), Symbol("run")],
    extra=[(".comment", b"GCC\0")],
).build()


def read(folder: Path, data: bytes) -> tuple[Function, ...]:
    """Everything that is read of a file."""
    made = module(folder, data)
    languages.of_file(made.file)
    found: tuple[Function, ...] = ()
    with contextlib.suppress(BpfscopeError):
        found = functions.read(made)
        with ElfFile.open(made.file) as elf, Sites(elf) as sites:
            for function in found:
                sites.choose(function)
                sites.returns(function)
    return found


@contextmanager
def bounded(seconds: float, megabytes: int) -> Iterator[None]:
    """Fails where the body takes more of either."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.process_time()
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    taken = time.process_time() - start + after.ru_utime - children.ru_utime + after.ru_stime - children.ru_stime
    assert taken < seconds
    assert peak < megabytes << 20


def test_the_whole_file_reads(tmp_path: Path) -> None:
    assert [function.name for function in read(tmp_path, WHOLE)] == ["api", "i", "run", "␛]0;x␇"]


def test_truncated_anywhere(tmp_path: Path) -> None:
    for end in [*range(200), *range(200, CODE_AT, 256), *range(CODE_AT + 256, len(WHOLE), 3)]:
        read(tmp_path, WHOLE[:end])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=40))
@example([(at, 0xFF) for at in range(32, 64)])
def test_changed_bytes(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    data = bytearray(WHOLE)
    for at, value in changes:
        data[at] = value
    read(tmp_path, bytes(data))


TABLES = sorted({*range(16, 120), *range(CODE_AT + 256, len(WHOLE) - 8)})


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(TABLES),
            st.sampled_from(["<H", "<I", "<Q"]),
            st.sampled_from(
                [0, 1, 2, 63, 64, 0x7FFF, 0xFF00, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 63, (1 << 64) - 1, CODE_AT]
            ),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_changed_numbers_in_the_tables(tmp_path: Path, changes: list[tuple[int, str, int]]) -> None:
    data = WHOLE
    for at, layout, value in changes:
        data = patch(data, at, layout, value & (1 << 8 * struct.calcsize(layout)) - 1)
    read(tmp_path, data)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_anything_after_the_magic(tmp_path: Path, tail: bytes) -> None:
    read(tmp_path, b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 3, MACHINE) + tail)


@pytest.mark.parametrize("letter", [b"a", b"\xff"])
def test_names_that_overlap_are_damage(tmp_path: Path, letter: bytes) -> None:
    strings = letter * 60_000
    data = Elf(symbols=[Symbol(strings), *(Symbol("x", CODE_AT) for _ in range(5_000))]).build()
    entries = bytearray(data)
    first = data.index(b"\0" + strings) - 5_000 * 24
    for index in range(5_000):
        struct.pack_into("<I", entries, first + 24 * index, index)
    with bounded(seconds=3, megabytes=200), pytest.raises(BinaryError, match="overlap"):
        functions.read(module(tmp_path, bytes(entries)))


def test_one_symbol_table_named_many_times_is_read_once(tmp_path: Path) -> None:
    many = [Symbol(f"f{number}", CODE_AT + number % 256) for number in range(20_000)]
    data = Elf(symbols=many).build()
    count, table = 5, len(data) - 5 * 64
    again = data[table + 2 * 64 : table + 3 * 64] * 3000
    data = patch(data + again, 60, "<H", count + 3000)
    with bounded(seconds=3, megabytes=100):
        assert len(functions.read(module(tmp_path, data))) == 256


def test_long_section_names_are_cut(tmp_path: Path) -> None:
    data = Elf(extra=[("x" * 3_000_000, b"")]).build()
    row = data[-2 * 64 : -64]
    with bounded(seconds=3, megabytes=60):
        read(tmp_path, patch(data + row * 5000, 60, "<H", 4 + 5000))


def test_a_sparse_file_of_a_terabyte(tmp_path: Path) -> None:
    data = WHOLE
    made = module(tmp_path, patch(data, len(data) - 5 * 64 + 32 - 64, "<Q", 1 << 39))
    with open(made.file, "r+b") as file:
        file.truncate(1 << 40)
    with bounded(seconds=3, megabytes=100), contextlib.suppress(BpfscopeError):
        functions.read(made)
