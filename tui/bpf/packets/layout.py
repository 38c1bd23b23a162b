"""What the programs count, and where: the cells of `figures`, and adding to them.

`figures` has one entry for even and one for odd turns, each with a copy per CPU. A program looks once whose turn it is,
and counts all of a packet in that turn: what the reader takes of a turn that is over agrees with itself.
"""

from collections.abc import Iterator
from typing import Final

from tui.bpf.extended.assembler import alu, call, load, map_pointer, mov, store
from tui.bpf.extended.assembler import atomic as atomically
from tui.bpf.extended.instructions import DW, R1, R2, R7, R10, Register, W
from tui.bpf.extended.items import Item

# Bytes from the beginning of the figures; of a pair packets come first, bytes 8 behind.
MATCHED: Final = 0
SEGMENTS: Final = 16  # of what matched, on the wire
OTHERS: Final = 24  # whose group found no room
NONE: Final = 40  # that have no such thing as they are grouped by
KEPT: Final = 56  # samples
UNKEPT: Final = 64  # samples for which the ring had no room
SEEN: Final = 72
HITS: Final = 88  # one cell per instruction of the classic program

# On the stack, from R10 on.
INDEX: Final = -4  # of an entry in an array
LENGTH: Final = -16  # the packet's bytes
TURN: Final = -24  # in which it is counted
KEY: Final = -64  # of its group: at most 40 bytes, in whole cells


def add(base: Register, offset: int, number: Register | int, *, atomic: bool) -> Iterator[Item]:
    """A cell += number; uses R1.

    Not atomic where the program runs with softirqs off, as at all hooks but those of cgroups: the figures are the CPU's
    own, and nothing else that counts comes in between.
    """
    if atomic:
        yield from (mov(R1, number), atomically("+=", base, offset, R1))
    else:
        yield from (load(R1, base, offset, DW), alu("+=", R1, number), store(base, offset, R1))


def of_turn(name: str) -> Iterator[Item]:
    """R0 = what an array of two entries has for this packet's turn; uses R1 to R5."""
    yield from (load(R1, R10, TURN), alu("&=", R1, 1), store(R10, INDEX, R1, W), mov(R2, R10), alu("+=", R2, INDEX))
    yield from (map_pointer(R1, name), call("map_lookup_elem"))


def add_packet(offset: int, base: Register = R7, *, atomic: bool) -> Iterator[Item]:
    """One packet more, and its bytes; uses R1, R2."""
    yield from add(base, offset, 1, atomic=atomic)
    yield from (load(R2, R10, LENGTH), *add(base, offset + 8, R2, atomic=atomic))
