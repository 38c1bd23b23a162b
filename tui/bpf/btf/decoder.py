"""Bytes decoded by a BTF type, to plain data: None, bool, int, float, str, list and dict, as JSON has them.

A plan is made once for a type, with every bound checked; it then reads any number of values. Numbers are of this
machine's byte order, which is little-endian. Structs are dicts by member, the members of anonymous ones among them;
unions too, each member read from the same bytes; enumerations are names, or numbers that have none; char arrays are
text where they hold some. Pointers and bytes are ints and lists, of classes that say how to show them.
"""

import math
import struct
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from tui.bpf.btf import index
from tui.bpf.btf.index import Btf, Type
from tui.errors import BinaryError
from tui.text import sanitise

Value = bool | int | float | str | list["Value"] | dict[str, "Value"] | None
Read = Callable[[bytes, int], Value]  # of bytes that are long enough, from an offset on

_DEEPEST: Final = 32  # types in types; the kernel allows 32 (MAX_RESOLVE_DEPTH, kernel/bpf/btf.c)
_MOST: Final = 1 << 18  # numbers of one value
_LARGEST: Final = 1 << 29  # bytes of one value
_INTEGERS: Final = {1: "b", 2: "h", 4: "i", 8: "q"}
FLOATING: Final = "bpfscope_"  # our structs that stand for float and double, where these can't be described
_FLOATS: Final = {2: "e", 4: "f", 8: "d"}


class Address(int):
    """What a pointer holds."""


class Reference(int):
    """The number of something: not to be added up or compared."""


class Word(str):
    """The name of an enumeration's value: no quotation marks."""

    __slots__ = ()


class Octets(list[Value]):
    """An array of bytes."""


class Plan(NamedTuple):
    """How to read values of a type."""

    size: int  # bytes that a value takes
    read: Read
    numbers: int = 1  # how many single values it has, about


def plan(types: Btf, number: int, size: int | None = None) -> Plan:
    """How to read values of type `number`; `size`: bytes of each, as the map says.

    Raises BinaryError where the type is damaged, too large or not of that size.
    """
    found = _Planner(types).plan(number, 0)
    if size is not None and found.size != size:
        raise BinaryError(f"the BTF says {found.size:,} bytes where there are {size:,}")
    return found


