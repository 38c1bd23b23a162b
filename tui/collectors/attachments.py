"""What is attached where, of whomever, as samples.

Who holds what is looked up where programs or links come or go, and every ten seconds: of all that is read here only
that takes long where there are many file descriptors. Functions get their names by and by, one file a reading.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterable
from typing import Final

from tui.bpf import kernel
from tui.bpf.inventory import at_processes, attachments, holders, kinds
from tui.bpf.inventory.attachment import Attachment
from tui.collectors.attachment_samples import KINDS, AttachmentsSample, Owner, Placed, kind_of
from tui.collectors.place_names import PlaceNames
from tui.collectors.threads import in_thread
from tui.text import sanitise

_LOOKED_UP: Final = 10.0  # seconds
_UNKNOWN: Final = 2.0  # seconds, where a socket is whose process isn't known
_SOON: Final = 0.3  # seconds until the second sample, the first with names of functions
_SHARE: Final = 0.03  # of a CPU that reading takes at most
_ALL: Final = 1 << 30
_Ids = tuple[int, ...]


class Attachments:
    """Reads them again and again."""

    def __init__(self) -> None:
        self._names = PlaceNames()
        self._ids: _Ids = ()
        self._due = 0.0
        self._held = holders.Holders({}, {}, {})
        self._found = at_processes.Processes((), {})
        self._comms: dict[int, str] = {}
        self._last: tuple[Placed, ...] = ()  # the same object as long as nothing changes
        self._turn = threading.Lock()

    def read(self, files: int = _ALL) -> AttachmentsSample:
        """All now; the functions of at most so many more files are named. Safe to call from several threads.

        Raises NotPermitted, NotSupported.
        """
        with self._turn:
            return self._read(files)

    def _read(self, files: int) -> AttachmentsSample:
        now = time.monotonic()
        ids = (*_ids(kernel.PROG_GET_NEXT_ID), 0, *_ids(kernel.LINK_GET_NEXT_ID))
        if now >= self._due or ids != self._ids:
            self._held, self._found = holders.holders(), at_processes.processes()
            self._ids, self._due = ids, now + _LOOKED_UP
            self._comms = {}
        reading = attachments.read(self._held, self._found)
        if any(each.hook == "socket" and not each.pids for each in reading.attachments):
            self._due = min(self._due, now + _UNKNOWN)
        places = self._names.named(reading.attachments, files)
        types = {number: kinds.program_type(each.type) for number, each in reading.programs.items()}
        placed = [self._placed(*pair, types) for pair in zip(reading.attachments, places, strict=True)]
        found = tuple(sorted(_merged(placed), key=order))
        if found != self._last:
            self._last = found
        return AttachmentsSample(now, self._last, reading.missing)

    def _placed(self, each: Attachment, where: str, types: dict[int, str]) -> Placed:
        return Placed(
            hook=each.hook,
            kind=kind_of(each.hook, each.ifindex),
            where=where,
            program=each.program,
            type="classic" if each.instructions else types.get(each.program, ""),
            name=each.name,
            owners=tuple(Owner(pid, self._comm(pid)) for pid in each.pids),
            links=(each.link,) if each.link else (),
            ours=each.ours,
            detail=each.detail,
            ifindex=each.ifindex,
            cgroup=each.cgroup,
            pid=each.pid,
            map=each.map,
            inode=each.inode,
            offset=each.offset,
            instructions=each.instructions,
            header=each.header,
        )

    def _comm(self, pid: int) -> str:
        if pid not in self._comms:
            try:
                with open(f"/proc/{pid}/comm", "rb") as file:
                    self._comms[pid] = sanitise(file.read(64).decode("utf-8", "replace").removesuffix("\n"))
            except OSError:  # it ended
                self._comms[pid] = ""
        return self._comms[pid]


def _ids(command: int) -> list[int]:
    """What this user may not know, reading says."""
    try:
        return list(kernel.ids(command))
    except OSError:
        return []


def _merged(rows: Iterable[Placed]) -> Iterable[Placed]:
    """Links that differ in nothing that is told, as those of a clock on each CPU, are one row."""
    found: dict[Placed, list[int]] = {}
    for each in rows:
        found.setdefault(each._replace(links=()), []).extend(each.links)
    return [each._replace(links=tuple(links)) for each, links in found.items()]


def order(row: Placed) -> tuple[object, ...]:
    """By what it is attached to: the order of a list that nobody sorted."""
    return KINDS.index(row.kind), row.where, row.hook, row.detail, row.program, row.links


async def stream(reader: Attachments, interval: float) -> AsyncIterator[AttachmentsSample]:
    """A sample at once and then one every `interval` seconds, for ever; less often where reading takes long.

    Raises BpfscopeError.
    """
    files = 0
    while True:
        begun = time.monotonic()
        sample = await in_thread(reader.read, files)
        took = time.monotonic() - begun
        yield sample
        await asyncio.sleep(max(interval, took / _SHARE) if files else min(interval, _SOON))
        files = 1
