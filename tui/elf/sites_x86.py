"""The first instructions of a function on x86-64: what the kernel emulates, what it refuses, what jumps back to them.

The kernel emulates push, nop, jumps and calls (arch/x86/kernel/uprobes.c, 5.15 to 6.18). Code that can't have a jump
back to its start is told by its bytes, in 35 µs; only the rest is disassembled in full.
"""

import re
from collections.abc import Iterator
from typing import Final

from tui.elf.disassembly import Instruction
from tui.elf.flow import File, Flow
from tui.elf.walk import Decode, target, word

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
_PUSHES: Final = frozenset(bytes([code]) for code in range(0x50, 0x58))


class X86:
    """A function's code; places are distances from its first byte, in bytes."""

    def __init__(self, code: bytes, address: int, decode: Decode, *, go: bool) -> None:
        """`decode` gives a code's first instructions from an address on, or all; `go`: it is in a file of Go's."""
        self._code, self._address, self._decode = code, address, decode
        self._protected = _OF_GO if go else _OF_C
        self._checked: tuple[int, bytes] | None = None

    def simple(self) -> bool:
        """Whether it begins with a push to which nothing can jump back."""
        return self._code[:1] in _PUSHES and not _may_lead_back(self._code, 0)

    @property
    def start(self) -> int:
        """Where it begins but for Go's check of the stack."""
        return self._after_check()[0]

    def candidates(self) -> Iterator[int]:
        """The instructions up to the first that may change an argument, the stack pointer, or the way."""
        start = self.start
        if self._code[start : start + 1] in _PUSHES:
            yield start
            return
        for each in self._decode(self._code[start : start + _FIRST], start, _MOST):
            yield each.address
            if each.mnemonic not in _ONE_RESULT or _written(each) in self._protected:
                return

    def emulated(self, at: int) -> bool:
        """Whether the kernel needs no copy of the instruction there."""
        return bool(_EMULATED.match(self._code, at))

    def refused(self, at: int) -> str:
        """Why the kernel doesn't probe the instruction there."""
        return refused(self._code[at : at + 16])

    def leads_back(self, last: int) -> bool:
        """Whether a jump leads to an instruction from the first through `last`, but for that of a grown stack."""
        code = self._after_check()[1]
        if not _may_lead_back(code, last):
            return False
        return any(
            word(each).startswith(("j", "loop")) and (to := target(each)) is not None and 0 <= to <= last
            for each in self._decode(code, 0, 0)
        )

    def repeated(self, at: int) -> str:  # noqa: ARG002 - as other machines have it
        """Nothing is executed twice in a call without a jump."""
        return ""

    def jumps_indirectly(self) -> bool:
        """Whether it has a jump whose targets aren't known, as a switch has."""
        if not _INDIRECT.search(self._code):
            return False
        return any(
            word(each) == "jmp" and target(each) is None and "[rip" not in each.operands
            for each in self._decode(self._code, 0, 0)
        )

    def calls_itself(self) -> bool:
        """Whether it calls itself by its own address."""
        if not any(_lands(self._code, found.end(), 4) == 0 for found in _SELF_CALL.finditer(self._code)):
            return False
        return any(word(each) == "call" and target(each) == 0 for each in self._decode(self._code, 0, 0))

    def returns(self, file: File) -> tuple[list[int], str]:
        """Where it returns, as `Flow` finds it."""
        return Flow(self._address, self._code, self._decode, file).returns()

    def _after_check(self) -> tuple[int, bytes]:
        if self._checked is None:
            self._checked = _after_stack_check(self._code)
        return self._checked


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


def refused(code: bytes) -> str:
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
