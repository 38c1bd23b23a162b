"""What is attached where, of whomever, as samples.

Who holds what is looked up where programs, links or sockets come, and every ten seconds: of all that is read here only
that takes long where there are many file descriptors. Functions get their names by and by, one file a reading.
"""

import threading
import time
from collections.abc import Iterable
from typing import Final

from tui.bpf import kernel
from tui.bpf.inventory import at_processes, attachments, holders, info, kinds, pins
from tui.bpf.inventory.attachment import Attachment
from tui.collectors import units
from tui.collectors.attachment_samples import KINDS, AttachmentsSample, Owner, Placed, kind_of
from tui.collectors.place_names import PlaceNames
from tui.text import sanitise

_LOOKED_UP: Final = 10.0  # seconds
_ALL: Final = 1 << 30
_Ids = tuple[int, ...]


class Attachments:
    """Reads them again and again."""

    def __init__(self) -> None:
        self._names = PlaceNames()
        self._ids: _Ids = ()
        self._due = 0.0
        self._held = holders.Holders({}, {}, {})
        self._found = at_processes.Processes((), {}, {})
        self._unowned: set[int] = set()  # sockets of which no process was found
        self._pins = pins.Pins({}, {}, {})
        self._owners: dict[int, Owner] = {}
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
            self._look_up(ids, now)
        reading = attachments.read(self._held, self._found)
        if (unowned := _unowned(reading.attachments)) - self._unowned:  # a new socket says nothing of itself
            self._look_up(ids, now)
            reading = attachments.read(self._held, self._found)
            unowned = _unowned(reading.attachments)
        self._unowned = unowned
        places = self._names.named(reading.attachments, files)
        placed = [self._placed(*pair, reading.programs) for pair in zip(reading.attachments, places, strict=True)]
        found = tuple(sorted(_merged(placed), key=order))
        if found != self._last:
            self._last = found
        return AttachmentsSample(now, self._last, reading.missing, time.clock_gettime_ns(time.CLOCK_BOOTTIME))

    def _look_up(self, ids: _Ids, now: float) -> None:
        """Who holds what."""
        self._held, self._found, self._owners = holders.holders(), at_processes.processes(), {}
        self._pins = pins.pins()
        self._ids, self._due = ids, now + _LOOKED_UP

    def _placed(self, each: Attachment, where: str, programs: dict[int, info.Program]) -> Placed:
        program = programs.get(each.program)
        return Placed(
            hook=each.hook,
            kind=kind_of(each.hook, each.ifindex),
            where=where,
            program=each.program,
            type="classic" if each.instructions else kinds.program_type(program.type) if program else "",
            name=each.name,
            owners=tuple(map(self._owner, each.pids)),
            links=(each.link,) if each.link else (),
            ours=each.ours,
            detail=each.detail,
            ifindex=each.ifindex,
            cgroup=each.cgroup,
            pid=each.pid,
            map=each.map,
            inode=each.inode,
            file=sanitise(each.file),
            offset=each.offset,
            pins=self._pins.links.get(each.link, ()) or self._pins.programs.get(each.program, ()),
            loaded=program.loaded_ns if program else 0,
            instructions=each.instructions,
            header=each.header,
        )

    def _owner(self, pid: int) -> Owner:
        if pid not in self._owners:
            try:
                with open(f"/proc/{pid}/comm", "rb") as file:
                    name = sanitise(file.read(64).decode("utf-8", "replace").removesuffix("\n"))
            except OSError:  # it ended
                name = ""
            self._owners[pid] = Owner(pid, name, units.of_process(pid))
        return self._owners[pid]


def _unowned(rows: Iterable[Attachment]) -> set[int]:
    """Sockets whose processes aren't known, by inode."""
    return {each.inode for each in rows if each.hook == "socket" and not each.pids}


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
