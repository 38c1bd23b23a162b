"""What can run a classic filter on a packet's bytes: our machine, the kernel's classic engine, eBPF translations.

    with SocketEngine.classic(program) as engine:
        engine.matches(Captured(data, length, passes))    # True, False, or None: it can't take this packet

The kernel's socket filters run on a pair of local sockets: what the filter lets pass arrives. What sits on interfaces
is run by BPF_PROG_TEST_RUN, which is particular about packets: it takes no short ones and none beyond a page.
"""

import ctypes
import errno
import os
import socket
import struct
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.bpf.classic.instructions import Program, pack
from tui.bpf.classic.machine import Dialect, Machine
from tui.bpf.classic.packet import Packet
from tui.bpf.extended import assembler as asm
from tui.bpf.extended import disassembler
from tui.bpf.extended.instructions import R0, R1, R6, R8, R9, W
from tui.bpf.extended.items import Item, Jump, Label
from tui.bpf.extended.translate import MATCHED, UNMATCHED, Kind, mapping, translate
from tui.bpf.hooks import Hook, load
from tui.bpf.savefile import Captured
from tui.errors import BpfscopeError, NotPermitted, NotSupported
from tui.owner import Owner

HOOKS: Final = {Kind.SOCKET: Hook.SOCKET_EBPF, Kind.TC: Hook.TCX_INGRESS, Kind.XDP: Hook.XDP, Kind.CGROUP: Hook.CGROUP}
KINDS: Final = {
    Hook.SOCKET: Kind.SOCKET,
    Hook.SOCKET_EBPF: Kind.SOCKET,
    Hook.TCX_INGRESS: Kind.TC,
    Hook.TCX_EGRESS: Kind.TC,
    Hook.XDP: Kind.XDP,
    Hook.CGROUP: Kind.CGROUP,
}
_BOUNDS: Final = {Kind.TC: (76, 80), Kind.XDP: (0, 4)}  # data and data_end in __sk_buff and xdp_md (linux/bpf.h)
_ROOM: Final = 1 << 20  # bytes of a packet that a socket should take
_SO_SNDBUFFORCE: Final = 32  # include/uapi/asm-generic/socket.h
_ETHERTYPES: Final = {4: b"\x08\x00", 6: b"\x86\xdd"}  # by the version in an IP header


def whole(program: Program, kind: Kind) -> list[Item]:
    """A translation as a program of its own: it returns the wanted length, or 1 where a hook allows no other, or 0.

    Raises NotSupported, with the reason, where the program loads what the hook doesn't have.
    """
    code: list[Item] = [asm.mov(R6, R1)]
    if kind in _BOUNDS:
        data, end = _BOUNDS[kind]
        code += [asm.load(R8, R1, data, W), asm.load(R9, R1, end, W)]
    code += translate(program, kind)
    targets = {item.target for item in code if isinstance(item, Jump)}
    if MATCHED in targets:
        code += [asm.label(MATCHED), *([] if kind is Kind.SOCKET else [asm.mov(R0, 1)]), asm.exit_()]
    if UNMATCHED in targets:  # what can't be reached, the kernel refuses
        code += [asm.label(UNMATCHED), asm.mov(R0, 0), asm.exit_()]
    return code


class Line(NamedTuple):
    """One instruction of a translation."""

    slot: int
    text: str  # as the kernel lists it
    instruction: int | None  # the classic one that it does, or a part of it


def lines(program: Program, kind: Kind) -> list[Line]:
    """The translation as text; on tc a classic instruction may be there twice. Raises NotSupported."""
    items = whole(program, kind)
    assembled = asm.assemble(items)
    classic = {
        slot: index
        for slot, index, item in zip(assembled.slots, mapping(items), items, strict=True)
        if not isinstance(item, Label)
    }
    return [Line(slot, shown, classic.get(slot)) for slot, shown in disassembler.lines(assembled.code)]


class Engine(Owner):
    """Runs one filter on one packet after another."""

    def matches(self, packet: Captured) -> bool | None:
        """Whether the filter wants any of the packet; None where the engine doesn't take such a packet."""
        raise NotImplementedError

    def close(self) -> None:
        """Gives everything back; most have nothing."""


