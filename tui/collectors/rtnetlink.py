"""What the kernel knows of network interfaces, asked over rtnetlink(7); the drivers' names by ethtool's ioctl.

All of it is about the network namespace of the thread that opens the sockets. /sys/class/net isn't: it shows the
namespace in which it was mounted, which after `nsenter --net` is another one. Any user may ask.

    with Route() as route:
        links = route.links()
        while True:
            if route.news():
                links = route.links()
            counters = route.counters()
"""

import array
import errno
import fcntl
import os
import socket
import struct
import sys
from typing import Final, NamedTuple

from tui.bpf.netlink import Conversation, attribute, attributes, opened
from tui.errors import BpfscopeError, NotSupported
from tui.owner import Owner

# include/uapi/linux/netlink.h, rtnetlink.h, if_link.h, if_addr.h, sockios.h, ethtool.h
_GETLINK, _GETADDR, _GETSTATS = 18, 22, 94  # each answer's type is two less
_GROUPS: Final = 0x001 | 0x010 | 0x100  # news of links, of IPv4 addresses, of IPv6 addresses
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO, _IFLA_EXT_MASK, _IFLA_PARENT_DEV_NAME = 1, 3, 4, 18, 29, 56
_INFO_KIND: Final = 1
_SKIP_STATS: Final = 1 << 3
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_STATS_LINK_64: Final = 1
_SIOCETHTOOL, _GDRVINFO = 0x8946, 3

_LINK: Final = struct.Struct("=BxHiII")  # ifinfomsg: family, hardware, index, flags, change
_ADDRESS: Final = struct.Struct("=BBBBI")  # ifaddrmsg: family, prefix, flags, scope, index
_STATS: Final = struct.Struct("=B3xII")  # if_stats_msg: family, index, mask
_COUNTERS: Final = struct.Struct("=16Q")  # rtnl_link_stats64, its beginning
_MISSED: Final = 15  # rx_missed_errors among them
_LARGEST: Final = 1 << 16  # bytes of an answer's part; the kernel's are at most half of that


class Link(NamedTuple):
    """A network interface, without what changes all the time."""

    ifindex: int
    name: bytes
    hardware: int  # ARPHRD_…
    flags: int  # IFF_…
    mtu: int
    mac: bytes
    kind: str  # of a virtual one: "veth", "bridge", …; else ""
    parent: bool  # whether there is a device behind it (told from 5.14 on)


class Address(NamedTuple):
    """An address of an interface."""

    ifindex: int
    text: str  # "192.0.2.2/24"
    family: int
    scope: int  # RT_SCOPE_…: 0 everywhere, 253 on the link, 254 here


class Counters(NamedTuple):
    """Totals of an interface."""

    rx_packets: int
    tx_packets: int
    rx_bytes: int
    tx_bytes: int
    rx_errors: int
    tx_errors: int
    rx_dropped: int  # with those that the device had no room for (rx_missed_errors), as in /proc/net/dev
    tx_dropped: int


class Route(Owner):
    """A conversation with the kernel. Not for several threads at once."""

    def __init__(self) -> None:
        """Raises NotSupported, BpfscopeError."""
        try:
            self._news = opened(socket.NETLINK_ROUTE, _GROUPS, 0.0)
        except OSError as error:
            raise _refused(error) from None
        try:
            self._asking = Conversation(socket.NETLINK_ROUTE)
        except OSError as error:
            self._news.close()
            raise _refused(error) from None

    def close(self) -> None:
        """Closes the sockets."""
        self._news.close()
        self._asking.close()

    def news(self) -> bool:
        """Whether links or addresses may have changed since the last call."""
        heard = False
        while True:
            try:
                self._news.recv(_LARGEST)
            except BlockingIOError:
                return heard
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # there was more than is kept for us
                    raise _refused(error) from None
            heard = True

    def links(self) -> list[Link]:
        """All interfaces. Raises BpfscopeError."""
        mask = attribute(_IFLA_EXT_MASK, struct.pack("=I", _SKIP_STATS))
        return [_link(answer) for answer in self._ask(_GETLINK, _LINK.pack(0, 0, 0, 0, 0) + mask, _LINK.size)]

    def addresses(self) -> list[Address]:
        """The IPv4 and IPv6 addresses of all interfaces. Raises BpfscopeError."""
        answers = self._ask(_GETADDR, _ADDRESS.pack(0, 0, 0, 0, 0), _ADDRESS.size)
        return [address for answer in answers if (address := _address(answer))]

    def counters(self) -> dict[int, Counters]:
        """The totals of all interfaces, by their numbers. Raises BpfscopeError."""
        found = {}
        for answer in self._ask(_GETSTATS, _STATS.pack(0, 0, 1 << (_STATS_LINK_64 - 1)), _STATS.size):
            figures = attributes(answer, _STATS.size).get(_STATS_LINK_64, b"")
            if len(figures) >= _COUNTERS.size:
                totals = _COUNTERS.unpack_from(figures)
                counters = Counters._make(totals[: len(Counters._fields)])
                missed = totals[_MISSED]
                found[_STATS.unpack_from(answer)[1]] = counters._replace(rx_dropped=counters.rx_dropped + missed)
        return found

    def driver(self, name: bytes) -> str:
        """The name of the driver of an interface; empty where the kernel tells none. Not yet sanitised."""
        answer = array.array("B", struct.pack("=I192x", _GDRVINFO))
        request = struct.pack("16sP16x", name, answer.buffer_info()[0])
        try:
            fcntl.ioctl(self._asking.socket, _SIOCETHTOOL, request)
        except OSError:  # it has none, or is gone
            return ""
        return os.fsdecode(answer.tobytes()[4:36].partition(b"\0")[0])

    def _ask(self, kind: int, body: bytes, least: int) -> list[bytes]:
        """The answers, each with at least so many bytes: what follows the header."""
        try:
            return self._asking.dump(kind, kind - 2, body, least)
        except OSError as error:
            raise _refused(error) from None


def _refused(error: OSError) -> BpfscopeError:
    why = f"the kernel doesn't tell the network interfaces: {error.strerror or 'no answer'}"
    if error.errno in (errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EPERM, errno.EACCES):
        return NotSupported(f"{why}; it needs netlink sockets: run bpfscope outside of the sandbox that forbids them")
    return BpfscopeError(f"{why}; try again")


def _link(answer: bytes) -> Link:
    _, hardware, ifindex, flags, _ = _LINK.unpack_from(answer)
    has = attributes(answer, _LINK.size)
    kind = attributes(has.get(_IFLA_LINKINFO, b"")).get(_INFO_KIND, b"")
    return Link(
        ifindex=ifindex,
        name=has.get(_IFLA_IFNAME, b"").rstrip(b"\0"),
        hardware=hardware,
        flags=flags,
        mtu=int.from_bytes(has.get(_IFLA_MTU, b""), sys.byteorder),
        mac=has.get(_IFLA_ADDRESS, b""),
        kind=os.fsdecode(kind.rstrip(b"\0")),
        parent=_IFLA_PARENT_DEV_NAME in has,
    )


def _address(answer: bytes) -> Address | None:
    """None of other families."""
    family, prefix, _, scope, ifindex = _ADDRESS.unpack_from(answer)
    has = attributes(answer, _ADDRESS.size)
    raw = has.get(_IFA_LOCAL, has.get(_IFA_ADDRESS, b""))  # of two ends, the local one
    if len(raw) != {socket.AF_INET: 4, socket.AF_INET6: 16}.get(family):
        return None
    return Address(ifindex, f"{socket.inet_ntop(family, raw)}/{prefix}", family, scope)
