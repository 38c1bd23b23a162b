"""A classic filter that somebody attached, for people to read: each instruction as tcpdump has it, and in words."""

from typing import NamedTuple

from tui.bpf.classic.instructions import unpack
from tui.bpf.classic.listing import listing
from tui.collectors.attachment_samples import Placed
from tui.collectors.wording import words


class ClassicLine(NamedTuple):
    """An instruction."""

    number: int
    text: str  # "ldh      [12]"
    words: str  # "A = the 2 bytes at 12, the EtherType"; "" where it isn't known what the packets begin with


def lines(placed: Placed) -> tuple[ClassicLine, ...]:
    """The instructions of a filter."""
    program = unpack(placed.instructions)
    said = words(program, ethernet=placed.header == "ethernet") if placed.header else ("",) * len(program)
    listed = (line.partition(") ")[2].expandtabs(1) for line in listing(program))
    return tuple(ClassicLine(*row) for row in zip(range(len(program)), listed, said, strict=True))
