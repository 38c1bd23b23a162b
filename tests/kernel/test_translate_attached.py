"""Translations at real hooks, on packets that no test run makes: with what is known beside the bytes, and in parts."""

import contextlib
import ctypes
import os
import socket
import struct
from collections.abc import Iterator, Mapping

import pytest

from tests.classic_programs import Programs, made_up_packets
from tests.kernel.engines import DATA
from tests.kernel.network import Namespace, Pair
from tests.kernel.probing import wait_until
from tui.bpf import kernel
from tui.bpf.classic import instructions as ops
from tui.bpf.classic.instructions import AD_OFF, ANCILLARY, Instruction, Program, pack
from tui.bpf.classic.machine import Machine
from tui.bpf.classic.packet import Packet
from tui.bpf.extended.assembler import alu, assemble, exit_, jump, label, load, map_value, mov, store
from tui.bpf.extended.instructions import R0, R1, R6, R7, R8, R9, W
from tui.bpf.extended.items import Item
from tui.bpf.extended.translate import Kind, expand, translate
from tui.bpf.hooks import Hook, attach
from tui.bpf.hooks import load as load_program
from tui.owner import Owner

KINDS = {Hook.SOCKET_EBPF: Kind.SOCKET, Hook.TCX_INGRESS: Kind.TC, Hook.TCX_EGRESS: Kind.TC, Hook.XDP: Kind.XDP}
ENDED = 0xDEAD  # beyond what the programs here return: the packet has been seen, but the program ended early
_PACKET_VNET_HDR = 15
_HITS = 64


