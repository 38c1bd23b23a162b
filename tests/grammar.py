"""The words of pcap-filter(7), put together by chance. Not all that comes out means something to libpcap.

Left out is what depends on the machine: host and network names, `gateway`, and `ip broadcast`, which needs a netmask.
Not here either is what Linux and libpcap see differently: expressions.py has that.
"""

from collections.abc import Callable
from random import Random
from typing import Final

from tests import headers as h

Primitive = Callable[[], str]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_DIRECTIONS: Final = ("", "", "src ", "dst ", "src or dst ", "src and dst ")
_ETHER_PROTOCOLS: Final = _words("aarp arp atalk decnet ip ip6 ipx iso lat moprc mopdl netbeui rarp sca stp")
_ABBREVIATIONS: Final = _words("ip ip6 arp rarp atalk aarp decnet iso stp ipx netbeui lat moprc mopdl")
_TRANSPORTS: Final = _words("tcp udp sctp icmp icmp6 igmp igrp pim ah esp vrrp carp")
_LLC: Final = ("", *_words("i s u rr rnr rej ui ua disc sabme test xid frmr"))
_OSI: Final = (*_words("clnp esis isis l1 l2 iih lsp snp csnp psnp"), r"iso proto \isis", "iso proto 129")
_ATM: Final = _words("lane oamf4sc oamf4ec oamf4 oam metac bcc sc ilmic connectmsg metaconnect")
_WIRELESS: Final = {
    "mgt": "assoc-req assoc-resp reassoc-req reassoc-resp probe-req probe-resp beacon atim disassoc auth deauth",
    "ctl": "ps-poll rts cts ack cf-end cf-end-ack",
    "data": "data data-cf-ack data-cf-poll data-cf-ack-poll null cf-ack cf-poll cf-ack-poll "
    "qos-data qos-data-cf-ack qos-data-cf-poll qos-data-cf-ack-poll qos qos-cf-poll qos-cf-ack-poll",
}
_ICMP_TYPES: Final = _words(
    "icmp-echoreply icmp-unreach icmp-sourcequench icmp-redirect icmp-echo icmp-routeradvert icmp-routersolicit "
    "icmp-timxceed icmp-paramprob icmp-tstamp icmp-tstampreply icmp-ireq icmp-ireqreply icmp-maskreq icmp-maskreply"
)
_ICMP6_TYPES: Final = _words(
    "icmp6-destinationunreach icmp6-packettoobig icmp6-timeexceeded icmp6-parameterproblem icmp6-echo icmp6-echoreply "
    "icmp6-multicastlistenerquery icmp6-multicastlistenerreportv1 icmp6-multicastlistenerdone icmp6-routersolicit "
    "icmp6-routeradvert icmp6-neighborsolicit icmp6-neighboradvert icmp6-redirect icmp6-routerrenum "
    "icmp6-nodeinformationquery icmp6-nodeinformationresponse icmp6-ineighbordiscoverysolicit "
    "icmp6-ineighbordiscoveryadvert icmp6-multicastlistenerreportv2 icmp6-homeagentdiscoveryrequest "
    "icmp6-homeagentdiscoveryreply icmp6-mobileprefixsolicit icmp6-mobileprefixadvert icmp6-certpathsolicit "
    "icmp6-certpathadvert icmp6-multicastrouteradvert icmp6-multicastroutersolicit icmp6-multicastrouterterm"
)
_TCP_FLAGS: Final = _words("tcp-fin tcp-syn tcp-rst tcp-push tcp-ack tcp-urg tcp-ece tcp-cwr")
_LAYERS: Final = _words("ether ip ip6 arp rarp tcp udp sctp icmp icmp6 igmp igrp pim vrrp carp link")
_RARE_LAYERS: Final = _words("atalk decnet lat moprc mopdl sca")
_NAMED_FIELDS: Final = ("tcp[tcpflags]", "icmp[icmptype]", "icmp[icmpcode]", "icmp6[icmp6type]", "icmp6[icmp6code]")
_WITH_ETHER_ADDRESSES: Final = ("EN10MB", "FDDI", "IEEE802", "IEEE802_11", "IEEE802_11_RADIO", "SUNATM")
_OWN_WORDS: Final = {
    "EN10MB": ("_encapsulation", "_encapsulation", "_llc"),
    "FDDI": ("_llc",),
    "IEEE802": ("_llc",),
    "IEEE802_11": ("_wireless", "_wireless", "_llc"),
    "IEEE802_11_RADIO": ("_wireless", "_wireless", "_llc"),
    "SUNATM": ("_atm", "_atm", "_llc"),
    "PFLOG": ("_packet_filter",),
    "PPP_ETHER": ("_session",),
    "LINUX_SLL": ("_encapsulation",),
    "LINUX_SLL2": ("_encapsulation", "_interface"),
}


