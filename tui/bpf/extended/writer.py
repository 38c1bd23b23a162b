"""Translating classic instructions one by one: what is the same for all kinds of hooks.

A is R0, which also has the result; X is wherever the kind keeps it. R6 is the context, R7 the figures; M[0] to M[15]
are on the stack. How the packet is read is left to those that derive from Writer.
"""

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from tui.bpf.classic import instructions as ops
from tui.bpf.classic.instructions import AD_OFF, Instruction, Program, successors
from tui.bpf.extended import assembler as asm
from tui.bpf.extended import facts as known
from tui.bpf.extended.ancillary import Call, Field, Source
from tui.bpf.extended.facts import Facts
from tui.bpf.extended.hits import Kind
from tui.bpf.extended.instructions import DW, R0, R6, R7, R10, B, H, Register, W
from tui.bpf.extended.items import Item

MATCHED: Final = "matched"
UNMATCHED: Final = "unmatched"
MEMORY: Final = -256  # from R10: M[0]
BUFFER: Final = -192  # 8 bytes that a load may use
SAVED: Final = -184  # X while something is called
SIZES: Final = {1: B, 2: H, 4: W}
_ARITHMETIC: Final = {
    ops.ADD: "+=",
    ops.SUB: "-=",
    ops.MUL: "*=",
    ops.DIV: "/=",
    ops.MOD: "%=",
    ops.AND: "&=",
    ops.OR: "|=",
    ops.XOR: "^=",
    ops.LSH: "<<=",
    ops.RSH: ">>=",
}
_CONDITIONS: Final = {ops.JEQ: "==", ops.JGT: ">", ops.JGE: ">=", ops.JSET: "&"}
_OPPOSITES: Final = {"==": "!=", ">": "<=", ">=": "<"}
_CELLS_IN_REACH: Final = 0x7FF8  # of an offset's 15 bits
_PART: Final = 128  # classic instructions whose translation stays together


class Plan(NamedTuple):
    """What is translated, and what is known of it."""

    program: Program
    kind: Kind
    facts: tuple[Facts | None, ...]
    sources: Mapping[int, Source]  # of ancillary data, by offset
    starts: frozenset[int]  # of blocks
    hits: int | None  # offset of the cells in the figures; None: nothing is counted
    has_x: bool  # whether anything needs X


def touches_x(instruction: Instruction) -> bool:
    """Whether it needs X, or may."""
    kind = instruction.code & 0x07
    if kind in {ops.ALU, ops.JMP}:
        return bool(instruction.code & ops.X)
    is_load = known.is_indexed(instruction) or known.is_ancillary(instruction)
    return is_load or kind in {ops.LDX, ops.STX, ops.MISC}


