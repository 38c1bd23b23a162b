"""The group that a frame belongs to, worked out from its bytes: what the kernel's groups are compared with."""

import ipaddress

from tui.bpf.packets.groups import By

_TAGS, _EXTENSIONS, _PORTS = (0x8100, 0x88A8, 0x9100), (0, 43, 60, 135, 139, 140), (6, 17, 33, 132, 136)
_NAMES = {1: "icmp", 2: "igmp", 4: "ipip", 6: "tcp", 17: "udp", 33: "dccp", 41: "ipv6", 47: "gre", 50: "esp", 51: "ah",
          58: "icmp6", 59: "none", 89: "ospf", 103: "pim", 112: "vrrp", 132: "sctp", 136: "udplite", 46: "rsvp",
          88: "eigrp", 94: "ipip", 108: "ipcomp", 115: "l2tp"}  # fmt: skip
_TYPES = {0x0800: "ipv4", 0x86DD: "ipv6", 0x0806: "arp", 0x8035: "rarp", 0x8847: "mpls", 0x8848: "mpls multicast",
          0x8863: "pppoe discovery", 0x8864: "pppoe", 0x888E: "802.1x", 0x88CC: "lldp", 0x88F7: "ptp",
          0x88E5: "macsec"} | dict.fromkeys(_TAGS, "vlan")  # fmt: skip


class Missing(Exception):
    """The frame ends before what is looked for."""


def group(by: By, frame: bytes, length: int) -> str | int | None:
    """The key of a frame, and of its length as the hook sees it; None where it has none."""
    if by is By.SIZE:
        power = max(0, length.bit_length() - 1)
        return f"{1 << power if power else 0}-{(2 << power) - 1}"
    try:
        return _group(by, frame)
    except Missing:
        return None


def _group(by: By, frame: bytes) -> str | int | None:
    at, kind = 14, int.from_bytes(_part(frame, 12, 2), "big")
    for _ in range(3):
        if kind in _TAGS:
            at, kind = at + 4, int.from_bytes(_part(frame, at + 2, 2), "big")
    header = b""
    try:
        if kind == 0x0800 and _part(frame, at, 20)[0] >> 4 == 4:
            header = frame[at : at + 20]
        if kind == 0x86DD and _part(frame, at, 40)[0] >> 4 == 6:
            header = frame[at : at + 40]
    except Missing:
        if by is not By.PROTO:
            raise
    if not header:
        return (_TYPES.get(kind, f"{kind:#06x}") if kind >= 0x600 else "802.3") if by is By.PROTO else None
    if by is By.HOPS:
        ttl = header[8] if kind == 0x0800 else header[7]
        return next(start - ttl for start, above in ((255, 128), (128, 64), (64, 32), (32, -1)) if ttl > above)
    ends = [header[12:16], header[16:20]] if kind == 0x0800 else [header[8:24], header[24:40]]
    source, destination = (str(ipaddress.ip_address(end)) for end in ends)
    if by in (By.SRC, By.DST):
        return source if by is By.SRC else destination
    protocol, ports = (_above4 if kind == 0x0800 else _above6)(frame, at, header)
    name = _NAMES.get(protocol, f"ip {protocol}")
    if by is By.PROTO:
        return name
    if by in (By.SPORT, By.DPORT):
        return ports[by is By.DPORT] if ports else None
    ends_text = [_end(*pair) for pair in zip((source, destination), ports or (0, 0), strict=True)]
    return f"{name} {' → '.join(ends_text)}"


def _end(address: str, port: int) -> str:
    if not port:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _above4(frame: bytes, at: int, header: bytes) -> tuple[int, tuple[int, int] | None]:
    later = int.from_bytes(header[6:8], "big") & 0x1FFF
    return header[9], None if later else _ports(frame, at + 4 * (header[0] & 15), header[9])


def _above6(frame: bytes, at: int, header: bytes) -> tuple[int, tuple[int, int] | None]:
    kind, at = header[6], at + 40
    for _ in range(8):
        if kind not in (*_EXTENSIONS, 44, 51):
            break
        try:
            part = _part(frame, at, 8)
        except Missing:
            return kind, None
        if kind == 44 and int.from_bytes(part[2:4], "big") & 0xFFF8:
            return part[0], None
        at += 8 if kind == 44 else 4 * (part[1] + 2) if kind == 51 else 8 * (part[1] + 1)
        kind = part[0]
    return kind, _ports(frame, at, kind)


def _ports(frame: bytes, at: int, protocol: int) -> tuple[int, int] | None:
    if protocol not in _PORTS:
        return None
    try:
        both = _part(frame, at, 4)
    except Missing:
        return None
    return int.from_bytes(both[:2], "big"), int.from_bytes(both[2:], "big")


def _part(frame: bytes, at: int, size: int) -> bytes:
    if len(frame) < at + size:
        raise Missing
    return frame[at : at + size]
