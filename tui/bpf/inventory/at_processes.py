"""What processes hold that BPF may be attached to: perf events and sockets, by one look at all file descriptors.

Programs that were attached to a perf event by ioctl (as bcc's tools do, and before Linux 5.15 everybody) have no link.
BPF_TASK_FD_QUERY tells them, but for programs of type perf_event, of which it tells only that there is one.
"""

import contextlib
import errno
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.bpf.inventory import descriptors
from tui.bpf.inventory.attachment import Attachment
from tui.bpf.inventory.holders import Holders
from tui.bpf.inventory.surroundings import Surroundings
from tui.text import plural, sanitise

_EVENT: Final = "anon_inode:[perf_event]"
_SOCKET: Final = "socket:["
_HOOKS: Final = ("raw-tracepoint", "tracepoint", "kprobe", "kretprobe", "uprobe", "uretprobe")  # enum bpf_task_fd_type


class Event(NamedTuple):
    """A perf event with a BPF program, of a process."""

    pid: int
    hook: str
    text: bytes  # of a tracepoint or function its name, of a uprobe the file
    offset: int
    program: int  # 0: the kernel doesn't tell it


class Filtered(NamedTuple):
    """A socket that has a filter."""

    text: str  # "UDP socket 127.0.0.1:53"
    instructions: bytes  # b"": eBPF


class Processes(NamedTuple):
    """What was found."""

    events: tuple[Event, ...]
    sockets: dict[int, tuple[tuple[int, int], ...]]  # by inode: who has it open, pid and file descriptor
    asked: dict[int, Filtered | None]  # what sockets have said since (`at_sockets`), by inode


def processes() -> Processes:
    """All of it, now; 16,500 file descriptors take about 0.1 s. What this user may not look at is left out."""
    events: list[Event] = []
    sockets: dict[int, tuple[tuple[int, int], ...]] = {}
    for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))):
        with contextlib.suppress(OSError):  # it ended, or isn't ours to look at
            teller, names = descriptors.of_process(pid)
            for name in names:
                with contextlib.suppress(OSError):
                    link = os.readlink(f"/proc/{teller}/fd/{name}")
                    if link == _EVENT:
                        events.extend(each._replace(pid=pid) for each in _event(teller, int(name)))
                    elif link.startswith(_SOCKET):
                        inode = int(link.removeprefix(_SOCKET)[:-1])
                        sockets[inode] = (*sockets.get(inode, ()), (pid, int(name)))
    return Processes(tuple(events), sockets, {})


def _event(pid: int, fd: int) -> Iterator[Event]:
    try:
        kind, name, offset, program = kernel.task_fd_query(pid, fd)
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            yield Event(pid, "perf-event", b"", 0, 0)
        return  # else it has no program
    text = name.replace(b"/proc/self/", b"/proc/%d/" % pid, 1)
    yield Event(pid, _HOOKS[kind] if kind < len(_HOOKS) else f"type {kind}", text, offset, program)


def completed(linked: Iterable[Attachment], found: Iterable[Event], around: Surroundings) -> Iterator[Attachment]:
    """Links; those to perf events that don't say where that is (before 6.6) with what the events themselves say."""
    places: dict[int, list[Attachment]] = {}
    for event in found:
        if event.program:
            places.setdefault(event.program, []).append(_row(event, around))
    for link in linked:
        untold = link.hook == "perf-event" and not link.where
        row = places[link.program].pop() if untold and places.get(link.program) else None
        yield row._replace(link=link.link, pids=()) if row else link


def events(
    found: Iterable[Event], around: Surroundings, linked: Iterable[Attachment], held: Holders | None = None
) -> Iterator[Attachment]:
    """What no link tells: a program at several events of a place, one for each CPU say, is one row."""
    told = Counter((each.program, each.hook, each.where) for each in linked)
    hidden = Counter(pid for each in linked if each.hook == "perf-event" for pid in each.pids)
    for event, number in Counter(found).items():
        if event.program:
            row = _row(event, around)
            if not told[row.program, row.hook, row.where]:
                yield row._replace(detail=plural(number, "event") if number > 1 else "")
        elif number > hidden[event.pid]:  # each link of such a process has an event that tells nothing either
            detail = f"{plural(number - hidden[event.pid], 'event')}, of which the kernel doesn't tell more"
            program = around.only("perf_event", event.pid, held)
            yield Attachment("perf-event", "", program, pids=(event.pid,), detail=detail)


def _row(event: Event, around: Surroundings) -> Attachment:
    text = sanitise(event.text.decode("utf-8", "replace"))
    row = Attachment(event.hook, text, event.program, pids=(event.pid,))
    if event.hook in {"uprobe", "uretprobe"}:
        file, offset = os.fsdecode(event.text), event.offset
        return row._replace(where=f"{text}+{offset:#x}", file=file, offset=offset)
    if event.hook == "tracepoint":
        return row._replace(where=around.tracepoint(text))
    return row._replace(where=f"{text}+{event.offset}") if event.offset else row
