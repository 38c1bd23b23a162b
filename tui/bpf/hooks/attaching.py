"""attach: the one way to a hook with an eBPF program, whatever this kernel offers for it."""

import contextlib

from tui.bpf.hooks.attached import Attached
from tui.bpf.hooks.cgroup import CgroupLinks
from tui.bpf.hooks.interfaces import Interface, find
from tui.bpf.hooks.kinds import Direction, Hook
from tui.bpf.hooks.sockets import EbpfSocket, Promiscuity, check_direction
from tui.bpf.hooks.tcx import NoTcx, TcxLink
from tui.bpf.hooks.xdp import XdpLink
from tui.errors import UsageError


def attach(
    hook: Hook,
    ifindex: int,
    program: int,
    *,
    direction: Direction | None = None,
    promiscuous: bool = False,
    native: bool | None = None,
    clsact: bool = False,
) -> Attached:
    """Lets a loaded program see the packets of an interface; of the whole machine for cgroups, whatever `ifindex` is.

    `direction`: one of the hook's; by default its first. `native`: of XDP; None takes native where the driver has it,
    and tells where not (`note`). `clsact`: as before Linux 6.6, for tests; else it is used where there is no tcx.

    Raises TargetError (no such interface), UsageError, NotPermitted, NotSupported, BpfscopeError (taken, too many).
    """
    chosen = direction or hook.directions[0]
    check_direction(hook, chosen)
    if hook is Hook.SOCKET:
        raise UsageError("the hook socket takes classic BPF: ClassicSocket")
    if hook is Hook.CGROUP:
        if promiscuous:
            raise UsageError("cgroups see what processes here send and receive: there is no promiscuous mode for them")
        return CgroupLinks(program, chosen)
    interface = find(ifindex)
    if hook is Hook.SOCKET_EBPF:
        return EbpfSocket(interface, program, chosen, promiscuous=promiscuous)
    attached = _at_interface(hook, interface, program, native=native, clsact=clsact)
    if promiscuous:
        try:
            attached.own(Promiscuity(interface))
        except BaseException:
            attached.close()
            raise
    return attached


def _at_interface(hook: Hook, interface: Interface, program: int, *, native: bool | None, clsact: bool) -> Attached:
    if hook is Hook.XDP:
        return XdpLink(interface, program, native=native)
    if not clsact:
        with contextlib.suppress(NoTcx):
            return TcxLink(hook, interface, program)
    from tui.bpf.hooks.clsact import ClsactFilter

    return ClsactFilter(hook, interface, program)
