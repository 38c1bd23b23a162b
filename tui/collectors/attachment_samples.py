"""What is attached where, as plain data for screens, commands and files."""

from typing import Final, NamedTuple

OTHER: Final = "other"
_FILTERS: Final = ("tc-ingress", "tc-egress", "tc")  # whose details never change, and tell several of one program


class Owner(NamedTuple):
    """A process that holds it."""

    pid: int
    name: str  # its comm, sanitised
    unit: str = ""  # the systemd unit or container that it runs in


class Placed(NamedTuple):
    """A program, or a classic filter, at one place; texts are sanitised."""

    hook: str  # "tcx-ingress", "uprobe", …
    kind: str  # of the place: "interface", "cgroup", "function", "kernel", "socket", "map", "namespace", "route"
    where: str  # "eth0", "/system.slice/x.service", "/usr/bin/bash:readline+4", …
    program: int  # its number; 0: a classic filter, or one that the kernel doesn't tell
    type: str  # of the program: "sched_cls"; "classic"; "" where it isn't known
    name: str
    owners: tuple[Owner, ...]  # nobody: it is pinned (`pins`), or its place keeps it
    links: tuple[int, ...]  # the numbers of the links that hold it there: of a perf event one per CPU, often
    ours: bool  # this process is one of the owners
    detail: str  # position, mode, priority, cookie, …
    ifindex: int = 0
    cgroup: int = 0
    pid: int = 0  # of a probe or socket that is one process's
    map: int = 0
    inode: int = 0  # of a socket
    file: str = ""  # of a function: its file, sanitised,
    offset: int = 0  # and where in it
    pins: tuple[str, ...] = ()  # names in BPF file systems that keep the link, else the program
    loaded: int = 0  # when the program was loaded, ns by CLOCK_BOOTTIME; 0 of classic filters: nobody knows
    instructions: bytes = b""  # of a classic filter: struct sock_filter
    header: str = ""  # with what the packets begin that it sees: "ethernet", "ip"; "" where that isn't known

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it from all others, from one reading to the next: positions move, functions get their names."""
        where = "" if self.offset else self.where
        filtered = self.detail if self.hook in _FILTERS else ""
        place = (self.ifindex, self.cgroup, self.pid, self.map, self.inode, self.offset)
        program = 0 if self.inode else self.program  # which program a socket has may be learnt later
        return self.hook, program, self.links, where, filtered, *place


class AttachmentsSample(NamedTuple):
    """A reading, in order of places."""

    time: float  # monotonic, seconds
    placed: tuple[Placed, ...]
    missing: tuple[str, ...] = ()  # what couldn't be read: "sockets: Operation not permitted"
    uptime: int = 0  # of the machine, ns by CLOCK_BOOTTIME
    ended: str = ""  # never: there is always more to come
    every: float = 0.0  # seconds until the next at least, as reading takes long


def kind_of(hook: str, ifindex: int = 0) -> str:
    """What a hook is a hook of; a socket that is bound to an interface is one of that."""
    if hook == "socket" and ifindex:
        return "interface"
    return next((kind for kind, beginnings in _KINDS.items() if hook.startswith(beginnings)), OTHER)


_KINDS: Final = {
    "interface": ("tcx-", "tc-", "tc", "xdp", "netkit-"),
    "cgroup": ("cgroup-", "lsm-cgroup"),
    "function": ("uprobe", "uretprobe"),
    "kernel": (
        *("fentry", "fexit", "modify-return", "lsm", "kprobe", "kretprobe", "tracepoint", "raw-tracepoint", "iter"),
        *("raw-tp", "perf-event", "struct-ops", "freplace"),
    ),
    "socket": ("socket",),
    "map": ("sk-skb-", "sk-msg-"),
    "namespace": ("sk-lookup", "flow-dissector", "netfilter"),
    "route": ("lwt-",),
}
KINDS: Final = (*_KINDS, OTHER)
