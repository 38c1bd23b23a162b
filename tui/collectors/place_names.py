"""Functions by name where uprobes are: "/usr/bin/bash:readline+4" for a file and an offset in it.

The kernel gives a file's path as text, seen from the root directory of whoever asks, and a container has files of its
own. So a file is looked for where the process that the probe is for, or who attached it, sees it; and only what is
known of the very file (device, inode, times) is kept.
"""

import os
from collections.abc import Iterable
from typing import Final

from tui.bpf.inventory.attachment import Attachment
from tui.elf import functions, modules, rooted
from tui.elf.ranges import Ranges
from tui.errors import BpfscopeError
from tui.text import sanitise

_MOST: Final = 20_000  # names that are kept
_DELETED: Final = " (deleted)"  # the kernel's word behind the path of a file that is no more
_File = tuple[int, int, int]


class PlaceNames:
    """Names that are known; a file's table of functions is read once for all places in it that are new."""

    def __init__(self) -> None:
        self._names: dict[tuple[_File, int], str] = {}
        self._unread: set[_File] = set()  # files that have no names for us

    def named(self, attachments: Iterable[Attachment], files: int) -> list[str]:
        """Where each is, in words; of at most so many files tables are read now: of the others the next time."""
        rows = list(attachments)
        if len(self._names) > _MOST:
            self._names.clear()
        seen = {each: _found(*each) for each in {_asked(each) for each in rows if each.file}}
        wanted: dict[_File, tuple[str, set[int]]] = {}
        for each in rows:
            found = seen.get(_asked(each))
            if found and found[1] not in self._unread and (found[1], each.offset) not in self._names:
                wanted.setdefault(found[1], (found[0], set()))[1].add(each.offset)
        for file, (path, offsets) in list(wanted.items())[:files]:
            self._learn(file, path, offsets)
        return [self._where(each, seen[_asked(each)]) if each.file else each.where for each in rows]

    def _learn(self, file: _File, path: str, offsets: set[int]) -> None:
        try:
            ranges = Ranges(functions.places(modules.of_file(path)))
        except (BpfscopeError, OSError):  # no ELF file, or one without names
            self._unread.add(file)
            return
        for offset in offsets:
            name = ranges.at(offset)
            behind = offset - ranges.start(offset) if name else 0
            self._names[file, offset] = name + (f"+{behind}" if behind else "")

    def _where(self, each: Attachment, found: tuple[str, _File] | None) -> str:
        name = self._names.get((found[1], each.offset)) if found else ""
        return f"{sanitise(each.file)}:{name}" if name else each.where


def _asked(each: Attachment) -> tuple[str, int]:
    """The file, and whose it is: of the process that the probe is for, or of who attached it."""
    return each.file, each.pid or (each.pids[0] if each.pids else 0)


def _found(file: str, pid: int) -> tuple[str, _File] | None:
    """The path by which we reach the file that this process calls so; None where there is none."""
    if file.endswith(_DELETED):
        return None
    root = f"/proc/{pid}/root"
    ours = not pid or file.startswith("/proc/") or not os.path.exists(root) or rooted.same(root)
    path = file if ours else f"{root}{file}"
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return path, (status.st_dev, status.st_ino, status.st_mtime_ns)
