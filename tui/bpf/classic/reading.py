"""A program in whatever form somebody has it."""

from tui.bpf.classic.assembler import assemble
from tui.bpf.classic.instructions import Program
from tui.bpf.classic.listing import parse


def read(text: str) -> Program:
    """The program that a text is: what `tcpdump -ddd` or `-dd` printed, or bpf_asm's language.

    Numbers begin with a digit or a brace, a source never does. Raises UsageError.
    """
    first = text.lstrip()[:1]
    return parse(text) if first in {*"0123456789{"} else assemble(text)
