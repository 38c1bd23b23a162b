"""What each instruction does, as a function of its own: a program becomes a list of these once, and runs often.

A step changes the registers and returns the number of the next step, or END with a result. Whatever the program, it
ends: without a return with 0.
"""

import operator
from collections.abc import Callable
from typing import Final

from tui.bpf.classic import instructions as ops
from tui.bpf.classic.arithmetic import arithmetic
from tui.bpf.classic.dialect import Dialect
from tui.bpf.classic.forms import FORMS, Form, Operand
from tui.bpf.classic.instructions import MEMORY_WORDS, Instruction, Program, successors
from tui.bpf.classic.loads import packet_load
from tui.bpf.classic.moves import MOVES
from tui.bpf.classic.registers import Registers, Step

_JUMPS_BACK: Final = 64  # at most, as in libpcap's bpf_filter.c after 1.10
_COMPARISONS: Final[dict[str, Callable[[int, int], int]]] = {
    "jeq": operator.eq,
    "jgt": operator.gt,
    "jge": operator.ge,
    "jset": operator.and_,
}


def compiled(program: Program, dialect: Dialect) -> list[Step]:
    """One step for each instruction, and one more for what lies outside the program."""
    steps = [_compiled(index, instruction, len(program), dialect) for index, instruction in enumerate(program)]
    return [*steps, _ending("there is no instruction")]


def _compiled(index: int, instruction: Instruction, length: int, dialect: Dialect) -> Step:
    form = FORMS.get(instruction.code)
    if form is None:
        return _ending(f"{instruction.code:#x} is no instruction")
    match instruction.code & 0x07:
        case ops.JMP:
            return _jump(index, instruction, form, length, dialect)
        case ops.RET:
            return _return_a if form.operand is Operand.A else _return_constant(instruction.k)
        case ops.ALU:
            return arithmetic(form, instruction.k, index + 1, dialect)
    if instruction.code in MOVES:
        return _move(instruction, form, index + 1)
    return packet_load(instruction, index + 1, dialect)


def _move(instruction: Instruction, form: Form, following: int) -> Step:
    if form.operand is Operand.MEMORY and instruction.k >= MEMORY_WORDS:
        return _ending(f"there is no M[{instruction.k}]")
    return MOVES[instruction.code](instruction.k, following)


def _ending(why: str) -> Step:
    return lambda run: run.end(0, why)


def _return_a(run: Registers) -> int:
    return run.end(run.a, "returned A")


def _return_constant(k: int) -> Step:
    return lambda run: run.end(k, "returned")


def _jump(index: int, instruction: Instruction, form: Form, length: int, dialect: Dialect) -> Step:
    first = 0 if dialect is Dialect.LIBPCAP else index + 1
    targets = [at if first <= at < length else length for at in successors(index, instruction)]
    if len(targets) == 2:
        return _condition(_COMPARISONS[form.mnemonic], form.operand, instruction.k, targets[0], targets[1])
    return _jump_back(targets[0]) if targets[0] <= index else lambda _: targets[0]


def _jump_back(target: int) -> Step:
    def step(run: Registers) -> int:
        run.jumps_back += 1
        return target if run.jumps_back <= _JUMPS_BACK else run.end(0, f"more than {_JUMPS_BACK} jumps back")

    return step


def _condition(holds: Callable[[int, int], int], operand: Operand, k: int, yes: int, no: int) -> Step:
    if operand is Operand.X:
        return lambda run: yes if holds(run.a, run.x) else no
    return lambda run: yes if holds(run.a, k) else no
