"""IPv4 with options, IPv6 with extension headers, fragments of both."""

import socket
from typing import Final

from tui.collectors.packet_text.reader import Next, Reader, Summary, hex_number, hexadecimal, named

PROTOCOLS: Final = {  # IANA protocol numbers: what follows
    0: "hop-by-hop",
    1: "icmp",
    4: "ipv4",
    6: "tcp",
    17: "udp",
    41: "ipv6",
    43: "routing",
    44: "fragment",
    47: "gre",
    50: "esp",
    51: "ah",
    58: "icmpv6",
    60: "options",
}
_ONLY_IPV6: Final = {0, 43, 44, 60}
_NAMES: Final = {
    0: "hop-by-hop options",
    1: "ICMP",
    2: "IGMP",
    4: "IPIP",
    6: "TCP",
    17: "UDP",
    33: "DCCP",
    41: "IPv6",
    43: "routing header",
    44: "fragment",
    46: "RSVP",
    47: "GRE",
    50: "ESP",
    51: "AH",
    58: "ICMPv6",
    59: "nothing",
    60: "destination options",
    88: "EIGRP",
    89: "OSPF",
    97: "EtherIP",
    103: "PIM",
    112: "VRRP",
    115: "L2TP",
    132: "SCTP",
    135: "mobility header",
    136: "UDP-Lite",
    255: "raw",
}
_OPTIONS: Final = {  # IPv4's: IANA IP option numbers
    0: "EOL",
    1: "NOP",
    7: "RR",
    68: "timestamp",
    130: "security",
    131: "LSRR",
    136: "stream",
    137: "SSRR",
    148: "RA",
}
_IN_BYTES: Final = 14  # of an IPv6 extension header's: the length field


def ip(reader: Reader, summary: Summary) -> Next | None:
    """Either of them, told by the version: behind a link without a header."""
    version = int.from_bytes(reader.peek(1), "big") >> 4
    if version in (4, 6):
        return reader.next(f"ipv{version}")
    summary.say(f"no IP packet, length {reader.left}")
    return reader.next("")


def ipv4(reader: Reader, summary: Summary) -> Next | None:
    """RFC 791. A total length of 0 is that of a packet which the device will cut into several."""
    length = reader.left
    first = reader.number("version", 1, lambda byte: str(byte >> 4))
    header = (first & 15) * 4
    reader.note("header length", header, 1)
    if first >> 4 != 4 or header < 20:
        summary.say(f"IP bad-hlen {header}" if first >> 4 == 4 else f"IP version {first >> 4}, not 4")
        return reader.next("")
    service = reader.number("DSCP", 1, lambda byte: str(byte >> 2))
    reader.note("ECN", service & 3, 1)
    total = reader.number("total length", 2) or length
    reader.number("identification", 2)
    fragment = reader.number("flags", 2, lambda word: _flags(word >> 13))
    reader.note("fragment offset", (fragment & 0x1FFF) * 8, 2)
    reader.number("TTL", 1)
    protocol = reader.number("protocol", 1, named(_NAMES))
    reader.number("checksum", 2, hex_number(4))
    source = reader.text("source", 4, socket.inet_ntoa)
    destination = reader.text("destination", 4, socket.inet_ntoa)
    missing = f" truncated-ip - {total - length} bytes missing!" if total > length else ""
    summary.ends(f"IP{missing}", source, destination)
    if total < header:
        summary.say(f"bad-len {total}")
        return reader.next("")
    reader.end = min(reader.end, reader.start + total)
    _options(reader, reader.start + header)
    return _followed(reader, summary, protocol, fragment & 0x1FFF, _ONLY_IPV6)


def _flags(bits: int) -> str:
    names = [name for bit, name in ((4, "reserved"), (2, "don't fragment"), (1, "more fragments")) if bits & bit]
    return ", ".join(names) or "none"


def _options(reader: Reader, end: int) -> None:
    """IPv4's, each as it says how long it is."""
    while reader.at < end:
        kind = reader.take(1)[0]
        size = 1
        if kind > 1:
            size = reader.take(1)[0]
            reader.take(max(0, min(size - 2, end - reader.at)))
            size = max(2, size)
        began = min(size, reader.at - reader.start)
        reader.note(
            f"option {_OPTIONS.get(kind, kind)}", hexadecimal(reader.data[reader.at - began : reader.at]), began
        )
        if kind == 0:  # padding up to the end of the header
            reader.take(end - reader.at)


