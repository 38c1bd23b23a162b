"""What each engine makes of a packet: the kernel's classic one, and the translations for sockets, tc, XDP and cgroups.

with Classic(program) as classic, Translated(program, Kind.TC) as tc:
    classic.lengths(packets)  ->  how many bytes of each are wanted, at most all; 0: it doesn't match
    tc.results(packets)       ->  the same, but as the program returned it
"""

import contextlib
import os
import socket
import struct
from collections.abc import Iterable, Mapping, Sequence

from tests.engines import attach
from tui.bpf import kernel
from tui.bpf.classic.instructions import Program
from tui.bpf.extended.assembler import assemble, exit_, label, load, map_value, mov, store
from tui.bpf.extended.instructions import R0, R1, R6, R7, R8, R9, W
from tui.bpf.extended.items import Item
from tui.bpf.extended.translate import Kind, expand, translate
from tui.owner import Owner

PROGRAM_TYPES = {
    Kind.SOCKET: kernel.PROG_TYPE_SOCKET_FILTER,
    Kind.TC: kernel.PROG_TYPE_SCHED_CLS,
    Kind.XDP: kernel.PROG_TYPE_XDP,
    Kind.CGROUP: kernel.PROG_TYPE_CGROUP_SKB,
}
DATA = {Kind.TC: (76, 80), Kind.XDP: (0, 4)}  # data and data_end in the context
LARGEST_DATAGRAM = 200_000


def around(items: Sequence[Item], kind: Kind) -> list[Item]:
    """A whole program that returns the filter's result."""
    code: list[Item] = [mov(R6, R1), map_value(R7, "figures")]
    if kind in DATA:
        code += [load(R8, R6, DATA[kind][0], W), load(R9, R6, DATA[kind][1], W)]
    code += [*items, label("unmatched"), mov(R0, 0), label("matched"), store(R7, 0, R0)]
    return [*code, *([mov(R0, 1)] if kind is Kind.CGROUP else []), exit_()]  # which may return nothing else


def program_load(kind: Kind, code: bytes) -> int:
    """The program's file descriptor; with what the verifier says if it refuses."""
    attach_type = 37 if kind is Kind.XDP else 0
    try:
        return kernel.program_load(PROGRAM_TYPES[kind], attach_type, code, "test")
    except OSError as first:
        try:
            return kernel.program_load(PROGRAM_TYPES[kind], attach_type, code, "test", 1 << 24)
        except OSError as error:
            raise AssertionError(f"{first}: {str(error.filename)[-3000:]}") from None


class Sockets:
    """A pair of datagram sockets, the second of which filters."""

    def __init__(self) -> None:
        self.sender, self.receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for each in (self.sender, self.receiver):
            each.setblocking(False)
        self._buffer = bytearray(LARGEST_DATAGRAM)
        self.sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * LARGEST_DATAGRAM)

    def attach(self, program: int) -> None:
        self.receiver.setsockopt(socket.SOL_SOCKET, 50, struct.pack("i", program))

    def length(self, packet: bytes) -> int:
        """How much of it arrives."""
        self.sender.send(packet)
        try:
            return self.receiver.recv_into(self._buffer)
        except BlockingIOError:
            return 0

    def close(self) -> None:
        self.sender.close()
        self.receiver.close()


class Classic(Owner):
    """The kernel's own engine."""

    def __init__(self, program: Program) -> None:
        self._sockets = Sockets()
        try:
            attach(self._sockets.receiver, program)
        except OSError:
            self.close()
            raise

    def lengths(self, packets: Iterable[bytes]) -> list[int]:
        return [self._sockets.length(packet) for packet in packets]

    def close(self) -> None:
        self._sockets.close()


class Translated(Owner):
    """A translation, loaded; with hits, if they are wanted."""

    def __init__(
        self, program: Program, kind: Kind, *, hits: bool = False, constants: Mapping[str, int] | None = None
    ) -> None:
        self.program, self.kind = program, kind
        self.size = 64 + 8 * len(program)
        self._owned = contextlib.ExitStack()
        with contextlib.ExitStack() as opening:
            self.figures = kernel.map_create(kernel.MAP_TYPE_ARRAY, 4, self.size, 1, 0, "figures")
            opening.callback(os.close, self.figures)
            self.items = around(translate(program, kind, 64 if hits else None, constants), kind)
            self.code = assemble(self.items).bytecode({"figures": self.figures})
            self.fd = program_load(kind, self.code)
            opening.callback(os.close, self.fd)
            if kind is Kind.SOCKET:
                self._sockets = Sockets()
                opening.callback(self._sockets.close)
                self._sockets.attach(self.fd)
            self._owned = opening.pop_all()

    def lengths(self, packets: Iterable[bytes]) -> list[int]:
        """Of a socket: how much of each arrives; else what the program returned, but at most all."""
        if self.kind is Kind.SOCKET:
            return [self._sockets.length(packet) for packet in packets]
        return [min(result, len(packet)) for packet, result in ((each, self.result(each)) for each in packets)]

    def result(self, packet: bytes, context: bytes = b"") -> int:
        result = kernel.program_test_run(self.fd, packet, context=context).result
        return self._figures()[0] if self.kind is Kind.CGROUP else result

    def hits(self) -> tuple[int, ...]:
        """How often each classic instruction ran, up to now."""
        return expand(self.program, self.kind, self._figures()[8:])

    def _figures(self) -> tuple[int, ...]:
        value = kernel.map_lookup(self.figures, bytes(4), self.size)
        assert value is not None
        return struct.unpack(f"={self.size // 8}Q", value)

    def close(self) -> None:
        self._owned.close()
