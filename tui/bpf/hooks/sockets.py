"""Filters on packet sockets (packet(7)): what tcpdump uses. Both directions, one copy for each socket, no order.

A socket is made for no protocol, gets its filter, and is then bound to all protocols of its interface: no packet comes
through unfiltered. Nobody reads it. A program that returns 0 keeps no copy; a classic filter's match is counted by the
kernel, and its copies fill a receive buffer as small as the kernel allows, then are dropped before they are made.
"""

import ctypes
import errno
import socket
import struct
from collections.abc import Callable
from typing import Final

from tui.bpf import kernel
from tui.bpf.hooks.attached import Attached, Placed
from tui.bpf.hooks.interfaces import Interface, find, note_if_down
from tui.bpf.hooks.kinds import Direction, Hook
from tui.bpf.hooks.refusals import refusal
from tui.errors import BpfscopeError, NotSupported, TargetError, UsageError
from tui.owner import Owner

_SOL_PACKET: Final = 263  # include/linux/socket.h; the rest: include/uapi/linux/if_packet.h
_ADD_MEMBERSHIP: Final = 1
_STATISTICS: Final = 6
_IGNORE_OUTGOING: Final = 23  # 4.20
_MR_PROMISC: Final = 1
_ETH_P_ALL: Final = 3
_INSTRUCTION: Final = 8  # bytes, classic and extended alike


class _PacketSocket(Placed):
    """A packet socket of one interface; nothing comes before it is bound."""

    def __init__(self, hook: Hook, interface: Interface, direction: Direction) -> None:
        super().__init__(hook, interface.name, direction, note_if_down(interface))
        try:
            self._socket = _open()
        except OSError as error:
            raise _failure(error, hook, interface.name) from None
        self._owned.callback(self._socket.close)

    def _start(self, interface: Interface, set_filter: Callable[[], None], *, promiscuous: bool) -> None:
        """Sets the filter, and then lets packets come; closes the socket where that fails."""
        try:
            set_filter()
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)  # the kernel makes it its least
            if self.direction is Direction.IN:
                self._socket.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
            if promiscuous:
                _hear_everything(self._socket, interface.number)
            kernel.packet_bind(self._socket.fileno(), _ETH_P_ALL, interface.number)
        except OSError as error:
            self.close()
            raise _failure(error, self.hook, self.name) from None
        except BpfscopeError:
            self.close()
            raise

    def _set(self, option: int, value: bytes) -> None:
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, option, value)
        except OSError as error:
            if error.errno == errno.ENOMEM:  # filters count as the socket's own memory
                raise NotSupported(
                    f"the filter is too long for a socket of {self.name}: shorten it, or allow sockets more memory"
                    " (sysctl net.core.optmem_max=131072, as Linux 6.7 has it)"
                ) from None
            raise _failure(error, self.hook, self.name) from None

    def _check(self) -> None:
        if self.gone():
            raise TargetError(f"{self.name} has gone: choose another interface")

    def gone(self) -> bool:
        """The kernel then binds the socket to interface number -1, which has no name."""
        return self._socket.fileno() < 0 or not self._socket.getsockname()[0]


class EbpfSocket(_PacketSocket, Attached):
    """An eBPF program on a packet socket."""

    def __init__(self, interface: Interface, program: int, direction: Direction, *, promiscuous: bool) -> None:
        super().__init__(Hook.SOCKET_EBPF, interface, direction)
        self._start(interface, lambda: self._attach(program), promiscuous=promiscuous)

    def replace(self, program: int) -> None:
        """By attaching again, which the kernel does in one step."""
        self._check()
        self._attach(program)

    def _attach(self, program: int) -> None:
        self._set(kernel.SO_ATTACH_BPF, struct.pack("i", program))


class ClassicSocket(_PacketSocket):
    """A classic program on a packet socket; the kernel counts what it matches."""

    def __init__(
        self, ifindex: int, code: bytes, *, direction: Direction = Direction.BOTH, promiscuous: bool = False
    ) -> None:
        """`code`: instructions as struct sock_filter has them, at most 4,096. Raises as `attach` does."""
        check_direction(Hook.SOCKET, direction)
        interface = find(ifindex)
        super().__init__(Hook.SOCKET, interface, direction)
        self._matched = 0
        self._start(interface, lambda: self._attach(code), promiscuous=promiscuous)

    def matched(self) -> int:
        """Packets for which the program returned something else than 0, since it was attached.

        The kernel's counter has 32 bits and is set to 0 by reading: read it every few minutes at least.
        """
        self._matched += struct.unpack("2I", self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 8))[0]
        return self._matched

    def replace(self, code: bytes) -> None:
        """Puts another classic program in its place, in one step; the count goes on."""
        self._check()
        self._attach(code)

    def _attach(self, code: bytes) -> None:
        buffer = ctypes.create_string_buffer(code, len(code))
        self._set(kernel.SO_ATTACH_FILTER, struct.pack("HxxxxxxQ", len(code) // _INSTRUCTION, ctypes.addressof(buffer)))


class Promiscuity(Owner):
    """Holds an interface in promiscuous mode, for hooks that aren't packet sockets themselves."""

    def __init__(self, interface: Interface) -> None:
        """Raises as for a packet socket: it is one, of no protocol."""
        try:
            self._socket = _open()
        except OSError as error:
            raise _failure(error, Hook.SOCKET, interface.name) from None
        try:
            _hear_everything(self._socket, interface.number)
        except OSError as error:
            self.close()
            raise _failure(error, Hook.SOCKET, interface.name) from None

    def close(self) -> None:
        """Gives it up; the interface leaves the mode when nobody holds it."""
        self._socket.close()


def probe(hook: Hook) -> None:
    """Opens a packet socket and closes it. Raises NotPermitted, NotSupported."""
    try:
        _open().close()
    except OSError as error:
        raise _failure(error, hook, "an interface") from None


def check_direction(hook: Hook, direction: Direction) -> None:
    """Raises UsageError for what the hook can't tell apart."""
    if direction not in hook.directions:
        there = " or ".join(each.value for each in hook.directions)
        raise UsageError(f"the hook {hook.value} sees packets of the direction {there}, not {direction.value}")


def _open() -> socket.socket:
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # of no protocol


def _hear_everything(opened: socket.socket, index: int) -> None:
    opened.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, struct.pack("iHH8x", index, _MR_PROMISC, 0))


def _failure(error: OSError, hook: Hook, name: str) -> BpfscopeError:
    if error.errno == errno.EAFNOSUPPORT:
        return NotSupported("this kernel has no packet sockets: it needs CONFIG_PACKET; use the hook tcx-ingress")
    return refusal(error, hook, name)
