"""Packets made to order, and by chance: what tests of decoding and exporting are given."""

import random
import socket
import struct
from collections.abc import Sequence

from tui.collectors.samples import PacketRecord

MAC, OTHER = bytes.fromhex("02fc00000001"), bytes.fromhex("02fc00000002")
START = 1_700_000_000_123_456_789  # ns since 1970


def checksum(data: bytes) -> int:
    """RFC 1071."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(padded) // 2}H", padded))
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def ethernet(payload: bytes, kind: int = 0x0800, *tags: tuple[int, int]) -> bytes:
    """A frame; `tags` are pairs of TPID and TCI, the outer first."""
    between = b"".join(struct.pack(">HH", *tag) for tag in tags)
    return MAC + OTHER + between + kind.to_bytes(2, "big") + payload


def ipv4(
    payload: bytes,
    protocol: int,
    *,
    source: str = "192.0.2.1",
    destination: str = "192.0.2.9",
    options: bytes = b"",
    fragment: int = 0,
    total: int | None = None,
    ttl: int = 64,
) -> bytes:
    """A packet; `fragment` is the whole word with the flags, `total` what it says instead of its length."""
    options += b"\0" * (-len(options) % 4)
    header = 20 + len(options)
    length = header + len(payload) if total is None else total
    first = struct.pack(">BBHHHBBH", 0x40 | header // 4, 0, length, 1, fragment, ttl, protocol, 0)
    whole = first + socket.inet_aton(source) + socket.inet_aton(destination) + options
    return whole[:10] + checksum(whole).to_bytes(2, "big") + whole[12:] + payload


def ipv6(
    payload: bytes, following: int, *, source: str = "2001:db8::1", destination: str = "2001:db8::9", length: int = -1
) -> bytes:
    """A packet; `length` is what it says instead of its payload's length."""
    said = len(payload) if length < 0 else length
    ends = b"".join(socket.inet_pton(socket.AF_INET6, one) for one in (source, destination))
    return struct.pack(">IHBB", 0x60000000, said, following, 64) + ends + payload


def tcp(
    payload: bytes = b"", *, ports: tuple[int, int] = (51044, 22), flags: int = 0x18, options: bytes = b""
) -> bytes:
    """A segment."""
    options += b"\1" * (-len(options) % 4)
    word = (20 + len(options)) // 4 << 12 | flags
    return struct.pack(">HHIIHHHH", *ports, 1_000_000_007, 4_000_000_007, word, 501, 0xBEEF, 7) + options + payload


def udp(payload: bytes = b"", *, ports: tuple[int, int] = (40000, 9000), length: int | None = None) -> bytes:
    """A datagram."""
    return struct.pack(">HHHH", *ports, 8 + len(payload) if length is None else length, 0) + payload


def echo(kind: int = 8, payload: bytes = b"\0" * 56) -> bytes:
    """An ICMP or ICMPv6 echo."""
    message = struct.pack(">BBHHH", kind, 0, 0, 17, 3) + payload
    return message[:2] + checksum(message).to_bytes(2, "big") + message[4:]


def arp(operation: int = 1, target: bytes = b"\0" * 6) -> bytes:
    """Who has 192.0.2.9, asked by 192.0.2.1; or the answer."""
    ends = OTHER + socket.inet_aton("192.0.2.1") + target + socket.inet_aton("192.0.2.9")
    return struct.pack(">HHBBH", 1, 0x0800, 6, 4, operation) + ends


def dns(name: bytes, kind: int = 1, *, answers: Sequence[bytes] = (), flags: int = 0x0100) -> bytes:
    """A question, or with answers their message; `name` in the message's own form."""
    header = struct.pack(">HHHHHH", 4242, flags, 1, len(answers), 0, 0)
    return header + name + struct.pack(">HH", kind, 1) + b"".join(answers)


def record(data: bytes, number: int = 0, **changes: object) -> PacketRecord:
    """The packet as a hook gave it; `changes` replace its fields."""
    plain = PacketRecord(START + number * 1_000_003, "eth0", "in", len(data), data)
    return plain._replace(**changes)  # type: ignore[arg-type]


TCP_OPTIONS = (
    b"\x02\x04\x05\xb4",
    b"\x03\x03\x07",
    b"\x04\x02",
    b"\x05\x0a\x00\x00\x00\x01\x00\x00\x00\x09",
    b"\x05\x12" + bytes(range(16)),
    b"\x08\x0a\x00\x01\x00\x02\x00\x03\x00\x04",
    b"\x01",
)


def some_transport(chance: random.Random) -> tuple[int, bytes]:
    """A protocol that IPv4 carries, and its bytes."""
    payload = chance.randbytes(chance.choice((0, 1, 7, 100)))
    ports = (chance.randrange(20_000, 30_000), chance.randrange(30_001, 40_000))  # that tcpdump knows no names for
    kind = chance.randrange(4)
    if kind == 0:
        options = b"".join(chance.sample(TCP_OPTIONS, chance.randrange(4)))
        return 6, tcp(payload, ports=ports, flags=chance.randrange(256), options=options)
    if kind == 1:
        return 17, udp(payload, ports=ports)
    if kind == 2:
        return 1, echo(chance.choice((0, 8)), payload)
    return 47, struct.pack(">HH", 0, 0x0800) + ipv4(tcp(payload, ports=ports), 6, source="10.0.0.1")


def some_ip(chance: random.Random) -> tuple[int, bytes]:
    """An EtherType and a packet of it."""
    protocol, payload = some_transport(chance)
    address = f"10.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(256)}"
    if chance.random() < 0.6:
        options = chance.choice((b"", b"", b"\x94\x04\x00\x00", b"\x07\x07\x04\x0a\x00\x00\x01\x00"))
        fragment = chance.choice((0, 0, 0x4000, 0x2000, 0x00B9))
        return 0x0800, ipv4(payload, protocol, source=address, options=options, fragment=fragment)
    protocol, payload = (58, echo(128, payload[8:])) if protocol == 1 else (protocol, payload)
    for extension in chance.choice(((), (), (0,), (60,), (60, 0), (60, 60))):
        payload, protocol = bytes((protocol, 0, 1, 4, 0, 0, 0, 0)) + payload, extension
    return 0x86DD, ipv6(payload, protocol, source=f"2001:db8::{chance.randrange(1, 65536):x}")


def some_frame(chance: random.Random) -> bytes:
    """A frame that makes sense, of the kinds that are met."""
    if chance.random() < 0.1:
        return ethernet(arp(chance.choice((1, 2))), 0x0806)
    kind, payload = some_ip(chance)
    tags = chance.choice(((), (), ((0x8100, chance.randrange(65536)),), ((0x88A8, 100), (0x8100, 0x6005))))
    return ethernet(payload, kind, *tags)
