"""Go's own table of functions, which the runtime needs and `strip` leaves: names, sizes, files and lines.

    if table := pclntab.read(elf):
        addresses, sizes, names = table.functions()
        table.line(0x4a1d20)  # ("/srv/fib.go", 7)

Layouts are those of Go 1.16, 1.18 and 1.20 to 1.27 (runtime/symtab.go: pcHeader, functab, moduledata; runtime2.go:
_func). Addresses count from the text of the module's record (moduledata), which is found by its pointer to the table:
the table's own is missing from 1.26 on, and `.text` begins earlier where C code was linked in. Raises nothing:
a table that doesn't fit in every way is none.
"""

import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import Final, NamedTuple

from tui.elf.reader import AARCH64, X86_64, ElfFile, names_at, text_at
from tui.errors import BinaryError

Columns = tuple[Sequence[int], Sequence[int], Sequence[str]]  # addresses, sizes in bytes, sanitised names

_MAGIC_116: Final = 0xFFFFFFFA
_MAGICS: Final = (0xFFFFFFF1, 0xFFFFFFF0, _MAGIC_116)  # from Go 1.20, 1.18, 1.16
_HEADER: Final = struct.Struct("<IHBB8Q")  # magic, zeros, least instruction, pointer, then words
_LARGEST: Final = 1 << 28  # bytes of a table; Kubernetes' have a tenth of that
_CHUNK: Final = 1 << 24  # bytes that are searched at once
_MOST_FUNCTIONS: Final = 1 << 20  # the Go compiler has 20,000, Kubernetes' programs 150,000
_MOST_SEARCHED: Final = 1 << 29  # bytes
_MOST_HITS: Final = 1 << 16  # of what is searched
_MOST_PLACES: Final = 1024  # that are looked at more closely
_MOST_TABLES: Final = 8  # that are read, of those that begin well
_QUANTA: Final = {X86_64: 1, AARCH64: 4}  # bytes of the shortest instruction
_MOST_FILLED_IN: Final = 1 << 22
_RELA: Final = 4  # SHT_RELA
_RELATIVE: Final = (8, 1027)  # R_X86_64_RELATIVE, R_AARCH64_RELATIVE
_RECORD: Final = 23  # words of moduledata up to `text`
_NAMES, _FIRST, _LAST, _TEXT = 1, 20, 21, 22  # of these: funcnametab, minpc, maxpc, text
_MOST_STEPS: Final = 1 << 23  # through tables of numbers; the Go compiler's take 2¹⁸
_MOST_VALUES: Final = 1 << 18  # of one function
_ADDRESSES: Final = 1 << 48
_LONGEST_PATH: Final = 4096
_LONGEST_NUMBER: Final = 5  # bytes of a varint of 32 bits


class _Header(NamedTuple):
    """pcHeader; offsets are from the table's start."""

    magic: int
    quantum: int  # bytes of the shortest instruction
    functions: int
    text: int  # 0 where the file doesn't say
    names: int
    units: int
    files: int
    numbers: int
    rows: int


