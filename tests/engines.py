"""The two engines that filters run on elsewhere: the kernel's, and libpcap's own. What ours is compared with."""

import ctypes
import socket
import struct
from typing import Final

import cypcap._cypcap

from tui.bpf.classic import Instruction, Program, pack
from tui.owner import Owner

_SO_ATTACH_FILTER: Final = 26
_LARGEST: Final = 262144
_libpcap = ctypes.CDLL(cypcap._cypcap.__file__)  # the one that cypcap brings
_libpcap.pcap_offline_filter.restype = ctypes.c_uint
_libpcap.bpf_image.restype = ctypes.c_char_p


class KernelFilter(Owner):
    """A program in the kernel, on one end of a datagram socketpair (AF_UNIX): needs no root, carries 200,000 bytes too.

    What the program gives for a packet shows in how much of it arrives: the kernel cuts it to that many bytes.
    Packets have no interface, no link-layer header, and a network header that begins with the data.
    """

    def __init__(self, program: Program) -> None:
        """Raises OSError where the kernel refuses the program: EINVAL, or ENOMEM if it is too large."""
        self._sender, self._receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * _LARGEST)
            attach(self._receiver, program)
        except BaseException:
            self.close()
            raise
        self._buffer = bytearray(1)

    def result(self, data: bytes) -> int | None:
        """How many bytes of a packet arrive: what the program gave, at most all; None if it gave 0."""
        self._sender.send(data)
        try:
            return self._receiver.recv_into(self._buffer, 1, socket.MSG_TRUNC | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None

    def close(self) -> None:
        """Takes it out."""
        self._sender.close()
        self._receiver.close()


def attach(endpoint: socket.socket, program: Program) -> None:
    """SO_ATTACH_FILTER. Raises OSError."""
    code = ctypes.create_string_buffer(pack(program), len(program) * 8)
    endpoint.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HxxxxxxP", len(program) & 0xFFFF, ctypes.addressof(code))
    )


def refusal(program: Program) -> OSError | None:
    """Why the kernel doesn't take a program; None if it does."""
    try:
        KernelFilter(program).close()
    except OSError as error:
        return error
    return None


class LibpcapFilter:
    """A program run by libpcap: pcap_offline_filter, which cypcap's BpfProgram.offline_filter calls, and its number."""

    def __init__(self, program: Program) -> None:
        """The program must be valid: libpcap doesn't look."""
        self._code = ctypes.create_string_buffer(pack(program), len(program) * 8)
        self._program = struct.pack("IxxxxP", len(program), ctypes.addressof(self._code))  # struct bpf_program

    def result(self, data: bytes, length: int | None = None) -> int:
        """What the program gives for a packet, which on the wire had that length."""
        header = struct.pack("2q2I", 0, 0, len(data), len(data) if length is None else length)  # struct pcap_pkthdr
        result: int = _libpcap.pcap_offline_filter(self._program, header, data)
        return result


def libpcap_image(index: int, instruction: Instruction) -> str:
    """A line of `tcpdump -d`, for any code: libpcap's bpf_image."""
    text: bytes = _libpcap.bpf_image(pack((instruction,)), index)
    return text.decode()
