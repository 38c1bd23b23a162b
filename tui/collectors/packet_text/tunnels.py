"""Packets in packets: GRE, VXLAN, Geneve; and WireGuard, whose content nobody sees."""

from typing import Final

from tui.collectors.packet_text.link import TYPES, type_name
from tui.collectors.packet_text.reader import Next, Reader, Summary, hex_number, hexadecimal, named

_CHECKSUM, _ROUTING, _KEY, _SEQUENCE = 0x8000, 0x4000, 0x2000, 0x1000  # RFC 2784, 2890
_ACKNOWLEDGEMENT: Final = 0x0080  # RFC 2637, version 1
_MESSAGES: Final = {1: "handshake initiation", 2: "handshake response", 3: "cookie reply", 4: "data"}


def gre(reader: Reader, summary: Summary) -> Next | None:
    """RFC 2784 with RFC 2890; of version 1 (PPTP, RFC 2637) the header."""
    length = reader.left
    flags = reader.number("flags", 2, hex_number(4))
    version = flags & 7
    reader.note("version", version, 2)
    kind = reader.number("type", 2, type_name)
    said = [f"GREv{version}"]
    if version == 0 and flags & (_CHECKSUM | _ROUTING):
        reader.number("checksum", 2, hex_number(4))
        reader.take(2)
    if flags & _KEY:
        said.append(f"key=0x{reader.number('key', 4, hex_number(1)):x}")
    if flags & _SEQUENCE:
        said.append(f"seq {reader.number('sequence', 4)}")
    if version == 1 and flags & _ACKNOWLEDGEMENT:
        said.append(f"ack {reader.number('acknowledgement', 4)}")
    summary.say(f"{', '.join(said)}, length {length}: ")
    key = "" if version or flags & _ROUTING else TYPES.get(kind, "")
    if not key:
        summary.say(f"gre-proto-0x{kind:x}")
    return reader.next(key)


def vxlan(reader: Reader, summary: Summary) -> Next | None:
    """RFC 7348."""
    flags = reader.number("flags", 1, hex_number(2))
    reader.take(3)
    network = reader.number("network", 3)
    reader.take(1)
    summary.say(f"VXLAN, flags [{'I' if flags & 8 else '.'}] (0x{flags:02x}), vni {network}: ")
    return reader.next("ethernet")


def geneve(reader: Reader, summary: Summary) -> Next | None:
    """RFC 8926."""
    words = reader.number("options", 1, lambda byte: f"{4 * (byte & 63)} bytes") & 63
    flags = reader.number("flags", 1, hex_number(2))
    kind = reader.number("type", 2, type_name)
    network = reader.number("network", 3)
    reader.take(1)
    reader.text("option data", 4 * words, hexadecimal)
    letters = "".join(letter for bit, letter in ((0x80, "O"), (0x40, "C")) if flags & bit) or "none"
    summary.say(f"Geneve, Flags [{letters}], vni 0x{network:x}: ")
    key = TYPES.get(kind, "")
    if not key:
        summary.say(f"geneve-proto-0x{kind:x}")
    return reader.next(key)


def wireguard(reader: Reader, summary: Summary) -> Next | None:
    """The message's type and the numbers of its ends: the rest is encrypted."""
    length = reader.left
    kind = reader.number("type", 1, named(_MESSAGES))
    reader.take(3)
    reader.number("receiver" if kind > 2 else "sender", 4, hex_number(8))
    summary.say(f"WireGuard, {_MESSAGES[kind]}, length {length}")
    return reader.next("")
