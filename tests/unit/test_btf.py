"""BTF: types found, named and decoded by; and whatever a blob holds, an answer or BinaryError, soon."""

import contextlib
import json
import struct
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.btf_files import HEADER, Maker
from tui.bpf.btf import index
from tui.bpf.btf.decoder import Address, plan
from tui.bpf.btf.index import Btf
from tui.bpf.btf.lines import functions, lines
from tui.bpf.btf.names import declared, definition, name_of
from tui.bpf.btf.values import one_line
from tui.errors import BinaryError

KERNEL = Path("/sys/kernel/btf/vmlinux")


def every_kind() -> tuple[Maker, int]:
    """A struct that has everything in it, and its number."""
    make = Maker()
    number = make.integer("int", 4, index.SIGNED)
    byte = make.integer("unsigned char", 1)
    char = make.integer("char", 1, index.SIGNED)
    wide = make.integer("unsigned long long", 8)
    flag = make.integer("bool", 1, index.BOOL)
    double = make.add(index.FLOAT, "double", 8)
    state = make.enumeration("state", [("IDLE", 0), ("BUSY", 1)])
    huge = make.enumeration("huge", [("MOST", (1 << 64) - 1)], size=8)
    word = make.add(index.TYPEDEF, "u64", wide)
    constant = make.add(index.CONST, "", word)
    pair = make.struct("", 8, [("low", number, 0), ("high", number, 32)], index.STRUCT)
    either = make.struct("", 8, [("whole", word, 0), ("", pair, 0)], index.UNION)
    whole = make.struct(
        "everything",
        88,
        [
            ("number", number, 0, 0),
            ("flag", flag, 32, 0),
            ("letter", char, 40, 0),
            ("three", number, 48, 3),
            ("rest", byte, 51, 5),
            ("pointer", make.pointer(number), 64, 0),
            ("", either, 128, 0),
            ("comm", make.array(char, 16), 192, 0),
            ("bytes", make.array(byte, 4), 320, 0),
            ("state", state, 352, 0),
            ("huge", huge, 384, 0),
            ("constant", constant, 448, 0),
            ("numbers", make.array(number, 2), 512, 0),
            ("real", double, 576, 0),
            ("pairs", make.array(pair, 1), 640, 0),
        ],
    )
    return make, whole


BYTES = (
    struct.pack("<ibb", -7, 1, 65) + bytes([0b10101_101, 0]) + struct.pack("<Qii", 0xFFFF888000001000, -1, 2)
    + b"sh\0rubbish".ljust(16, b"\1") + bytes([1, 2, 3, 255]) + struct.pack("<IQQiid", 1, (1 << 64) - 1, 9, 5, -5, 0.5)
    + struct.pack("<ii", 3, 4)
)  # fmt: skip


def test_every_kind_is_decoded() -> None:
    """To plain data, which JSON has words for, and to one line."""
    make, whole = every_kind()
    value = plan(Btf(make.build()), whole, 88).read(BYTES, 0)
    assert json.loads(json.dumps(value)) == {
        "number": -7,
        "flag": True,
        "letter": 65,
        "three": -3,
        "rest": 21,
        "pointer": 0xFFFF888000001000,
        "whole": 0x2_FFFFFFFF,
        "low": -1,
        "high": 2,
        "comm": "sh",
        "bytes": [1, 2, 3, 255],
        "state": "BUSY",
        "huge": "MOST",
        "constant": 9,
        "numbers": [5, -5],
        "real": 0.5,
        "pairs": [{"low": 3, "high": 4}],
    }
    line = one_line(value)
    assert 'pointer 0xffff888000001000, whole 12884901887, low -1, high 2, comm "sh", bytes 01 02 03 ff' in line
    assert len(one_line(value, 40)) == 40


def test_names_and_definitions_are_c() -> None:
    """Pointers, arrays, functions, qualifiers; what is anonymous is written out."""
    make, whole = every_kind()
    number = 1
    pointer = make.pointer(make.add(index.CONST, "", number))
    call = make.add(index.FUNC_PROTO, "", number, 2, more=struct.pack("<IIII", make.text("data"), pointer, 0, 0))
    table = make.array(make.pointer(call), 3)
    fixed = make.add(index.CONST, "", make.pointer(number))
    ahead = make.add(index.FWD, "later", 0)
    alias = make.add(index.TYPEDEF, "pair_t", make.struct("", 4, [("one", number, 0)]))
    types = Btf(make.build())
    assert name_of(types, table) == "int (*[3])(const int *data, ...)"
    assert declared(types, table, "calls") == "int (*calls[3])(const int *data, ...)"
    assert declared(types, fixed, "p") == "int *const p"
    assert name_of(types, ahead) == "struct later"
    assert definition(types, alias) == "typedef struct {\n\tint one;\n} pair_t;"
    text = definition(types, whole)
    assert "\tint three : 3;\n" in text
    assert "\tunion {\n\t\tu64 whole;\n\t\tstruct {\n\t\t\tint low;\n\t\t\tint high;\n\t\t};\n\t};\n" in text
    assert list(types.find("everything", (index.STRUCT,))) == [whole]
    assert list(types.find("everything", (index.UNION,))) == []
    assert list(types.find("verything")) == []


