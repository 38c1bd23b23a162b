"""The functions of a module, from every source of names that it has.

.symtab comes first; where it was stripped, a separate debug file or Go's own table stands for it. Then comes what
.dynsym has besides, and what .gnu_debugdata adds to that.

Symbols of one address are one function: the name that people use comes first, the others are its aliases. Symbols
without a size (hand-written assembly) are listed with size 0. Symbols that a program doesn't define, or that lie
outside the file's executable segments, are not functions of this file.

Symbols are handled as columns, not as rows: of 78,000 functions each step below takes some 20 ms that way.
"""

import re
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import accumulate, compress
from typing import Final, NamedTuple

from tui.elf import demangle, listing
from tui.elf.disassembly import Disassembler
from tui.elf.listing import ORIGINS, Listing
from tui.elf.names import Function, Module
from tui.elf.reader import DYNSYM, SYMTAB, ElfFile, Section, names_at
from tui.errors import BinaryError

_INDIRECT: Final = 10  # STT_GNU_IFUNC
_IS_FUNCTION: Final = bytes(info & 15 in (2, _INDIRECT) for info in range(256))  # by st_info; 2 is STT_FUNC
_ENTRY_SIZE: Final = 24  # Elf64_Sym: name u32, info u8, other u8, section u16, value u64, size u64
_MOST_CODE: Final = 1 << 22  # bytes that are disassembled because functions lie within functions: hardly any do
_NOP: Final = b"\x0f\x1f\x44"  # 6.18 makes a call of one that is probed, which writes below the stack pointer
_GLOBAL_FUNCTION: Final = 0x12  # st_info
_VERSION: Final = re.compile(r"(?<=.)@@?[A-Za-z_][\w.]*$")
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
    return tuple(_read(module).functions(module.name))


def table(module: Module) -> Iterator[tuple[int, int, str, str]]:
    """The same as rows of address, size, origin and readable name: all that a listing prints, in half the time."""
    found = _read(module, raw_names=False)
    return zip(found.addresses, found.sizes, map(ORIGINS.__getitem__, found.origins), found.names, strict=True)


def places(module: Module) -> Iterator[tuple[int, int, str]]:
    """The same as rows of offset in the file, size and readable name: all that naming an address takes."""
    found = _read(module, raw_names=False)
    return zip(found.offsets, found.sizes, found.names, strict=True)


def _read(module: Module, *, raw_names: bool = True) -> Listing:
    if not module.file:
        from tui.elf import perf_map

        return perf_map.listing(module)
    with ExitStack() as stack:
        elf = stack.enter_context(ElfFile.open(module.file, module.path))
        debug = None if _section(elf, SYMTAB) else _debug_file(elf, module)
        if debug:
            stack.enter_context(debug)
        identity = elf.identity + (f"-{debug.identity}" if debug else "")  # it may come and go
        found = listing.cached(identity, raw_names=raw_names)
        if found is None:
            demangler = stack.enter_context(demangle.Demangler())
            tables = [(table, demangler.begin(_unversioned(table.names))) for table in _tables(elf, debug)]
            found = listing.joined(_listing(elf, table, readable()) for table, readable in tables).by_name()
            for address, reason in _inner(elf, found).items():
                found.odd[address] = (found.odd[address][0] if address in found.odd else (), reason)
            found.keep(identity)
    return found


def _unversioned(names: Sequence[str]) -> Sequence[str]:
    """Names as .dynsym has them: the linker adds versions to those in .symtab, as in memcpy@@GLIBC_2.14."""
    return [_VERSION.sub("", name) if "@" in name else name for name in names]


def _tables(elf: ElfFile, debug: ElfFile | None) -> Iterator[_Table]:
    """Each source of names that has something new; those that the file doesn't need may be damaged."""
    known: set[int] = set()
    for table in _sources(elf, debug, known):
        if table:
            known.update(table.addresses)
            yield table


def _sources(elf: ElfFile, debug: ElfFile | None, known: set[int]) -> Iterator[_Table | None]:
    """What each source defines at addresses that aren't known by then."""
    yield _table(elf, _section(elf, SYMTAB), "symtab", known)
    if not _section(elf, SYMTAB):
        if debug:
            yield _extra(lambda: _table(debug, _section(debug, SYMTAB), "debug file", known))
        if elf.of_go() or not elf.sections:
            yield _extra(lambda: _of_go(elf, known))
    yield _table(elf, _section(elf, DYNSYM), "dynsym", known)
    if elf.section(".gnu_debugdata"):  # made to add to .dynsym, which alone says what is an indirect function
        yield _extra(lambda: _minidebuginfo(elf, known))


def _section(elf: ElfFile, kind: int) -> Section | None:
    return next((section for section in elf.sections if section.kind == kind), None)  # a file has one, or none


def _debug_file(elf: ElfFile, module: Module) -> ElfFile | None:
    from tui.elf import debug_files

    return debug_files.find(elf, module)


def _extra(read: Callable[[], _Table | None]) -> _Table | None:
    """A source that is beside the file: a damaged one says nothing."""
    try:
        return read()
    except BinaryError:
        return None


def _minidebuginfo(elf: ElfFile, known: set[int]) -> _Table | None:
    from tui.elf import minidebuginfo

    with minidebuginfo.open_in(elf) as inner:
        return _table(inner, _section(inner, SYMTAB), "minidebuginfo", known)


