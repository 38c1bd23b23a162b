"""Names of the stubs through which a file calls what other files have: `call 0x1030` is malloc.

A stub jumps to an address that the linker fills in, at a place that a relocation names. Stubs are decoded, as objdump
does: which of them belongs to which relocation isn't said elsewhere. Layouts are Elf64_Rela's and Elf64_Sym's (elf(5)).
"""

import re
import struct
from functools import cached_property
from typing import Final

from tui.elf.disassembly import Disassembler, Instruction
from tui.elf.reader import DYNSYM, ElfFile, text_at
from tui.errors import BinaryError

_LONGEST: Final = 16  # bytes of a stub
_MOST: Final = 1 << 22  # bytes of relocations
_LONGEST_NAME: Final = 4096
_RELOCATION: Final = struct.Struct("<QQ8x")  # where, symbol and type, addend
_FILLED_IN: Final = (6, 7, 1025, 1026)  # GLOB_DAT and JUMP_SLOT, of x86-64 and arm64
_SECTIONS: Final = (".rela.plt", ".rela.dyn")
_BESIDE_NEXT: Final = re.compile(r"\[rip ([+-]) 0x([0-9a-f]+)\]$")
_PAGE: Final = re.compile(r"x16, #0x([0-9a-f]+)$")
_IN_PAGE: Final = re.compile(r"x17, \[x16(?:, #0x([0-9a-f]+))?\]$")


class Stubs:
    """Those of one file, which stays open as long as they are asked for."""

    def __init__(self, elf: ElfFile, disassembler: Disassembler) -> None:
        self._elf, self._disassembler = elf, disassembler
        self._ranges = [
            range(section.address, section.address + section.size)
            for section in elf.sections
            if section.name.startswith(".plt")
        ]

    def name(self, address: int) -> str:
        """What the stub at an address calls, sanitised; empty where there is none that is known."""
        if not any(address in each for each in self._ranges):
            return ""
        code = self._elf.loaded(address, _LONGEST)
        return self._names.get(_filled_in(list(self._disassembler.instructions(code, address))), "")

    @cached_property
    def _names(self) -> dict[int, str]:
        """By the address that is filled in."""
        symbols = next((section for section in self._elf.sections if section.kind == DYNSYM), None)
        if symbols is None or symbols.link >= len(self._elf.sections):
            return {}
        found: dict[int, str] = {}
        try:
            entries, strings = self._elf.contents(symbols), self._elf.contents(self._elf.sections[symbols.link])
            for section in filter(None, map(self._elf.section, _SECTIONS)):
                data = self._elf.bytes_at(section.offset, min(section.size, _MOST))
                for where, info in _RELOCATION.iter_unpack(data[: len(data) // _RELOCATION.size * _RELOCATION.size]):
                    at = (info >> 32) * 24
                    if info & 0xFFFFFFFF in _FILLED_IN and at + 24 <= len(entries):
                        (name,) = struct.unpack_from("<I", entries, at)
                        found[where] = text_at(strings, name, _LONGEST_NAME)
        except BinaryError:
            return found
        return found


def _filled_in(stub: list[Instruction]) -> int:
    """The address at which the linker puts where the stub leads; -1 where it doesn't say."""
    page = -1
    for each in stub:
        if each.mnemonic.endswith("jmp") and (found := _BESIDE_NEXT.search(each.operands)):
            distance = int(found[2], 16)
            return each.end + (distance if found[1] == "+" else -distance)
        if each.mnemonic == "adrp" and (found := _PAGE.match(each.operands)):
            page = int(found[1], 16)
        elif each.mnemonic == "ldr" and page >= 0 and (found := _IN_PAGE.match(each.operands)):
            return page + int(found[1] or "0", 16)
    return -1
