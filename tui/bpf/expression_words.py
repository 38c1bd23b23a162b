r"""The words of filter expressions (pcap-filter(7), libpcap 1.10.6), and which may follow at a cursor. Pure.

completions("tcp po", 6)          # ["port", "portrange"]
completions("tcp port 22 ", 12)   # ["and", "or"]
completions("ip proto ", 9)       # ["\\tcp", "\\udp", …]: protocols' names need a backslash there
"""

import re
from collections.abc import Collection
from typing import Final

_NETWORK: Final = ("ip", "ip6", "arp", "rarp")
_PORTS: Final = ("tcp", "udp", "sctp")
_ALONE: Final = ("icmp", "icmp6", "igmp", "ah", "esp", "pim", "vrrp", "carp", "igrp", "stp", "ipx", "netbeui")
_OLD: Final = ("atalk", "aarp", "decnet", "lat", "sca", "moprc", "mopdl", "iso", "esis", "isis", "clnp")
_LINK: Final = ("ether", "link", "wlan", "fddi", "tr", "ppp", "slip")
_DIRECTIONS: Final = ("src", "dst")
_TYPES: Final = ("host", "net", "port", "portrange", "proto", "protochain", "gateway")
_WIRELESS: Final = ("type", "subtype", "dir", "addr1", "addr2", "addr3", "addr4", "ra", "ta")
_TAGS: Final = ("vlan", "mpls", "pppoed", "pppoes", "geneve")
_WAYS: Final = ("inbound", "outbound", "ifindex")
_CASTS: Final = ("broadcast", "multicast")
_SIZES: Final = ("less", "greater", "len")
_JOINS: Final = ("and", "or")
_RARE: Final = (
    *("llc", "radio", "lane", "metac", "bcc", "oam", "oamf4", "oamf4ec", "oamf4sc", "sc", "ilmic", "vpi", "vci"),
    *("connectmsg", "metaconnect", "fisu", "lssu", "msu", "hfisu", "hlssu", "hmsu", "sio", "opc", "dpc", "sls"),
    *("hsio", "hopc", "hdpc", "hsls", "ifname", "ruleset", "rulenum", "subrulenum", "reason", "action"),
    *("l1", "l2", "iih", "lsp", "snp", "csnp", "psnp", "byte", "mask", "length"),
)
_TCP_FLAGS: Final = tuple(f"tcp-{flag}" for flag in ("syn", "ack", "fin", "rst", "push", "urg", "ece", "cwr"))
_ICMP: Final = (
    *("icmp-echo", "icmp-echoreply", "icmp-unreach", "icmp-timxceed", "icmp-redirect", "icmp-sourcequench"),
    *("icmp-routeradvert", "icmp-routersolicit", "icmp-paramprob", "icmp-tstamp", "icmp-tstampreply"),
    *("icmp-ireq", "icmp-ireqreply", "icmp-maskreq", "icmp-maskreply"),
)
_ICMP6: Final = tuple(
    f"icmp6-{kind}"
    for kind in (
        *("echo", "echoreply", "destinationunreach", "packettoobig", "timeexceeded", "parameterproblem"),
        *("neighborsolicit", "neighboradvert", "routersolicit", "routeradvert", "redirect"),
        *("multicastlistenerquery", "multicastlistenerdone"),
        *("multicastlistenerreportv1", "multicastlistenerreportv2", "routerrenum", "nodeinformationquery"),
        *("nodeinformationresponse", "ineighbordiscoverysolicit", "ineighbordiscoveryadvert"),
        *("homeagentdiscoveryrequest", "homeagentdiscoveryreply", "mobileprefixsolicit", "mobileprefixadvert"),
        *("certpathsolicit", "certpathadvert", "multicastrouteradvert", "multicastroutersolicit"),
        "multicastrouterterm",
    )
)
_FIELDS: Final = {
    "tcp": ("tcpflags",),
    "icmp": ("icmptype", "icmpcode"),
    "icmp6": ("icmp6type", "icmp6code"),
}
_VALUES: Final = {"tcpflags": _TCP_FLAGS, "icmptype": _ICMP, "icmp6type": _ICMP6}
_SERVICES: Final = (
    *("ssh", "http", "https", "domain", "ntp", "smtp", "imap", "imaps", "pop3", "pop3s", "ftp", "ftp-data", "telnet"),
    *("ldap", "ldaps", "snmp", "syslog", "tftp", "mysql", "postgresql", "bootps", "bootpc", "kerberos", "nfs"),
)
_ESCAPED: Final = tuple(f"\\{name}" for name in ("tcp", "udp", "icmp", "sctp", "igmp", "esp", "ah", "pim", "vrrp"))
_ETHERTYPES: Final = tuple(f"\\{name}" for name in ("ip", "ip6", "arp", "rarp", "stp", "ipx", "netbeui"))

