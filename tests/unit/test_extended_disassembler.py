import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.extended_reader import read
from tests.unit.extended_table import JUMPS, ROWS, Row
from tui.bpf.extended import assembler as asm
from tui.bpf.extended.assembler import (
    assemble,
    call_local,
    exit_,
    function_pointer,
    goto,
    jump,
    jump32,
    label,
    load_number,
    map_pointer,
    map_value,
    mov,
)
from tui.bpf.extended.disassembler import Line, lines, text
from tui.bpf.extended.helpers import NAMES
from tui.bpf.extended.instructions import DW, R0, R1, R2, B, H, Instruction, Register, W, pack, unpack

if TYPE_CHECKING:
    from tui.bpf.extended.items import Item


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.kernel)
def test_as_the_kernel_writes_it(row: Row) -> None:
    assert text(bytes.fromhex(row.code)) == [row.kernel]


@pytest.mark.parametrize("operator", JUMPS)
def test_jumps(operator: str) -> None:
    code: list[Item] = [jump(operator, R1, -1, "on"), jump32(operator, R1, R2, "on"), label("on"), exit_()]
    assert text(assemble(code).code) == [
        f"if r1 {operator} 0xffffffff goto pc+1",
        f"if w1 {operator} w2 goto pc+0",
        "exit",
    ]


def test_slots_names_of_maps_and_functions() -> None:
    code: list[Item] = [
        label("again"),
        map_pointer(R1, "groups"),
        map_value(R2, "figures", 16),
        load_number(R0, 5),
        goto("again"),
        call_local("function"),
        function_pointer(R2, "function"),
        label("function"),
        mov(R0, 0),
    ]
    assembled = assemble(code)
    assert lines(assembled.bytecode({"groups": 5, "figures": 6}), dict(assembled.maps)) == [
        Line(0, "r1 = map[groups]"),
        Line(2, "r2 = map[figures][0]+16"),
        Line(4, "r0 = 0x5"),
        Line(6, "goto pc-7"),
        Line(7, "call pc+2"),
        Line(8, "r2 = subprog[+1]"),
        Line(10, "r0 = 0"),
    ]
    assert text(assembled.bytecode({"groups": 5, "figures": 6}))[:2] == ["r1 = map[fd:5]", "r2 = map[fd:6][0]+16"]


@pytest.mark.parametrize(
    ("instruction", "shown"),
    [
        (Instruction(0x06, imm=-5), "gotol pc-5"),
        (Instruction(0xE5, offset=3), "may_goto pc+3"),
        (Instruction(0xF5), "BUG_jmp_f5"),
        (Instruction(0xE7, 1), "BUG_alu_e7"),
        (Instruction(0x60), "BUG_ld_60"),
        (Instruction(0xA1), "BUG_ldx_a1"),
        (Instruction(0xA2), "BUG_st_a2"),
        (Instruction(0xC2), "nospec"),
        (Instruction(0xA3), "BUG_a3"),
        (Instruction(0xDB, 1, 2, 0, 0x33), "BUG_db"),
        (Instruction(0x85, imm=0), "call unknown#0"),
        (Instruction(0x85, imm=-1), "call unknown#-1"),
        (Instruction(0x85, src=2, imm=81), "call kernel-function#81"),
        (Instruction(0xBF, 1, 2, 1, 1), "r1 = addr_space_cast(r2, 0, 1)"),
        (Instruction(0xBF, 1, 2, -1), "r1 = &(void __percpu *)(r2)"),
    ],
)
def test_what_the_assembler_does_not_write(instruction: Instruction, shown: str) -> None:
    assert text(pack([instruction])) == [shown]


def test_code_that_ends_too_soon() -> None:
    assert text(bytes([0x18, *bytes(7)])) == ["BUG_ld_18"]
    assert lines(bytes.fromhex("9500000000000000 0102")) == [Line(0, "exit"), Line(1, "BUG: 2 of 8 bytes: 01 02")]
    assert text(b"") == []


