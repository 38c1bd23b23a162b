"""Filters of traffic control's clsact qdisc, for kernels without tcx (before 6.6). They do not vanish with us.

So each filter's name says whose it is (`tags`), and what dead processes left behind is removed by whoever attaches
next, and by `doctor`. The qdisc goes with the last filter if one of us made it (the name says that, too), and nobody
else has a filter in it by then. Our filters come first, so that no verdict of another's keeps packets from them, and
return -1 (TC_ACT_UNSPEC): the next filter is asked.

Several of us take turns, by a lock on the network namespace itself. Other tools don't know it: one that finds our
clsact and adds its filter in the very moment in which we have found it empty loses that filter with it.
"""

import contextlib
import errno
import fcntl
import itertools
import os
import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Final, NamedTuple

from tui.bpf.hooks import netlink
from tui.bpf.hooks.attached import Attached, placed_among
from tui.bpf.hooks.interfaces import Interface, find, note_if_down
from tui.bpf.hooks.kinds import Hook
from tui.bpf.hooks.netlink import Filter, TrafficControl
from tui.bpf.hooks.refusals import refusal
from tui.bpf.hooks.tags import Tag
from tui.errors import BpfscopeError, NotSupported, TargetError
from tui.text import sanitise

_PARENTS: Final = {Hook.TCX_INGRESS: netlink.PARENT_INGRESS, Hook.TCX_EGRESS: netlink.PARENT_EGRESS}
_BOTH: Final = tuple(_PARENTS.values())
_PATIENCE: Final = 2.0  # seconds to wait for others of us; somebody hostile could hold the lock for ever
_SIOCGSKNS: Final = 0x894C  # include/uapi/linux/sockios.h: a descriptor of the socket's network namespace
_numbers = itertools.count(1)


class Leftover(NamedTuple):
    """What a dead process of ours left behind, and whether it could be removed."""

    interface: str
    pid: int
    removed: bool


class ClsactFilter(Attached):
    """A direct-action filter at the front of clsact's ingress or egress."""

    def __init__(self, hook: Hook, interface: Interface, program: int) -> None:
        """Removes leftovers first. Raises NotSupported where another tool's qdisc is in the way, else as `refusal`."""
        super().__init__(hook, interface.name, hook.directions[0], note_if_down(interface))
        self._socket = netlink.open_socket()
        self._owned.callback(self._socket.close)
        try:
            with _turn(self._socket), self._control() as control:
                _sweep(control)
                self._filter = _add(control, hook, interface, program)
        except OSError as error:
            self.close()
            raise _failure(error, hook, interface.name) from None
        except BaseException:
            self.close()
            raise
        self._owned.callback(self._remove)

    def _control(self) -> AbstractContextManager[TrafficControl]:
        return netlink.traffic_control(self._socket)

    @property
    def position(self) -> str:
        """Its place among the filters; "" where it has gone."""
        with self._control() as control:
            filters = [each for each in _filters(control, self._filter) if each.handle]
        # Other kinds have entries for hash tables and the like: what has one priority counts as one there.
        texts = {(each.priority, each.kind == "bpf" and each.handle): _filter_text(each) for each in filters}
        own = (self._filter.priority, self._filter.handle)
        if own not in texts:
            return ""
        at = list(texts).index(own)
        return placed_among(at, len(texts), "filter", list(texts.values())[:at])

    def replace(self, program: int) -> None:
        """Exchanges the program within the filter."""
        try:
            with self._control() as control:
                if self._found(control) is None:
                    raise TargetError(f"the filter of {self.name} has gone, with the interface or by another tool")
                control.replace(self._filter, program)
        except OSError as error:
            raise _failure(error, self.hook, self.name) from None

    def gone(self) -> bool:
        """Also where somebody else took our filter away."""
        if self._socket.fileno() < 0:
            return True
        with self._control() as control:
            return self._found(control) is None

    def _found(self, control: TrafficControl) -> Filter | None:
        return next((each for each in _filters(control, self._filter) if each.name == self._filter.name), None)

    def _remove(self) -> None:
        try:
            with _turn(self._socket), self._control() as control:
                found = self._found(control)
                if found is not None:  # else its qdisc is somebody else's, whoever made the former one
                    _take_off(control, found)
        except OSError as error:
            if not self.gone():  # in that moment
                raise _failure(error, self.hook, self.name) from None


def sweep() -> list[Leftover]:
    """Removes dead processes' filters from all interfaces of this network namespace; says which. Raises OSError."""
    with netlink.open_socket() as opened, _turn(opened), netlink.traffic_control(opened) as control:
        return _sweep(control)


