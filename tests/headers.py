"""Headers of packets, one function each, for tests to stack; and small pools of what stands in them.

Packets and expressions are made from the same pools, so that what is asked for is found. Checksums of IPv4 headers are
right, those of what they carry are zero.
"""

import itertools
import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Final

MACS: Final = ("02:00:00:00:00:01", "02:00:00:00:00:02", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "33:33:00:00:00:01")
IPV4: Final = ("192.0.2.1", "192.0.2.2", "10.0.0.1", "10.1.2.3", "198.51.100.7", "224.0.0.1", "255.255.255.255")
IPV6: Final = ("2001:db8::1", "2001:db8::2", "2001:db8:1::5", "fe80::1", "ff02::1")
PORTS: Final = (22, 53, 80, 443, 1024, 4789, 6000, 6081, 6343, 65535)
VLANS: Final = (1, 100, 200, 4095)
MPLS_LABELS: Final = (16, 1024, 100000)
SESSIONS: Final = (0x27, 0x1234)
VNIS: Final = (0xB, 0xABCDEF)

DECNET: Final = (10 << 10 | 123, 1 << 10 | 1)  # 10.123, 1.1

ICMP, IGMP, IP_IN_IP, TCP, UDP, IPV6_IN_IP = 1, 2, 4, 6, 17, 41
GRE, ESP, AH, ICMP6, PIM, VRRP, SCTP = 47, 50, 51, 58, 103, 112, 132
HOP_BY_HOP, ROUTING, FRAGMENT, NO_NEXT, DESTINATION = 0, 43, 44, 59, 60
EXTENSIONS: Final = (HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION, AH)

ETHERNET_IN_GENEVE = 0x6558
IP, ARP, RARP, IPV6_TYPE = 0x0800, 0x0806, 0x8035, 0x86DD
MPLS, PPPOE_DISCOVERY, PPPOE_SESSION = 0x8847, 0x8863, 0x8864
VLAN, QINQ, OLD_QINQ = 0x8100, 0x88A8, 0x9100


def mac(text: str) -> bytes:
    """The six bytes of 02:00:00:00:00:01."""
    return bytes.fromhex(text.replace(":", ""))


def ethernet(kind: int, payload: bytes, source: str = MACS[0], destination: str = MACS[1]) -> bytes:
    """An Ethernet II frame; with a `kind` of at most 1,500, an 802.3 one."""
    return mac(destination) + mac(source) + struct.pack(">H", kind) + payload


def vlan(number: int, kind: int, payload: bytes, priority: int = 0) -> bytes:
    """A tag, behind an EtherType of 0x8100, 0x88a8 or 0x9100, with what follows it."""
    return struct.pack(">HH", priority << 13 | number, kind) + payload


def mpls(labels: Sequence[int], payload: bytes) -> bytes:
    """A stack of labels (EtherType 0x8847)."""
    last = len(labels) - 1
    return (
        b"".join(struct.pack(">I", label << 12 | (at == last) << 8 | 64) for at, label in enumerate(labels)) + payload
    )


def pppoe(session: int, protocol: int, payload: bytes) -> bytes:
    """A PPPoE session's header and PPP's (EtherType 0x8864); protocol 0x21 is IPv4, 0x57 IPv6."""
    return struct.pack(">BBHHH", 0x11, 0, session, len(payload) + 2, protocol) + payload


def arp(source: str, destination: str, operation: int = 1) -> bytes:
    """A request, or with `operation` 2 an answer (EtherType 0x0806; RARP, 0x8035, looks the same)."""
    addresses = mac(MACS[0]) + IPv4Address(source).packed + mac(MACS[1]) + IPv4Address(destination).packed
    return struct.pack(">HHBBH", 1, 0x800, 6, 4, operation) + addresses


def llc(dsap: int, ssap: int, control: int, payload: bytes = b"") -> bytes:
    """An 802.2 header; a control byte whose two lowest bits are set stands alone, else it has a second one."""
    return bytes([dsap, ssap, control]) + (b"" if control & 3 == 3 else b"\0") + payload


def snap(organisation: int, kind: int, payload: bytes) -> bytes:
    """An 802.2 SNAP header."""
    return llc(0xAA, 0xAA, 3, organisation.to_bytes(3, "big") + struct.pack(">H", kind) + payload)


def ipv4(
    protocol: int,
    payload: bytes,
    source: str = IPV4[0],
    destination: str = IPV4[1],
    *,
    options: bytes = b"",
    fragment: int = 0,
    ttl: int = 64,
    tos: int = 0,
) -> bytes:
    """A header with `options` (padded to 4 bytes), `fragment` being flags and offset as they stand in it."""
    options += bytes(-len(options) % 4)
    words = 5 + len(options) // 4
    head = struct.pack(
        ">BBHHHBBH4s4s",
        0x40 | words,
        tos,
        words * 4 + len(payload) & 0xFFFF,
        1,
        fragment,
        ttl,
        protocol,
        0,
        IPv4Address(source).packed,
        IPv4Address(destination).packed,
    )
    head += options
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def checksum(data: bytes) -> int:
    """The Internet checksum of an even number of bytes."""
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def ipv6(
    protocol: int,
    payload: bytes,
    source: str = IPV6[0],
    destination: str = IPV6[1],
    *,
    extensions: Sequence[int] = (),
    hops: int = 64,
) -> bytes:
    """A header, extension headers of these kinds, in order, and the payload."""
    kinds = [*extensions, protocol]
    chain = b"".join(extension(kind, following) for kind, following in itertools.pairwise(kinds))
    size = len(chain) + len(payload) & 0xFFFF
    addresses = IPv6Address(source).packed + IPv6Address(destination).packed
    return struct.pack(">IHBB", 0x60000000, size, kinds[0], hops) + addresses + chain + payload


def extension(kind: int, following: int) -> bytes:
    """One extension header of IPv6; AH counts its length in other units."""
    if kind == AH:
        return struct.pack(">BBHII", following, 1, 0, 1, 1)
    return struct.pack(">BBHI", following, 0, 0, 0)


def tcp(source: int, destination: int, flags: int = 0x10, payload: bytes = b"", options: bytes = b"") -> bytes:
    """FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128."""
    options += bytes(-len(options) % 4)
    words = 5 + len(options) // 4
    return struct.pack(">HHIIBBHHH", source, destination, 1, 2, words << 4, flags, 512, 0, 0) + options + payload


def udp(source: int, destination: int, payload: bytes = b"") -> bytes:
    """A UDP datagram."""
    return struct.pack(">HHHH", source, destination, 8 + len(payload), 0) + payload


def sctp(source: int, destination: int, chunk: int = 1) -> bytes:
    """An SCTP packet with one empty chunk."""
    return struct.pack(">HHIIBBH", source, destination, 7, 0, chunk, 0, 4)


def icmp(kind: int, code: int = 0, payload: bytes = bytes(4)) -> bytes:
    """ICMP, and ICMPv6 too."""
    return struct.pack(">BBH", kind, code, 0) + payload


def geneve(vni: int, kind: int, payload: bytes, options: bytes = b"") -> bytes:
    """What UDP to port 6081 carries; `kind` 0x6558 is Ethernet."""
    options += bytes(-len(options) % 4)
    return struct.pack(">BBHI", len(options) // 4, 0, kind, vni << 8) + options + payload


def vxlan(vni: int, payload: bytes) -> bytes:
    """What UDP to port 4789 carries: an Ethernet frame."""
    return struct.pack(">II", 0x08000000, vni << 8) + payload


def gre(kind: int, payload: bytes) -> bytes:
    """GRE without options."""
    return struct.pack(">HH", 0, kind) + payload
