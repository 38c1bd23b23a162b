"""eBPF programs as text, in the syntax of the kernel's verifier and of bpftool (kernel/bpf/disasm.c, Linux 6.18).

    text(code)  ->  ["r6 = r1", "r0 = *(u32 *)(r6 +16)", "if r0 == 0x5 goto pc+4", …]

Any bytes give text: what isn't an instruction is shown as the kernel shows it, as BUG and its code.
"""

import struct
from collections.abc import Mapping
from typing import Final, NamedTuple

from tui.bpf.extended import instructions as ops
from tui.bpf.extended.assembler import ATOMICS, CONDITIONS, OPERATIONS, SIGNED_OPERATIONS
from tui.bpf.extended.helpers import NAMES
from tui.bpf.extended.instructions import LD_IMM64, SLOT, Instruction

_OPERATORS: Final = {code: name for name, code in OPERATIONS.items()}
_SIGNED_OPERATORS: Final = {code: name for name, code in SIGNED_OPERATIONS.items()}
_CONDITIONS: Final = {code: name for name, code in CONDITIONS.items()}
_ATOMICS: Final = {code: name for name, code in ATOMICS.items()}
_FETCHING: Final = {ops.ADD: "add", ops.OR: "or", ops.AND: "and", ops.XOR: "xor"}
_BITS: Final = {ops.B: 8, ops.H: 16, ops.W: 32, ops.DW: 64}
_EXTENDED: Final = {8: "(s8)", 16: "(s16)", 32: "(s32)"}
_NOSPEC: Final = ops.ST | 0xC0  # what the verifier puts in against speculation
_ADDRESS_SPACE_CAST: Final = 1
_PER_CPU_ADDRESS: Final = -1


class Line(NamedTuple):
    """One instruction, or bytes that are less than one."""

    slot: int
    text: str


def text(code: bytes, maps: Mapping[int, str] | None = None) -> list[str]:
    """An instruction a line. `maps`: names by slot, as in Assembled.maps; without, maps are shown by their numbers."""
    return [line.text for line in lines(code, maps)]


def lines(code: bytes, maps: Mapping[int, str] | None = None) -> list[Line]:
    """The same with the slot of each, from which jumps count."""
    result = []
    slot, end = 0, len(code) // SLOT
    while slot < end:
        instruction = _at(code, slot)
        whole = slot + instruction.slots <= end
        shown = instruction_text(instruction, (maps or {}).get(slot)) if whole else "BUG_ld_18"
        result.append(Line(slot, shown))
        slot += instruction.slots
    if rest := code[end * SLOT :]:
        result.append(Line(end, f"BUG: {len(rest)} of {SLOT} bytes: {rest.hex(' ')}"))
    return result


def _at(code: bytes, slot: int) -> Instruction:
    opcode, registers, offset, imm = struct.unpack_from("=BBhi", code, slot * SLOT)
    if opcode == LD_IMM64 and len(code) >= (slot + 2) * SLOT:
        imm = imm & 0xFFFFFFFF | struct.unpack_from("=I", code, slot * SLOT + 12)[0] << 32
    return Instruction(opcode, registers & 0xF, registers >> 4, offset, imm)


def instruction_text(instruction: Instruction, map_name: str | None = None) -> str:
    """One instruction, whatever its fields are; `map_name` is that of the map it refers to."""
    kind = instruction.code & 0x07
    if kind == ops.LD:
        return _load(instruction, map_name)
    if kind == ops.LDX:
        return _from_memory(instruction)
    if kind in {ops.ST, ops.STX}:
        return _to_memory(instruction)
    return _jump(instruction) if kind in {ops.JMP, ops.JMP32} else _calculation(instruction)


def _load(instruction: Instruction, map_name: str | None) -> str:
    code, dst, src, _, imm = instruction
    mode, size = code & 0xE0, code & 0x18
    if mode == ops.ABS:
        return f"r0 = *({_unsigned(size)} *)skb[{imm}]"
    if mode == ops.IND:
        return f"r0 = *({_unsigned(size)} *)skb[r{src} + {imm}]"
    if code == LD_IMM64:
        return f"r{dst} = {_constant(src, imm, map_name)}"
    return f"BUG_ld_{code:02x}"


def _constant(kind: int, imm: int, map_name: str | None) -> str:
    """What a constant of 64 bits stands for; as bpftool where it does."""
    low, high = imm & 0xFFFFFFFF, imm >> 32 & 0xFFFFFFFF
    by = "fd" if kind in {ops.MAP_FD, ops.MAP_VALUE} else "index"
    name = map_name or f"{by}:{ops.signed(low)}"
    if kind in {ops.MAP_FD, ops.MAP_INDEX}:
        return f"map[{name}]"
    if kind in {ops.MAP_VALUE, ops.MAP_INDEX_VALUE}:
        return f"map[{name}][0]+{high}"
    if kind == ops.FUNCTION:
        return f"subprog[{ops.signed(low):+}]"
    return f"{imm & (1 << 64) - 1:#x}"