def test_global_data_is_decoded_by_variable() -> None:
    """A section is a dict by variable."""
    make = Maker()
    number = make.integer("int", 4, index.SIGNED)
    first = make.add(index.VAR, "first", number, more=struct.pack("<I", 1))
    second = make.add(index.VAR, "second", number, more=struct.pack("<I", 1))
    section = make.section(".bss", 12, [(first, 0, 4), (second, 8, 4)])
    assert plan(Btf(make.build()), section, 12).read(struct.pack("<iii", 1, 0, 2), 0) == {"first": 1, "second": 2}


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"bash\0\0\0\0", "bash"),
        ("müde".encode().ljust(8, b"\0"), "müde"),
        (b"12345678", "12345678"),
        (b"\x1b[1m\0\0\0\0", "␛[1m"),
        (b"\1\2\0\0\0\0\0\0", [1, 2, 0, 0, 0, 0, 0, 0]),
        (b"\xff\xfe\0\0\0\0\0\0", [255, 254, 0, 0, 0, 0, 0, 0]),
    ],
)
def test_chars_are_text_where_they_hold_some(data: bytes, value: object) -> None:
    """Harmless text; bytes otherwise."""
    make = Maker()
    array = make.array(make.integer("char", 1, index.SIGNED), 8)
    assert plan(Btf(make.build()), array, 8).read(data, 0) == value


def test_what_is_not_finite_is_a_word() -> None:
    """JSON has no number for it."""
    make = Maker()
    double = make.add(index.FLOAT, "double", 8)
    read = plan(Btf(make.build()), double, 8).read
    assert (read(struct.pack("<d", float("inf")), 0), read(struct.pack("<d", 1.5), 0)) == ("inf", 1.5)


def lying() -> list[tuple[str, bytes, int]]:
    """What is wrong, the blob, and the type to decode by."""
    found = []
    for what in ("outside", "size", "itself", "alias", "array", "bits", "reference", "nested", "field"):
        make = Maker()
        number = make.integer("int", 4, index.SIGNED)
        if what == "outside":
            wrong = make.struct("s", 4, [("a", number, 0), ("b", number, 32)])
        elif what == "size":
            wrong = make.struct("s", 8, [("a", number, 0)])
        elif what == "itself":
            wrong = make.struct("s", 4, [("a", 2, 0)])
        elif what == "alias":
            wrong = make.add(index.TYPEDEF, "t", 2)
        elif what == "array":
            wrong = make.array(number, 0xFFFFFFFF)
        elif what == "bits":
            wrong = make.integer("int", 4, 0, bits=200)
        elif what == "reference":
            wrong = make.pointer(number) and make.array(99, 1)
        elif what == "field":
            wrong = make.struct("s", 4, [("a", make.pointer(number), 3, 5)])
        else:
            wrong = number
            for _ in range(40):
                wrong = make.struct("s", 4, [("a", wrong, 0), ("b", wrong, 0)], index.UNION)
        found.append((what, make.build(), wrong))
    return found


@pytest.mark.parametrize(("what", "data", "number"), lying(), ids=[what for what, *_ in lying()])
def test_types_that_lie_are_refused(what: str, data: bytes, number: int) -> None:
    """Before a value is read."""
    with pytest.raises(BinaryError):
        plan(Btf(data), number, 4)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x9f\xeb",
        HEADER.pack(0x9FEB, 1, 0, 24, 0, 0, 0, 0),
        HEADER.pack(0xEB9F, 1, 0, 24, 0, 12, 0, 0),
        HEADER.pack(0xEB9F, 1, 0, 24, 0, 0, 8, 8),
        HEADER.pack(0xEB9F, 1, 0, 0, 0, 0, 0, 0),
        HEADER.pack(0xEB9F, 1, 0, 24, 0, 12, 12, 0) + struct.pack("<III", 0, index.ARRAY << 24, 0),
        HEADER.pack(0xEB9F, 1, 0, 24, 0, 12, 12, 0) + struct.pack("<III", 0, index.STRUCT << 24 | 0xFFFF, 0),
        HEADER.pack(0xEB9F, 1, 0, 24, 0, 12, 12, 0) + struct.pack("<III", 0, 31 << 24, 0),
    ],
)
def test_damaged_blobs_are_refused(data: bytes) -> None:
    """When they are indexed."""
    with pytest.raises(BinaryError):
        Btf(data)


