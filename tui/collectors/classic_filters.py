"""A classic filter that somebody attached, for people to read: each instruction as tcpdump has it, and in words."""

from typing import NamedTuple

from tui.bpf.classic.instructions import unpack
from tui.bpf.classic.listing import instruction_text
from tui.collectors.attachment_samples import Placed
from tui.collectors.wording import words


class ClassicLine(NamedTuple):
    """An instruction."""

    number: int
    operation: str  # "jeq"
    operand: str  # "#0x800"
    jumps: tuple[int, int] | None  # of a condition: what follows if it holds, and if not
    words: str  # "A = the 2 bytes at 12, the EtherType"; "" where it isn't known what the packets begin with


def lines(placed: Placed) -> tuple[ClassicLine, ...]:
    """The instructions of a filter."""
    program = unpack(placed.instructions)
    said = words(program, ethernet=placed.header == "ethernet") if placed.header else ("",) * len(program)
    return tuple(
        ClassicLine(number, *instruction_text(number, instruction), sentence)
        for number, (instruction, sentence) in enumerate(zip(program, said, strict=True))
    )
