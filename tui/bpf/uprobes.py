"""The uprobes that the kernel has, of whomever: to tell their breakpoints from those of a debugger or of the program,
and who else looks at a place.

They are told by links to BPF programs (several places at once: since 6.8; single ones: since 6.6), by perf events with
a BPF program that a process holds, and by tracefs. What isn't told there may be nobody's.
"""

import contextlib
import ctypes
import os
import struct
from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.text import sanitise

_MULTI: Final = struct.Struct("4Q4I")  # of bpf_link_info.uprobe_multi: path, offsets, counters, cookies, sizes …
_SINGLE: Final = struct.Struct("I4xQII")  # of bpf_link_info.perf_event: kind, name, its length, offset
_KIND: Final = 16  # bytes of bpf_link_info before what depends on the kind
_UPROBES: Final = (1, 2)  # enum bpf_perf_event_type: at an instruction, at returns
_TASK_UPROBES: Final = (4, 5)  # the same in enum bpf_task_fd_type
_LONGEST: Final = 4_096  # bytes of a path
_MOST: Final = 1 << 20  # places of a link
_EVENTS: Final = ("/sys/kernel/tracing/uprobe_events", "/sys/kernel/debug/tracing/uprobe_events")


class Uprobe(NamedTuple):
    """A probe at a place of a file, of one process or (0) of all."""

    path: bytes
    offset: int
    pid: int
    link: int = 0  # the number of a link that holds it, or
    holder: int = 0  # the process that does


def listed() -> Iterator[Uprobe]:
    """All that can be told; of those of others it takes CAP_SYS_ADMIN."""
    for fd in kernel.links():
        with contextlib.suppress(OSError):
            yield from _of_link(fd)
    yield from _of_processes()
    yield from _of_tracefs()


def holders(file: str, offsets: Collection[int]) -> dict[int, str]:
    """Who has probes at these offsets of a file: "bpftrace (811)", "bpfscope itself"; as far as that can be told."""
    there = [each for each in listed() if each.offset in offsets and _same(each.path, file)]
    links = {each.link for each in there} - {0}
    of_links = {link: pid for pid in _pids() for link in _links_of(pid) & links} if links else {}
    found: dict[int, set[int]] = {}
    for each in there:
        found.setdefault(each.offset, set()).add(each.holder or of_links.get(each.link, 0))
    return {offset: ", ".join(map(_named, sorted(pids - {0}))) for offset, pids in found.items() if pids != {0}}


def _same(path: bytes, file: str) -> bool:
    try:
        return os.path.samefile(path, file)
    except (OSError, ValueError):
        return False


def _named(pid: int) -> str:
    if pid == os.getpid():
        return "bpfscope itself"
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            return f"{sanitise(file.read(64).decode('utf-8', 'replace').rstrip())} ({pid})"
    except OSError:
        return str(pid)


def _links_of(pid: int) -> set[int]:
    """The numbers of the BPF links that a process holds (fdinfo: proc(5))."""
    found: set[int] = set()
    with contextlib.suppress(OSError):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                if "bpf" in os.readlink(f"/proc/{pid}/fd/{fd}"):
                    with open(f"/proc/{pid}/fdinfo/{fd}", "rb") as file:
                        found.update(int(line[8:]) for line in file if line.startswith(b"link_id:"))
    return found


def _pids() -> Iterator[int]:
    return map(int, filter(str.isdecimal, os.listdir("/proc")))


def _of_link(fd: int) -> Iterator[Uprobe]:
    info = kernel.info(fd, kernel.LINK_INFO)
    kind, link = struct.unpack_from("2I", info)
    path = ctypes.create_string_buffer(_LONGEST)
    if kind == kernel.LINK_UPROBE_MULTI:
        number, _, pid = _MULTI.unpack_from(info, _KIND)[5:]
        offsets = (ctypes.c_uint64 * min(number, _MOST))()
        wanted = _MULTI.pack(ctypes.addressof(path), ctypes.addressof(offsets), 0, 0, _LONGEST, len(offsets), 0, 0)
        kernel.info(fd, kernel.LINK_INFO, bytes(_KIND) + wanted)
        for offset in offsets:
            yield Uprobe(path.value, offset, pid, link)
    elif kind == kernel.LINK_PERF_EVENT and _SINGLE.unpack_from(info, _KIND)[0] in _UPROBES:
        wanted = _SINGLE.pack(0, ctypes.addressof(path), _LONGEST, 0)
        _, _, _, offset = _SINGLE.unpack_from(kernel.info(fd, kernel.LINK_INFO, bytes(_KIND) + wanted), _KIND)
        yield Uprobe(path.value, offset, 0, link)


def _of_processes() -> Iterator[Uprobe]:
    for pid in _pids():
        with contextlib.suppress(OSError):
            for fd in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{pid}/fd/{fd}") == "anon_inode:[perf_event]":
                        yield from _of_event(pid, int(fd))


def _of_event(pid: int, fd: int) -> Iterator[Uprobe]:
    kind, path, offset, _ = kernel.task_fd_query(pid, fd)
    if kind in _TASK_UPROBES:
        yield Uprobe(path.replace(b"/proc/self/", b"/proc/%d/" % pid, 1), offset, 0, holder=pid)


def _of_tracefs() -> Iterator[Uprobe]:
    """Lines such as `p:group/name /usr/bin/bash:0x1234 …`, and `r:…` of returns (Documentation/trace/uprobetracer)."""
    for name in _EVENTS:
        with contextlib.suppress(OSError), open(name, "rb") as file:
            for line in file:
                place = line.split(b" ", 1)[1:]
                path, _, offset = place[0].rpartition(b":0x") if place else (b"", b"", b"")
                digits = offset[:16].partition(b" ")[0].partition(b"(")[0].partition(b"%")[0].strip()
                with contextlib.suppress(ValueError):
                    yield Uprobe(path, int(digits, 16), 0)
            return
