"""Capture files as bytes, right or wrong on purpose."""

import struct
from collections.abc import Sequence

MICROSECONDS, NANOSECONDS = 0xA1B2C3D4, 0xA1B23C4D
ETHERNET, RAW = 1, 12
LINKTYPE_RAW = 101  # in files, where DLT_RAW's number would depend on the system


def pcap(
    packets: Sequence[bytes], link_type: int = ETHERNET, order: str = "<", magic: int = MICROSECONDS, cut: int = 262_144
) -> bytes:
    """A file of packets, of which at most `cut` bytes were captured."""
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, cut, link_type)]
    for number, packet in enumerate(packets):
        kept = packet[:cut]
        parts.append(struct.pack(order + "IIII", number, 0, len(kept), len(packet)) + kept)
    return b"".join(parts)


def pcapng(packets: Sequence[bytes], link_type: int = ETHERNET, order: str = "<") -> bytes:
    """The newer format: a section, an interface, and a block for each packet."""
    blocks = [(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))]
    blocks.append((1, struct.pack(order + "HHI", link_type, 0, 262_144)))
    for packet in packets:
        padded = packet + bytes(-len(packet) % 4)
        blocks.append((6, struct.pack(order + "5I", 0, 0, 0, len(packet), len(packet)) + padded))
    return b"".join(
        struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)
        for kind, body in blocks
    )


def ip(protocol: int, source: int, destination: int, size: int = 0, version: int = 4) -> bytes:
    """An IP packet with ports, and `size` bytes behind 20 of a transport header."""
    body = struct.pack("!HH", source, destination) + bytes(16 + size)
    if version == 6:
        return struct.pack("!IHBB", 6 << 28, len(body), protocol, 64) + bytes(15) + b"\1" + bytes(15) + b"\2" + body
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, protocol, 0)
    return header + bytes([10, 0, 0, 1, 10, 0, 0, 2]) + body


def ethernet(packet: bytes, tag: int | None = None) -> bytes:
    """The packet in a frame, with a VLAN tag where there is one."""
    head = b"\2\0\0\0\0\2\2\0\0\0\0\1" + (b"" if tag is None else struct.pack("!HH", 0x8100, tag))
    return head + (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00") + packet
