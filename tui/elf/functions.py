"""The functions of a module, from .symtab and .dynsym, and its USDT probes beside them.

Symbols of one address are one function: the name that people use comes first, the others are its aliases. Symbols
without a size (hand-written assembly) are listed with size 0. Symbols that a program doesn't define, or that lie
outside the file's executable segments, are not functions of this file.

Symbols are handled as columns, not as rows: of 78,000 functions each step below takes some 20 ms that way.
"""

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate, chain, compress
from typing import Final, NamedTuple

from tui.elf import demangle, listing, usdt
from tui.elf.disassembly import Disassembler
from tui.elf.listing import ORIGINS, Listing
from tui.elf.names import Function, Module
from tui.elf.reader import DYNSYM, SYMTAB, ElfFile, Section, text_at
from tui.errors import BinaryError

_INDIRECT: Final = 10  # STT_GNU_IFUNC
_IS_FUNCTION: Final = bytes(info & 15 in (2, _INDIRECT) for info in range(256))  # by st_info; 2 is STT_FUNC
_ENTRY_SIZE: Final = 24  # Elf64_Sym: name u32, info u8, other u8, section u16, value u64, size u64
_LONGEST_NAME: Final = 4096  # characters
_PORTION: Final = 250
_MOST_CODE: Final = 1 << 22  # bytes that are disassembled because functions lie within functions: hardly any do
_NOP: Final = b"\x0f\x1f\x44"  # 6.18 makes a call of one that is probed, which writes below the stack pointer
_SPECIAL_SECTION: Final = 0xFF00
_PREFERENCE: Final = {1: 0, 10: 0, 2: 1, 0: 2}  # binding: global, unique, weak, local
_RESOLVER: Final = "an indirect function: this is its resolver, which runs once; probe the implementation it picks"
_PRINTABLE: Final = bytes(range(0x20, 0x7F)) + b"\0"


class _Table(NamedTuple):
    """The functions that a symbol table defines; columns of one length."""

    origin: str
    addresses: Sequence[int]
    sizes: Sequence[int]
    infos: Sequence[int]  # st_info: binding << 4 | type
    names: Sequence[str]


def read(module: Module) -> tuple[Function, ...]:
    """The module's functions by name, then its USDT probes. Raises BinaryError, NotPermitted, TargetError."""
    return (*_read(module).functions(module.name), *_usdt(module))


def table(module: Module) -> Iterator[tuple[int, int, str, str]]:
    """The same as rows of address, size, origin and readable name: all that a listing prints, in half the time."""
    found = _read(module, raw_names=False)
    rows = zip(found.addresses, found.sizes, map(ORIGINS.__getitem__, found.origins), found.names, strict=True)
    probes = [(each.address, each.size, each.origin, each.name) for each in _usdt(module)]
    return chain(rows, probes) if probes else rows


def places(module: Module) -> Iterator[tuple[int, int, str]]:
    """The same as rows of offset in the file, size and readable name: all that naming an address takes."""
    found = _read(module, raw_names=False)
    return zip(found.offsets, found.sizes, found.names, strict=True)


def _usdt(module: Module) -> list[Function]:
    with ElfFile.open(module.file, module.path) as elf:
        return usdt.functions(elf, module.name)


def _read(module: Module, *, raw_names: bool = True) -> Listing:
    with ElfFile.open(module.file, module.path) as elf, demangle.Demangler() as demangler:
        found = listing.cached(elf.identity, raw_names=raw_names)
        if found is None:
            tables = _tables(elf, demangler)
            found = listing.joined(_listing(elf, table, readable()) for table, readable in tables).by_name()
            found.keep(elf.identity)
    return found


def _tables(elf: ElfFile, demangler: demangle.Demangler) -> list[tuple[_Table, Callable[[], Sequence[str]]]]:
    """Each symbol table that has something new, and its readable names, which are being made."""
    tables = []
    known: set[int] = set()
    for kind, origin in ((SYMTAB, "symtab"), (DYNSYM, "dynsym")):
        section = next((section for section in elf.sections if section.kind == kind), None)  # a file has one, or none
        if section and (table := _table(elf, section, origin, known)):
            tables.append((table, demangler.begin(table.names)))
            known.update(table.addresses)
    return tables


def _table(elf: ElfFile, section: Section, origin: str, known: set[int]) -> _Table | None:
    """What a symbol table defines at addresses that aren't known already; None where that is nothing."""
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
    names = _read_names(elf, section, list(ats))
    wanted = [bool(name) and address not in known for name, address in zip(names, addresses, strict=True)]
    if not all(wanted):
        addresses, sizes = list(compress(addresses, wanted)), list(compress(sizes, wanted))
        infos, names = bytes(compress(infos, wanted)), list(compress(names, wanted))
    return _Table(origin, addresses, sizes, infos, names)


def _read_names(elf: ElfFile, section: Section, ats: Sequence[int]) -> list[str]:
    """The sanitised names at offsets of a table's string table. Raises BinaryError for more than a linker makes."""
    table = elf.contents(elf.sections[section.link])
    name_at: Callable[[int], str] = partial(text_at, table, longest=_LONGEST_NAME)
    if not table.translate(None, _PRINTABLE):
        name_at = _plain_reader(table.decode("ascii") + "\0")
    names: list[str] = []
    left = 4 * len(table) + (1 << 20)  # names share endings only, so all of them together are about the table's size
    for start in range(0, len(ats), _PORTION):
        portion = list(map(name_at, ats[start : start + _PORTION]))
        left -= sum(map(len, portion))
        if left < 0:
            raise BinaryError(f"{elf.shown} is damaged: its functions' names overlap")
        names += portion
    return names


def _plain_reader(text: str) -> Callable[[int], str]:
    """Of a string table with nothing in it that needs care."""
    find, longest = text.find, _LONGEST_NAME
    return lambda at: text[at : end if (end := find("\0", at, at + longest)) >= 0 else at + longest]


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
    for address, reason in _inner(elf, table).items():
        odd[address] = (odd[address][0] if address in odd else (), reason)
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


def _inner(elf: ElfFile, table: _Table) -> dict[int, str]:
    """The functions that begin within another, at a place where a breakpoint would change what that one does."""
    starts = sorted(zip(table.addresses, table.sizes, strict=True))
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
