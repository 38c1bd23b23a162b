"""Whatever debug information says: signatures, or registers and a reason, soon and in little memory."""

import os
import struct
import zlib
from pathlib import Path

import pytest

from tests.unit.dwarf_files import Entry, base, function, kind, member, parameter, sections, unit
from tests.unit.elf_files import CODE_AT, Elf, Symbol, module, mutated
from tests.unit.test_hostile_elf import bounded
from tui.elf import functions, modules, signatures
from tui.elf.reader import ElfFile
from tui.elf.values import Kind, Signature

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="registers of x86-64")
INT = base("int")


def read(folder: Path, extra: list[tuple[str, bytes]], names: tuple[str, ...] = ("run",)) -> list[Signature]:
    """What is read of functions that lie 16 bytes apart."""
    made = module(folder, Elf([Symbol(name, CODE_AT + 16 * at) for at, name in enumerate(names)], extra=extra).build())
    found = signatures.read(made, functions.read(made), go=False)
    return [found[function] for function in sorted(found, key=lambda each: each.address)]


def of(folder: Path, *entries: Entry, language: int = 0x0C) -> Signature:
    made = sections(unit(*entries, language=language))
    with bounded(seconds=13, megabytes=50 + 3 * sum(len(contents) for _, contents in made) // 1_000_000):
        return read(folder, made)[0]


def taken(signature: Signature) -> list[tuple[str, str, Kind]]:
    return [(each.name, each.type, each.kind) for each in signature.parameters]


def test_a_function(tmp_path: Path) -> None:
    found = of(
        tmp_path,
        function("run", parameter("n", "int"), parameter("to", "pointer")),
        INT,
        kind("pointer", "pointer", "int"),
    )
    assert found.note == ""
    assert taken(found) == [("n", "int", Kind.INT), ("to", "int *", Kind.POINTER), ("*to", "int", Kind.INT)]


CIRCLES = {
    "of one typedef": [kind("typedef", "t", "t", attributes=[("name", "string", "T")])],
    "of two qualifiers": [kind("const", "t", "u"), kind("const", "u", "t")],
    "of pointers": [kind("pointer", "t", "u"), kind("pointer", "u", "t")],
    "of arrays": [kind("array", "t", "t", Entry("subrange", [("count", "data4", 3)]))],
    "of structs by value": [
        kind("structure", "t", "", member("a", "t"), member("b", "t"), attributes=[("byte_size", "data1", 8)])
    ],
    "of structs without a name": [
        kind("structure", "t", "", member("", "t"), member("", "t"), attributes=[("byte_size", "data1", 8)])
    ],
    "of an enumeration": [kind("enumeration", "t", "t")],
    "of functions": [kind("subroutine", "t", "t", *[parameter("f", "t")] * 20)],
}


@pytest.mark.parametrize("types", CIRCLES.values(), ids=CIRCLES)
def test_types_that_lead_to_themselves(tmp_path: Path, types: list[Entry]) -> None:
    found = of(tmp_path, function("run", parameter("n", "int"), parameter("t", "t")), INT, *types)
    assert found.note.endswith("registers, of which some are no arguments") or taken(found)[0] == ("n", "int", Kind.INT)


def test_a_list_whose_links_lead_back(tmp_path: Path) -> None:
    node = kind(
        "structure",
        "node",
        "",
        member("next", "link"),
        attributes=[("name", "string", "node"), ("byte_size", "data1", 8)],
    )
    found = of(tmp_path, function("run", parameter("p", "link")), node, kind("pointer", "link", "node"))
    assert taken(found) == [("p", "struct node *", Kind.POINTER)]
    assert [(each.name, each.type) for each in found.fields] == [("p->next", "struct node *")]


@pytest.mark.parametrize("attribute", ["abstract_origin", "specification"])
def test_functions_that_are_instances_of_themselves(tmp_path: Path, attribute: str) -> None:
    found = of(tmp_path, function("run", parameter("n", "int"), attributes=[(attribute, "ref4", "run")]), INT)
    assert found.note.endswith("registers, of which some are no arguments") or taken(found) == [("n", "int", Kind.INT)]


def large(name: str, count: int) -> list[Entry]:
    return [
        kind(
            "structure",
            name,
            "",
            *(member(f"m{at}", "int", at) for at in range(count)),
            attributes=[("byte_size", "data4", 1 << 30)],
        )
    ]


COUNTS = {
    "members": ([parameter("t", "t")], large("t", 20_000)),
    "members behind a pointer": ([parameter("p", "p")], [*large("t", 20_000), kind("pointer", "p", "t")]),
    "parameters": ([parameter("n", "int")] * 20_000, []),
    "elements": (
        [parameter("t", "t")],
        [kind("array", "t", "int", Entry("subrange", [("count", "data4", 0x7FFFFFFF)]))],
    ),
    "dimensions": (
        [parameter("t", "t")],
        [kind("array", "t", "int", *[Entry("subrange", [("count", "data4", 9)])] * 2000)],
    ),
    "letters": (
        [parameter("n" * 300_000, "t")],
        [kind("typedef", "t", "int", attributes=[("name", "string", "T" * 300_000)])],
    ),
    "structs in structs": (
        [parameter("t", "t0")],
        [
            kind("structure", f"t{at}", "", *[member("m", f"t{at + 1}")] * 30, attributes=[("byte_size", "data1", 8)])
            for at in range(30)
        ]
        + [kind("typedef", "t30", "int")],
    ),
    "pointers to pointers": (
        [parameter("t", "t0")],
        [kind("pointer", f"t{at}", f"t{at + 1}") for at in range(20_000)] + [kind("typedef", "t20000", "int")],
    ),
    "bytes of a block": (
        [Entry("formal_parameter", [("type", "ref4", "int"), ("location", "block4", bytes(2_000_000))])],
        [],
    ),
}


@pytest.mark.parametrize(("parameters", "types"), COUNTS.values(), ids=COUNTS)
def test_too_many(tmp_path: Path, parameters: list[Entry], types: list[Entry]) -> None:
    found = of(tmp_path, function("run", *parameters), INT, *types, language=0x04)
    assert len(found.parameters) + len(found.fields) < 1000
    assert all(len(each.name) + len(each.type) < 1000 for each in (*found.parameters, *found.fields))


def test_namespaces_in_namespaces(tmp_path: Path) -> None:
    nested = kind("typedef", "t", "int", attributes=[("name", "string", "T")])
    for _ in range(300):
        nested = Entry("namespace", [("name", "string", "n" * 100)], [nested])
    found = of(tmp_path, function("run", parameter("n", "t")), INT, nested, language=0x04)
    ((name, type_name, _),) = taken(found)
    assert name == "n"
    assert type_name.startswith("nnn")
    assert len(type_name) <= 200


def test_names_are_harmless(tmp_path: Path) -> None:
    odd = kind("typedef", "t", "int", attributes=[("name", "string", b"\x1b]0;x\x07\xff".decode("latin-1"))])
    found = of(tmp_path, function("run", parameter("\x1b[31m", "t")), odd, INT)
    assert [(each.name, each.type.isprintable()) for each in found.parameters] == [("␛[31m", True)]


def compressed(data: bytes, size: int, kind: int = 1) -> bytes:
    """With an Elf64_Chdr before it."""
    return struct.pack("<IIQQ", kind, 0, size, 1) + data


BOMB = zlib.compress(bytes(1 << 20))  # of nothing but zeros


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        (compressed(b"", 1 << 60), "more than can be read here"),
        (compressed(b"", 1 << 40, 2), "compressed by what isn't zlib"),
        (compressed(BOMB, 100), "damaged"),
        (compressed(BOMB[:-100], 1 << 20), "damaged"),
        (compressed(b"no zlib", 1 << 20), "damaged"),
        (b"short", "damaged"),
    ],
)
def test_compressed_sections(tmp_path: Path, info: bytes, reason: str) -> None:
    extra = [(".debug_info", info), (".debug_abbrev", b"\0")]
    data = bytearray(Elf([Symbol("run")], extra=extra).build())
    table = len(data) - 64 * 3  # .debug_info, .debug_abbrev, .shstrtab
    struct.pack_into("<Q", data, table + 8, 0x800)
    made = module(tmp_path, bytes(data))
    with bounded(seconds=5, megabytes=50):
        (found,) = signatures.read(made, functions.read(made), go=False).values()
    assert reason in found.note
    assert found.note.endswith("registers, of which some are no arguments")


