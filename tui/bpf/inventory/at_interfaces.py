"""What is attached to the interfaces of our network namespace, told by rtnetlink(7) and BPF_PROG_QUERY: XDP, tcx,
netkit, and filters of traffic control (clsact, ingress, and qdiscs with classes).

    with Conversation(socket.NETLINK_ROUTE) as route:
        here = interfaces(route)
        rows = [*chained(here), *filters(route, here)]
"""

import contextlib
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.bpf.inventory import kinds
from tui.bpf.inventory.attachment import Attachment, position
from tui.bpf.netlink import Conversation, attribute, attributes, number, text

# include/uapi/linux/rtnetlink.h, if_link.h, pkt_sched.h, pkt_cls.h
_NEWLINK, _GETLINK = 16, 18
_NEWQDISC, _GETQDISC = 36, 38
_NEWFILTER, _GETFILTER = 44, 46
_LINK: Final = struct.Struct("=BxHiII")  # ifinfomsg: family, hardware, index, flags, change
_TC: Final = struct.Struct("=B3xiIII")  # tcmsg: family, index, handle, parent, info
_IFLA_IFNAME, _IFLA_LINKINFO, _IFLA_EXT_MASK, _IFLA_XDP = 3, 18, 29, 43
_INFO_KIND, _SKIP_STATS = 1, 8
_XDP_ONE: Final = 4  # IFLA_XDP_PROG_ID: of the only one; of several only the next are told
_XDP_MODES: Final = {5: "native", 6: "generic", 7: "in hardware"}  # IFLA_XDP_DRV_PROG_ID, …
_XDP_ATTACHED, _XDP_STATES = 2, {1: "native", 2: "generic", 3: "in hardware"}
_HEADERS: Final = {1: "ethernet", 772: "ethernet", 65534: "ip"}  # ARPHRD_ETHER, _LOOPBACK, _NONE
_TCA_KIND, _TCA_OPTIONS, _TCA_CHAIN = 1, 2, 11
_BPF_OPS, _BPF_NAME, _BPF_FLAGS, _BPF_ID = 5, 7, 8, 11  # TCA_BPF_…
_DIRECT_ACTION: Final = 1
_PARENTS: Final = {0xFFFFFFF2: "tc-ingress", 0xFFFFFFF3: "tc-egress"}  # TC_H_CLSACT with TC_H_MIN_INGRESS, _EGRESS
_CLSACT: Final = {"clsact": tuple(_PARENTS), "ingress": tuple(_PARENTS)[:1]}


class Interface(NamedTuple):
    """An interface of ours."""

    name: str
    kind: str  # of a virtual one: "veth", …
    header: str  # with what its packets begin: "ethernet", "ip"; "" where that is something else
    xdp: tuple[tuple[str, int], ...]  # modes and programs


def interfaces(route: Conversation) -> dict[int, Interface]:
    """All, by their numbers. Raises OSError."""
    body = _LINK.pack(0, 0, 0, 0, 0) + attribute(_IFLA_EXT_MASK, struct.pack("=I", _SKIP_STATS))
    return dict(map(_interface, route.dump(_GETLINK, _NEWLINK, body, _LINK.size)))


def _interface(answer: bytes) -> tuple[int, Interface]:
    has = attributes(answer, _LINK.size)
    kind = text(attributes(has.get(_IFLA_LINKINFO, b"")).get(_INFO_KIND, b""))
    xdp = attributes(has.get(_IFLA_XDP, b""))
    programs = [(mode, number(xdp[which])) for which, mode in _XDP_MODES.items() if which in xdp]
    if not programs and _XDP_ONE in xdp:
        programs = [(_XDP_STATES.get(number(xdp.get(_XDP_ATTACHED, b"")), ""), number(xdp[_XDP_ONE]))]
    used = tuple(each for each in programs if each[1])
    _, hardware, ifindex, _, _ = _LINK.unpack_from(answer)
    return ifindex, Interface(text(has.get(_IFLA_IFNAME, b"")), kind, _HEADERS.get(hardware, ""), used)


def xdp(here: dict[int, Interface]) -> Iterator[Attachment]:
    """All of XDP here, whether a link holds it or not: that isn't told."""
    for ifindex, interface in here.items():
        for mode, program in interface.xdp:
            yield Attachment("xdp", interface.name, program, ifindex=ifindex, detail=mode)


def chained(here: dict[int, Interface]) -> Iterator[Attachment]:
    """What no link holds of tcx and netkit."""
    for ifindex, interface in here.items():
        types = kernel.ATTACH_NETKIT if interface.kind == "netkit" else kernel.ATTACH_TCX
        for kind in types:
            with contextlib.suppress(OSError):  # it went meanwhile, or the kernel is older than 6.6
                chain = kernel.chained_programs(ifindex, kind)
                for at, (program, link) in enumerate(chain):
                    if not link:
                        hook, detail = kinds.attach_type(kind).replace("_", "-"), position(at, len(chain))
                        yield Attachment(hook, interface.name, program, ifindex=ifindex, detail=detail)


def filters(route: Conversation, here: dict[int, Interface]) -> Iterator[Attachment]:
    """Filters of traffic control, eBPF and classic. Raises OSError."""
    for answer in route.dump(_GETQDISC, _NEWQDISC, _TC.pack(0, 0, 0, 0, 0), _TC.size):
        _, ifindex, handle, _, _ = _TC.unpack_from(answer)
        kind = text(attributes(answer, _TC.size).get(_TCA_KIND, b""))
        if ifindex not in here:  # new since
            continue
        for parent in _CLSACT.get(kind, (handle,) if handle else ()):
            hook, qdisc = _PARENTS.get(parent, "tc"), "" if kind in _CLSACT else f"{kind} {handle >> 16:x}:"
            for each in _filters(route, ifindex, parent):
                detail = ", ".join(filter(None, (qdisc, each.detail)))
                place = here[ifindex]
                yield each._replace(hook=hook, where=place.name, ifindex=ifindex, detail=detail, header=place.header)


def _filters(route: Conversation, ifindex: int, parent: int) -> Iterator[Attachment]:
    try:
        answers = route.dump(_GETFILTER, _NEWFILTER, _TC.pack(0, ifindex, 0, parent, 0), _TC.size)
    except OSError:  # it went meanwhile, or is a qdisc that takes no filters
        return
    for answer in answers:
        has = attributes(answer, _TC.size)
        if text(has.get(_TCA_KIND, b"")) == "bpf":
            options, info = attributes(has.get(_TCA_OPTIONS, b"")), _TC.unpack_from(answer)[4]
            if _BPF_ID in options or _BPF_OPS in options:  # else it is the head of a list of filters
                yield _filter(options, info >> 16, number(has.get(_TCA_CHAIN, b"")))


def _filter(options: dict[int, bytes], priority: int, chain: int) -> Attachment:
    name = text(options.get(_BPF_NAME, b""))
    words = [
        name and f"filter {name}",
        f"priority {priority}",
        f"chain {chain}" if chain else "",
        "direct action" if number(options.get(_BPF_FLAGS, b"")) & _DIRECT_ACTION else "",
    ]
    detail, code = ", ".join(filter(None, words)), options.get(_BPF_OPS, b"")
    return Attachment("", "", number(options.get(_BPF_ID, b"")), detail=detail, instructions=code)
