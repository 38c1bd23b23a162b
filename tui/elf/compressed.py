"""Compressed sections of ELF files: today's kind, and Go's before 1.19."""

import struct
import zlib
from typing import Final

from tui.elf.reader import ElfFile, Section
from tui.errors import BinaryError

_COMPRESSED: Final = 0x800  # SHF_COMPRESSED
_ZLIB: Final = 1


def is_compressed(section: Section) -> bool:
    """Whether its bytes are to be expanded first."""
    return bool(section.flags & _COMPRESSED) or section.name.startswith(".z")


def expanded(elf: ElfFile, section: Section, most: int) -> bytes:
    """A section's content, at most so many bytes. Raises BinaryError, zlib.error, struct.error."""
    data = elf.contents(section)
    if not is_compressed(section):
        return data
    if data.startswith(b"ZLIB"):
        (kind, size), start = (_ZLIB, int.from_bytes(data[4:12], "big")), 12
    else:  # Elf64_Chdr: type, reserved, size, alignment
        (kind, size), start = struct.unpack_from("<I4xQ", data), 24
    if kind != _ZLIB or size > most:
        raise BinaryError("compressed by what isn't zlib" if kind != _ZLIB else "more than can be read here")
    return zlib.decompressobj().decompress(memoryview(data)[start:], size or 1)
