"""The functions of files by where they lie in them: to name addresses by.

    tables.hold(module)                 # while the process is there
    table = tables.of(module)           # whenever it is needed
    table.at(0x1139) if table else …

Tables are read when they are first asked for; until then the file is held open, so that it can be read when it was
deleted, or the process that maps it has gone.
"""

import os
from typing import Final

from tui.elf import functions, rooted
from tui.elf.names import Module
from tui.elf.ranges import Ranges
from tui.errors import BpfscopeError
from tui.owner import Owner

_MOST_OPEN: Final = 256  # files; the others are read only as long as their processes are there
_MOST_ROOTS: Final = 64

Identity = tuple[int, int]


def identity(module: Module) -> Identity:
    """A file's device and inode."""
    return module.device, module.inode


class Tables(Owner):
    """Owns descriptors of files whose tables haven't been asked for."""

    def __init__(self) -> None:
        self._open: dict[Identity, int] = {}
        self._read: dict[Identity, Ranges | None] = {}
        self._roots = {
            rooted.OURS: rooted.OURS
        }  # root directories of processes, and how they are reached when these have gone
        self._held: list[int] = []

    def hold(self, module: Module) -> None:
        """Opens the file, if need be and as long as there is room."""
        key = identity(module)
        if key in self._open or key in self._read or len(self._open) >= _MOST_OPEN:
            return
        try:
            self._hold_root(module.root)
            self._open[key] = rooted.opened(module.file)
        except OSError:  # it has gone, or is no file: nothing will be named
            return

    def of(self, module: Module) -> Ranges | None:
        """The names of the file's functions by offset; None where it can't be read as a file of functions."""
        key = identity(module)
        if key not in self._read:
            fd = self._open.pop(key, -1)
            try:
                file = module._replace(root=self._roots.get(module.root, module.root))
                file = file._replace(file=f"/proc/self/fd/{fd}") if fd >= 0 else file
                self._read[key] = Ranges(sorted(functions.places(file)))
            except BpfscopeError:
                self._read[key] = None
            finally:
                if fd >= 0:
                    os.close(fd)
        return self._read[key]

    def close(self) -> None:
        """Closes them; a second time is harmless."""
        while self._open:
            os.close(self._open.popitem()[1])
        while self._held:
            os.close(self._held.pop())

    def _hold_root(self, root: str) -> None:
        """Keeps a way to where debug files are looked for. Raises OSError."""
        if root in self._roots:
            return
        if rooted.same(root):
            self._roots[root] = rooted.OURS
        elif len(self._held) < _MOST_ROOTS:
            self._held.append(os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
            self._roots[root] = f"/proc/self/fd/{self._held[-1]}"