class _Planner:
    """Makes plans; each type's once."""

    def __init__(self, types: Btf) -> None:
        self._types = types
        self._made: dict[int, Plan] = {}

    def plan(self, number: int, depth: int) -> Plan:
        """Raises BinaryError."""
        if number not in self._made:
            if depth > _DEEPEST:
                raise BinaryError("the BTF is damaged: its types lie too deep in one another")
            made = self._make(self._types.resolved(number), depth)
            if made.numbers > _MOST or made.size > _LARGEST:
                raise BinaryError(f"a type of {made.size:,} bytes and {made.numbers:,} numbers is too large to decode")
            self._made[number] = made
        return self._made[number]

    def _make(self, one: Type, depth: int) -> Plan:
        if one.kind in _SIMPLE:
            return _SIMPLE[one.kind](one)
        if one.kind == index.ARRAY:
            return self._array(one, depth)
        if one.kind in (index.STRUCT, index.UNION, index.DATASEC):
            return self._struct(one, depth)
        return Plan(0, _nothing)  # void, functions, forward declarations: without a size

    def _array(self, one: Type, depth: int) -> Plan:
        element = self.plan(one.target, depth + 1)
        kind = self._types.resolved(one.target)
        count, size = one.length if element.size else 0, element.size
        if kind.kind == index.INT and size == 1 and kind.bits == 8:
            if kind.encoding & index.CHAR or kind.name == "char":
                return Plan(count, partial(_text, count))
            if not kind.encoding & (index.BOOL | index.SIGNED):
                return Plan(count, partial(_octets, count), 1 + count // 8)  # a list of them takes 8 bytes each
        if kind.kind == index.INT and size in _INTEGERS and kind.bits == 8 * size and not kind.encoding & index.BOOL:
            letter = _letter(kind)
            return Plan(count * size, partial(_numbers, f"<{count}{letter}"), count)
        return Plan(count * size, partial(_elements, element.read, count, size), count * element.numbers)

    def _struct(self, one: Type, depth: int) -> Plan:
        if one.name in (f"{FLOATING}float", f"{FLOATING}double"):
            return _float(one)
        readers: list[tuple[str, int, Read]] = []
        numbers = 1
        for member in one.members:
            name, made = member.name, self.plan(member.type, depth + 1)
            at, shift = divmod(member.offset, 8)
            end = member.offset + 8 * made.size
            kind = self._types.resolved(member.type)
            if one.kind == index.DATASEC:
                name = self._types.type(member.type).name
            if member.bits or shift or (kind.kind == index.INT and (kind.bits != 8 * kind.size or kind.offset)):
                made, end = _bit_field(kind, shift, member.bits), member.offset + (member.bits or kind.bits)
            if end > 8 * one.size:
                raise BinaryError(f"the BTF is damaged: {one.name or 'a struct'}.{name} lies outside of it")
            readers.append((name, at, made.read))
            numbers += made.numbers
        named = all(name for name, _, _ in readers)
        return Plan(one.size, partial(_named_members if named else _members, tuple(readers)), numbers)


def _letter(one: Type) -> str:
    """The letter by which `struct` knows an integer."""
    letter = _INTEGERS[one.size]
    return letter if one.encoding & index.SIGNED else letter.upper()


def _integer(one: Type) -> Plan:
    if one.bits > 8 * one.size or one.offset + one.bits > 8 * one.size or one.size > 16:
        raise BinaryError(f"the BTF is damaged: {one.name or 'an integer'} has {one.bits} bits in {one.size} bytes")
    if one.encoding & index.BOOL and one.size == 1:
        return Plan(1, _boolean)
    if one.size not in _INTEGERS or one.bits != 8 * one.size:
        return _bit_field(one, 0, 0)
    return Plan(one.size, partial(_unpacked, struct.Struct("<" + _letter(one)).unpack_from))


def _float(one: Type) -> Plan:
    if one.size not in _FLOATS:  # long double: as it stands
        return Plan(one.size, partial(_octets, one.size))
    return Plan(one.size, partial(_floating, struct.Struct("<" + _FLOATS[one.size]).unpack_from))


def _enumeration(one: Type) -> Plan:
    if one.size not in _INTEGERS:
        raise BinaryError(f"the BTF is damaged: enum {one.name} has {one.size:,} bytes")
    unpack = struct.Struct("<" + _letter(one)).unpack_from
    names = _names(one)
    return Plan(one.size, partial(_named, unpack, names))


def _names(one: Type) -> dict[int, Word]:
    """An enumeration's words by value; of several the first."""
    return {value: Word(name) for name, value in reversed(one.values)}


def _bit_field(one: Type, shift: int, bits: int) -> Plan:
    """Of an integer or enumeration, from a bit on; `bits` 0: as many as the integer has."""
    if one.kind not in (index.INT, index.ENUM, index.ENUM64):
        raise BinaryError(f"the BTF is damaged: {one.name or 'a type'} can't be a bit-field")
    shift, bits = shift + one.offset, bits or one.bits or 8 * one.size
    if bits > 128:
        raise BinaryError(f"the BTF is damaged: a bit-field of {bits} bits")
    size, signed = (shift + bits + 7) // 8, bool(one.encoding & index.SIGNED)
    read: Callable[[bytes, int], int] = partial(_bits, size, shift, bits, signed)
    if one.kind != index.INT:
        return Plan(one.size, partial(_bits_named, read, _names(one)))
    return Plan(one.size, partial(_bits_boolean, read) if one.encoding & index.BOOL else read)


def _nothing(_data: bytes, _at: int) -> Value:
    return None


def _address(data: bytes, at: int) -> Value:
    return Address(int.from_bytes(data[at : at + 8], "little"))


def _boolean(data: bytes, at: int) -> Value:
    value = data[at]
    return bool(value) if value < 2 else value


def _unpacked(unpack: Callable[[bytes, int], tuple[int]], data: bytes, at: int) -> Value:
    return unpack(data, at)[0]


def _floating(unpack: Callable[[bytes, int], tuple[float]], data: bytes, at: int) -> Value:
    value = unpack(data, at)[0]
    return value if math.isfinite(value) else str(value)  # JSON has no word for it


def _named(unpack: Callable[[bytes, int], tuple[int]], names: dict[int, Word], data: bytes, at: int) -> Value:
    value = unpack(data, at)[0]
    return names.get(value, value)


def _bits(size: int, shift: int, bits: int, signed: bool, data: bytes, at: int) -> int:
    value = int.from_bytes(data[at : at + size], "little") >> shift & (1 << bits) - 1
    return value - (1 << bits) if signed and value >> bits - 1 else value


def _bits_named(read: Callable[[bytes, int], int], names: dict[int, Word], data: bytes, at: int) -> Value:
    value = read(data, at)
    return names.get(value, value)


def _bits_boolean(read: Callable[[bytes, int], int], data: bytes, at: int) -> Value:
    value = read(data, at)
    return bool(value) if value < 2 else value


def _text(size: int, data: bytes, at: int) -> Value:
    """Text up to the first NUL, where that is text; otherwise all of the bytes."""
    whole = data[at : at + size]
    text = whole.partition(b"\0")[0]
    if text.isascii() and text.decode("ascii").isprintable():
        return text.decode("ascii")
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        return Octets(whole)
    return Octets(whole) if any(byte < 0x20 and byte not in b"\t\n\r\x1b" for byte in text) else sanitise(decoded)


def _octets(size: int, data: bytes, at: int) -> Value:
    return Octets(data[at : at + size])


def _numbers(layout: str, data: bytes, at: int) -> Value:
    return list(struct.unpack_from(layout, data, at))


def _elements(read: Read, count: int, size: int, data: bytes, at: int) -> Value:
    return [read(data, at + size * position) for position in range(count)]


def _named_members(readers: tuple[tuple[str, int, Read], ...], data: bytes, at: int) -> Value:
    return {name: read(data, at + offset) for name, offset, read in readers}


def _members(readers: tuple[tuple[str, int, Read], ...], data: bytes, at: int) -> Value:
    found: dict[str, Value] = {}
    for name, offset, read in readers:
        value = read(data, at + offset)
        if name:
            found[name] = value
        elif isinstance(value, dict):  # an anonymous struct's or union's members are its holder's
            found |= value
    return found


_SIMPLE: Final[dict[int, Callable[[Type], Plan]]] = {
    index.INT: _integer,
    index.FLOAT: _float,
    index.ENUM: _enumeration,
    index.ENUM64: _enumeration,
    index.PTR: lambda _: Plan(8, _address),
}
