"""ELF files of this machine's kind: header, segments, sections; every number checked before it is used.

    with ElfFile.open(path) as elf:
        for section in elf.sections: ...

Layouts are those of elf(5), 64-bit, little-endian. A damaged section table costs the sections, not the file. Read, not
mapped: a file that somebody truncates meanwhile would end this process by SIGBUS.
"""

import os
import struct
from collections.abc import Iterable, Sequence
from itertools import repeat
from operator import add
from typing import Final, NamedTuple, Self

from tui.elf import rooted
from tui.errors import BinaryError, NotPermitted, TargetError
from tui.owner import Owner
from tui.text import sanitise

SYMTAB: Final = 2
DYNSYM: Final = 11
_NOBITS: Final = 8
_PT_LOAD: Final = 1
_EXECUTABLE, _WRITABLE = 1, 2
X86_64: Final = "x86_64"
AARCH64: Final = "aarch64"
_MACHINES: Final = {62: X86_64, 183: AARCH64}  # e_machine
_HERE: Final = os.uname().machine
_MOST_HEADERS: Final = 65_536
_MOST_EXECUTABLE: Final = 64  # segments; linkers make one or two
_LONGEST_SECTION_NAME: Final = 255
_LONGEST_NAME: Final = 4096  # characters
_PORTION: Final = 250
_PRINTABLE: Final = bytes(range(0x20, 0x7F)) + b"\0"
_LARGEST: Final = 1 << 29  # bytes of a section; symbol tables of the largest programs have a tenth of that

_SEGMENT: Final = struct.Struct("<IIQQQQ16x")  # Elf64_Phdr: type, flags, offset, address, physical, file size
_SECTION: Final = struct.Struct("<IIQQQQI20x")  # Elf64_Shdr: name, type, flags, address, offset, size, link


class Segment(NamedTuple):
    """A part of the file that is loaded; numbers are bytes."""

    offset: int
    address: int
    file_size: int
    executable: bool
    writable: bool = False


class Section(NamedTuple):
    """A named part of the file; `link` is the index of a section it belongs to."""

    name: str
    kind: int
    address: int
    offset: int
    size: int
    link: int
    flags: int = 0


