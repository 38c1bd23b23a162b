import shutil
import subprocess

import pytest

from tests.unit.extended_table import JUMPS, ROWS, Row
from tui.bpf.extended import instructions as ops
from tui.bpf.extended.assembler import (
    alu,
    alu32,
    assemble,
    atomic,
    big_endian,
    call,
    call_local,
    exit_,
    extend,
    function_pointer,
    goto,
    jump,
    jump32,
    label,
    load,
    load_number,
    load_packet,
    map_pointer,
    map_value,
    mov,
    mov32,
    store,
    swap,
)
from tui.bpf.extended.instructions import R0, R1, R2, R6, R10, H, Instruction, Register, pack, unpack
from tui.bpf.extended.items import AssemblyError, Item

LLVM = shutil.which("llvm-mc") or shutil.which("llvm-mc-14")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.kernel)
def test_bytes(row: Row) -> None:
    code = bytes.fromhex(row.code)
    assert assemble([row.instruction]).code == code
    assert unpack(code) == (row.instruction._replace(imm=unpack(code)[0].imm),)
    assert pack(unpack(code)) == code


@pytest.mark.skipif(LLVM is None, reason="llvm-mc (Debian: llvm)")
def test_llvm_reads_the_same() -> None:
    rows = [row for row in ROWS if row.llvm is not None]
    source = "\n".join(" ".join(f"{byte:#04x}" for byte in bytes.fromhex(row.code)) for row in rows)
    command = [str(LLVM), "-triple=bpfel", "-mcpu=v3", "-disassemble"]
    done = subprocess.run(command, input=source, capture_output=True, text=True, check=True)
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert [line for line in lines if line and not line.startswith(".")] == [row.llvm for row in rows]


@pytest.mark.parametrize("operator", JUMPS)
@pytest.mark.parametrize("source", [7, R2], ids=["constant", "register"])
@pytest.mark.parametrize("bits", [64, 32])
def test_jumps(operator: str, source: Register | int, bits: int) -> None:
    write = jump if bits == 64 else jump32
    code = assemble([write(operator, R1, source, "there"), mov(R0, 0), label("there"), exit_()]).code
    number = int(JUMPS[operator], 16) + (1 if bits == 32 else 0) + (8 if isinstance(source, Register) else 0)
    registers, constant = ("21", "00") if isinstance(source, Register) else ("01", "07")
    assert code[:8].hex() == f"{number:02x}{registers}0100{constant}000000"


def test_labels_forward_and_back() -> None:
    code: list[Item] = [
        label("start"),
        goto("end"),
        load_number(R0, 1),  # two slots
        jump("==", R0, 1, "start"),
        label("end"),
        label("the same place"),
        jump32("&", R0, R1, "the same place"),
        exit_(),
    ]
    assembled = assemble(code)
    offsets = [instruction.offset for instruction in unpack(assembled.code)]
    assert offsets == [3, 0, -4, -1, 0]
    assert assembled.labels == {"start": 0, "end": 4, "the same place": 4}
    assert assembled.slots == (0, 0, 1, 3, 4, 4, 4, 5)


def test_maps_have_names_until_there_are_descriptors() -> None:
    code: list[Item] = [mov(R6, R1), map_pointer(R1, "groups"), map_value(R2, "figures", 16), map_pointer(R1, "groups")]
    assembled = assemble(code)
    assert assembled.maps == ((1, "groups"), (3, "figures"), (5, "groups"))
    _, groups, figures, again = unpack(assembled.bytecode({"groups": 5, "figures": 300, "other": 7}))
    assert groups == again == Instruction(ops.LD_IMM64, R1, ops.MAP_FD, 0, 5)
    assert figures == Instruction(ops.LD_IMM64, R2, ops.MAP_VALUE, 0, 300 | 16 << 32)
    with pytest.raises(AssemblyError, match="the map figures"):
        assembled.bytecode({"groups": 5})


def test_functions_of_the_program() -> None:
    code: list[Item] = [
        function_pointer(R2, "function"),
        call_local("function"),
        exit_(),
        label("function"),
        call_local("function"),
    ]
    pointer, called, _, again = unpack(assemble(code).code)
    assert (pointer.src, ops.signed(pointer.imm)) == (ops.FUNCTION, 3)
    assert (called.src, called.imm, called.offset) == (ops.LOCAL, 1, 0)
    assert again.imm == -1


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda: mov(R0, 0x80000000), "doesn't fit"),
        (lambda: mov32(R0, 1 << 32), "doesn't fit"),
        (lambda: jump("==", R0, 1 << 31, "out"), "doesn't fit"),
        (lambda: alu("+=", R10, 8), "can't be changed"),
        (lambda: alu("+", R0, 8), "no operator"),
        (lambda: jump("=", R0, 8, "out"), "no operator"),
        (lambda: alu32("s>>>=", R0, 8), "no operator"),
        (lambda: atomic("-=", R0, 8, R1), "no operator"),
        (lambda: atomic("+=", R0, 8, R1, H), "4 or 8 bytes"),
        (lambda: load(R0, R1, 32768), "16 bits"),
        (lambda: store(R0, -32769, 1), "16 bits"),
        (lambda: store(R0, 0, 1 << 31), "doesn't fit"),
        (lambda: load_packet(1 << 32, H), "doesn't fit"),
        (lambda: load_number(R0, 1 << 64), "64 bits"),
        (lambda: map_value(R0, "figures", -1), "isn't within"),
        (lambda: big_endian(R0, 8), "turned around"),
        (lambda: swap(R0, 24), "turned around"),
        (lambda: extend(R0, R1, 64), "extended"),
        (lambda: call("mind_reader"), "no function bpf_mind_reader"),
        (lambda: assemble([goto("nowhere")]), "no label nowhere"),
        (lambda: assemble([label("here"), label("here")]), "two labels"),
    ],
)
def test_what_cannot_be_said_is_refused(wrong: object, reason: str) -> None:
    assert callable(wrong)
    with pytest.raises(AssemblyError, match=reason):
        wrong()


def test_unsigned_constants_of_32_bits_are_the_signed_ones() -> None:
    assert mov32(R0, 0xFFFFFFFF) == mov32(R0, -1)
    assert load_packet(0xFFF00000, H) == load_packet(-0x100000, H)


def test_half_a_program_is_none() -> None:
    with pytest.raises(ValueError, match="8 in a slot"):
        unpack(bytes(9))
    with pytest.raises(ValueError, match="within a constant"):
        unpack(bytes([0x18, *bytes(7)]))
