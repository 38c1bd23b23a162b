"""ELF files of this machine's kind: header, segments, sections; every number checked before it is used.

    with ElfFile.open(path) as elf:
        for section in elf.sections: ...

Layouts are those of elf(5), 64-bit, little-endian. A damaged section table costs the sections, not the file.
"""

import mmap
import os
import stat
import struct
from typing import Final, NamedTuple, Self

from tui.errors import BinaryError, NotPermitted, TargetError
from tui.owner import Owner
from tui.text import sanitise

SYMTAB: Final = 2
DYNSYM: Final = 11
_NOBITS: Final = 8
_PT_LOAD: Final = 1
_EXECUTABLE: Final = 1
_MACHINES: Final = {"x86_64": (62, "x86-64"), "aarch64": (183, "arm64")}
_MOST_HEADERS: Final = 65_536


class Segment(NamedTuple):
    """A part of the file that is loaded; numbers are bytes."""

    offset: int
    address: int
    file_size: int
    executable: bool


class Section(NamedTuple):
    """A named part of the file; `link` is the index of a section it belongs to."""

    name: str
    kind: int
    address: int
    offset: int
    size: int
    link: int


class ElfFile(Owner):
    """An open ELF file, mapped; a context manager."""

    def __init__(self, data: mmap.mmap, shown: str) -> None:
        """Reads the headers. Raises BinaryError with `shown` as the file's name."""
        self.data, self.shown = data, shown
        if len(data) < 64 or data[:4] != b"\x7fELF":
            raise BinaryError(f"{shown} is not an ELF file: scripts have none, probe their interpreter instead")
        if data[4] != 2:
            raise BinaryError(f"{shown} is a 32-bit program: bpfscope probes 64-bit ones")
        expected = _MACHINES.get(os.uname().machine)
        self.type, machine = struct.unpack_from("<HH", data, 16)
        if data[5] != 1 or (expected and machine != expected[0]):
            raise BinaryError(f"{shown} is for another kind of machine")
        self.segments = self._read_segments()
        self.executable = [segment for segment in self.segments if segment.executable]
        self.sections = self._read_sections()

    @classmethod
    def open(cls, path: str, shown: str = "") -> Self:
        """Maps a regular file. Raises BinaryError, NotPermitted, TargetError."""
        shown = shown or sanitise(path)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        except PermissionError:
            raise NotPermitted(
                f"cannot read {shown}: run as root, or with CAP_DAC_READ_SEARCH and CAP_SYS_ADMIN"
            ) from None
        except FileNotFoundError:
            raise TargetError(f"{shown} is gone: the process ended or unloaded it") from None
        except OSError as error:
            raise BinaryError(f"cannot read {shown}: {error.strerror}") from None
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise BinaryError(f"{shown} is not a regular file: name a program or a shared library")
            if os.fstat(fd).st_size == 0:
                raise BinaryError(f"{shown} is empty: name a program or a shared library")
            data = mmap.mmap(fd, 0, prot=mmap.PROT_READ)
        except (OSError, ValueError) as error:
            raise BinaryError(f"cannot read {shown}: {error}") from None
        finally:
            os.close(fd)
        try:
            return cls(data, shown)
        except BinaryError:
            data.close()
            raise

    def bytes_at(self, offset: int, size: int) -> bytes:
        """At most `size` bytes; fewer at the end of the file."""
        return self.data[offset : offset + size] if 0 <= offset < len(self.data) else b""

    def contents(self, section: Section) -> bytes:
        """A section's bytes. Raises BinaryError where it lies outside the file."""
        if section.kind == _NOBITS:
            return b""
        if section.offset + section.size > len(self.data):
            raise BinaryError(f"{self.shown} is truncated: its section {section.name} lies past the end")
        return self.data[section.offset : section.offset + section.size]

    def section(self, name: str) -> Section | None:
        """The first section of that name."""
        return next((section for section in self.sections if section.name == name), None)

    def file_offset(self, address: int) -> int | None:
        """Where an executable address lies in the file; None where it isn't in the file or not executable."""
        for segment in self.executable:
            if segment.address <= address < segment.address + segment.file_size:
                return address - segment.address + segment.offset
        return None

    def close(self) -> None:
        """Unmaps the file."""
        self.data.close()

    def _table(self, offset: int, entry: int, number: int, smallest: int) -> list[int]:
        """Offsets of a table's entries, if it lies in the file."""
        if number == 0 or entry < smallest or number > _MOST_HEADERS or offset + entry * number > len(self.data):
            return []
        return [offset + entry * index for index in range(number)]

    def _read_segments(self) -> tuple[Segment, ...]:
        (offset,) = struct.unpack_from("<Q", self.data, 32)
        entry, number = struct.unpack_from("<HH", self.data, 54)
        table = self._table(offset, entry, number, 56)
        if not table:
            raise BinaryError(f"{self.shown} is truncated or an object file: it has no program headers")
        found = []
        for at in table:
            kind, flags, start, address, _, size = struct.unpack_from("<IIQQQQ", self.data, at)
            if kind == _PT_LOAD:
                found.append(
                    Segment(start, address, min(size, max(0, len(self.data) - start)), bool(flags & _EXECUTABLE))
                )
        return tuple(found)

    def _read_sections(self) -> tuple[Section, ...]:
        (offset,) = struct.unpack_from("<Q", self.data, 40)
        entry, number, names_index = struct.unpack_from("<HHH", self.data, 58)
        if offset == 0:
            return ()
        if number == 0 and offset + 64 <= len(self.data):  # more than 65,279: the first entry's size says how many
            (number,) = struct.unpack_from("<Q", self.data, offset + 32)
        rows = [struct.unpack_from("<IIQQQQI", self.data, at) for at in self._table(offset, entry, number, 64)]
        if names_index == 0xFFFF and rows:
            names_index = rows[0][6]
        names_at = rows[names_index][4] if names_index < len(rows) else 0
        names_size = rows[names_index][5] if names_index < len(rows) else 0
        names = self.bytes_at(names_at, min(names_size, 1 << 24))
        return tuple(
            Section(text_at(names, name), kind, address, start, size, link)
            for name, kind, _, address, start, size, link in rows
        )


def text_at(table: bytes, offset: int) -> str:
    """The zero-ended string at an offset of a string table, sanitised; empty where there is none."""
    end = table.find(b"\0", offset)
    return sanitise(table[offset : end if end >= 0 else None].decode("utf-8", "surrogateescape"))