class Grammar:
    """Expressions for one link type."""

    def __init__(self, dice: Random, link_type: str) -> None:
        self._dice = dice
        self._link_type = link_type
        self._own: list[Primitive] = [getattr(self, name) for name in _OWN_WORDS.get(link_type, ())]

    def expression(self, depth: int = 3) -> str:
        """Primitives, joined by and, or, not and parentheses."""
        chance = self._dice.random()
        if depth == 0 or chance < 0.35:
            return self.primitive()
        if chance < 0.45:
            return f"{self._one('not ', '! ')}{self._group(self.expression(depth - 1))}"
        both = self.expression(depth - 1), self.expression(depth - 1)
        joined = self._one(" and ", " && ", " or ", " || ").join(both)
        return self._group(joined) if chance > 0.8 else joined

    def primitive(self) -> str:
        """One test."""
        usual: list[Primitive] = [
            self._host,
            self._host,
            self._net,
            self._port,
            self._port,
            self._ports,
            self._protocol,
            self._abbreviation,
            self._length,
            self._cast,
            self._relation,
            self._relation,
        ]
        if self._link_type in _WITH_ETHER_ADDRESSES:
            usual += [self._ether_host, self._ether_protocol]
        return self._dice.choice([*usual, *self._own, *self._own])()

    def value(self, depth: int = 2) -> str:
        """An arithmetic expression; none that depends on what Linux and libpcap see differently."""
        chance = self._dice.random()
        if depth == 0 or chance < 0.45:
            return self._one(self.field(), self.field(), self._number(), "len")
        left, right = self.value(depth - 1), self.value(depth - 1)
        if chance < 0.5:
            return f"(-{left})"
        if chance < 0.65:
            return f"({left}{self._one('<<', '>>')}{self._dice.randrange(32)})"
        if chance < 0.7:
            return f"(1 << ({left} & {self._one('7', '31')}))"
        return f"({left} {self._one(*'+-*/%&|^')} {right})"

    def field(self) -> str:
        """Bytes of the packet."""
        if self._dice.random() < 0.2:
            return self._one(*_NAMED_FIELDS)
        layer = self._one(*(_LAYERS if self._dice.random() < 0.95 else _RARE_LAYERS))
        offset = self._one(str(self._dice.randrange(24)), str(self._dice.randrange(100)))
        if self._dice.random() < 0.15:
            offset = f"({self._one('ip[0]', 'tcp[12]', 'ether[14]')} & 0xf) * {self._one('1', '4')} + {offset}"
        return f"{layer}[{offset}{self._one('', ':1', ':2', ':4')}]"

    def _one(self, *choices: str) -> str:
        return self._dice.choice(choices)

    def _group(self, text: str) -> str:
        return f"({text})"

    def _number(self) -> str:
        number = self._dice.choice((0, 1, 2, 5, 0x3F, 255, 0x800, 0xFFFF, self._dice.randrange(1 << 32)))
        return self._one(str(number), hex(number))

    def _host(self) -> str:
        address = self._one(*h.IPV4, *h.IPV4, *h.IPV6)
        family = self._one("", "ip6 ") if ":" in address else self._one("", "", "ip ", "arp ", "rarp ")
        other = f" {self._one('or', 'and not')} {self._one(*h.IPV4)}" if self._dice.random() < 0.1 else ""
        direction = self._one(*_DIRECTIONS)
        return f"{family}{direction}{self._one('host ', '') if direction else 'host '}{address}{other}"

    def _net(self) -> str:
        direction = self._one(*_DIRECTIONS)
        if self._dice.random() < 0.3:
            network = self._one("2001:db8::/32", "2001:db8::/48", "fe80::/64", "fe80::1/128", "::/0")
            return f"{self._one('', 'ip6 ')}{direction}net {network}"
        network = self._one("192.0.2", "192.0", "10", "10.0.0.0/8", "192.0.2.0/24", "198.51.100.7/32", "0.0.0.0/0")
        network = self._one(network, network, "192.0.2.0 mask 255.255.255.0", "10.1.2.3 mask 255.255.255.255")
        return f"{self._one('', '', 'ip ', 'arp ')}{direction}net {network}"

    def _port(self) -> str:
        transport = self._one("", "", "tcp ", "udp ", "sctp ")
        port = self._one(*map(str, h.PORTS))
        other = f" or {self._one(*map(str, h.PORTS))}" if self._dice.random() < 0.15 else ""
        return f"{transport}{self._one(*_DIRECTIONS)}port {port}{other}"

    def _ports(self) -> str:
        first, last = sorted(self._dice.choices(h.PORTS, k=2))
        return f"{self._one('', 'tcp ', 'udp ', 'sctp ')}{self._one(*_DIRECTIONS)}portrange {first}-{last}"

    def _protocol(self) -> str:
        number = self._one(*map(str, (1, 2, 6, 17, 47, 50, 51, 58, 89, 103, 112, 132)), r"\tcp", r"\udp", r"\icmp")
        return f"{self._one('ip ', 'ip6 ', '')}proto {number}"

    def _abbreviation(self) -> str:
        return self._one(*_TRANSPORTS, *_ABBREVIATIONS, "ip", "ip6", "tcp", "udp", *_OSI[:2])

    def _length(self) -> str:
        return f"{self._one('less', 'greater')} {self._one('60', '64', '100', '1500')}"

    def _cast(self) -> str:
        return self._one(
            "broadcast", "multicast", "ether broadcast", "ether multicast", "ip multicast", "ip6 multicast"
        )

    def _relation(self) -> str:
        if self._dice.random() < 0.3:
            return self._one(
                f"tcp[tcpflags] & ({self._one(*_TCP_FLAGS)}|{self._one(*_TCP_FLAGS)}) != 0",
                f"icmp[icmptype] = {self._one(*_ICMP_TYPES)}",
                f"icmp6[icmp6type] == {self._one(*_ICMP6_TYPES)}",
                "(((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)",
                "ip[6:2] & 0x1fff = 0",
                "ether[0] & 1 = 0",
            )
        return f"{self.value()} {self._one('>', '<', '>=', '<=', '=', '==', '!=')} {self.value(1)}"

    def _ether_host(self) -> str:
        address = self._one(*h.MACS)
        plain = address.replace(":", "")
        dotted = f"{plain[:4]}.{plain[4:8]}.{plain[8:]}"
        written = self._one(address, address.replace(":", "-"), address.replace(":", "."), dotted)
        return f"{self._one('ether', 'ether', 'fddi', 'tr', 'wlan')} {self._one('src', 'dst', 'host')} {written}"

    def _ether_protocol(self) -> str:
        # the names are keywords too, but for one
        protocols = self._one(*(f"\\{name}" for name in _ETHER_PROTOCOLS), "loopback", "0x88cc", "0x800", "1000")
        return f"ether proto {protocols}"

    def _llc(self) -> str:
        return self._one(
            f"llc {self._one(*_LLC)}".strip(),
            self._one(*_OSI),
            f"decnet {self._one('src', 'dst', 'host', 'src or dst')} {self._one('10.123', '1.1')}",
        )

    def _encapsulation(self) -> str:
        number = self._dice.random() < 0.6
        outer = self._one(
            f"vlan {self._one(*map(str, h.VLANS))}" if number else "vlan",
            f"mpls {self._one(*map(str, h.MPLS_LABELS))}" if number else "mpls",
            "pppoed",
            f"pppoes {self._one(*map(str, h.SESSIONS))}" if number else "pppoes",
            f"geneve {self._one(*map(str, h.VNIS))}" if number else "geneve",
        )
        return f"{outer} and {self.primitive()}" if self._dice.random() < 0.6 and outer != "pppoed" else outer

    def _session(self) -> str:
        return self._one("pppoes", "ip", "ip6")

    def _interface(self) -> str:
        return f"ifindex {self._one('1', '2')}"

    def _wireless(self) -> str:
        kind = self._one(*_WIRELESS)
        subtype = self._one(*_WIRELESS[kind].split())
        return self._one(
            f"wlan {self._one('ra', 'ta', 'addr1', 'addr2', 'addr3', 'addr4')} {self._one(*h.MACS)}",
            f"type {kind}",
            f"type {kind} subtype {subtype}",
            f"subtype {subtype}",
            f"dir {self._one('nods', 'tods', 'fromds', 'dstods', '2')}",
        )

    def _atm(self) -> str:
        return self._one(f"vpi {self._one('0', '1')}", f"vci {self._one('3', '5', '100')}", *_ATM)

    def _packet_filter(self) -> str:
        reason = self._one("match", "bad-offset", "fragment", "short", "normalize", "memory")
        return self._one(
            f"{self._one('ifname', 'on')} {self._one('en0', 'pppoe0')}",
            f"{self._one('rnr', 'rulenum')} {self._one('0', '17')}",
            f"{self._one('srnr', 'subrulenum')} {self._one('0', '3')}",
            f"{self._one('rset', 'ruleset')} guard",
            f"reason {reason}",
            f"action {self._one('pass', 'block', 'nat', 'rdr', 'binat', 'scrub')}",
        )
