"""What a filter sees: a packet's bytes, and what the kernel knows of it besides."""

from typing import Final, NamedTuple


class Ancillary(NamedTuple):
    """What Linux tells beside the bytes. By default an Ethernet frame, of which nothing is known."""

    protocol: int = 0  # EtherType
    pkttype: int = 0  # to us 0, broadcast 1, multicast 2, to somebody else 3, outgoing 4
    ifindex: int = 0  # 0: the packet has no interface
    mark: int = 0
    queue: int = 0
    hatype: int = 1  # ARPHRD_…
    rxhash: int = 0
    cpu: int = 0
    vlan_tci: int = 0
    vlan_present: int = 0
    vlan_tpid: int = 0
    random: int = 0
    payload_offset: int = 0
    link_offset: int | None = 0  # where in the data the link-layer header begins; None if the packet has none
    network_offset: int = 14  # where the network header begins


NOTHING_KNOWN: Final = Ancillary()


class Packet(NamedTuple):
    """One packet: what was captured of it, and how long it was on the wire."""

    data: bytes
    length: int
    ancillary: Ancillary = NOTHING_KNOWN

    @classmethod
    def whole(cls, data: bytes, ancillary: Ancillary = NOTHING_KNOWN) -> "Packet":
        """One that was captured to its end."""
        return cls(data, len(data), ancillary)
