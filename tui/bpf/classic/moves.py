"""Steps that move numbers between A, X and M[], and into them what isn't in the packet's bytes."""

from collections.abc import Callable
from typing import Final

from tui.bpf.classic import instructions as ops
from tui.bpf.classic.registers import Registers, Step

Maker = Callable[[int, int], Step]
"""Makes the step of an instruction with the constant k, before the instruction with a number."""


def _constant_to_a(k: int, following: int) -> Step:
    def step(run: Registers) -> int:
        run.a = k
        return following

    return step


def _constant_to_x(k: int, following: int) -> Step:
    def step(run: Registers) -> int:
        run.x = k
        return following

    return step


def _length_to_a(_: int, following: int) -> Step:
    def step(run: Registers) -> int:
        run.a = run.packet.length
        return following

    return step


def _length_to_x(_: int, following: int) -> Step:
    def step(run: Registers) -> int:
        run.x = run.packet.length
        return following

    return step


def _memory_to_a(k: int, following: int) -> Step:
    def step(run: Registers) -> int:
        run.a = run.memory[k]
        return following

    return step


def _memory_to_x(k: int, following: int) -> Step:
    def step(run: Registers) -> int:
        run.x = run.memory[k]
        return following

    return step


def _a_to_memory(k: int, following: int) -> Step:
    def step(run: Registers) -> int:
        run.memory[k] = run.a
        return following

    return step


def _x_to_memory(k: int, following: int) -> Step:
    def step(run: Registers) -> int:
        run.memory[k] = run.x
        return following

    return step


def _a_to_x(_: int, following: int) -> Step:
    def step(run: Registers) -> int:
        run.x = run.a
        return following

    return step


def _x_to_a(_: int, following: int) -> Step:
    def step(run: Registers) -> int:
        run.a = run.x
        return following

    return step


MOVES: Final[dict[int, Maker]] = {
    ops.LD | ops.IMM: _constant_to_a,
    ops.LDX | ops.IMM: _constant_to_x,
    ops.LD | ops.W | ops.LEN: _length_to_a,
    ops.LDX | ops.W | ops.LEN: _length_to_x,
    ops.LD | ops.MEM: _memory_to_a,
    ops.LDX | ops.MEM: _memory_to_x,
    ops.ST: _a_to_memory,
    ops.STX: _x_to_memory,
    ops.MISC | ops.TAX: _a_to_x,
    ops.MISC | ops.TXA: _x_to_a,
}
"""For each code that only moves."""
