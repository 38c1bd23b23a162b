"""What a network's packets carry, by chance: from the network header down to the ports. The dice decide everything."""

import struct
from random import Random

from tests import headers as h

Dice = Random


def network(dice: Dice, depth: int = 0) -> tuple[int, bytes]:
    """An EtherType and what it announces."""
    kinds = (_ipv4, _ipv6, _arp, _tagged, _mpls, _pppoe, _other)
    weights = (40, 25, 5, 12 if depth < 3 else 0, 5 if depth < 3 else 0, 4 if depth < 3 else 0, 4)
    (make,) = dice.choices(kinds, weights)
    return make(dice, depth)


def internet(dice: Dice, depth: int = 0) -> tuple[int, bytes]:
    """An IPv4 or IPv6 packet, and its EtherType."""
    return (_ipv4 if dice.random() < 0.6 else _ipv6)(dice, depth)


def _ipv4(dice: Dice, depth: int) -> tuple[int, bytes]:
    protocol, payload = transport(dice, depth, h.ICMP)
    packet = h.ipv4(
        protocol,
        payload,
        dice.choice(h.IPV4),
        dice.choice(h.IPV4),
        options=dice.randbytes(dice.choice((0, 0, 0, 4, 11, 40))),
        fragment=dice.choice((0, 0, 0, 0x4000, 0x2000, 0x2005, 0x0005, 0x1FFF)),
        ttl=dice.randrange(256),
        tos=dice.choice((0, 0, 0x10, 0xB8)),
    )
    return h.IP, packet


def _ipv6(dice: Dice, depth: int) -> tuple[int, bytes]:
    protocol, payload = transport(dice, depth, h.ICMP6)
    chain = dice.choices(h.EXTENSIONS, k=dice.choice((0, 0, 0, 1, 2, 3, 9)))
    addresses = dice.choice(h.IPV6), dice.choice(h.IPV6)
    return h.IPV6_TYPE, h.ipv6(protocol, payload, *addresses, extensions=chain, hops=dice.randrange(256))


def _arp(dice: Dice, _: int) -> tuple[int, bytes]:
    message = h.arp(dice.choice(h.IPV4), dice.choice(h.IPV4), dice.choice((1, 2, 3)))
    return dice.choice((h.ARP, h.ARP, h.RARP)), message + bytes(18)


def _tagged(dice: Dice, depth: int) -> tuple[int, bytes]:
    kind, payload = network(dice, depth + 1)
    tag = h.vlan(dice.choice(h.VLANS), kind, payload, dice.randrange(8))
    return dice.choice((h.VLAN, h.VLAN, h.VLAN, h.QINQ, h.OLD_QINQ)), tag


def _mpls(dice: Dice, depth: int) -> tuple[int, bytes]:
    labels = dice.choices(h.MPLS_LABELS, k=dice.choice((1, 1, 2, 3)))
    return h.MPLS, h.mpls(labels, internet(dice, depth + 1)[1])


def _pppoe(dice: Dice, depth: int) -> tuple[int, bytes]:
    if dice.random() < 0.2:
        return h.PPPOE_DISCOVERY, struct.pack(">BBHHHH", 0x11, 9, 0, 4, 0x0101, 0)
    kind, payload = internet(dice, depth + 1)
    protocol = {h.IP: 0x21, h.IPV6_TYPE: 0x57}[kind]
    return h.PPPOE_SESSION, h.pppoe(dice.choice(h.SESSIONS), protocol, payload)


def _other(dice: Dice, _: int) -> tuple[int, bytes]:
    kind = dice.choice((0x6001, 0x6002, 0x6003, 0x6004, 0x6007, 0x809B, 0x80F3, 0x8137, 0x88CC, 0x9000))
    return kind, decnet(dice) if kind == 0x6003 else dice.randbytes(dice.randrange(60))


def decnet(dice: Dice) -> bytes:
    """A DECnet packet: a short or a long header, with or without a byte of padding in front."""
    source, destination = (struct.pack("<H", dice.choice(h.DECNET)) for _ in range(2))
    short = b"\x02" + destination + source + b"\0"
    long = b"\x06" + bytes(6) + destination + bytes(6) + source + bytes(4)
    return struct.pack("<H", 40) + dice.choice((b"", b"\x81")) + dice.choice((short, long)) + bytes(20)


