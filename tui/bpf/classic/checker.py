"""What the kernel refuses, said before it is asked, with a reason: it only ever says EINVAL.

The rules are bpf_check_classic and check_load_and_stores in net/core/filter.c, the same from Linux 5.15 to 6.18. Apart
from them, SO_ATTACH_FILTER says ENOMEM for a program that the kernel's translation makes larger than
net.core.optmem_max (20 KB before Linux 6.9, then 128 KB): an instruction becomes up to about 20 of 8 bytes.
"""

from collections.abc import Callable
from typing import Final

from tui.bpf.classic import instructions as ops
from tui.bpf.classic.forms import FORMS, Operand
from tui.bpf.classic.instructions import (
    AD_OFF,
    ANCILLARY_NAMES,
    MAX_INSTRUCTIONS,
    MEMORY_WORDS,
    Instruction,
    Program,
    successors,
)
from tui.errors import UsageError

_READS: Final = {ops.LD | ops.MEM, ops.LDX | ops.MEM}
_WRITES: Final = {ops.ST, ops.STX}
_RETURNS: Final = {ops.RET | ops.K, ops.RET | ops.A}
_EVERYTHING: Final = (1 << MEMORY_WORDS) - 1

_RULES: Final[tuple[tuple[set[int], Callable[[int], bool], str], ...]] = (
    ({ops.ALU | ops.DIV | ops.K, ops.ALU | ops.MOD | ops.K}, lambda k: k == 0, "divides by zero"),
    (
        {ops.ALU | ops.LSH | ops.K, ops.ALU | ops.RSH | ops.K},
        lambda k: k >= 32,
        "shifts by {k} bits; 31 are the most",
    ),
    (
        _READS | _WRITES,
        lambda k: k >= MEMORY_WORDS,
        f"uses M[{{k}}]; there are M[0] to M[{MEMORY_WORDS - 1}]",
    ),
    (
        {code for code, form in FORMS.items() if form.operand is Operand.PACKET},
        lambda k: k >= AD_OFF and k - AD_OFF not in ANCILLARY_NAMES,
        "loads from {k:#x}, where Linux has no ancillary data",
    ),
)
"""Codes, which constants they mustn't have, and why."""


class CheckError(UsageError):
    """The kernel would refuse the program."""

    def __init__(self, reason: str, index: int | None = None) -> None:
        """`index`: the instruction that is wrong, from 0; None where it is the program as a whole."""
        super().__init__(reason if index is None else f"instruction {index} {reason}")
        self.reason = reason
        self.index = index


def check(program: Program) -> None:
    """Raises CheckError if the kernel would refuse the program, with the first reason that it finds."""
    if not 1 <= len(program) <= MAX_INSTRUCTIONS:
        raise CheckError(f"a program has 1 to {MAX_INSTRUCTIONS:,} instructions, not {len(program):,}")
    for index, instruction in enumerate(program):
        reason = _fault(instruction) or _jump_fault(index, instruction, len(program))
        if reason:
            raise CheckError(reason, index)
    if program[-1].code not in _RETURNS:
        raise CheckError("is the last one and no return: end with `ret`", len(program) - 1)
    _check_memory(program)


def _fault(instruction: Instruction) -> str:
    """What is wrong with an instruction, wherever it stands."""
    code, jt, jf, k = instruction
    if not (0 <= code <= 0xFFFF and 0 <= jt <= 0xFF and 0 <= jf <= 0xFF and 0 <= k <= 0xFFFFFFFF):
        return "has a number that doesn't fit its field: 16 bits for the code, 8 for each jump, 32 for k"
    if code not in FORMS:
        return f"has the code {code:#x}, which classic BPF doesn't have"
    return next((reason.format(k=k) for codes, wrong, reason in _RULES if code in codes and wrong(k)), "")


def _jump_fault(index: int, instruction: Instruction, length: int) -> str:
    if instruction.code & 0x07 != ops.JMP:
        return ""
    for target in successors(index, instruction):
        if target >= length:
            return f"jumps to instruction {target:,}; the last one is {length - 1:,}"
        if target <= index:
            return f"jumps back, to instruction {target:,}; the kernel refuses loops"
    return ""


def _check_memory(program: Program) -> None:
    """Refuses what reads a word of M[] that isn't written on every way there, as the kernel finds it out.

    It goes through the program once, top to bottom, with one bit per word. A return isn't taken for an end: what was
    written before it counts for what stands behind it, as far as those who jump there agree.
    """
    at_targets = [_EVERYTHING] * len(program)
    written = 0
    for index, instruction in enumerate(program):
        written &= at_targets[index]
        if instruction.code in _WRITES:
            written |= 1 << instruction.k
        elif instruction.code in _READS and not written >> instruction.k & 1:
            raise CheckError(f"reads M[{instruction.k}], which isn't written on every way there", index)
        elif instruction.code & 0x07 == ops.JMP:
            for target in successors(index, instruction):
                at_targets[target] &= written
            written = _EVERYTHING
