"""What stands at source lines, where their files can be read here.

The paths come from a binary, which may say anything: a file is read as the process sees it, below its root directory,
if it is a regular one, and only its first megabytes. One that is newer than the program may say something else than
what was compiled, so it isn't quoted.
"""

import os
from contextlib import suppress
from typing import Final

from tui.elf import rooted
from tui.elf.lines import Line
from tui.text import sanitise

NEWER: Final = "(the file is newer than the program)"
_MOST: Final = 4 << 20  # bytes of a file
_MOST_FILES: Final = 32
_LONGEST: Final = 200  # characters of a line


class Quotes:
    """Lines of the files that one program was made of; each file is read when it is first asked for."""

    def __init__(self, pid: int | None, program: str) -> None:
        """`program`: the path of the ELF file, as it can be opened. Of no process: paths mean our own files."""
        self._root = rooted.OURS if pid is None else f"/proc/{pid}/root"
        self._made = 0
        with suppress(OSError):
            self._made = os.stat(program).st_mtime_ns
        self._files: dict[str, tuple[bytes, ...]] = {}

    def at(self, line: Line) -> str:
        """What stands there, without what it is indented by; empty where that can't be told."""
        if line.file not in self._files:
            if len(self._files) == _MOST_FILES:
                return ""
            said, self._files[line.file] = self._read(line.file)
            if said:
                return said
        lines = self._files[line.file]
        found = lines[line.line - 1] if 0 < line.line <= len(lines) else b""
        return sanitise(found.decode("utf-8", "replace").strip().expandtabs(4)[:_LONGEST])

    def _read(self, path: str) -> tuple[str, tuple[bytes, ...]]:
        """The file's lines; or why there are none, if that is worth a word."""
        if not path.startswith("/"):
            return "", ()
        try:
            with open(rooted.open_regular(self._root, path), "rb") as file:
                if os.fstat(file.fileno()).st_mtime_ns > self._made:
                    return NEWER, ()
                return "", tuple(file.read(_MOST).split(b"\n"))
        except (OSError, ValueError):
            return "", ()
