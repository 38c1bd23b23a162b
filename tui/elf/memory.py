"""Code as a process has it in memory, beside the file it was mapped from.

The kernel takes a probed instruction from the file, and leaves out mappings that may be written or are shared
(valid_vma in kernel/events/uprobes.c, 5.15 to 6.18). Where a program changed its code (a hot patch, a text relocation)
the probe would execute something else and take the change back when it goes; so these places are refused.
"""

import os
from collections.abc import Iterable
from typing import Final

from tui.elf import modules
from tui.elf.names import Module
from tui.errors import BpfscopeError, NotPermitted, TargetError
from tui.owner import Owner

LENGTH: Final = 16  # bytes that an instruction takes at most, and one
CHANGED: Final = "the process has changed its code there: a probe would undo that"
_BREAKPOINT: Final = 0xCC  # what a uprobe is in memory, on x86-64
_BRK: Final = b"\xa0\x00\x20\xd4"  # and on arm64: brk 5 (BRK64_OPCODE_UPROBES)
_WORDS: Final = os.uname().machine == "aarch64"  # whether instructions are words of 4 bytes
_NOP: Final = b"\x0f\x1f\x44\0\0"  # 6.18 turns one that is probed into a call
_CALL: Final = 0xE8


class Memory(Owner):
    """A process's code; owns what it is read through."""

    def __init__(self, pid: int) -> None:
        """Raises TargetError, NotPermitted."""
        thread, self._mappings = pid, modules.mappings(pid)
        try:
            if not self._mappings:  # its main thread has ended: only the others have memory
                thread = max(map(int, os.listdir(f"/proc/{pid}/task")))
                self._mappings = modules.mappings(thread)
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
            try:
                there = os.pread(self._fd, length, mapping.start + offset - mapping.offset)
            except OSError:  # unmapped meanwhile
                continue
            if len(there) == length and not _same(there, expected[:length]):
                return CHANGED
        return ""

    def close(self) -> None:
        """Closes it; a second time is harmless."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def running(module: Module, most: int = 256) -> Iterable[Memory]:
    """The memory of the processes that run a file now, `most` of them; those that can't be read are left out."""
    for entry in filter(str.isdecimal, os.listdir("/proc")):
        try:
            status = os.stat(f"/proc/{entry}/exe")
            if (status.st_dev, status.st_ino) == (module.device, module.inode) and most:
                most -= 1
                yield Memory(int(entry))
        except (OSError, BpfscopeError):
            continue


def _same(there: bytes, expected: bytes) -> bool:
    """Whether memory has what the file has, but for breakpoints, which other probes are."""
    if there == expected:
        return True
    if _WORDS:
        pieces = range(0, len(there), len(_BRK))
        return all(there[at : at + 4] in (expected[at : at + 4], _BRK) for at in pieces)
    if expected.startswith(_NOP) and there[:1] == bytes([_CALL]):
        there, expected = there[len(_NOP) :], expected[len(_NOP) :]
    return all(now in (was, _BREAKPOINT) for now, was in zip(there, expected, strict=True))
