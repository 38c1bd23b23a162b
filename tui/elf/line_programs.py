"""Line number programs of .debug_line, one unit at a time: which source line each address comes from.

Versions 2 to 5 (DWARF 5, section 6.2). Pure: bytes in, columns out. Every number is checked before it is used; a unit
that is damaged gives the sequences before the damage.
"""

import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

_MOST_ROWS: Final = 1 << 20  # of a unit; the largest of Chromium's have a tenth
_MOST_FILES: Final = 1 << 16
_MOST_LETTERS: Final = 1 << 24  # of names that stand in sections of their own, of one unit
_LONGEST_PATH: Final = 4096
_MOST_FORMATS: Final = 16
_LONGEST_LEB128: Final = 10  # bytes
_MASK: Final = (1 << 64) - 1
_COPY, _ADVANCE_PC, _ADVANCE_LINE, _SET_FILE, _SET_COLUMN, _CONST_ADD_PC, _FIXED_ADVANCE_PC = 1, 2, 3, 4, 5, 8, 9
_END_SEQUENCE, _SET_ADDRESS, _DEFINE_FILE = 1, 2, 3  # extended
_PATH, _FOLDER = 1, 2  # DW_LNCT_path, DW_LNCT_directory_index
_STRING, _LINE_STRP, _STRP, _UDATA, _BLOCK = 0x08, 0x1F, 0x0E, 0x0F, 0x09
_SIZES: Final = {0x0B: 1, 0x05: 2, 0x06: 4, 0x07: 8, 0x1E: 16}  # DW_FORM_data1, 2, 4, 8, 16
_ADDRESS: Final = struct.Struct("<Q")

Texts = Callable[[str, int], bytes]  # what a string section ("line_str", "str") has at an offset


class Header(NamedTuple):
    """Of a unit, in bytes."""

    version: int
    wide: bool  # 64-bit offsets
    start: int  # of the program
    tables: int  # where the tables of folders and files begin
    shortest: int  # instruction
    line_base: int
    line_range: int
    lengths: tuple[int, ...]  # of the operands of opcodes 1, 2, …


Path = tuple[bytes, ...]  # folders and a file, of which each may begin at the root


class Rows(NamedTuple):
    """What a program says, as columns; sequences are sorted by where they begin."""

    paths: list[Path]  # by the numbers in `files`
    sequences: list[tuple[int, int, int, int]]  # addresses of start and end; index of the first row and after the last
    addresses: "array[int]"
    files: "array[int]"
    lines: "array[int]"

    def at(self, address: int) -> tuple[bytes, int] | None:
        """Path and line. Of several lines of one address it is the first: where a function begins, its own."""
        last = bisect_right(self.sequences, (address, _MASK)) - 1
        for start, end, first, after in self.sequences[max(0, last - 8) : last + 1][::-1]:
            if start <= address < end:
                row = bisect_right(self.addresses, address, first, after) - 1
                for at in range(bisect_left(self.addresses, self.addresses[row], first, after), row + 1):
                    if self.lines[at] > 0 and self.files[at] < len(self.paths):
                        return joined(self.paths[self.files[at]]), self.lines[at]
        return None


def header(unit: bytes) -> Header:
    """Raises ValueError, IndexError, struct.error for one that isn't so."""
    wide = unit[:4] == b"\xff\xff\xff\xff"
    (version,) = struct.unpack_from("<H", unit, at := 12 if wide else 4)
    if not 2 <= version <= 5:
        raise ValueError(version)
    at += 4 if version == 5 else 2
    (size,) = struct.unpack_from("<Q" if wide else "<I", unit, at)
    at += 8 if wide else 4
    start = at + size
    shortest = unit[at]
    at += 3 if version >= 4 else 2  # also: instructions of a VLIW, whether rows begin statements
    line_base, line_range, opcodes = struct.unpack_from("<bBB", unit, at)
    if not line_range or not opcodes or start > len(unit):
        raise ValueError(line_range)
    at += 3
    return Header(
        version, wide, start, at + opcodes - 1, shortest, line_base, line_range, tuple(unit[at : at + opcodes - 1])
    )


