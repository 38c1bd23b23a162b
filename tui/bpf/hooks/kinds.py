"""The hooks and the directions, as plain data."""

from enum import Enum
from typing import Final

from tui.bpf import kernel


class Direction(Enum):
    """Which packets a hook sees, from the interface's view, or a process's for cgroups."""

    BOTH = "both"
    IN = "in"
    OUT = "out"


class Hook(Enum):
    """Where a packet filter runs."""

    SOCKET = "socket"  # classic BPF on a packet socket, as tcpdump's
    SOCKET_EBPF = "socket-ebpf"
    TCX_INGRESS = "tcx-ingress"
    TCX_EGRESS = "tcx-egress"
    XDP = "xdp"
    CGROUP = "cgroup"

    @property
    def directions(self) -> tuple[Direction, ...]:
        """What can be asked of it; the first is the default."""
        return _DIRECTIONS[self]

    @property
    def program_type(self) -> int:
        """What its programs are loaded as; for SOCKET, the eBPF programs that count beside it."""
        return _PROGRAMS[self]

    @property
    def passes(self) -> int:
        """What a program must return so that every packet goes on, to other programs too.

        A socket's program keeps no copy with 0. TCX_NEXT is -1 (and TC_ACT_UNSPEC), XDP_PASS 2, and of cgroups 0 drops.
        """
        return _PASSES[self]


_DIRECTIONS: Final = {
    Hook.SOCKET: (Direction.BOTH, Direction.IN),
    Hook.SOCKET_EBPF: (Direction.BOTH, Direction.IN),
    Hook.TCX_INGRESS: (Direction.IN,),
    Hook.TCX_EGRESS: (Direction.OUT,),
    Hook.XDP: (Direction.IN,),
    Hook.CGROUP: (Direction.BOTH, Direction.IN, Direction.OUT),
}
_PROGRAMS: Final = {
    Hook.SOCKET: kernel.PROG_TYPE_SOCKET_FILTER,
    Hook.SOCKET_EBPF: kernel.PROG_TYPE_SOCKET_FILTER,
    Hook.TCX_INGRESS: kernel.PROG_TYPE_SCHED_CLS,
    Hook.TCX_EGRESS: kernel.PROG_TYPE_SCHED_CLS,
    Hook.XDP: kernel.PROG_TYPE_XDP,
    Hook.CGROUP: kernel.PROG_TYPE_CGROUP_SKB,
}
_PASSES: Final = {
    Hook.SOCKET: 0,
    Hook.SOCKET_EBPF: 0,
    Hook.TCX_INGRESS: -1,
    Hook.TCX_EGRESS: -1,
    Hook.XDP: 2,
    Hook.CGROUP: 1,
}