class Table:
    """One module's; holds the table's bytes."""

    def __init__(self, data: bytes, header: _Header, shown: str) -> None:
        """Addresses are distances until they are placed. Raises BinaryError for a table that doesn't fit."""
        self._data, self._header, self._shown = data, header, shown
        width = 8 if header.magic == _MAGIC_116 else 4
        end = header.rows + (2 * header.functions + 1) * width
        if header.rows % 4 or len(data) < end:
            raise BinaryError(f"{shown} is damaged: its table of functions is cut")
        self._paths = data[header.files : header.numbers]
        rows = array("Q" if width == 8 else "I", data[header.rows : end])
        self.absolute = width == 8
        self._starts = array("Q", rows[0::2])  # and the end of the last
        self._records = [header.rows + at + (width & 8) // 2 for at in rows[1::2]]  # so that fields lie alike in all
        if any(before > after for before, after in zip(self._starts, self._starts[1:])):  # noqa: B905 - neighbours
            raise BinaryError(f"{shown} is damaged: its table of functions isn't in order")

    def place(self, text: int) -> bool:
        """Addresses count from there; False, and nothing changes, where that can't be."""
        if not 0 < text < _ADDRESSES:
            return False
        self._starts = array("Q", [text + start for start in self._starts])
        return True

    @property
    def bounds(self) -> tuple[int, int]:
        """The first function's address, and the end of the last's."""
        return self._starts[0], self._starts[-1]

    def __len__(self) -> int:
        return self._header.functions

    def functions(self) -> Columns:
        """All functions, by address. Raises BinaryError where their names overlap."""
        words = memoryview(self._data)[: len(self._data) & ~3].cast("I")
        ats = [words[at // 4 + 1] if at // 4 + 1 < len(words) else 1 << 32 for at in self._records]
        tables = [words[at // 4 + 4] if at // 4 + 4 < len(words) else 0 for at in self._records]
        names = names_at(self._data[self._header.names : self._header.units], ats, self._shown)
        return self._starts[:-1], self._sizes(tables), [name.replace("·", ".") for name in names]  # as in .symtab

    def line(self, address: int) -> tuple[str, int] | None:
        """The source file, sanitised, and the line of what lies at an address; None where that isn't known."""
        row = bisect_right(self._starts, address) - 1
        if not 0 <= row < len(self) or self._records[row] + 36 > len(self._data):
            return None
        files, lines, _, unit = struct.unpack_from("<4I", self._data, self._records[row] + 20)
        distance = address - self._starts[row]
        file, line = (self._value(table, distance) for table in (files, lines))
        at = self._header.units + 4 * (unit + file)
        if file < 0 or line < 0 or at + 4 > self._header.files:
            return None
        (name,) = struct.unpack_from("<I", self._data, at)
        path = text_at(self._paths, name, _LONGEST_PATH)
        return (path, line) if path else None

    def _sizes(self, tables: Sequence[int]) -> list[int]:
        """How long each function is: as far as its table of stack heights goes, behind which there is padding."""
        sizes, known = [], {0: 0}
        left = min(len(self._data), _MOST_STEPS)  # so that tables which never end are given up together
        for start, end, table in zip(self._starts, self._starts[1:], tables, strict=False):
            if table not in known:
                reach = 0
                for reach, _ in self._steps(table):
                    left -= 1
                    if reach >= end - start or left < 0:
                        break
                known[table] = reach
            sizes.append(min(known[table] or end - start, end - start))
        return sizes

    def _value(self, table: int, distance: int) -> int:
        """What a table says of an instruction of a function; -1 where it says nothing."""
        return next((value for end, value in islice(self._steps(table), _MOST_VALUES) if distance < end), -1)

    def _steps(self, table: int) -> Iterator[tuple[int, int]]:
        """The values of a table of numbers, each with the distance at which it ends (runtime/symtab.go: step)."""
        data, at, quantum = self._data, self._header.numbers + table, self._header.quantum
        reach, value = 0, -1
        while table and at + 2 * _LONGEST_NUMBER <= len(data) and (data[at] or not reach):
            change, at = _number(data, at)
            length, at = _number(data, at)
            value += -(change + 1 >> 1) if change & 1 else change >> 1
            reach += length * quantum
            yield reach, value


def read(elf: ElfFile) -> Table | None:
    """The file's table; None where it has none that fits."""
    places = islice(_candidates(elf), _MOST_PLACES)
    begun = ((at, size, header) for at, size in places if (header := _header(elf.loaded(at, _HEADER.size), size)))
    for address, size, header in islice(begun, _MOST_TABLES):
        try:
            table = Table(elf.loaded(address, size), header, elf.shown)
        except BinaryError:
            continue
        return table if table.absolute or table.place(_text(elf, address, header, table.bounds)) else None
    return None


def _candidates(elf: ElfFile) -> Iterator[tuple[int, int]]:
    """Addresses at which a table may begin, and its largest size: by section, else by the magic number."""
    section = next((section for section in elf.sections if section.name.endswith(".gopclntab")), None)
    if section:
        yield section.address, min(section.size, _LARGEST)
    elif not elf.sections or elf.of_go():  # linkers put it among other data
        for magic in _MAGICS:
            for address in _search(elf, struct.pack("<IHBB", magic, 0, _QUANTA.get(elf.machine, 1), 8)):
                yield address, _LARGEST


def _search(elf: ElfFile, pattern: bytes) -> Iterator[int]:
    """Where 8 bytes stand in what is loaded, at addresses that eight divides."""
    left, hits = _MOST_SEARCHED, _MOST_HITS
    for segment in elf.segments:
        for start in range(-segment.address % 8, segment.file_size, _CHUNK):
            data = elf.bytes_at(segment.offset + start, min(_CHUNK, segment.file_size - start))
            left -= len(data)
            at = data.find(pattern)
            while at >= 0 and left >= 0 and hits:
                if at % 8 == 0:
                    yield segment.address + start + at
                hits -= 1
                at = data.find(pattern, at + 1)
            if left < 0 or not hits:
                return


def _header(data: bytes, size: int) -> _Header | None:
    """The header if it is one, with its parts in their order within the size."""
    if len(data) < _HEADER.size:
        return None
    magic, zeros, quantum, pointer, *words = _HEADER.unpack_from(data)
    if magic not in _MAGICS or zeros or quantum not in (1, 4) or pointer != 8:
        return None
    if magic == _MAGIC_116:
        words.insert(2, 0)
    functions, _, text, *parts = words[:8]
    if not 0 < functions <= _MOST_FUNCTIONS or parts != sorted(parts) or parts[-1] >= size:
        return None
    return _Header(magic, quantum, functions, text, *parts)


def _text(elf: ElfFile, address: int, header: _Header, bounds: tuple[int, int]) -> int:
    """What functions' addresses count from: by the record that points to the table, else by the header; or 0."""
    image = _Image(elf)
    for record in islice(image.pointers(address), _MOST_PLACES):
        word = [image.word(record + 8 * index) for index in range(_RECORD)]
        expected = address + header.names, word[_TEXT] + bounds[0], word[_TEXT] + bounds[1]
        if word[_TEXT] and (word[_NAMES], word[_FIRST], word[_LAST]) == expected:
            return word[_TEXT]
    return header.text


class _Image:
    """The file as it would be loaded at its own addresses: what some linkers leave to the loader is filled in."""

    def __init__(self, elf: ElfFile) -> None:
        self._elf = elf

    def pointers(self, address: int) -> Iterator[int]:
        """Where an address stands."""
        yield from _search(self._elf, struct.pack("<Q", address))
        yield from [place for place, value in self._filled_in.items() if value == address]

    def word(self, address: int) -> int:
        """The 8 bytes there; 0 where there is nothing."""
        return int.from_bytes(self._elf.loaded(address, 8), "little") or self._filled_in.get(address, 0)

    @cached_property
    def _filled_in(self) -> dict[int, int]:
        """What the loader puts where (Elf64_Rela: place, kind, value)."""
        found: dict[int, int] = {}
        left = 24 * _MOST_FILLED_IN
        for section in self._elf.sections:
            if section.kind == _RELA and (left := left - section.size) >= 0:
                words = array("Q", self._elf.contents(section)[: section.size // 24 * 24])
                rows = zip(words[0::3], words[1::3], words[2::3], strict=True)
                found.update((place, value) for place, kind, value in rows if kind in _RELATIVE)
        return found


def _number(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned number in base 128, and where the next begins; no more than 32 bits of it."""
    value = data[at]
    if value < 0x80:
        return value, at + 1
    value &= 0x7F
    for place in range(1, _LONGEST_NUMBER):
        more = data[at + place]
        value |= (more & 0x7F) << 7 * place
        if more < 0x80:
            break
    return value & 0xFFFFFFFF, at + place + 1
