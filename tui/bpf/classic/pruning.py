"""Taking out what no packet can reach: classic BPF may have it, eBPF's verifier refuses it."""

from typing import NamedTuple

from tui.bpf.classic import instructions as ops
from tui.bpf.classic.instructions import Instruction, Program, successors


class Pruned(NamedTuple):
    """A program without its unreachable instructions."""

    program: Program
    positions: tuple[int | None, ...]
    """For each instruction of the original program where it is now; None where it is gone."""


def prune(program: Program) -> Pruned:
    """The program without what can't be reached from its first instruction; it does the same.

    The jumps must lead to instructions of the program, as those of a checked one and of libpcap's do; forward or back.
    """
    kept = sorted(_reached(program))
    new = {old: index for index, old in enumerate(kept)}
    moved = tuple(_moved(program[old], old, new) for old in kept)
    return Pruned(moved, tuple(new.get(index) for index in range(len(program))))


def _reached(program: Program) -> set[int]:
    reached: set[int] = set()
    waiting = [0] if program else []
    while waiting:
        index = waiting.pop()
        if index not in reached:
            reached.add(index)
            waiting += successors(index, program[index])
    return reached


def _moved(instruction: Instruction, old: int, new: dict[int, int]) -> Instruction:
    """The instruction with its jumps as long as they are now."""
    if instruction.code & 0x07 != ops.JMP:
        return instruction
    distances = [new[target] - new[old] - 1 for target in successors(old, instruction)]
    if len(distances) == 1:
        return instruction._replace(k=distances[0] & 0xFFFFFFFF)
    return instruction._replace(jt=distances[0], jf=distances[1])