class Writer:
    """Writes one copy of a program; `suffix` tells its labels from those of another copy."""

    suffix = ""
    x: Register  # where X is
    spare: Register  # for whatever takes a register for a moment
    far: Register  # another one

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.items: list[Item] = []
        self._cold: dict[str, list[Item]] = {}  # what rarely runs: behind the rest

    def write(self, indexes: Iterable[int]) -> dict[int, list[Item]]:
        """These instructions, ascending, in parts, each with what rarely runs in it behind it; by number."""
        return {number: self._part(list(group)) for number, group in itertools.groupby(indexes, lambda i: i // _PART)}

    def _part(self, indexes: Sequence[int]) -> list[Item]:
        self.items, self._cold = [], {}
        for index, following in itertools.pairwise((*indexes, -1)):
            self.items.append(asm.label(self.label(index)))
            self.count(index)
            self._instruction(index, following)
        if self.plan.program[indexes[-1]].code & 0x07 not in {ops.JMP, ops.RET}:
            self.items.append(asm.goto(self.label(indexes[-1] + 1)))
        for items in self._cold.values():
            self.items += items
        return self.items

    def label(self, index: int) -> str:
        """Where the instruction begins, in this copy."""
        return f"{index}{self.suffix}"

    # What depends on how the packet is read.

    def packet(self, index: int, offset: int, size: int, into: Register) -> None:
        """A place that is known beforehand. It may be beyond the packet if `self.may_end`."""
        raise NotImplementedError

    def header(self, index: int, offset: int, size: int, into: Register) -> None:
        """A place that counts from a header's beginning."""
        raise NotImplementedError

    def indexed(self, index: int, offset: int, size: int) -> None:
        """A place that depends on X."""
        raise NotImplementedError

    def length(self, into: Register) -> None:
        """The packet's length."""
        self.items.append(asm.load(into, R6, 0, W))

    def ihl(self, index: int, instruction: Instruction) -> None:
        """X = 4 * (a byte of the packet & 0xf); A stays."""
        raise NotImplementedError

    # What doesn't.

    def before(self, index: int) -> Facts:
        """What is known before an instruction that is reached."""
        found = self.plan.facts[index]
        assert found is not None  # noqa: S101 - others aren't written
        return found

    def may_end(self, index: int) -> bool:
        """Whether an instruction may end the program though it is no return."""
        return known.may_end(self.plan.program[index], self.before(index))

    def ending(self, index: int) -> str:
        """Where an instruction that ends the program goes: where that is counted, if it must be."""
        if self.plan.hits is None or index + 1 in self.plan.starts:
            return UNMATCHED
        return self.aside(f"{self.label(index)} ends", lambda: [*self._counted(index + 1), asm.goto(UNMATCHED)])

    def aside(self, name: str, items: Callable[[], Sequence[Item]]) -> str:
        """A label of what rarely runs, written once; it ends by going somewhere."""
        if name not in self._cold:
            self._cold[name] = [asm.label(name), *items()]
        return name

    def swapped(self, register: Register, size: int) -> None:
        """Turns bytes of the packet, which has the highest first, into a number."""
        if size > 1:
            self.items.append(asm.big_endian(register, 8 * size))

    def count(self, index: int) -> None:
        """Counts the block that begins here, if one does."""
        if self.plan.hits is not None and index in self.plan.starts:
            self.items += self._counted(index)

    def _counted(self, cell: int) -> list[Item]:
        """Adds one to a cell. Only a cgroup's program can be interrupted by another on the same CPU."""
        assert self.plan.hits is not None  # noqa: S101 - asked before
        offset, base = self.plan.hits + 8 * cell, R7
        items: list[Item] = []
        if offset > _CELLS_IN_REACH:
            items += [asm.mov(self.far, R7), asm.alu("+=", self.far, offset)]
            offset, base = 0, self.far
        if self.plan.kind is Kind.CGROUP:
            return [*items, asm.mov(self.spare, 1), asm.atomic("+=", base, offset, self.spare)]
        return [
            *items,
            asm.load(self.spare, base, offset, DW),
            asm.alu("+=", self.spare, 1),
            asm.store(base, offset, self.spare, DW),
        ]

    def _instruction(self, index: int, following: int) -> None:
        instruction = self.plan.program[index]
        kind = instruction.code & 0x07
        if kind == ops.LD:
            self._load(index, instruction)
        elif kind == ops.LDX:
            self._load_x(index, instruction)
        elif kind in {ops.ST, ops.STX}:
            self.items.append(asm.store(R10, MEMORY + 4 * instruction.k, R0 if kind == ops.ST else self.x, W))
        elif kind == ops.ALU:
            self._calculate(index, instruction)
        elif kind == ops.JMP:
            self._jump(index, instruction, following)
        elif kind == ops.RET:
            self._return(instruction)
        elif instruction.code == ops.MISC | ops.TAX:
            self.items.append(asm.mov(self.x, R0))
        else:
            self.items.append(asm.mov(R0, self.x))

    def _load(self, index: int, instruction: Instruction) -> None:
        if known.is_ancillary(instruction):
            self._ancillary(index, instruction.k - AD_OFF)
        elif known.is_packet(instruction):
            self.packet(index, instruction.k, known.size_of(instruction), R0)
        elif known.is_header(instruction):
            self.header(index, instruction.k, known.size_of(instruction), R0)
        elif known.is_indexed(instruction):
            self.indexed(index, instruction.k, known.size_of(instruction))
        else:
            self._simple(instruction, R0)

    def _load_x(self, index: int, instruction: Instruction) -> None:
        if instruction.code & 0xE0 == ops.MSH:
            self.ihl(index, instruction)
        else:
            self._simple(instruction, self.x)

    def _simple(self, instruction: Instruction, into: Register) -> None:
        mode = instruction.code & 0xE0
        if mode == ops.IMM:
            self.items.append(asm.mov32(into, instruction.k))
        elif mode == ops.MEM:
            self.items.append(asm.load(into, R10, MEMORY + 4 * instruction.k, W))
        else:
            self.length(into)

    def _ancillary(self, index: int, offset: int) -> None:
        source = self.plan.sources.get(offset)
        if source is None:  # the only one that is no load
            self.items.append(asm.alu32("^=", R0, self.x))
        elif isinstance(source, Field):
            self.items.append(asm.load(R0, R6, source.offset, W))
            if source.is_big_endian:
                self.items.append(asm.big_endian(R0, 16))
            if source.ends_if_zero:
                self.items.append(asm.jump32("==", R0, 0, self.ending(index)))
        elif isinstance(source, Call):
            self.called(source.helper)
        else:
            self.items.append(asm.mov32(R0, source))

    def called(self, helper: str) -> None:
        """R0 = what a function of the kernel gives; X stays."""
        self.items.append(asm.call(helper))

    def _calculate(self, index: int, instruction: Instruction) -> None:
        if instruction.code == ops.ALU | ops.NEG:
            self.items.append(asm.negate32(R0))
            return
        if known.is_division(instruction):
            self.items.append(asm.jump32("==", self.x, 0, self.ending(index)))
        operand = self.x if instruction.code & ops.X else instruction.k
        self.items.append(asm.alu32(_ARITHMETIC[instruction.code & 0xF0], R0, operand))

    def _jump(self, index: int, instruction: Instruction, following: int) -> None:
        targets = successors(index, instruction)
        yes, no = targets[0], targets[-1]
        if yes != no:
            operator = _CONDITIONS[instruction.code & 0xF0]
            operand = self.x if instruction.code & ops.X else instruction.k
            if yes == following and operator in _OPPOSITES:
                operator, yes, no = _OPPOSITES[operator], no, yes
            self.items.append(asm.jump32(operator, R0, operand, self.label(yes)))
        if no != following:
            self.items.append(asm.goto(self.label(no)))

    def _return(self, instruction: Instruction) -> None:
        if instruction.code == ops.RET | ops.A:
            self.items += [asm.jump32("==", R0, 0, UNMATCHED), asm.goto(MATCHED)]
        elif instruction.k:
            self.items += [asm.mov32(R0, instruction.k), asm.goto(MATCHED)]
        else:
            self.items.append(asm.goto(UNMATCHED))


def reached(program: Program, entries: Collection[int]) -> list[int]:
    """The instructions that may run after one of these, and these, in their order."""
    found = set(entries)
    for index, instruction in enumerate(program):
        if index in found:
            found.update(successors(index, instruction))
    return sorted(found)
