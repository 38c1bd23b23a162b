"""Frames of every link type that expressions are tried on, by chance; the names are those of pcap-linktype(7)."""

import socket
import struct
from collections.abc import Callable
from random import Random
from typing import Final

from tests import headers as h
from tests.traffic import internet, logical_link, network

Maker = Callable[[Random], bytes]


def _ethernet(dice: Random) -> bytes:
    addresses = dice.choice(h.MACS), dice.choice(h.MACS)
    if dice.random() < 0.15:
        payload = logical_link(dice)
        return h.ethernet(len(payload), payload, *addresses)
    frame = h.ethernet(*network(dice), *addresses)
    return frame + bytes(max(0, 60 - len(frame))) if dice.random() < 0.5 else frame


def _raw(dice: Random) -> bytes:
    return internet(dice)[1]


def _family(order: str) -> Maker:
    def make(dice: Random) -> bytes:
        kind, packet = internet(dice)
        return struct.pack(f"{order}I", socket.AF_INET if kind == h.IP else socket.AF_INET6) + packet

    return make


def _ppp(dice: Random) -> bytes:
    kind, packet = internet(dice)
    return b"\xff\x03" + struct.pack(">H", 0x21 if kind == h.IP else 0x57) + packet


def _ppp_over_ethernet(dice: Random) -> bytes:
    kind, packet = internet(dice)
    return h.pppoe(dice.choice(h.SESSIONS), 0x21 if kind == h.IP else 0x57, packet)


def _cooked(dice: Random) -> bytes:
    kind, packet = network(dice)
    address = h.mac(dice.choice(h.MACS)) + bytes(2)
    return struct.pack(">HHH8sH", dice.randrange(5), 1, 6, address, kind) + packet


def _cooked_2(dice: Random) -> bytes:
    kind, packet = network(dice)
    address = h.mac(dice.choice(h.MACS)) + bytes(2)
    return struct.pack(">HHIHBB8s", kind, 0, dice.choice((1, 2, 7)), 1, dice.randrange(5), 6, address) + packet


def _slip(dice: Random) -> bytes:
    return bytes([dice.randrange(2)]) + bytes(15) + _raw(dice)


def _fddi(dice: Random) -> bytes:
    addresses = h.mac(dice.choice(h.MACS)) + h.mac(dice.choice(h.MACS))
    return bytes([dice.choice((0x50, 0x54, 0x4F))]) + addresses + logical_link(dice)


def _token_ring(dice: Random) -> bytes:
    return b"\x10\x40" + h.mac(dice.choice(h.MACS)) + h.mac(dice.choice(h.MACS)) + logical_link(dice)


def _wireless(dice: Random) -> bytes:
    kind, subtype, direction = dice.choice((0, 1, 2, 2, 2)), dice.randrange(16), dice.randrange(4)
    frame = bytes([subtype << 4 | kind << 2, direction | dice.choice((0, 0x40))]) + bytes(2)
    addresses = 4 if kind == 2 and direction == 3 else 3
    frame += b"".join(h.mac(dice.choice(h.MACS)) for _ in range(3)) + bytes(2)
    frame += h.mac(dice.choice(h.MACS)) if addresses == 4 else b""
    frame += bytes(2) if kind == 2 and subtype & 8 else b""
    return frame + logical_link(dice)


def _radio(dice: Random) -> bytes:
    more = dice.choice((0, 0, 5, 18))
    return struct.pack("<BBHI", 0, 0, 8 + more, 0) + dice.randbytes(more) + _wireless(dice)


def _atm(dice: Random) -> bytes:
    circuit = dice.choice(((0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (0, 16), (1, 100)))
    message = bytes([9, 3, 0, 0, 0, dice.choice((1, 2, 5, 7, 13, 77, 90, 91))]) + bytes(20)
    carried = dice.choice((logical_link(dice), b"\xff\0" + bytes(10), b"\0\1" + _ethernet(dice), message))
    return struct.pack(">BBH", dice.choice((1, 2, 5, 6, 0x81, 0x82)), *circuit) + carried


def _packet_filter_log(dice: Random) -> bytes:
    kind, packet = internet(dice)
    family = socket.AF_INET if kind == h.IP else socket.AF_INET6
    head = struct.pack("BBBB", 61, family, dice.randrange(5), dice.randrange(7))
    names = dice.choice((b"en0", b"pppoe0")).ljust(16, b"\0") + dice.choice((b"", b"guard")).ljust(16, b"\0")
    rules = struct.pack(">IIIIII", dice.choice((0, 1, 17)), dice.choice((0, 3)), 0, 0, 0, 0)
    return head + names + rules + bytes([dice.randrange(3)]) + bytes(3) + packet


LINK_LAYERS: Final[dict[str, Maker]] = {
    "EN10MB": _ethernet,
    "RAW": _raw,
    "NULL": _family("="),
    "LOOP": _family(">"),
    "PPP": _ppp,
    "PPP_ETHER": _ppp_over_ethernet,
    "LINUX_SLL": _cooked,
    "LINUX_SLL2": _cooked_2,
    "SLIP": _slip,
    "FDDI": _fddi,
    "IEEE802": _token_ring,
    "IEEE802_11": _wireless,
    "IEEE802_11_RADIO": _radio,
    "SUNATM": _atm,
    "PFLOG": _packet_filter_log,
}
"""A frame of each link type."""

NUMBERS: Final = {
    "NULL": 0,
    "EN10MB": 1,
    "IEEE802": 6,
    "SLIP": 8,
    "PPP": 9,
    "FDDI": 10,
    "RAW": 12,
    "PPP_ETHER": 51,
    "IEEE802_11": 105,
    "LOOP": 108,
    "LINUX_SLL": 113,
    "PFLOG": 117,
    "SUNATM": 123,
    "IEEE802_11_RADIO": 127,
    "LINUX_SLL2": 276,
}
"""libpcap's numbers for them on Linux (pcap/dlt.h)."""
