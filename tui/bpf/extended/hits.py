"""How often each instruction of a classic program ran, from as few counters as tell it exactly.

A block is counted where it begins: a run of instructions that one only enters at the top. Where a load in it ends the
program, what follows didn't run. Those ends are counted too, in the cell of the instruction after the load, which has
no other use; but the loads of sockets leave no time for that, so that what follows them is a block of its own.
"""

from collections.abc import Iterator, Sequence
from enum import Enum

from tui.bpf.classic import instructions as ops
from tui.bpf.classic.instructions import Program, successors
from tui.bpf.extended.facts import Facts, facts, may_end


class Kind(Enum):
    """What a translation is for; the value is for people."""

    SOCKET = "socket"
    TC = "tc"
    XDP = "xdp"
    CGROUP = "cgroup"


def starts(program: Program, known: Sequence[Facts | None], kind: Kind) -> frozenset[int]:
    """The instructions at which blocks begin."""
    return frozenset({0, *_starts(program, known, kind)})


def _starts(program: Program, known: Sequence[Facts | None], kind: Kind) -> Iterator[int]:
    for index, (instruction, before) in enumerate(zip(program, known, strict=True)):
        if before is None:
            continue
        if instruction.code & 0x07 == ops.JMP:
            yield from successors(index, instruction)
        elif kind is Kind.SOCKET and may_end(instruction, before):
            yield index + 1


def expand(program: Program, kind: Kind, counts: Sequence[int]) -> tuple[int, ...]:
    """How often each instruction ran, of the cells that a translation with `hits` counts in.

    The cells may have been read while packets were counted: then the last few may be seen in some places only.
    """
    known = facts(program)
    begins = starts(program, known, kind)
    result = []
    running = 0
    for index, (instruction, before) in enumerate(zip(program, known, strict=True)):
        if index in begins:
            running = counts[index]
        result.append(max(0, running) if before is not None else 0)
        if before is not None and may_end(instruction, before) and index + 1 not in begins:
            running -= counts[index + 1]
    return tuple(result)