class Watching(Owner):
    """A translation at a hook of one end; it writes down the result for each packet and lets it pass."""

    def __init__(
        self,
        end: Namespace,
        hook: Hook,
        program: Program,
        constants: Mapping[str, int] | None = None,
        instead: list[Item] | None = None,
    ) -> None:
        """`instead`: what is written in place of a translation."""
        self._program, self._kind = program, KINDS[hook]
        self._size = _HITS + 8 * len(program)
        with contextlib.ExitStack() as opening:
            self._figures = kernel.map_create(kernel.MAP_TYPE_ARRAY, 4, self._size, 1, 0, "figures")
            opening.callback(os.close, self._figures)
            items = instead or translate(program, self._kind, _HITS, constants)
            code = assemble(self._around(items, hook)).bytecode({"figures": self._figures})
            fd = load_program(hook, code, "test")
            opening.callback(os.close, fd)
            with end.entered():
                opening.enter_context(attach(hook, end.number, fd))
            self._owned = opening.pop_all()

    def _around(self, items: list[Item], hook: Hook) -> list[Item]:
        code: list[Item] = [mov(R6, R1), map_value(R7, "figures"), store(R7, 0, ENDED)]
        if self._kind in DATA:
            code += [load(R8, R6, DATA[self._kind][0], W), load(R9, R6, DATA[self._kind][1], W)]
        code += [*items, label("unmatched"), mov(R0, 0), label("matched"), store(R7, 0, R0)]
        return [*code, load(R1, R7, 8), mov(R0, hook.passes), exit_()]

    def result(self) -> int:
        """What the program made of the last packet."""
        first = self._cells()[0]
        return 0 if first == ENDED else first

    def hits(self) -> tuple[int, ...]:
        return expand(self._program, self._kind, self._cells()[_HITS // 8 :])

    def _cells(self) -> tuple[int, ...]:
        value = kernel.map_lookup(self._figures, bytes(4), self._size)
        assert value is not None
        return struct.unpack(f"={self._size // 8}Q", value)

    def close(self) -> None:
        self._owned.close()


class Listening(Owner):
    """A classic filter on a packet socket: the kernel's own engine, at the receiving end."""

    def __init__(self, end: Namespace, program: Program) -> None:
        code = pack(program)
        buffer = ctypes.create_string_buffer(code, len(code))
        with end.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        option = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(buffer))
        self._socket.setsockopt(socket.SOL_SOCKET, kernel.SO_ATTACH_FILTER, option)
        self._socket.bind((end.interface, 3))
        self._socket.setblocking(False)

    def lengths(self) -> list[int]:
        """How much was wanted of each packet that matched since the last time."""
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                found.append(len(self._socket.recv(1 << 17)))
        return found

    def close(self) -> None:
        self._socket.close()


class Sender(Owner):
    """Frames from one end; `linear`: so many bytes in the skb's first part, the rest in pages, if 4,096 or more."""

    def __init__(self, end: Namespace) -> None:
        with end.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.setsockopt(263, _PACKET_VNET_HDR, 1)
        self._socket.bind((end.interface, 0))

    def send(self, frame: bytes, linear: int = 0) -> None:
        self._socket.send(struct.pack("=BBHHHH", 0, 0, linear, 0, 0, 0) + frame)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with Pair() as made:
        for end in (made.left, made.right):
            end.run("ip", "link", "set", "dev", end.interface, "mtu", 9000)
        yield made


def _ends(pair: Pair) -> bytes:
    return bytes.fromhex((pair.right.mac + pair.left.mac).replace(":", ""))


@pytest.mark.guest
@pytest.mark.parametrize("name", [name for name in ANCILLARY if name not in {"nla", "nlan", "poff", "rand", "xor_x"}])
@pytest.mark.parametrize("shift", [0, 8])
def test_ancillary_data(pair: Pair, name: str, shift: int) -> None:
    program = (
        Instruction(ops.LDX, k=shift),
        Instruction(ops.LD | ops.ABS, k=AD_OFF + ANCILLARY[name]),
        Instruction(ops.ALU | ops.RSH | ops.X),
        Instruction(ops.ALU | ops.AND, k=0xFF),
        Instruction(ops.ALU | ops.ADD, k=1),
        Instruction(ops.RET | ops.A),
    )
    tagged = _ends(pair) + b"\x81\x00\xa1\x23\x88\xb5" + bytes(1000)
    constants = {"hatype": 1}
    with (
        Sender(pair.left) as sender,
        Listening(pair.right, program) as classic,
        Watching(pair.right, Hook.SOCKET_EBPF, program, constants) as extended,
        Watching(pair.right, Hook.TCX_INGRESS, program, constants) as ingress,
    ):
        for frame in (_ends(pair) + b"\x88\xb5" + bytes(1000), tagged):
            sender.send(frame)
            lengths = _arrived(classic)
            assert lengths == [extended.result()] == [ingress.result()]


def _arrived(classic: Listening) -> list[int]:
    """The lengths of what matches, as soon as something has."""
    found: list[int] = []

    def has_come() -> bool:
        found.extend(classic.lengths())
        return bool(found)

    wait_until(has_come, "the frame has come")
    return found


def _paged(length: int) -> Iterator[tuple[str, Program]]:
    """Programs that read on both sides of where the first part may end."""
    words = [Instruction(ops.LD | ops.W | ops.ABS, k=k) for k in (96, 97, 98, 99, 100, 4000, length - 4, 0)]
    mixed = [each for word in words for each in (Instruction(ops.ALU | ops.XOR | ops.X), Instruction(ops.MISC), word)]
    end = [Instruction(ops.ALU | ops.AND, k=0xFFF), Instruction(ops.ALU | ops.ADD, k=1), Instruction(ops.RET | ops.A)]
    yield "absolute", (*mixed, *end)
    indexed = [Instruction(ops.LD | ops.H | ops.IND, k=k) for k in (0, 10, 4000, 0xFFFFFFC0)]
    header = Instruction(ops.LDX | ops.B | ops.MSH, k=99)
    yield "indexed", (header, *indexed, Instruction(ops.MISC | ops.TXA), header, *indexed, *end)
    beyond = Instruction(ops.LD | ops.B | ops.ABS, k=length)
    yield "beyond", (*words, beyond, *end)
    yield "last", (Instruction(ops.LD | ops.B | ops.ABS, k=length - 1), *words[:3], *end)
    random = Programs("paged")
    for number in range(20):
        body = random.program(60)[:-1]
        yield f"random {number}", (*body, *end)


_LINEAR = (14, 60, 98, 100)


@pytest.mark.guest
def test_packets_in_parts(pair: Pair) -> None:
    length = 6000
    start = _ends(pair) + b"\x88\xb5"
    frame = start + made_up_packets("paged", 1, shortest=length - 14, longest=length - 14)[0]
    with Sender(pair.left) as sender:
        for name, program in _paged(length):
            machine = Machine(program)
            expected = machine.run(Packet.whole(frame))
            runs = [state.pc for state in machine.steps(Packet.whole(frame)) if state.result is None]
            with (
                Watching(pair.left, Hook.TCX_EGRESS, program) as egress,
                Listening(pair.right, program) as classic,
                Watching(pair.right, Hook.SOCKET_EBPF, program) as extended,
                Watching(pair.right, Hook.TCX_INGRESS, program) as ingress,
            ):
                watching = (egress, extended, ingress)
                for number, linear in enumerate((*_LINEAR, 0), start=1):
                    sender.send(frame, linear)
                    _wait_for(number, *watching)
                    assert [each.result() for each in watching] == [expected] * 3, (name, linear)
                    assert classic.lengths() == [min(expected, length)][: bool(expected)], (name, linear)
                    hits = tuple(number * runs.count(index) for index in range(len(program)))
                    assert [each.hits() for each in watching] == [hits] * 3, (name, linear)


def _wait_for(number: int, *watching: Watching) -> None:
    wait_until(lambda: all(each.hits()[0] == number for each in watching), f"{number} have come")


def test_parts_are_what_they_should_be(pair: Pair) -> None:
    everything: Program = (Instruction(ops.RET, k=1),)
    measure: list[Item] = [mov(R0, R9), alu("-=", R0, R8), jump("!=", R0, 0, "matched")]
    with Sender(pair.left) as sender, Listening(pair.right, everything) as classic:
        for hook, end in ((Hook.TCX_EGRESS, pair.left), (Hook.TCX_INGRESS, pair.right)):
            with Watching(end, hook, everything, instead=measure) as watching:
                for linear in _LINEAR:
                    sender.send(_ends(pair) + bytes(6000), linear)
                    assert _arrived(classic) == [1]
                    assert watching.result() == linear
