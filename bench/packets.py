"""What one packet costs at each hook, over a program that does nothing: filtering and counting, hits, grouping.

By BPF_PROG_TEST_RUN, which runs a program many times and gives the mean. The packet is a TCP segment to port 22, so the
filter `tcp and port 22` runs to its end and what matched is counted. Each program is measured in turn with the empty
one; the least of each is what counts: what else the machine does only adds.
"""

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from bench.measure import Bench, say
from bench.table import Row
from tui.bpf import kernel
from tui.bpf.expressions import Compiler, for_hook
from tui.bpf.extended.assembler import assemble, exit_, mov
from tui.bpf.extended.instructions import R0
from tui.bpf.extended.translate import Kind
from tui.bpf.hooks import Hook, load
from tui.bpf.packets.counter import PacketCounter, Turns
from tui.bpf.packets.groups import By
from tui.bpf.packets.headers import Link
from tui.bpf.packets.program import Spec

_EXPRESSION: Final = "tcp and port 22"
_HOOKS: Final = {Hook.SOCKET_EBPF: (Kind.SOCKET, 80), Hook.TCX_INGRESS: (Kind.TC, 20), Hook.XDP: (Kind.XDP, 20)}
_HITS, _GROUP = 15, 40  # ns more
_REPEAT: Final = 100_000
_SEGMENT: Final = (
    bytes.fromhex("020000000001 020000000002 0800 4500003c0000400040060000 0a000001 0a000002".replace(" ", ""))
    + struct.pack(">HHIIHHHH", 51044, 22, 1, 0, 0xA002, 64240, 0, 0)
    + bytes(20)
)


def rows(bench: Bench) -> list[Row]:
    """Three for each hook: counting, hits beside it, and the dearest grouping beside it."""
    return [row for hook in _HOOKS for row in _of_hook(bench, hook)]


def _of_hook(bench: Bench, hook: Hook) -> Iterator[Row]:
    say(f"nanoseconds per packet, {hook.value}")
    kind, limit = _HOOKS[hook]
    with Compiler() as compiler:
        program = compiler.compile(_EXPRESSION, **for_hook(hook.value, "lo")).program
    plain = Spec(kind, program, link=Link.ETHERNET)
    rounds = bench.runs(15, 5)
    with _empty(hook) as nothing, Turns() as turns, PacketCounter(hook, plain, turns) as counting:
        turns.begin()
        alone, counted = _pair(hook, nothing, counting.program, rounds)
        over = counted - alone
        yield _row(f"`{_EXPRESSION}`, {hook.value}: over an empty program's {alone} ns", over, limit, rounds)
        for by in By:
            spec = plain._replace(by=by, hits=by is By.NOTHING)
            what = "the same, and hits per instruction: more" if spec.hits else f"the same, by {by.value}: more"
            with PacketCounter(hook, spec, turns) as more:
                before, after = _pair(hook, counting.program, more.program, rounds)
            yield _row(what, after - before, _HITS if spec.hits else _GROUP, rounds)


def _row(what: str, ns: int, limit: int, rounds: int) -> Row:
    return Row(what, f"{ns} ns", {}, None, f"≤ {limit} ns", str(rounds), ns <= limit)


@contextmanager
def _empty(hook: Hook) -> Iterator[int]:
    with ExitStack() as stack:
        program = load(hook, assemble([mov(R0, hook.passes), exit_()]).code, "empty")
        stack.callback(os.close, program)
        yield program


def _pair(hook: Hook, first: int, second: int, rounds: int) -> tuple[int, int]:
    """The least nanoseconds of each, measured in turn."""
    measured: list[Callable[[], int]] = [lambda: _cost(first, hook), lambda: _cost(second, hook)]
    figures = [[measure() for measure in measured] for _ in range(rounds)]
    return min(one for one, _ in figures), min(other for _, other in figures)


def _cost(program: int, hook: Hook) -> int:
    """Of sockets the kernel hides the first 14 bytes here."""
    packet = bytes(14) + _SEGMENT if hook is Hook.SOCKET_EBPF else _SEGMENT
    return kernel.program_test_run(program, packet, repeat=_REPEAT).duration
