"""Source lines and functions of a loaded program, as the kernel gives them back (struct bpf_line_info and
bpf_func_info, include/uapi/linux/bpf.h, 5.0). Pure: the bytes come from `tui.bpf.inventory.sources`.
"""

import struct
from typing import Final, NamedTuple

from tui.bpf.btf.index import FUNC, Btf

LINE: Final = 16  # bytes of struct bpf_line_info
FUNCTION: Final = 8  # bytes of struct bpf_func_info


class LineInfo(NamedTuple):
    """From this instruction on, up to the next one's, the program does what this line says."""

    slot: int  # the instruction's number among those that the verifier left; a 64-bit load takes two
    file: str
    line: int  # from 1
    column: int  # from 1; 0: not known
    source: str  # the line's text, without the blanks around it; "" where the program didn't bring it


class FunctionInfo(NamedTuple):
    """Here begins a function of the program."""

    slot: int
    name: str


def lines(types: Btf, records: bytes) -> tuple[LineInfo, ...]:
    """The lines by slot."""
    found = (struct.unpack_from("<4I", records, at) for at in range(0, len(records) // LINE * LINE, LINE))
    return tuple(
        LineInfo(slot, types.text(file), where >> 10, where & 0x3FF, types.text(source))
        for slot, file, source, where in found
    )


def functions(types: Btf, records: bytes) -> tuple[FunctionInfo, ...]:
    """The functions by slot. Raises BinaryError."""
    found = []
    for at in range(0, len(records) // FUNCTION * FUNCTION, FUNCTION):
        slot, number = struct.unpack_from("<2I", records, at)
        one = types.type(number)
        found.append(FunctionInfo(slot, one.name if one.kind == FUNC else ""))
    return tuple(found)