def rows(unit: bytes, texts: Texts) -> Rows:
    """A whole unit's. Raises ValueError, IndexError, OverflowError, struct.error where it is damaged at once."""
    head = header(unit)
    reader = _Reader(unit, head.tables, texts, wide=head.wide)
    paths = list(_paths_5(reader) if head.version == 5 else _paths(reader))
    sequences: list[tuple[int, int, int, int]] = []
    columns = array("Q"), array("I"), array("i")
    try:
        for addresses, files, lines in _sequences(unit, head, paths):
            start = len(columns[0])
            for column, more in zip(columns, (addresses[:-1], files, lines), strict=True):
                column.extend(more)
            if start < len(columns[0]):
                sequences.append((addresses[0], addresses[-1], start, len(columns[0])))
            if len(columns[0]) > _MOST_ROWS:
                break
    except (ValueError, IndexError, OverflowError, struct.error):
        sequences = [each for each in sequences if each[3] <= min(map(len, columns))]
    return Rows(paths, sorted(sequences), *columns)


def _sequences(unit: bytes, head: Header, paths: list[Path]) -> Iterator[tuple[list[int], list[int], list[int]]]:
    """Columns of addresses (one more than there are rows: the end), files and lines."""
    moves = _moves(head)
    at, end = head.start, len(unit)
    address, file, line = 0, 1, 1
    addresses, files, lines = _columns()
    while at < end and len(addresses) <= _MOST_ROWS:
        code = unit[at]
        at += 1
        if move := moves[code]:
            address += move[0]
            line += move[1]
            addresses.append(address)
            files.append(file)
            lines.append(line)
        elif code == 0:
            size, at = _uleb(unit, at)
            if unit[at] == _END_SEQUENCE:
                addresses.append(address)
                yield addresses, files, lines
                address, file, line = 0, 1, 1
                addresses, files, lines = _columns()
            elif unit[at] == _SET_ADDRESS and size == 9:
                (address,) = _ADDRESS.unpack_from(unit, at + 1)
            elif unit[at] == _DEFINE_FILE and len(paths) < _MOST_FILES:
                paths.append((unit[at + 1 : unit.index(0, at + 1)],))
            at += size
        elif code == _ADVANCE_LINE:
            step, at = _sleb(unit, at)
            line += step
        elif code == _SET_FILE:
            file, at = _uleb(unit, at)
        elif code == _SET_COLUMN:
            _, at = _uleb(unit, at)
        else:
            advance, at = _advance(unit, at, code, head)
            address += advance