def _of_go(elf: ElfFile, known: set[int]) -> _Table | None:
    from tui.elf import pclntab

    table = pclntab.read(elf)
    if table is None:
        return None
    addresses, sizes, names = table.functions()
    new = [bool(name) and address not in known for name, address in zip(names, addresses, strict=True)]
    infos = bytes([_GLOBAL_FUNCTION]) * sum(new)
    found = (list(compress(addresses, new)), list(compress(sizes, new)), infos, list(compress(names, new)))
    return _Table("pclntab", *found) if infos else None


def _table(elf: ElfFile, section: Section | None, origin: str, known: set[int]) -> _Table | None:
    """What a symbol table defines at addresses that aren't known already; None where that is nothing."""
    if section is None:
        return None
    if section.link >= len(elf.sections):
        raise BinaryError(f"{elf.shown} is damaged: its {section.name} names no string table")
    entries = elf.contents(section)
    entries = entries[: len(entries) // _ENTRY_SIZE * _ENTRY_SIZE]
    chosen = entries[4::_ENTRY_SIZE].translate(_IS_FUNCTION)
    sections = array("H", entries)[3 :: _ENTRY_SIZE // 2]
    chosen = bytes(function and 0 < index < _SPECIAL_SECTION for function, index in zip(chosen, sections, strict=True))
    words = array("Q", entries)
    addresses = list(compress(words[1::3], chosen))
    if not addresses or (known and known.issuperset(addresses)):
        return None
    sizes = list(compress(words[2::3], chosen))
    infos = bytes(compress(entries[4::_ENTRY_SIZE], chosen))
    ats = compress(array("I", entries)[0 :: _ENTRY_SIZE // 4], chosen)
    names = names_at(elf.contents(elf.sections[section.link]), list(ats), elf.shown)
    wanted = [bool(name) and address not in known for name, address in zip(names, addresses, strict=True)]
    if not all(wanted):
        addresses, sizes = list(compress(addresses, wanted)), list(compress(sizes, wanted))
        infos, names = bytes(compress(infos, wanted)), list(compress(names, wanted))
    return _Table(origin, addresses, sizes, infos, names)


def _listing(elf: ElfFile, table: _Table, readable: Sequence[str]) -> Listing:
    """One row per address that lies in an executable segment of the file."""
    kept = bytearray(b"\1") * len(table.names)
    sizes = list(table.sizes)
    odd: dict[int, tuple[tuple[str, ...], str]] = {}
    for address, rows in _shared(table).items():
        first = min(rows, key=lambda row: _preference(table.names[row], table.infos[row]))
        for row in rows:
            kept[row] = row == first
        names = {table.names[row] for row in rows} | {readable[row] for row in rows}
        indirect = any(table.infos[row] & 15 == _INDIRECT for row in rows)
        sizes[first] = sizes[first] or max(sizes[row] for row in rows)
        odd[address] = (
            tuple(sorted(names - {table.names[first], readable[first]})),
            _RESOLVER if indirect else "",
        )
    offsets = elf.file_offsets(table.addresses)
    inside = [keep and offset >= 0 for keep, offset in zip(kept, offsets, strict=True)]
    return Listing(
        list(compress(readable, inside)),
        list(compress(table.names, inside)),
        bytes([ORIGINS.index(table.origin)]) * sum(inside),
        array("Q", compress(table.addresses, inside)),
        array("Q", compress(sizes, inside)),
        array("Q", compress(offsets, inside)),
        odd,
    )


def _inner(elf: ElfFile, found: Listing) -> dict[int, str]:
    """The functions that begin within another, at a place where a breakpoint would change what that one does."""
    starts = sorted(zip(found.addresses, found.sizes, strict=True))
    ends = list(accumulate((start + size for start, size in starts), max))
    within = [row for row in range(1, len(starts)) if starts[row - 1][0] < starts[row][0] < ends[row - 1]]
    if not within:
        return {}
    outer: dict[int, list[int]] = {}
    for row in within:
        around = bisect_right(ends, starts[row][0])  # the first that reaches beyond it
        outer.setdefault(around, []).append(starts[row][0])
    reasons: dict[int, str] = {}
    left = _MOST_CODE
    with Disassembler(elf.machine) as disassembler:
        for row, addresses in outer.items():
            start, size = starts[row]
            left -= size
            code = elf.bytes_at(elf.file_offsets([start])[0], size) if left > 0 else b""
            begins = {each.address: each.code for each in disassembler.instructions(code, start)}
            for address in addresses:
                if address not in begins:
                    reasons[address] = "it begins inside an instruction of another function"
                elif begins[address].startswith(_NOP):
                    reasons[address] = (
                        "it begins with a long nop inside another function, which may not be interrupted there"
                    )
    return reasons


def _shared(table: _Table) -> dict[int, list[int]]:
    """Addresses of several names or of indirect functions, and the rows that are theirs."""
    odd = {address for address, info in zip(table.addresses, table.infos, strict=True) if info & 15 == _INDIRECT}
    if len(set(table.addresses)) < len(table.addresses):
        odd.update(address for address, times in Counter(table.addresses).items() if times > 1)
    rows: dict[int, list[int]] = {}
    for row in [row for row, address in enumerate(table.addresses) if address in odd]:
        rows.setdefault(table.addresses[row], []).append(row)
    return rows


def _preference(name: str, info: int) -> tuple[bool, int, int, str]:
    """A name that the programmer wrote comes before one that the library keeps to itself."""
    return name[0] == "_" and not name.startswith("_Z"), _PREFERENCE.get(info >> 4, 3), len(name), name
