"""Reading the packet in place, from `data` (R8) to `data_end` (R9): on XDP all of it, on tc and cgroups its first part.

Each load compares addresses first, if none on every way to it has done so. One that depends on X makes the address of
what X points at (R3), which later ones use while X stays. X is R1, so that only a call has to put it aside.
"""

from tui.bpf.classic.instructions import Instruction
from tui.bpf.extended import assembler as asm
from tui.bpf.extended import facts as known
from tui.bpf.extended.facts import FARTHEST
from tui.bpf.extended.instructions import DW, R0, R1, R2, R3, R4, R5, R8, R9, R10, Register
from tui.bpf.extended.writer import SAVED, SIZES, Plan, Writer

_LARGEST_OFFSET = 0x7FFF


class Direct(Writer):
    """XDP: what isn't between the two ends the program."""

    x = R1
    spare = R4
    far = R5

    def short(self, index: int) -> str:
        """Where a load goes whose bytes aren't there."""
        return self.ending(index)

    def packet(self, index: int, offset: int, size: int, into: Register) -> None:
        """See Writer. No packet reaches farther than the verifier lets a program look."""
        if offset + size > FARTHEST:
            self._never(index, into)
            return
        if self.may_end(index):
            self._check(R8, offset + size, index)
        self._read(into, R8, offset, size)

    def header(self, index: int, offset: int, size: int, into: Register) -> None:  # noqa: ARG002 - see Writer
        """See Writer. There are none left: loads from the link layer's header are loads from the packet."""
        self._never(index, into)

    def indexed(self, index: int, offset: int, size: int) -> None:
        """See Writer."""
        before = self.before(index)
        if not known.is_near(self.plan.program[index], before):
            self._indexed_far(index, offset, size)
            return
        if before.beyond_x < 0:
            self._point_at_x(before.x)
        if self.may_end(index):
            self._check(R3, offset + size, index)
        self._read(R0, R3, offset, size)

    def _point_at_x(self, most: int) -> None:
        """R3 = where X points at. X has no bits that the mask takes away.

        But verifiers up to 6.1 at least follow comparisons of A with X where they can't lead, with X at least 2,049 and
        at most 60, say, and refuse to add that to an address; by the mask they know it in order again.
        """
        mask = (1 << most.bit_length()) - 1
        self.items += [asm.mov(R3, self.x), asm.alu("&=", R3, mask), asm.alu("+=", R3, R8)]

    def _indexed_far(self, index: int, offset: int, size: int) -> None:
        """X may be anything; the sum has 32 bits, so that it may even be less than X."""
        self.items += [asm.mov32(R2, self.x), asm.alu32("+=", R2, offset)]
        self._limit(index, size)
        self.items += [asm.mov(R5, R8), asm.alu("+=", R5, R2)]
        self._check(R5, size, index)
        self.items.append(asm.load(R0, R5, 0, SIZES[size]))
        self.swapped(R0, size)

    def _limit(self, index: int, size: int) -> None:
        """Goes away if R2 is too far to be looked at.

        The mask changes nothing, but makes the verifier forget what was added: more than 2²⁹ it refuses (6.18). Of a
        sum that can't be (a multiple of 4 between two others) it makes one beyond the limit, which is refused later;
        asked again it sees that nobody comes this way.
        """
        too_far = asm.jump(">", R2, FARTHEST - size, self.short(index))
        self.items += [too_far, asm.alu("&=", R2, FARTHEST), too_far]

    def ihl(self, index: int, instruction: Instruction) -> None:
        """See Writer."""
        read = self.packet if known.is_packet(instruction) else self.header
        read(index, instruction.k, 1, self.x)
        self.items += [asm.alu32("&=", self.x, 0xF), asm.alu32("<<=", self.x, 2)]

    def length(self, into: Register) -> None:
        """See Writer."""
        self.items += [asm.mov(into, R9), asm.alu("-=", into, R8)]

    def called(self, helper: str) -> None:
        """See Writer."""
        if self.plan.has_x:
            around = asm.store(R10, SAVED, self.x, DW), asm.load(self.x, R10, SAVED, DW)
            self.items += [around[0], asm.call(helper), around[1]]
        else:
            self.items.append(asm.call(helper))

    def _never(self, index: int, into: Register) -> None:
        """Goes away in any case, though the verifier, which refuses what nothing leads to, can't tell.

        For it the register is set, to something within the bounds that a load would give.
        """
        self.items += [asm.jump("!=", R10, 0, self.short(index)), asm.mov32(into, 0)]

    def _check(self, base: Register, end: int, index: int) -> None:
        self.items += [asm.mov(R2, base), asm.alu("+=", R2, end), asm.jump(">", R2, R9, self.short(index))]

    def _read(self, into: Register, base: Register, offset: int, size: int) -> None:
        if offset > _LARGEST_OFFSET:
            self.items += [asm.mov(R2, base), asm.alu("+=", R2, offset)]
            base, offset = R2, 0
        self.items.append(asm.load(into, base, offset, SIZES[size]))
        self.swapped(into, size)


class Linear(Direct):
    """tc, cgroups: what isn't between the two may be elsewhere; another copy of the program goes on there, by calls."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.left: set[int] = set()  # the instructions that the other copy may have to begin with

    def short(self, index: int) -> str:
        """See Direct. Swapped twice, X is the same, but all that the verifier knew of it is forgotten.

        So the other copy is looked through but once, not again for each place from which one comes.
        """
        self.left.add(index)
        if not self.plan.has_x:
            return entry(index)
        forgotten = [asm.mov(R9, self.x), asm.big_endian(R9, 32), asm.big_endian(R9, 32)]
        return self.aside(f"{index} leaves", lambda: [*forgotten, asm.goto(entry(index))])

    def length(self, into: Register) -> None:
        """See Writer: of all of the packet."""
        Writer.length(self, into)


def entry(index: int) -> str:
    """The label where the other copy goes on with an instruction, which has been counted."""
    return f"{index} goes on"