class ElfFile(Owner):
    """An open ELF file; a context manager."""

    def __init__(self, fd: int, shown: str) -> None:
        """Reads the headers; owns the descriptor. Raises BinaryError with `shown` as the file's name, OSError."""
        status = os.fstat(fd)
        self._fd, self._size, self.shown, self.identity = fd, status.st_size, shown, _identity(status)
        data = self.bytes_at(0, 64)
        if len(data) < 64 or data[:4] != b"\x7fELF":
            raise BinaryError(f"{shown} is not an ELF file: scripts have none, probe their interpreter instead")
        if data[4] != 2:
            raise BinaryError(f"{shown} is a 32-bit program: bpfscope probes 64-bit ones")
        self.type, machine = struct.unpack_from("<HH", data, 16)
        self.machine = _MACHINES.get(machine, "")
        if data[5] != 1 or (_HERE in _MACHINES.values() and self.machine != _HERE):
            raise BinaryError(f"{shown} is for another kind of machine")
        self.segments = self._read_segments(data)
        self.executable = [segment for segment in self.segments if segment.executable]
        if len(self.executable) > _MOST_EXECUTABLE:
            raise BinaryError(f"{shown} is damaged: it has {len(self.executable):,} executable segments")
        self.sections = self._read_sections(data)

    @classmethod
    def open(cls, path: str, shown: str = "") -> Self:
        """Opens a regular file. Raises BinaryError, NotPermitted, TargetError."""
        shown = shown or sanitise(path)
        try:
            fd = rooted.opened(path)
        except rooted.NotRegular:
            raise BinaryError(f"{shown} is not a regular file: name a program or a shared library") from None
        except PermissionError:
            raise NotPermitted(
                f"cannot read {shown}: run as root, or with CAP_DAC_READ_SEARCH and CAP_SYS_ADMIN"
            ) from None
        except (FileNotFoundError, ProcessLookupError):
            raise TargetError(f"{shown} is gone: the process ended or unloaded it") from None
        except OSError as error:
            raise BinaryError(f"cannot read {shown}: {error.strerror}") from None
        if os.fstat(fd).st_size == 0:
            os.close(fd)
            raise BinaryError(f"{shown} is empty: name a program or a shared library")
        return cls.taking(fd, shown)

    @classmethod
    def taking(cls, fd: int, shown: str) -> Self:
        """Of a file that is open, whose descriptor is closed where this fails. Raises BinaryError."""
        try:
            return cls(fd, shown)
        except OSError as error:
            os.close(fd)
            raise BinaryError(f"cannot read {shown}: {error.strerror}") from None
        except BaseException:
            os.close(fd)
            raise

    def bytes_at(self, offset: int, size: int) -> bytes:
        """At most `size` bytes; fewer at the end of the file."""
        return os.pread(self._fd, min(size, self._size - offset), offset) if 0 <= offset < self._size else b""

    def contents(self, section: Section) -> bytes:
        """A section's bytes. Raises BinaryError where it lies outside the file."""
        if section.kind == _NOBITS:
            return b""
        if section.size > _LARGEST:
            raise BinaryError(f"{self.shown} is damaged: its section {section.name} has {section.size:,} bytes")
        data = self.bytes_at(section.offset, section.size)
        if len(data) < section.size:
            raise BinaryError(f"{self.shown} is truncated: its section {section.name} lies past the end")
        return data

    def section(self, name: str) -> Section | None:
        """The first section of that name."""
        return next((section for section in self.sections if section.name == name), None)

    def of_go(self) -> bool:
        """Whether Go made it or a part of it, as far as its sections say."""
        return any(section.name.endswith((".gopclntab", ".go.buildinfo")) for section in self.sections)

    def file_offsets(self, addresses: Iterable[int]) -> list[int]:
        """Where executable addresses lie in the file; -1 for one that isn't in the file or not executable."""
        found = [-1] * len(addresses := list(addresses))
        for segment in self.executable:
            low, high, shift = segment.address, segment.address + segment.file_size, segment.offset - segment.address
            if addresses and low <= min(addresses) and max(addresses) < high:
                return list(map(shift.__add__, addresses))
            found = [a + shift if low <= a < high else was for a, was in zip(addresses, found, strict=True)]
        return found

    def loaded(self, address: int, size: int) -> bytes:
        """What the file has of the memory at a virtual address, at most `size` bytes; nothing outside its segments."""
        for segment in self.segments:
            at = address - segment.address
            if 0 <= at < segment.file_size:
                return self.bytes_at(segment.offset + at, min(size, segment.file_size - at))
        return b""

    def fileno(self) -> int:
        """The descriptor, which stays this object's."""
        return self._fd

    def close(self) -> None:
        """Closes the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _table(self, offset: int, entry: int, number: int, layout: struct.Struct) -> list[tuple[int, ...]]:
        """A table's entries, if it lies in the file."""
        if number == 0 or entry != layout.size or number > _MOST_HEADERS:
            return []
        data = self.bytes_at(offset, entry * number)
        return (
            [layout.unpack_from(data, at) for at in range(0, len(data), entry)] if len(data) == entry * number else []
        )

    def _read_segments(self, header: bytes) -> tuple[Segment, ...]:
        (offset,) = struct.unpack_from("<Q", header, 32)
        entry, number = struct.unpack_from("<HH", header, 54)
        table = self._table(offset, entry, number, _SEGMENT)
        if not table:
            raise BinaryError(f"{self.shown} is truncated or an object file: it has no program headers")
        found = []
        for kind, flags, start, address, _, size in table:
            if kind == _PT_LOAD:
                there = min(size, max(0, self._size - start))
                found.append(Segment(start, address, there, bool(flags & _EXECUTABLE), bool(flags & _WRITABLE)))
        return tuple(found)

    def _read_sections(self, header: bytes) -> tuple[Section, ...]:
        (offset,) = struct.unpack_from("<Q", header, 40)
        entry, number, names_index = struct.unpack_from("<HHH", header, 58)
        if offset == 0:
            return ()
        if number == 0:  # more than 65,279: the first entry's size says how many
            number = next((first[5] for first in self._table(offset, entry, 1, _SECTION)), 0)
        rows = self._table(offset, entry, number, _SECTION)
        if names_index == 0xFFFF and rows:
            names_index = rows[0][6]
        names_at = rows[names_index][4] if names_index < len(rows) else 0
        names_size = rows[names_index][5] if names_index < len(rows) else 0
        names = self.bytes_at(names_at, min(names_size, 1 << 24))
        return tuple(
            Section(text_at(names, name, _LONGEST_SECTION_NAME), kind, address, start, size, link, flags)
            for name, kind, flags, address, start, size, link in rows
        )


def _identity(status: os.stat_result) -> str:
    """Names this version of this file: a change of its content changes one of these."""
    numbers = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return "-".join(f"{number:x}" for number in numbers)


def text_at(table: bytes, offset: int, longest: int) -> str:
    """The zero-ended string at an offset of a string table, sanitised; at most `longest` bytes of it."""
    end = table.find(b"\0", offset, offset + longest)
    return sanitise(table[offset : end if end >= 0 else offset + longest].decode("utf-8", "surrogateescape"))


def names_at(table: bytes, offsets: Sequence[int], shown: str) -> list[str]:
    """The names at offsets of a string table, sanitised. Raises BinaryError for more than a linker makes."""
    most = 4 * len(table) + (1 << 20)  # names share endings only, so all of them together are about the table's size
    if not table.translate(None, _PRINTABLE):
        text = table.decode("ascii")
        ends = list(map(text.find, repeat("\0"), offsets, map(add, offsets, repeat(_LONGEST_NAME))))
        if -1 not in ends and sum(ends) - sum(offsets) <= most:
            return list(map(text.__getitem__, map(slice, offsets, ends)))
    names: list[str] = []
    for start in range(0, len(offsets), _PORTION):
        portion = [text_at(table, at, _LONGEST_NAME) for at in offsets[start : start + _PORTION]]
        most -= sum(map(len, portion))
        if most < 0:
            raise BinaryError(f"{shown} is damaged: its functions' names overlap")
        names += portion
    return names
