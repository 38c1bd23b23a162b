"""Filters of sockets: classic ones of packet sockets (tcpdump's) with their instructions, by sock_diag(7); and eBPF
ones, of which the kernel tells only that they are there.

What SO_GET_FILTER says of a descriptor is asked of a copy of it (pidfd_getfd(2), 5.6), which is closed at once: EACCES
means eBPF. That is done for packet sockets, and for the sockets of processes that hold a program for sockets.
"""

import contextlib
import ctypes
import errno
import os
import socket
import struct
from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.bpf.inventory.at_processes import Processes
from tui.bpf.inventory.attachment import Attachment
from tui.bpf.inventory.surroundings import Surroundings
from tui.bpf.netlink import Conversation, attributes
from tui.text import sanitise

_SOCK_DIAG, _BY_FAMILY = 4, 20  # NETLINK_SOCK_DIAG: include/uapi/linux/netlink.h, sock_diag.h
_INFO, _FILTER = 0, 7  # PACKET_DIAG_…: include/uapi/linux/packet_diag.h
_SHOW: Final = 0x01 | 0x20  # PACKET_SHOW_INFO, PACKET_SHOW_FILTER
_REQUEST: Final = struct.Struct("=BBHIIII")  # packet_diag_req: family, protocol, -, inode, what to show, cookie
_MESSAGE: Final = struct.Struct("=BBHIII")  # packet_diag_msg: family, type, protocol, inode, cookie
_AF_PACKET: Final = 17
_KINDS: Final = {2: "without link headers", 3: "", 10: "SOCK_PACKET"}  # SOCK_DGRAM, SOCK_RAW
_PROTOCOLS: Final = {0x0003: "", 0x0800: "IPv4 only", 0x0806: "ARP only", 0x86DD: "IPv6 only", 0x88CC: "LLDP only"}
_MOST: Final = 64  # sockets of a process that are asked
_MOST_INSTRUCTIONS: Final = 4096


class _Packet(NamedTuple):
    inode: int
    ifindex: int  # 0: all
    instructions: bytes
    headers: bool  # it sees those of the link
    detail: str


def packet_sockets() -> list[_Packet]:
    """The packet sockets of our network namespace. Raises OSError, ENOENT where the kernel can't tell (PACKET_DIAG)."""
    request = _REQUEST.pack(_AF_PACKET, 0, 0, 0, _SHOW, 0xFFFFFFFF, 0xFFFFFFFF)
    with Conversation(_SOCK_DIAG) as diag:
        return [_packet(each) for each in diag.dump(_BY_FAMILY, _BY_FAMILY, request, _MESSAGE.size)]


def _packet(answer: bytes) -> _Packet:
    _, kind, protocol, inode, _, _ = _MESSAGE.unpack_from(answer)
    has = attributes(answer, _MESSAGE.size)
    (ifindex,) = struct.unpack_from("=I", has.get(_INFO, b"").ljust(4, b"\0"))
    words = (_KINDS.get(kind, f"type {kind}"), _PROTOCOLS.get(protocol, f"protocol {protocol:#06x}"))
    detail = ", ".join(filter(None, ("packet socket", *words)))
    return _Packet(inode, ifindex, has.get(_FILTER, b""), kind != socket.SOCK_DGRAM, detail)


def sockets(
    packets: list[_Packet], found: Processes, around: Surroundings, holding: Collection[int]
) -> Iterator[Attachment]:
    """All filters; `holding`: the pids that hold a program for sockets."""
    for each in packets:
        openers = found.sockets.get(each.inode, ())
        row = Attachment(
            hook="socket",
            where=around.interface(each.ifindex),
            pids=_pids(openers),
            detail=each.detail,
            ifindex=each.ifindex,
            inode=each.inode,
            instructions=each.instructions,
            header=around.header(each.ifindex) if each.headers else "ip",
        )
        if each.instructions:
            yield row
        elif openers and (asked := _asked(*openers[0])) and not asked.instructions:
            yield _of_program(row, around)
    known, number = {each.inode for each in packets}, dict.fromkeys(holding, 0)
    for inode, openers in found.sockets.items():
        pid, fd = openers[0]
        if pid in number and inode not in known and number[pid] < _MOST:
            number[pid] += 1
            if asked := _asked(pid, fd):
                row = Attachment("socket", asked.text, pid=pid, pids=_pids(openers), inode=inode)
                row = row._replace(instructions=asked.instructions)
                yield row if asked.instructions else _of_program(row, around)


def _pids(openers: tuple[tuple[int, int], ...]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(pid for pid, _ in openers))


def _of_program(row: Attachment, around: Surroundings) -> Attachment:
    """With the program, where there is only one that it can be."""
    program = around.only("socket_filter")
    words = (row.detail, "eBPF" if program else "eBPF, which program the kernel doesn't tell")
    return row._replace(program=program, detail=", ".join(filter(None, words)))


class _Filtered(NamedTuple):
    """A socket that has a filter."""

    text: str  # "UDP socket 127.0.0.1:53"
    instructions: bytes  # b"": eBPF


def _asked(pid: int, fd: int) -> _Filtered | None:
    """What a copy of a process's socket says; None where it has no filter, or we may not know."""
    with contextlib.suppress(OSError):  # it ended or closed it, or is protected
        process = os.pidfd_open(pid)
        try:
            copy = kernel.pidfd_getfd(process, fd)
        finally:
            os.close(process)
        try:
            copied = socket.socket(fileno=copy)
        except OSError:  # another file has its number by now
            os.close(copy)
            raise
        with copied:
            return _of_copy(copied)
    return None


def _of_copy(copied: socket.socket) -> _Filtered | None:
    code = ctypes.create_string_buffer(8 * _MOST_INSTRUCTIONS)
    try:
        number = kernel.socket_filter(copied.fileno(), ctypes.addressof(code), _MOST_INSTRUCTIONS)
    except OSError as error:
        if error.errno != errno.EACCES:
            raise
        return _Filtered(_text(copied), b"")
    return _Filtered(_text(copied), code.raw[: 8 * number]) if number else None


def _text(copied: socket.socket) -> str:
    """What it is a socket of, and where it is bound."""
    if copied.family == socket.AF_PACKET:
        return "packet socket of another network namespace"  # those of ours are known
    named = _PROTOCOLS_OF.get((copied.family, copied.type), f"family {copied.family:d}, type {copied.type:d}")
    where = ""
    if copied.family in (socket.AF_INET, socket.AF_INET6):
        host, port, *_ = copied.getsockname()
        where = f" [{host}]:{port}" if ":" in host else f" {host}:{port}"
    elif copied.family == socket.AF_UNIX:
        path = copied.getsockname()
        where = f" {os.fsdecode(path)}" if path else ""
    return sanitise(f"{named} socket{where}")


_PROTOCOLS_OF: Final[dict[tuple[int, int], str]] = {
    (int(family), int(kind)): name
    for family in (socket.AF_INET, socket.AF_INET6)
    for kind, name in ((socket.SOCK_STREAM, "TCP"), (socket.SOCK_DGRAM, "UDP"), (socket.SOCK_RAW, "raw IP"))
} | {
    (int(socket.AF_UNIX), int(kind)): "Unix" for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET)
}
