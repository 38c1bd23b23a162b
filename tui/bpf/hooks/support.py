"""Which hooks work here, for this user: found by trying, without attaching anything to an interface that is in use.

A link is asked for where none can be made (an interface that isn't there, a mode that `lo` hasn't, a folder that is no
cgroup): the kernel's error tells whether it knows such links. clsact is tried in a network namespace of its own.
"""

import errno
import os
from collections.abc import Callable
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.bpf.features import Feature
from tui.bpf.hooks import cgroup, clsact, sockets, tcx
from tui.bpf.hooks.interfaces import find
from tui.bpf.hooks.kinds import Hook
from tui.bpf.hooks.loading import load
from tui.bpf.hooks.refusals import refusal
from tui.errors import BpfscopeError, NotSupported
from tui.text import plural

_LOOPBACK: Final = 1  # in every network namespace (LOOPBACK_IFINDEX)
_RETURN: Final = b"\xb7\0\0\0%s\x95\0\0\0\0\0\0\0"  # r0 = …; exit


class _Hooks(NamedTuple):
    """Hooks that work or don't together, and how that is found out."""

    hooks: tuple[Hook, ...]
    name: str
    attempt: Callable[[], str]  # what works; raises BpfscopeError, OSError


def hooks() -> dict[Hook, Feature]:
    """Every hook, with the reason where it doesn't work."""
    found: dict[Hook, Feature] = {}
    for each in _HOOKS:
        try:
            feature = Feature(each.name, True, each.attempt(), needed=False)
        except BpfscopeError as error:
            feature = Feature(each.name, False, "packets can't be seen there", str(error), needed=False)
        except OSError as error:
            remedy = str(refusal(error, each.hooks[0], "an interface"))
            feature = Feature(each.name, False, "packets can't be seen there", remedy, needed=False)
        found |= dict.fromkeys(each.hooks, feature)
    return found


def leftovers() -> Feature:
    """Removes what killed processes of ours left in traffic control (on kernels without tcx), and says so."""
    try:
        found = clsact.sweep()
    except OSError as error:
        remedy = "raise the limit (ulimit -n)" if error.errno in (errno.EMFILE, errno.ENFILE) else "run as root"
        return Feature("leftovers", False, f"traffic control can't be read: {error.strerror}", remedy, False)
    left = [each for each in found if not each.removed]
    text = ", ".join(f"on {each.interface} (process {each.pid})" for each in left or found)
    if left:
        return Feature("leftovers", False, f"{plural(len(left), 'filter')} of killed processes {text}", _REMOVE, False)
    detail = f"{plural(len(found), 'filter')} of killed processes removed: {text}" if found else "none in tc"
    return Feature("leftovers", True, detail, needed=False)


_REMOVE: Final = "run `bpfscope doctor` as root, or with CAP_NET_ADMIN: it removes them"


def _classic() -> str:
    sockets.probe(Hook.SOCKET)
    return "classic BPF, both directions, in no order"


def _extended() -> str:
    sockets.probe(Hook.SOCKET_EBPF)
    os.close(_program(Hook.SOCKET_EBPF))
    return "eBPF, both directions, in no order"


def _traffic_control() -> str:
    program = _program(Hook.TCX_INGRESS)
    try:
        if tcx.works(program):
            return "in front of other programs"
        reason = _in_namespace(lambda: clsact.ClsactFilter(Hook.TCX_INGRESS, find(_LOOPBACK), program).close())
    finally:
        os.close(program)
    if reason:
        raise NotSupported(reason)
    return "by clsact filters, since tcx came with Linux 6.6: what kill -9 leaves of them, the next start removes"


def _xdp() -> str:
    program = _program(Hook.XDP)
    try:
        os.close(kernel.link_create(program, _LOOPBACK, kernel.ATTACH_XDP, kernel.XDP_NATIVE))
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EBUSY, errno.EEXIST):  # `lo` has no native XDP
            raise
    finally:
        os.close(program)
    return "generic everywhere, native where the driver has it; it changes the traffic"


def _cgroup() -> str:
    path = cgroup.root()
    program = _program(Hook.CGROUP)
    elsewhere = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.close(kernel.link_create(program, elsewhere, kernel.ATTACH_CGROUP_INGRESS))
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
    finally:
        os.close(elsewhere)
        os.close(program)
    return f"what sockets here send and receive: {path}"


def _program(hook: Hook) -> int:
    return load(hook, _RETURN % hook.passes.to_bytes(4, "little", signed=True), "feature")


def _in_namespace(attempt: Callable[[], None]) -> str:
    """Tries something in a network namespace that is then gone; the reason where it doesn't work."""
    import threading

    reasons: list[str] = []

    def inside() -> None:
        try:
            kernel.new_network_namespace()
        except OSError:
            return  # without CAP_SYS_ADMIN it isn't tried: attaching will tell
        try:
            attempt()
        except BpfscopeError as error:
            reasons.append(str(error))

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    return "".join(reasons)


_HOOKS: Final = (
    _Hooks((Hook.SOCKET,), "socket", _classic),
    _Hooks((Hook.SOCKET_EBPF,), "socket-ebpf", _extended),
    _Hooks((Hook.TCX_INGRESS, Hook.TCX_EGRESS), "tcx", _traffic_control),
    _Hooks((Hook.XDP,), "xdp", _xdp),
    _Hooks((Hook.CGROUP,), "cgroup", _cgroup),
)
