"""Every instruction that the assembler writes: as bytes, in the syntax of the kernel, and in that of LLVM, a witness.

The last column is what llvm-mc 14 makes of the bytes (BPF, v3); where it is None, it doesn't know the instruction, and
the bytes are RFC 9669's.
"""

from typing import NamedTuple

from tui.bpf.extended.assembler import (
    CONDITIONS,
    OPERATIONS,
    alu,
    alu32,
    atomic,
    big_endian,
    call,
    compare_exchange,
    exchange,
    exit_,
    extend,
    little_endian,
    load,
    load_acquire,
    load_number,
    load_packet,
    load_signed,
    mov,
    mov32,
    negate,
    negate32,
    store,
    store_release,
    swap,
)
from tui.bpf.extended.instructions import DW, R0, R1, R2, R3, R5, R6, R7, R8, R9, R10, B, H, Instruction, W


class Row(NamedTuple):
    """An instruction in all its forms."""

    instruction: Instruction
    code: str
    kernel: str
    llvm: str | None


ROWS = (
    Row(mov(R6, R1), "bf16000000000000", "r6 = r1", "r6 = r1"),
    Row(mov(R0, -1), "b7000000ffffffff", "r0 = -1", "r0 = -1"),
    Row(mov32(R9, R0), "bc09000000000000", "w9 = w0", "w9 = w0"),
    Row(mov32(R0, 0x80000000), "b400000000000080", "w0 = -2147483648", "w0 = -2147483648"),
    Row(alu("+=", R1, R2), "0f21000000000000", "r1 += r2", "r1 += r2"),
    Row(alu("-=", R1, 7), "1701000007000000", "r1 -= 7", "r1 -= 7"),
    Row(alu("*=", R1, R2), "2f21000000000000", "r1 *= r2", "r1 *= r2"),
    Row(alu("/=", R1, 10), "370100000a000000", "r1 /= 10", "r1 /= 10"),
    Row(alu("|=", R1, R2), "4f21000000000000", "r1 |= r2", "r1 |= r2"),
    Row(alu("&=", R1, -16), "57010000f0ffffff", "r1 &= -16", "r1 &= -16"),
    Row(alu("<<=", R1, 63), "670100003f000000", "r1 <<= 63", "r1 <<= 63"),
    Row(alu(">>=", R1, R2), "7f21000000000000", "r1 >>= r2", "r1 >>= r2"),
    Row(alu("%=", R1, R2), "9f21000000000000", "r1 %= r2", None),
    Row(alu("^=", R1, R2), "af21000000000000", "r1 ^= r2", "r1 ^= r2"),
    Row(alu("s>>=", R1, 3), "c701000003000000", "r1 s>>= 3", "r1 s>>= 3"),
    Row(alu("s/=", R1, R2), "3f21010000000000", "r1 s/= r2", None),
    Row(alu("s%=", R1, 3), "9701010003000000", "r1 s%= 3", None),
    Row(alu32("+=", R1, R2), "0c21000000000000", "w1 += w2", "w1 += w2"),
    Row(alu32("&=", R1, 0xFF), "54010000ff000000", "w1 &= 255", "w1 &= 255"),
    Row(alu32("s>>=", R1, R2), "cc21000000000000", "w1 s>>= w2", "w1 s>>= w2"),
    Row(alu32("s/=", R1, 3), "3401010003000000", "w1 s/= 3", None),
    Row(extend(R1, R2, 8), "bf21080000000000", "r1 = (s8)r2", None),
    Row(extend(R1, R2, 32), "bf21200000000000", "r1 = (s32)r2", None),
    Row(negate(R3), "8703000000000000", "r3 = -r3", "r3 = -r3"),
    Row(negate32(R3), "8403000000000000", "w3 = -w3", "w3 = -w3"),
    Row(big_endian(R0, 16), "dc00000010000000", "r0 = be16 r0", "r0 = be16 r0"),
    Row(big_endian(R5, 64), "dc05000040000000", "r5 = be64 r5", "r5 = be64 r5"),
    Row(little_endian(R5, 32), "d405000020000000", "r5 = le32 r5", "r5 = le32 r5"),
    Row(swap(R5, 32), "d705000020000000", "r5 = bswap32 r5", None),
    Row(load(R0, R6, 16, W), "6160100000000000", "r0 = *(u32 *)(r6 +16)", "r0 = *(u32 *)(r6 + 16)"),
    Row(load(R0, R10, -8, DW), "79a0f8ff00000000", "r0 = *(u64 *)(r10 -8)", "r0 = *(u64 *)(r10 - 8)"),
    Row(load(R8, R9, 12, H), "69980c0000000000", "r8 = *(u16 *)(r9 +12)", "r8 = *(u16 *)(r9 + 12)"),
    Row(load(R8, R9, 0, B), "7198000000000000", "r8 = *(u8 *)(r9 +0)", "r8 = *(u8 *)(r9 + 0)"),
    Row(load_signed(R0, R6, 16, W), "8160100000000000", "r0 = *(s32 *)(r6 +16)", None),
    Row(load_signed(R0, R6, 1, B), "9160010000000000", "r0 = *(s8 *)(r6 +1)", None),
    Row(store(R10, -4, R0, W), "630afcff00000000", "*(u32 *)(r10 -4) = r0", "*(u32 *)(r10 - 4) = r0"),
    Row(store(R1, 8, R2), "7b21080000000000", "*(u64 *)(r1 +8) = r2", "*(u64 *)(r1 + 8) = r2"),
    Row(store(R1, 8, 0x800, H), "6a01080000080000", "*(u16 *)(r1 +8) = 2048", None),
    Row(store(R1, 8, -1, DW), "7a010800ffffffff", "*(u64 *)(r1 +8) = -1", None),
    Row(load_packet(23, B), "3000000017000000", "r0 = *(u8 *)skb[23]", "r0 = *(u8 *)skb[23]"),
    Row(load_packet(14, H, R7), "487000000e000000", "r0 = *(u16 *)skb[r7 + 14]", None),
    Row(load_packet(0xFFF00008, W), "200000000800f0ff", "r0 = *(u32 *)skb[-1048568]", "r0 = *(u32 *)skb[-1048568]"),
    Row(
        atomic("+=", R7, 8, R1),
        "db17080000000000",
        "lock *(u64 *)(r7 +8) += r1",
        "lock *(u64 *)(r7 + 8) += r1",
    ),
    Row(atomic("|=", R7, 8, R1, W), "c317080040000000", "lock *(u32 *)(r7 +8) |= r1", None),
    Row(
        atomic("&=", R7, -8, R1),
        "db17f8ff50000000",
        "lock *(u64 *)(r7 -8) &= r1",
        "lock *(u64 *)(r7 - 8) &= r1",
    ),
    Row(
        atomic("+=", R7, 8, R1, fetch=True),
        "db17080001000000",
        "r1 = atomic64_fetch_add((u64 *)(r7 +8), r1)",
        "r1 = atomic_fetch_add((u64 *)(r7 + 8), r1)",
    ),
    Row(
        atomic("^=", R7, 8, R1, W, fetch=True),
        "c3170800a1000000",
        "r1 = atomic_fetch_xor((u32 *)(r7 +8), r1)",
        None,
    ),
    Row(
        exchange(R7, 8, R1),
        "db170800e1000000",
        "r1 = atomic64_xchg((u64 *)(r7 +8), r1)",
        "r1 = xchg_64(r7 + 8, r1)",
    ),
    Row(
        compare_exchange(R7, 8, R1),
        "db170800f1000000",
        "r0 = atomic64_cmpxchg((u64 *)(r7 +8), r0, r1)",
        "r0 = cmpxchg_64(r7 + 8, r0, r1)",
    ),
    Row(load_acquire(R1, R7, 8), "db71080000010000", "r1 = load_acquire((u64 *)(r7 +8))", None),
    Row(store_release(R7, 8, R1, W), "c317080010010000", "store_release((u32 *)(r7 +8), r1)", None),
    Row(
        load_number(R0, 0x123456789ABCDEF0),
        "18000000f0debc9a0000000078563412",
        "r0 = 0x123456789abcdef0",
        "r0 = 1311768467463790320 ll",
    ),
    Row(load_number(R0, -1), "18000000ffffffff00000000ffffffff", "r0 = 0xffffffffffffffff", "r0 = -1 ll"),
    Row(call("map_lookup_elem"), "8500000001000000", "call bpf_map_lookup_elem#1", "call 1"),
    Row(exit_(), "9500000000000000", "exit", "exit"),
)
"""One of each kind; jumps, whose distances come from labels, are beside them."""

JUMPS = {
    "==": "15",
    ">": "25",
    ">=": "35",
    "&": "45",
    "!=": "55",
    "s>": "65",
    "s>=": "75",
    "<": "a5",
    "<=": "b5",
    "s<": "c5",
    "s<=": "d5",
}
"""The code of each with a constant, on 64 bits: 8 more with a register, 1 more on 32 bits."""

assert set(JUMPS) == set(CONDITIONS)
assert {row.kernel.split()[1] for row in ROWS if row.kernel[0] in "rw"} >= set(OPERATIONS)