def _moves(head: Header) -> list[tuple[int, int] | None]:
    """By opcode, how far a row is from the one before, in bytes and lines; None for opcodes that make no row."""
    first = len(head.lengths) + 1
    special = [
        (number // head.line_range * head.shortest, head.line_base + number % head.line_range)
        for number in range(256 - first)
    ]
    return [None, (0, 0), *[None] * (first - 2), *special] if first > _COPY else [None, *special]


def _advance(unit: bytes, at: int, code: int, head: Header) -> tuple[int, int]:
    """How far an opcode without a row moves the address, and where the next opcode is."""
    if code == _ADVANCE_PC:
        advance, at = _uleb(unit, at)
        return advance * head.shortest, at
    if code == _CONST_ADD_PC:
        return (255 - len(head.lengths) - 1) // head.line_range * head.shortest, at
    if code == _FIXED_ADVANCE_PC:
        return unit[at] | unit[at + 1] << 8, at + 2
    for _ in range(head.lengths[code - 1]):
        _, at = _uleb(unit, at)
    return 0, at


def _columns() -> tuple[list[int], list[int], list[int]]:
    return [], [], []


class _Reader:
    """Reads the tables of a header, one value after the other."""

    def __init__(self, unit: bytes, at: int, texts: Texts, *, wide: bool) -> None:
        self.unit, self.at, self._texts, self._offset = unit, at, texts, 8 if wide else 4
        self._left = _MOST_LETTERS

    def number(self) -> int:
        """An unsigned LEB128."""
        found, self.at = _uleb(self.unit, self.at)
        return found

    def text(self) -> bytes:
        """A string to its zero."""
        start, self.at = self.at, self.unit.index(0, self.at) + 1
        return self.unit[start : self.at - 1]

    def byte(self) -> int:
        """One."""
        self.at += 1
        return self.unit[self.at - 1]

    def fixed(self, size: int) -> int:
        """A number of so many bytes."""
        self.at += size
        if self.at > len(self.unit):
            raise ValueError(self.at)
        return int.from_bytes(self.unit[self.at - size : self.at], "little")

    def value(self, form: int) -> bytes | int:
        """A value of version 5's tables."""
        if form == _STRING:
            return self.text()
        if form in (_LINE_STRP, _STRP):
            found = self._texts("line_str" if form == _LINE_STRP else "str", self.fixed(self._offset))
            self._left -= len(found)
            if self._left < 0:  # small numbers can name the same long text again and again
                raise ValueError(len(found))
            return found
        if form == _UDATA:
            return self.number()
        return self.fixed(self.number() if form == _BLOCK else _SIZES[form] if form in _SIZES else _refused(form))


def _refused(form: int) -> int:
    raise ValueError(form)


def _paths(reader: _Reader) -> Iterator[Path]:
    """Of versions 2 to 4: folders and files are counted from 1; folder 0 is where it was compiled, which isn't here."""
    folders = [b""]
    while folder := reader.text():
        folders.append(folder)
        if len(folders) > _MOST_FILES:
            raise ValueError(len(folders))
    yield ()
    for _ in range(_MOST_FILES):
        name = reader.text()
        if not name:
            return
        index, _, _ = reader.number(), reader.number(), reader.number()
        yield (folders[index] if index < len(folders) else b"", name)


def _paths_5(reader: _Reader) -> Iterator[Path]:
    """Of version 5: counted from 0; folder 0 is where it was compiled."""
    folders: list[Path] = []
    for folder, _ in _entries(reader):
        folders.append((*folders[0], folder) if folders else (folder,))
    for name, index in _entries(reader):
        yield (*(folders[index] if index < len(folders) else ()), name)


def _entries(reader: _Reader) -> Iterator[tuple[bytes, int]]:
    """A table's paths, each with its folder."""
    formats = [(reader.number(), reader.number()) for _ in range(reader.byte())]
    count = reader.number()
    if len(formats) > _MOST_FORMATS or count > _MOST_FILES or (count and not formats):
        raise ValueError(count)
    for _ in range(count):
        path, folder = b"", 0
        for kind, form in formats:
            value = reader.value(form)
            if kind == _PATH and isinstance(value, bytes):
                path = value
            elif kind == _FOLDER and isinstance(value, int):
                folder = value
        yield path, folder


def joined(path: Path) -> bytes:
    """The parts from the last one on that begins at the root; of an immoderate path the end."""
    whole = b""
    for part in path:
        whole = part if part.startswith(b"/") or not whole else whole + b"/" + part
    return whole[-_LONGEST_PATH:]


def _uleb(data: bytes, at: int) -> tuple[int, int]:
    """A number, and where it ends. Raises ValueError, IndexError."""
    byte = data[at]
    if byte < 0x80:
        return byte, at + 1
    number, shift = byte & 0x7F, 7
    for end in range(at + 1, at + _LONGEST_LEB128):
        byte = data[end]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & _MASK, end + 1
        shift += 7
    raise ValueError(at)


def _sleb(data: bytes, at: int) -> tuple[int, int]:
    """A signed one."""
    number, end = _uleb(data, at)
    sign = 1 << (7 * (end - at) - 1)
    return (number & (sign - 1)) - (number & sign), end
