"""Small ELF files, made by hand: whatever a linker would never write as well.

    Elf(symbols=[Symbol("run", 0x1010)]).build()

Layout: header, program headers, code at 0x1000, then the sections' contents, then the section table.
"""

import os
import random
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tui.elf.names import Module

MACHINE: Final = {"x86_64": 62, "aarch64": 183}[os.uname().machine]
CODE_AT: Final = 0x1000
CODE: Final = (b"\x55\x48\x89\xe5\x5d\xc3" + b"\x90" * 10) * 16  # sixteen functions of 16 bytes
FUNC, OBJECT, IFUNC = 2, 1, 10
LOCAL, GLOBAL, WEAK = 0, 1, 2
TEXT, UNDEFINED, ABSOLUTE = 1, 0, 0xFFF1  # section indexes of symbols


class Symbol(NamedTuple):
    """An Elf64_Sym; `name` is in bytes where it isn't text."""

    name: str | bytes
    address: int = CODE_AT
    size: int = 16
    kind: int = FUNC
    binding: int = GLOBAL
    section: int = TEXT


class Load(NamedTuple):
    """A PT_LOAD program header."""

    offset: int
    address: int
    size: int
    flags: int = 5  # readable, executable


class Elf(NamedTuple):
    """What goes into a file; every field can be wrong on purpose."""

    symbols: Sequence[Symbol] = ()
    dynamic: Sequence[Symbol] = ()
    loads: Sequence[Load] = (Load(CODE_AT, CODE_AT, len(CODE)),)
    extra: Sequence[tuple[str, bytes]] = ()  # more sections, name and contents
    code: bytes = CODE
    kind: int = 3  # ET_DYN: PIE or shared object; 2 is ET_EXEC
    machine: int = MACHINE
    bits: int = 2
    order: int = 1

    def build(self) -> bytes:
        """The file's bytes."""
        body = bytearray(64 + 56 * len(self.loads)).ljust(CODE_AT, b"\0")
        body[64 : 64 + 56 * len(self.loads)] = b"".join(
            struct.pack("<IIQQQQQQ", 1, load.flags, load.offset, load.address, load.address, load.size, load.size, 4096)
            for load in self.loads
        )
        body += self.code
        # name, type, contents, link
        sections: list[tuple[str, int, bytes, int]] = [(".text", 1, self.code, 0)]
        for name, kind, symbols in ((".symtab", 2, self.symbols), (".dynsym", 11, self.dynamic)):
            if symbols:
                entries, strings = symbol_table(symbols)
                sections += [(name, kind, entries, len(sections) + 2), (name + ".names", 3, strings, 0)]
        sections += [(name, 4 if name.startswith(".rela") else 1, contents, 0) for name, contents in self.extra]
        names = b"\0" + b"".join(name.encode() + b"\0" for name, *_ in sections) + b".shstrtab\0"
        sections.append((".shstrtab", 3, names, 0))
        rows = [bytes(64)]
        for name, kind, contents, link in sections:
            at = CODE_AT if name == ".text" else len(body)
            if name != ".text":
                body += contents
            rows.append(
                struct.pack(
                    "<IIQQQQIIQQ",
                    names.index(b"\0" + name.encode() + b"\0") + 1,
                    kind,
                    2,
                    at,
                    at,
                    len(contents),
                    link,
                    0,
                    1,
                    24,
                )
            )
        header = b"\x7fELF" + bytes((self.bits, self.order, 1)) + bytes(9)
        header += struct.pack(
            "<HHIQQQIHHHHHH", self.kind, self.machine, 1, CODE_AT, 64, len(body), 0, 64, 56, len(self.loads), 64,
            len(rows), len(rows) - 1,
        )  # fmt: skip
        body[:64] = header
        return bytes(body) + b"".join(rows)


def symbol_table(symbols: Sequence[Symbol]) -> tuple[bytes, bytes]:
    """A symbol table's entries, after the empty first one, and its strings."""
    strings = bytearray(b"\0")
    entries = bytearray(24)
    for symbol in symbols:
        name = symbol.name if isinstance(symbol.name, bytes) else symbol.name.encode()
        info = symbol.binding << 4 | symbol.kind
        entries += struct.pack("<IBBHQQ", len(strings), info, 0, symbol.section, symbol.address, symbol.size)
        strings += name + b"\0"
    return bytes(entries), bytes(strings)


def patch(data: bytes, at: int, layout: str, *values: int) -> bytes:
    """The bytes with numbers overwritten, as struct.pack writes them."""
    changed = bytearray(data)
    struct.pack_into(layout, changed, at, *values)
    return bytes(changed)


def module(folder: Path, data: bytes, name: str = "program") -> Module:
    """The bytes as a file, and its module."""
    path = folder / name
    path.write_bytes(data)
    return Module(name, str(path), str(path), 0, 0)


def mutated(whole: bytes, spans: Sequence[tuple[int, int]], seed: int) -> bytes:
    """The bytes with some changed that lie in spans of offset and size."""
    chance = random.Random(seed)
    data = bytearray(whole)
    for _ in range(chance.choice((1, 5, 200))):
        offset, size = chance.choice(spans)
        data[offset + chance.randrange(size)] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    return bytes(data)
