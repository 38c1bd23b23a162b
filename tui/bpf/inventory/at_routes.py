"""Programs of routes (lightweight tunnels: lwt_in, lwt_out, lwt_xmit, lwt_seg6local), told by rtnetlink(7).

Of the first three the kernel gives the name that whoever added the route chose, not the program's number.
"""

import socket
import struct
from collections.abc import Iterator
from typing import Final

from tui.bpf.inventory.attachment import Attachment
from tui.bpf.inventory.surroundings import Surroundings
from tui.bpf.netlink import Conversation, attributes, number, text

# include/uapi/linux/rtnetlink.h, lwtunnel.h, seg6_local.h
_NEWROUTE, _GETROUTE = 24, 26
_ROUTE: Final = struct.Struct("=8BI")  # rtmsg: family, bits of destination and source, tos, table, …
_HOP: Final = struct.Struct("=HBBi")  # rtnexthop: length, flags, hops, interface
_DST, _OIF, _MULTIPATH, _TABLE, _ENCAP_TYPE, _ENCAP = 1, 4, 9, 15, 21, 22  # RTA_…
_BPF, _SEG6_LOCAL = 6, 7  # LWTUNNEL_ENCAP_…
_HOOKS: Final = {1: "lwt-in", 2: "lwt-out", 3: "lwt-xmit"}  # LWT_BPF_…
_PROGRAM_NAME: Final = 2
_SEG6_LOCAL_BPF, _SEG6_PROGRAM = 8, 1
_ADDRESSES: Final[dict[int, int]] = {socket.AF_INET: 4, socket.AF_INET6: 16}  # bytes
_MAIN: Final = 254  # the table that routes are in by default


def routes(route: Conversation, around: Surroundings) -> Iterator[Attachment]:
    """All of our network namespace; there may be a million routes, so ask only if there are such programs.

    Raises OSError.
    """
    for answer in route.dump(_GETROUTE, _NEWROUTE, _ROUTE.pack(*[0] * 9), _ROUTE.size):
        family, bits, *_ = _ROUTE.unpack_from(answer)
        has = attributes(answer, _ROUTE.size)
        table = number(has.get(_TABLE, b""))
        place = _destination(family, bits, has.get(_DST, b"")) + (f" in table {table}" if table != _MAIN else "")
        for ifindex, hop in _hops(has):
            where = f"route to {place}" + (f" by {around.interface(ifindex)}" if ifindex else "")
            for each in _programs(hop, around):
                yield each._replace(where=where, ifindex=ifindex)


def _destination(family: int, bits: int, address: bytes) -> str:
    if not address:
        return "everywhere"
    if len(address) != _ADDRESSES.get(family):
        return address.hex()
    return f"{socket.inet_ntop(family, address)}/{bits}"


def _hops(has: dict[int, bytes]) -> Iterator[tuple[int, dict[int, bytes]]]:
    """Where it leads: interfaces, and what each has."""
    yield number(has.get(_OIF, b"")), has
    rest = has.get(_MULTIPATH, b"")
    while len(rest) >= _HOP.size:
        size, _, _, ifindex = _HOP.unpack_from(rest)
        if not _HOP.size <= size <= len(rest):
            return
        yield ifindex, attributes(rest[:size], _HOP.size)
        rest = rest[size + 3 & ~3 :]


def _programs(hop: dict[int, bytes], around: Surroundings) -> Iterator[Attachment]:
    kind, encap = number(hop.get(_ENCAP_TYPE, b"")), attributes(hop.get(_ENCAP, b""))
    if kind == _BPF:
        for which, hook in _HOOKS.items():
            if which in encap:
                name = text(attributes(encap[which]).get(_PROGRAM_NAME, b""))
                program = around.only(hook.replace("-", "_"))
                detail = "" if program else "which program the kernel doesn't tell"
                yield Attachment(hook, "", program, name, detail=detail)
    elif kind == _SEG6_LOCAL and _SEG6_LOCAL_BPF in encap:
        has = attributes(encap[_SEG6_LOCAL_BPF])
        yield Attachment("lwt-seg6local", "", number(has.get(_SEG6_PROGRAM, b"")), text(has.get(_PROGRAM_NAME, b"")))
