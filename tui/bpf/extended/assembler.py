"""Writing eBPF programs: a program is a list, assembled to bytes; nothing here needs a kernel.

    code = [
        mov(R6, R1),
        load(R0, R6, 16, W),
        jump("==", R0, 5, "out"),
        map_pointer(R1, "figures"),
        call("map_lookup_elem"),
        label("out"),
        mov(R0, 0),
        exit_(),
    ]
    program = assemble(code).bytecode({"figures": fd})

Operators are those of C, and of the kernel's listings: an `s` in front means signed. Widths are B, H, W and DW. What
an argument can't say is refused with AssemblyError at once; a label that isn't there, when the program is assembled.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from tui.bpf.extended import instructions as ops
from tui.bpf.extended.helpers import NUMBERS
from tui.bpf.extended.instructions import DW, LD_IMM64, R0, R10, Instruction, Register, pack
from tui.bpf.extended.items import AssemblyError, Item, Jump, Label, MapReference
from tui.bpf.extended.layout import placed, positions, resolved

OPERATIONS: Final = {
    "+=": ops.ADD,
    "-=": ops.SUB,
    "*=": ops.MUL,
    "/=": ops.DIV,
    "|=": ops.OR,
    "&=": ops.AND,
    "<<=": ops.LSH,
    ">>=": ops.RSH,
    "%=": ops.MOD,
    "^=": ops.XOR,
    "=": ops.MOV,
    "s>>=": ops.ARSH,
}
SIGNED_OPERATIONS: Final = {"s/=": ops.DIV, "s%=": ops.MOD}  # 6.6
CONDITIONS: Final = {
    "==": ops.JEQ,
    ">": ops.JGT,
    ">=": ops.JGE,
    "&": ops.JSET,
    "!=": ops.JNE,
    "s>": ops.JSGT,
    "s>=": ops.JSGE,
    "<": ops.JLT,
    "<=": ops.JLE,
    "s<": ops.JSLT,
    "s<=": ops.JSLE,
}
ATOMICS: Final = {"+=": ops.ADD, "|=": ops.OR, "&=": ops.AND, "^=": ops.XOR}

Operand = Register | int


class Assembled(NamedTuple):
    """A program as bytes, but for the maps that it names."""

    code: bytes
    maps: tuple[tuple[int, str], ...]  # the slot of each reference, and the map's name
    slots: tuple[int, ...]  # where each item of the list is
    labels: dict[str, int]

    def bytecode(self, fds: Mapping[str, int]) -> bytes:
        """What the kernel loads: with the maps' file descriptors. Raises AssemblyError where one is missing."""
        code = bytearray(self.code)
        for slot, name in self.maps:
            if name not in fds:
                raise AssemblyError(f"the program uses the map {name}, which nobody gave")
            at = slot * ops.SLOT + 4
            code[at : at + 4] = fds[name].to_bytes(4, "little")
        return bytes(code)


def assemble(code: Sequence[Item]) -> Assembled:
    """The program as bytes. Raises AssemblyError: no such label, two of a name, too many jumps that are too far."""
    program, places = placed(code)
    at = positions(program)
    return Assembled(
        pack(resolved(program)),
        tuple((slot, item.map) for item, slot in zip(program, at, strict=True) if isinstance(item, MapReference)),
        tuple(at[place] for place in places),
        {item.name: at[place] for item, place in zip(code, places, strict=True) if isinstance(item, Label)},
    )


def label(name: str) -> Label:
    """Names the instruction that follows."""
    return Label(name)


def mov(dst: Register, src: Operand) -> Instruction:
    """`dst = src`; a constant gets its sign."""
    return alu("=", dst, src)


def mov32(dst: Register, src: Operand) -> Instruction:
    """The lower half of dst = src; the upper half becomes zero."""
    return alu32("=", dst, src)


def alu(operator: str, dst: Register, src: Operand) -> Instruction:
    """`dst += src`, and what else is in OPERATIONS and SIGNED_OPERATIONS, on 64 bits."""
    return _calculated(ops.ALU64, operator, dst, src)


def alu32(operator: str, dst: Register, src: Operand) -> Instruction:
    """The same on the lower halves; the upper half of dst becomes zero."""
    return _calculated(ops.ALU, operator, dst, src)


def _calculated(kind: int, operator: str, dst: Register, src: Operand) -> Instruction:
    is_signed = operator in SIGNED_OPERATIONS
    operation = _from(OPERATIONS | SIGNED_OPERATIONS, operator)
    return _with_operand(kind | operation, dst, src, offset=int(is_signed), wide=kind == ops.ALU64)