def _sweep(control: TrafficControl) -> list[Leftover]:
    found: list[Leftover] = []
    for index in control.qdiscs():
        for each in [each for parent in _BOTH for each in control.filters(index, parent)]:
            tag = Tag.parse(each.name)
            if tag is None or tag.alive():
                continue
            with contextlib.suppress(OSError):  # without the right; or somebody else was quicker
                _take_off(control, each)
            left = each in control.filters(index, each.parent)
            found.append(Leftover(_name(index), tag.pid, removed=not left))
    return found


def _add(control: TrafficControl, hook: Hook, interface: Interface, program: int) -> Filter:
    """Adds our filter at the front, and the qdisc where there is none."""
    made = _ensure_qdisc(control, hook, interface)
    try:
        return _add_filter(control, _PARENTS[hook], interface, program, made=made)
    except OSError:
        if made and not _in_use(control, interface.number):
            control.delete_clsact(interface.number)
        raise


def _ensure_qdisc(control: TrafficControl, hook: Hook, interface: Interface) -> bool:
    """Whether the qdisc that is there now was made by us, or by another process of ours."""
    kind = control.qdiscs().get(interface.number)
    if kind is None:
        control.add_clsact(interface.number)
        return True
    if kind != "clsact" and hook is Hook.TCX_EGRESS:
        raise NotSupported(
            f"{interface.name} has an ingress qdisc of another tool, which leaves no place for filters of outgoing"
            f" packets: use the hook socket-ebpf, or replace it (tc qdisc del dev {interface.name} ingress)"
        )
    every = [each for parent in _BOTH for each in control.filters(interface.number, parent)]
    return any(tag.made for each in every if (tag := Tag.parse(each.name)))


def _add_filter(control: TrafficControl, parent: int, interface: Interface, program: int, *, made: bool) -> Filter:
    there = control.filters(interface.number, parent)
    priority = _front(there)
    taken = {each.handle for each in there if each.priority == priority}
    handle = next(number for number in itertools.count(1) if number not in taken)
    name = Tag.own(next(_numbers), made=made).text()
    wanted = Filter(interface.number, parent, "bpf", priority, netlink.PROTOCOL_ALL, handle, name)
    control.add(wanted, program)
    return wanted


def _front(there: list[Filter]) -> int:
    """The lowest priority that is free, or has bpf filters for all protocols: of those the newest is asked first."""
    kinds = {each.priority: (each.kind, each.protocol) for each in there}
    ours = ("bpf", netlink.PROTOCOL_ALL)
    return next(number for number in itertools.count(1) if kinds.get(number, ours) == ours)


def _filters(control: TrafficControl, like: Filter) -> list[Filter]:
    return control.filters(like.interface, like.parent)


def _take_off(control: TrafficControl, found: Filter) -> None:
    """Deletes one of our filters, and the qdisc if that was the last one and we made it."""
    tag = Tag.parse(found.name)
    control.delete(found)
    if tag and tag.made and control.qdiscs().get(found.interface) == "clsact" and not _in_use(control, found.interface):
        control.delete_clsact(found.interface)


def _in_use(control: TrafficControl, index: int) -> bool:
    return any(control.filters(index, parent) for parent in _BOTH)


@contextlib.contextmanager
def _turn(opened: socket.socket) -> Iterator[None]:
    """One process at a time for the socket's network namespace; after some patience, without waiting any longer."""
    try:
        namespace = fcntl.ioctl(opened, _SIOCGSKNS)
    except PermissionError:  # without CAP_NET_ADMIN nothing can be changed
        yield
        return
    try:
        due = time.monotonic() + _PATIENCE
        while time.monotonic() < due:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(namespace, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(0.01)
        yield
    finally:
        os.close(namespace)


def _name(index: int) -> str:
    with contextlib.suppress(TargetError):
        return find(index).name
    return f"interface {index}"


def _filter_text(found: Filter) -> str:
    return f"{sanitise(found.name)} ({found.kind})" if found.name else f"a {found.kind} filter"


def _failure(error: OSError, hook: Hook, name: str) -> BpfscopeError:
    if error.errno == errno.ENOENT:
        return NotSupported(
            f"this kernel ({os.uname().release}) has neither tcx (6.6) nor clsact with bpf filters: it needs"
            " CONFIG_NET_SCH_INGRESS and CONFIG_NET_CLS_BPF; use the hook socket-ebpf"
        )
    return refusal(error, hook, name)
