"""Attaching a program of the user's own where it is to run; uprobes, which need symbols, come from elsewhere.

Everything is a link or a socket: the kernel takes the program off when this process ends, however it does.
What the program decides about packets holds: it is the user's own.
"""

import contextlib
import errno
import os
from collections.abc import Callable
from typing import Final

from tui.bpf import kernel
from tui.bpf.hooks import Hook
from tui.bpf.hooks import attach as attach_to_packets
from tui.bpf.hooks.cgroup import root as root_cgroup
from tui.bpf.inventory import at_cgroups
from tui.bpf.loading import formats
from tui.bpf.loading.places import EVENTS, KPROBES, PACKETS, Place
from tui.bpf.objects import refusal
from tui.errors import BpfscopeError, NotPermitted, NotSupported, TargetError
from tui.owner import Owner
from tui.text import sanitise

_HOOKS: Final = {
    "socket": Hook.SOCKET_EBPF, "tcx-ingress": Hook.TCX_INGRESS, "tcx-egress": Hook.TCX_EGRESS, "xdp": Hook.XDP,
}  # fmt: skip
_DECIDES: Final = {
    "tcx-ingress": "what it returns holds for the packets: -1 (TC_ACT_UNSPEC) lets others decide, 0 accepts, 2 drops",
    "tcx-egress": "what it returns holds for the packets: -1 (TC_ACT_UNSPEC) lets others decide, 0 accepts, 2 drops",
    "xdp": "what it returns holds for the packets: XDP_PASS (2) lets them pass, XDP_DROP (1) and 0 drop them",
    "cgroup": "what it returns holds for the packets: 1 lets them pass, 0 drops them",
}
_MISSING: Final[dict[str, tuple[int, ...]]] = {
    "perf": (errno.ENOENT, errno.EOPNOTSUPP, errno.ENODEV, errno.EINVAL),
    "raw": (errno.ENOENT,),
    **dict.fromkeys(KPROBES, (errno.ENOENT, errno.EADDRNOTAVAIL, errno.EINVAL)),
}
_WHY: Final = {
    "perf": "this machine doesn't count {} (virtual machines often have no hardware events): use perf:cpu-clock,"
    " perf:page-faults or another one of software's",
    "raw": "this kernel has no tracepoint {} (/sys/kernel/tracing/events)",
    **dict.fromkeys(KPROBES, "the kernel's function {} can't be probed, or there is none (/proc/kallsyms)"),
}
KPROBES_HERE: Final = "/sys/bus/event_source/devices/kprobe/type"


class Placed(Owner):
    """Owns what holds a program at its place."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.notes: list[str] = []
        self.owned = contextlib.ExitStack()
        self._gone: Callable[[], bool] = lambda: False

    def watch(self, gone: Callable[[], bool]) -> None:
        """What tells whether the place has gone."""
        self._gone = gone

    def gone(self) -> bool:
        """Whether the place has disappeared, as an interface does."""
        return self._gone()

    def close(self) -> None:
        """Takes the program off; a second time is harmless."""
        self.owned.close()


def check(place: Place) -> None:
    """What can be said before anything is compiled. Raises NotSupported, NotPermitted, TargetError."""
    if place.kind in KPROBES and not os.path.exists(KPROBES_HERE):
        raise NotSupported(
            f"{place.text}: this kernel has no kprobes (CONFIG_KPROBES); use tracepoint: or raw: (they are under"
            " /sys/kernel/tracing/events)"
        )
    if place.kind == "tracepoint":
        formats.read(place.target, place.name)
    if place.kind in PACKETS:
        _interface(place.target)


def attach(place: Place, program: int) -> Placed:
    """Lets a loaded program run at its place. Raises NotPermitted, NotSupported, TargetError, BpfscopeError."""
    placed = Placed(place)
    try:
        if place.kind in PACKETS:
            _packets(placed, program)
        elif place.kind == "cgroup":
            _cgroup(placed, program)
        elif place.kind == "perf":
            _perf(placed, program)
        elif place.kind == "raw":
            placed.owned.callback(os.close, kernel.raw_tracepoint_open(program, place.name))
        else:
            _event(placed, program)
    except OSError as error:
        placed.close()
        raise _failure(place, error) from None
    except BaseException:
        placed.close()
        raise
    return placed


def _packets(placed: Placed, program: int) -> None:
    place = placed.place
    attached = attach_to_packets(_HOOKS[place.kind], _interface(place.target), program)
    placed.owned.callback(attached.close)
    placed.watch(attached.gone)
    placed.notes += [note for note in (attached.note, attached.position, _DECIDES.get(place.kind, "")) if note]


def _cgroup(placed: Placed, program: int) -> None:
    path = _folder(placed.place.target)
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for kind in (kernel.ATTACH_CGROUP_INGRESS, kernel.ATTACH_CGROUP_EGRESS):
            placed.owned.callback(os.close, kernel.link_create(program, folder, kind))
    finally:
        os.close(folder)
    placed.notes.append(_DECIDES["cgroup"])
    placed.watch(lambda: not os.path.isdir(path))


def _folder(named: str) -> str:
    """A cgroup by its folder, or, as `bpfscope cgroups` takes it, by its path below the root, or its name. Raises
    TargetError where several have that.
    """
    root = root_cgroup()
    below = f"{root.rstrip('/')}/{named.strip('/')}"
    if not named or os.path.isdir(below):
        return below
    found = [] if "/" in named else [one for one in at_cgroups.tree().paths.values() if one.rpartition("/")[2] == named]
    if len(found) > 1:
        raise TargetError(f"several cgroups are called {sanitise(named)}: {', '.join(map(sanitise, found[:3]))}, …")
    return root.rstrip("/") + found[0] if found else named


def _perf(placed: Placed, program: int) -> None:
    kind, config = EVENTS[placed.place.name]
    on = 0
    for cpu in range(os.sysconf("SC_NPROCESSORS_CONF")):
        try:
            event = kernel.counting_event(kind, config, cpu, period=placed.place.period, hertz=placed.place.hertz)
        except OSError as error:
            if error.errno == errno.ENODEV and on:  # this CPU is off
                continue
            raise
        try:
            placed.owned.callback(os.close, kernel.link_perf_event(program, event, 0))
        finally:
            os.close(event)  # the link holds on to it
        on += 1


def _event(placed: Placed, program: int) -> None:
    place = placed.place
    if place.kind == "tracepoint":
        event = kernel.tracepoint_event(formats.read(place.target, place.name).number)
    else:
        event = kernel.kprobe_event(place.name, returns=place.kind == "kretprobe")
    try:
        placed.owned.callback(os.close, kernel.link_perf_event(program, event, 0))
    finally:
        os.close(event)


def _interface(name: str) -> int:
    import socket

    try:
        return socket.if_nametoindex(name)
    except (OSError, ValueError):
        there = ", ".join(sanitise(each) for _, each in socket.if_nameindex())
        raise TargetError(f"there is no interface {sanitise(name)}; there are {there}") from None


def _failure(place: Place, error: OSError) -> BpfscopeError:
    doing = f"attach to {sanitise(place.text)}"
    if error.errno in (errno.EPERM, errno.EACCES):
        return NotPermitted(
            f"Linux doesn't let this user {doing}: run as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN"
        )
    if place.kind == "cgroup" and error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EBADF):
        return TargetError(f"{sanitise(place.target)} is no cgroup: `bpfscope cgroups` lists them")
    if error.errno in _MISSING.get(place.kind, ()):
        return NotSupported(_WHY[place.kind].format(sanitise(place.name)))
    return refusal(error, doing)
