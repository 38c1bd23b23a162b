"""Every instruction that classic BPF has, and how it is written: one table that all others are made from.

The codes are those that the kernel (net/core/filter.c, chk_code_allowed) and libpcap (bpf_filter.c) execute, and both
execute the same.
"""

from enum import Enum, auto
from typing import Final, NamedTuple

from tui.bpf.classic import instructions as ops


class Operand(Enum):
    """What an instruction works with, as it is written."""

    NONE = auto()
    CONSTANT = auto()  # #k
    PACKET = auto()  # [k]
    INDEXED = auto()  # [x + k]
    MEMORY = auto()  # M[k]
    LENGTH = auto()  # len, of the packet on the wire
    HEADER = auto()  # 4*([k]&0xf)
    A = auto()
    X = auto()
    TARGET = auto()  # a place in the program


class Form(NamedTuple):
    """One code, written."""

    mnemonic: str
    operand: Operand


ARITHMETIC: Final = {
    "add": ops.ADD,
    "sub": ops.SUB,
    "mul": ops.MUL,
    "div": ops.DIV,
    "mod": ops.MOD,
    "and": ops.AND,
    "or": ops.OR,
    "xor": ops.XOR,
    "lsh": ops.LSH,
    "rsh": ops.RSH,
}
CONDITIONS: Final = {"jeq": ops.JEQ, "jgt": ops.JGT, "jge": ops.JGE, "jset": ops.JSET}

_LOADS: Final = {
    ops.LD | ops.IMM: Form("ld", Operand.CONSTANT),
    ops.LD | ops.MEM: Form("ld", Operand.MEMORY),
    ops.LD | ops.W | ops.LEN: Form("ld", Operand.LENGTH),
    ops.LDX | ops.IMM: Form("ldx", Operand.CONSTANT),
    ops.LDX | ops.MEM: Form("ldx", Operand.MEMORY),
    ops.LDX | ops.W | ops.LEN: Form("ldx", Operand.LENGTH),
    ops.LDX | ops.B | ops.MSH: Form("ldxb", Operand.HEADER),
}
_OTHERS: Final = {
    ops.ST: Form("st", Operand.MEMORY),
    ops.STX: Form("stx", Operand.MEMORY),
    ops.ALU | ops.NEG: Form("neg", Operand.NONE),
    ops.JMP | ops.JA: Form("ja", Operand.TARGET),
    ops.RET | ops.K: Form("ret", Operand.CONSTANT),
    ops.RET | ops.A: Form("ret", Operand.A),
    ops.MISC | ops.TAX: Form("tax", Operand.NONE),
    ops.MISC | ops.TXA: Form("txa", Operand.NONE),
}


def _of_packet() -> dict[int, Form]:
    sizes = {"ld": ops.W, "ldh": ops.H, "ldb": ops.B}
    modes = {ops.ABS: Operand.PACKET, ops.IND: Operand.INDEXED}
    return {
        ops.LD | size | mode: Form(mnemonic, operand)
        for mnemonic, size in sizes.items()
        for mode, operand in modes.items()
    }


def _with_constant_or_x(kind: int, names: dict[str, int]) -> dict[int, Form]:
    sources = {ops.K: Operand.CONSTANT, ops.X: Operand.X}
    return {
        kind | code | source: Form(mnemonic, operand)
        for mnemonic, code in names.items()
        for source, operand in sources.items()
    }


FORMS: Final[dict[int, Form]] = {
    **_of_packet(),
    **_LOADS,
    **_with_constant_or_x(ops.ALU, ARITHMETIC),
    **_with_constant_or_x(ops.JMP, CONDITIONS),
    **_OTHERS,
}
"""How each code is written; what isn't here isn't an instruction."""


HEXADECIMAL: Final = {"ld", "ldx", "jeq", "jgt", "jge", "jset", "and", "or", "xor"}
"""The mnemonics whose constants are written so; the others' are decimal."""


def is_condition(code: int) -> bool:
    """Whether such an instruction goes one of two ways."""
    return code & 0x07 == ops.JMP and code & 0xF0 != ops.JA
