"""Where the dialects give different results, a difference that dialect.py names is why; there are no others."""

from collections import Counter
from random import Random

from tests import programs
from tui.bpf.classic import Ancillary, Dialect, Machine, Packet, Program, listing, steps
from tui.bpf.classic import instructions as ops
from tui.bpf.classic.forms import FORMS, Operand

SHIFTS_BY_X = {ops.ALU | ops.LSH | ops.X, ops.ALU | ops.RSH | ops.X}


def differences(program: Program, packet: Packet) -> set[str]:
    """Which of them Linux comes across."""
    return {
        name
        for state in steps(program, packet)
        for name in [difference(program[state.pc].code, program[state.pc].k, state.x)]
        if name
    }


def difference(code: int, k: int, x: int) -> str:
    """Which one the instruction is, with what is in X."""
    operand = FORMS[code].operand
    if code in SHIFTS_BY_X and x > 31:
        return "shifts by X"
    if operand is Operand.INDEXED:
        return "X + k" if x + k > 0xFFFFFFFF else "header areas" if x + k >= ops.LL_OFF else ""
    if operand is Operand.PACKET and k >= ops.AD_OFF:
        return "ancillary data"
    return "header areas" if operand in {Operand.PACKET, Operand.HEADER} and k >= ops.LL_OFF else ""


def test_every_difference_has_its_name() -> None:
    dice = Random(9)
    alone: Counter[str] = Counter()
    for _ in range(3000):
        program = programs.valid(dice)
        linux, libpcap = Machine(program), Machine(program, Dialect.LIBPCAP)
        for _ in range(10):
            packet = Packet.whole(programs.data(dice), Ancillary(ifindex=1, protocol=0x800))
            if linux.run(packet) != libpcap.run(packet):
                why = differences(program, packet)
                assert why, "\n".join([*listing(program), packet.data.hex()])
                alone += Counter(why if len(why) == 1 else [])
    assert alone.keys() == {"ancillary data", "header areas", "X + k", "shifts by X"}
