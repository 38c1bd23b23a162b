"""Assembler that finds a packet's headers: VLAN tags, IPv4 with options, IPv6 with extension headers, ports.

What is found is outermost: of a tunnel, its own headers. The code keeps R6 (the context) and R7; R8 is an offset into
the packet, R9 what follows there. Bytes are fetched into a buffer on the stack.
"""

from collections.abc import Iterator, Sequence
from enum import Enum
from itertools import count
from typing import Final

from tui.bpf.extended.assembler import (
    alu,
    big_endian,
    call,
    goto,
    jump,
    label,
    load,
    mov,
    store,
)
from tui.bpf.extended.instructions import DW, R0, R1, R2, R3, R4, R6, R8, R9, R10, B, H, W
from tui.bpf.extended.items import Item
from tui.bpf.extended.translate import Kind

BUFFER: Final = -168  # from R10 on: 40 bytes, the largest header that is fetched at once
IPV4, IPV6, ARP = 0x0800, 0x86DD, 0x0806
_TAGS: Final = (0x8100, 0x88A8, 0x9100)
_MOST_TAGS: Final = 3
_MOST_EXTENSIONS: Final = 8  # of IPv6; what comes behind more of them has no ports
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION, _MOBILITY, _HIP, _SHIM6 = (
    0, 43, 44, 51, 60, 135, 139, 140,
)  # fmt: skip
_EXTENSIONS: Final = (_HOP_BY_HOP, _ROUTING, _DESTINATION, _MOBILITY, _HIP, _SHIM6)
WITH_PORTS: Final = (6, 17, 33, 132, 136)  # TCP, UDP, DCCP, SCTP, UDP-Lite
_ETHERNET: Final = 14  # bytes of its header
_FARTHEST: Final = 0x3FFF  # an offset that verifiers let XDP add to its data
IN_XDP, IN_SKB = (0, 4), (76, 80)  # data and data_end in struct xdp_md and __sk_buff: include/uapi/linux/bpf.h


class Link(Enum):
    """What a packet begins with."""

    ETHERNET = "ethernet"
    RAW = "raw"  # with the IP header


class Code:
    """Items, and labels that nobody else uses."""

    def __init__(self, kind: Kind, prefix: str) -> None:
        self.kind = kind
        self._prefix, self._numbers = prefix, count()

    def new(self, what: str) -> str:
        """A label."""
        return f"{self._prefix} {what} {next(self._numbers)}"

    def fetch(self, size: int, missing: str) -> Iterator[Item]:
        """So many bytes from R8 on into the buffer; to `missing` where the packet ends before. Uses R0 to R5.

        Where the packet's bytes can be read in place, that takes a tenth of the time of a call; on tc those that can't
        be are fetched by one.
        """
        if self.kind is Kind.XDP:
            yield from self._copy(size, missing, *IN_XDP)
            return
        called, done = self.new("called"), self.new("fetched")
        if self.kind is Kind.TC:
            yield from self._copy(size, called, *IN_SKB)
            yield from (goto(done), label(called))
        yield from (mov(R1, R6), mov(R2, R8), mov(R3, R10), alu("+=", R3, BUFFER), mov(R4, size))
        yield from (call("skb_load_bytes"), jump("!=", R0, 0, missing))
        if self.kind is Kind.TC:
            yield label(done)

    def _copy(self, size: int, missing: str, data: int, data_end: int) -> Iterator[Item]:
        yield from (jump(">", R8, _FARTHEST, missing), load(R1, R6, data, W), load(R2, R6, data_end, W))
        yield from (alu("+=", R1, R8), mov(R3, R1), alu("+=", R3, size), jump(">", R3, R2, missing))
        at = 0
        for width, bytes_ in ((DW, 8), (W, 4), (H, 2), (B, 1)):
            while size - at >= bytes_:
                yield from (load(R3, R1, at, width), store(R10, BUFFER + at, R3, width))
                at += bytes_


def network(code: Code, link: Link, missing: str) -> Iterator[Item]:
    """R8 = where the network header is, R9 = its EtherType; to `missing` where the packet ends before."""
    if link is Link.RAW:
        done = code.new("network")
        yield mov(R8, 0)
        yield from code.fetch(1, missing)
        yield from (load(R1, R10, BUFFER, B), alu(">>=", R1, 4), mov(R9, IPV4), jump("==", R1, 4, done))
        yield from (mov(R9, IPV6), jump("!=", R1, 6, missing), label(done))
        return
    done = code.new("network")
    yield mov(R8, 12)
    yield from _ether_type(code, missing)
    for _ in range(_MOST_TAGS):
        tag = code.new("tag")
        yield from (jump("==", R9, each, tag) for each in _TAGS)
        yield from (goto(done), label(tag), alu("+=", R8, 2))
        yield from _ether_type(code, missing)
    yield label(done)


def _ether_type(code: Code, missing: str) -> Iterator[Item]:
    """R9 = the two bytes at R8, which moves behind them."""
    yield from code.fetch(2, missing)
    yield from (load(R9, R10, BUFFER, H), big_endian(R9, 16), alu("+=", R8, 2))


