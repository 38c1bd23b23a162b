"""What a file says for the unwinder: which code has one frame, where exceptions land in it, and how high its stack is.

What compilers make has such records (.eh_frame, found by the sorted table in .eh_frame_hdr); code that was written by
hand often hasn't. Layouts are those of the LSB ("Exception Frames") and of GCC's unwind-dw2-fde and unwind-pe.h.
Damaged records are as good as none.
"""

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from tui.elf.reader import ElfFile

_HEADER: Final = bytes((1, 0x1B, 0x03, 0x3B))  # version; what linkers write: the table's numbers, from its section on
_ENTRY: Final = struct.Struct("<ii")  # where code begins, and its record
_LARGEST: Final = 1 << 16  # bytes of a record
_MOST_TABLE: Final = 1 << 26
_MOST_PADS: Final = 1 << 16  # bytes of a list of call sites
_FIXED: Final = {0: "<Q", 2: "<H", 3: "<I", 4: "<Q", 0xA: "<h", 0xB: "<i", 0xC: "<q"}  # DW_EH_PE_*, of a fixed size
_ULEB128, _SLEB128, _OMITTED = 1, 9, 0xFF
_PC_RELATIVE, _INDIRECT = 0x10, 0x80
_NO_EXCEPTIONS: Final = 0
# Instructions (DW_CFA_*): some have a number in their lower six bits.
_ADVANCE: Final = 1  # in the upper two
_ADVANCES: Final[dict[int, Callable[["_Cursor"], int]]] = {
    2: lambda cursor: cursor.byte(), 3: lambda cursor: cursor.number(2), 4: lambda cursor: cursor.number(3),
}  # fmt: skip
_REMEMBER, _RESTORE, _DEFINE, _DEFINE_REGISTER, DEFINE_OFFSET, _DEFINE_EXPRESSION = range(0x0A, 0x10)
_OPERANDS: Final = {  # of those that tell where registers are: numbers, and whether a block follows
    **dict.fromkeys((0x00, 0xC0, 0x2D), (0, False)),
    **dict.fromkeys((0x80, 0x06, 0x07, 0x08, 0x2E), (1, False)),
    **dict.fromkeys((0x05, 0x09, 0x11, 0x14, 0x15), (2, False)),
    _DEFINE_EXPRESSION: (0, True),
    **dict.fromkeys((0x10, 0x16), (1, True)),
}


class Frame(NamedTuple):
    """Code that has one record, by virtual addresses, and the address of what is known about its exceptions, or 0."""

    start: int
    end: int
    exceptions: int


class Height(NamedTuple):
    """How far above a register the stack was before the call (DWARF's canonical frame address)."""

    register: int  # DWARF's number: on x86-64 7 is RSP, 6 RBP
    offset: int  # bytes


class Common(NamedTuple):
    """What records share that point to the same one (CIE)."""

    code: int  # how addresses of code are written: DW_EH_PE_*
    sized: bool  # a size and what is known about exceptions come before a record's instructions
    signal: bool  # a signal's handler returns to such code
    height: Height | None  # before the first of a record's own instructions


