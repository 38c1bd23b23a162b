"""What packets can be grouped by: the assembler that finds a packet's group, and keys as people read them.

Groups that can only be few are cells of an array (`bins`: packets and bytes, one after the other): sizes, gaps, hop
distances. The others have keys (`tally`). A packet that has no such thing, as a port, is counted as having none; one
whose group finds no room, as other. So groups, none and others are all that matched, always.
"""

import ipaddress
import struct
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Final

from tui.bpf.extended.assembler import (
    alu,
    big_endian,
    call,
    exchange,
    goto,
    jump,
    label,
    load,
    map_value,
    mov,
    store,
)
from tui.bpf.extended.instructions import DW, R0, R1, R2, R9, R10, B, H, W
from tui.bpf.extended.items import Item
from tui.bpf.packets import headers
from tui.bpf.packets.headers import BUFFER, IPV4, IPV6, Code, Link
from tui.bpf.packets.layout import KEY, LENGTH, NONE, add_packet, of_turn
from tui.bpf.packets.tally import add_to_group

BINS: Final = 256


class By(Enum):
    """What packets are grouped by."""

    NOTHING = ""
    PROTO = "proto"
    SRC = "src"
    DST = "dst"
    SPORT = "sport"
    DPORT = "dport"
    FLOW = "flow"
    SIZE = "size"
    HOPS = "hops"
    GAP = "gap"

    @property
    def binned(self) -> bool:
        """Whether there are few groups, whose figures lie in an array."""
        return self in (By.SIZE, By.HOPS, By.GAP)

    @property
    def key_size(self) -> int:
        """Bytes of a key."""
        return {By.SRC: 20, By.DST: 20, By.FLOW: 40}.get(self, 4)


_IP: Final = 0x10000  # in a key of protocols: what follows is no EtherType, but the protocol above IP


def grouping(by: By, code: Code, link: Link, *, atomic: bool) -> Iterator[Item]:
    """Adds the packet to its group. Uses all registers but R6 and R7."""
    if by is By.NOTHING:
        return
    none, done = code.new("none"), code.new("grouped")
    yield from _MADE[by](code, link, none)
    yield from _add_to_bin(done, atomic=atomic) if by.binned else add_to_group(code, by.key_size, shared=atomic)
    if by is not By.SIZE:  # that every packet has, and verifiers refuse what is never reached
        yield from (goto(done), label(none), *add_packet(NONE, atomic=atomic))
    yield label(done)


# Of hashes: each makes the key, or goes to `none`


def _proto(code: Code, link: Link, none: str) -> Iterator[Item]:
    known, other = code.new("protocol"), code.new("other")
    ipv4, ipv6 = [*headers.behind_ipv4(known)], [*headers.behind_ipv6(code, known)]
    yield from headers.internet(code, link, ipv4, ipv6, other, before=[store(R10, KEY, R9)], cut=none)
    yield from (label(known), alu("|=", R9, _IP), store(R10, KEY, R9), label(other))


def _address(ipv4_at: int, ipv6_at: int) -> Callable[[Code, Link, str], Iterator[Item]]:
    """The address, 16 bytes, and its EtherType, 4."""

    def made(code: Code, link: Link, none: str) -> Iterator[Item]:
        yield from headers.internet(code, link, [*_ipv4(ipv4_at, 0)], [*_ipv6(ipv6_at, 0)], none)
        yield store(R10, KEY + 16, R9)

    return made


def _ipv4(at: int, to: int) -> Iterator[Item]:
    """An address into the key, where there is room for one of IPv6."""
    yield from (load(R1, R10, BUFFER + at, W), store(R10, KEY + to, R1, DW), store(R10, KEY + to + 8, 0, DW))


def _ipv6(at: int, to: int) -> Iterator[Item]:
    for step in (0, 8):
        yield from (load(R1, R10, BUFFER + at + step, DW), store(R10, KEY + to + step, R1, DW))


def _port(at: int) -> Callable[[Code, Link, str], Iterator[Item]]:
    def made(code: Code, link: Link, none: str) -> Iterator[Item]:
        ipv4, ipv6 = [*headers.behind_ipv4(none)], [*headers.behind_ipv6(code, none)]
        yield from headers.internet(code, link, ipv4, ipv6, none, portless=none)
        yield from (load(R1, R10, BUFFER + at, H), big_endian(R1, 16), store(R10, KEY, R1))

    return made


def _flow(code: Code, link: Link, none: str) -> Iterator[Item]:
    """Addresses, the version of IP, the protocol, ports: 16, 16, 2, 2, 2, 2 bytes; ports are 0 where there are none."""
    portless = code.new("portless")
    version = KEY + 32
    yield store(R10, KEY + 36, 0, W)
    yield from headers.internet(
        code,
        link,
        [store(R10, version, 4, H), *_ipv4(12, 0), *_ipv4(16, 16), *headers.behind_ipv4(portless)],
        [store(R10, version, 6, H), *_ipv6(8, 0), *_ipv6(24, 16), *headers.behind_ipv6(code, portless)],
        none,
        portless=portless,
    )
    yield from (load(R1, R10, BUFFER, W), store(R10, KEY + 36, R1, W), label(portless), store(R10, KEY + 34, R9, H))


# Of arrays: each leaves the number of the bin in R9