def internet(
    code: Code,
    link: Link,
    ipv4: Sequence[Item],
    ipv6: Sequence[Item],
    missing: str,
    *,
    portless: str = "",
    before: Sequence[Item] = (),
    cut: str = "",
) -> Iterator[Item]:
    """The whole IP header in the buffer, then the items for its version; to `missing` without one.

    What these items leave, both leave in the same registers. With `portless`, the two ports follow in the buffer, or it
    goes to that label where there are none: then the items must be those of `behind_ipv4` and `behind_ipv6`. `before`:
    what is done with R9, the EtherType; `cut`: where to go without even that, if not to `missing`.
    """
    six, done = code.new("ipv6"), code.new("internet")
    if code.kind is Kind.SOCKET and link is Link.ETHERNET:
        yield from _at_once(code, ipv4, portless, done)
    yield from (*network(code, link, cut or missing), *before)
    yield from (jump("==", R9, IPV6, six), jump("!=", R9, IPV4, missing))
    yield from code.fetch(20, missing)
    yield from (load(R1, R10, BUFFER, B), alu(">>=", R1, 4), jump("!=", R1, 4, missing), *ipv4)
    both = code.new("both")
    yield from (goto(both), label(six))
    yield from code.fetch(40, missing)
    yield from (load(R1, R10, BUFFER, B), alu(">>=", R1, 4), jump("!=", R1, 6, missing), *ipv6, label(both))
    if portless:
        yield from _if_with_ports(code, portless)
        yield from code.fetch(4, portless)
    yield label(done)


def _at_once(code: Code, ipv4: Sequence[Item], portless: str, done: str) -> Iterator[Item]:
    """IPv4 without tags and options, and the ports, by one call: on sockets each takes as long as all the rest."""
    otherwise = code.new("otherwise")
    yield from (mov(R1, R6), mov(R2, 0), mov(R3, R10), alu("+=", R3, BUFFER - _ETHERNET), mov(R4, _ETHERNET + 24))
    yield from (call("skb_load_bytes"), jump("!=", R0, 0, otherwise), load(R9, R10, BUFFER - 2, H), big_endian(R9, 16))
    yield from (jump("!=", R9, IPV4, otherwise), load(R1, R10, BUFFER, B), jump("!=", R1, 0x45, otherwise))
    yield from (mov(R8, _ETHERNET), *ipv4)
    if portless:
        yield from _if_with_ports(code, portless)
        yield from (load(R1, R10, BUFFER + 20, W), store(R10, BUFFER, R1, W))
    yield from (goto(done), label(otherwise))


def _if_with_ports(code: Code, portless: str) -> Iterator[Item]:
    there = code.new("ports")
    yield from (jump("==", R9, each, there) for each in WITH_PORTS)
    yield from (goto(portless), label(there))


def behind_ipv4(fragment: str) -> Iterator[Item]:
    """With the header in the buffer: R9 = the protocol, R8 = where it begins; of a later fragment to that label."""
    yield from (load(R9, R10, BUFFER + 9, B), load(R1, R10, BUFFER, B), alu("&=", R1, 15), alu("<<=", R1, 2))
    yield from (alu("+=", R8, R1), load(R1, R10, BUFFER + 6, H), big_endian(R1, 16), alu("&=", R1, 0x1FFF))
    yield jump("!=", R1, 0, fragment)


def behind_ipv6(code: Code, fragment: str) -> Iterator[Item]:
    """The same, past extension headers; where the packet ends within them, R9 is the one that is missing."""
    done = code.new("extensions")
    yield from (load(R9, R10, BUFFER + 6, B), alu("+=", R8, 40))
    for _ in range(_MOST_EXTENSIONS):
        yield from _extension(code, done, fragment)
    yield label(done)


def _extension(code: Code, done: str, fragment: str) -> Iterator[Item]:
    usual, pieces, fetched, past = (code.new(name) for name in ("extension", "fragment", "fetched", "past"))
    yield from (jump("==", R9, each, usual) for each in _EXTENSIONS)
    yield from (jump("==", R9, _FRAGMENT, usual), jump("!=", R9, _AUTHENTICATION, done), label(usual))
    yield from code.fetch(8, done)
    yield from (jump("==", R9, _FRAGMENT, pieces), load(R1, R10, BUFFER + 1, B))
    yield from (jump("==", R9, _AUTHENTICATION, fetched), alu("+=", R1, 1), alu("<<=", R1, 3), goto(past))
    yield from (label(fetched), alu("+=", R1, 2), alu("<<=", R1, 2), label(past))
    yield from (alu("+=", R8, R1), load(R9, R10, BUFFER, B))
    end = code.new("next")
    yield from (goto(end), label(pieces), alu("+=", R8, 8), load(R9, R10, BUFFER, B))
    yield from (load(R1, R10, BUFFER + 2, H), big_endian(R1, 16), alu("&=", R1, 0xFFF8), jump("!=", R1, 0, fragment))
    yield label(end)
