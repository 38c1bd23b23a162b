"""What is known of a packet and of a classic program's registers before each instruction, whichever way led there.

A load that can't be beyond the packet, because an earlier one on every way would have been too, needs no check. And the
verifier lets a program add X to a packet's address only if X is small; what it can tell of A and X is followed here.
"""

from typing import Final, NamedTuple

from tui.bpf.classic import instructions as ops
from tui.bpf.classic.instructions import AD_OFF, ANCILLARY, Instruction, Program, successors

UNKNOWN: Final = 0xFFFFFFFF  # as a bound of A or X
FARTHEST: Final = 0xFFFF  # the verifier's MAX_PACKET_OFF: bytes of a packet that a program can look at directly
_MOST_IN_SHIFT: Final = 0x7FFFFFFF
_MOST_IN_PRODUCT: Final = 0xFFFF
_SIZES: Final = {ops.W: 4, ops.H: 2, ops.B: 1}
_DEVICE: Final = {ANCILLARY["ifidx"], ANCILLARY["hatype"]}  # a packet of no device ends the program
_CALLING: Final = {ANCILLARY["cpu"], ANCILLARY["rand"]}
_XOR_X: Final = ANCILLARY["xor_x"]


class Facts(NamedTuple):
    """What surely holds before an instruction."""

    length: int = 0  # bytes that the packet has
    a: int = 0  # A is at most
    x: int = 0  # X is at most
    beyond_x: int = -1  # bytes that the packet has from X on; -1: nothing is known since X was set


def facts(program: Program) -> tuple[Facts | None, ...]:
    """The facts before each instruction; None for those that are never reached. A and X are 0 at the start."""
    known: list[Facts | None] = [None] * len(program)
    known[0] = Facts()
    for index, instruction in enumerate(program):
        before = known[index]
        if before is None:
            continue
        after = _after(instruction, before)
        for following in successors(index, instruction):
            known[following] = _both(known[following], after)
    return tuple(known)


def _both(one: Facts | None, other: Facts) -> Facts:
    if one is None:
        return other
    return Facts(
        min(one.length, other.length), max(one.a, other.a), max(one.x, other.x), min(one.beyond_x, other.beyond_x)
    )


def size_of(instruction: Instruction) -> int:
    """How many bytes of the packet a load takes."""
    return _SIZES[instruction.code & 0x18]


def is_packet(instruction: Instruction) -> bool:
    """Whether it loads from a place in the packet that is known beforehand, counted from its first byte."""
    return _is_absolute(instruction) and instruction.k < 1 << 31


def is_header(instruction: Instruction) -> bool:
    """Whether it loads from a place that counts from a header's beginning, or that doesn't exist: k is negative."""
    return _is_absolute(instruction) and instruction.k >= 1 << 31 and not is_ancillary(instruction)


def is_indexed(instruction: Instruction) -> bool:
    """Whether it loads from a place in the packet that depends on X."""
    return instruction.code & 0x07 == ops.LD and instruction.code & 0xE0 == ops.IND


def is_ancillary(instruction: Instruction) -> bool:
    """Whether it loads what is known of the packet, or is `xor_x`."""
    return instruction.code & 0xE7 == ops.LD | ops.ABS and instruction.k >= AD_OFF


def _is_absolute(instruction: Instruction) -> bool:
    return instruction.code & 0xE7 == ops.LD | ops.ABS or instruction.code & 0xE7 == ops.LDX | ops.MSH


def reaches(instruction: Instruction) -> int:
    """The first byte that an absolute or indexed load doesn't touch."""
    return instruction.k + size_of(instruction)


def is_near(instruction: Instruction, before: Facts) -> bool:
    """Whether an indexed load is surely within the bytes that can be looked at directly."""
    return before.x + reaches(instruction) <= FARTHEST


def may_end(instruction: Instruction, before: Facts) -> bool:
    """Whether it may end the program with 0, though it is no return: beyond the packet, or a division by zero."""
    if is_ancillary(instruction):
        return instruction.k - AD_OFF in _DEVICE
    if is_packet(instruction):
        return before.length < reaches(instruction)
    if is_indexed(instruction):
        return not (is_near(instruction, before) and before.beyond_x >= reaches(instruction))
    return is_header(instruction) or is_division(instruction)


def is_division(instruction: Instruction) -> bool:
    """Whether it divides by X."""
    return instruction.code in {ops.ALU | ops.DIV | ops.X, ops.ALU | ops.MOD | ops.X}


def _after(instruction: Instruction, before: Facts) -> Facts:
    kind = instruction.code & 0x07
    if kind == ops.LD:
        return _loaded(instruction, before)
    if kind == ops.LDX:
        return _x_loaded(instruction, before)
    if kind == ops.ALU:
        return before._replace(a=_bound(instruction, before))
    if instruction.code == ops.MISC | ops.TAX:
        return before._replace(x=before.a, beyond_x=-1)
    if instruction.code == ops.MISC | ops.TXA:
        return before._replace(a=before.x)
    return before


def _loaded(instruction: Instruction, before: Facts) -> Facts:
    """The verifier knows a bound only of a single byte: it forgets that of a number whose bytes are turned around."""
    if is_ancillary(instruction):
        if instruction.k - AD_OFF in _CALLING:  # which destroys registers
            before = before._replace(x=UNKNOWN, beyond_x=-1)
        return before._replace(a=UNKNOWN)
    bound = 0xFF if instruction.code & 0x18 == ops.B else UNKNOWN
    if is_packet(instruction):
        return _seen(instruction, before)._replace(a=bound)
    if is_indexed(instruction):
        if is_near(instruction, before):
            before = before._replace(beyond_x=max(before.beyond_x, reaches(instruction)))
        return before._replace(a=bound)
    return before._replace(a=instruction.k if instruction.code & 0xE0 == ops.IMM else UNKNOWN)


def _seen(instruction: Instruction, before: Facts) -> Facts:
    """What a load that didn't end the program tells of the packet. Nothing else shows the verifier what lies far."""
    end = reaches(instruction)
    return before._replace(length=max(before.length, end)) if end <= FARTHEST else before


def _x_loaded(instruction: Instruction, before: Facts) -> Facts:
    if instruction.code & 0xE0 == ops.MSH:
        seen = _seen(instruction, before) if is_packet(instruction) else before
        return seen._replace(x=60, beyond_x=-1)
    return before._replace(x=instruction.k if instruction.code & 0xE0 == ops.IMM else UNKNOWN, beyond_x=-1)


def _bound(instruction: Instruction, before: Facts) -> int:
    """What A is at most after a calculation, as far as every verifier from 5.15 on can tell."""
    operation = instruction.code & 0xF0
    operand = before.x if instruction.code & ops.X else instruction.k
    if operation == ops.AND:
        return min(before.a, operand)
    if operation == ops.ADD:
        return _capped(before.a + operand)
    if operation == ops.MUL and before.a <= _MOST_IN_PRODUCT and operand <= _MOST_IN_PRODUCT:
        return _capped(before.a * operand)
    if instruction.code & ops.X:
        return UNKNOWN
    if operation == ops.LSH:
        return _capped(before.a << operand)
    return before.a >> operand if operation == ops.RSH else UNKNOWN


def _capped(bound: int) -> int:
    return bound if bound <= _MOST_IN_SHIFT else UNKNOWN
