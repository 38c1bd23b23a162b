"""From one header to the next, as long as they are known."""

from typing import Final

from tui.collectors.packet_text import dns, icmp, internet, link, transport, tunnels
from tui.collectors.packet_text.reader import Cut, Field, Layer, Next, Protocol, Reader, Summary
from tui.collectors.samples import PacketRecord

PROTOCOLS: Final = {
    "ethernet": Protocol("Ethernet", "ether", link.ethernet),
    "vlan": Protocol("VLAN", "vlan", link.vlan),
    "arp": Protocol("ARP", "arp", link.arp),
    "ip": Protocol("IP", "ip", internet.ip),
    "ipv4": Protocol("IPv4", "ip", internet.ipv4),
    "ipv6": Protocol("IPv6", "ip6", internet.ipv6),
    "hop-by-hop": Protocol("IPv6 hop-by-hop options", "hbhopt", internet.hop_by_hop),
    "options": Protocol("IPv6 destination options", "dstopt", internet.destination_options),
    "routing": Protocol("IPv6 routing", "srcrt", internet.routing),
    "fragment": Protocol("IPv6 fragment", "frag", internet.fragment6),
    "ah": Protocol("AH", "AH", internet.ah),
    "esp": Protocol("ESP", "ESP", internet.esp),
    "icmp": Protocol("ICMP", "icmp", icmp.icmp),
    "icmpv6": Protocol("ICMPv6", "icmp6", icmp.icmpv6),
    "tcp": Protocol("TCP", "tcp", transport.tcp),
    "udp": Protocol("UDP", "udp", transport.udp),
    "dns": Protocol("DNS", "domain", dns.dns),
    "gre": Protocol("GRE", "gre", tunnels.gre),
    "vxlan": Protocol("VXLAN", "VXLAN", tunnels.vxlan),
    "geneve": Protocol("Geneve", "geneve", tunnels.geneve),
    "wireguard": Protocol("WireGuard", "wireguard", tunnels.wireguard),
}
_FIRST: Final = {1: "ethernet", 101: "ip", 228: "ipv4", 229: "ipv6"}  # by LINKTYPE_…
_QUOTED: Final = {"ipv4 quoted": "ipv4", "ipv6 quoted": "ipv6"}  # the beginning of a packet: layers, but nothing to say
_MOST: Final = 40  # layers; somebody who nests more means no good


def summary(record: PacketRecord) -> str:
    """The packet in one line, as `tcpdump -n -S` has it, with the number of its VLAN in front. Never raises."""
    return _walked(record)[0]


def layers(record: PacketRecord) -> tuple[Layer, ...]:
    """What the packet is made of, from the outside in; every byte that was kept lies in a layer. Never raises."""
    return _walked(record)[1]


def _walked(record: PacketRecord) -> tuple[str, tuple[Layer, ...]]:
    said = Summary()
    data = record.data
    found: list[Layer] = _tag_aside(record, said)
    following: Next | None = Next(_FIRST.get(record.link_type, ""), 0, max(record.length, len(data)))
    telling = said
    while following and len(found) < _MOST:
        quoted = following.protocol in _QUOTED
        protocol = PROTOCOLS.get(_QUOTED.get(following.protocol, following.protocol))
        if protocol is None:
            break
        telling = Summary() if quoted else telling
        reader = Reader(data, following.start, following.end)
        following = _step(protocol, reader, telling)
        name = f"{protocol.name}, quoted" if telling is not said else protocol.name
        if reader.at > reader.start or reader.fields:
            found.append(Layer(name, reader.start, reader.at - reader.start, tuple(reader.fields)))
    end = found[-1].offset + found[-1].size if found else 0
    end = max(end, following.start) if following else end
    return said.line or f"link type {record.link_type}, length {record.length}", (*found, *_rest(data, end, following))


def _step(protocol: Protocol, reader: Reader, telling: Summary) -> Next | None:
    """Read one header; None where the packet ends in it."""
    try:
        return protocol.parse(reader, telling)
    except Cut:
        telling.cut(protocol.short)
        kept = len(reader.data) < reader.end
        why = "the rest was not kept" if kept else "the packet ends within this header"
        reader.fields.append(Field("cut", why, min(reader.at, len(reader.data)), 0))
        return None


def _tag_aside(record: PacketRecord, telling: Summary) -> list[Layer]:
    """The VLAN tag that the kernel took out of the header."""
    if not record.vlan_tpid:
        return []
    telling.say(link.tag_words(record.vlan_tci))
    shown = (("type", link.type_name(record.vlan_tpid)), *link.tag_parts(record.vlan_tci))
    return [Layer("VLAN, taken out of the header", 0, 0, tuple(Field(name, value, 0, 0) for name, value in shown))]


def _rest(data: bytes, start: int, following: Next | None) -> list[Layer]:
    """What is carried, and what lies behind it: short frames are filled up."""
    end = min(len(data), max(start, following.end)) if following else len(data)
    parts = (("Data", start, end), ("Padding", end, len(data)))
    return [Layer(name, first, last - first, ()) for name, first, last in parts if last > first]
