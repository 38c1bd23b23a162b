"""Where a function's probes go, and what the kernel would refuse. The one place that decides.

A probe counts a call exactly where it is reached once per call, and costs least where the kernel emulates the
instruction: anything else it executes from a copy, which takes some ten times as long on x86-64, and twice on arm64.
So of a function's first instructions the first emulated one is taken, if

- no register that may hold an argument is written before it, and the stack pointer is still the one at entry;
- no jump within the function leads to it or to anything before it. In Go, the jump of a function that had to grow its
  stack doesn't matter: it comes from before the site, whose check of the stack is passed only once.

Otherwise the probe goes on the first byte (in Go after that check), and where jumps lead back there, `note` says so.

What the instructions are, `sites_x86` and `sites_arm64` know; the file says which of them is asked.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

from tui.elf.callees import Callees
from tui.elf.disassembly import LONGEST, Disassembler, Instruction
from tui.elf.flow import File
from tui.elf.names import USDT, Function
from tui.elf.reader import AARCH64, ElfFile
from tui.elf.sites_arm64 import Arm64
from tui.elf.sites_x86 import X86
from tui.elf.unwinding import Frame, Unwinding
from tui.owner import Owner

_FIRST: Final = 160  # bytes of a function whose size isn't known
_VARIANT: Final = re.compile(r"(?:\.(?:cold|isra|constprop|part|lto_priv|llvm|localalias)(?:\.\d+)?)+$")


class Site(NamedTuple):
    """A file offset, and why the kernel can't probe there; no reason: it can."""

    offset: int
    refused: str = ""
    emulated: bool = False  # the kernel needs no copy of the instruction: cheap
    note: str = ""  # what is counted besides calls


class Returns(NamedTuple):
    """The places where a function returns."""

    offsets: tuple[int, ...]
    recursive: bool = False  # it calls itself
    note: str = ""  # how else it may be left, or why the places aren't known


class _Code(Protocol):
    """A function's instructions on one kind of machine; places are distances from its first byte, in bytes."""

    @property
    def start(self) -> int:
        """Where it begins but for Go's check of the stack."""

    def simple(self) -> bool:
        """Whether it can be told at once that the first byte is emulated, and that no jump leads there."""

    def candidates(self) -> Iterator[int]:
        """Instructions from `start` on, up to the first that may change an argument, the stack pointer or the way."""

    def emulated(self, at: int) -> bool:
        """Whether the kernel needs no copy of the instruction there."""

    def refused(self, at: int) -> str:
        """Why the kernel doesn't probe the instruction there, or why it mustn't; empty: it may."""

    def leads_back(self, last: int) -> bool:
        """Whether a jump leads to an instruction from the first through `last`, but for that of a grown stack."""

    def repeated(self, at: int) -> str:
        """Why the instruction there may be executed twice in a call though nothing jumps back; empty: it isn't."""

    def jumps_indirectly(self) -> bool:
        """Whether it has a jump whose targets aren't known, as a switch has."""

    def calls_itself(self) -> bool:
        """Whether it calls itself by its own address."""

    def returns(self, file: File) -> tuple[list[int], str]:
        """Where it returns, and how else it may be left, or why the places aren't known."""


class Sites(Owner):
    """Chooses for the functions of one file; owns what it disassembles with, once it needs to."""

    def __init__(self, elf: ElfFile) -> None:
        self._elf = elf
        self.go = elf.of_go() or (not elf.sections and _has_table_of_go(elf))
        self._disassembler: Disassembler | None = None
        self._unwinding: Unwinding | None = None
        self._callees = Callees(elf.loaded, lambda address: self._frame(address) is not None, self._instructions)

    def choose(self, function: Function) -> Site:
        """The place for this function's probe. Raises NotSupported without capstone."""
        if function.unprobeable:
            return Site(function.offset, function.unprobeable)
        data = self._bytes(function)
        code = self._code(function, data)
        if function.origin == USDT:
            return _site(function, code, 0)
        if len(data) == function.size and code.simple():
            return Site(function.offset, "", emulated=True)
        return self._search(function, code, len(data))

    def _search(self, function: Function, code: _Code, length: int) -> Site:
        """The place in code that doesn't simply begin with an emulated instruction."""
        start = code.start
        if not function.size:
            return _site(function, code, start)
        if length < function.size:
            return _site(function, code, start, "it is too large to look for jumps back to its start")
        emulated = next(filter(code.emulated, code.candidates()), None)
        exact = emulated is not None and not code.leads_back(emulated)
        if emulated is not None and exact and (emulated == start or not code.jumps_indirectly()):
            return _site(function, code, emulated)
        back = code.leads_back(start)
        note = "jumps back to where it is probed count too" if back else code.repeated(start)
        return _site(function, code, start, note)

    def of_go(self, function: Function) -> bool:
        """Whether Go made it, not a compiler whose code was linked in: Go's names have the package before a dot."""
        return self.go and "." in _VARIANT.sub("", function.raw_name)

    def returns(self, function: Function) -> Returns:
        """Where it returns. Raises NotSupported without capstone."""
        data = self._bytes(function)
        if not function.size:
            return Returns((), note="its size isn't known")
        if len(data) < function.size:
            return Returns((), note="it is too large to look through")
        code = self._code(function, data)
        found, note = code.returns(self._file(function))
        return Returns(tuple(function.offset + at for at in found), code.calls_itself(), note)

    def recursive(self, function: Function) -> bool:
        """Whether it calls itself by its own address."""
        return self._code(function, self._bytes(function)).calls_itself()

    def instruction(self, offset: int, address: int) -> str:
        """The instruction at a file offset, which is loaded to an address, as text."""
        found = next(self._instructions(self._elf.bytes_at(offset, 16), address, most=1), None)
        return f"{found.mnemonic} {found.operands}".strip() if found else ""

    def close(self) -> None:
        """Closes the disassembler; a second time is harmless."""
        if self._disassembler:
            self._disassembler.close()
            self._disassembler = None

    def _file(self, function: Function) -> File:
        """What is asked of the file about this function."""
        frame = self._frame(function.address)
        covered = frame is not None and function.address + function.size <= frame.end
        pads = tuple(self._unwinding.landing_pads(frame)) if self._unwinding and frame and covered else None
        return File(
            self._elf.loaded,
            lambda address: self._elf.file_offsets([address])[0] >= 0,
            covered or self.of_go(function),
            pads,
            None if self.go else self._callees,  # what Go calls comes back
        )

    def _frame(self, address: int) -> Frame | None:
        self._unwinding = self._unwinding or Unwinding(self._elf)
        return self._unwinding.frame(address)

    def _bytes(self, function: Function) -> bytes:
        return self._elf.bytes_at(function.offset, min(function.size or _FIRST, LONGEST))

    def _code(self, function: Function, data: bytes) -> _Code:
        if self._elf.machine == AARCH64:
            return Arm64(data, function.address, go=self.go)
        return X86(data, function.address, self._instructions, go=self.go)

    def _instructions(self, code: bytes, address: int = 0, most: int = 0) -> Iterator[Instruction]:
        if self._disassembler is None:
            self._disassembler = Disassembler(self._elf.machine)
        return self._disassembler.instructions(code, address, most)


def _has_table_of_go(elf: ElfFile) -> bool:
    from tui.elf import pclntab

    return pclntab.read(elf) is not None


def _site(function: Function, code: _Code, at: int, note: str = "") -> Site:
    return Site(function.offset + at, code.refused(at), code.emulated(at), note)
