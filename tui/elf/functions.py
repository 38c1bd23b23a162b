"""The functions of a module, from every source of names that it has, and its USDT probes beside them.

Where only the dynamic symbols are left, those without a name are listed too (`unnamed`).

Symbols of one address are one function: the name that people use comes first, the others are its aliases. Symbols
without a size (hand-written assembly) are listed with size 0. Those that lie outside the file's executable segments are
not functions of this file.

Symbols are handled as columns, not as rows: of 78,000 functions each step below takes some 20 ms that way.
"""

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import accumulate, chain, compress, count, islice, repeat
from operator import add, eq, gt, le
from typing import Final, NamedTuple

from tui.elf import listing, symbol_tables, usdt
from tui.elf.demangle import Demangler, Readable
from tui.elf.disassembly import Disassembler
from tui.elf.listing import ORIGINS, WORTH_KEEPING_PLAIN, Listing, Odd
from tui.elf.names import UNWIND, Function, Module
from tui.elf.reader import SYMTAB, ElfFile
from tui.elf.symbol_tables import INDIRECT, SymbolTable

_IS_INDIRECT: Final = bytes(info & 15 == INDIRECT for info in range(256))
_MOST_CODE: Final = 1 << 22  # bytes that are disassembled because functions lie within functions: hardly any do
_NOP: Final = b"\x0f\x1f\x44"  # 6.18 makes a call of one that is probed, which writes below the stack pointer
_VERSION: Final = re.compile(r"(?<=.)@@?[A-Za-z_][\w.]*$")
_PREFERENCE: Final = {1: 0, 10: 0, 2: 1, 0: 2}  # binding: global, unique, weak, local
_USUAL, _LARGE, _ALL = 1 << 20, 1 << 23, 1 << 26  # bytes of unwind records: of some 25,000 functions, 200,000, …
_NAMED: Final = tuple(map(ORIGINS.index, ("symtab", "pclntab", "debug file", "minidebuginfo")))  # these have all
_RESOLVER: Final = "an indirect function: this is its resolver, which runs once; probe the implementation it picks"


class _Rows(NamedTuple):
    """A table, and which of its rows are functions; columns of one length."""

    table: SymbolTable
    offsets: Sequence[int]
    kept: bytes  # 1 for each row that stands for its address, in an executable segment
    sizes: Sequence[int]
    shared: Mapping[int, Sequence[int]]  # addresses of several names or of indirect functions: the rows, the kept first


def read(module: Module, *, every: bool = False) -> tuple[Function, ...]:
    """The module's functions by name, then those without one by address, then its USDT probes.

    `every`: those without a name even where there are very many. Raises BinaryError, NotPermitted, TargetError.
    """
    return (*_read(module, records=_ALL if every else _USUAL).functions(module.name), *_usdt(module))


def table(module: Module) -> Iterator[tuple[int, int, str, str]]:
    """The same as rows of address, size, origin and readable name: all that a listing prints, in half the time."""
    found = _read(module, raw_names=False)
    rows = zip(found.addresses, found.sizes, map(ORIGINS.__getitem__, found.origins), found.names, strict=True)
    probes = [(each.address, each.size, each.origin, each.name) for each in _usdt(module)]
    return chain(rows, probes) if probes else rows


def raw_table(module: Module) -> Iterator[tuple[int, int, str, str]]:
    """The same by address, with the names as the file has them: nothing waits for readable ones."""
    found = _read(module, readable=False)
    rows = zip(found.addresses, found.sizes, map(ORIGINS.__getitem__, found.origins), found.raw_names, strict=True)
    probes = [(each.address, each.size, each.origin, each.raw_name) for each in _usdt(module)]
    return chain(sorted(rows), probes)


def places(module: Module) -> Iterator[tuple[int, int, str]]:
    """The same as rows of offset in the file, size and readable name: all that naming an address takes.

    More of those without a name are among them, so that samples and stacks say where what they saw begins.
    """
    found = _read(module, raw_names=False, records=_LARGE)
    return zip(found.offsets, found.sizes, found.names, strict=True)


def _usdt(module: Module) -> list[Function]:
    if not module.file:
        return []
    with ElfFile.open(module.file, module.path) as elf:
        return usdt.functions(elf, module.name)


def _read(module: Module, *, raw_names: bool = True, readable: bool = True, records: int = _USUAL) -> Listing:
    if not module.file:
        from tui.elf import perf_map

        return perf_map.listing(module)
    with ExitStack() as stack:
        elf = stack.enter_context(ElfFile.open(module.file, module.path))
        debug = None if symbol_tables.section(elf, SYMTAB) else _debug_file(elf, module)
        if debug:
            stack.enter_context(debug)
        identity = elf.identity + (f"-{debug.identity}" if debug else "")  # it may come and go
        found = listing.cached(identity, raw_names=raw_names)
        if found is None:
            if readable:
                found = _parsed(elf, debug, stack.enter_context(Demangler()), whole=raw_names)
                found.keep(identity)
            else:
                found = _unsorted(elf, debug)
        return (
            found if any(map(found.origins.__contains__, _NAMED)) else _with_unnamed(elf, module.name, found, records)
        )