def _size(code: Code, _link: Link, _none: str) -> Iterator[Item]:
    yield load(R1, R10, LENGTH)
    yield from _logarithm(code)


def _hops(code: Code, link: Link, none: str) -> Iterator[Item]:
    """Of hops that a packet can make, those it has made: it began with 32, 64, 128 or 255."""
    began = code.new("began")
    ipv4, ipv6 = load(R9, R10, BUFFER + 8, B), load(R9, R10, BUFFER + 7, B)
    yield from headers.internet(code, link, [ipv4], [ipv6], none)
    yield from (mov(R1, 255), jump(">", R9, 128, began), mov(R1, 128), jump(">", R9, 64, began))
    yield from (mov(R1, 64), jump(">", R9, 32, began), mov(R1, 32), label(began), alu("-=", R1, R9), mov(R9, R1))


def _gap(code: Code, _link: Link, none: str) -> Iterator[Item]:
    """Nanoseconds since the packet before, on whatever CPU that was: one that is overtaken came at once."""
    later = code.new("later")
    yield from (call("ktime_get_ns"), mov(R9, R0), mov(R1, R0), map_value(R2, "moment"), exchange(R2, 0, R1))
    yield from (jump("==", R1, 0, none), jump(">=", R9, R1, later), mov(R9, R1), label(later), alu("-=", R9, R1))
    yield mov(R1, R9)
    yield from _logarithm(code)


def _logarithm(code: Code) -> Iterator[Item]:
    """R9 = the number of the highest bit in R1: 0 for 0 and 1."""
    yield mov(R9, 0)
    for bits in (32, 16, 8, 4, 2, 1):
        below = code.new("below")
        yield from (mov(R2, R1), alu(">>=", R2, bits), jump("==", R2, 0, below))
        yield from (alu("+=", R9, bits), mov(R1, R2), label(below))


def _add_to_bin(done: str, *, atomic: bool) -> Iterator[Item]:
    yield from (*of_turn("bins"), jump("==", R0, 0, done), alu("&=", R9, BINS - 1), alu("<<=", R9, 4))
    yield from (alu("+=", R0, R9), *add_packet(0, base=R0, atomic=atomic))


_MADE: Final[dict[By, Callable[[Code, Link, str], Iterator[Item]]]] = {
    By.PROTO: _proto, By.SRC: _address(12, 8), By.DST: _address(16, 24), By.SPORT: _port(0), By.DPORT: _port(2),
    By.FLOW: _flow, By.SIZE: _size, By.HOPS: _hops, By.GAP: _gap,
}  # fmt: skip


# Keys, for people


_FLOW: Final = struct.Struct("=16s16sHH4s")
PROTOCOLS: Final = {
    1: "icmp", 2: "igmp", 4: "ipip", 6: "tcp", 17: "udp", 33: "dccp", 41: "ipv6", 46: "rsvp", 47: "gre", 50: "esp",
    51: "ah", 58: "icmp6", 59: "none", 88: "eigrp", 89: "ospf", 94: "ipip", 103: "pim", 108: "ipcomp", 112: "vrrp",
    115: "l2tp", 132: "sctp", 136: "udplite",
}  # fmt: skip
ETHER_TYPES: Final = {
    IPV4: "ipv4", IPV6: "ipv6", headers.ARP: "arp", 0x8035: "rarp", 0x8847: "mpls", 0x8848: "mpls multicast",
    0x8863: "pppoe discovery", 0x8864: "pppoe", 0x888E: "802.1x", 0x88CC: "lldp", 0x88F7: "ptp", 0x88E5: "macsec",
    0x8100: "vlan", 0x88A8: "vlan", 0x9100: "vlan",
}  # fmt: skip


def name(by: By, key: bytes) -> str | int:
    """What a key of a hash says: "tcp", "192.0.2.1", 22, "tcp 192.0.2.1:22 → 192.0.2.2:51044"."""
    if by is By.PROTO:
        return _protocol(int.from_bytes(key, "little"))
    if by in (By.SPORT, By.DPORT):
        return int.from_bytes(key, "little")
    if by is By.FLOW:
        source, destination, version, protocol, two_ports = _FLOW.unpack(key)
        sport, dport = struct.unpack(">HH", two_ports)
        ends = (_end(source, version, sport), _end(destination, version, dport))
        return f"{_protocol(protocol | _IP)} {ends[0]} → {ends[1]}"
    version = 4 if int.from_bytes(key[16:], "little") == IPV4 else 6
    return _end(key[:16], version, 0)


def _protocol(number: int) -> str:
    """An EtherType, or with _IP what comes above IP."""
    if number & _IP:
        return PROTOCOLS.get(number & 0xFF, f"ip {number & 0xFF}")
    if number < 0x600:  # a length: IEEE 802.3
        return "802.3"
    return ETHER_TYPES.get(number, f"{number:#06x}")


def _end(address: bytes, version: int, port: int) -> str:
    ip = ipaddress.IPv4Address(address[:4]) if version == 4 else ipaddress.IPv6Address(address)
    if not port:
        return str(ip)
    return f"{ip}:{port}" if version == 4 else f"[{ip}]:{port}"


def bin_name(by: By, number: int) -> str | int:
    """What a bin holds: hops, or bytes or nanoseconds from the lowest to the highest: "64-127"."""
    if by is By.HOPS:
        return number
    return f"{1 << number if number else 0}-{(1 << number + 1) - 1}"
