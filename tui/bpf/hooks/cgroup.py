"""Links to the root cgroup (v2): what the processes here send and receive through sockets, on all interfaces.

Programs of several tools run one after the other, and all run: 1 lets a packet pass, 0 drops it. Packets that no socket
takes part in aren't seen: forwarded ones, SYNs to closed ports and what answers them.
"""

import errno
import os
import re
from typing import Final

from tui.bpf import kernel
from tui.bpf.hooks.attached import AttachedByLinks
from tui.bpf.hooks.kinds import Direction, Hook
from tui.bpf.hooks.refusals import refusal
from tui.errors import BpfscopeError, NotSupported

_TYPES: Final = {
    Direction.BOTH: (kernel.ATTACH_CGROUP_INGRESS, kernel.ATTACH_CGROUP_EGRESS),
    Direction.IN: (kernel.ATTACH_CGROUP_INGRESS,),
    Direction.OUT: (kernel.ATTACH_CGROUP_EGRESS,),
}
_ALLOW_MULTI: Final = 2  # BPF_F_ALLOW_MULTI


class CgroupLinks(AttachedByLinks):
    """One program for what comes in, what goes out, or both."""

    def __init__(self, program: int, direction: Direction) -> None:
        """Raises NotSupported where no cgroup v2 is mounted, else as `refusal`."""
        path = root()
        links: list[int] = []
        cgroup = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            links.extend(kernel.link_create(program, cgroup, kind) for kind in _TYPES[direction])
        except OSError as error:
            for link in links:
                os.close(link)
            raise _failure(error, cgroup, direction, path) from None
        finally:
            os.close(cgroup)
        super().__init__(Hook.CGROUP, path, direction, links)

    def gone(self) -> bool:
        """The root cgroup stays."""
        return False


def root() -> str:
    """Where the root of cgroup v2 is mounted (proc_pid_mountinfo(5)); a container sees its own as the root."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            mounted, _, kind = line.partition(" - ")
            fields = mounted.split()
            if kind.startswith("cgroup2 ") and fields[3] == "/":
                return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), fields[4])
    raise NotSupported("cgroup v2 is not mounted here: mount -t cgroup2 none DIRECTORY (systemd does it at boot)")


def _failure(error: OSError, cgroup: int, direction: Direction, path: str) -> BpfscopeError:
    """EPERM comes too where somebody attached a program that tolerates no other (without BPF_F_ALLOW_MULTI)."""
    if error.errno != errno.EPERM:
        return refusal(error, Hook.CGROUP, path)
    for kind in _TYPES[direction]:
        try:
            ids, flags = kernel.attached_programs(cgroup, kind)
        except OSError:
            break
        if ids and not flags & _ALLOW_MULTI:
            return BpfscopeError(
                f"program {ids[0]} is attached to {path} and tolerates no other there: detach it"
                " (bpftool cgroup detach), or use another hook"
            )
    return refusal(error, Hook.CGROUP, path)
