"""The functions of a module, from .symtab and .dynsym.

Symbols of one address are one function: the name that people use comes first, the others are its aliases. Symbols
without a size (hand-written assembly) are listed with size 0. Symbols that a program doesn't define, or that lie
outside the file's executable segments, are not functions of this file.

A table is read as columns, not as rows: of 78,000 functions each step below takes some 20 ms that way.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import compress, repeat
from operator import attrgetter
from typing import Final, NamedTuple

from tui.elf import demangle
from tui.elf.names import Function, Module
from tui.elf.reader import DYNSYM, SYMTAB, ElfFile, Section, text_at
from tui.errors import BinaryError

_INDIRECT: Final = 10  # STT_GNU_IFUNC
_IS_FUNCTION: Final = bytes(info & 15 in (2, _INDIRECT) for info in range(256))  # by st_info; 2 is STT_FUNC
_SPECIAL_SECTION: Final = 0xFF00
_PREFERENCE: Final = {1: 0, 10: 0, 2: 1, 0: 2}  # binding: global, unique, weak, local
_RESOLVER: Final = "an indirect function: this is its resolver, which runs once; probe the implementation it picks"


class _Table(NamedTuple):
    """The functions that a symbol table defines; columns of one length."""

    origin: str
    addresses: Sequence[int]
    sizes: Sequence[int]
    infos: Sequence[int]  # st_info: binding << 4 | type
    names: Sequence[str]


def read(module: Module) -> tuple[Function, ...]:
    """The module's functions by name. Raises BinaryError, NotPermitted, TargetError."""
    with ElfFile.open(module.file, module.path) as elf, demangle.Demangler() as demangler:
        tables: list[tuple[_Table, Callable[[], Sequence[str]]]] = []
        known: set[int] = set()
        for kind, origin in ((SYMTAB, "symtab"), (DYNSYM, "dynsym")):
            for section in elf.sections:
                if section.kind == kind:
                    table = _table(elf, section, origin, known)
                    tables.append((table, demangler.begin(table.names)))
                    known.update(table.addresses)
        functions: list[Function] = []
        for table, readable in tables:
            functions += _functions(module.name, elf, table, readable())
    functions.sort(key=attrgetter("name"))
    return tuple(functions)


def _table(elf: ElfFile, section: Section, origin: str, known: set[int]) -> _Table:
    """What a symbol table defines at addresses that aren't known already."""
    if section.link >= len(elf.sections):
        raise BinaryError(f"{elf.shown} is damaged: its {section.name} names no string table")
    name_at = _name_reader(elf.contents(elf.sections[section.link]))
    entries = elf.contents(section)
    entries = entries[: len(entries) // 24 * 24]  # Elf64_Sym: name u32, info u8, other u8, section u16, value, size
    words, view = memoryview(entries).cast("Q"), memoryview(entries)
    values = words[1::3].tolist()
    if known and known.issuperset(values):
        return _Table(origin, [], [], b"", [])
    kinds = entries[4::24].translate(_IS_FUNCTION)
    columns = zip(
        view.cast("I")[0::6].tolist(),
        entries[4::24],
        view.cast("H")[3::12].tolist(),
        values,
        words[2::3].tolist(),
        strict=True,
    )
    rows = [
        (at, info, value, size)
        for at, info, index, value, size in compress(columns, kinds)
        if 0 < index < _SPECIAL_SECTION and value not in known
    ]
    if not rows:
        return _Table(origin, [], [], b"", [])
    ats, infos, addresses, sizes = zip(*rows, strict=True)
    return _Table(origin, addresses, sizes, infos, list(map(name_at, ats)))


def _name_reader(names: bytes) -> Callable[[int], str]:
    """A function from an offset in the string table to the sanitised name there."""
    if not names.isascii() or not names.replace(b"\0", b"").decode("ascii").isprintable():
        return lambda at: text_at(names, at)
    text = names.decode("ascii") + "\0"
    find = text.find
    return lambda at: text[at : find("\0", at)]


def _functions(module: str, elf: ElfFile, table: _Table, readable: Sequence[str]) -> Iterator[Function]:
    """The functions of a table: the plain ones at the speed of C, then those that want a closer look."""
    special = _special(table)
    for segment in elf.executable:
        low, high, shift = segment.address, segment.address + segment.file_size, segment.offset - segment.address
        plain = [low <= address < high and address not in special for address in table.addresses]
        offsets = [address + shift for address in table.addresses]
        rows = zip(
            repeat(module), readable, table.names, table.addresses, table.sizes, repeat(table.origin), offsets,
            repeat(()), repeat(""),
        )  # fmt: skip
        yield from map(partial(tuple.__new__, Function), compress(rows, plain))
        for address, indexes in special.items():
            if low <= address < high:
                function = _one(module, table, readable, indexes, address + shift)
                if function:
                    yield function


def _special(table: _Table) -> dict[int, list[int]]:
    """Addresses with several names, or of indirect functions, or without a name, and the rows that are theirs."""
    columns = zip(table.addresses, table.infos, table.names, strict=True)
    odd = {address for address, info, name in columns if info & 15 == _INDIRECT or not name}
    if len(set(table.addresses)) < len(table.addresses):
        odd.update(address for address, times in Counter(table.addresses).items() if times > 1)
    rows: dict[int, list[int]] = {}
    for index in [index for index, address in enumerate(table.addresses) if address in odd]:
        rows.setdefault(table.addresses[index], []).append(index)
    return rows


def _one(module: str, table: _Table, readable: Sequence[str], indexes: list[int], offset: int) -> Function | None:
    """The function at an address that has several rows; None where none of them has a name."""
    named = [index for index in indexes if table.names[index]]
    if not named:
        return None
    first = min(named, key=lambda index: _preference(table.names[index], table.infos[index]))
    every = {table.names[index] for index in named} | {readable[index] for index in named}
    raw, name = table.names[first], readable[first]
    size = table.sizes[first] or max(table.sizes[index] for index in named)
    reason = _RESOLVER if any(table.infos[index] & 15 == _INDIRECT for index in named) else ""
    aliases = tuple(sorted(every - {raw, name}))
    return Function(module, name, raw, table.addresses[first], size, table.origin, offset, aliases, reason)


def _preference(name: str, info: int) -> tuple[bool, int, int, str]:
    """A name that the programmer wrote comes before one that the library keeps to itself."""
    return name[0] == "_" and not name.startswith("_Z"), _PREFERENCE.get(info >> 4, 3), len(name), name
