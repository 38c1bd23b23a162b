"""Small debug information (DWARF 4, 32-bit offsets), made by hand: whatever a compiler would never write as well.

    sections(unit(function("run", parameter("n", "int")), base("int")))

An attribute that is text and whose form is a reference leads to the entry with that label.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from tests.unit.elf_files import CODE_AT

TAGS: Final = {
    "array": 0x01, "formal_parameter": 0x05, "member": 0x0D, "pointer": 0x0F, "compile_unit": 0x11, "structure": 0x13,
    "typedef": 0x16, "subrange": 0x21, "base": 0x24, "const": 0x26, "subprogram": 0x2E, "namespace": 0x39,
    "subroutine": 0x15, "enumeration": 0x04,
}  # fmt: skip
NAMES: Final = {
    "location": 0x02, "name": 0x03, "byte_size": 0x0B, "low_pc": 0x11, "high_pc": 0x12, "language": 0x13,
    "abstract_origin": 0x31, "count": 0x37, "data_member_location": 0x38, "encoding": 0x3E, "specification": 0x47,
    "type": 0x49, "sibling": 0x01, "ranges": 0x55,
}  # fmt: skip
FORMS: Final = {
    "addr": (0x01, "<Q"), "block4": (0x04, "<I"), "data2": (0x05, "<H"), "data4": (0x06, "<I"), "data8": (0x07, "<Q"),
    "data1": (0x0B, "<B"), "ref4": (0x13, "<I"), "indirect": (0x16, "<B"), "sec_offset": (0x17, "<I"),
    "ref_addr": (0x10, "<I"), "ref_sig8": (0x20, "<Q"), "strp": (0x0E, "<I"), "exprloc": (0x18, "<B"),
}  # fmt: skip

Attribute = tuple[str, str, int | str | bytes]  # name, form ("string" as well), value


class Entry(NamedTuple):
    """An entry of a unit; `label` is what references call it."""

    tag: str
    attributes: Sequence[Attribute] = ()
    children: Sequence["Entry"] = ()
    label: str = ""


def unit(*children: Entry, language: int = 0x0C) -> Entry:
    return Entry(
        "compile_unit",
        [("language", "data2", language), ("low_pc", "addr", 0), ("high_pc", "data8", 1 << 40)],
        children,
    )


def function(name: str, *children: Entry, address: int = CODE_AT, attributes: Sequence[Attribute] = ()) -> Entry:
    return Entry("subprogram", [("name", "string", name), ("low_pc", "addr", address), *attributes], children, name)


def parameter(name: str, to: str) -> Entry:
    return Entry("formal_parameter", [("name", "string", name), ("type", "ref4", to)])


def base(name: str, size: int = 4, encoding: int = 5) -> Entry:
    attributes: list[Attribute] = [
        ("name", "string", name),
        ("byte_size", "data4", size),
        ("encoding", "data1", encoding),
    ]
    return Entry("base", attributes, (), name)


def kind(tag: str, label: str, to: str = "", *children: Entry, attributes: Sequence[Attribute] = ()) -> Entry:
    """A type that leads to another."""
    return Entry(tag, [*attributes, *([("type", "ref4", to)] if to else [])], children, label)


def member(name: str, to: str, offset: int = 0) -> Entry:
    return Entry("member", [("name", "string", name), ("type", "ref4", to), ("data_member_location", "data4", offset)])


def sections(top: Entry) -> list[tuple[str, bytes]]:
    """.debug_info and .debug_abbrev."""
    labels: dict[str, int] = {}
    _encoded(top, labels)  # only for the labels' offsets
    info, abbreviations = _encoded(top, labels)
    return [(".debug_info", info), (".debug_abbrev", abbreviations)]


def _encoded(top: Entry, labels: dict[str, int]) -> tuple[bytes, bytes]:
    """Both sections; sets each label's offset, and uses those that are known."""
    data, abbreviations = bytearray(11), bytearray()
    for code, entry in enumerate(_flat(top), 1):
        if entry is None:
            data.append(0)
            continue
        labels[entry.label] = len(data)
        data += _leb128(code)
        abbreviations += _leb128(code) + _leb128(TAGS[entry.tag]) + bytes([bool(entry.children)])
        for name, form, value in entry.attributes:
            abbreviations += _leb128(NAMES[name]) + _leb128(0x08 if form == "string" else FORMS[form][0])
            data += _value(form, labels.get(value, 0) if form == "ref4" and isinstance(value, str) else value)
        abbreviations += b"\0\0"
    struct.pack_into("<IHIB", data, 0, len(data) - 4, 4, 0, 8)
    return bytes(data), bytes(abbreviations) + b"\0"


def _flat(entry: Entry) -> Iterator[Entry | None]:
    """An entry and what is in it, each list ended by None."""
    yield entry
    for child in entry.children:
        yield from _flat(child)
    if entry.children:
        yield None


def _value(form: str, value: int | str | bytes) -> bytes:
    if isinstance(value, str):
        return value.encode() + b"\0"
    if isinstance(value, bytes):
        return struct.pack(FORMS[form][1], len(value)) + value
    return struct.pack(FORMS[form][1], value)


def _leb128(number: int) -> bytes:
    data = bytearray()
    while number >= 0x80:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*data, number])
