"""The symbols that were stripped from a file and put into another one, as debug packages have them.

    with ExitStack() as stack:
        if debug := debug_files.find(elf, module): stack.enter_context(debug)

Looked for as gdb does (its manual, "Debugging Information in Separate Files"): by build-id under /usr/lib/debug, and
by the name in .gnu_debuglink beside the file, in .debug there, and under /usr/lib/debug. All of it below the root
directory of the process that maps the file. A debug file is believed if its build-id is the file's, or, where that has
none, its checksum what the link says; and if it belongs to whom the file does, to root or to this user, since wrong
addresses would put probes into the midst of instructions.
"""

import os
import stat
import struct
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Final

from tui.elf import rooted
from tui.elf.names import Module
from tui.elf.reader import SYMTAB, ElfFile
from tui.errors import BpfscopeError

_FOLDER: Final = "/usr/lib/debug"
_NOTE: Final = struct.Struct("<III")  # Elf64_Nhdr: sizes of name and content, type
_BUILD_ID: Final = 3  # NT_GNU_BUILD_ID
_MOST_NOTES: Final = 1 << 16  # bytes
_LONGEST_NAME: Final = 255
_LARGEST: Final = 1 << 30  # bytes of a file whose checksum is computed
_CHUNK: Final = 1 << 20


def find(elf: ElfFile, module: Module) -> ElfFile | None:
    """The open file with the symbols that the module's has lost; None where there is none that can be trusted."""
    own, link = build_id(elf), _link(elf)
    owners = {0, os.geteuid(), os.fstat(elf.fileno()).st_uid}
    real = os.path.realpath(module.path) if module.root == rooted.OURS else module.path
    for path in _paths(own, link[0] if link else "", os.path.dirname(real)):
        with suppress(OSError, BpfscopeError), ExitStack() as stack:
            fd = rooted.open_regular(module.root, path)
            found = stack.enter_context(ElfFile.taking(fd, f"{module.path}'s debug file"))
            if _fits(found, own, link[1] if link else -1, owners):
                stack.pop_all()
                return found
    return None


def build_id(elf: ElfFile) -> bytes:
    """What names this build of the file; empty where it has no such note."""
    section = elf.section(".note.gnu.build-id")
    data = elf.bytes_at(section.offset, min(section.size, _MOST_NOTES)) if section else b""
    while len(data) >= _NOTE.size:
        name, size, kind = _NOTE.unpack_from(data)
        start = _NOTE.size + (name + 3 & ~3)
        if kind == _BUILD_ID and data[_NOTE.size : _NOTE.size + name] == b"GNU\0":
            return data[start : start + size]
        data = data[start + (size + 3 & ~3) :]
    return b""


def _link(elf: ElfFile) -> tuple[str, int] | None:
    """The name and the checksum in .gnu_debuglink."""
    section = elf.section(".gnu_debuglink")
    data = elf.bytes_at(section.offset, min(section.size, _LONGEST_NAME + 8)) if section else b""
    name = data.split(b"\0", 1)[0]
    at = len(name) + 4 & ~3
    if not name or b"/" in name or name in (b".", b"..") or at + 4 > len(data):
        return None
    return os.fsdecode(name), int.from_bytes(data[at : at + 4], "little")


def _paths(build_id: bytes, name: str, folder: str) -> Iterator[str]:
    if len(build_id) > 1:
        yield f"{_FOLDER}/.build-id/{build_id[:1].hex()}/{build_id[1:].hex()}.debug"
    if name:
        yield from (f"{folder}/{name}", f"{folder}/.debug/{name}", f"{_FOLDER}{folder}/{name}")


def _fits(found: ElfFile, own: bytes, checksum: int, owners: set[int]) -> bool:
    status = os.fstat(found.fileno())
    if status.st_uid not in owners or status.st_mode & stat.S_IWOTH:
        return False
    if not any(section.kind == SYMTAB for section in found.sections):
        return False
    return build_id(found) == own if own else _checksum(found) == checksum


def _checksum(file: ElfFile) -> int:
    """CRC-32 of the whole file."""
    import zlib

    value = 0
    for start in range(0, _LARGEST, _CHUNK):
        if not (data := file.bytes_at(start, _CHUNK)):
            break
        value = zlib.crc32(data, value)
    return value