class _Cursor:
    """Reads numbers one after the other. Raises IndexError, struct.error, ValueError for damaged ones."""

    def __init__(self, data: bytes, address: int, at: int = 0) -> None:
        self._data, self._address, self.at = data, address, at

    def byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]

    def uleb(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
            if shift > 63:
                raise ValueError

    def pass_block(self) -> None:
        """Passes over as many bytes as it says first."""
        size = self.uleb()
        self.at += size

    def text(self) -> bytes:
        end = self._data.index(0, self.at)
        found, self.at = self._data[self.at : end], end + 1
        return found

    def number(self, encoding: int) -> int:
        """A number of an encoding; one that is an address relative to itself is made absolute."""
        here, kind = self._address + self.at, encoding & 0x0F
        if kind in (_ULEB128, _SLEB128):
            value = self.uleb()
        else:
            layout = struct.Struct(_FIXED[kind])
            (value,) = layout.unpack_from(self._data, self.at)
            self.at += layout.size
        if encoding & 0x70 == _PC_RELATIVE and value:
            value += here
        return value & 0xFFFF_FFFF_FFFF_FFFF


class Unwinding:
    """The records of one file."""

    def __init__(self, elf: ElfFile) -> None:
        """Reads the table; raises nothing."""
        self._elf = elf
        self._starts: list[int] = []
        self._records: list[int] = []
        section = elf.section(".eh_frame_hdr")
        head = elf.loaded(section.address, 12) if section else b""
        if section is None or len(head) < 12 or head[:4] != _HEADER:
            return
        (number,) = struct.unpack_from("<I", head, 8)
        size = min(number * _ENTRY.size, section.size - 12, _MOST_TABLE) // _ENTRY.size * _ENTRY.size
        for start, record in _ENTRY.iter_unpack(_whole(elf.loaded(section.address + 12, max(0, size)))):
            self._starts.append(section.address + start)
            self._records.append(section.address + record)

    def common(self, address: int) -> Common | None:
        """That at an address; None for a damaged one."""
        try:
            data = self._record(address)
            if data[4:8] != bytes(4):
                return None
            code, _, sized = self._kinds(data)
            unit, first = self._instructions(data)
            height = _carried_out((first,), (len(data),), unit, 0)
            return Common(code, sized, b"S" in data[9 : data.index(0, 9)], height)
        except (IndexError, KeyError, ValueError, struct.error):
            return None

    def first_height(self, record: int) -> Height | None:
        """That of where a record's code begins, if it is given by a register."""
        try:
            return self._height(record, 0)
        except (IndexError, KeyError, ValueError, struct.error):
            return None

    def frame(self, address: int) -> Frame | None:
        """That of the code at an address, if there is one."""
        at = bisect_right(self._starts, address) - 1
        if at < 0:
            return None
        try:
            found = self._read(self._records[at])
        except (IndexError, KeyError, ValueError, struct.error):
            return None
        return found if found.start <= address < found.end else None

    def height(self, address: int) -> Height | None:
        """That of the code at an address, if it is given by a register there."""
        frame = self.frame(address)
        if frame is None:
            return None
        try:
            return self._height(self._records[bisect_right(self._starts, address) - 1], address - frame.start)
        except (IndexError, KeyError, ValueError, struct.error):
            return None

    def landing_pads(self, frame: Frame) -> list[int]:
        """The addresses to which an exception may lead in this code."""
        if not frame.exceptions:
            return []
        try:
            return list(self._pads(frame))
        except (IndexError, KeyError, ValueError, struct.error):
            return []

    def _read(self, address: int) -> Frame:
        """The record (FDE) at an address. Raises IndexError, KeyError, ValueError, struct.error where it is damaged."""
        data = self._record(address)
        (back,) = struct.unpack_from("<I", data, 4)
        code, exceptions, sized = self._kinds(self._record(address + 4 - back))
        cursor = _Cursor(data, address, 8)
        start = cursor.number(code)
        end = start + cursor.number(code & 0x0F)
        if sized:
            cursor.uleb()
        return Frame(start, end, _NO_EXCEPTIONS if exceptions == _OMITTED else cursor.number(exceptions))

    def _kinds(self, data: bytes) -> tuple[int, int, bool]:
        """How addresses are written, of code and of exceptions, in records of this common one (CIE)."""
        cursor = _Cursor(data, 0, 8)
        version = cursor.byte()
        augmentation = cursor.text()
        cursor.uleb()
        cursor.uleb()
        _ = cursor.byte() if version == 1 else cursor.uleb()
        code, exceptions = 0, _OMITTED
        if augmentation[:1] != b"z":
            return code, exceptions, False
        cursor.uleb()
        for letter in augmentation[1:]:
            if letter == ord("P"):
                cursor.number(cursor.byte() & 0x0F)
            elif letter == ord("L"):
                exceptions = cursor.byte()
            elif letter == ord("R"):
                code = cursor.byte()
        return code, exceptions, True

    def _record(self, address: int) -> bytes:
        (length,) = struct.unpack_from("<I", self._elf.loaded(address, 4))
        return self._elf.loaded(address, 4 + length) if length < _LARGEST else b""

    def _height(self, record: int, place: int) -> Height | None:
        """Carries out a record's instructions (DWARF 5, section 6.4.2), as far as they tell the height at a place."""
        data = self._record(record)
        (back,) = struct.unpack_from("<I", data, 4)
        common = self._record(record + 4 - back)
        code, _, sized = self._kinds(common)
        unit, first = self._instructions(common)
        own = _Cursor(data, record, 8)
        own.number(code)
        own.number(code & 0x0F)
        if sized:
            own.pass_block()
        return _carried_out((first, own), (len(common), len(data)), unit, place)

    def _instructions(self, common: bytes) -> tuple[int, _Cursor]:
        """What an advance by one stands for, in bytes of code, and where the instructions of a common record begin."""
        cursor = _Cursor(common, 0, 9)
        augmentation = cursor.text()
        unit = cursor.uleb()
        cursor.uleb()
        _ = cursor.byte() if common[8] == 1 else cursor.uleb()
        if augmentation[:1] == b"z":
            cursor.pass_block()
        return unit, cursor

    def _pads(self, frame: Frame) -> Iterator[int]:
        """Of what GCC and Clang write for their languages' exceptions (the LSDA's call sites)."""
        cursor = _Cursor(self._elf.loaded(frame.exceptions, _MOST_PADS), frame.exceptions)
        encoding = cursor.byte()
        base = frame.start if encoding == _OMITTED else cursor.number(encoding)
        if cursor.byte() != _OMITTED:
            cursor.uleb()
        encoding = cursor.byte()
        length = cursor.uleb()
        end = cursor.at + length
        while cursor.at < end:
            cursor.number(encoding)
            cursor.number(encoding)
            pad = cursor.number(encoding)
            cursor.uleb()
            if pad:
                yield base + pad


def _carried_out(programs: tuple[_Cursor, ...], ends: tuple[int, ...], unit: int, place: int) -> Height | None:
    """The height after the instructions that concern places up to this one; None where an expression gives it.

    Raises KeyError for instructions that compilers don't write.
    """
    height: Height | None = None
    kept: list[Height | None] = []
    at = 0
    for cursor, end in zip(programs, ends, strict=True):
        while cursor.at < end:
            code = cursor.byte()
            if code >> 6 == _ADVANCE or code in _ADVANCES:
                at += unit * (code & 0x3F if code >> 6 else _ADVANCES[code](cursor))
                if at > place:
                    return height
            elif code == _DEFINE:
                height = Height(cursor.uleb(), cursor.uleb())
            elif code == _DEFINE_REGISTER:
                height = Height(cursor.uleb(), height.offset if height else 0)
            elif code == DEFINE_OFFSET:
                height = Height(height.register if height else 0, cursor.uleb())
            elif code == _REMEMBER:
                kept.append(height)
            elif code == _RESTORE:
                height = kept.pop()
            else:
                numbers, block = _OPERANDS[code & 0xC0 or code]
                for _ in range(numbers):
                    cursor.uleb()
                if block:
                    cursor.pass_block()
                    height = None if code == _DEFINE_EXPRESSION else height
    return height


def _whole(data: bytes) -> bytes:
    return data[: len(data) // _ENTRY.size * _ENTRY.size]