REGISTERS = st.sampled_from(list(Register))
LOWER = st.sampled_from(list(Register)[:-1])
NUMBERS = st.integers(-(1 << 31), (1 << 31) - 1)
OPERANDS = st.one_of(REGISTERS, NUMBERS)
OFFSETS = st.integers(-0x8000, 0x7FFF)
SIZES = st.sampled_from((B, H, W, DW))
WORDS = st.sampled_from((W, DW))
BITS = st.sampled_from((16, 32, 64))
INSTRUCTIONS = st.one_of(
    st.builds(asm.alu, st.sampled_from([*asm.OPERATIONS, *asm.SIGNED_OPERATIONS]), LOWER, OPERANDS),
    st.builds(asm.alu32, st.sampled_from([*asm.OPERATIONS, *asm.SIGNED_OPERATIONS]), LOWER, OPERANDS),
    st.builds(asm.extend, LOWER, REGISTERS, st.sampled_from((8, 16, 32))),
    st.builds(asm.negate, LOWER),
    st.builds(asm.negate32, LOWER),
    *(st.builds(swapping, LOWER, BITS) for swapping in (asm.big_endian, asm.little_endian, asm.swap)),
    st.builds(asm.load, LOWER, REGISTERS, OFFSETS, SIZES),
    st.builds(asm.load_signed, LOWER, REGISTERS, OFFSETS, st.sampled_from((B, H, W))),
    st.builds(asm.load_packet, NUMBERS, st.sampled_from((B, H, W)), st.one_of(st.none(), REGISTERS)),
    st.builds(asm.store, REGISTERS, OFFSETS, OPERANDS, SIZES),
    st.builds(asm.atomic, st.sampled_from(list(asm.ATOMICS)), REGISTERS, OFFSETS, LOWER, WORDS, fetch=st.booleans()),
    *(st.builds(swapping, REGISTERS, OFFSETS, LOWER, WORDS) for swapping in (asm.exchange, asm.compare_exchange)),
    st.builds(asm.load_acquire, LOWER, REGISTERS, OFFSETS, SIZES),
    st.builds(asm.store_release, REGISTERS, OFFSETS, REGISTERS, SIZES),
    st.builds(asm.load_number, LOWER, st.integers(0, (1 << 64) - 1)),
    st.builds(asm.call, st.sampled_from(NAMES[1:])),
    OFFSETS.map(lambda offset: Instruction(0x05, offset=offset)),
    st.just(asm.exit_()),
)


@given(st.lists(INSTRUCTIONS, max_size=20))
def test_what_is_shown_can_be_read_back(instructions: list[Instruction]) -> None:
    code = pack(instructions)
    assert pack(read(line) for line in text(code)) == code


@given(st.sampled_from(list(asm.CONDITIONS)), LOWER, OPERANDS, OFFSETS, st.booleans())
def test_conditions_can_be_read_back(
    operator: str, dst: Register, src: Register | int, offset: int, wide: bool
) -> None:
    write = asm.jump if wide else asm.jump32
    code = pack([write(operator, dst, src, "").instruction._replace(offset=offset)])
    assert pack(read(line) for line in text(code)) == code


@given(st.binary(max_size=200))
def test_any_bytes_give_text(code: bytes) -> None:
    shown = lines(code)
    assert all(line.text and line.text.isascii() and line.text.isprintable() for line in shown)
    assert [line.slot for line in shown] == sorted({line.slot for line in shown})


@given(st.integers(0, 255), st.integers(0, 255), st.integers(-0x8000, 0x7FFF), st.integers(-(1 << 31), (1 << 31) - 1))
def test_bytes_and_instructions_are_the_same(code: int, registers: int, offset: int, imm: int) -> None:
    packed = struct.pack("=BBhi", code, registers, offset, imm) + bytes(8 if code == 0x18 else 0)
    assert pack(unpack(packed)) == packed
    assert len(text(packed)) == 1
