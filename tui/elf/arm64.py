"""Instructions of arm64, by their bits: where each leads, what it writes, whether the kernel can probe it.

Each is a word of 4 bytes, as the Arm Architecture Reference Manual has them (DDI 0487, C4.1). That suffices: there are
no instructions within instructions, and a disassembler that doesn't know the newest ones would take them for data.
"""

import struct
from enum import Enum
from typing import Final

SIZE: Final = 4  # bytes of an instruction
STACK: Final = 31  # the stack pointer, where an instruction's register 31 isn't zero
NOTHING: Final = -1
LINK: Final = 30  # where a call leaves the return address


class Way(Enum):
    """Where control goes after an instruction."""

    ON = "to the next"
    CALL = "to a function, and then to the next"
    BRANCH = "to its target, or to the next"
    JUMP = "to its target"
    INDIRECT = "where a register says"
    RETURN = "to the caller"
    SIGNED_RETURN = "to the caller, by a signed address: the kernel can't probe these"
    NOWHERE = "it ends the program, or comes back from the kernel elsewhere"


_BRANCHES: Final = (0x34, 0x35, 0x36, 0x37, 0xB4, 0xB5, 0xB6, 0xB7, 0x54, 0x74, 0x75, 0xF4, 0xF5)
_BY_TOP_BYTE: Final = {
    **dict.fromkeys(range(0x14, 0x18), Way.JUMP),
    **dict.fromkeys(range(0x94, 0x98), Way.CALL),
    **dict.fromkeys(_BRANCHES, Way.BRANCH),  # cbz, cbnz, tbz, tbnz; b.cond; compare and branch (Armv9.6)
    0x55: Way.SIGNED_RETURN,
}
_BY_REGISTER: Final = {0: Way.INDIRECT, 1: Way.CALL, 2: Way.RETURN}  # of br, blr, ret and their signed forms
_SPECIAL: Final = frozenset((0x00, 0xD4, 0xD6, 0xD7))  # top bytes of what must be looked at more closely
_PLAIN: Final = (0xD61F0000, 0xD63F0000, 0xD65F0000)  # br, blr, ret
_SIGNED: Final = frozenset((0xD6, 0xD7, 0x55))  # top bytes of jumps by signed addresses
_HINTS: Final = frozenset((0, 7, 8, 10, 24, 25, 26, 27, 32, 34, 36, 38))  # nop, xpaclri, pac…, bti…: can be stepped

_REFUSED: Final = (  # mask, value, reason
    (0x3F800000, 0x08000000, "an exclusive load or store"),
    (0x3B000000, 0x18000000, "it loads what lies beside it"),  # older kernels would, from elsewhere
    (0xFF000000, 0xD4000000, "it raises an exception"),
    (0xFFFF0000, 0x00000000, "it raises an exception"),
    (0xFFF00000, 0xD5100000, "it writes a system register"),
    (0xFFF8F01F, 0xD500401F, "it writes a system register"),
    (0xFF000010, 0x54000010, "a jump of a new kind"),  # which the kernel would take for something else
    (0x7E000000, 0x74000000, "a jump of a new kind"),
    (0x3B200C00, 0x19000400, "it copies memory in steps"),
)
_REGISTER, _REGISTER_OR_STACK = 1, 2  # what register 31 is: zero, or the stack pointer
_WRITES: Final = (  # mask, value, what it writes; the first that fits
    (0xFFFFFFFF, 0xD503201F, NOTHING),  # nop
    (0xFFFFFF3F, 0xD503241F, NOTHING),  # bti
    (0x1F000000, 0x10000000, _REGISTER),  # adr, adrp
    (0x1F800000, 0x12800000, _REGISTER),  # mov, movk
    (0x1F000000, 0x13000000, _REGISTER),  # bits of registers
    (0x3F800000, 0x31000000, _REGISTER),  # adds, subs, cmp of a number
    (0x3F800000, 0x11000000, _REGISTER_OR_STACK),  # add, sub
    (0x7F800000, 0x72000000, _REGISTER),  # ands
    (0x1F800000, 0x12000000, _REGISTER_OR_STACK),  # and, orr, eor
    (0x3FE00000, 0x0B200000, _REGISTER_OR_STACK),  # add, sub of a register that is extended
    (0x0E000000, 0x0A000000, _REGISTER),  # anything else of registers alone
    (0xFFC00000, 0xF9800000, NOTHING),  # prfm
    (0x3FC00000, 0x39000000, NOTHING),  # str
    (0x3F000000, 0x39000000, _REGISTER),  # ldr
)


def words(code: bytes) -> tuple[int, ...]:
    """The instructions of code; what is left at its end is none."""
    number = len(code) // SIZE
    return struct.unpack_from(f"<{number}I", code)


def way(word: int) -> Way:
    """Where control goes after it."""
    top = word >> 24
    if top not in _SPECIAL:
        return _BY_TOP_BYTE.get(top, Way.ON)
    if top == 0x00:
        return Way.ON if word >> 16 else Way.NOWHERE  # udf
    if top == 0xD4:
        return Way.ON if word & 0xFFE0001F == 0xD4000001 else Way.NOWHERE  # svc; brk, hlt
    found = _BY_REGISTER.get(word >> 21 & 7, Way.NOWHERE)  # eret
    return Way.SIGNED_RETURN if found is Way.RETURN and not _is_plain(word) else found


def target(word: int, at: int) -> int | None:
    """Where an instruction at an address may lead, but for the next one; None where it doesn't, or a register says."""
    top = word >> 24
    if top & 0x7C == 0x14:  # b, bl
        return at + _signed(word, 0, 26)
    if top & 0x7E == 0x36:  # tbz, tbnz
        return at + _signed(word, 5, 14)
    if top & 0x7E == 0x74:
        return at + _signed(word, 5, 9)
    return at + _signed(word, 5, 19) if top in _BRANCHES else None


def is_emulated(word: int) -> bool:
    """Whether the kernel simulates it (arch/arm64/kernel/probes/decode-insn.c, 5.15 to 6.18; nop from 6.13 only)."""
    if word >> 24 == 0x54:
        return not word & 0x10
    if word >> 25 in (0x3A, 0x7A):
        return False
    adr = word & 0x1F000000 == 0x10000000
    return adr or way(word) in (Way.JUMP, Way.BRANCH) or word >> 26 == 0x25 or _is_plain(word)


def refused(word: int) -> str:
    """Why the kernel doesn't probe it; or why it mustn't, where it would execute a copy that does something else."""
    if word >> 24 in _SIGNED and not _is_plain(word):
        return "a jump by a signed address"
    if word & 0xFFFFF01F == 0xD503201F and word >> 5 & 0x7F not in _HINTS:
        return "a hint that may not be stepped"
    return next((reason for mask, value, reason in _REFUSED if word & mask == value), "")


def written(word: int) -> int | None:
    """The register that it writes, STACK for the stack pointer, NOTHING; None where it may be anything else.

    Known are those that functions begin with: moves, arithmetic, and loads and stores at an address that stays.
    """
    kind = next((kind for mask, value, kind in _WRITES if word & mask == value), None)
    to = word & 31
    return NOTHING if kind == NOTHING or (kind == _REGISTER and to == STACK) else None if kind is None else to


def _is_plain(word: int) -> bool:
    return word & 0xFFFFFC1F in _PLAIN


def _signed(word: int, low: int, bits: int) -> int:
    """A number of words that lies in some bits of a word, in bytes."""
    value = word >> low & ((1 << bits) - 1)
    return SIZE * (value - (1 << bits) if value >> (bits - 1) else value)
