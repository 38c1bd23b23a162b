"""The kernel takes what the assembler writes, and shows it as the disassembler does."""

import os
import re
import subprocess
from collections.abc import Iterator

import pytest

from tui.bpf import kernel
from tui.bpf.extended.assembler import (
    ATOMICS,
    CONDITIONS,
    OPERATIONS,
    alu,
    alu32,
    assemble,
    atomic,
    big_endian,
    call,
    call_local,
    compare_exchange,
    exchange,
    exit_,
    goto,
    jump,
    jump32,
    label,
    little_endian,
    load,
    load_number,
    map_pointer,
    map_value,
    mov,
    mov32,
    negate,
    negate32,
    store,
)
from tui.bpf.extended.disassembler import Line, lines
from tui.bpf.extended.instructions import DW, R0, R1, R2, R7, R8, R9, R10, B, H, W
from tui.bpf.extended.items import Item

BARRED = {"/=", "%=", "="}  # the verifier puts checks around divisions


def everything() -> Iterator[Item]:
    """A valid program of every kind of instruction that the verifier leaves as it is."""
    yield from (call("get_prandom_u32"), mov(R8, R0), call("get_prandom_u32"), mov(R9, R0), mov(R7, R8))
    for operator in OPERATIONS.keys() - BARRED:
        by = R1 if "<<" in operator or ">>" in operator else R8
        for write in (alu, alu32):
            yield from (write(operator, R7, 5), mov(R1, R8), write("&=", R1, 7), write(operator, R7, by))
    yield from (mov32(R7, R8), mov32(R7, 0x80000000), load_number(R7, 1 << 40), alu("+=", R7, R9), alu("/=", R7, 3))
    yield from (negate(R7), negate32(R7))
    yield from (swapped(R7, bits) for swapped in (big_endian, little_endian) for bits in (16, 32, 64))
    yield from (store(R10, -8, R7), store(R10, -16, -1, DW), store(R10, -20, 7, W), store(R10, -22, R7, H))
    yield from (store(R10, -23, R7, B), load(R1, R10, -8), load(R1, R10, -20, W), load(R1, R10, -16, H))
    for size in (W, DW):
        yield from (
            atomic(operator, R10, -16, R8, size, fetch=fetch) for operator in ATOMICS for fetch in (False, True)
        )
        yield from (exchange(R10, -16, R8, size), mov(R0, 0), compare_exchange(R10, -16, R9, size))
    for number, operator in enumerate(CONDITIONS):
        for kind, compare in enumerate((jump, jump32)):
            for what, operand in enumerate((1000, R9)):
                name = f"{number} {kind} {what}"
                yield from (call("get_prandom_u32"), mov(R9, R0), call("get_prandom_u32"))
                yield from (compare(operator, R0, operand, name), mov(R8, R0), label(name))
    yield from (map_pointer(R1, "array"), map_value(R2, "array", 8), load(R7, R2, 0), call_local("function"))
    yield from (jump("==", R9, 5, "other"), mov(R0, 1), goto("out"), label("other"), mov(R0, 2), label("out"))
    yield from (mov(R0, 0), exit_(), label("function"), mov(R0, R10), mov(R0, 1), exit_())


@pytest.fixture
def array() -> Iterator[int]:
    fd = kernel.map_create(kernel.MAP_TYPE_ARRAY, 4, 16, 1, 0, "array")
    yield fd
    os.close(fd)


def listed_by_bpftool(program: int) -> list[Line]:
    command = ["bpftool", "prog", "dump", "xlated", "id", str(kernel.program_id(program))]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [
        Line(int(slot), text) for slot, text in re.findall(r"^\s*(\d+): \([0-9a-f]{2}\) (.*)$", shown, re.MULTILINE)
    ]


def without_numbers(text: str) -> str:
    """The text but for what only a running kernel knows: where its functions and maps are."""
    return re.sub(r"call (bpf_|pc).*", "call", re.sub(r"map\[[^]]*\]", "map", text))


def test_the_kernel_shows_the_same(array: int) -> None:
    assembled = assemble(list(everything()))
    code = assembled.bytecode({"array": array})
    fd = kernel.program_load(kernel.PROG_TYPE_SOCKET_FILTER, 0, code, "everything", 1 << 20)
    try:
        shown = listed_by_bpftool(fd)
    finally:
        os.close(fd)
    ours = [Line(slot, without_numbers(text)) for slot, text in lines(code, dict(assembled.maps))]
    theirs = [Line(slot, without_numbers(text)) for slot, text in shown]
    assert len(ours) > 250
    assert ours == theirs
