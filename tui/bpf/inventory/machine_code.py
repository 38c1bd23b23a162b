"""What the kernel compiled a loaded program to (struct bpf_prog_info, include/uapi/linux/bpf.h, Linux 6.18)."""

import ctypes
import struct
from array import array
from typing import Final, NamedTuple

from tui.bpf import kernel

_INFO: Final = 232  # bytes of struct bpf_prog_info
_MOST: Final = 1 << 24  # bytes of code; the kernel's own limit is below
_LINES: Final = 1 << 20


class Part(NamedTuple):
    """A function of the program, or the program."""

    address: int
    code: bytes


class MachineCode(NamedTuple):
    """The functions, and the address at which each source line begins, in the order of `sources.Sources.lines`."""

    parts: tuple[Part, ...] = ()
    lines: tuple[int, ...] = ()


def machine_code_of(fd: int) -> MachineCode:
    """Of an open program; nothing of one that is interpreted, or where this user may not know. Raises OSError."""
    known = kernel.info(fd, _INFO)
    (size,) = struct.unpack_from("16xI", known)
    functions, sizes = struct.unpack_from("2I", known, 104)
    (lines,) = struct.unpack_from("I", known, 168)
    if not size or size > _MOST or functions != sizes or lines > _LINES:
        return MachineCode()
    code = ctypes.create_string_buffer(size)
    starts, places = array("Q", bytes(8 * functions)), array("Q", bytes(8 * lines))
    lengths = array("I", bytes(4 * sizes))
    wanted = bytearray(_INFO)
    struct.pack_into("I4xQ", wanted, 16, size, ctypes.addressof(code))
    struct.pack_into("2I2Q", wanted, 104, functions, sizes, starts.buffer_info()[0], lengths.buffer_info()[0])
    struct.pack_into("Q2I2I", wanted, 160, places.buffer_info()[0], lines, 0, 8, 0)
    kernel.info(fd, _INFO, bytes(wanted))
    if not any(starts) or sum(lengths) > size:  # addresses are hidden from this user
        return MachineCode()
    parts, at = [], 0
    for start, length in zip(starts, lengths, strict=True):
        parts.append(Part(start, code.raw[at : at + length]))
        at += length
    return MachineCode(tuple(parts), tuple(places))