def extend(dst: Register, src: Register, bits: int) -> Instruction:
    """`dst` = the lowest 8, 16 or 32 bits of src, with their sign (6.6)."""
    if bits not in {8, 16, 32}:
        raise AssemblyError(f"a sign is extended from 8, 16 or 32 bits, not from {bits}")
    return Instruction(ops.ALU64 | ops.MOV | ops.X, dst, src, bits)


def negate(dst: Register) -> Instruction:
    """`dst = -dst`."""
    return Instruction(ops.ALU64 | ops.NEG, dst)


def negate32(dst: Register) -> Instruction:
    """The same on the lower half; the upper half becomes zero."""
    return Instruction(ops.ALU | ops.NEG, dst)


def big_endian(dst: Register, bits: int) -> Instruction:
    """The lowest 16, 32 or 64 bits between big endian and this machine's order; what lies above becomes zero."""
    return Instruction(ops.ALU | ops.END | ops.X, dst, imm=_swappable(bits))


def little_endian(dst: Register, bits: int) -> Instruction:
    """The same between little endian and this machine's order: on ours it only clears what lies above."""
    return Instruction(ops.ALU | ops.END | ops.K, dst, imm=_swappable(bits))


def swap(dst: Register, bits: int) -> Instruction:
    """Turns the lowest 16, 32 or 64 bits' bytes around; what lies above becomes zero (6.6)."""
    return Instruction(ops.ALU64 | ops.END, dst, imm=_swappable(bits))


def _swappable(bits: int) -> int:
    if bits not in {16, 32, 64}:
        raise AssemblyError(f"bytes are turned around in 16, 32 or 64 bits, not in {bits}")
    return bits


def load(dst: Register, base: Register, offset: int = 0, size: int = DW) -> Instruction:
    """`dst` = what is in memory at base + offset."""
    return Instruction(ops.LDX | ops.MEM | size, dst, base, _short(offset))


def load_signed(dst: Register, base: Register, offset: int, size: int) -> Instruction:
    """The same with its sign: B, H or W (6.6)."""
    return Instruction(ops.LDX | ops.MEMSX | size, dst, base, _short(offset))


def load_packet(offset: int, size: int, index: Register | None = None) -> Instruction:
    """R0 = what the packet has at offset, or at index + offset: B, H or W, in this machine's byte order.

    For sockets and tc only: R6 must be the context, R1 to R5 are destroyed, and beyond the packet the program ends
    with 0. From 0xffe00000 on offsets count from the link layer's header, from 0xfff00000 on from the network's.
    """
    mode = ops.ABS if index is None else ops.IND
    return Instruction(ops.LD | mode | size, src=index or R0, imm=_number(offset, wide=False))


def store(base: Register, offset: int, src: Operand, size: int = DW) -> Instruction:
    """Memory at base + offset = src."""
    if isinstance(src, Register):
        return Instruction(ops.STX | ops.MEM | size, base, src, _short(offset))
    return Instruction(ops.ST | ops.MEM | size, base, 0, _short(offset), _number(src, wide=size == DW))


def atomic(
    operator: str, base: Register, offset: int, src: Register, size: int = DW, *, fetch: bool = False
) -> Instruction:
    """Memory at base + offset += src, and what else is in ATOMICS: W or DW.

    With `fetch` src gets the value from before (5.12, as all but += without it).
    """
    return _atomically(_from(ATOMICS, operator) | (ops.FETCH if fetch else 0), base, offset, src, size)


def exchange(base: Register, offset: int, src: Register, size: int = DW) -> Instruction:
    """Memory at base + offset = src, which gets the value from before: W or DW (5.12)."""
    return _atomically(ops.XCHG, base, offset, src, size)


def compare_exchange(base: Register, offset: int, src: Register, size: int = DW) -> Instruction:
    """Memory at base + offset = src if it was R0; R0 gets the value from before: W or DW (5.12)."""
    return _atomically(ops.CMPXCHG, base, offset, src, size)


def load_acquire(dst: Register, base: Register, offset: int, size: int = DW) -> Instruction:
    """`dst` = memory at base + offset, before what follows (6.15)."""
    return Instruction(ops.STX | ops.ATOMIC | size, dst, base, _short(offset), ops.LOAD_ACQUIRE)