def _followed(
    reader: Reader, summary: Summary, protocol: int, fragment: int, excluded: set[int] | frozenset[int] = frozenset()
) -> Next | None:
    """What an IP packet carries; of a fragment other than the first, the header isn't there."""
    if fragment:
        summary.say(f"ip-proto-{protocol}")
        return reader.next("")
    key = PROTOCOLS.get(protocol, "") if protocol not in excluded else ""
    if not key:
        summary.say(f"{_NAMES.get(protocol, f'ip-proto-{protocol}')}, length {reader.left}")
    return reader.next(key)


def ipv6(reader: Reader, summary: Summary) -> Next | None:
    """RFC 8200. A payload length of 0 is that of a packet which the device will cut into several, or a jumbogram."""
    first = reader.number("version", 4, lambda word: str(word >> 28))
    if first >> 28 != 6:
        summary.say(f"IP6 version {first >> 28}, not 6")
        return reader.next("")
    reader.note("traffic class", first >> 20 & 0xFF, 4)
    reader.note("flow label", f"0x{first & 0xFFFFF:05x}", 4)
    length = reader.number("payload length", 2)
    following = reader.number("next header", 1, named(_NAMES))
    reader.number("hop limit", 1)
    source = reader.text("source", 16, address6)
    destination = reader.text("destination", 16, address6)
    summary.ends("IP6", source, destination)
    if length:
        reader.end = min(reader.end, reader.at + length)
    return _followed(reader, summary, following, 0)


def address6(raw: bytes) -> str:
    """2001:db8::1."""
    return socket.inet_ntop(socket.AF_INET6, raw)


def hop_by_hop(reader: Reader, summary: Summary) -> Next | None:
    """RFC 8200, 4.3."""
    return _extension(reader, summary, "HBH ")


def destination_options(reader: Reader, summary: Summary) -> Next | None:
    """RFC 8200, 4.6."""
    return _extension(reader, summary, "DSTOPT ")


def routing(reader: Reader, summary: Summary) -> Next | None:
    """RFC 8200, 4.4."""
    following, size = _lengths(reader)
    kind, left = reader.number("routing type", 1), reader.number("segments left", 1)
    summary.say(f"RT6 (len={size // 8 - 1}, type={kind}, segleft={left}) ")
    reader.text("data", size - 4, hexadecimal)
    return _followed(reader, summary, following, 0)


def _extension(reader: Reader, summary: Summary, words: str) -> Next | None:
    following, size = _lengths(reader)
    summary.say(words)
    reader.text("options", size - 2, hexadecimal)
    return _followed(reader, summary, following, 0)


def _lengths(reader: Reader) -> tuple[int, int]:
    """What follows an extension header, and how many bytes it has."""
    following = reader.number("next header", 1, named(_NAMES))
    return following, 8 * (1 + reader.number("header length", 1, lambda units: f"{8 * (1 + units)} bytes"))


def fragment6(reader: Reader, summary: Summary) -> Next | None:
    """RFC 8200, 4.5."""
    following = reader.number("next header", 1, named(_NAMES))
    reader.take(1)
    word = reader.number("fragment offset", 2, lambda word: str(word & 0xFFF8))
    reader.note("more fragments", "yes" if word & 1 else "no", 2)
    reader.number("identification", 4, hex_number(8))
    summary.say(f"frag ({word & 0xFFF8}|{reader.left})")
    if word & 0xFFF8:
        return reader.next("")
    summary.say(" ")
    return _followed(reader, summary, following, 0)


def ah(reader: Reader, summary: Summary) -> Next | None:
    """RFC 4302."""
    following = reader.number("next header", 1, named(_NAMES))
    size = 4 * (2 + reader.number("header length", 1, lambda units: f"{4 * (2 + units)} bytes"))
    reader.take(2)
    spi, sequence = reader.number("SPI", 4, hex_number(8)), reader.number("sequence", 4)
    check = reader.text("integrity check", size - 12, hexadecimal)
    summary.say(f"AH(spi=0x{spi:08x},seq=0x{sequence:x},icv={check}): ")
    return _followed(reader, summary, following, 0)


def esp(reader: Reader, summary: Summary) -> Next | None:
    """RFC 4303: the rest is encrypted."""
    length = reader.left
    spi, sequence = reader.number("SPI", 4, hex_number(8)), reader.number("sequence", 4)
    summary.say(f"ESP(spi=0x{spi:08x},seq=0x{sequence:x}), length {length}")
    return reader.next("")
