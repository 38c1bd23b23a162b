"""Packets as a pcap file, with nanoseconds, which Wireshark and tcpdump open.

The format is that of pcap-savefile(5). A VLAN tag that the kernel took out of the header is put back where it was, as
libpcap does it when it captures.
"""

import struct
from collections.abc import Sequence
from typing import Final

from tui.collectors.samples import PacketRecord
from tui.export import whole

ETHERNET, RAW_IP = 1, 101  # LINKTYPE_…
_MAGIC: Final = 0xA1B23C4D  # times in nanoseconds
_FILE: Final = struct.Struct("<IHHiIII")  # magic, version 2.4, zone, accuracy, snapshot length, link type
_PACKET: Final = struct.Struct("<IIII")  # seconds, nanoseconds, bytes here, bytes on the wire
_TAG: Final = struct.Struct(">HH")
_ADDRESSES: Final = 12  # bytes in front of the type in an Ethernet header
_SNAPSHOT: Final = 262_144  # tcpdump's own, the most that Wireshark takes


def encode(records: Sequence[PacketRecord]) -> bytes:
    """The file's bytes.

    A file has one type of link. Where only some packets have an Ethernet header, the others get one with addresses of
    nought, as those of the loopback interface have.
    """
    link = RAW_IP if records and all(record.link_type == RAW_IP for record in records) else ETHERNET
    parts = [_FILE.pack(_MAGIC, 2, 4, 0, 0, _SNAPSHOT, link)]
    for record in records:
        data, length = _framed(record, link)
        data = data[:_SNAPSHOT]
        seconds, nanoseconds = divmod(record.time_ns, 1_000_000_000)
        parts += [_PACKET.pack(seconds & 0xFFFFFFFF, nanoseconds, len(data), max(length, len(data))), data]
    return b"".join(parts)


def write(path: str, records: Sequence[PacketRecord]) -> None:
    """Writes the file, which only its owner can read. Raises BpfscopeError."""
    whole.write(path, encode(records), whole.PRIVATE)


def _framed(record: PacketRecord, link: int) -> tuple[bytes, int]:
    """The packet's bytes as they were on the wire, and its whole length."""
    data, length = record.data, record.length
    if record.link_type == RAW_IP != link:
        protocol = 0x86DD if data[:1] and data[0] >> 4 == 6 else 0x0800
        data, length = bytes(_ADDRESSES) + protocol.to_bytes(2, "big") + data, length + _ADDRESSES + 2
    if record.vlan_tpid and link == ETHERNET and len(data) >= _ADDRESSES:
        tag = _TAG.pack(record.vlan_tpid, record.vlan_tci)
        data, length = data[:_ADDRESSES] + tag + data[_ADDRESSES:], length + _TAG.size
    return data, length
