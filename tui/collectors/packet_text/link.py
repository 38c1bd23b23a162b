"""Ethernet, VLAN tags, ARP."""

import socket
from typing import Final

from tui.collectors.packet_text.reader import Next, Reader, Summary, hex_number

TYPES: Final = {  # IEEE 802 numbers: what follows, by EtherType
    0x0800: "ipv4",
    0x86DD: "ipv6",
    0x0806: "arp",
    0x8100: "vlan",
    0x88A8: "vlan",
    0x9100: "vlan",
    0x6558: "ethernet",
}
_NAMES: Final = {
    0x0800: "IPv4",
    0x0806: "ARP",
    0x0842: "wake on LAN",
    0x6558: "Ethernet",
    0x8035: "RARP",
    0x8100: "802.1Q",
    0x8137: "IPX",
    0x86DD: "IPv6",
    0x8808: "flow control",
    0x8809: "slow protocols (LACP)",
    0x8847: "MPLS",
    0x8848: "MPLS multicast",
    0x8863: "PPPoE discovery",
    0x8864: "PPPoE",
    0x888E: "EAPOL",
    0x88A8: "802.1ad",
    0x88CC: "LLDP",
    0x88E5: "MACsec",
    0x88F7: "PTP",
    0x893A: "IEEE 1905",
    0x9000: "loopback test",
    0x9100: "802.1Q, old",
}
_LONGEST: Final = 1500  # a larger number in its place is a type, not a length
_OPERATIONS: Final = {
    1: "Request",
    2: "Reply",
    3: "Reverse Request",
    4: "Reverse Reply",
    8: "Inverse Request",
    9: "Inverse Reply",
}


def mac(raw: bytes) -> str:
    """02:fc:00:00:00:01."""
    return raw.hex(":")


def type_name(number: int) -> str:
    """0x0800 (IPv4)."""
    return f"0x{number:04x} ({_NAMES[number]})" if number in _NAMES else f"0x{number:04x}"


def ethernet(reader: Reader, summary: Summary) -> Next | None:
    """IEEE 802.3."""
    destination = reader.text("destination", 6, mac)
    source = reader.text("source", 6, mac)
    return _typed(reader, summary, f"{source} > {destination}, ")


def vlan(reader: Reader, summary: Summary) -> Next | None:
    """IEEE 802.1Q and 802.1ad: what lies between the addresses and the type."""
    tci = reader.number("tag", 2, hex_number(4))
    for name, value in tag_parts(tci):
        reader.note(name, value, 2)
    summary.say(tag_words(tci))
    return _typed(reader, summary, "")


def tag_parts(tci: int) -> tuple[tuple[str, str], ...]:
    """What a VLAN tag says."""
    return ("VLAN", str(tci & 0xFFF)), ("priority", str(tci >> 13)), ("may be dropped", "yes" if tci & 0x1000 else "no")


def tag_words(tci: int) -> str:
    """What the summary says of a VLAN tag; the priority only where there is one."""
    priority = f"p {tci >> 13}, " if tci >> 13 else ""
    return f"vlan {tci & 0xFFF}, {priority}"


def _typed(reader: Reader, summary: Summary, ends: str) -> Next | None:
    """The type, or in old frames the length; what it stands for is said where nothing further on says it."""
    number = int.from_bytes(reader.peek(2), "big")
    if number <= _LONGEST:
        length = reader.number("length", 2)
        summary.say(f"{ends}802.3 LLC, length {length}")
        return Next("", reader.at, min(reader.end, reader.at + length))
    reader.number("type", 2, type_name)
    if number not in TYPES:
        length = reader.end - reader.start
        summary.say(f"{ends}ethertype {_NAMES.get(number, 'Unknown')} (0x{number:04x}), length {length}")
    return reader.next(TYPES.get(number, ""))


def arp(reader: Reader, summary: Summary) -> Next | None:
    """RFC 826, for IPv4 over Ethernet; of others the header."""
    length = reader.left
    hardware = reader.number("hardware", 2)
    protocol = reader.number("protocol", 2, type_name)
    size, width = reader.number("hardware address size", 1), reader.number("protocol address size", 1)
    operation = reader.number("operation", 2, lambda number: f"{number} ({_OPERATIONS.get(number, 'unknown')})")
    word = _OPERATIONS.get(operation, f"operation {operation}")
    if (hardware, protocol, size, width) != (1, 0x0800, 6, 4):
        summary.say(f"ARP, {word}, hardware {hardware}, protocol 0x{protocol:04x}, length {length}")
        return reader.next("")
    sender, address = reader.text("sender", 6, mac), reader.text("sender's address", 4, socket.inet_ntoa)
    target, wanted = reader.text("target", 6, mac), reader.text("target's address", 4, socket.inet_ntoa)
    if operation == 1:
        known = f" ({target})" if target != "00:00:00:00:00:00" else ""
        what = f"who-has {wanted}{known} tell {address}"
    else:
        what = f"{address} is-at {sender}"
    summary.say(f"ARP, {word} {what}, length {length}")
    return reader.next("")
