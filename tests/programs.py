"""Classic programs by chance: valid ones that use everything, and what becomes of them when they are damaged."""

import sys
from random import Random
from typing import Final, Literal

from tests.link_layers import LINK_LAYERS
from tui.bpf.classic import Instruction, Program
from tui.bpf.classic import instructions as ops
from tui.bpf.classic.forms import FORMS, Operand, is_condition

_WORDS: Final = (0, 1, 7, 15)  # of M[]: those that the valid programs use
_EDGES: Final = (0, 1, 2, 4, 12, 14, 23, 31, 32, 33, 255, 0x800, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
_CHANGING: Final = {ops.ANCILLARY["cpu"], ops.ANCILLARY["rand"]}  # never the same twice
_STEADY: Final = [offset for offset in ops.ANCILLARY.values() if offset not in _CHANGING]
_CODES: Final = [code for code in FORMS if code & 0x07 != ops.RET]
_ORDER: Final[Literal["little", "big"]] = sys.byteorder
_FOLD: Final = (  # A becomes a number from 1 to 1,024 that depends on all of A and X
    Instruction(ops.ALU | ops.XOR | ops.X),
    Instruction(ops.ALU | ops.MUL | ops.K, k=0x9E3779B1),
    Instruction(ops.ALU | ops.RSH | ops.K, k=22),
    Instruction(ops.ALU | ops.ADD | ops.K, k=1),
)


def valid(dice: Random, *, ancillary: bool = True) -> Program:
    """One that the kernel and libpcap take; without loops and unwritten words.

    With `ancillary`, loads from Linux's special offsets may be in it, but for those that never give the same twice.
    """
    start = [Instruction(ops.LD | ops.IMM, k=number(dice)), Instruction(ops.LDX | ops.IMM, k=number(dice))]
    start += [Instruction(dice.choice((ops.ST, ops.STX)), k=word) for word in _WORDS]
    size = dice.randrange(1, 25)
    body = [_instruction(dice, size - index, ancillary=ancillary) for index in range(size)]
    end = dice.choice((_FOLD, _FOLD, ()))
    return (
        *start,
        *body,
        *end,
        dice.choice((Instruction(ops.RET | ops.A), Instruction(ops.RET | ops.A), _returned(dice))),
    )


def _returned(dice: Random) -> Instruction:
    return Instruction(ops.RET | ops.K, k=number(dice))


def number(dice: Random) -> int:
    """32 bits, more often those where something changes."""
    return dice.choice((dice.choice(_EDGES), dice.randrange(70), dice.randrange(1 << 32)))


def _instruction(dice: Random, left: int, *, ancillary: bool) -> Instruction:
    """One of the body, which has so many instructions more."""
    if dice.random() < 0.03:
        return _returned(dice)
    code = dice.choice(_CODES)
    if code & 0x07 == ops.JMP:
        return _jump(dice, code, left)
    return Instruction(code, k=_constant(dice, code, ancillary=ancillary))


def _jump(dice: Random, code: int, left: int) -> Instruction:
    near = min(left, 6)
    if not is_condition(code):
        return Instruction(code, k=dice.randrange(near))
    return Instruction(code, dice.randrange(near), dice.randrange(near), number(dice))


def _constant(dice: Random, code: int, *, ancillary: bool) -> int:
    match FORMS[code]:
        case (_, Operand.MEMORY):
            return dice.choice(_WORDS)
        case (_, Operand.PACKET | Operand.HEADER | Operand.INDEXED as operand):
            return _offset(dice, operand, ancillary=ancillary)
        case ("lsh" | "rsh", Operand.CONSTANT):
            return dice.randrange(32)
        case ("div" | "mod", Operand.CONSTANT):
            return number(dice) or 1
    return number(dice)


def _offset(dice: Random, operand: Operand, *, ancillary: bool) -> int:
    usual = dice.choice((dice.randrange(20), dice.randrange(70), dice.randrange(1200)))
    if dice.random() < 0.75:
        return usual
    special = dice.choice((ops.NET_OFF + usual, 0x7FFFFFFF - usual, 0x80000000 + usual, ops.LL_OFF + usual))
    if operand is Operand.PACKET and ancillary and dice.random() < 0.8:
        return ops.AD_OFF + dice.choice(_STEADY)
    return special


def damaged(dice: Random, program: Program) -> Program:
    """The program with one to three changes of any kind."""
    changed = list(program)
    for _ in range(dice.choice((1, 1, 2, 3))):
        at = dice.randrange(len(changed))
        match dice.randrange(8):
            case 0:
                changed[at] = changed[at]._replace(code=dice.choice((dice.randrange(256), dice.randrange(65536))))
            case 1:
                changed[at] = changed[at]._replace(jt=dice.randrange(256))
            case 2:
                changed[at] = changed[at]._replace(jf=dice.randrange(30))
            case 3 | 4:
                changed[at] = changed[at]._replace(k=dice.choice((number(dice), ops.AD_OFF + dice.randrange(80))))
            case 5:
                changed[at] = Instruction(
                    dice.choice((ops.ST, ops.LD | ops.MEM, ops.LDX | ops.MEM)), k=dice.randrange(18)
                )
            case 6 if len(changed) > 1:
                del changed[at]
            case _:
                changed[at] = changed[at]._replace(code=dice.choice(list(FORMS)))
    return tuple(changed)


def attributes(dice: Random) -> bytes:
    """Netlink attributes, for the loads that look for them: sizes and types in this machine's byte order."""
    data = b""
    for _ in range(dice.randrange(1, 6)):
        value = dice.choice((b"", dice.randbytes(dice.randrange(9)), attributes(dice) if dice.random() < 0.3 else b""))
        head = (len(value) + 4).to_bytes(2, _ORDER) + dice.choice((1, 2, 3, 0x8002)).to_bytes(2, _ORDER)
        data += head + value + bytes(-len(value) % 4)
    return data


def data(dice: Random) -> bytes:
    """A packet for such programs: a frame, random bytes of any small length or longer than any folded result, …"""
    match dice.randrange(5):
        case 0:
            return LINK_LAYERS["EN10MB"](dice)
        case 1:
            return attributes(dice)
        case 2:
            return dice.randbytes(dice.randrange(70))
        case 3:
            return dice.randbytes(dice.choice((0, 1, 2, 3, 4, 5)))
    return dice.randbytes(1100)