def _with_unnamed(elf: ElfFile, module: str, found: Listing, records: int) -> Listing:
    """And the functions that nothing names, called after the module as it is known here: so they aren't cached."""
    from tui.elf import unnamed

    ranges = unnamed.ranges(elf, found.addresses, found.sizes, records)
    offsets = elf.file_offsets(start for start, _ in ranges)
    rows = [(start, size, offset) for (start, size), offset in zip(ranges, offsets, strict=True) if offset >= 0]
    if not rows:
        return found
    addresses, sizes, offsets = map(list, zip(*rows, strict=True))
    names = [f"{module}+0x{offset:x}" for offset in offsets]
    origins = bytes([ORIGINS.index(UNWIND)]) * len(names)
    more = Listing(names, names, origins, array("Q", addresses), array("Q", sizes), array("Q", offsets), {})
    return listing.joined([found, more])


def _debug_file(elf: ElfFile, module: Module) -> ElfFile | None:
    from tui.elf import debug_files

    return debug_files.find(elf, module)


def _parsed(elf: ElfFile, debug: ElfFile | None, demangler: Demangler, *, whole: bool) -> Listing:
    """By name; what is done here is done while readable names are made.

    Not `whole`, and too small for the cache: without what keeps probes away.
    """
    tables = [
        (table, demangler.begin(_unversioned(table.names)))
        for table in symbol_tables.read(elf, debug, demangler.expect)
    ]
    found = [_rows(elf, table) for table, _ in tables]
    kept = demangler.at_work or sum(len(table.names) for table, _ in tables) >= WORTH_KEEPING_PLAIN
    reasons = _inner(elf, found) if whole or kept else {}
    made = (_listing(rows, readable()) for rows, (_, readable) in zip(found, tables, strict=True))
    result = listing.joined(made).by_name()
    for address, reason in reasons.items():
        result.odd[address] = result.odd.get(address, Odd())._replace(unprobeable=reason)
    return result


def _unsorted(elf: ElfFile, debug: ElfFile | None) -> Listing:
    """With names as they are, and without what keeps probes away: enough for a list."""
    tables = symbol_tables.read(elf, debug, lambda *_: None)
    return listing.joined(_listing(_rows(elf, table), Readable(table.names, {})) for table in tables)


def _unversioned(names: Sequence[str]) -> Sequence[str]:
    """Names as .dynsym has them: the linker adds versions to those in .symtab, as in memcpy@@GLIBC_2.14."""
    if not any(map(str.__contains__, names, repeat("@"))):
        return names
    return [_VERSION.sub("", name) if "@" in name else name for name in names]


def _rows(elf: ElfFile, table: SymbolTable) -> _Rows:
    """One row per address that lies in an executable segment of the file."""
    offsets = elf.file_offsets(table.addresses)
    kept = bytearray(map(le, repeat(0), offsets))
    sizes = list(table.sizes)
    shared: dict[int, Sequence[int]] = {}
    for address, rows in _shared(table).items():
        preference = [_preference(table.names[row], table.infos[row]) for row in rows]
        shared[address] = first, *others = [row for _, row in sorted(zip(preference, rows, strict=True))]
        for row in others:
            kept[row] = 0
        sizes[first] = sizes[first] or max(sizes[row] for row in rows)
    return _Rows(table, offsets, bytes(kept), sizes, shared)


def _listing(rows: _Rows, readable: Readable) -> Listing:
    table, kept, names = rows.table, rows.kept, readable.names
    odd = {table.addresses[row]: Odd(returns=returns) for row, returns in readable.returns.items() if kept[row]}
    for address, (first, *others) in rows.shared.items():
        aliases = {table.names[row] for row in others} | {names[row] for row in others}
        indirect = any(table.infos[row] & 15 == INDIRECT for row in (first, *others))
        aliases -= {table.names[first], names[first]}
        returns = readable.returns.get(first, "")
        odd[address] = Odd(tuple(sorted(aliases)), _RESOLVER if indirect else "", returns)
    return Listing(
        list(compress(names, kept)),
        list(compress(table.names, kept)),
        bytes([ORIGINS.index(table.origin)]) * sum(kept),
        array("Q", compress(table.addresses, kept)),
        array("Q", compress(rows.sizes, kept)),
        array("Q", compress(rows.offsets, kept)),
        odd,
    )


def _inner(elf: ElfFile, found: Sequence[_Rows]) -> dict[int, str]:
    """The functions that begin within another, at a place where a breakpoint would change what that one does."""
    sizes: dict[int, int] = {}
    for rows in found:
        sizes.update(zip(compress(rows.table.addresses, rows.kept), compress(rows.sizes, rows.kept), strict=True))
    starts = sorted(sizes)
    ends = list(map(add, starts, map(sizes.__getitem__, starts)))
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
            start, size = starts[row], sizes[starts[row]]
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


def _shared(table: SymbolTable) -> dict[int, list[int]]:
    """The addresses that several names or indirect functions have, and the rows that are theirs."""
    rows: dict[int, list[int]] = {}
    odd = set(compress(table.addresses, table.infos.translate(_IS_INDIRECT)))
    if len(set(table.addresses)) < len(table.addresses):
        ordered = sorted(table.addresses)
        odd.update(compress(ordered, map(eq, ordered, islice(ordered, 1, None))))
    if odd:
        for row in compress(count(), map(odd.__contains__, table.addresses)):
            rows.setdefault(table.addresses[row], []).append(row)
    return rows


def _preference(name: str, info: int) -> tuple[bool, int, int, str]:
    """A name that the programmer wrote comes before one that the library keeps to itself."""
    return name[0] == "_" and not name.startswith("_Z"), _PREFERENCE.get(info >> 4, 3), len(name), name
