"""Machine code as instructions, by capstone's own C interface.

Capstone 5's Python module takes 100 ms to import, for constants of twenty machines; its library opens in one. Layouts
are those of cs_insn in capstone.h, 5.0; a test compares them with the Python module's.
"""

import ctypes
import os
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from tui.errors import NotSupported
from tui.owner import Owner

LONGEST: Final = 1 << 20  # bytes of code that are disassembled at once
_INSTRUCTION: Final = struct.Struct("<I4xQH24s32s160s14x")  # cs_insn: id, address, size, bytes, mnemonic, operands
_MACHINES: Final = {"x86_64": (3, 1 << 3), "aarch64": (1, 0)}  # CS_ARCH_X86, CS_MODE_64; CS_ARCH_ARM64
_OPTION_SKIP_DATA: Final = 5
_ON: Final = 3


class Instruction(NamedTuple):
    """One instruction; `known` is false for bytes that are none."""

    address: int
    code: bytes
    mnemonic: str  # "push", "jmp"; ".byte" for bytes that are no instruction
    operands: str  # "rbp", "0x401136", "qword ptr [rip + 0x2fe2]"
    known: bool

    @property
    def end(self) -> int:
        """The address after it."""
        return self.address + len(self.code)


class Disassembler(Owner):
    """Owns a capstone handle for this machine's code. Raises NotSupported where there is no capstone."""

    def __init__(self, machine: str = "") -> None:
        kind, mode = _MACHINES[machine or os.uname().machine]
        self._library = _library()
        self._handle = ctypes.c_size_t()
        if self._library.cs_open(kind, mode, ctypes.byref(self._handle)):
            raise NotSupported("capstone cannot disassemble this machine's code: install capstone 5 again")
        self._library.cs_option(self._handle, _OPTION_SKIP_DATA, _ON)

    def instructions(self, code: bytes, address: int, most: int = 0) -> Iterator[Instruction]:
        """What lies at an address, at most `most` instructions (0: all); bytes that are none come as ".byte"."""
        found = ctypes.c_void_p()
        number = self._library.cs_disasm(
            self._handle, code, min(len(code), LONGEST), address, most, ctypes.byref(found)
        )
        if not number:
            return
        rows = ctypes.string_at(found, number * _INSTRUCTION.size)
        self._library.cs_free(found, number)
        for known, at, size, text, mnemonic, operands in _INSTRUCTION.iter_unpack(rows):
            yield Instruction(at, text[:size], _text(mnemonic), _text(operands), bool(known))

    def close(self) -> None:
        """Closes the handle; a second time is harmless."""
        if self._handle.value:
            self._library.cs_close(ctypes.byref(self._handle))
            self._handle = ctypes.c_size_t()


def _text(field: bytes) -> str:
    return field[: field.index(0)].decode("ascii", "replace")


def _library() -> ctypes.CDLL:
    from importlib.util import find_spec

    found = find_spec("capstone")
    if found is None or found.origin is None:
        raise NotSupported("capstone is not installed: install bpfscope again, with what it depends on")
    try:
        library = ctypes.CDLL(f"{os.path.dirname(found.origin)}/lib/libcapstone.so")
    except OSError as error:
        raise NotSupported(f"capstone cannot be loaded: {error}") from None
    handle, size, pointer = ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p
    library.cs_disasm.argtypes = [handle, ctypes.c_char_p, size, ctypes.c_uint64, size, ctypes.POINTER(pointer)]
    library.cs_disasm.restype = size
    library.cs_free.argtypes = [pointer, size]
    library.cs_option.argtypes = [handle, ctypes.c_int, size]
    return library
