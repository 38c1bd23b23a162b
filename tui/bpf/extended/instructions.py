"""eBPF as data: instructions, the parts of their codes, and the bytes that the kernel takes.

Numbers and layouts are those of include/uapi/linux/bpf.h, Linux 6.18, and RFC 9669. A code is the sum of its parts:
`ALU64 | ADD | K` adds a constant to a register, `LDX | MEM | H` loads two bytes from memory.
"""

import struct
from collections.abc import Iterable
from enum import IntEnum
from typing import Final, NamedTuple

# Classes: the lowest three bits.
LD: Final = 0x00  # a constant of 64 bits; of the packet, into R0
LDX: Final = 0x01  # from memory into a register
ST: Final = 0x02  # a constant into memory
STX: Final = 0x03  # a register into memory
ALU: Final = 0x04  # 32 bits; the upper half becomes zero
JMP: Final = 0x05
JMP32: Final = 0x06  # compares 32 bits (5.1)
ALU64: Final = 0x07

# Of loads and stores: how much, and from where.
W: Final = 0x00  # 4 bytes
H: Final = 0x08  # 2
B: Final = 0x10  # 1
DW: Final = 0x18  # 8
IMM: Final = 0x00
ABS: Final = 0x20  # the packet at the constant
IND: Final = 0x40  # the packet at a register + the constant
MEM: Final = 0x60
MEMSX: Final = 0x80  # with its sign (6.6)
ATOMIC: Final = 0xC0  # what is done stands in the constant

# Of ALU and JMP: with the constant, or with a register.
K: Final = 0x00
X: Final = 0x08

# Of ALU and ALU64: what is done.
ADD: Final = 0x00
SUB: Final = 0x10
MUL: Final = 0x20
DIV: Final = 0x30  # with offset 1: signed (6.6)
OR: Final = 0x40
AND: Final = 0x50
LSH: Final = 0x60
RSH: Final = 0x70
NEG: Final = 0x80
MOD: Final = 0x90  # as DIV
XOR: Final = 0xA0
MOV: Final = 0xB0  # with offset 8, 16, 32: of so many bits, with their sign (6.6)
ARSH: Final = 0xC0
END: Final = 0xD0  # ALU: K to little endian, X to big endian; ALU64: swaps the bytes (6.6)

# Of JMP and JMP32: what is asked.
JA: Final = 0x00  # of JMP32: so far as the constant says (6.6)
JEQ: Final = 0x10
JGT: Final = 0x20
JGE: Final = 0x30
JSET: Final = 0x40
JNE: Final = 0x50
JSGT: Final = 0x60
JSGE: Final = 0x70
CALL: Final = 0x80
EXIT: Final = 0x90
JLT: Final = 0xA0
JLE: Final = 0xB0
JSLT: Final = 0xC0
JSLE: Final = 0xD0
JCOND: Final = 0xE0  # may_goto (6.9)

# Of ATOMIC, in the constant; ADD, OR, AND and XOR too, with or without FETCH.
FETCH: Final = 0x01  # the value from before goes to the source register (5.12)
XCHG: Final = 0xE0 | FETCH
CMPXCHG: Final = 0xF0 | FETCH  # compares with R0, and gives the value from before in R0
LOAD_ACQUIRE: Final = 0x100  # 6.15
STORE_RELEASE: Final = 0x110

# Of a constant of 64 bits, in the source register: what it stands for.
MAP_FD: Final = 1
MAP_VALUE: Final = 2  # a map's only value, and in the upper half the offset into it
BTF_ID: Final = 3
FUNCTION: Final = 4  # distance to a function of the program
MAP_INDEX: Final = 5
MAP_INDEX_VALUE: Final = 6

# Of CALL, in the source register: a function of the program, so far away; one of the kernel, by its BTF id.
LOCAL: Final = 1
KERNEL: Final = 2

LD_IMM64: Final = LD | IMM | DW
"""The only instruction that takes two slots."""


class Register(IntEnum):
    """R0 has results, R1 to R5 arguments that a call destroys, R6 to R9 outlive calls, R10 is the stack's upper end."""

    R0 = 0
    R1 = 1
    R2 = 2
    R3 = 3
    R4 = 4
    R5 = 5
    R6 = 6
    R7 = 7
    R8 = 8
    R9 = 9
    R10 = 10


R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 = Register

_LAYOUT: Final = struct.Struct("=BBhi")  # struct bpf_insn, on a little-endian machine: both that bpfscope runs on are
SLOT: Final = _LAYOUT.size
"""Bytes of a slot; distances of jumps count slots."""


class Instruction(NamedTuple):
    """One instruction: 8, 4, 4, 16 and 32 bits, the last two signed.

    The constant of LD_IMM64 has 64 bits, of two slots: those of the first are the lower ones.
    """

    code: int
    dst: int = 0
    src: int = 0
    offset: int = 0
    imm: int = 0

    @property
    def slots(self) -> int:
        """How many slots it takes."""
        return 2 if self.code == LD_IMM64 else 1


def pack(instructions: Iterable[Instruction]) -> bytes:
    """8 bytes for each slot. The fields must fit; constants may be unsigned."""
    return b"".join(map(_packed, instructions))


def _packed(instruction: Instruction) -> bytes:
    code, dst, src, offset, imm = instruction
    first = _LAYOUT.pack(code, src << 4 | dst, offset, signed(imm))
    return first + _LAYOUT.pack(0, 0, 0, signed(imm >> 32)) if code == LD_IMM64 else first


def unpack(code: bytes) -> tuple[Instruction, ...]:
    """The instructions in an array of struct bpf_insn, whatever they are. Raises ValueError for half a one.

    What the second slot of an LD_IMM64 has beside the constant is ignored; the kernel wants zeroes there.
    """
    if len(code) % SLOT:
        raise ValueError(f"{len(code)} bytes are no eBPF program: there are {SLOT} in a slot")
    slots = _LAYOUT.iter_unpack(code)
    result = []
    for opcode, registers, offset, imm in slots:
        if opcode == LD_IMM64:
            following = next(slots, None)
            if following is None:
                raise ValueError("the program ends within a constant of 64 bits")
            imm = imm & 0xFFFFFFFF | (following[3] & 0xFFFFFFFF) << 32
        result.append(Instruction(opcode, registers & 0xF, registers >> 4, offset, imm))
    return tuple(result)


def signed(number: int) -> int:
    """The lowest 32 bits, read as a signed number."""
    return (number & 0xFFFFFFFF ^ 0x80000000) - 0x80000000
