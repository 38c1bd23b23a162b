"""What turns numbers of attachments into names: interfaces, cgroups, namespaces, functions, tracepoints, maps.

Each part is read when something first asks for it; one object serves one reading of all attachments.
"""

import contextlib
import os
from bisect import bisect_right
from functools import cache, cached_property, lru_cache
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.bpf.btf.index import Btf
from tui.bpf.inventory import info, kinds
from tui.bpf.inventory.at_interfaces import Interface
from tui.bpf.inventory.at_maps import map_text
from tui.bpf.inventory.attachment import position
from tui.bpf.inventory.holders import Holders
from tui.errors import BpfscopeError
from tui.text import sanitise

_TRACEFS: Final = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
_NAMED: Final = "/run/netns"
_VMLINUX: Final = 1  # the kernel's own BTF is its first
_ATTACHED_NOWHERE: Final = "an interface that has gone"


class Place(NamedTuple):
    """Where, and what is to be said of it."""

    text: str
    detail: str = ""


class Surroundings:
    """Names of what attachments have numbers of, as they are now."""

    def __init__(
        self, programs: dict[int, info.Program], interfaces: dict[int, Interface], cgroups: dict[int, str]
    ) -> None:
        """`interfaces`: of our network namespace; `cgroups`: paths by number."""
        self._programs = programs
        self._interfaces = interfaces
        self._cgroups = cgroups

    def type(self, program: int) -> str:
        """The type of a program, "" where it ended."""
        return kinds.program_type(self._programs[program].type) if program in self._programs else ""

    def only(self, kind: str, pid: int = 0, held: Holders | None = None) -> int:
        """The only program of a type that there is, or that this process can have: those that others hold are theirs.
        0 where there are several.
        """
        found = [number for number in self._programs if self.type(number) == kind]
        if held and len(found) > 1:
            by = {number: {each.pid for each in held.programs.get(number, ())} for number in found}
            found = [number for number in found if pid in by[number] or not by[number]]
        return found[0] if len(found) == 1 else 0

    def interface(self, ifindex: int) -> str:
        """An interface of our network namespace; 0 means all."""
        here = self._interfaces.get(ifindex)
        return here.name if here else f"interface {ifindex}" if ifindex else "all interfaces"

    def header(self, ifindex: int) -> str:
        """With what packets of an interface of ours begin."""
        here = self._interfaces.get(ifindex)
        return here.header if here else ""

    def chain(self, ifindex: int, attach_type: int, link: int) -> Place:
        """Of a link of tcx or netkit: ours only if the kernel lists that link at our interface of this number."""
        try:
            links = [number for _, number in kernel.chained_programs(ifindex, attach_type)] if ifindex else []
        except OSError:  # none of ours has this number
            links = []
        if link not in links or ifindex not in self._interfaces:
            return Place(elsewhere(ifindex))
        return Place(self._interfaces[ifindex].name, position(links.index(link), len(links)))

    def xdp(self, ifindex: int, program: int) -> Place:
        """Of a link of XDP: ours only if the kernel lists that program at our interface of this number."""
        here = self._interfaces.get(ifindex)
        modes = [mode for mode, number in here.xdp if number == program] if here else []
        return Place(here.name, ", ".join(modes)) if here and modes else Place(elsewhere(ifindex))

    def cgroup(self, number: int) -> str:
        """The path below the root of cgroup v2, which is `/`."""
        if not number:
            return "a cgroup that was removed"
        return self._cgroups.get(number) or f"cgroup {number}, outside of what is mounted or can be read here"

    @cached_property
    def _own_namespace(self) -> int:
        return os.stat("/proc/thread-self/ns/net").st_ino

    def namespace(self, inode: int) -> str:
        """A network namespace by its inode: ours, or by the name that ip-netns(8) gave it."""
        if inode == self._own_namespace:
            return "this network namespace"
        return (
            f"network namespace {self._namespaces.get(inode, inode)}" if inode else "a network namespace that has gone"
        )

    @cached_property
    def _namespaces(self) -> dict[int, str]:
        found = {}
        with contextlib.suppress(OSError):  # nobody named one yet
            for entry in os.scandir(_NAMED):
                with contextlib.suppress(OSError):
                    found[entry.stat().st_ino] = sanitise(entry.name)
        return found

    def traced(self, program: int, target: int, number: int) -> str:
        """The function or hook that a program of tracing, LSM or freplace is at: of the kernel, of a module, or of
        another program (`target`), whose BTF the kernel names only until it is attached.
        """
        of = self._programs[program].attach_btf_object if program in self._programs else 0
        if of:
            return type_name(of, number)
        other = self._programs.get(target)
        function = type_name(other.btf_id, number) if other and other.btf_id else f"type {number}"
        return f"{function} of program {target}" + (f" ({other.name})" if other and other.name else "")

    def map_text(self, number: int) -> str:
        """A map's name and number."""
        with contextlib.suppress(BpfscopeError, OSError), info.map_of(number) as fd:  # ended meanwhile
            return map_text(info.Map.of(fd))
        return f"map {number}"

    def tracepoint(self, name: str) -> str:
        """With its category, where only one has such a tracepoint."""
        found = _tracepoints().get(name, ())
        return f"{found[0]}:{name}" if len(found) == 1 else name

    @cached_property
    def _symbols(self) -> tuple[list[int], list[str]]:
        """The kernel's functions by address; addresses are 0 for who may not know them (kernel.kptr_restrict)."""
        found = []
        with open("/proc/kallsyms", "rb") as file:
            for line in file:
                address, kind, name = line.split(maxsplit=2)
                if kind in b"tTwW":
                    found.append((int(address, 16), name))
        found.sort()
        names = [sanitise(name.decode("utf-8", "replace").strip().replace("\t", " ")) for _, name in found]
        return [address for address, _ in found], names

    def symbol(self, address: int) -> str:
        """A function of the kernel by its address, which may lie some bytes behind its beginning."""
        addresses, names = self._symbols
        at = bisect_right(addresses, address) - 1
        return names[at] if at >= 0 and addresses[at] else f"{address:#x}"


def elsewhere(ifindex: int) -> str:
    """An interface that our network namespace doesn't have, or has without that program."""
    return f"interface {ifindex} of another network namespace" if ifindex else _ATTACHED_NOWHERE


@lru_cache(1024)
def type_name(btf: int, number: int) -> str:
    """A type by its number and its BTF's, which no other ever gets: "tcp_connect", "nft_do_chain [nf_tables]"."""
    try:
        module, types = _btf(btf)
        name = types.type(number).name
    except (BpfscopeError, OSError):  # it ended, or is damaged
        return f"type {number} of BTF {btf}"
    return f"{name} [{module}]" if module not in {"", "vmlinux"} else name


def _btf(number: int) -> tuple[str, Btf]:
    name, data = info.btf_of(number)
    return name, Btf(data, _btf(_VMLINUX)[1] if name not in {"", "vmlinux"} else None)


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
