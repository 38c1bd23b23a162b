"""Programs, maps, links and BTF as the kernel describes them (struct bpf_prog_info, bpf_map_info, bpf_link_info and
bpf_btf_info, include/uapi/linux/bpf.h, Linux 6.18).

Numbers are the kernel's, names are sanitised. Whatever ends between being listed and being asked is left out.
Listing needs CAP_SYS_ADMIN (bpf(2)); the errors raised are NotPermitted and NotSupported.
"""

import contextlib
import ctypes
import os
import struct
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, Self, TypeVar

from tui.bpf import kernel
from tui.bpf.objects import refusal
from tui.errors import TargetError
from tui.text import sanitise

_PROGRAM: Final = struct.Struct("2I8s2I3Q2IQ16s2I2Q2I2Q2IQ2I2Q4IQ3Q3I4x")
_MAP: Final = struct.Struct("6I16s2I2Q4IQ")
_LINK: Final = struct.Struct("3I")
_BTF: Final = struct.Struct("Q2IQ2I")
_MOST_MAPS: Final = 64  # of a program (MAX_USED_MAPS, kernel/bpf/verifier.c)
_LONGEST_NAME: Final = 64  # bytes of a BTF object's: "vmlinux", or a module's

Described = TypeVar("Described")


class Program(NamedTuple):
    """A loaded program."""

    id: int
    type: int  # enum bpf_prog_type, see kinds.program_type
    name: str  # at most 15 characters; "" where whoever loaded it gave none
    tag: str  # what its instructions hash to, hexadecimal
    uid: int  # who loaded it
    loaded_ns: int  # when, by CLOCK_BOOTTIME
    jited: int  # bytes of machine code; 0 where it is interpreted, or this user may not know
    translated: int  # bytes of its instructions as the verifier left them
    verified: int  # instructions that the verifier walked through (5.16)
    btf_id: int  # 0: none
    runs: int  # while statistics were on
    run_time_ns: int
    misses: int  # times that it was passed over since one ran on that CPU already (5.12)
    maps: int  # how many it uses
    attach_btf_id: int  # of fentry, LSM and their like: the kernel's function or hook, as a type of the next
    attach_btf_object: int  # the BTF that this type is of

    @classmethod
    def of(cls, fd: int) -> Self:
        """Of an open program. Raises OSError."""
        fields = _PROGRAM.unpack(kernel.info(fd, _PROGRAM.size))
        kind, number, tag, jited, translated, _, _, loaded, uid, maps, _, name = fields[:12]
        btf = fields[20]
        run_time, runs, misses, verified, attach_object, attach = fields[-6:]
        return cls(
            number, kind, _text(name), tag.hex(), uid, loaded, jited, translated, verified, btf, runs, run_time, misses,
            maps, attach, attach_object,
        )  # fmt: skip


class Map(NamedTuple):
    """A map."""

    id: int
    type: int  # enum bpf_map_type, see kinds.map_type
    key_size: int  # bytes
    value_size: int  # bytes; of a per-CPU map, of each CPU's, which user space sees rounded up to 8
    entries: int  # at most
    flags: int
    name: str
    btf_id: int  # 0: nothing is known of its types
    btf_key_type: int
    btf_value_type: int
    btf_vmlinux_value_type: int  # of struct_ops: a type of the kernel's own BTF, or of a module's
    btf_vmlinux_id: int = 0  # which

    @classmethod
    def of(cls, fd: int) -> Self:
        """Of an open map. Raises OSError."""
        kind, number, key, value, entries, flags, name, _, vmlinux_value, _, _, *rest = _MAP.unpack(
            kernel.info(fd, _MAP.size)
        )
        btf, btf_key, btf_value, vmlinux, _ = rest
        sizes = (key, value, entries, flags)
        return cls(number, kind, *sizes, _text(name), btf, btf_key, btf_value, vmlinux_value, vmlinux)


