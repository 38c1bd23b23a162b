"""Our machine and our checks against the kernel and libpcap: on expressions, and on programs by chance."""

import errno
import os
from collections.abc import Iterator
from random import Random

import pytest

from tests import expressions, packets, programs
from tests.engines import KernelFilter, LibpcapFilter, refusal
from tests.link_layers import LINK_LAYERS
from tui.bpf.classic import (
    Ancillary,
    CheckError,
    Dialect,
    Instruction,
    Machine,
    Packet,
    Program,
    check,
    listing,
    steps,
)
from tui.bpf.classic import instructions as ops

PROGRAMS = 100 if "BPFSCOPE_GUEST" in os.environ else 1500  # an emulated guest is a hundred times as slow
SOCKETPAIR = Ancillary(link_offset=None, network_offset=0)
"""What the kernel knows of a packet between two AF_UNIX sockets."""


def on_socketpair(data: bytes) -> Packet:
    return Packet.whole(data, SOCKETPAIR)


def answers(program: Program, frames: list[bytes]) -> list[tuple[bool, bool, bool, bool]]:
    """For each packet: whether it is wanted by the kernel, libpcap, and our machine as Linux and as libpcap."""
    libpcap, linux, like_libpcap = LibpcapFilter(program), Machine(program), Machine(program, Dialect.LIBPCAP)
    with KernelFilter(program) as kernel:
        return [
            (
                kernel.result(frame) is not None,
                libpcap.result(frame) > 0,
                linux.run(packet) > 0,
                like_libpcap.run(packet) > 0,
            )
            for frame in frames
            for packet in (on_socketpair(frame),)
        ]


def test_500_expressions_mean_the_same_on_every_engine() -> None:
    frames = {name: packets.generate(1000, 1, name) for name in LINK_LAYERS}
    matching = 0
    for at, expression in enumerate(expressions.generate(500, seed=4)):
        program = expressions.compile_expression(expression, optimise=at % 3 != 0)
        found = answers(program, frames[expression.link_type])
        assert len(found) == 1000
        different = [index for index, each in enumerate(found) if len(set(each)) > 1]
        assert not different, f"{expression}: packets {different[:10]}, {found[different[0]]}"
        matching += any(each[0] for each in found)
    assert matching > 350, "expressions and packets hardly meet"


@pytest.mark.parametrize("difference", expressions.DIFFERENT)
def test_where_linux_and_libpcap_differ_each_dialect_is_right(difference: str) -> None:
    frames = packets.generate(1000, 3)
    for text in expressions.DIFFERENT[difference]:
        program = expressions.compile_expression(expressions.Expression(text))
        if difference in {"jumps back", "unwritten words"}:
            assert refusal(program)
            assert objection(program)
        else:
            found = answers(program, frames)
            assert all(kernel == linux and libpcap == like for kernel, libpcap, linux, like in found), text
            assert any(kernel != libpcap for kernel, libpcap, _, _ in found), text


@pytest.mark.parametrize("text", expressions.DIFFERENT["jumps back"])
def test_chains_of_headers_are_followed_as_libpcap_does(text: str) -> None:
    program = expressions.compile_expression(expressions.Expression(text))
    machine, libpcap = Machine(program, Dialect.LIBPCAP), LibpcapFilter(program)
    wanted = 0
    for frame in packets.generate(1000, 3):
        packet = Packet.whole(frame)
        *_, last = steps(program, packet, Dialect.LIBPCAP)
        if "jumps back" not in last.why:  # libpcap 1.10 wouldn't come back from those
            assert machine.run(packet) == libpcap.result(frame) == last.result
            wanted += machine.run(packet) > 0
    assert wanted


@pytest.mark.guest
def test_programs_by_chance_give_what_the_kernel_gives() -> None:
    dice = Random(5)
    results = set()
    for _ in range(PROGRAMS):
        program = programs.valid(dice)
        machine = Machine(program)
        with KernelFilter(program) as kernel:
            for _ in range(20):
                data = programs.data(dice)
                result = machine.run(on_socketpair(data))
                arrived = min(result, len(data)) if result else None
                assert kernel.result(data) == arrived, "\n".join([*listing(program), data.hex()])
                results.add(arrived)
    assert len(results) > PROGRAMS // 3


@pytest.mark.guest
def test_the_kernel_takes_exactly_the_programs_that_are_checked() -> None:
    taken = refused = 0
    for program in damaged_programs(Random(6)):
        error, reason = refusal(program), objection(program)
        assert (error is None) == (not reason), "\n".join([f"{error!r} {reason}", *listing(program)])
        taken += not reason
        refused += bool(reason)
    assert taken > PROGRAMS
    assert refused > PROGRAMS


def objection(program: Program) -> str:
    """What our checks say against a program."""
    try:
        check(program)
    except CheckError as error:
        return str(error)
    return ""


def damaged_programs(dice: Random) -> Iterator[Program]:
    """Four times PROGRAMS: by chance, and what libpcap makes of expressions, optimised and not."""
    for _ in range(3 * PROGRAMS):
        yield programs.damaged(dice, programs.valid(dice))
    for at, expression in enumerate(expressions.generate(PROGRAMS // 10, seed=5)):
        program = expressions.compile_expression(expression, optimise=bool(at % 2))
        for _ in range(10):
            yield programs.damaged(dice, program)


@pytest.mark.guest
def test_how_long_a_program_may_be() -> None:
    for length in (0, 1, 4096, 4097):
        program = (Instruction(ops.RET | ops.K, k=1),) * length
        error = refusal(program)
        invalid = error is not None and error.errno == errno.EINVAL  # ENOMEM: more than net.core.optmem_max
        assert invalid == bool(objection(program)) == (not 1 <= length <= 4096)