def test_a_kind_newer_than_we_are_is_told() -> None:
    """Rather than called damaged."""
    make = Maker()
    make.integer("int", 4)
    make.add(25, "new", 0)
    make.integer("long", 8)
    with pytest.raises(BinaryError, match="newer than bpfscope, type 2"):
        Btf(make.build())


def test_functions_of_functions_end() -> None:
    """A parameter that is the function itself, twice, has no end."""
    make = Maker()
    make.add(index.FUNC_PROTO, "", 0, 2, more=struct.pack("<IIII", 0, 2, 0, 2))
    make.pointer(1)
    with pytest.raises(BinaryError, match="no end"):
        name_of(Btf(make.build()), 1)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), min_size=1, max_size=6))
def test_mutated_blobs_end_in_an_answer(changes: list[tuple[int, int]]) -> None:
    """Whatever bytes are changed: decoded, named, or BinaryError; soon."""
    make, _ = every_kind()
    data = bytearray(make.build())
    for at, value in changes:
        data[at % len(data)] = value
    start = time.process_time()
    with contextlib.suppress(BinaryError):
        types = Btf(bytes(data))
        for number in range(len(types)):
            with contextlib.suppress(BinaryError):
                made = plan(types, number)
                assert made.size <= 1 << 29
                json.dumps(made.read(bytes(made.size), 0)) if made.size < 1 << 20 else None
            with contextlib.suppress(BinaryError):
                name_of(types, number), definition(types, number)
    assert time.process_time() - start < 2


def test_lines_and_functions_of_a_program() -> None:
    """Where each instruction comes from; a name outside of the blob is nothing."""
    make = Maker()
    file, source = make.text("probe.c"), make.text("\tcount += 1;")
    proto = make.add(index.FUNC_PROTO, "", 0)
    function = make.add(index.FUNC, "entry", proto)
    types = Btf(make.build())
    (line, broken) = lines(types, struct.pack("<8I", 3, file, source, 7 << 10 | 2, 4, 1 << 30, 1 << 31, 0))
    assert line == (3, "probe.c", 7, 2, "count += 1;")
    assert broken == (4, "", 0, 0, "")
    assert functions(types, struct.pack("<2I", 0, function)) == ((0, "entry"),)
    with pytest.raises(BinaryError):
        functions(types, struct.pack("<2I", 0, 99))


def test_a_module_goes_on_from_the_kernels_types() -> None:
    """Numbers and names of a split BTF count from the end of its base's."""
    below = Maker()
    number = below.integer("int", 4, index.SIGNED)
    base = Btf(below.build())
    text = b"own\0"
    member = struct.pack("<III", base.text_size - 4, number, 0)
    kind = struct.pack("<III", base.text_size, index.STRUCT << 24 | 1, 4) + member
    data = HEADER.pack(0xEB9F, 1, 0, 24, 0, len(kind), len(kind), len(text)) + kind + text
    types = Btf(data, base)
    assert list(types.find("own")) == [2]
    assert definition(types, 2) == "struct own {\n\tint int;\n};"
    assert plan(types, 2, 4).read(struct.pack("<i", -3), 0) == {"int": -3}


@pytest.mark.skipif(not KERNEL.exists(), reason="this kernel has no BTF")
def test_the_kernels_own_types() -> None:
    """Over a hundred thousand, indexed in no time."""
    data = KERNEL.read_bytes()
    start = time.process_time()
    types = Btf(data)
    assert time.process_time() - start < 0.5
    assert len(types) > 10_000
    (number,) = types.find("iphdr", (index.STRUCT,))
    packet = bytes.fromhex("45000054a6f24000400100007f0000017f000001")
    value = plan(types, number, 20).read(packet, 0)
    assert isinstance(value, dict)
    assert (value["version"], value["ihl"], value["ttl"], value["protocol"]) == (4, 5, 64, 1)
    assert isinstance(plan(types, next(types.find("list_head", (index.STRUCT,)))).read(bytes(16), 0)["next"], Address)  # type: ignore[index, call-overload]