def store_release(base: Register, offset: int, src: Register, size: int = DW) -> Instruction:
    """Memory at base + offset = src, after what precedes (6.15)."""
    return Instruction(ops.STX | ops.ATOMIC | size, base, src, _short(offset), ops.STORE_RELEASE)


def _atomically(operation: int, base: Register, offset: int, src: Register, size: int) -> Instruction:
    if size not in {ops.W, DW}:
        raise AssemblyError("atomic operations are on 4 or 8 bytes: W or DW")
    return Instruction(ops.STX | ops.ATOMIC | size, base, src, _short(offset), operation)


def load_number(dst: Register, number: int) -> Instruction:
    """`dst` = any number of 64 bits; takes two slots."""
    if not -(1 << 63) <= number < 1 << 64:
        raise AssemblyError(f"{number:#x} has more than 64 bits")
    return Instruction(LD_IMM64, dst, imm=number & (1 << 64) - 1)


def map_pointer(dst: Register, name: str) -> MapReference:
    """`dst` = the map of that name, as the helpers for maps want it."""
    return MapReference(Instruction(LD_IMM64, dst, ops.MAP_FD), name)


def map_value(dst: Register, name: str, offset: int = 0) -> MapReference:
    """`dst` = the address of what an array of one entry holds at an offset; not of one per CPU."""
    if not 0 <= offset < 1 << 29:  # BPF_MAX_VAR_OFF
        raise AssemblyError(f"{offset} isn't within a map's value")
    return MapReference(Instruction(LD_IMM64, dst, ops.MAP_VALUE, imm=offset << 32), name)


def function_pointer(dst: Register, target: str) -> Jump:
    """`dst` = the function at a label, for helpers that call one (5.13). Wants BTF when loaded."""
    return Jump(Instruction(LD_IMM64, dst, ops.FUNCTION), target)


def goto(target: str) -> Jump:
    """Goes to a label."""
    return Jump(Instruction(ops.JMP | ops.JA), target)


def jump(operator: str, dst: Register, src: Operand, target: str) -> Jump:
    """Goes to a label if dst == src, or what else is in CONDITIONS, on 64 bits; a constant gets its sign."""
    return Jump(_with_operand(ops.JMP | _from(CONDITIONS, operator), dst, src), target)


def jump32(operator: str, dst: Register, src: Operand, target: str) -> Jump:
    """The same on the lower halves (5.1)."""
    return Jump(_with_operand(ops.JMP32 | _from(CONDITIONS, operator), dst, src, wide=False), target)


def call(helper: str | int) -> Instruction:
    """R0 = what a function of the kernel gives, of R1 to R5, which it destroys; by its name without bpf_, or number."""
    if isinstance(helper, str) and helper not in NUMBERS:
        raise AssemblyError(f"the kernel has no function bpf_{helper}")
    return Instruction(ops.JMP | ops.CALL, imm=NUMBERS[helper] if isinstance(helper, str) else helper)


def call_local(target: str) -> Jump:
    """The same for a function of the program, at a label."""
    return Jump(Instruction(ops.JMP | ops.CALL, src=ops.LOCAL), target)


def exit_() -> Instruction:
    """Returns R0."""
    return Instruction(ops.JMP | ops.EXIT)


def _with_operand(code: int, dst: Register, src: Operand, *, offset: int = 0, wide: bool = True) -> Instruction:
    if dst == R10 and code & 0x07 in {ops.ALU, ops.ALU64}:
        raise AssemblyError("R10, the stack's end, can't be changed")
    if isinstance(src, Register):
        return Instruction(code | ops.X, dst, src, offset)
    return Instruction(code | ops.K, dst, 0, offset, _number(src, wide=wide))


def _number(number: int, *, wide: bool) -> int:
    """A constant as the instruction holds it. Where 64 bits are made of it, it gets its sign, and 2³¹ isn't sayable."""
    if not -(1 << 31) <= number < 1 << (31 if wide else 32):
        remedy = "load it into a register with load_number" if wide else "use 64 bits"
        raise AssemblyError(f"{number:#x} doesn't fit into an instruction's 32 bits; {remedy}")
    return ops.signed(number)


def _short(offset: int) -> int:
    if not -0x8000 <= offset <= 0x7FFF:
        raise AssemblyError(f"an offset of {offset} doesn't fit into 16 bits; add it to the register")
    return offset


def _from(table: Mapping[str, int], operator: str) -> int:
    if operator not in table:
        raise AssemblyError(f"there is no operator {operator}; there are {' '.join(table)}")
    return table[operator]
