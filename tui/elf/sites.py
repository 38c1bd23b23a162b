"""Where a function's probes go, and what the kernel would refuse. The one place that decides.

A probe counts a call exactly where it is reached once per call, and costs least where the kernel emulates the
instruction: push, nop, jumps and calls (arch/x86/kernel/uprobes.c, 5.15 to 6.18). Anything else it executes from a
copy, some ten times as slowly. So of a function's first instructions the first emulated one is taken, if

- no register that may hold an argument is written before it, and the stack pointer is still the one at entry;
- no jump within the function leads to it or to anything before it. In Go, the jump of a function that had to grow its
  stack doesn't matter: it comes from before the site, whose check of the stack is passed only once.

Otherwise the probe goes on the first byte (in Go after that check), and where jumps lead back there, `note` says so.
"""

import os
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from tui.elf.disassembly import LONGEST, Disassembler, Instruction
from tui.elf.flow import File, Flow, target, word
from tui.elf.names import Function
from tui.elf.reader import ElfFile
from tui.owner import Owner

_LOCK_AND_SEGMENTS: Final = frozenset((0x26, 0x2E, 0x36, 0x3E, 0xF0))
_HARMLESS_PREFIXES: Final = frozenset((0x64, 0x65, 0x66, 0x67, 0xF2, 0xF3))
_REX: Final = range(0x40, 0x50)
_REFUSED: Final = (
    (frozenset((0x9C,)), "executing a copy of its first instruction, pushf, would end the program"),
    (frozenset((0x62,)), "the kernel can't probe its first instruction: AVX-512"),
    (frozenset((0xCC, 0xCD, 0xCE, 0xF1)), "its first instruction is a trap or a breakpoint already"),
    (
        frozenset((*range(0x6C, 0x70), *range(0xE4, 0xE8), *range(0xEC, 0xF0), 0xF4, 0xFA, 0xFB)),
        "the kernel can't probe its first instruction: it is a privileged one",
    ),
    (
        frozenset(b"\x06\x07\x0e\x16\x17\x1e\x1f\x27\x2f\x37\x3f\x60\x61\x82\x9a\xd4\xd5\xd6\xea"),
        "its first bytes are no 64-bit instruction",
    ),
)
_PREFIXES: Final = _HARMLESS_PREFIXES | _LOCK_AND_SEGMENTS | frozenset(_REX)
_GO_STACK_CHECK: Final = re.compile(  # one of three, by the size of the frame; then: jbe to where the stack is grown
    rb"(?:\x49\x3b\x66[\x10\x18]"  # cmp rsp, [r14 + 0x10]
    rb"|(?:\x4c\x8d\x64\x24.|\x4c\x8d\xa4\x24....)\x4d\x3b\x66[\x10\x18]"  # lea r12, [rsp - SIZE]; cmp r12, …
    rb"|\x49\x89\xe4\x49\x81\xec....(?:\x72.|\x0f\x82....)\x4d\x3b\x66[\x10\x18])"  # mov r12, rsp; sub; jb; cmp
    rb"(?:\x76.|\x0f\x86....)",
    re.DOTALL,
)
_EMULATED: Final = re.compile(  # push, nop, jumps and calls; a prefix of 0x66 would make a jump a 16-bit one
    rb"\x41?[\x50-\x57]|[\x66\xf2\xf3]?\x90|[\x70-\x7f\xe8\xe9\xeb]|\x0f[\x80-\x8f]", re.DOTALL
)
_NEAR_BACK: Final = re.compile(rb"[\x70-\x7f\xe0-\xe3\xeb](?=[\x80-\xff])")  # what may be a short jump backwards
_FAR_BACK: Final = re.compile(rb"(?:\xe9|\x0f[\x80-\x8f])(?=...\xff)", re.DOTALL)
_JUMP: Final = re.compile(rb"\xeb(?=.)|\xe9(?=....)", re.DOTALL)
_SELF_CALL: Final = re.compile(rb"\xe8(?=...\xff)", re.DOTALL)
_INDIRECT: Final = re.compile(rb"\xff[\x20-\x27\x60-\x67\xa0-\xa7\xe0-\xe7]")
_FIRST: Final = 160  # bytes that the first instructions may take
_MOST: Final = 12  # of them
_ONE_RESULT: Final = frozenset(  # instructions that write their first operand, or nothing
    (
        *("endbr64", "nop", "cmp", "test", "mov", "movabs", "movzx", "movsx", "movsxd", "lea", "add", "sub", "and"),
        *("or", "xor", "inc", "dec", "neg", "not", "shl", "shr", "sar", "pxor", "xorps", "movaps", "movups", "movss"),
        *("movd", "movq", "movdqa", "movdqu"),
    )
)
_OF_C: Final = frozenset(("di", "si", "dx", "cx", "8", "9", "sp"))
_OF_GO: Final = _OF_C | frozenset(("ax", "bx", "10", "11", "14"))
_X86: Final = os.uname().machine == "x86_64"


