"""The functions that each source of a module's names has, as columns.

.symtab comes first; where it was stripped, a separate debug file or Go's own table stands for it. Then comes what
.dynsym has besides, and what .gnu_debugdata adds to that.

Symbols that a program doesn't define are not functions of this file.
"""

from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import compress
from typing import Final, NamedTuple

from tui.elf.reader import DYNSYM, SYMTAB, ElfFile, Section, names_at
from tui.errors import BinaryError

INDIRECT: Final = 10  # STT_GNU_IFUNC
_IS_FUNCTION: Final = bytes(info & 15 in (2, INDIRECT) for info in range(256))  # by st_info; 2 is STT_FUNC
_IS_SOME: Final = bytes(byte > 0 for byte in range(256))
_IS_USUAL: Final = bytes(byte < 0xFF for byte in range(256))  # by the upper byte: 0xff00 and more are no sections
_ENTRY_SIZE: Final = 24  # Elf64_Sym: name u32, info u8, other u8, section u16, value u64, size u64
_MOST_SYMBOLS: Final = 4_000_000  # of a table, which is read whole: 96 MB
_MOST_FUNCTIONS: Final = 2_000_000  # of these: a million takes some 270 MB
_GLOBAL_FUNCTION: Final = 0x12  # st_info

Expect = Callable[[bytes, int], None]  # is told of a string table, and how many of its names are to come


class SymbolTable(NamedTuple):
    """The functions that a source defines; columns of one length."""

    origin: str
    addresses: Sequence[int]
    sizes: Sequence[int]
    infos: bytes  # st_info: binding << 4 | type
    names: Sequence[str]


def section(elf: ElfFile, kind: int) -> Section | None:
    """The file's symbol table of that kind: it has one, or none."""
    return next((section for section in elf.sections if section.kind == kind), None)


def read(elf: ElfFile, debug: ElfFile | None, expect: Expect) -> Iterator[SymbolTable]:
    """Each source that has something at addresses which those before don't have. Those that the file doesn't need may
    be damaged. `debug` is its debug file. Raises BinaryError.
    """
    known: set[int] = set()
    for table in _sources(elf, debug, known, expect):
        if table:
            known.update(table.addresses)
            yield table


def _sources(elf: ElfFile, debug: ElfFile | None, known: set[int], expect: Expect) -> Iterator[SymbolTable | None]:
    """What each source defines at addresses that aren't known by then."""
    yield _table(elf, section(elf, SYMTAB), "symtab", known, expect)
    if not section(elf, SYMTAB):
        if debug:
            yield _extra(lambda: _table(debug, section(debug, SYMTAB), "debug file", known, expect))
        if elf.of_go() or not elf.sections:
            yield _extra(lambda: _of_go(elf, known))
    yield _table(elf, section(elf, DYNSYM), "dynsym", known, expect)
    if elf.section(".gnu_debugdata"):  # made to add to .dynsym, which alone says what is an indirect function
        yield _extra(lambda: _minidebuginfo(elf, known, expect))


def _extra(read_it: Callable[[], SymbolTable | None]) -> SymbolTable | None:
    """A source that is beside the file: a damaged one says nothing."""
    try:
        return read_it()
    except BinaryError:
        return None


def _minidebuginfo(elf: ElfFile, known: set[int], expect: Expect) -> SymbolTable | None:
    from tui.elf import minidebuginfo

    with minidebuginfo.open_in(elf) as inner:
        return _table(inner, section(inner, SYMTAB), "minidebuginfo", known, expect)


def _of_go(elf: ElfFile, known: set[int]) -> SymbolTable | None:
    from tui.elf import pclntab

    table = pclntab.read(elf)
    if table is None:
        return None
    addresses, sizes, names = table.functions()
    infos = bytes([_GLOBAL_FUNCTION]) * len(names)
    return _new(SymbolTable("pclntab", addresses, sizes, infos, names), known)


def _table(elf: ElfFile, symbols: Section | None, origin: str, known: set[int], expect: Expect) -> SymbolTable | None:
    """What a symbol table defines at addresses that aren't known already; None where that is nothing."""
    if symbols is None:
        return None
    if symbols.link >= len(elf.sections):
        raise BinaryError(f"{elf.shown} is damaged: its {symbols.name} names no string table")
    if symbols.size > _MOST_SYMBOLS * _ENTRY_SIZE:
        raise BinaryError(f"{elf.shown} has more than {_MOST_SYMBOLS:,} symbols: they would take too much memory")
    strings = elf.contents(elf.sections[symbols.link])
    expect(strings, symbols.size // _ENTRY_SIZE)
    entries = elf.contents(symbols)
    entries = entries[: len(entries) // _ENTRY_SIZE * _ENTRY_SIZE]
    chosen = _chosen(entries)
    if sum(chosen) > _MOST_FUNCTIONS:
        raise BinaryError(f"{elf.shown} has more than {_MOST_FUNCTIONS:,} functions: they would take too much memory")
    words = array("Q", entries)
    addresses = list(compress(words[1::3], chosen))
    if not addresses or (known and known.issuperset(addresses)):
        return None
    sizes = list(compress(words[2::3], chosen))
    infos = bytes(compress(entries[4::_ENTRY_SIZE], chosen))
    ats = list(compress(array("I", entries)[0 :: _ENTRY_SIZE // 4], chosen))
    del words, entries
    return _new(SymbolTable(origin, addresses, sizes, infos, names_at(strings, ats, elf.shown)), known)


def _new(table: SymbolTable, known: set[int]) -> SymbolTable | None:
    """What is at addresses that aren't known, and has a name."""
    origin, addresses, sizes, infos, names = table
    if not known and "" not in names:
        return table
    new = [bool(name) and address not in known for name, address in zip(names, addresses, strict=True)]
    found = list(compress(addresses, new))
    left = (list(compress(sizes, new)), bytes(compress(infos, new)), list(compress(names, new)))
    return SymbolTable(origin, found, *left) if found else None


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
