"""Reading the packet by calls: on tc and cgroups where it isn't in the skb's first part; on sockets always.

What a call gives lies on the stack, and it destroys R1 to R5: X is R9.
"""

from collections.abc import Collection
from typing import Final

from tui.bpf.classic.instructions import LL_OFF, NET_OFF, Instruction, successors
from tui.bpf.extended import assembler as asm
from tui.bpf.extended import facts as known
from tui.bpf.extended.direct import entry
from tui.bpf.extended.instructions import R0, R1, R2, R3, R4, R5, R6, R8, R9, R10, Register
from tui.bpf.extended.items import Item
from tui.bpf.extended.writer import BUFFER, SIZES, UNMATCHED, Plan, Writer, reached

_LINK, _NETWORK = 0, 1  # BPF_HDR_START_MAC, BPF_HDR_START_NET
_FIRST_NEGATIVE: Final = 1 << 31


class Calls(Writer):
    """One bpf_skb_load_bytes for each load, in a copy of the program that begins where another left off."""

    suffix = " by calls"
    x = R9
    spare = R1
    far = R2

    def __init__(self, plan: Plan, entries: Collection[int]) -> None:
        super().__init__(plan)
        self._entries = entries
        self._led_to = {
            following
            for index in reached(plan.program, entries)
            for following in successors(index, plan.program[index])
        }

    def packet(self, index: int, offset: int, size: int, into: Register) -> None:
        """See Writer."""
        self.items.append(asm.mov32(R2, offset))
        self._call(index, size)
        self._take(into, size)

    def header(self, index: int, offset: int, size: int, into: Register) -> None:
        """See Writer."""
        if offset < LL_OFF:
            self.items.append(asm.jump("!=", R10, 0, self.ending(index)))  # always; the verifier can't tell
            return
        first, start = (NET_OFF, _NETWORK) if offset >= NET_OFF else (LL_OFF, _LINK)
        self.items += [asm.mov32(R2, offset - first), asm.mov32(R5, start), *self._relative(index, size)]
        self._take(into, size)

    def indexed(self, index: int, offset: int, size: int) -> None:
        """See Writer. Where the sum counts from a header, it is dealt with aside."""
        self.items += [asm.mov32(R2, self.x), asm.alu32("+=", R2, offset)]
        if self.before(index).x + offset < _FIRST_NEGATIVE:
            self._call(index, size)
        else:
            done = f"{self.label(index)} done"
            aside = self.aside(f"{self.label(index)} negative", lambda: self._negative(index, size, done))
            self.items.append(asm.jump32("s<", R2, 0, aside))
            self._call(index, size)
            self.items.append(asm.label(done))
        self._take(R0, size)

    def _negative(self, index: int, size: int, done: str) -> list[Item]:
        name = self.label(index)
        return [
            asm.mov32(R5, _NETWORK),
            asm.jump32(">=", R2, NET_OFF, f"{name} network"),
            asm.mov32(R5, _LINK),
            asm.jump32("<", R2, LL_OFF, self.ending(index)),
            asm.alu32("-=", R2, LL_OFF),
            asm.goto(f"{name} relative"),
            asm.label(f"{name} network"),
            asm.alu32("-=", R2, NET_OFF),
            asm.label(f"{name} relative"),
            *self._relative(index, size),
            asm.goto(done),
        ]

    def ihl(self, index: int, instruction: Instruction) -> None:
        """See Writer."""
        self.items.append(asm.mov(R8, R0))
        read = self.packet if known.is_packet(instruction) else self.header
        read(index, instruction.k, 1, R0)
        self.items += [
            asm.alu32("&=", R0, 0xF),
            asm.alu32("<<=", R0, 2),
            asm.mov(self.x, R0),
            asm.mov(R0, R8),
        ]

    def count(self, index: int) -> None:
        """See Writer. Where the other copy leaves off it has counted; that may be the only way to here."""
        if index in self._led_to or index not in self._entries:
            super().count(index)
        if index in self._entries:
            self.items.append(asm.label(entry(index)))

    def _arguments(self, size: int) -> list[Item]:
        """All but the second, which is the offset."""
        return [asm.mov(R1, R6), asm.mov(R3, R10), asm.alu("+=", R3, BUFFER), asm.mov32(R4, size)]

    def _call(self, index: int, size: int) -> None:
        self.items += [*self._arguments(size), asm.call("skb_load_bytes")]
        if self.may_end(index):
            self.items.append(asm.jump("!=", R0, 0, self.ending(index)))

    def _relative(self, index: int, size: int) -> list[Item]:
        call = asm.call("skb_load_bytes_relative")
        return [*self._arguments(size), call, asm.jump("!=", R0, 0, self.ending(index))]

    def _take(self, into: Register, size: int) -> None:
        self.items.append(asm.load(into, R10, BUFFER, SIZES[size]))
        self.swapped(into, size)


class Legacy(Writer):
    """Sockets: the kernel's own loads from a packet, as it translates classic programs itself.

    One beyond the packet ends the program at once, with 0.
    """

    x = R9
    spare = R1
    far = R2

    def packet(self, index: int, offset: int, size: int, into: Register) -> None:  # noqa: ARG002 - see Writer
        """See Writer; into R0 in any case."""
        self.items.append(asm.load_packet(offset, SIZES[size]))

    def header(self, index: int, offset: int, size: int, into: Register) -> None:
        """See Writer."""
        self.packet(index, offset, size, into)

    def indexed(self, index: int, offset: int, size: int) -> None:  # noqa: ARG002 - see Writer
        """See Writer."""
        self.items.append(asm.load_packet(offset, SIZES[size], self.x))

    def ending(self, index: int) -> str:  # noqa: ARG002 - see Writer
        """See Writer: what follows is counted by itself."""
        return UNMATCHED

    def ihl(self, index: int, instruction: Instruction) -> None:  # noqa: ARG002 - see Writer
        """See Writer."""
        self.items += [
            asm.mov(R8, R0),
            asm.load_packet(instruction.k, SIZES[1]),
            asm.alu32("&=", R0, 0xF),
            asm.alu32("<<=", R0, 2),
            asm.mov(self.x, R0),
            asm.mov(R0, R8),
        ]