_FAMILY: Final = {  # the register that a name is a part of
    name: base
    for base, names in (
        *((base, (f"r{base}", f"e{base}", base, f"{base[0]}l", f"{base[0]}h")) for base in ("ax", "bx", "cx", "dx")),
        *((base, (f"r{base}", f"e{base}", base, f"{base}l")) for base in ("si", "di", "bp", "sp")),
        *((base, (f"r{base}", f"r{base}d", f"r{base}w", f"r{base}b")) for base in map(str, range(8, 16))),
    )
    for name in names
}
_NOTHING: Final = frozenset(("cmp", "test", "nop", "endbr64"))  # write no register
_VARIANT: Final = re.compile(r"(?:\.(?:cold|isra|constprop|part|lto_priv|llvm|localalias)(?:\.\d+)?)+$")
_PUSHES: Final = frozenset(bytes([code]) for code in range(0x50, 0x58))


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


class Sites(Owner):
    """Chooses for the functions of one file; owns what it disassembles with, once it needs to."""

    def __init__(self, elf: ElfFile) -> None:
        self._elf = elf
        self.go = any(section.name in (".gopclntab", ".go.buildinfo") for section in elf.sections)
        self._protected = _OF_GO if self.go else _OF_C
        self._disassembler: Disassembler | None = None

    def choose(self, function: Function) -> Site:
        """The place for this function's probe. Raises NotSupported without capstone."""
        if function.unprobeable:
            return Site(function.offset, function.unprobeable)
        if not _X86:
            return Site(function.offset)
        code = self._code(function)
        if code[:1] in _PUSHES and len(code) == function.size and not _may_lead_back(code, 0):
            return Site(function.offset, "", emulated=True)
        return self._search(function, code)

    def _search(self, function: Function, code: bytes) -> Site:
        """The place in code that doesn't simply begin with a push."""
        start, rest = _after_stack_check(code)
        if not function.size:
            return self._site(function, code, start)
        if len(code) < function.size:
            return self._site(function, code, start, "it is too large to look for jumps back to its start")
        candidates = [start] if code[start : start + 1] in _PUSHES else list(self._first(code, start))
        emulated = [at for at in candidates if _EMULATED.match(code, at)]
        exact = bool(emulated) and not self._leads_back(rest, emulated[0])
        if exact and (emulated[0] == start or not self._jumps_indirectly(code)):
            return self._site(function, code, emulated[0])
        back = self._leads_back(rest, start)
        return self._site(function, code, start, "jumps back to where it is probed count too" if back else "")

    def of_go(self, function: Function) -> bool:
        """Whether Go made it, not a compiler whose code was linked in: Go's names have the package before a dot."""
        return self.go and "." in _VARIANT.sub("", function.raw_name)

    def returns(self, function: Function) -> Returns:
        """Where it returns, as `Flow` finds it. Raises NotSupported without capstone."""
        code = self._code(function)
        if not function.size:
            return Returns((), note="its size isn't known")
        if len(code) < function.size:
            return Returns((), note="it is too large to look through")
        file = File(self._elf.loaded, lambda address: self._elf.file_offsets([address])[0] >= 0)
        found, note = Flow(function.address, code, self._instructions, file).returns()
        return Returns(tuple(function.offset + at for at in found), self.recursive(function), note)

    def recursive(self, function: Function) -> bool:
        """Whether it calls itself by its own address."""
        code = self._code(function)
        if not any(_lands(code, found.end(), 4) == 0 for found in _SELF_CALL.finditer(code)):
            return False
        return any(word(each) == "call" and target(each) == 0 for each in self._instructions(code))

    def instruction(self, offset: int, address: int) -> str:
        """The instruction at a file offset, which is loaded to an address, as text."""
        found = next(self._instructions(self._elf.bytes_at(offset, 16), address, most=1), None)
        return f"{found.mnemonic} {found.operands}".strip() if found else ""

    def close(self) -> None:
        """Closes the disassembler; a second time is harmless."""
        if self._disassembler:
            self._disassembler.close()
            self._disassembler = None

    def _code(self, function: Function) -> bytes:
        return self._elf.bytes_at(function.offset, min(function.size or _FIRST, LONGEST))

    def _site(self, function: Function, code: bytes, at: int, note: str = "") -> Site:
        return Site(function.offset + at, _refused(code[at : at + 16]), bool(_EMULATED.match(code, at)), note)

    def _first(self, code: bytes, start: int) -> Iterator[int]:
        """The instructions up to the first that may change an argument, the stack pointer, or the way."""
        for each in self._instructions(code[start : start + _FIRST], start, _MOST):
            yield each.address
            if each.mnemonic not in _ONE_RESULT or _written(each) in self._protected:
                return

    def _leads_back(self, code: bytes, last: int) -> bool:
        """Whether a jump leads to an instruction from the first through `last`."""
        if not _may_lead_back(code, last):
            return False
        return any(
            word(each).startswith(("j", "loop")) and (to := target(each)) is not None and 0 <= to <= last
            for each in self._instructions(code)
        )

    def _jumps_indirectly(self, code: bytes) -> bool:
        """Whether it has a jump whose targets aren't known, as a switch has."""
        if not _INDIRECT.search(code):
            return False
        return any(
            word(each) == "jmp" and target(each) is None and "[rip" not in each.operands
            for each in self._instructions(code)
        )

    def _instructions(self, code: bytes, address: int = 0, most: int = 0) -> Iterator[Instruction]:
        if self._disassembler is None:
            self._disassembler = Disassembler()
        return self._disassembler.instructions(code, address, most)


