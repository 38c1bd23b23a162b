"""Which line of the source each instruction is from, as the compiler has noted it (.BTF.ext, see btf.rst).

The verifier's log says it only since 6.10; and libbcc tries again without BTF where the kernel says EINVAL, so that
such a log says nothing. libbcc doesn't give these sections away, but they lie in the memory of the process it is in.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

BTF: Final = struct.pack("<HBBI", 0xEB9F, 1, 0, 24)  # how the two begin: magic, version, flags, size of the header
EXTENSION: Final = struct.pack("<HBBI", 0xEB9F, 1, 0, 32)
_BTF: Final = struct.Struct("<4I")  # behind that: types' offset and size, texts' offset and size
_EXTENSION: Final = struct.Struct("<4I")  # functions' offset and size, lines' offset and size
_LARGEST: Final = 1 << 24
_RECORD: Final = 16  # bytes of struct bpf_line_info
_SECTION: Final = ".bpf.fn."  # bcc's names of sections


class Place(NamedTuple):
    """Where an instruction and those behind it are from."""

    instruction: int  # from 0
    line: int


def size(data: bytes) -> int:
    """How long one of the two is that begins here; 0 where it is damaged. The first 40 bytes are enough."""
    if len(data) < 40:
        return 0
    header = 24 if data.startswith(BTF) else 32
    first, first_size, second, second_size = _BTF.unpack_from(data, 8)
    end = header + max(first + first_size, second + second_size)
    return end if header < end < _LARGEST else 0


def places(btf: bytes, extension: bytes, function: str) -> list[Place]:
    """The places of a function's instructions, in their order; none where these sections don't tell."""
    _, _, texts, texts_size = _BTF.unpack_from(btf, 8)
    strings = btf[24 + texts : 24 + texts + texts_size]
    _, _, lines, lines_size = _EXTENSION.unpack_from(extension, 8)
    return list(_places(extension[32 + lines : 32 + lines + lines_size], strings, _SECTION + function))


def _places(data: bytes, strings: bytes, wanted: str) -> Iterator[Place]:
    if len(data) < 4 or (record := struct.unpack_from("<I", data)[0]) < _RECORD:
        return
    at = 4
    while at + 8 <= len(data):
        name, number = struct.unpack_from("<2I", data, at)
        at += 8
        if at + number * record > len(data):
            return
        if strings[name : name + len(wanted) + 1] == wanted.encode() + b"\0":
            for start in range(at, at + number * record, record):
                offset, _, _, line = struct.unpack_from("<4I", data, start)
                yield Place(offset // 8, line >> 10)
        at += number * record


def line_of(table: list[Place], instruction: int) -> int:
    """The line of an instruction; 0 where it isn't known. Of a line 0, the compiler's own, what is before counts."""
    return next((each.line for each in reversed(table) if each.instruction <= instruction and each.line), 0)
