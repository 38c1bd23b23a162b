import math
import struct

import pytest

from tui.bpf.plans import NO_TEXT, VALUES, Plan
from tui.collectors import decoding
from tui.collectors.decoding import Decoder
from tui.collectors.reading import Reads
from tui.collectors.samples import Address, Read, ValuesRow, Word
from tui.elf.values import Fetch, Kind, Value

N = Value("n", "int", Kind.INT, 4, Fetch("di"))
NAME = Value("name", "string", Kind.STRING, 8, Fetch("bx"), Fetch("cx"))
RESULT = Value("return", "long", Kind.INT, 8, Fetch("ax"))


def decoded(
    values: tuple[Value, ...], cells: bytes, unreadable: int = 0, results: tuple[Value, ...] = ()
) -> tuple[Read, ...]:
    return Decoder(Reads(values, results, Plan(())))(b"\0" * 8 + cells, 8, unreadable)


@pytest.mark.parametrize(
    ("kind", "size", "cells", "read"),
    [
        (Kind.INT, 2, struct.pack("=q", -7), -7),
        (Kind.UINT, 8, struct.pack("=Q", 2**64 - 1), 2**64 - 1),
        (Kind.BOOL, 1, struct.pack("=Q", 1), True),
        (Kind.POINTER, 8, struct.pack("=Q", 0x1000), 0x1000),
        (Kind.SLICE, 8, struct.pack("=q", 5), 5),
        (Kind.ERROR, 8, struct.pack("=Q", 0), "nil"),
        (Kind.ERROR, 8, struct.pack("=Q", 7), "not nil"),
        (Kind.FLOAT, 8, struct.pack("=d", -0.1), -0.1),
        (Kind.FLOAT, 4, struct.pack("=fI", 0.5, 0), 0.5),
        (Kind.CSTRING, 8, struct.pack("=Q64s", 3, b"GET"), "GET"),
        (Kind.CSTRING, 8, struct.pack("=Q64s", 0, b""), ""),
        (Kind.CSTRING, 8, struct.pack("=Q64s", NO_TEXT, b""), 0),
        (Kind.CSTRING, 8, struct.pack("=Q64s", 64, b"x" * 63), "x" * 63 + "…"),
        (Kind.STRING, 8, struct.pack("=Q64s", 3, b"a\0b"), "a␀b"),
        (Kind.STRING, 8, struct.pack("=Q64s", 1234, "é".encode() * 32), "é" * 31 + "… (1,234 bytes)"),
        (Kind.STRING, 8, struct.pack("=Q64s", 5, b"\x1b[\xff\xe2\x80"), "␛[��"),
    ],
)
def test_what_cells_say(kind: Kind, size: int, cells: bytes, read: object) -> None:
    value = Value("n", "type", kind, size, Fetch("di"), Fetch("si"))
    (found,) = decoded((value,), cells)
    assert found == read
    assert isinstance(found, type(read))
    assert isinstance(found, Address) == (kind is Kind.POINTER)
    assert isinstance(found, Word) == (kind is Kind.ERROR)


def test_numbers_that_have_names() -> None:
    color = N._replace(names=((7, "GREEN"), (-2, "BLUE")))
    read = [decoded((color,), struct.pack("=q", number))[0] for number in (7, -2, 3)]
    assert read == ["GREEN", "BLUE", 3]
    assert [isinstance(each, Word) for each in read] == [True, True, False]
    assert decoding.shown(color, read[0]) == "GREEN"


def test_what_was_unreadable_is_none() -> None:
    cells = struct.pack("=qQ64sq", 1, 0, b"", 2)
    assert decoded((N, NAME), cells, 0b10 | 1 << VALUES, (RESULT,)) == (1, None, None)
    assert decoded((N, NAME), cells, 0, (RESULT,)) == (1, "", 2)


@pytest.mark.parametrize(
    ("kind", "read", "text"),
    [
        (Kind.INT, -3, "-3"),
        (Kind.POINTER, 0x7F01, "0x7f01"),
        (Kind.POINTER, 0, "0x0"),
        (Kind.CSTRING, 0, "NULL"),
        (Kind.CSTRING, "", '""'),
        (Kind.STRING, "GET", '"GET"'),
        (Kind.STRING, "x… (70 bytes)", '"x… (70 bytes)"'),
        (Kind.ERROR, "not nil", "not nil"),
        (Kind.BOOL, True, "true"),
        (Kind.FLOAT, 0.1, "0.1"),
        (Kind.FLOAT, math.inf, "inf"),
        (Kind.CSTRING, None, "(not in memory)"),
        (Kind.INT, None, "?"),
    ],
)
def test_values_for_people(kind: Kind, read: object, text: str) -> None:
    assert decoding.shown(N._replace(kind=kind), read) == text  # type: ignore[arg-type]


def test_rows_in_order() -> None:
    rows = [ValuesRow(values, calls) for values, calls in (
        ((None, 1), 3), ((2, 1), 3), ((-2, 1), 3), ((-2, 0), 3), ((0, 5), 9), (("a", 1), 3),
    )]  # fmt: skip
    assert [row.values for row in decoding.by_frequency(rows)] == [
        (0, 5), (-2, 0), (-2, 1), (2, 1), ("a", 1), (None, 1),
    ]  # fmt: skip


def test_what_a_register_holds_is_taken_for_a_pointer_where_it_is_large() -> None:
    register = Value("arg0", "uint64", Kind.UINT, 8, Fetch("di"), raw=True)
    read = [decoded((register,), struct.pack("=Q", number))[0] for number in (3, (1 << 32) - 1, 1 << 32)]
    assert [isinstance(each, Address) for each in read] == [False, False, True]
    assert [decoding.shown(register, each) for each in read] == ["3", "4294967295", "0x100000000"]
    (typed,) = decoded((register._replace(raw=False),), struct.pack("=Q", 1 << 32))
    assert not isinstance(typed, Address)
