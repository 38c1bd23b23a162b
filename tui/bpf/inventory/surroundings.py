"""What turns numbers of attachments into names: interfaces, cgroups, namespaces, functions, tracepoints, maps.

Each part is read when something first asks for it; one object serves one reading of all attachments.
"""

import os
from collections.abc import Iterator
from functools import cache, cached_property
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.bpf.hooks import interfaces
from tui.bpf.inventory import info
from tui.bpf.inventory.attachment import Attachment
from tui.errors import BpfscopeError, TargetError
from tui.text import sanitise

_TRACEFS: Final = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
_ATTACHED_NOWHERE: Final = "an interface that has gone"


class Place(NamedTuple):
    """Where, and what is to be said of it."""

    text: str
    detail: str = ""


class Surroundings:
    """Names of what attachments have numbers of, as they are now."""

    def __init__(self, programs: dict[int, info.Program]) -> None:
        self._programs = programs
        self.types = {number: each.type for number, each in programs.items()}

    def interface(self, ifindex: int) -> str:
        """The name in our network namespace."""
        try:
            return interfaces.find(ifindex).name
        except TargetError:
            return elsewhere(ifindex)

    def chain(self, ifindex: int, attach_type: int, link: int) -> Place:
        """Of a link of tcx or netkit: ours only if the kernel lists that link at our interface of this number."""
        try:
            links = [number for _, number in kernel.chained_programs(ifindex, attach_type)] if ifindex else []
        except OSError:  # none of ours has this number
            links = []
        if link not in links:
            return Place(elsewhere(ifindex))
        return Place(self.interface(ifindex), position(links.index(link), len(links)))

    def xdp(self, ifindex: int, program: int) -> Place:
        """Of a link of XDP."""
        return Place(elsewhere(ifindex), f"program {program}")

    def cgroup(self, number: int) -> str:
        """The path below the root of cgroup v2, which is `/`."""
        return f"cgroup {number}" if number else "a cgroup that was removed"

    @cached_property
    def _own_namespace(self) -> int:
        return os.stat("/proc/thread-self/ns/net").st_ino

    def namespace(self, inode: int) -> str:
        """A network namespace by its inode: ours, or by the name that ip-netns(8) gave it."""
        if inode == self._own_namespace:
            return "this network namespace"
        return f"network namespace {inode}" if inode else "a network namespace that has gone"

    def kernel_function(self, btf: int, number: int) -> str:
        """A function or hook of the kernel, or of a module: a type of its BTF."""
        return f"type {number} of BTF {btf}"

    def program_function(self, program: int, number: int) -> str:
        """A function of another program."""
        return f"program {program}, type {number}"

    def struct_ops(self, number: int) -> Iterator[Attachment]:
        """The programs of a struct_ops map."""
        yield Attachment("struct-ops", self.map_text(number), map=number)

    def map_text(self, number: int) -> str:
        """A map's name and number."""
        try:
            with info.map_of(number) as fd:
                name = info.Map.of(fd).name
        except (BpfscopeError, OSError):  # ended meanwhile
            name = ""
        return f"{name} (map {number})" if name else f"map {number}"

    def tracepoint(self, name: str) -> str:
        """With its category, where only one has such a tracepoint."""
        found = _tracepoints().get(name, ())
        return f"{found[0]}:{name}" if len(found) == 1 else name

    def symbol(self, address: int) -> str:
        """A function of the kernel by its address."""
        return f"{address:#x}"


def elsewhere(ifindex: int) -> str:
    """An interface that our network namespace doesn't have, or has without that program."""
    return f"interface {ifindex} of another network namespace" if ifindex else _ATTACHED_NOWHERE


def position(at: int, number: int) -> str:
    """Of one among several that run one after the other."""
    return f"{at + 1} of {number}" if number > 1 else ""


@cache
def _tracepoints() -> dict[str, tuple[str, ...]]:
    """The categories that have a tracepoint of a name."""
    found: dict[str, list[str]] = {}
    root = next((each for each in _TRACEFS if os.path.isdir(f"{each}/events")), "")
    for category in os.scandir(f"{root}/events") if root else ():
        if category.is_dir():
            for event in os.scandir(category.path):
                if event.is_dir():
                    found.setdefault(event.name, []).append(sanitise(category.name))
    return {name: tuple(categories) for name, categories in found.items()}


_TYPES: Final = ("hardware", "software", "tracepoint", "cache", "raw", "breakpoint")  # enum perf_type_id
_EVENTS: Final = {  # enum perf_hw_id, enum perf_sw_ids
    "hardware": "cycles instructions cache-references cache-misses branches branch-misses bus-cycles"
    " stalled-cycles-frontend stalled-cycles-backend ref-cycles",
    "software": "cpu-clock task-clock page-faults context-switches cpu-migrations minor-faults major-faults"
    " alignment-faults emulation-faults dummy bpf-output cgroup-switches",
}


def event_text(kind: int, config: int) -> str:
    """A perf event by its numbers: "software:cpu-clock", "cpu:0x1c2".

    Since 6.2 the kernel turns the clocks into units of their own, which /sys doesn't list.
    """
    clocks = "software" if config < 2 else f"type {kind}"
    named = _TYPES[kind] if kind < len(_TYPES) else _units().get(kind, clocks)
    events = _EVENTS.get(named, "").split()
    return f"{named}:{events[config] if config < len(events) else hex(config)}"


def _units() -> dict[int, str]:
    """The names of the performance monitoring units, by their types."""
    found = {}
    root = "/sys/bus/event_source/devices"
    for name in os.listdir(root) if os.path.isdir(root) else ():
        with open(f"{root}/{name}/type", encoding="ascii") as file:
            found[int(file.read())] = sanitise(name)
    return found
