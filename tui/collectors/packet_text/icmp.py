"""ICMP and ICMPv6, with what they say of the packet that caused them."""

import socket
from typing import Final

from tui.collectors.packet_text.internet import address6
from tui.collectors.packet_text.reader import Next, Reader, Summary, hex_number, named

_ECHOES: Final = {0: "echo reply", 8: "echo request"}
_UNREACHABLE, _QUENCH, _REDIRECT, _EXCEEDED, _PARAMETER = 3, 4, 5, 11, 12
_TYPES: Final = _ECHOES | {
    3: "destination unreachable",
    4: "source quench",
    5: "redirect",
    9: "router advertisement",
    10: "router solicitation",
    11: "time exceeded",
    12: "parameter problem",
    13: "time stamp query",
    14: "time stamp reply",
    17: "address mask request",
    18: "address mask reply",
    42: "extended echo request",
    43: "extended echo reply",
}
_ERRORS: Final = {3, 4, 5, 11, 12}  # these carry the beginning of a packet
_ECHOES6: Final = {128: "echo request", 129: "echo reply"}
_TYPES6: Final = _ECHOES6 | {
    1: "destination unreachable",
    2: "packet too big",
    3: "time exceeded",
    4: "parameter problem",
    130: "multicast listener query",
    131: "multicast listener report",
    132: "multicast listener done",
    133: "router solicitation",
    134: "router advertisement",
    135: "neighbor solicitation",
    136: "neighbor advertisement",
    137: "redirect",
    143: "multicast listener report v2",
}
_UNREACHABLES: Final = {
    0: "net {} unreachable",
    1: "host {} unreachable",
    5: "{} unreachable - source route failed",
    6: "net {} unreachable - unknown",
    7: "host {} unreachable - unknown",
    9: "net {} unreachable - admin prohibited",
    10: "host {} unreachable - admin prohibited",
    11: "net {} unreachable - tos prohibited",
    12: "host {} unreachable - tos prohibited",
    13: "host {} unreachable - admin prohibited filter",
    14: "host {} unreachable - host precedence violation",
    15: "host {} unreachable - precedence cutoff",
}  # by code
_ABOUT6: Final = {135: "who has", 136: "tgt is"}
_UNREACHABLES6: Final = {
    0: "unreachable route {}",
    1: "unreachable prohibited {}",
    2: "beyond scope {}",
    3: "unreachable address {}",
    4: "unreachable port, {} {}",
}  # by code
_TRANSPORTS: Final = {6: "tcp", 17: "udp"}


def icmp(reader: Reader, summary: Summary) -> Next | None:
    """RFC 792."""
    length = reader.left
    kind, code = reader.number("type", 1, named(_TYPES)), reader.number("code", 1)
    reader.number("checksum", 2, hex_number(4))
    if kind in _ECHOES:
        what = f"{_ECHOES[kind]}, {_echo(reader)}"
    else:
        rest = reader.number("rest of the header", 4, hex_number(8))
        what = _said(kind, code, rest, reader.peek(60))
    summary.say(f"ICMP {what}, length {length}")
    return reader.next("ipv4 quoted" if kind in _ERRORS else "")


def _echo(reader: Reader) -> str:
    return f"id {reader.number('identification', 2)}, seq {reader.number('sequence', 2)}"


def _said(kind: int, code: int, rest: int, quoted: bytes) -> str:
    destination = socket.inet_ntoa(quoted[16:20]) if len(quoted) >= 20 else "?"
    if kind == _UNREACHABLE:
        return _unreachable(code, rest, quoted, destination)
    if kind == _REDIRECT:
        router = socket.inet_ntoa(rest.to_bytes(4, "big"))
        return f"redirect {destination} to {'host' if code in (1, 3) else 'net'} {router}"
    if kind == _EXCEEDED:
        words = {0: "time exceeded in-transit", 1: "ip reassembly time exceeded"}
        return words.get(code, f"time exceeded-#{code}")
    if kind == _PARAMETER:
        return f"parameter problem - octet {rest >> 24}"
    return _TYPES.get(kind, f"type-#{kind}")


def _unreachable(code: int, rest: int, quoted: bytes, destination: str) -> str:
    if code == 2:
        return f"{destination} protocol {quoted[9] if len(quoted) > 9 else '?'} unreachable"
    if code == 3:
        return f"{destination} {_port(quoted)} unreachable"
    if code == 4:
        mtu = f" (mtu {rest & 0xFFFF})" if rest & 0xFFFF else ""
        return f"{destination} unreachable - need to frag{mtu}"
    return _UNREACHABLES.get(code, f"{{}} unreachable (code {code})").format(destination)


def _port(quoted: bytes) -> str:
    """The port of a quoted IPv4 packet: udp port 53."""
    at = (quoted[0] & 15) * 4 if quoted else 0
    return _named_port(quoted[9], quoted[at + 2 : at + 4]) if len(quoted) >= max(20, at) + 4 else "port ?"


def _named_port(protocol: int, port: bytes) -> str:
    return f"{_TRANSPORTS.get(protocol, f'protocol {protocol}')} port {int.from_bytes(port, 'big')}"


def icmpv6(reader: Reader, summary: Summary) -> Next | None:
    """RFC 4443, and of RFC 4861 who is looked for."""
    length = reader.left
    kind, code = reader.number("type", 1, named(_TYPES6)), reader.number("code", 1)
    reader.number("checksum", 2, hex_number(4))
    what = _TYPES6.get(kind, f"unknown icmp6 type ({kind})")
    if kind in _ECHOES6:
        what += f", {_echo(reader)}"
    elif kind in _TYPES6:
        rest = reader.number("rest of the header", 4, hex_number(8))
        if kind in _ABOUT6:
            what += f", {_ABOUT6[kind]} {reader.text('target', 16, address6)}"
        elif kind < 128:
            what += _said6(kind, code, rest, reader.peek(44))
    summary.say(f"ICMP6, {what}, length {length}")
    return reader.next("ipv6 quoted" if kind < 128 else "")


def _said6(kind: int, code: int, rest: int, quoted: bytes) -> str:
    destination = address6(quoted[24:40]) if len(quoted) >= 40 else "?"
    if kind == 1:
        port = _named_port(quoted[6], quoted[42:44]) if len(quoted) >= 44 else "port ?"
        return f", {_UNREACHABLES6.get(code, f'code {code}, {{}}').format(destination, port)}"
    if kind == 2:
        return f", mtu {rest}"
    if kind == 3:
        return " in-transit (reassembly)" if code else f" in-transit for {destination}"
    return f", octet {rest}"