class Link(NamedTuple):
    """What holds a program where it is attached."""

    id: int
    type: int  # enum bpf_link_type, see kinds.link_type
    program: int  # its number; 0: of a struct_ops map, say
    raw: bytes  # the whole of struct bpf_link_info: what follows depends on the type

    @classmethod
    def of(cls, fd: int) -> Self:
        """Of an open link. Raises OSError."""
        raw = kernel.info(fd, kernel.LINK_INFO)
        kind, number, program = _LINK.unpack_from(raw)
        return cls(number, kind, program, raw)


def programs() -> Iterator[Program]:
    """All programs by number."""
    return _all(kernel.PROG_GET_NEXT_ID, kernel.PROG_GET_FD_BY_ID, Program.of)


def maps() -> Iterator[Map]:
    """All maps by number."""
    return _all(kernel.MAP_GET_NEXT_ID, kernel.MAP_GET_FD_BY_ID, Map.of)


def links() -> Iterator[Link]:
    """All links by number (5.8)."""
    return _all(kernel.LINK_GET_NEXT_ID, kernel.LINK_GET_FD_BY_ID, Link.of)


@contextlib.contextmanager
def program(number: int) -> Iterator[int]:
    """A program's file descriptor by its number. Raises TargetError where there is none, NotPermitted."""
    with _opened(kernel.PROG_GET_FD_BY_ID, number, "program") as fd:
        yield fd


@contextlib.contextmanager
def map_of(number: int) -> Iterator[int]:
    """A map's file descriptor by its number. Raises TargetError where there is none, NotPermitted."""
    with _opened(kernel.MAP_GET_FD_BY_ID, number, "map") as fd:
        yield fd


def maps_of(fd: int) -> list[int]:
    """The numbers of the maps that an open program uses. Raises OSError."""
    numbers = (ctypes.c_uint32 * _MOST_MAPS)()
    wanted = struct.pack("52xIQ", len(numbers), ctypes.addressof(numbers))
    (found,) = struct.unpack_from("52xI", kernel.info(fd, _PROGRAM.size, wanted))
    return list(numbers[: min(found, _MOST_MAPS)])


def instructions_of(fd: int) -> bytes:
    """An open program's instructions as the verifier left them, maps by number; b"" where this user may not see them.

    Raises OSError.
    """
    (size,) = struct.unpack_from("20xI", kernel.info(fd, _PROGRAM.size))
    code = ctypes.create_string_buffer(size)
    kernel.info(fd, _PROGRAM.size, struct.pack("20xI8xQ", size, ctypes.addressof(code)))
    return code.raw if any(code.raw) else b""


def btf_of(number: int) -> tuple[str, bytes]:
    """A BTF object by its number: its name ("" of a program's own) and its bytes. Raises TargetError, NotPermitted."""
    with _opened(kernel.BTF_GET_FD_BY_ID, number, "BTF object") as fd:
        size = _BTF.unpack(kernel.info(fd, _BTF.size))[1]
        data, name = ctypes.create_string_buffer(size), ctypes.create_string_buffer(_LONGEST_NAME)
        wanted = _BTF.pack(ctypes.addressof(data), size, 0, ctypes.addressof(name), _LONGEST_NAME, 0)
        kernel.info(fd, _BTF.size, wanted)
        return _text(name.raw), data.raw


def _text(name: bytes) -> str:
    return sanitise(name.split(b"\0")[0].decode("utf-8", "replace"))


def _all(following: int, opening: int, describe: Callable[[int], Described]) -> Iterator[Described]:
    try:
        for number in kernel.ids(following):
            try:
                fd = kernel.by_id(opening, number)
            except (FileNotFoundError, BlockingIOError):  # ended meanwhile; or a link that only begins
                continue
            try:
                yield describe(fd)
            finally:
                os.close(fd)
    except OSError as error:
        raise refusal(error, "list what BPF there is") from None


@contextlib.contextmanager
def _opened(command: int, number: int, noun: str) -> Iterator[int]:
    try:
        fd = kernel.by_id(command, number)
    except FileNotFoundError:
        raise TargetError(f"there is no {noun} {number}, or no longer: list what there is") from None
    except OSError as error:
        raise refusal(error, f"open {noun} {number}") from None
    try:
        yield fd
    finally:
        os.close(fd)
