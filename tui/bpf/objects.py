"""A compiled C program as plain data, and loading it: no bcc, no LLVM, some milliseconds.

Loaded(spec, sizes) creates the maps; its program(name, attach_type, constants) loads a program with that process's
constants in it, and its mapped(name) is an array as the kernel sees it.
"""

import binascii
import contextlib
import errno
import json
import mmap
import os
import struct
from collections.abc import Mapping
from typing import NamedTuple, Self

from tui.bpf import kernel
from tui.errors import BpfscopeError, NotPermitted, NotSupported
from tui.owner import Owner

_LD_IMM64 = 0x18
_MAP_INDEX = 1  # the source register of an ld_imm64 whose immediate is a map (BPF_PSEUDO_MAP_FD)


class MapSpec(NamedTuple):
    """A map as the C source declares it."""

    name: str
    kind: int
    key_size: int  # bytes
    value_size: int  # bytes
    entries: int
    flags: int


class ObjectSpec(NamedTuple):
    """Maps, and programs whose map references are indexes into them."""

    maps: tuple[MapSpec, ...]
    programs: dict[str, bytes]

    def to_json(self, key: str) -> str:
        """The text that `from_json` reads; `key` names what it was compiled from."""
        programs = {name: binascii.b2a_base64(code, newline=False).decode() for name, code in self.programs.items()}
        return json.dumps({"key": key, "maps": self.maps, "programs": programs}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, key: str | None = None) -> Self | None:
        """The object, or None where the text is damaged or, given a `key`, was compiled from something else."""
        try:
            data = json.loads(text)
            if key is not None and data["key"] != key:
                return None
            maps = tuple(MapSpec(str(name), *map(int, numbers)) for name, *numbers in data["maps"])
            programs = {str(n): binascii.a2b_base64(code, strict_mode=True) for n, code in data["programs"].items()}
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            return None
        return cls(maps, programs)


def patched(code: bytes, maps: list[int], constants: Mapping[str, int]) -> bytes:
    """The instructions with file descriptors for map indexes and values for magic numbers.

    A constant's magic number is its name, eight bytes of it repeated: "row" is 0x726f77726f77726f, as `magic` says.
    Raises ValueError for a constant that the code doesn't have.
    """
    result, missing = bytearray(code), set(constants)
    values = {magic(name): (name, value) for name, value in constants.items()}
    for at in range(0, len(result), 8):
        if result[at] != _LD_IMM64:
            continue
        low, high = struct.unpack_from("=I8xI", result, at + 4)[0], struct.unpack_from("=I", result, at + 12)[0]
        if result[at + 1] >> 4 == _MAP_INDEX:
            struct.pack_into("=i", result, at + 4, maps[low])
        elif (found := values.get(low | high << 32)) is not None:
            name, value = found
            missing.discard(name)
            struct.pack_into("=I", result, at + 4, value & 0xFFFFFFFF)
            struct.pack_into("=I", result, at + 12, value >> 32)
    if missing:
        raise ValueError(f"no constant {', '.join(sorted(missing))} in the program")
    return bytes(result)


def magic(name: str) -> int:
    """The number that stands for a constant in C: the letters of its name, repeated to eight bytes."""
    return int.from_bytes((name * 8).encode()[:8], "big")


class Loaded(Owner):
    """Owns the maps and programs of one object; leaving it closes them."""

    def __init__(self, spec: ObjectSpec, sizes: Mapping[str, int] | None = None) -> None:
        """Creates the maps, with `sizes` entries instead of what the source says. Raises NotPermitted, NotSupported."""
        self._spec = spec
        self._sizes = dict(sizes or {})
        self._maps: dict[str, int] = {}
        self._owned = contextlib.ExitStack()
        try:
            for each in spec.maps:
                entries = self._sizes.get(each.name, each.entries)
                fd = kernel.map_create(each.kind, each.key_size, each.value_size, entries, each.flags, each.name)
                self._owned.callback(os.close, fd)
                self._maps[each.name] = fd
        except OSError as error:
            self.close()
            raise refusal(error, "create a BPF map") from None

    def program(
        self, name: str, attach_type: int, constants: Mapping[str, int], kind: int = kernel.PROG_TYPE_KPROBE
    ) -> int:
        """Loads a program and returns its file descriptor, which stays ours. Raises NotPermitted, NotSupported."""
        code = patched(self._spec.programs[name], list(self._maps.values()), constants)
        try:
            fd = kernel.program_load(kind, attach_type, code, name)
        except OSError as error:
            log = verifier_log(kind, attach_type, code, name, error)
            raise refusal(error, f"load the program {name}", log) from None
        self._owned.callback(os.close, fd)
        return fd

    def map(self, name: str) -> int:
        """A map's file descriptor, which stays ours."""
        return self._maps[name]

    def mapped(self, name: str, *, writable: bool = False) -> "memoryview[int]":
        """An mmapable array's values as 8-byte cells, as the kernel sees them now."""
        spec = next(each for each in self._spec.maps if each.name == name)
        size = self._sizes.get(name, spec.entries) * spec.value_size
        protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        mapping = mmap.mmap(self._maps[name], -(-size // mmap.PAGESIZE) * mmap.PAGESIZE, mmap.MAP_SHARED, protection)
        view = memoryview(mapping)
        cells = view.cast("Q")[: size // 8]
        self._owned.callback(mapping.close)
        self._owned.callback(view.release)
        self._owned.callback(cells.release)
        return cells

    def close(self) -> None:
        """Closes everything; a second time is harmless."""
        self._owned.close()


def refusal(error: OSError, doing: str, log: str = "") -> BpfscopeError:
    """The kernel's refusal in words, with the remedy."""
    if error.errno in (errno.EPERM, errno.EACCES) and not log:
        return NotPermitted(
            f"Linux doesn't let this user {doing}: run as root, or with the capabilities CAP_BPF, CAP_PERFMON,"
            " CAP_SYS_PTRACE and CAP_SYS_ADMIN"
        )
    if error.errno in (errno.ENOMEM, errno.E2BIG, errno.EMFILE, errno.ENFILE):
        return BpfscopeError(f"cannot {doing}: {os.strerror(error.errno)}; ask for less at once")
    detail = f"; the verifier says: {log}" if log else ""
    return NotSupported(
        f"this kernel ({os.uname().release}) cannot {doing}: {error.strerror}{detail}; bpfscope needs 5.15"
    )


def verifier_log(kind: int, attach_type: int, code: bytes, name: str, error: OSError) -> str:
    """The last line of why a load failed. A log that overflows fails good programs, so it is asked for only then."""
    if error.errno not in (errno.EACCES, errno.EINVAL):
        return ""
    try:
        os.close(kernel.program_load(kind, attach_type, code, name, 1 << 20))
    except OSError as again:
        lines = str(again.filename or "").strip().splitlines()
        return lines[-2] if len(lines) > 1 else "".join(lines)
    return ""
