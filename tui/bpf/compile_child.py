"""Runs in a process of its own: C through bcc to an object, as JSON on standard output.

usage: python -m tui.bpf.compile_child SOURCE.c KEY [MACHINE]

MACHINE is one of `ARCHITECTURES`, for programs of another machine than this one.

The only module that imports bcc (64 MB). libbcc prints to descriptors 1 and 2 as it likes, so both go to standard
error, and the result goes to what standard output was.
"""

import os
import re
import struct
import sys
from pathlib import Path

from tui.bpf.objects import MapSpec, ObjectSpec

INCLUDE = Path(__file__).parent / "include"
ATOMIC, EXCHANGE = 0xDB, 0xE1  # BPF_STX | BPF_ATOMIC | BPF_DW, and BPF_XCHG as its immediate
EXCHANGE_OFFSET = 0x5843  # in bpfscope.h
ARCHITECTURES = {"x86_64": "x86", "aarch64": "arm64"}  # as libbcc wants them in the environment
FLAGS = ["-Wno-everything", f"-I{INCLUDE}", "-I/virtual/include", "-DCONFIG_BPF_SYSCALL=1"]


def build(source: Path) -> ObjectSpec:
    """Compiles; every non-static function is a program. Raises what bcc raises."""
    import ctypes

    os.environ["BCC_KERNEL_SOURCE"] = str(INCLUDE.parent)
    from bcc import BPF, lib

    module = BPF(text=_with_maps(source.read_text()), cflags=FLAGS)
    lib.bpf_table_name.restype = ctypes.c_char_p
    lib.bpf_table_name.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    lib.bpf_function_name.restype = ctypes.c_char_p
    lib.bpf_function_name.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    maps, index_of_fd = [], {}
    for index in range(lib.bpf_num_tables(module.module)):
        index_of_fd[lib.bpf_table_fd_id(module.module, index)] = index
        read = [lib.bpf_table_type_id, lib.bpf_table_key_size_id, lib.bpf_table_leaf_size_id]
        read += [lib.bpf_table_max_entries_id, lib.bpf_table_flags_id]
        numbers = [function(module.module, index) for function in read]
        maps.append(MapSpec(lib.bpf_table_name(module.module, index).decode(), *numbers))
    names = [
        lib.bpf_function_name(module.module, index).decode() for index in range(lib.bpf_num_functions(module.module))
    ]
    programs = {name: relocatable(module.dump_func(name), index_of_fd) for name in names}
    return ObjectSpec(tuple(maps), programs)


def _with_maps(text: str) -> str:
    """The source with those of our headers put in that it names in quotes: bcc knows maps' methods in one file only."""
    return re.sub(r'^#include "(\w+\.h)"$', lambda found: (INCLUDE / found[1]).read_text(), text, flags=re.MULTILINE)


def relocatable(code: bytes, index_of_fd: dict[int, int]) -> bytes:
    """The instructions with map indexes instead of this process's file descriptors, and with EXCHANGE carried out."""
    result = bytearray(code)
    for at in range(0, len(result), 8):
        if result[at] == ATOMIC and struct.unpack_from("=h", result, at + 2)[0] == EXCHANGE_OFFSET:
            struct.pack_into("=hi", result, at + 2, 0, EXCHANGE)
        if result[at] == 0x18 and result[at + 1] >> 4 == 1:
            struct.pack_into("=i", result, at + 4, index_of_fd[struct.unpack_from("=i", result, at + 4)[0]])
    return bytes(result)


def main() -> None:
    """Writes the object."""
    source, key, *machine = sys.argv[1:]
    if machine:
        os.environ["ARCH"] = ARCHITECTURES[machine[0]]
    result = os.dup(1)
    os.dup2(2, 1)
    text = build(Path(source)).to_json(key)
    with open(result, "w", encoding="ascii") as file:
        file.write(text)


if __name__ == "__main__":
    main()
