"""Made-up classic programs and packets, the same for the same seed: what all engines must agree on."""

import random
import subprocess
from typing import Final

from tui.bpf.classic import instructions as ops
from tui.bpf.classic.checker import check
from tui.bpf.classic.instructions import Instruction, Program
from tui.bpf.classic.listing import parse

_OPERATIONS: Final = (ops.ADD, ops.SUB, ops.MUL, ops.DIV, ops.MOD, ops.AND, ops.OR, ops.XOR, ops.LSH, ops.RSH)
_CONDITIONS: Final = (ops.JEQ, ops.JGT, ops.JGE, ops.JSET)
_SIZES: Final = (ops.W, ops.H, ops.B)
_CELLS: Final = (0, 7, 15)


def compiled(expression: str, *options: str, link_type: str = "EN10MB") -> Program:
    """The program that tcpdump makes of an expression; `-O` leaves it as it is."""
    command = ["tcpdump", "-ddd", "-y", link_type, *options, expression]
    return parse(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


class Programs:
    """Random valid programs. `far`: loads from beyond the packet, and from where the kernel has header areas."""

    def __init__(self, seed: str, *, far: bool = False) -> None:
        self._random = random.Random(seed)
        self._far = far

    def program(self, length: int) -> Program:
        """One of so many instructions, 8 at least, that ends with the value of A."""
        start = [Instruction(ops.LD | ops.LEN), *(Instruction(ops.ST, k=cell) for cell in _CELLS)]
        rest = [self._instruction(length - len(start) - 1 - index) for index in range(length - len(start) - 1)]
        program = (*start, *rest, Instruction(ops.RET | ops.A))
        check(program)
        return program

    def _instruction(self, left: int) -> Instruction:
        """One that is followed by `left` others at least."""
        kinds = (self._load, self._indexed, self._into_x, self._memory, self._calculation, self._move, self._jump)
        (kind,) = self._random.choices(kinds, (8, 4, 4, 3, 8, 3, 8))
        return kind(left)

    def _load(self, _left: int) -> Instruction:
        size, mode = self._random.choice(_SIZES), self._random.choice((ops.ABS, ops.ABS, ops.ABS, ops.IMM, ops.LEN))
        if mode != ops.ABS:
            return Instruction(ops.LD | mode, k=self._constant())
        return Instruction(ops.LD | size | ops.ABS, k=self._offset())

    def _indexed(self, _left: int) -> Instruction:
        return Instruction(ops.LD | self._random.choice(_SIZES) | ops.IND, k=self._offset())

    def _into_x(self, _left: int) -> Instruction:
        if self._random.random() < 0.5:
            return Instruction(ops.LDX | ops.B | ops.MSH, k=self._offset())
        return self._random.choice((Instruction(ops.LDX | ops.LEN), Instruction(ops.LDX, k=self._random.randrange(40))))

    def _memory(self, _left: int) -> Instruction:
        code = self._random.choice((ops.ST, ops.STX, ops.LD | ops.MEM, ops.LDX | ops.MEM))
        return Instruction(code, k=self._random.choice(_CELLS))

    def _calculation(self, _left: int) -> Instruction:
        operation = self._random.choice((*_OPERATIONS, ops.NEG, ops.AND))
        if operation == ops.NEG:
            return Instruction(ops.ALU | ops.NEG)
        if self._random.random() < 0.3:
            return Instruction(ops.ALU | operation | ops.X)
        if operation == ops.AND:
            return Instruction(ops.ALU | ops.AND, k=self._random.choice((0xF, 0x3C, 0xFF, 0xFFFF, 0xFFFF00)))
        constant = self._constant()
        if operation in {ops.LSH, ops.RSH}:
            constant %= 32
        return Instruction(ops.ALU | operation, k=constant or 1)

    def _move(self, _left: int) -> Instruction:
        return Instruction(ops.MISC | self._random.choice((ops.TAX, ops.TXA, ops.TXA)))

    def _jump(self, left: int) -> Instruction:
        most = min(left - 1, 255) if self._random.random() < 0.2 else min(left - 1, 6)
        if most < 1:
            return Instruction(ops.ALU | ops.XOR, k=1)
        if self._random.random() < 0.1:
            return Instruction(ops.JMP | ops.JA, k=self._random.randint(0, most))
        code = ops.JMP | self._random.choice(_CONDITIONS) | self._random.choice((ops.K, ops.K, ops.X))
        return Instruction(code, self._random.randint(0, most), self._random.randint(0, most), self._constant())

    def _constant(self) -> int:
        return self._random.choice(
            (self._random.randrange(64), self._random.randrange(256), self._random.getrandbits(32), 0xFFFFFFFF, 0x800)
        )

    def _offset(self) -> int:
        if not self._far or self._random.random() < 0.8:
            return self._random.randrange(self._random.choice((14, 14, 14, 20, 64, 130)))
        base = self._random.choice((0xFFFFFFF0, ops.NET_OFF, ops.LL_OFF, 1 << 31, 0x7FFFFFF0, 0xFFFF, 0x7FFF, 200))
        offset = base + self._random.randint(-8, 40)
        return min(offset, ops.AD_OFF - 8)


def made_up_packets(seed: str, number: int, *, shortest: int = 14, longest: int = 120) -> list[bytes]:
    """Random bytes, of which many are small numbers."""
    chosen = random.Random(seed)
    found = []
    for _ in range(number):
        length = chosen.randint(shortest, longest)
        data = bytearray(chosen.randbytes(length))
        for at in range(length):
            if chosen.random() < 0.4:
                data[at] = chosen.randrange(20)
        if length >= 14:
            data[12:14] = b"\x88\xb5"  # an EtherType for experiments: else the kernel wants IP headers
        found.append(bytes(data))
    return found
