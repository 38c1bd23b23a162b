"""Steps that compute: A = A op (k or X), in 32 bits without a sign."""

import operator
from collections.abc import Callable
from typing import Final

from tui.bpf.classic.dialect import Dialect
from tui.bpf.classic.forms import Form, Operand
from tui.bpf.classic.registers import Registers, Step

_MASK: Final = 0xFFFFFFFF
_OPERATIONS: Final[dict[str, Callable[[int, int], int]]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
}


def arithmetic(form: Form, k: int, following: int, dialect: Dialect) -> Step:
    """The step of an instruction of the class ALU; `following` is the instruction after it."""
    by_x = form.operand is Operand.X
    match form.mnemonic:
        case "neg":
            return _negation(following)
        case "div":
            return _division(operator.floordiv, k, following, by_x=by_x)
        case "mod":
            return _division(operator.mod, k, following, by_x=by_x)
        case "lsh" | "rsh" as mnemonic:
            return _shift(k, following, dialect, left=mnemonic == "lsh", by_x=by_x)
        case mnemonic:
            return (_with_x if by_x else _with_constant)(_OPERATIONS[mnemonic], k, following)


def _with_x(apply: Callable[[int, int], int], _: int, following: int) -> Step:
    def step(run: Registers) -> int:
        run.a = apply(run.a, run.x) & _MASK
        return following

    return step


def _with_constant(apply: Callable[[int, int], int], k: int, following: int) -> Step:
    def step(run: Registers) -> int:
        run.a = apply(run.a, k) & _MASK
        return following

    return step


def _negation(following: int) -> Step:
    def step(run: Registers) -> int:
        run.a = -run.a & _MASK
        return following

    return step


def _division(apply: Callable[[int, int], int], k: int, following: int, *, by_x: bool) -> Step:
    def step(run: Registers) -> int:
        divisor = run.x if by_x else k
        if not divisor:
            return run.end(0, "division by zero")
        run.a = apply(run.a, divisor)
        return following

    return step


def _shift(k: int, following: int, dialect: Dialect, *, left: bool, by_x: bool) -> Step:
    modulo = dialect is Dialect.LINUX

    def step(run: Registers) -> int:
        bits = run.x if by_x else k
        if modulo:
            bits &= 31
        elif bits > 31:
            run.a = 0
            return following
        run.a = run.a << bits & _MASK if left else run.a >> bits
        return following

    return step
