"""Classic BPF as data: instructions, the parts of their codes, and the bytes that the kernel takes.

Numbers and layouts are those of include/uapi/linux/bpf_common.h and filter.h, Linux 6.18. A code is the sum of its
parts: `LD | H | ABS` loads two bytes of the packet into A, `JMP | JEQ | K` compares A with the constant k.
"""

import struct
from typing import Final, NamedTuple

from tui.errors import UsageError

# Classes: the lowest three bits.
LD: Final = 0x00  # into A
LDX: Final = 0x01  # into X
ST: Final = 0x02  # A into M[k]
STX: Final = 0x03  # X into M[k]
ALU: Final = 0x04  # A = A op (k or X)
JMP: Final = 0x05
RET: Final = 0x06
MISC: Final = 0x07

# Of loads: how much, and from where.
W: Final = 0x00
H: Final = 0x08
B: Final = 0x10
IMM: Final = 0x00  # k itself
ABS: Final = 0x20  # the packet at k
IND: Final = 0x40  # the packet at X + k
MEM: Final = 0x60  # M[k]
LEN: Final = 0x80  # the packet's length on the wire
MSH: Final = 0xA0  # 4 * (the packet's byte at k & 0xf): an IPv4 header's length

# Of ALU: what is done.
ADD: Final = 0x00
SUB: Final = 0x10
MUL: Final = 0x20
DIV: Final = 0x30
OR: Final = 0x40
AND: Final = 0x50
LSH: Final = 0x60
RSH: Final = 0x70
NEG: Final = 0x80
MOD: Final = 0x90
XOR: Final = 0xA0

# Of JMP: what is asked.
JA: Final = 0x00  # goes k instructions further
JEQ: Final = 0x10
JGT: Final = 0x20
JGE: Final = 0x30
JSET: Final = 0x40

# Of ALU and JMP, what with; of RET, what is returned.
K: Final = 0x00
X: Final = 0x08
A: Final = 0x10  # of RET alone

# Of MISC.
TAX: Final = 0x00  # X = A
TXA: Final = 0x80  # A = X

MEMORY_WORDS: Final = 16  # M[0] … M[15]
MAX_INSTRUCTIONS: Final = 4096  # the kernel's BPF_MAXINSNS

# Offsets from which the kernel loads something else than the packet's bytes.
AD_OFF: Final = 0xFFFFF000  # ancillary data: what is known of a packet
NET_OFF: Final = 0xFFF00000  # from the network header on
LL_OFF: Final = 0xFFE00000  # from the link-layer header on

ANCILLARY: Final[dict[str, int]] = {
    "proto": 0,  # EtherType
    "type": 4,  # to us 0, broadcast 1, multicast 2, to somebody else 3, outgoing 4
    "ifidx": 8,  # the interface's number; the program ends with what is in A where there is none
    "nla": 12,  # offset of the netlink attribute of type X, from A on; 0 if there is none
    "nlan": 16,  # the same within the attribute at A
    "mark": 20,
    "queue": 24,
    "hatype": 28,  # the interface's ARPHRD_…; ends as `ifidx`
    "rxhash": 32,
    "cpu": 36,
    "xor_x": 40,  # A ^= X; from before there was an instruction for it. bpf_asm has no name for it
    "vlan_tci": 44,
    "vlan_avail": 48,  # 1 if a tag was taken off the packet
    "poff": 52,  # offset of the payload behind the headers that the kernel knows
    "rand": 56,
    "vlan_tpid": 60,
}
"""bpf_asm's names for ancillary data, and the offset from AD_OFF of each: `ld proto` loads from AD_OFF + 0."""

ANCILLARY_NAMES: Final[dict[int, str]] = {offset: name for name, offset in ANCILLARY.items()}
"""The name of what is at AD_OFF + offset."""

_LAYOUT: Final = struct.Struct("=HBBI")  # struct sock_filter, in the byte order of this machine


class Instruction(NamedTuple):
    """One struct sock_filter: 16, 8, 8 and 32 bits, unsigned. The jumps count from the instruction that follows."""

    code: int
    jt: int = 0
    jf: int = 0
    k: int = 0


Program = tuple[Instruction, ...]


def pack(program: Program) -> bytes:
    """8 bytes for each instruction, whose fields must fit."""
    return b"".join(_LAYOUT.pack(*instruction) for instruction in program)


def unpack(data: bytes) -> Program:
    """The instructions in an array of struct sock_filter, whatever they are. Raises UsageError for half a one."""
    if len(data) % _LAYOUT.size:
        raise UsageError(f"{len(data)} bytes are no classic BPF program; give {_LAYOUT.size} for each instruction")
    return tuple(Instruction(*fields) for fields in _LAYOUT.iter_unpack(data))


def signed(number: int) -> int:
    """32 bits read as a signed number."""
    return (number ^ 0x80000000) - 0x80000000


def successors(index: int, instruction: Instruction) -> tuple[int, ...]:
    """Where the program may go on after the instruction at `index`; nowhere after a return.

    Of a condition the first is where it goes if the answer is yes. `ja` counts with a sign, as libpcap does (its
    `protochain` jumps back); the kernel refuses what goes back.
    """
    kind = instruction.code & 0x07
    if kind == RET:
        return ()
    if kind != JMP:
        return (index + 1,)
    if instruction.code & 0xF0 == JA:
        return (index + 1 + signed(instruction.k),)
    return (index + 1 + instruction.jt, index + 1 + instruction.jf)