def transport(dice: Dice, depth: int, icmp: int) -> tuple[int, bytes]:
    """An IP protocol and what it announces; `icmp` is the one that this IP has."""
    kinds = (_tcp, _udp, _sctp, _tunnel)
    (make,) = dice.choices((*kinds, _control), (45, 30, 6, 8 if depth < 2 else 0, 11))
    return make(dice, depth) if make is not _control else _control(dice, icmp)


def _port(dice: Dice) -> int:
    return dice.choice(h.PORTS) if dice.random() < 0.8 else dice.randrange(65536)


def _payload(dice: Dice) -> bytes:
    return dice.randbytes(dice.choice((0, 0, 1, 5, 18, 64, 200)))


def _tcp(dice: Dice, _: int) -> tuple[int, bytes]:
    flags = dice.choice((0x02, 0x12, 0x10, 0x18, 0x11, 0x04, 0x14, 0x38, 0xC2, dice.randrange(256)))
    options = dice.randbytes(dice.choice((0, 0, 12, 40)))
    return h.TCP, h.tcp(_port(dice), _port(dice), flags, _payload(dice), options)


def _udp(dice: Dice, _: int) -> tuple[int, bytes]:
    return h.UDP, h.udp(_port(dice), _port(dice), _payload(dice))


def _sctp(dice: Dice, _: int) -> tuple[int, bytes]:
    return h.SCTP, h.sctp(_port(dice), _port(dice), dice.randrange(15))


def _control(dice: Dice, icmp: int) -> tuple[int, bytes]:
    if dice.random() < 0.6:
        kinds = (0, 3, 5, 8, 11) if icmp == h.ICMP else (1, 2, 128, 129, 133, 134, 135, 136)
        return icmp, h.icmp(dice.choice(kinds), dice.randrange(4), _payload(dice))
    protocol = dice.choice((h.IGMP, h.PIM, h.VRRP, h.ESP, h.AH, 9, 88, 89, dice.randrange(256)))
    return protocol, h.extension(h.AH, h.TCP) + h.tcp(22, 80) if protocol == h.AH else dice.randbytes(24)


def _tunnel(dice: Dice, depth: int) -> tuple[int, bytes]:
    kind, inner = internet(dice, depth + 1)
    frame = h.ethernet(kind, inner)
    in_geneve = dice.choice(((kind, inner), (h.ETHERNET_IN_GENEVE, frame)))
    options = dice.randbytes(dice.choice((0, 0, 8)))
    return dice.choice(
        (
            (h.IP_IN_IP if kind == h.IP else h.IPV6_IN_IP, inner),
            (h.GRE, h.gre(kind, inner)),
            (h.UDP, h.udp(_port(dice), 4789, h.vxlan(dice.choice(h.VNIS), frame))),
            (h.UDP, h.udp(_port(dice), 6081, h.geneve(dice.choice(h.VNIS), *in_geneve, options))),
        )
    )


def logical_link(dice: Dice) -> bytes:
    """An 802.2 packet: SNAP with any protocol of Ethernet, or one of those that have an address of their own there."""
    if dice.random() < 0.4:
        organisation, kind, payload = dice.choice(((0, *network(dice, 2)), (0x080007, 0x809B, bytes(20))))
        return h.snap(organisation, kind, payload)
    address = dice.choice((0x42, 0xF0, 0xE0, 0xFE, 0xFF, 0xAA, 0x06))
    if address == 0xFE and dice.random() < 0.8:
        pdu = dice.choice((15, 16, 17, 18, 20, 24, 25, 26, 27))
        return h.llc(0xFE, 0xFE, 3, bytes([dice.choice((0x81, 0x82, 0x83)), 27, 1, 0, pdu, 1, 0, 0]) + bytes(20))
    control = dice.choice((0x03, 0x63, 0x43, 0x6F, 0xE3, 0xAF, 0x87, 0x01, 0x05, 0x09, 0x00, 0x02, dice.randrange(256)))
    return h.llc(address, address, control, dice.randbytes(30))
