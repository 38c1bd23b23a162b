"""DNS, briefly: what is asked, and how it was answered. Names are text from outside."""

import socket
from collections.abc import Callable
from typing import Final

from tui.collectors.packet_text.internet import address6
from tui.collectors.packet_text.reader import Cut, Next, Reader, Summary, hex_number
from tui.text import sanitise

_TYPES: Final = {
    1: "A",
    2: "NS",
    5: "CNAME",
    6: "SOA",
    12: "PTR",
    15: "MX",
    16: "TXT",
    28: "AAAA",
    33: "SRV",
    35: "NAPTR",
    41: "OPT",
    43: "DS",
    46: "RRSIG",
    48: "DNSKEY",
    64: "SVCB",
    65: "HTTPS",
    252: "AXFR",
    255: "ANY",
    257: "CAA",
}
_CODES: Final = {0: "", 1: " FormErr", 2: " ServFail", 3: " NXDomain", 4: " NotImp", 5: " Refused"}
_JUMPS: Final = 16  # within one name; each may only lead backwards
_LONGEST: Final = 255  # bytes of a name: RFC 1035, 3.1
_ANSWERS: Final = 4  # that are told


def dns(reader: Reader, summary: Summary) -> Next | None:
    """RFC 1035: the header, the questions, some of the answers."""
    begin, length = reader.at, reader.left
    identification = reader.number("identification", 2)
    flags = reader.number("flags", 2, hex_number(4))
    counts = [reader.number(name, 2) for name in ("questions", "answers", "authorities", "additional")]
    answer = bool(flags & 0x8000)
    signs = "*" * (answer and bool(flags & 0x0400)) + "|" * bool(flags & 0x0200)
    signs += "-" * (not flags & 0x0080) if answer else "+" * bool(flags & 0x0100)
    said = f"{identification}{_CODES.get(flags & 15, f' code {flags & 15}') if answer else ''}{signs}"
    parts = []
    try:
        questions = [_question(reader, begin) for _ in range(min(counts[0], _ANSWERS))]
        if answer:
            parts.append("/".join(map(str, counts[1:])))
            parts.append(", ".join(_record(reader, begin) for _ in range(min(counts[1], _ANSWERS))))
        else:
            parts += [f"{kind}? {name}." for kind, name in questions]
    except Cut:
        parts.append("[|domain]")
    summary.say(" ".join([said, *filter(None, parts), f"({length})"]))
    return reader.next("")


def _question(reader: Reader, begin: int) -> tuple[str, str]:
    name = _read_name(reader, begin, "question")
    kind = reader.number("question's type", 2, _type)
    reader.number("question's class", 2)
    return _type(kind), name


def _record(reader: Reader, begin: int) -> str:
    """An answer in words: A 192.0.2.1."""
    _read_name(reader, begin, "name")
    kind = reader.number("type", 2, _type)
    reader.number("class", 2)
    reader.number("time to live", 4)
    size = reader.number("length", 2)
    after = reader.at + size
    value = ""
    if size == _SIZES.get(kind, (size + 1, None))[0]:
        value = reader.text("address", size, _SIZES[kind][1])
    elif kind in (2, 5, 12):
        value = f"{_read_name(reader, begin, 'value')}."
    if reader.at <= after:
        reader.take(after - reader.at)
    return f"{_type(kind)} {value}".rstrip()


_SIZES: Final[dict[int, tuple[int, Callable[[bytes], str]]]] = {1: (4, socket.inet_ntoa), 28: (16, address6)}


def _type(number: int) -> str:
    return _TYPES.get(number, f"Type{number}")


def _read_name(reader: Reader, begin: int, what: str) -> str:
    """The name that begins here; its labels may go on further to the front of the message. Raises Cut."""
    name, size = _name(reader.data[begin : max(begin, reader.end)], reader.at - begin)
    reader.take(size)
    reader.note(what, name, size)
    return name


def _name(message: bytes, at: int) -> tuple[str, int]:
    """A name, and the bytes that it takes where it begins. Raises Cut."""
    labels: list[str] = []
    size = total = 0  # of what was read here; of all labels
    jumps, here = 0, at
    while at < len(message):
        length = message[at]
        if length >= 0xC0:
            target = int.from_bytes(message[at : at + 2], "big") & 0x3FFF
            size = size or at + 2 - here
            jumps += 1
            if target >= at or jumps > _JUMPS:
                raise Cut
            at = target
            continue
        if length >= 0x40 or total + length > _LONGEST:
            raise Cut
        at += 1 + length
        total += 1 + length
        if length == 0:
            return ".".join(labels), size or at - here
        labels.append(_label(message[at - length : at]))
    raise Cut


def _label(raw: bytes) -> str:
    return sanitise(raw.decode("utf-8", "replace")).replace(".", "\\.")
