"""What the kernel refuses, as a sentence with the remedy."""

import errno
import os
from typing import Final

from tui.bpf.hooks.kinds import Hook
from tui.errors import BpfscopeError, NotPermitted, NotSupported, TargetError

CAPABILITIES: Final = {
    Hook.SOCKET: "CAP_NET_RAW",
    Hook.SOCKET_EBPF: "CAP_NET_RAW and CAP_BPF",
    Hook.TCX_INGRESS: "CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON",
    Hook.TCX_EGRESS: "CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON",
    Hook.XDP: "CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON",
    Hook.CGROUP: "CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON",
}
_WHAT: Final = {
    Hook.SOCKET: "a packet socket",
    Hook.SOCKET_EBPF: "a packet socket with eBPF",
    Hook.TCX_INGRESS: "a filter of incoming packets",
    Hook.TCX_EGRESS: "a filter of outgoing packets",
    Hook.XDP: "an XDP program",
    Hook.CGROUP: "a filter of the root cgroup's packets",
}


def not_permitted(hook: Hook, doing: str) -> NotPermitted:
    """EPERM."""
    return NotPermitted(f"Linux doesn't let this user {doing}: run as root, or with {CAPABILITIES[hook]}")


def refusal(error: OSError, hook: Hook, name: str) -> BpfscopeError:
    """Why a filter can't be attached to the interface (or cgroup) of that name; where no hook knows better."""
    doing = f"attach {_WHAT[hook]} to {name}"
    if error.errno in (errno.EPERM, errno.EACCES):
        return not_permitted(hook, doing)
    if error.errno in (errno.ENODEV, errno.ENXIO, errno.ENOLINK):
        return TargetError(f"{name} has gone: choose another interface")
    if error.errno in (errno.ERANGE, errno.E2BIG):
        return BpfscopeError(
            f"cannot {doing}: the kernel takes no more programs there (63 for tcx, 64 for cgroups); detach some"
            " (bpftool link list)"
        )
    if error.errno in (errno.ENOMEM, errno.EMFILE, errno.ENFILE):
        return BpfscopeError(f"cannot {doing}: {os.strerror(error.errno)}; attach fewer filters at once")
    return NotSupported(f"this kernel ({os.uname().release}) cannot {doing}: {error.strerror}")
