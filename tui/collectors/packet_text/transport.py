"""TCP with its options, UDP, and what its ports tell of what it carries."""

from collections.abc import Callable
from typing import Final

from tui.collectors.packet_text.reader import Next, Reader, Summary, hex_number, hexadecimal

_SYN, _FIN, _RST, _ACK, _URG = 0x02, 0x01, 0x04, 0x10, 0x20
_LETTERS: Final = (
    (0x01, "F"),
    (0x02, "S"),
    (0x04, "R"),
    (0x08, "P"),
    (0x10, "."),
    (0x20, "U"),
    (0x40, "E"),
    (0x80, "W"),
)
_NAMES: Final = (
    (0x80, "CWR"),
    (0x40, "ECE"),
    (0x20, "URG"),
    (0x10, "ACK"),
    (0x08, "PSH"),
    (0x04, "RST"),
    (0x02, "SYN"),
    (0x01, "FIN"),
)
_APPLICATIONS: Final = {
    53: "dns",
    5353: "dns",
    4789: "vxlan",
    6081: "geneve",
    51820: "wireguard",
}  # IANA's; WireGuard's


def tcp(reader: Reader, summary: Summary) -> Next | None:
    """RFC 9293. Sequence numbers are the packet's own, as `tcpdump -S` has them."""
    _ports(reader, summary)
    sequence, acknowledged = reader.number("sequence", 4), reader.number("acknowledgement", 4)
    word = reader.number("header length", 2, lambda word: str((word >> 12) * 4))
    header, flags = (word >> 12) * 4, word & 0xFF
    reader.note("flags", " ".join(name for bit, name in _NAMES if flags & bit) or "none", 2)
    window = reader.number("window", 2)
    reader.number("checksum", 2, hex_number(4))
    urgent = reader.number("urgent pointer", 2)
    length = reader.end - reader.start - header
    said = [f"Flags [{''.join(letter for bit, letter in _LETTERS if flags & bit) or 'none'}]"]
    if header < 20 or length < 0:
        summary.say(f"{said[0]}, bad header length {header}")
        return reader.next("")
    if length or flags & (_SYN | _FIN | _RST):
        said.append(f"seq {sequence}" + (f":{(sequence + length) & 0xFFFFFFFF}" if length else ""))
    said += [f"ack {acknowledged}"] if flags & _ACK else []
    said.append(f"win {window}")
    said += [f"urg {urgent}"] if flags & _URG else []
    summary.say(", ".join(said))  # also where the options weren't kept
    if header > 20:
        summary.say(f", options [{','.join(_options(reader, reader.start + header))}]")
    summary.say(f", length {length}")
    return reader.next("")


def _ports(reader: Reader, summary: Summary) -> tuple[int, int]:
    source, destination = reader.number("source port", 2), reader.number("destination port", 2)
    summary.ports(source, destination)
    return source, destination


def _number(raw: bytes) -> str:
    return str(int.from_bytes(raw, "big"))


def _blocks(raw: bytes) -> str:
    pairs = [(raw[at : at + 4], raw[at + 4 : at + 8]) for at in range(0, len(raw), 8)]
    return f"{len(pairs)} {''.join(f'{{{_number(left)}:{_number(right)}}}' for left, right in pairs)}"


def _times(raw: bytes) -> str:
    return f"val {_number(raw[:4])} ecr {_number(raw[4:])}"


_OPTIONS: Final[dict[int, tuple[str, Callable[[int], bool], Callable[[bytes], str]]]] = {
    2: ("mss", lambda size: size == 2, _number),
    3: ("wscale", lambda size: size == 1, _number),
    4: ("sackOK", lambda size: size == 0, lambda _: ""),
    5: ("sack", lambda size: size > 0 and size % 8 == 0, _blocks),
    8: ("TS", lambda size: size == 8, _times),
}  # by kind: the name, which sizes make sense, and how the value is shown


def _options(reader: Reader, end: int) -> list[str]:
    """Each option in words; the last says it where they don't fit into the header."""
    words: list[str] = []
    while reader.at < end:
        kind = reader.take(1)[0]
        if kind < 2:
            words.append("nop" if kind else "eol")
            reader.note(f"option {words[-1]}", "", 1)
            if kind == 0:
                reader.take(end - reader.at)
            continue
        size = reader.take(1)[0]
        if size < 2 or reader.at + size - 2 > end:
            reader.take(end - reader.at)
            return [*words, "bad opt"]
        raw = reader.take(size - 2)
        name, fits, show = _OPTIONS.get(kind, (f"unknown-{kind}", lambda _: True, hexadecimal))
        value = show(raw) if fits(len(raw)) else f"invalid {hexadecimal(raw)}"
        reader.note(f"option {name}", value, size)
        words.append(f"{name} {value}".rstrip())
    return words


def udp(reader: Reader, summary: Summary) -> Next | None:
    """RFC 768. A length that can't be is said; what it carries is told by a port only if it looks like that, too."""
    available = reader.left - 8
    ports = _ports(reader, summary)
    length = reader.number("length", 2) - 8
    reader.number("checksum", 2, hex_number(4))
    if length < 0:
        summary.say(f"truncated-udplength {length + 8}")
        return reader.next("")
    reader.end = min(reader.end, reader.at + length)
    application = next((_APPLICATIONS[port] for port in ports if port in _APPLICATIONS), "")
    if application and _LOOKS[application](reader.peek(12), length):
        return reader.next(application)
    summary.say(f"UDP, length {length}" if length <= available else f"UDP, bad length {length} > {available}")
    return reader.next("")


def _like_wireguard(raw: bytes, length: int) -> bool:
    """The four messages, by type, the three bytes of nought behind it, and size: WireGuard's protocol page."""
    if raw[1:4] != b"\0\0\0":
        return False
    return length == {1: 148, 2: 92, 3: 64}.get(raw[0]) or (raw[0] == 4 and length >= 32 and length % 16 == 0)


_LOOKS: Final[dict[str, Callable[[bytes, int], bool]]] = {
    "dns": lambda raw, length: len(raw) == 12 <= length,
    "vxlan": lambda raw, length: len(raw) >= 8 <= length and raw[0] & 0x08 != 0,
    "geneve": lambda raw, length: len(raw) >= 8 <= length and raw[0] >> 6 == 0,
    "wireguard": _like_wireguard,
}  # the first 12 bytes, fewer where there aren't, and how many there should be
