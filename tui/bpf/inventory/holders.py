"""Which processes hold the programs, maps and links that there are: one look at all file descriptors in /proc.

A program is held also by whoever holds a link of it, or a probe or tracepoint (a perf event) that it runs at; at other
perf events the kernel doesn't tell it. What has no holder stays for other reasons: it is pinned, a map or another
program uses it, or the kernel has it attached (tc, cgroups, sockets). Of other users' processes it takes
CAP_SYS_PTRACE; what can't be looked at is left out.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.bpf.inventory import descriptors
from tui.text import sanitise

_INODE: Final = "anon_inode:"
_EVENT: Final = "anon_inode:[perf_event]"
_NUMBERS: Final = {
    b"prog_id": "program",
    b"map_id": "map",
    b"link_id": "link",
}  # proc(5) doesn't say: kernel/bpf/syscall.c


class Holder(NamedTuple):
    """A process that has it open."""

    pid: int
    name: str  # its comm
    fd: int  # the lowest


class Holders(NamedTuple):
    """Who holds what, by number, each process once and in order of their pids."""

    programs: dict[int, tuple[Holder, ...]]
    maps: dict[int, tuple[Holder, ...]]
    links: dict[int, tuple[Holder, ...]]


class _Held(NamedTuple):
    """What a file descriptor is."""

    kind: str  # "program", "map", "link"
    number: int


def holders() -> Holders:
    """Who holds what, now; 16,500 file descriptors take about 0.13 s."""
    found: dict[str, dict[int, dict[int, Holder]]] = {kind: {} for kind in _NUMBERS.values()}
    all_held = {pid: _held(pid) for pid in map(int, filter(str.isdecimal, os.listdir("/proc")))}
    us = os.getpid()
    later = _held(us)  # what a thread of ours has open only while it lists what there is isn't held
    all_held[us] = {fd: each for fd, each in all_held.get(us, {}).items() if later.get(fd) == each}
    for pid, held in all_held.items():
        name = _name(pid) if held else ""
        for fd in sorted(held):
            for kind, number in held[fd]:
                found[kind].setdefault(number, {}).setdefault(pid, Holder(pid, name, fd))
    return Holders(*(_ordered(found[kind]) for kind in ("program", "map", "link")))


def _ordered(found: dict[int, dict[int, Holder]]) -> dict[int, tuple[Holder, ...]]:
    return {number: tuple(sorted(by_pid.values())) for number, by_pid in found.items()}


def _held(pid: int) -> dict[int, tuple[_Held, ...]]:
    """By file descriptor; of a process that ended, or that we may not look at, nothing."""
    found = {}
    with contextlib.suppress(OSError):
        teller, names = descriptors.of_process(pid)
        for name in names:
            with contextlib.suppress(OSError):
                link = os.readlink(f"/proc/{teller}/fd/{name}")
                if link.startswith(_INODE) and (held := tuple(_of_inode(teller, int(name), link))):
                    found[int(name)] = held
    return found


def _of_inode(pid: int, fd: int, link: str) -> Iterator[_Held]:
    if link == _EVENT:
        yield _Held("program", kernel.task_fd_query(pid, fd)[3])
    elif "bpf" in link:  # bpf-prog, bpf-map, bpf_link or bpf-link
        with open(f"/proc/{pid}/fdinfo/{fd}", "rb") as file:
            for line in file:
                word, _, number = line.partition(b":")
                if word in _NUMBERS and int(number):  # a link of a struct_ops map has no program
                    yield _Held(_NUMBERS[word], int(number))


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            return sanitise(file.read(64).decode("utf-8", "replace").removesuffix("\n"))
    except OSError:
        return ""