def _from_memory(instruction: Instruction) -> str:
    code, dst, src, offset, _ = instruction
    mode, size = code & 0xE0, code & 0x18
    if mode not in {ops.MEM, ops.MEMSX}:
        return f"BUG_ldx_{code:02x}"
    kind = _unsigned(size) if mode == ops.MEM else f"s{_BITS[size]}"
    return f"r{dst} = *({kind} *)(r{src} {offset:+})"


def _to_memory(instruction: Instruction) -> str:
    code, dst, src, offset, imm = instruction
    is_register, mode = code & 0x07 == ops.STX, code & 0xE0
    if mode == ops.MEM:
        value = f"r{src}" if is_register else f"{imm}"
        return f"*({_unsigned(code & 0x18)} *)(r{dst} {offset:+}) = {value}"
    if is_register:
        return _atomic(instruction) if mode == ops.ATOMIC else f"BUG_{code:02x}"
    return "nospec" if code & 0xE7 == _NOSPEC else f"BUG_st_{code:02x}"


def _atomic(instruction: Instruction) -> str:
    code, dst, src, offset, imm = instruction
    size = code & 0x18
    where = f"({_unsigned(size)} *)(r{dst} {offset:+})"
    wide = "64" if size == ops.DW else ""
    if imm in _ATOMICS:
        return f"lock *{where} {_ATOMICS[imm]} r{src}"
    if imm - ops.FETCH in _FETCHING:
        return f"r{src} = atomic{wide}_fetch_{_FETCHING[imm - ops.FETCH]}({where}, r{src})"
    others = {
        ops.XCHG: f"r{src} = atomic{wide}_xchg({where}, r{src})",
        ops.CMPXCHG: f"r0 = atomic{wide}_cmpxchg({where}, r0, r{src})",
        ops.LOAD_ACQUIRE: f"r{dst} = load_acquire(({_unsigned(size)} *)(r{src} {offset:+}))",
        ops.STORE_RELEASE: f"store_release({where}, r{src})",
    }
    return others.get(imm, f"BUG_{code:02x}")


def _calculation(instruction: Instruction) -> str:
    code, dst, src, offset, imm = instruction
    operation, wide = code & 0xF0, code & 0x07 == ops.ALU64
    letter = "r" if wide else "w"
    if operation == ops.END:
        return f"r{dst} = {_swapping(code)}{imm} r{dst}"
    if operation == ops.NEG:
        return f"{letter}{dst} = -{letter}{dst}"
    signed = operation in _SIGNED_OPERATORS and offset == 1
    operator = (_SIGNED_OPERATORS if signed else _OPERATORS).get(operation)
    if operator is None:
        return f"BUG_alu_{code:02x}"
    if not code & ops.X:
        return f"{letter}{dst} {operator} {imm}"
    return _moved(instruction) if operation == ops.MOV else f"{letter}{dst} {operator} {letter}{src}"


def _swapping(code: int) -> str:
    if code & 0x07 == ops.ALU64:
        return "bswap"
    return "be" if code & ops.X else "le"


def _moved(instruction: Instruction) -> str:
    code, dst, src, offset, imm = instruction
    wide = code & 0x07 == ops.ALU64
    if wide and offset == _ADDRESS_SPACE_CAST:
        return f"r{dst} = addr_space_cast(r{src}, {imm >> 16 & 0xFFFF}, {imm & 0xFFFF})"
    if wide and offset == _PER_CPU_ADDRESS:
        return f"r{dst} = &(void __percpu *)(r{src})"
    letter = "r" if wide else "w"
    return f"{letter}{dst} = {_EXTENDED.get(offset, '')}{letter}{src}"


def _jump(instruction: Instruction) -> str:
    code, dst, src, offset, imm = instruction
    operation, letter = code & 0xF0, "r" if code & 0x07 == ops.JMP else "w"
    fixed = {
        ops.JMP | ops.JA: f"goto pc{offset:+}",
        ops.JMP32 | ops.JA: f"gotol pc{imm:+}",
        ops.JMP | ops.JCOND: f"may_goto pc{offset:+}",
        ops.JMP | ops.EXIT: "exit",
    }
    if code in fixed:
        return fixed[code]
    if operation == ops.CALL:
        return _call(src, imm)
    operator = _CONDITIONS.get(operation)
    if operator is None:
        return f"BUG_jmp_{code:02x}"
    value = f"{letter}{src}" if code & ops.X else f"{imm & 0xFFFFFFFF:#x}"
    return f"if {letter}{dst} {operator} {value} goto pc{offset:+}"


def _call(kind: int, imm: int) -> str:
    if kind == ops.LOCAL:
        return f"call pc{imm:+}"
    if kind == ops.KERNEL:
        return f"call kernel-function#{imm}"
    return f"call bpf_{NAMES[imm]}#{imm}" if 0 < imm < len(NAMES) else f"call unknown#{imm}"


def _unsigned(size: int) -> str:
    return f"u{_BITS[size]}"
