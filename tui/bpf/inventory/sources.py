"""Where a loaded program's instructions come from: source lines and functions, if it was loaded with BTF."""

import ctypes
import struct
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.bpf.btf.index import Btf
from tui.bpf.btf.lines import FUNCTION, LINE, FunctionInfo, LineInfo, functions, lines
from tui.bpf.inventory import info

_INFO: Final = 232  # bytes of struct bpf_prog_info
_MOST: Final = 1 << 20  # records: there are at most as many as instructions


class Sources(NamedTuple):
    """What is known of a program's sources, each by slot."""

    lines: tuple[LineInfo, ...] = ()
    functions: tuple[FunctionInfo, ...] = ()


def sources_of(fd: int) -> Sources:
    """Of an open program; empty where it has no BTF, or this user may not know.

    Raises OSError, BinaryError, TargetError.
    """
    known = kernel.info(fd, _INFO)
    (btf,) = struct.unpack_from("I", known, 128)
    number_of_functions, number_of_lines = struct.unpack_from("2I", known, 144)
    if not btf or max(number_of_functions, number_of_lines) > _MOST:
        return Sources()
    function_data = ctypes.create_string_buffer(FUNCTION * number_of_functions or 1)
    line_data = ctypes.create_string_buffer(LINE * number_of_lines or 1)
    wanted = struct.pack(
        "132xIQ2IQ12xI",
        *(FUNCTION, ctypes.addressof(function_data), number_of_functions),
        *(number_of_lines, ctypes.addressof(line_data), LINE),
    )
    kernel.info(fd, _INFO, wanted)
    types = Btf(info.btf_of(btf)[1])
    return Sources(
        lines(types, line_data.raw[: LINE * number_of_lines]),
        functions(types, function_data.raw[: FUNCTION * number_of_functions]),
    )
