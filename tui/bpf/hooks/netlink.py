"""Traffic control by netlink: the few questions and orders that clsact needs; nothing else knows pyroute2.

pyroute2 takes 0.2 s and 20 MB to import, so only kernels without tcx pay for it, and errors that want a name. It can't
be used in the thread of a running event loop. OSErrors come out as the kernel gave them.
"""

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

PARENT_INGRESS: Final = 0xFFFFFFF2  # TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS): include/uapi/linux/pkt_sched.h
PARENT_EGRESS: Final = 0xFFFFFFF3
_CLSACT: Final = 0xFFFFFFF1  # where the qdiscs clsact and ingress hang, one of them at a time
_CLSACT_HANDLE: Final = 0xFFFF0000
PROTOCOL_ALL: Final = 3


class Filter(NamedTuple):
    """A filter of clsact or ingress, in the order in which the kernel asks them."""

    interface: int  # its number
    parent: int  # PARENT_INGRESS or PARENT_EGRESS
    kind: str  # "bpf", "u32", …
    priority: int
    protocol: int  # an Ethernet type, or PROTOCOL_ALL
    handle: int  # 0: only the head of a list of filters
    name: str  # of a bpf filter, as whoever added it chose it


class TrafficControl:
    """What can be asked and ordered in one network namespace."""

    def __init__(self, route: Any) -> None:  # noqa: ANN401 - pyroute2 has no types
        self._route = route

    def qdiscs(self) -> dict[int, str]:
        """Interfaces that have a qdisc for filters of this kind: "clsact" or "ingress"."""
        every = self._route.tc("dump")
        return {each["index"]: each.get_attr("TCA_KIND") for each in every if each["parent"] == _CLSACT}

    def add_clsact(self, index: int) -> None:
        """Raises FileExistsError where there is one, or an ingress qdisc."""
        self._order("add", "clsact", index)

    def delete_clsact(self, index: int) -> None:
        """Takes it away, and every filter in it."""
        self._order("del", "clsact", index)

    def filters(self, index: int, parent: int) -> list[Filter]:
        """The filters of one direction; none where the interface or the qdisc isn't there."""
        try:
            return [_filter(each) for each in self._route.get_filters(index, parent=parent)]
        except _netlink_error() as error:
            if error.code in (errno.EINVAL, errno.ENODEV, errno.ENOENT):
                return []
            raise _os_error(error) from None

    def add(self, wanted: Filter, program: int) -> None:
        """A direct-action bpf filter. Raises FileExistsError where its handle is taken."""
        self._filter_order("add-filter", wanted, program)

    def replace(self, wanted: Filter, program: int) -> None:
        """Another program in a filter's place, in one step."""
        self._filter_order("replace-filter", wanted, program)

    def delete(self, found: Filter) -> None:
        """Takes a filter away."""
        self._filter_order("del-filter", found)

    def _filter_order(self, command: str, which: Filter, program: int | None = None) -> None:
        options = {} if program is None else {"fd": program, "name": which.name, "direct_action": True}
        self._order(
            command,
            which.kind,
            which.interface,
            handle=which.handle,
            parent=which.parent,
            prio=which.priority,
            protocol=which.protocol,
            **options,
        )

    def _order(self, command: str, kind: str, index: int, **more: Any) -> None:  # noqa: ANN401 - as pyroute2 has it
        try:
            self._route.tc(command, kind, index, **more)
        except _netlink_error() as error:
            raise _os_error(error) from None


def open_socket() -> socket.socket:
    """A netlink socket, which stays in the network namespace in which this thread is now."""
    return socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, socket.NETLINK_ROUTE)


@contextlib.contextmanager
def traffic_control(opened: socket.socket) -> Iterator[TrafficControl]:
    """Traffic control by that socket, which stays open."""
    from pyroute2 import IPRoute

    with IPRoute(groups=0, use_socket=opened.dup()) as route:  # of no group: nobody tells us of changes
        yield TrafficControl(route)


def xdp_programs(index: int) -> list[int]:
    """The numbers of an interface's XDP programs; none where that can't be learnt."""
    from pyroute2 import IPRoute

    numbers: set[int] = set()
    with IPRoute(groups=0) as route, contextlib.suppress(_netlink_error()):
        for link in route.get_links(index):
            attributes = (link.get_attr("IFLA_XDP") or {}).get("attrs", [])
            numbers |= {value for name, value in attributes if name.endswith("PROG_ID") and value}
    return sorted(numbers)


def _filter(message: Any) -> Filter:  # noqa: ANN401
    options = message.get_attr("TCA_OPTIONS")
    kind = message.get_attr("TCA_KIND") or ""
    name = options.get_attr("TCA_BPF_NAME") if kind == "bpf" and options else None
    if isinstance(name, bytes):  # not UTF-8
        name = name.decode(errors="replace")
    protocol = int.from_bytes((message["info"] & 0xFFFF).to_bytes(2, "little"), "big")
    return Filter(
        message["index"], message["parent"], kind, message["info"] >> 16, protocol, message["handle"], name or ""
    )


def _netlink_error() -> Any:  # noqa: ANN401
    from pyroute2.netlink.exceptions import NetlinkError

    return NetlinkError


def _os_error(error: Any) -> OSError:  # noqa: ANN401
    return OSError(error.code, os.strerror(error.code))
