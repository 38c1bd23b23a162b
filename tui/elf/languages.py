"""What a process is written in, told by its executable: good enough to choose by, not a proof.

With the version where a name, a path or a small part of the file tells: "go 1.27", "python 3.11", "java 17".
"""

import os
import re
import struct
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
_MOST_OF_NODE: Final = 1 << 24
_UNVERSIONED: Final = ("shell",)
_JAVA: Final = re.compile(r"/(?:java|jdk|jre)[-_]?(?:1\.)?(\d{1,2})\b")
_NODE: Final = re.compile(rb"node-v(\d{1,3})\.\d{1,3}\.\d{1,3}")
_RUST: Final = re.compile(rb"rustc version (\d{1,3}\.\d{1,4})")
_GO: Final = re.compile(rb"go(\d{1,2}\.\d{1,3})")
_GO_INFO: Final = (
    b"\xff Go buildinf:"  # debug/buildinfo; then a pointer's size, flags, two pointers; or text, from 1.18
)
_INLINE: Final = 2


class Languages:
    """Remembers the answer per executable, by device, inode and time of change."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, int], str] = {}

    def of_process(self, pid: int) -> str:
        """As "go 1.27", "c++", "python 3.11"; empty where the executable can't be read."""
        path = f"/proc/{pid}/exe"
        try:
            status = os.stat(path)
            link = os.readlink(path).removesuffix(" (deleted)")
        except OSError:
            return ""
        key = (status.st_dev, status.st_ino, status.st_mtime_ns)
        if key not in self._known:
            self._known[key] = _of_interpreter(path, link) or versioned(path)
        return self._known[key]


def _of_interpreter(path: str, link: str) -> str:
    """What an interpreter runs, by its name; empty for another program."""
    name = os.path.basename(link)
    bare = _VERSION.sub("", name)
    language = _INTERPRETERS.get(name) or _INTERPRETERS.get(bare, "")
    version = ".".join(name[len(bare) :].strip("-.").split(".")[:2])
    if language == "java" and (found := _JAVA.search(link)):
        version = found[1]
    elif language == "node":
        version = _version_of_node(path)
    return f"{language} {version}" if language and version and language not in _UNVERSIONED else language


def _version_of_node(path: str) -> str:
    """From the address of its headers, which it knows."""
    try:
        with ElfFile.open(path) as elf:
            found = _NODE.search(_start(elf, ".rodata", _MOST_OF_NODE))
    except BpfscopeError:
        return ""
    return found[1].decode() if found else ""


def of_file(path: str) -> str:
    """The language of an ELF file's code, without a version; empty for what isn't one."""
    return versioned(path).partition(" ")[0]


def versioned(path: str) -> str:
    """The same with the version where the file says it."""
    try:
        with ElfFile.open(path) as elf:
            return _language(elf)
    except BpfscopeError:
        return ""


def _language(elf: ElfFile) -> str:
    names = {section.name for section in elf.sections}
    if names & {".go.buildinfo", ".gopclntab", ".note.go.buildid"}:
        return _with("go", _GO.match(_version_of_go(elf)))
    comment = _start(elf, ".comment")
    if b"rustc version" in comment:
        return _with("rust", _RUST.search(comment))
    needed = _start(elf, ".dynstr")
    if b"libstdc++.so" in needed or b"libc++.so" in needed or b"__gxx_personality" in needed:
        return "c++"
    return "c"


def _with(language: str, version: "re.Match[bytes] | None") -> str:
    return f"{language} {version[1].decode()}" if version else language


def _version_of_go(elf: ElfFile) -> bytes:
    """As Go's linker writes it: "go1.27.3", "devel go1.28-…"; empty where it isn't there."""
    info = _start(elf, ".go.buildinfo")[:256]
    if len(info) < 34 or not info.startswith(_GO_INFO):
        return b""
    if info[15] & _INLINE:
        return info[33 : 33 + min(info[32], 127)]
    text, size = struct.unpack("<QQ", elf.loaded(struct.unpack_from("<Q", info, 16)[0], 16).ljust(16, b"\0"))
    return elf.loaded(text, min(size, 64))


def _start(elf: ElfFile, name: str, most: int = _MOST) -> bytes:
    """The beginning of a section; nothing where there is none."""
    section = elf.section(name)
    return elf.bytes_at(section.offset, min(section.size, most)) if section else b""
