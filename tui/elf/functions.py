"""The functions of a module, from .symtab and .dynsym.

Symbols of one address are one function: the name that people use comes first, the others are its aliases. Symbols
without a size (hand-written assembly) are listed with size 0. Symbols that a program doesn't define, or that lie
outside the file's executable segments, are not functions of this file.

Symbols are handled as columns, not as rows: of 78,000 functions each step below takes some 20 ms that way.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate, compress, count, islice, repeat
from operator import add, eq, gt, le
from typing import Final, NamedTuple

from tui.elf import demangle, listing
from tui.elf.disassembly import Disassembler
from tui.elf.listing import ORIGINS, Listing
from tui.elf.names import Function, Module
from tui.elf.reader import DYNSYM, SYMTAB, ElfFile, Section, text_at
from tui.errors import BinaryError

_INDIRECT: Final = 10  # STT_GNU_IFUNC
_IS_FUNCTION: Final = bytes(info & 15 in (2, _INDIRECT) for info in range(256))  # by st_info; 2 is STT_FUNC
_IS_INDIRECT: Final = bytes(info & 15 == _INDIRECT for info in range(256))
_IS_SOME: Final = bytes(byte > 0 for byte in range(256))
_IS_USUAL: Final = bytes(byte < 0xFF for byte in range(256))  # by the upper byte: 0xff00 and more are no sections
_ENTRY_SIZE: Final = 24  # Elf64_Sym: name u32, info u8, other u8, section u16, value u64, size u64
_LONGEST_NAME: Final = 4096  # characters
_PORTION: Final = 250
_MOST_CODE: Final = 1 << 22  # bytes that are disassembled because functions lie within functions: hardly any do
_NOP: Final = b"\x0f\x1f\x44"  # 6.18 makes a call of one that is probed, which writes below the stack pointer
_PREFERENCE: Final = {1: 0, 10: 0, 2: 1, 0: 2}  # binding: global, unique, weak, local
_RESOLVER: Final = "an indirect function: this is its resolver, which runs once; probe the implementation it picks"
_PRINTABLE: Final = bytes(range(0x20, 0x7F)) + b"\0"


class _Table(NamedTuple):
    """The functions that a symbol table defines; columns of one length."""

    origin: str
    addresses: Sequence[int]
    sizes: Sequence[int]
    infos: bytes  # st_info: binding << 4 | type
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
    with ElfFile.open(module.file, module.path) as elf, demangle.Demangler() as demangler:
        found = listing.cached(elf.identity, raw_names=raw_names)
        if found is None:
            tables = _tables(elf, demangler)
            found = listing.joined(_listing(elf, table, readable) for table, readable in tables).by_name()
            found.keep(elf.identity)
    return found


def _tables(elf: ElfFile, demangler: demangle.Demangler) -> list[tuple[_Table, Callable[[], Sequence[str]]]]:
    """Each symbol table that has something new, and its readable names, which are being made."""
    tables: list[tuple[_Table, Callable[[], Sequence[str]]]] = []
    for kind, origin in ((SYMTAB, "symtab"), (DYNSYM, "dynsym")):
        section = next((section for section in elf.sections if section.kind == kind), None)  # a file has one, or none
        if section and (table := _table(elf, section, origin, [table for table, _ in tables], demangler)):
            tables.append((table, demangler.begin(table.names)))
    return tables


def _table(
    elf: ElfFile, section: Section, origin: str, before: Sequence[_Table], demangler: demangle.Demangler
) -> _Table | None:
    """What a symbol table defines at addresses that no table before has; None where that is nothing."""
    if section.link >= len(elf.sections):
        raise BinaryError(f"{elf.shown} is damaged: its {section.name} names no string table")
    strings = elf.contents(elf.sections[section.link])
    demangler.expect(strings, section.size // _ENTRY_SIZE)
    entries = elf.contents(section)
    entries = entries[: len(entries) // _ENTRY_SIZE * _ENTRY_SIZE]
    chosen = _chosen(entries)
    words = array("Q", entries)
    addresses = list(compress(words[1::3], chosen))
    new = set(addresses) if before else set()
    new.difference_update(*(table.addresses for table in before))
    if not addresses or (before and not new):
        return None
    sizes = list(compress(words[2::3], chosen))
    infos = bytes(compress(entries[4::_ENTRY_SIZE], chosen))
    ats = list(compress(array("I", entries)[0 :: _ENTRY_SIZE // 4], chosen))
    del words, entries
    names = _read_names(elf, strings, ats)
    if before or "" in names:
        wanted = [bool(name) and (not before or address in new) for name, address in zip(names, addresses, strict=True)]
        addresses, sizes = list(compress(addresses, wanted)), list(compress(sizes, wanted))
        infos, names = bytes(compress(infos, wanted)), list(compress(names, wanted))
    return _Table(origin, addresses, sizes, infos, names)


def _chosen(entries: bytes) -> bytes:
    """For each symbol 1 where it is a function of this file, else 0; all at once, as the digits of large numbers."""
    low, high = entries[6::_ENTRY_SIZE], entries[7::_ENTRY_SIZE]  # of the section's index
    kind, lows, highs, usual = (
        int.from_bytes(column.translate(digits), "little")
        for column, digits in (
            (entries[4::_ENTRY_SIZE], _IS_FUNCTION),
            (low, _IS_SOME),
            (high, _IS_SOME),
            (high, _IS_USUAL),
        )
    )
    return (kind & (lows | highs) & usual).to_bytes(len(low), "little")


def _read_names(elf: ElfFile, table: bytes, ats: Sequence[int]) -> list[str]:
    """The sanitised names at offsets of a string table. Raises BinaryError for more than a linker makes."""
    most = 4 * len(table) + (1 << 20)  # names share endings only, so all of them together are about the table's size
    if not table.translate(None, _PRINTABLE):
        text = table.decode("ascii")
        ends = list(map(text.find, repeat("\0"), ats, map(add, ats, repeat(_LONGEST_NAME))))
        if -1 not in ends and sum(ends) - sum(ats) <= most:
            return list(map(text.__getitem__, map(slice, ats, ends)))
    names: list[str] = []
    for start in range(0, len(ats), _PORTION):
        portion = [text_at(table, at, _LONGEST_NAME) for at in ats[start : start + _PORTION]]
        most -= sum(map(len, portion))
        if most < 0:
            raise BinaryError(f"{elf.shown} is damaged: its functions' names overlap")
        names += portion
    return names


def _listing(elf: ElfFile, table: _Table, made: Callable[[], Sequence[str]]) -> Listing:
    """One row per address that lies in an executable segment of the file; what `made` waits for comes last."""
    offsets = elf.file_offsets(table.addresses)
    kept = bytearray(map(le, repeat(0), offsets))
    ordered = sorted(table.addresses)
    shared = _shared(table, ordered)
    reasons = _inner(elf, table, shared, list(dict.fromkeys(ordered)) if shared else ordered)
    sizes = list(table.sizes)
    readable = made()
    odd: dict[int, tuple[tuple[str, ...], str]] = {}
    for address, rows in shared.items():
        names = [table.names[row] for row in rows]
        first = min(zip(map(_preference, names, (table.infos[row] for row in rows)), rows, strict=True))[1]
        for row in rows:
            kept[row] &= row == first
        others = {*names, *(readable[row] for row in rows)} - {table.names[first], readable[first]}
        indirect = any(table.infos[row] & 15 == _INDIRECT for row in rows)
        sizes[first] = sizes[first] or max(sizes[row] for row in rows)
        odd[address] = tuple(sorted(others)), _RESOLVER if indirect else ""
    for address, reason in reasons.items():
        odd[address] = (odd[address][0] if address in odd else (), reason)
    return Listing(
        list(compress(readable, kept)),
        list(compress(table.names, kept)),
        bytes([ORIGINS.index(table.origin)]) * sum(kept),
        array("Q", compress(table.addresses, kept)),
        array("Q", compress(sizes, kept)),
        array("Q", compress(offsets, kept)),
        odd,
    )


def _inner(elf: ElfFile, table: _Table, shared: Mapping[int, Sequence[int]], starts: Sequence[int]) -> dict[int, str]:
    """The functions that begin within another, at a place where a breakpoint would change what that one does."""
    largest = dict(zip(table.addresses, table.sizes, strict=True))
    largest |= {address: max(table.sizes[row] for row in rows) for address, rows in shared.items()}
    ends = list(map(add, starts, map(largest.__getitem__, starts)))
    if not any(map(gt, ends, islice(starts, 1, None))):
        return {}
    ends = list(accumulate(ends, max))
    within = list(compress(count(1), map(gt, ends, islice(starts, 1, None))))
    outer: dict[int, list[int]] = {}
    for row in within:
        around = bisect_right(ends, starts[row])  # the first that reaches beyond it
        outer.setdefault(around, []).append(starts[row])
    reasons: dict[int, str] = {}
    left = _MOST_CODE
    with Disassembler(elf.machine) as disassembler:
        for row, addresses in outer.items():
            start, size = starts[row], largest[starts[row]]
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


def _shared(table: _Table, ordered: Sequence[int]) -> dict[int, list[int]]:
    """Those of the ordered addresses that several names or indirect functions have, and the rows that are theirs."""
    rows: dict[int, list[int]] = {}
    odd = set(compress(table.addresses, table.infos.translate(_IS_INDIRECT)))
    odd.update(compress(ordered, map(eq, ordered, islice(ordered, 1, None))))
    if odd:
        for row in compress(count(), map(odd.__contains__, table.addresses)):
            rows.setdefault(table.addresses[row], []).append(row)
    return rows


def _preference(name: str, info: int) -> tuple[bool, int, int, str]:
    """A name that the programmer wrote comes before one that the library keeps to itself."""
    return name[0] == "_" and not name.startswith("_Z"), _PREFERENCE.get(info >> 4, 3), len(name), name