class MachineEngine(Engine):
    """Our own machine. In Linux's dialect the packet is what was captured: the kernel couldn't know more."""

    def __init__(self, program: Program, dialect: Dialect) -> None:
        self._machine = Machine(program, dialect)
        self._cut = dialect is Dialect.LINUX

    def matches(self, packet: Captured) -> bool | None:
        """Never None."""
        return self._machine.run(Packet(packet.data, len(packet.data) if self._cut else packet.length)) != 0


class LibpcapEngine(Engine):
    """What libpcap said when it read the file."""

    def matches(self, packet: Captured) -> bool | None:
        """Never None."""
        return packet.passes


class SocketEngine(Engine):
    """The kernel's socket filter, on a pair of local sockets; the classic one needs no permission."""

    def __init__(self, option: int, value: bytes) -> None:
        self._from, self._to = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._to.setsockopt(socket.SOL_SOCKET, option, value)
            for name in (socket.SO_SNDBUF, _SO_SNDBUFFORCE):
                _try_option(self._from, name, _ROOM)
        except OSError as error:
            self.close()
            raise _refusal(error) from None

    @classmethod
    def classic(cls, program: Program) -> "SocketEngine":
        """With a classic program. Raises NotSupported."""
        code = pack(program)
        buffer = ctypes.create_string_buffer(code, len(code))
        return cls(kernel.SO_ATTACH_FILTER, struct.pack("H6xQ", len(program), ctypes.addressof(buffer)))

    @classmethod
    def extended(cls, program: Program) -> "SocketEngine":
        """With its translation. Raises NotPermitted, NotSupported."""
        loaded = _load(program, Kind.SOCKET)
        try:
            return cls(kernel.SO_ATTACH_BPF, struct.pack("i", loaded))
        finally:
            os.close(loaded)

    def matches(self, packet: Captured) -> bool | None:
        """Whether it comes through; None where it is too large for a socket."""
        try:
            self._from.send(packet.data)
        except OSError as error:
            if error.errno in (errno.EMSGSIZE, errno.ENOBUFS, errno.ENOMEM):
                return None
            raise
        try:
            self._to.recv(1)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Closes both ends."""
        self._from.close()
        self._to.close()


class RunEngine(Engine):
    """A translation for tc, XDP or cgroups, run by BPF_PROG_TEST_RUN."""

    def __init__(self, program: Program, kind: Kind) -> None:
        """Raises NotPermitted, NotSupported."""
        self._headed = kind is Kind.CGROUP
        self._program = _load(program, kind)

    def matches(self, packet: Captured) -> bool | None:
        """Whether the filter wants it; None where the kernel doesn't run a program on such a packet."""
        data = packet.data
        if self._headed:  # the kernel takes a frame, of which the program sees what follows the link-layer header
            ethertype = _ETHERTYPES.get(data[0] >> 4) if data else None
            if ethertype is None:
                return None
            data = bytes(12) + ethertype + data
        try:
            return kernel.program_test_run(self._program, data).result != 0
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOMEM, errno.E2BIG):
                return None
            raise

    def close(self) -> None:
        """Unloads the program; a second time is harmless."""
        if self._program >= 0:
            os.close(self._program)
            self._program = -1


def _load(program: Program, kind: Kind) -> int:
    return load(HOOKS[kind], asm.assemble(whole(program, kind)).bytecode({}), "filter")


def _try_option(of: socket.socket, option: int, value: int) -> None:
    """Without the permission, or with a limit, the kernel's own size stays."""
    try:
        of.setsockopt(socket.SOL_SOCKET, option, value)
    except PermissionError:
        return


def _refusal(error: OSError) -> BpfscopeError:
    if error.errno == errno.ENOMEM:
        return NotSupported("the program is too long for a socket (sysctl net.core.optmem_max)")
    if error.errno in (errno.EPERM, errno.EACCES):
        return NotPermitted("Linux doesn't let this user attach a filter to a socket: run as root, or with CAP_BPF")
    return NotSupported(f"this kernel ({os.uname().release}) doesn't attach the filter: {error.strerror}")