_PROTOCOLS: Final = (*_NETWORK, *_PORTS, *_ALONE, *_LINK, *_OLD)
_BEGINNINGS: Final = dict.fromkeys(
    (
        *("tcp", "udp", "host", "port", "net", "src", "dst", "ip", "ip6", "icmp", "icmp6", "arp", "vlan", "not"),
        *("portrange", "proto", "ether", *_CASTS, *_SIZES, *_WAYS, *_TAGS, *_PROTOCOLS, *_TYPES, *_WIRELESS, *_RARE),
    )
)
_KEYWORDS: Final = tuple(
    dict.fromkeys((*_BEGINNINGS, *_JOINS, *_TCP_FLAGS, *_ICMP, *_ICMP6, *(w for f in _FIELDS.values() for w in f)))
)

_AFTER: Final[dict[str, Collection[str]]] = {
    **dict.fromkeys(_PORTS, ("port", "portrange", *_DIRECTIONS, *_JOINS)),
    **dict.fromkeys(("ip", "ip6"), (*_DIRECTIONS, "host", "net", "proto", "protochain", *_CASTS, *_JOINS)),
    **dict.fromkeys(("arp", "rarp"), (*_DIRECTIONS, "host", "net", *_JOINS)),
    **dict.fromkeys(_LINK, (*_DIRECTIONS, "host", "proto", *_CASTS, *_JOINS)),
    "wlan": (*_DIRECTIONS, "host", "type", "dir", "addr1", "addr2", "addr3", "addr4", "ra", "ta", *_JOINS),
    **dict.fromkeys(_DIRECTIONS, ("host", "net", "port", "portrange", *_JOINS)),
    **dict.fromkeys(("host", "net", "portrange", "gateway", "less", "greater", "ifindex", "mask"), ()),
    "port": _SERVICES,
    **dict.fromkeys(("proto", "protochain"), _ESCAPED),
    "type": ("mgt", "ctl", "data"),
    "dir": ("nods", "tods", "fromds", "dstods"),
    "iso": ("proto", *_JOINS),
    **dict.fromkeys(("len", "]"), ()),
}
"""What may follow a word; nothing where a number or an address must. After any other a primitive is complete."""

_PAIRS: Final[dict[tuple[str, str], Collection[str]]] = {
    **{(protocol, "proto"): _ETHERTYPES for protocol in _LINK},
    **{(protocol, direction): ("port", "portrange", *_JOINS) for protocol in _PORTS for direction in _DIRECTIONS},
    **{(protocol, direction): ("host", "net", *_JOINS) for protocol in _NETWORK for direction in _DIRECTIONS},
    **{(protocol, direction): ("host", *_JOINS) for protocol in _LINK for direction in _DIRECTIONS},
}
"""What may follow two words, where it isn't what may follow the second."""

_WORD: Final = re.compile(r"\\?[A-Za-z0-9$][-_.:A-Za-z0-9]*\Z|\\\Z", re.ASCII)
_TOKEN: Final = re.compile(r"\\?[A-Za-z0-9$:][-_.:A-Za-z0-9]*|[<>!=]=|<<|>>|&&|\|\||\S", re.ASCII)
_BEFORE_PRIMITIVE: Final = frozenset({"and", "or", "not", "&&", "||", "!", "("})
_BETWEEN: Final = frozenset({"and", "or", "&&", "||"})
_OPERATORS: Final = frozenset("+-*/%&|^<>=") | {"!=", ">=", "<=", "==", "<<", ">>"}
_LOOK_BACK: Final = 4096  # letters before the cursor that are looked at


def keywords() -> tuple[str, ...]:
    """Every word that means something, those that begin an expression first; not the names of ports and protocols."""
    return _KEYWORDS


def completions(text: str, cursor: int) -> list[str]:
    """The words that may stand where the one before the cursor is, the most usual first; that one itself never.

    Before the first letter of a word it says only what follows from the words before; at the beginning, nothing.
    """
    before = text[max(0, cursor - _LOOK_BACK) : cursor]
    typed = _WORD.search(before)
    word = typed[0] if typed else ""
    tokens = _TOKEN.findall(before[: len(before) - len(word)])
    return [found for found in _following(tokens, bool(word)) if found.startswith(word) and found != word]


def _following(tokens: list[str], begun: bool) -> Collection[str]:
    """What may follow these words; of the many that may begin a primitive only if one was begun to be typed."""
    last = tokens[-1] if tokens else "("
    bracket = _open_bracket(tokens)
    if bracket:
        return _FIELDS.get(tokens[bracket - 1], ()) if last == "[" else ()
    if last in _OPERATORS or last == "(":
        field = next((token for token in reversed(tokens) if token in _VALUES or token in _BETWEEN), "")
        if field in _VALUES or last != "(":
            return _VALUES.get(field, ())
    if last in _BEFORE_PRIMITIVE:
        directions = last in _JOINS and tokens[-2:-1] and tokens[-2] in _DIRECTIONS  # src or dst …
        return _DIRECTIONS if directions else _BEGINNINGS if begun else ()
    if last == "port" and not begun:  # it is mostly a number
        return ()
    return _PAIRS.get((tokens[-2] if len(tokens) > 1 else "", last), _AFTER.get(last, _JOINS))


def _open_bracket(tokens: list[str]) -> int:
    """Where in the words the bracket is that isn't closed; 0 if there is none."""
    for index in range(len(tokens) - 1, 0, -1):
        if tokens[index] == "]":
            return 0
        if tokens[index] == "[":
            return index
    return 0