def _after_stack_check(code: bytes) -> tuple[int, bytes]:
    """How long Go's check of the stack is, and the code without the jump back to it, which grown stacks take."""
    check = _GO_STACK_CHECK.match(code)
    if not check:
        return 0, code
    after = check.end()
    far = code[after - 6 : after - 4] == b"\x0f\x86"
    grow = _lands(code, after - (4 if far else 1), 4 if far else 1)
    blanked = bytearray(code)
    for found in _JUMP.finditer(code, max(0, grow)):
        size = 1 if code[found.start()] == 0xEB else 4
        if _lands(code, found.end(), size) == 0:
            blanked[found.start() : found.end() + size] = b"\x90" * (1 + size)
            break
    return after, bytes(blanked)


def _may_lead_back(code: bytes, last: int) -> bool:
    """Whether any bytes, instructions or not, could be a jump to the first through `last`: rules most code out."""
    if not (_NEAR_BACK.search(code, 0, last + 131) or _FAR_BACK.search(code)):
        return False
    near = (_lands(code, found.end(), 1) for found in _NEAR_BACK.finditer(code, 0, last + 131))
    far = (_lands(code, found.end(), 4) for found in _FAR_BACK.finditer(code))
    return any(0 <= target <= last for targets in (near, far) for target in targets)


def _lands(code: bytes, at: int, size: int) -> int:
    """Where a jump leads whose displacement, of 1 or 4 bytes, is its last part and lies at `at`."""
    return at + size + int.from_bytes(code[at : at + size], "little", signed=True)


def _written(instruction: Instruction) -> str:
    """The register whose content it changes, of an instruction that changes one at most."""
    return "" if instruction.mnemonic in _NOTHING else _FAMILY.get(instruction.operands.partition(",")[0], "")


def _refused(code: bytes) -> str:
    """Why the kernel doesn't probe this instruction."""
    at = 0
    while at < len(code) and code[at] in _HARMLESS_PREFIXES:
        at += 1
    if at < len(code) and code[at] in _LOCK_AND_SEGMENTS:
        return "the kernel can't probe its first instruction: it has a lock or segment prefix"
    if at < len(code) and code[at] in _REX:
        at += 1
        if at < len(code) and code[at] in _PREFIXES:
            return "the kernel can't probe its first instruction: its prefixes are in an odd order"
    if at >= len(code):
        return "its first instruction lies outside the file"
    return next((reason for opcodes, reason in _REFUSED if code[at] in opcodes), "")
