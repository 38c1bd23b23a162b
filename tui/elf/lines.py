"""Source lines of addresses: from a file's .debug_line, that of its separate debug file, or Go's own table.

    with lines.read(module) as table:   # None where the file has none
        table.at(0x4a1d20)  # Line("/home/eva/fib.go", 7)

Opening looks only for where units and their sequences of code begin; a unit is decoded when an address of it is asked
for, some 0.2 µs per byte, and the last few are kept. So a large file costs what is looked at.
"""

import re
import struct
import time
import zlib
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from operator import attrgetter
from typing import Final, NamedTuple

from tui.elf import debug_files, line_programs, pclntab
from tui.elf.compressed import expanded, is_compressed
from tui.elf.line_programs import Rows
from tui.elf.names import Function, Module
from tui.elf.reader import ElfFile, Section
from tui.errors import BinaryError
from tui.owner import Owner
from tui.text import sanitise

_LARGEST: Final = 1 << 26  # bytes of a section that is compressed; others are read as far as they are needed
_LARGEST_UNIT: Final = 1 << 24
_MOST_UNITS: Final = 1 << 18
_MOST_SEQUENCES: Final = 1 << 21
_MOST_ROWS: Final = 1 << 20  # that are kept
_LONGEST_PATH: Final = 4096
_SECONDS: Final = 60.0  # in which a file's functions are looked for; what a compiler makes takes one
_PATIENCE: Final = 1.0  # seconds after which no further unit is decoded for an address
_TRIES: Final = 8  # sequences that seem to begin before an address: some of those aren't, others have been left out
_SET_ADDRESS: Final = re.compile(rb"\x00\x09\x02(?=(.{8}))", re.DOTALL)  # DW_LNE_set_address: begins a sequence
_DAMAGE: Final = (ValueError, IndexError, OverflowError, struct.error, zlib.error, BinaryError)


class Line(NamedTuple):
    """A place in the sources."""

    file: str  # as the compiler noted it, sanitised; before DWARF 5 it may be relative to where it was compiled
    line: int


class LineTable(Owner):
    """Where the code of a file comes from; a context manager."""

    def at(self, address: int) -> Line | None:
        """The line that a virtual address in the file comes from; None where the file doesn't say."""
        raise NotImplementedError


class _Go(LineTable):
    """What Go's own table says, which holds nothing open."""

    def __init__(self, table: pclntab.Table) -> None:
        self._table = table

    def at(self, address: int) -> Line | None:
        found = self._table.line(address)
        return Line(*found) if found else None

    def close(self) -> None:
        pass


