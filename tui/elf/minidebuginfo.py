"""The symbols that Fedora and its kin leave in stripped files: an ELF file, compressed by xz, in .gnu_debugdata.

It names what .dynsym doesn't (gdb's manual, "Debugging information in a special section").
"""

import os
from typing import Final

from tui.elf.reader import ElfFile
from tui.errors import BinaryError

_MOST_PACKED: Final = 16 << 20  # bytes; Chromium's has 6 MB
_MOST_UNPACKED: Final = 64 << 20
_MOST_MEMORY: Final = 80 << 20  # for unpacking; `xz -9` asks for 65 MiB


def open_in(elf: ElfFile) -> ElfFile:
    """The file within the file. Raises BinaryError where there is none that is whole."""
    section = elf.section(".gnu_debugdata")
    if section is None or section.size > _MOST_PACKED:
        raise BinaryError(f"{elf.shown} has no .gnu_debugdata, or too much")
    shown = f"{elf.shown}'s .gnu_debugdata"
    unpacked = _unpacked(elf.contents(section), shown)
    fd = os.memfd_create("minidebuginfo", os.MFD_CLOEXEC)
    with open(fd, "wb", closefd=False) as file:
        file.write(unpacked)
    return ElfFile.taking(fd, shown)


def _unpacked(data: bytes, shown: str) -> bytes:
    import lzma

    unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, _MOST_MEMORY)
    try:
        unpacked = unpacker.decompress(data, _MOST_UNPACKED)
    except (lzma.LZMAError, MemoryError) as error:
        raise BinaryError(f"{shown} is damaged: {error}") from None
    if not unpacker.eof:
        raise BinaryError(f"{shown} is cut, or larger than {_MOST_UNPACKED >> 20} MiB")
    return unpacked
