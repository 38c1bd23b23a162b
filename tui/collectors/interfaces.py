"""The network interfaces of our network namespace, as samples.

Their counters come anew with each reading, in one list from the kernel (RTM_GETSTATS, 4.7+). What hardly changes is
read when the kernel has said that something did: it tells each change of a link or an address.
"""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator
from typing import Final

from tui.collectors.rtnetlink import Counters, Link, Route
from tui.collectors.samples import Interface, InterfacesSample
from tui.owner import Owner
from tui.text import sanitise

_FIRST_SECONDS: Final = 0.3  # until the second sample, the first that has rates
_UP, _RUNNING, _CARRIER = 0x1, 0x40, 0x10000  # IFF_UP, IFF_RUNNING, IFF_LOWER_UP: include/uapi/linux/if.h
_ON_THE_LINK: Final = 253  # RT_SCOPE_LINK
_MAC_SIZES: Final = (6, 8, 20)  # Ethernet, IEEE 1394 and 802.15.4, InfiniBand; tunnels have their own end there

# What an interface is that the kernel has no word for: by ARPHRD_…, include/uapi/linux/if_arp.h
_HARDWARE: Final = {
    1: "ethernet",
    24: "firewire",
    32: "infiniband",
    280: "can",
    512: "ppp",
    768: "ipip",
    769: "ip6tnl",
    772: "loopback",
    776: "sit",
    778: "gre",
    801: "wireless",
    803: "wireless",
    804: "802.15.4",
    823: "ip6gre",
    824: "netlink",
    826: "vsock",
    65534: "no header",
}


class Interfaces(Owner):
    """Reads all interfaces again and again."""

    def __init__(self) -> None:
        """Raises NotSupported, BpfscopeError."""
        self._route = Route()
        self._known: dict[int, Interface] = {}  # without counters
        self._drivers: dict[tuple[int, bytes], str] = {}
        self._turn = threading.Lock()

    def close(self) -> None:
        """Ends the conversation with the kernel."""
        with self._turn:
            self._route.close()

    def read(self) -> InterfacesSample:
        """All interfaces now. Safe to call from several threads. Raises BpfscopeError."""
        with self._turn:
            if self._route.news() or not self._known:
                self._known = self._describe()
            now, counters = time.monotonic(), self._route.counters()
        counted = [_counted(one, counters[one.ifindex]) for one in self._known.values() if one.ifindex in counters]
        return InterfacesSample(now, tuple(counted))

    def _describe(self) -> dict[int, Interface]:
        links, addresses = self._route.links(), self._route.addresses()
        drivers = self._drivers
        self._drivers = {
            (link.ifindex, link.name): drivers.get((link.ifindex, link.name)) or self._driver(link) for link in links
        }
        having: dict[int, list[str]] = {}
        for address in sorted(addresses, key=lambda one: (one.scope == _ON_THE_LINK, one.family)):
            having.setdefault(address.ifindex, []).append(address.text)
        return {
            link.ifindex: _interface(link, self._drivers[link.ifindex, link.name], having.get(link.ifindex, []))
            for link in sorted(links, key=lambda link: link.ifindex)
        }

    def _driver(self, link: Link) -> str:
        """The driver of the device behind it; where there is no device the kernel gives what is the kind already."""
        return sanitise(self._route.driver(link.name)) if link.parent else ""


def _interface(link: Link, driver: str, addresses: list[str]) -> Interface:
    return Interface(
        ifindex=link.ifindex,
        name=sanitise(os.fsdecode(link.name)),
        state=_state(link.flags),
        driver=driver,
        addresses=tuple(addresses),
        mac=link.mac.hex(":") if len(link.mac) in _MAC_SIZES and any(link.mac) else "",
        mtu=link.mtu,
        kind=sanitise(link.kind) or _HARDWARE.get(link.hardware, f"type {link.hardware}"),
        rx_bytes=0,
        tx_bytes=0,
        rx_packets=0,
        tx_packets=0,
        rx_errors=0,
        tx_errors=0,
        rx_dropped=0,
        tx_dropped=0,
        hardware=link.hardware,
    )


def _counted(known: Interface, counters: Counters) -> Interface:
    return known._replace(**counters._asdict())


def _state(flags: int) -> str:
    if not flags & _UP:
        return "down"
    if not flags & _CARRIER:
        return "no carrier"
    return "up" if flags & _RUNNING else "dormant"


async def stream(interval: float) -> AsyncIterator[InterfacesSample]:
    """A sample at once, one as soon as there are rates, then one every `interval` seconds. Raises BpfscopeError."""
    with await asyncio.to_thread(Interfaces) as reader:
        yield await asyncio.to_thread(reader.read)
        await asyncio.sleep(min(_FIRST_SECONDS, interval))
        while True:
            yield await asyncio.to_thread(reader.read)
            await asyncio.sleep(interval)
