"""What BPF is attached where, of whomever: all sources in one list.

    for each in attachments():
        print(each.hook, each.where, each.program, each.name)

Links tell most (`linked`); what has none is asked for where it may be: interfaces, cgroups, processes, sockets, routes
and maps (`at_…`). Interfaces, sockets and routes are those of the network namespace of the calling thread. It takes
CAP_SYS_ADMIN to list links (bpf(2)), CAP_NET_ADMIN to read filters, CAP_SYS_PTRACE to know who holds what; what this
user may not read, or this kernel can't tell, is left out and named in `missing`.
"""

import os
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, TypeVar

from tui.bpf.inventory import at_cgroups, at_interfaces, at_maps, at_processes, at_routes, at_sockets, info
from tui.bpf.inventory.at_interfaces import Interface
from tui.bpf.inventory.at_processes import Processes
from tui.bpf.inventory.attachment import Attachment, by_program
from tui.bpf.inventory.holders import Holders, holders
from tui.bpf.inventory.linked import linked
from tui.bpf.inventory.surroundings import Surroundings, elsewhere
from tui.bpf.netlink import Conversation
from tui.text import sanitise

__all__ = ["Attachment", "Reading", "attachments", "by_program", "read"]


_STRUCT_OPS: Final = "struct-ops"
Row = TypeVar("Row")


class Reading(NamedTuple):
    """All attachments, ordered by hook and place, and what couldn't be read."""

    attachments: tuple[Attachment, ...]
    programs: dict[int, info.Program]  # those that there were, by number
    missing: tuple[str, ...] = ()  # "sockets: Operation not permitted"


def attachments(held: Holders | None = None, found: Processes | None = None) -> list[Attachment]:
    """All, ordered by hook and place. Raises NotPermitted, NotSupported."""
    return list(read(held, found).attachments)


def read(held: Holders | None = None, found: Processes | None = None) -> Reading:
    """The same, with what is missing. `held`, `found`: what is known already of who holds what, and of their perf
    events and sockets; either takes 0.1 s for 16,500 file descriptors. Raises NotPermitted, NotSupported.
    """
    held = held or holders()
    programs = {each.id: each for each in info.programs()}
    sources = _Sources(programs, held, found or at_processes.processes())
    rows = [sources.owned(each) for each in sources.all()]
    rows.sort(key=lambda each: (each.hook, each.where, each.program, each.link))
    return Reading(tuple(rows), programs, tuple(sources.missing))


class _Sources:
    """One reading; a source that fails is noted, and the others go on."""

    def __init__(self, programs: dict[int, info.Program], held: Holders, found: Processes) -> None:
        self.missing: list[str] = []
        self._programs, self._held, self._found = programs, held, found
        self._here: dict[int, Interface] = {}

    def all(self) -> Iterator[Attachment]:
        root, paths, left_out = at_cgroups.tree()
        self.missing += [left_out] * bool(left_out)
        self._here = dict(self._by_netlink("interfaces", lambda route: at_interfaces.interfaces(route).items()))
        around = Surroundings(self._programs, self._here, {number: sanitise(path) for number, path in paths.items()})
        types = {around.type(number) for number in self._programs}
        found = at_processes.completed(linked(around), self._found.events, around)
        links = list(map(self.owned, _settled(found, self._here)))
        yield from self._xdp(links)
        yield from at_interfaces.chained(self._here)
        yield from self._by_netlink("filters of interfaces", lambda route: at_interfaces.filters(route, self._here))
        if any(each.startswith("lwt_") for each in types):
            yield from self._by_netlink("routes", lambda route: at_routes.routes(route, around))
        by_maps = at_maps.by_maps() if types & at_maps.TYPES else ()
        links, others = _joined(links, (*at_cgroups.queried(root, paths, types), *by_maps))
        yield from (*links, *others)
        yield from at_processes.events(self._found.events, around, links, self._held)
        yield from self._part("sockets", lambda: self._sockets(around))

    def owned(self, found: Attachment) -> Attachment:
        """With the program's name and who holds it."""
        program = self._programs.get(found.program)
        by = self._held.links.get(found.link, ()) or self._held.programs.get(found.program, ())
        pids = found.pids or tuple(each.pid for each in by)
        return found._replace(name=program.name if program else found.name, pids=pids, ours=os.getpid() in pids)

    def _xdp(self, links: list[Attachment]) -> Iterator[Attachment]:
        told = {(each.ifindex, each.program) for each in links if each.hook == "xdp"}
        return (each for each in at_interfaces.xdp(self._here) if (each.ifindex, each.program) not in told)

    def _sockets(self, around: Surroundings) -> Iterable[Attachment]:
        filters = [number for number in self._programs if around.type(number) == "socket_filter"]
        holding = {each.pid for number in filters for each in self._held.programs.get(number, ())}
        return at_sockets.sockets(at_sockets.packet_sockets(), self._found, around, holding)

    def _by_netlink(self, name: str, ask: Callable[[Conversation], Iterable[Row]]) -> list[Row]:
        def asked() -> list[Row]:
            with Conversation(socket.NETLINK_ROUTE) as route:
                return list(ask(route))

        return self._part(name, asked)

    def _part(self, name: str, ask: Callable[[], Iterable[Row]]) -> list[Row]:
        try:
            return list(ask())
        except OSError as error:
            self.missing.append(f"{name}: {error.strerror}")
            return []


def _joined(links: Sequence[Attachment], found: Iterable[Attachment]) -> tuple[list[Attachment], list[Attachment]]:
    """The links, with their places in a row of several; and what no link holds. A link of struct_ops holds a map: its
    programs get the link's number.
    """
    told: dict[tuple[str, int, int, int], list[Attachment]] = {}
    maps = {link.map: link.link for link in links if link.hook == _STRUCT_OPS}
    held = set()
    for each in found:
        if each.map in maps and each.hook == _STRUCT_OPS:
            held.add(each.map)
            each = each._replace(link=maps[each.map], detail="")
        told.setdefault(_place(each), []).append(each)
    known = []
    for link in links:
        same = told.get(_place(link))
        if link.hook != _STRUCT_OPS or link.map not in held:
            known.append(link._replace(detail=same.pop(0).detail) if same else link)
    return known, [each for left in told.values() for each in left]


def _place(each: Attachment) -> tuple[str, int, int, int]:
    return each.hook, each.program, each.cgroup, each.map


def _settled(links: Iterable[Attachment], here: dict[int, Interface]) -> list[Attachment]:
    """Several links of XDP with one program and one number of an interface: which of them is ours, nothing tells."""
    rows = list(links)
    told = Counter((each.ifindex, each.program) for each in rows if each.hook == "xdp" and each.ifindex in here)
    return [
        each._replace(where=f"{each.where}, or {elsewhere(each.ifindex)}")
        if each.hook == "xdp" and told[each.ifindex, each.program] > 1 and each.where == here[each.ifindex].name
        else each
        for each in rows
    ]
