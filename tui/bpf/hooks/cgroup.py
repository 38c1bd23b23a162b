"""Links to a cgroup (v2), the root if none is named: what its processes send and receive through sockets, on all
interfaces.

Programs of several tools run one after the other, and all run: 1 lets a packet pass, 0 drops it. Packets that no socket
takes part in aren't seen: forwarded ones, SYNs to closed ports and what answers them.
"""

import os
import re
from collections.abc import Iterator
from typing import Final

from tui.bpf import kernel
from tui.bpf.hooks.attached import AttachedByLinks
from tui.bpf.hooks.kinds import Direction, Hook
from tui.bpf.hooks.refusals import refusal
from tui.errors import BpfscopeError, NotSupported, TargetError
from tui.text import sanitise

_TYPES: Final = {
    Direction.BOTH: (kernel.ATTACH_CGROUP_INGRESS, kernel.ATTACH_CGROUP_EGRESS),
    Direction.IN: (kernel.ATTACH_CGROUP_INGRESS,),
    Direction.OUT: (kernel.ATTACH_CGROUP_EGRESS,),
}


class CgroupLinks(AttachedByLinks):
    """One program for what comes in, what goes out, or both."""

    def __init__(self, program: int, direction: Direction, place: str = "") -> None:
        """`place`: the cgroup's folder. Raises NotSupported where no cgroup v2 is mounted, TargetError where that one
        has ended, else as `refusal`.
        """
        place = place or root()
        path = sanitise(place)
        links: list[int] = []
        try:
            cgroup = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise TargetError(f"the cgroup {path} has ended: choose another") from None
        try:
            for kind in _TYPES[direction]:
                _refuse_conflicts(cgroup, kind, place)
            links.extend(kernel.link_create(program, cgroup, kind) for kind in _TYPES[direction])
        except OSError as error:
            for link in links:
                os.close(link)
            raise refusal(error, Hook.CGROUP, path) from None
        finally:
            os.close(cgroup)
        super().__init__(Hook.CGROUP, path, direction, links)

    def gone(self) -> bool:
        """A cgroup that ends takes the programs off; the root stays."""
        return False


def root() -> str:
    """Where the root of cgroup v2 is mounted; a container sees its own as the root. Raises NotSupported."""
    for whole, place in _mounts():
        if whole:
            return place
    raise NotSupported("cgroup v2 is not mounted here: mount -t cgroup2 none DIRECTORY (systemd does it at boot)")


def mounted() -> str:
    """The same; where only a part of cgroup v2 is mounted, where that is."""
    parts = [place for whole, place in _mounts() if not whole]
    try:
        return root()
    except NotSupported:
        if not parts:
            raise
        return parts[0]


def _mounts() -> Iterator[tuple[bool, str]]:
    """Whether it is the root, and where (proc_pid_mountinfo(5))."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            about, _, kind = line.partition(" - ")
            fields = about.split()
            if kind.startswith("cgroup2 "):
                yield fields[3] == "/", re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), fields[4])


def _refuse_conflicts(cgroup: int, kind: int, place: str) -> None:
    """A program without BPF_F_ALLOW_MULTI tolerates no other where it is, nor below it; but with BPF_F_ALLOW_OVERRIDE
    one below takes its place: ours must not. Where there is one with BPF_F_ALLOW_MULTI, what is above doesn't change.
    """
    ids, flags = _attached(cgroup, kind)
    where, device = place, os.fstat(cgroup).st_dev
    while not ids and (above := os.path.dirname(where)) != where:
        where = above
        try:
            folder = os.open(where, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:  # this user may not look there
            return
        try:
            if os.fstat(folder).st_dev != device:  # above the root
                return
            ids, flags = _attached(folder, kind)
        finally:
            os.close(folder)
    if ids and not flags & kernel.F_ALLOW_MULTI:
        manner = "tolerates no other there"
        if where != place:
            gives_way = flags & kernel.F_ALLOW_OVERRIDE
            manner = "gives way to whatever is attached below" if gives_way else "tolerates no other below"
        remedy = "detach it (bpftool cgroup detach), or use another hook"
        raise BpfscopeError(f"program {ids[0]} is attached to {sanitise(where)} and {manner}: {remedy}")


def _attached(cgroup: int, kind: int) -> tuple[list[int], int]:
    try:
        return kernel.attached_programs(cgroup, kind)
    except OSError:  # this user may not know; attaching says more
        return [], 0
