"""What a process is written in, told by its executable: good enough to choose by, not a proof."""

import os
import re
from typing import Final

from tui.elf.reader import ElfFile
from tui.errors import BpfscopeError

_INTERPRETERS: Final = {
    "python": "python", "node": "node", "nodejs": "node", "java": "java", "ruby": "ruby", "perl": "perl",
    "php": "php", "php-fpm": "php", "lua": "lua", "luajit": "lua", "bash": "shell", "dash": "shell", "sh": "shell",
    "zsh": "shell", "busybox": "shell", "beam.smp": "erlang", "dotnet": "dotnet", "deno": "deno", "bun": "bun",
}  # fmt: skip
_VERSION: Final = re.compile(r"[-0-9.]+$")
_MOST: Final = 1 << 20  # bytes of a section that are searched


class Languages:
    """Remembers the answer per executable, by device, inode and time of change."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, int], str] = {}

    def of_process(self, pid: int) -> str:
        """One of "go", "c++", "python", …; empty where the executable can't be read."""
        path = f"/proc/{pid}/exe"
        try:
            status = os.stat(path)
            name = os.path.basename(os.readlink(path)).removesuffix(" (deleted)")
        except OSError:
            return ""
        key = (status.st_dev, status.st_ino, status.st_mtime_ns)
        if key not in self._known:
            self._known[key] = _INTERPRETERS.get(name) or _INTERPRETERS.get(_VERSION.sub("", name)) or of_file(path)
        return self._known[key]


def of_file(path: str) -> str:
    """The language of an ELF file's code; empty for what isn't one."""
    try:
        with ElfFile.open(path) as elf:
            return _language(elf)
    except BpfscopeError:
        return ""


def _language(elf: ElfFile) -> str:
    sections = {section.name: section for section in reversed(elf.sections)}
    if ".go.buildinfo" in sections or ".gopclntab" in sections or ".note.go.buildid" in sections:
        return "go"

    def start(name: str) -> bytes:
        section = sections.get(name)
        return elf.bytes_at(section.offset, min(section.size, _MOST)) if section else b""

    if b"rustc version" in start(".comment"):
        return "rust"
    needed = start(".dynstr")
    if b"libstdc++.so" in needed or b"libc++.so" in needed or b"__gxx_personality" in needed:
        return "c++"
    return "c"
