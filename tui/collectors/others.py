"""Probes that are on already, of whomever: breakpoints in a process's memory that may be there."""

import os
import time
from typing import Final

from tui.bpf import uprobes
from tui.elf.names import Module

_FRESH: Final = 0.2  # seconds for which a list is good: listing takes some milliseconds
_GENERATIONS: Final = 64  # of parents


class Others:
    """Knows them as of when it is asked first, and anew where something isn't found."""

    def __init__(self) -> None:
        self._places: dict[tuple[bytes | tuple[int, int], int], set[int]] = {}
        self._listed = float("-inf")

    def probe(self, module: Module, offset: int, pid: int) -> bool:
        """Whether a probe is at this offset of a module's file, in this process."""
        return self._has(module, offset, pid) or (self._list() and self._has(module, offset, pid))

    def _has(self, module: Module, offset: int, pid: int) -> bool:
        names = (module.device, module.inode), os.fsencode(module.path)
        pids = {of for name in names for of in self._places.get((name, offset), ())}
        return 0 in pids or (bool(pids) and not pids.isdisjoint(_with_parents(pid)))

    def _list(self) -> bool:
        """Lists them, unless that was done just now."""
        if time.monotonic() - self._listed < _FRESH:
            return False
        self._places.clear()
        files: dict[bytes, bytes | tuple[int, int]] = {}
        for path, offset, pid, *_ in uprobes.listed():
            if path not in files:
                files[path] = _identity(path)
            self._places.setdefault((files[path], offset), set()).add(pid)
        self._listed = time.monotonic()
        return True


def _identity(path: bytes) -> bytes | tuple[int, int]:
    """The file's device and inode; of one that can't be found (deleted, in a container), the path."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return path
    return status.st_dev, status.st_ino


def _with_parents(pid: int) -> set[int]:
    """A process and those that it descends from, whose probes it was born with."""
    found = {pid}
    for _ in range(_GENERATIONS):
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                pid = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            break
        found.add(pid)
    return found - {0}
