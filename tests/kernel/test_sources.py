"""Source lines and functions, as the kernel gives them back of a program that was loaded with them."""

import ctypes
import os
import struct

from tests.kernel.making_maps import load_btf
from tests.unit.btf_files import Maker
from tui.bpf import kernel
from tui.bpf.btf import index
from tui.bpf.inventory.sources import Sources, sources_of

CODE = struct.pack("=BBhi", 0xB7, 0, 0, 7) + struct.pack("=BBhi", 0x95, 0, 0, 0)  # r0 = 7; exit


def test_lines_and_functions_come_back() -> None:
    make = Maker()
    number = make.integer("int", 4, index.SIGNED)
    context = make.pointer(make.add(index.FWD, "__sk_buff", 0))
    parameter = struct.pack("<II", make.text("skb"), context)
    proto = make.add(index.FUNC_PROTO, "", number, 1, more=parameter)
    function = make.add(index.FUNC, "keep_seven", proto, 1)
    file, first, second = make.text("/src/seven.c"), make.text("\tint kept = 7;"), make.text("\treturn kept;")
    types = load_btf(make.build())
    code, license_text = ctypes.create_string_buffer(CODE, len(CODE)), ctypes.create_string_buffer(b"GPL")
    functions = ctypes.create_string_buffer(struct.pack("<2I", 0, function), 8)
    lines = ctypes.create_string_buffer(
        struct.pack("<8I", 0, file, first, 3 << 10 | 5, 1, file, second, 4 << 10 | 2), 32
    )
    attributes = struct.pack(
        "2I2Q2IQ2I16s2I2IQ2IQI4x",
        *(kernel.PROG_TYPE_SOCKET_FILTER, 2, ctypes.addressof(code), ctypes.addressof(license_text)),
        *(0, 0, 0, 0, 0, b"keep_seven", 0, 0),
        *(types, 8, ctypes.addressof(functions), 1, 16, ctypes.addressof(lines), 2),
    )
    program = kernel.bpf(kernel.PROG_LOAD, attributes)
    os.close(types)
    try:
        found = sources_of(program)
    finally:
        os.close(program)
    assert found.lines == (
        (0, "/src/seven.c", 3, 5, "int kept = 7;"),
        (1, "/src/seven.c", 4, 2, "return kept;"),
    )
    assert found.functions == ((0, "keep_seven"),)


def test_a_program_without_types_has_none() -> None:
    program = kernel.program_load(kernel.PROG_TYPE_SOCKET_FILTER, 0, CODE, "plain")
    try:
        assert sources_of(program) == Sources()
    finally:
        os.close(program)
