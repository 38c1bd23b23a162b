"""Code as a process has it in memory, beside the file it was mapped from.

The kernel takes a probed instruction from the file, and leaves out mappings that may be written or are shared
(valid_vma in kernel/events/uprobes.c, 5.15 to 6.18). Where a program changed its code (a hot patch, a text relocation)
the probe would execute something else and take the change back when it goes; so these places are refused. So is a
breakpoint that isn't known to be another uprobe's: it may be a debugger's or the program's own, and a uprobe that goes
takes it along.
"""

import os
import time
from collections.abc import Callable, Iterable
from typing import Final

from tui.elf import modules
from tui.elf.names import Module
from tui.errors import BpfscopeError, NotPermitted, TargetError
from tui.owner import Owner

LENGTH: Final = 16  # bytes that an instruction takes at most, and one
CHANGED: Final = "the process has changed its code there: a probe would undo that"
BREAKPOINT: Final = "a breakpoint is there already that is no known probe's: a debugger's, or the program's own"
_BREAKPOINT: Final = 0xCC  # what a uprobe is in memory, on x86-64
_BRK: Final = b"\xa0\x00\x20\xd4"  # and on arm64: brk 5 (BRK64_OPCODE_UPROBES)
_WORDS: Final = os.uname().machine == "aarch64"  # whether instructions are words of 4 bytes
_NOP: Final = b"\x0f\x1f\x44\0\0"  # 6.18 turns one that is probed into a call
_CALL: Final = 0xE8
_PATIENCE: Final = 0.3  # seconds, in all: while the kernel puts a probe on or takes one off, bytes differ for a moment
_PAUSE: Final = 0.01
IsProbe = Callable[[Module, int, int], bool]  # whether a uprobe is at a file's offset, in a process


class Memory(Owner):
    """A process's code; owns what it is read through."""

    def __init__(self, pid: int, is_probe: IsProbe) -> None:
        """Raises TargetError, NotPermitted."""
        self._pid, self._is_probe, self._patience = pid, is_probe, _PATIENCE
        thread = modules.teller(pid)
        self._mappings = modules.mappings(thread)
        try:
            self._fd = os.open(f"/proc/{thread}/mem", os.O_RDONLY | os.O_CLOEXEC)
        except PermissionError:
            raise NotPermitted(f"cannot read the memory of process {pid}: it takes CAP_SYS_PTRACE") from None
        except OSError:
            raise TargetError(f"there is no process {pid}: `bpfscope ps` lists them") from None

    def refused(self, module: Module, offset: int, expected: bytes) -> str:
        """Why no probe may go to this offset of the module's file, which has these bytes there; empty: one may."""
        mappings = self._mappings.get((module.device, module.inode), ())
        covering = [each for each in mappings if 0 <= offset - each.offset < each.end - each.start]
        probed = [each for each in covering if not each.refused]
        if covering and not probed:
            return covering[0].refused
        for mapping in probed:
            length = min(len(expected), mapping.end - mapping.start - (offset - mapping.offset))
            address = mapping.start + offset - mapping.offset
            reason = self._changed(module, offset, address, expected[:length])
            while reason and self._patience > 0:
                time.sleep(_PAUSE)
                self._patience -= _PAUSE
                reason = self._changed(module, offset, address, expected[:length])
            if reason:
                return reason
        return ""

    def _changed(self, module: Module, offset: int, address: int, expected: bytes) -> str:
        """How memory differs from what the file has, but for other probes; empty: it doesn't."""
        there = self._read(address, len(expected))
        if len(there) < len(expected):  # unmapped meanwhile
            return ""
        rest, breakpoints = without_breakpoints(there, expected)
        if rest:
            rest = self._without_calls(address, rest, breakpoints, expected)
        if rest:
            return CHANGED
        return "" if all(self._is_probe(module, offset + at, self._pid) for at in breakpoints) else BREAKPOINT

    def _without_calls(self, address: int, rest: set[int], breakpoints: set[int], expected: bytes) -> set[int]:
        """Where bytes differ still if calls of the kernel's trampoline are left out."""
        areas = modules.trampolines(self._pid)
        for at in range(len(expected)):
            if _WORDS or not areas or not _NOP.startswith(expected[at : at + len(_NOP)]):
                continue
            code = self._read(address + at, len(_NOP))
            to = address + at + len(_NOP) + int.from_bytes(code[1:], "little", signed=True)
            if code[:1] == bytes([_CALL]) and any(to in area for area in areas):
                rest = rest - set(range(at, at + len(_NOP)))
                breakpoints -= set(range(at, at + len(_NOP)))
        return rest

    def _read(self, address: int, size: int) -> bytes:
        try:
            return os.pread(self._fd, size, address)
        except OSError:
            return b""

    def close(self) -> None:
        """Closes it; a second time is harmless."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def running(module: Module, is_probe: IsProbe, most: int = 256) -> Iterable[Memory]:
    """The memory of the processes that run a file now, `most` of them; those that can't be read are left out."""
    for entry in filter(str.isdecimal, os.listdir("/proc")):
        try:
            status = os.stat(f"/proc/{modules.teller(int(entry))}/exe")
            if (status.st_dev, status.st_ino) == (module.device, module.inode) and most:
                most -= 1
                yield Memory(int(entry), is_probe)
        except (OSError, BpfscopeError):
            continue


def without_breakpoints(there: bytes, expected: bytes) -> tuple[set[int], set[int]]:
    """Where memory differs from what the file has otherwise than by a breakpoint, and where by one; distances."""
    size, breakpoint_ = (len(_BRK), _BRK) if _WORDS else (1, bytes([_BREAKPOINT]))
    pieces = [at for at in range(0, len(there), size) if there[at : at + size] != expected[at : at + size]]
    found = {at for at in pieces if there[at : at + size] == breakpoint_}
    return set(pieces) - found, found
