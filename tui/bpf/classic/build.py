"""Programs written in Python: a list of what these functions return, for `assembler.assemble`.

    assemble([
        ld(abs=12, size=H),
        jeq(0x800, "ip", "drop"),
        label("ip"),
        ldx(msh=14),
        ld(ind=16, size=H),
        jne(22, "drop"),
        ret(0xFFFFFFFF),
        label("drop"),
        ret(0),
    ])

Where an instruction works with X instead of a constant, "x" is given: `add("x")`, `jgt("x", "more")`. A jump without a
label goes on to the next instruction. Raises AssemblyError for what no instruction can do.
"""

from collections.abc import Callable
from typing import Final, Literal, Protocol

from tui.bpf.classic import instructions as ops
from tui.bpf.classic.instructions import AD_OFF, ANCILLARY, Instruction
from tui.bpf.classic.items import AssemblyError, Jump, Label

Source = int | Literal["x"]


class Condition(Protocol):
    """Makes a jump that goes one of two ways."""

    def __call__(self, value: Source, yes: str | None = None, no: str | None = None) -> Jump:
        """Compares A with a constant or with X, and names where to go."""


_OF_A: Final = {"imm": ops.IMM, "abs": ops.ABS, "ind": ops.IND, "mem": ops.MEM, "len": ops.LEN}
_OF_X: Final = {"imm": ops.IMM, "mem": ops.MEM, "len": ops.LEN, "msh": ops.MSH}


def label(name: str) -> Label:
    """Names the instruction that follows."""
    return Label(name)


def ancillary(name: str) -> int:
    """Where Linux has the ancillary data of that name (instructions.ANCILLARY): `ld(abs=ancillary("vlan_tci"))`."""
    if name not in ANCILLARY:
        raise AssemblyError(f"there is no ancillary data {name}; there are {', '.join(ANCILLARY)}")
    return AD_OFF + ANCILLARY[name]


def ld(size: int = ops.W, **source: int) -> Instruction:
    """Into A: `imm=` a constant, `abs=` the packet there, `ind=` at X and so much, `mem=` M[…], `len=True`.

    `size`, W, H or B, is how much of the packet.
    """
    mode, k = _mode("ld", _OF_A, source)
    if size not in {ops.W, ops.H, ops.B} or (size != ops.W and mode not in {ops.ABS, ops.IND}):
        raise AssemblyError("ld has the sizes W, H and B, the latter two with abs= and ind=")
    return Instruction(ops.LD | size | mode, k=k)


def ldx(**source: int) -> Instruction:
    """Into X: `imm=` a constant, `mem=` M[…], `len=True`, `msh=` four times the low half of the packet's byte there."""
    mode, k = _mode("ldx", _OF_X, source)
    return Instruction(ops.LDX | (ops.B if mode == ops.MSH else ops.W) | mode, k=k)


def _mode(name: str, modes: dict[str, int], source: dict[str, int]) -> tuple[int, int]:
    if len(source) != 1 or not source.keys() <= modes.keys():
        raise AssemblyError(f"{name} takes one of {', '.join(f'{mode}=' for mode in modes)}")
    ((word, k),) = source.items()
    return modes[word], 0 if word == "len" else _constant(k)


def st(word: int) -> Instruction:
    """A into M[word]."""
    return Instruction(ops.ST, k=_constant(word))


def stx(word: int) -> Instruction:
    """X into M[word]."""
    return Instruction(ops.STX, k=_constant(word))


def tax() -> Instruction:
    """A into X."""
    return Instruction(ops.MISC | ops.TAX)


def txa() -> Instruction:
    """X into A."""
    return Instruction(ops.MISC | ops.TXA)


def neg() -> Instruction:
    """A = -A."""
    return Instruction(ops.ALU | ops.NEG)


def ret(value: int | Literal["a"]) -> Instruction:
    """Ends: how many bytes of the packet are wanted, at most; 0 for none of it."""
    return Instruction(ops.RET | ops.A) if value == "a" else Instruction(ops.RET | ops.K, k=_constant(value))


def ja(target: str) -> Jump:
    """Goes to a label."""
    return Jump(ops.JMP | ops.JA, 0, Label(target), None)


def _constant(k: int) -> int:
    if not -0x80000000 <= k <= 0xFFFFFFFF:
        raise AssemblyError(f"{k:,} doesn't fit in 32 bits")
    return k & 0xFFFFFFFF


def _source(value: Source) -> tuple[int, int]:
    return (ops.X, 0) if value == "x" else (ops.K, _constant(value))


def _arithmetic(code: int) -> Callable[[Source], Instruction]:
    def instruction(value: Source) -> Instruction:
        source, k = _source(value)
        return Instruction(ops.ALU | code | source, k=k)

    return instruction


def _condition(code: int, *, negated: bool = False) -> Condition:
    def jump(value: Source, yes: str | None = None, no: str | None = None) -> Jump:
        source, k = _source(value)
        targets = [None if name is None else Label(name) for name in ((no, yes) if negated else (yes, no))]
        return Jump(ops.JMP | code | source, k, *targets)

    return jump


# A = A op value.
add = _arithmetic(ops.ADD)
sub = _arithmetic(ops.SUB)
mul = _arithmetic(ops.MUL)
div = _arithmetic(ops.DIV)
mod = _arithmetic(ops.MOD)
and_ = _arithmetic(ops.AND)
or_ = _arithmetic(ops.OR)
xor = _arithmetic(ops.XOR)
lsh = _arithmetic(ops.LSH)
rsh = _arithmetic(ops.RSH)

# If A … value goes to the first label, else to the second.
jeq = _condition(ops.JEQ)
jgt = _condition(ops.JGT)
jge = _condition(ops.JGE)
jset = _condition(ops.JSET)  # if A has any of these bits
jne = _condition(ops.JEQ, negated=True)
jlt = _condition(ops.JGE, negated=True)
jle = _condition(ops.JGT, negated=True)