@pytest.mark.parametrize("missing", [".debug_abbrev", ".debug_info"])
def test_a_section_is_missing(tmp_path: Path, missing: str) -> None:
    extra = [each for each in sections(unit(function("run", parameter("n", "int")), INT)) if each[0] != missing]
    (found,) = read(tmp_path, extra)
    assert found.note.endswith("registers, of which some are no arguments")


def test_one_damaged_function_costs_only_itself(tmp_path: Path) -> None:
    bad = function("bad", Entry("formal_parameter", [("type", "ref4", 0x7FFFFFFF)]))
    good = function("good", parameter("n", "int"), address=CODE_AT + 16)
    with bounded(seconds=5, megabytes=50):
        first, second = read(tmp_path, sections(unit(bad, good, INT)), ("bad", "good"))
    assert "can't be read" in first.note
    assert taken(second) == [("n", "int", Kind.INT)]


def test_truncated_anywhere(tmp_path: Path) -> None:
    info, abbreviations = sections(unit(function("run", parameter("n", "int")), INT))
    for end in range(0, len(info[1]), 5):
        (found,) = read(tmp_path, [(".debug_info", info[1][:end]), abbreviations])
        assert found.note.endswith("registers, of which some are no arguments")
    for end in range(0, len(abbreviations[1]), 9):
        (found,) = read(tmp_path, [info, (".debug_abbrev", abbreviations[1][:end])])
        assert found.note.endswith("registers, of which some are no arguments")


@pytest.mark.parametrize("program", ["arguments", "arguments-optimised", "arguments-cc"])
def test_changed_bytes_of_a_real_program(targets: Path, tmp_path: Path, program: str) -> None:
    whole = (targets / program).read_bytes()
    made = modules.of_file(str(targets / program))
    listed = functions.read(made)
    wanted = [each for each in listed if each.size > 20][:10]
    with ElfFile.open(made.file) as elf:
        spans = [(each.offset, each.size) for each in elf.sections if each.name.startswith(".debug_")]
    for seed in range(12):
        damaged = module(tmp_path, mutated(whole, spans, seed))
        with bounded(seconds=13, megabytes=50):
            found = signatures.read(damaged, wanted, go=False)
            assert set(found) == set(wanted)
