"""A machine for classic BPF that runs whole programs, or shows A, X and M[] before each instruction."""

from collections.abc import Iterator
from typing import NamedTuple

from tui.bpf.classic.dialect import Dialect
from tui.bpf.classic.execution import compiled
from tui.bpf.classic.instructions import Program
from tui.bpf.classic.packet import Ancillary, Packet
from tui.bpf.classic.registers import Registers

__all__ = ["Ancillary", "Dialect", "Machine", "Packet", "State", "run", "steps"]


class State(NamedTuple):
    """Where a program is: before the instruction `pc`, or, with a result, after it, as the last one."""

    pc: int
    a: int
    x: int
    memory: tuple[int, ...]
    result: int | None
    """How many bytes of the packet are wanted; 0: none of it. None while the program runs."""
    why: str
    """Why it ended."""


class Machine:
    """One program, ready to run on packet after packet."""

    def __init__(self, program: Program, dialect: Dialect = Dialect.LINUX) -> None:
        self._steps = compiled(program, dialect)

    def run(self, packet: Packet) -> int:
        """The result: how many bytes of the packet are wanted; 0: none of it."""
        steps = self._steps
        registers = Registers(packet)
        pc = 0
        while pc >= 0:
            pc = steps[pc](registers)
        return registers.result

    def steps(self, packet: Packet) -> Iterator[State]:
        """The state before each instruction, then the last one, with the result."""
        registers = Registers(packet)
        pc = last = 0
        while pc >= 0:
            last = pc
            yield _state(registers, pc, None)
            pc = self._steps[pc](registers)
        yield _state(registers, last, registers.result)


def _state(registers: Registers, pc: int, result: int | None) -> State:
    return State(pc, registers.a, registers.x, tuple(registers.memory), result, registers.why)


def run(program: Program, packet: Packet, dialect: Dialect = Dialect.LINUX) -> int:
    """Runs a program once; for many packets a Machine is quicker."""
    return Machine(program, dialect).run(packet)


def steps(program: Program, packet: Packet, dialect: Dialect = Dialect.LINUX) -> Iterator[State]:
    """The state before each instruction, then the last one, with the result."""
    return Machine(program, dialect).steps(packet)