class _Dwarf(LineTable):
    """What .debug_line says; owns the open file."""

    def __init__(self, elf: ElfFile, section: Section) -> None:
        """Raises BinaryError, zlib.error, struct.error for what can't be read."""
        self._elf = elf
        self._program = _Bytes(elf, section)
        self._texts = {name: found for name in ("line_str", "str") if (found := _section(elf, name))}
        self._opened: dict[str, _Bytes] = {}
        self._units = list(self._find())
        starts, units = array("Q"), array("I")
        for number, (offset, size) in enumerate(self._units):
            begun = b"".join(_SET_ADDRESS.findall(self._program.at(offset, size)))
            starts.frombytes(begun)
            units.extend([number] * (len(begun) // 8))
            if len(starts) > _MOST_SEQUENCES:
                break
        order = sorted(range(len(starts)), key=starts.__getitem__)
        self._starts = array("Q", map(starts.__getitem__, order))
        self._unit_of = array("I", map(units.__getitem__, order))
        self._decoded: OrderedDict[int, Rows | None] = OrderedDict()

    def at(self, address: int) -> Line | None:
        last = bisect_right(self._starts, address) - 1
        until = time.monotonic() + _PATIENCE
        for unit in dict.fromkeys(self._unit_of[index] for index in range(last, max(-1, last - _TRIES), -1)):
            if time.monotonic() > until:
                break
            decoded = self._rows(unit)
            if decoded and (found := decoded.at(address)):
                path, line = found
                return Line(sanitise(path.decode("utf-8", "surrogateescape")), line)
        return None

    def close(self) -> None:
        self._elf.close()

    def _find(self) -> Iterator[tuple[int, int]]:
        """Offset and size of each unit that can be read."""
        at = 0
        for _ in range(_MOST_UNITS):
            head = self._program.at(at, 12)
            if len(head) < 12:
                return
            (size,) = struct.unpack_from("<I", head)
            size += 4
            if size == 0x1_0000_0003:  # 64-bit offsets
                size = struct.unpack_from("<Q", head, 4)[0] + 12
            if size <= min(_LARGEST_UNIT, self._program.size - at):
                yield at, size
            at += size

    def _rows(self, number: int) -> Rows | None:
        """Of a unit, decoded now or lately; None where it is damaged."""
        if number in self._decoded:
            self._decoded.move_to_end(number)
            return self._decoded[number]
        try:
            found = line_programs.rows(self._program.at(*self._units[number]), self._text)
        except _DAMAGE:
            found = None
        self._decoded[number] = found
        while len(self._decoded) > 1 and sum(len(each.lines) for each in self._decoded.values() if each) > _MOST_ROWS:
            self._decoded.popitem(last=False)
        return found

    def _text(self, name: str, offset: int) -> bytes:
        """A string of one of the string sections. Raises what stands for damage."""
        if name not in self._opened:
            if name not in self._texts:
                return b""
            self._opened[name] = _Bytes(self._elf, self._texts[name])
        return self._opened[name].at(offset, _LONGEST_PATH).partition(b"\0")[0]


class _Bytes:
    """A section's content, read where it is needed; if it is compressed, all of it."""

    def __init__(self, elf: ElfFile, section: Section) -> None:
        """Raises BinaryError, zlib.error, struct.error."""
        self._elf, self._offset = elf, section.offset
        self._content = expanded(elf, section, _LARGEST) if is_compressed(section) else None
        self.size = section.size if self._content is None else len(self._content)

    def at(self, offset: int, size: int) -> bytes:
        """At most `size` bytes."""
        size = max(0, min(size, self.size - offset))
        if self._content is not None:
            return self._content[offset : offset + size]
        return self._elf.bytes_at(self._offset + offset, size)


def read(module: Module) -> LineTable | None:
    """The module's lines; None where it has none that can be read. Raises BinaryError, NotPermitted, TargetError."""
    if not module.file:
        return None
    elf = ElfFile.open(module.file, module.path)
    if found := _dwarf(elf):
        return found
    with elf:
        debug = debug_files.find(elf, module)
        if debug and (found := _dwarf(debug)):
            return found
        if debug:
            debug.close()
        table = pclntab.read(elf) if elf.of_go() else None
    return _Go(table) if table else None


def _dwarf(elf: ElfFile) -> LineTable | None:
    """The file's, which then owns it."""
    with suppress(*_DAMAGE):
        if section := _section(elf, "line"):
            return _Dwarf(elf, section)
    return None


def of_functions(module: Module, functions: Iterable[Function]) -> dict[Function, Line]:
    """The lines at which functions of the module begin, of those that are known. Raises as `read` does."""
    table = read(module)
    if table is None:
        return {}
    with table:
        ordered = sorted(functions, key=attrgetter("address"))  # so that each unit is decoded once
        lines = located(table, map(attrgetter("address"), ordered), _SECONDS)
        return {function: line for function, line in zip(ordered, lines, strict=True) if line}


def located(table: LineTable, addresses: Iterable[int], seconds: float) -> Iterator[Line | None]:
    """The line of each address; None for those that the time isn't enough for."""
    until = time.monotonic() + seconds
    for address in addresses:
        yield table.at(address) if time.monotonic() < until else None


def _section(elf: ElfFile, name: str) -> Section | None:
    return elf.section(f".debug_{name}") or elf.section(f".zdebug_{name}")
