"""What is attached where: plain data."""

from collections.abc import Iterable
from typing import NamedTuple


class Attachment(NamedTuple):
    """A program at one place. Texts are sanitised."""

    hook: str  # "tcx-ingress", "tc-ingress", "xdp", "cgroup-inet-ingress", "socket", "uprobe", "tracepoint", …
    where: str  # "eth0", "/system.slice/x.service", "/usr/bin/bash+0x31f40", "sched:sched_switch", …
    program: int = 0  # its number; 0: a classic filter, or one that the kernel doesn't tell
    name: str = ""  # of the program; "" where whoever loaded it gave none
    link: int = 0  # the number of the link that holds it there; 0: none does
    pids: tuple[int, ...] = ()  # who holds the link, else the program; nobody where it is pinned, or stays by itself
    ours: bool = False  # this process is one of them
    detail: str = ""  # position, mode, priority, cookie, …
    ifindex: int = 0  # of an interface, in whichever network namespace
    cgroup: int = 0  # of a cgroup: its number
    pid: int = 0  # of a probe or socket that is one process's
    file: str = ""  # of a uprobe, with the offset in it: to be opened, not shown (os.fsdecode)
    offset: int = 0
    inode: int = 0  # of a socket
    map: int = 0  # of sockmaps and struct_ops: the map by which it is attached
    instructions: bytes = b""  # of a classic filter: struct sock_filter, as it was attached
    header: str = ""  # with what the packets begin that it sees: "ethernet", "ip"; "" where that isn't known


def by_program(attachments: Iterable[Attachment]) -> dict[int, tuple[Attachment, ...]]:
    """The places of each program, by its number; classic filters have none."""
    found: dict[int, list[Attachment]] = {}
    for each in attachments:
        if each.program:
            found.setdefault(each.program, []).append(each)
    return {program: tuple(places) for program, places in found.items()}


def position(at: int, number: int) -> str:
    """Of one among several that run one after the other: "2 of 3"."""
    return f"{at + 1} of {number}" if number > 1 else ""
