"""The processes of this machine, as samples.

What hardly changes (name, user, command, language) is read once per program that a process executes, again while it is
young, and then every 60 readings; its control group, by which it may be moved to another unit, every 5. What does
change comes from /proc/PID/stat, one small read each, because a console asks for all of them every second.
"""

import asyncio
import os
import pwd
import re
import threading
import time
from collections.abc import AsyncIterator
from typing import Final, NamedTuple

import psutil

from tui.collectors import units
from tui.collectors.samples import Process, ProcessesSample
from tui.elf.languages import Languages
from tui.text import sanitise

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_LONGEST_COMMAND: Final = 4096  # characters; who reads on, reads /proc/PID/cmdline
_SHORTEST: Final = 0.05  # seconds between readings
_FIRST_SECONDS: Final = 0.3  # until the second sample, the first that has rates
_YOUNG: Final = 5.0  # seconds, in which a process may still change its user or its arguments
_TURNS: Final = 60  # readings, in one of which each process is looked at as a whole
_MOVES: Final = 5  # readings, in one of which each process's control group is looked at
_MOST_OF_STAT: Final = 1024  # bytes; the 52 numbers and the name take 500 at most
_MOST_OF_STATUS: Final = 4096
_USER: Final = re.compile(rb"^Uid:\t(\d+)", re.MULTILINE)  # the real one
_LONGEST_NAME: Final = 15  # bytes: the kernel cuts what is longer (TASK_COMM_LEN)
_DELETED: Final = " (deleted)"  # what the kernel says behind the path of a program that is no more
_IN_MEMORY: Final = "/memfd:"
_KERNEL_THREAD: Final = 0x00200000  # PF_KTHREAD: include/linux/sched.h, 5.15 to 6.18


class _Stat(NamedTuple):
    """Of /proc/PID/stat (proc(5)), what changes."""

    name: bytes
    parent: int
    flags: int
    ticks: int  # of CPU time, user and system
    threads: int
    started: int  # ticks after boot
    rss_bytes: int
    ended: bool  # it waits for its parent; while other threads go on, one whose main thread has ended doesn't


class _Fixed(NamedTuple):
    """What hardly changes, and the name in the kernel that tells when it has."""

    comm: bytes
    name: str
    user: str
    language: str
    command: str
    groups: bytes = b""  # control groups, of which the unit is told
    unit: str = ""
    deleted: bool = False


class Processes:
    """Reads all processes again and again; CPU shares are those since the reading before."""

    def __init__(self) -> None:
        self._fixed: dict[tuple[int, int], _Fixed] = {}
        self._ticks: dict[tuple[int, int], int] = {}
        self._read_at = 0.0
        self._number = 0  # of readings
        self._languages = Languages()
        self._users: dict[int, str] = {}
        self._last: ProcessesSample | None = None
        self._turn = threading.Lock()
        psutil.cpu_percent()

    def read(self) -> ProcessesSample:
        """All processes now. In the first reading a share is that of the process's whole life, as ps(1) has it.

        A reading that is younger than can have rates is given again. Safe to call from several threads.
        """
        with self._turn:
            if not self._last or time.monotonic() - self._last.time >= _SHORTEST:
                self._last = self._read()
            return self._last

    def _read(self) -> ProcessesSample:
        now = time.monotonic()
        uptime = time.clock_gettime(time.CLOCK_BOOTTIME)
        seconds = now - self._read_at
        processes, ticks, fixed = [], {}, {}
        for pid in psutil.pids():
            stat = _stat(pid)
            if not stat or stat.ended:
                continue
            key = (pid, stat.started)
            known = before = self._fixed.get(key)
            due = uptime - stat.started / _TICKS < _YOUNG or pid % _TURNS == self._number % _TURNS
            if not known or due or known.comm != stat.name:
                known = self._describe(pid, stat)
                if known and before and not known.groups:  # they couldn't be read now
                    known = known._replace(groups=before.groups, unit=before.unit)
            elif pid % _MOVES == self._number % _MOVES and not stat.flags & _KERNEL_THREAD:
                known = _moved(pid, known)
            if not known:
                continue
            ticks[key], fixed[key] = stat.ticks, known
            if key in self._ticks:
                share = (stat.ticks - self._ticks[key]) / _TICKS / seconds
            elif self._read_at:
                share = 0.0
            else:
                share = stat.ticks / _TICKS / max(0.01, uptime - stat.started / _TICKS)
            processes.append(_process(pid, stat, known, 100 * max(0.0, share)))
        self._ticks, self._fixed, self._read_at = ticks, fixed, now
        self._number += 1
        memory = psutil.virtual_memory()
        return ProcessesSample(
            now, tuple(processes), psutil.cpu_percent(), memory.total - memory.available, memory.total
        )

    def _describe(self, pid: int, stat: _Stat) -> _Fixed | None:
        """None where the process ended meanwhile."""
        try:
            line, uid = _command(pid), int(_USER.findall(_beginning(f"/proc/{pid}/status", _MOST_OF_STATUS))[0])
        except (OSError, IndexError):
            return None
        if uid not in self._users:
            self._users[uid] = _user(uid)
        name, whole = stat.name.decode("utf-8", "surrogateescape"), os.path.basename(line[0])
        name = sanitise(whole if len(stat.name) == _LONGEST_NAME and whole.startswith(name) else name)
        if stat.flags & _KERNEL_THREAD:
            return _Fixed(stat.name, name, self._users[uid], "kernel", f"[{name}]")
        command = sanitise(" ".join(line)[:_LONGEST_COMMAND]).strip() or f"[{name}]"
        language, groups = self._languages.of_process(pid), units.groups(pid)
        unit = units.of_groups(groups)
        return _Fixed(stat.name, name, self._users[uid], language, command, groups, unit, _deleted(pid))


def _moved(pid: int, known: _Fixed) -> _Fixed:
    """With the unit in which the process is now."""
    groups = units.groups(pid)
    return known._replace(groups=groups, unit=units.of_groups(groups)) if groups not in (b"", known.groups) else known


def _process(pid: int, stat: _Stat, fixed: _Fixed, cpu_percent: float) -> Process:
    return Process(
        pid=pid,
        started=stat.started,
        parent=stat.parent,
        name=fixed.name,
        user=fixed.user,
        cpu_percent=cpu_percent,
        rss_bytes=stat.rss_bytes,
        threads=stat.threads,
        language=fixed.language,
        command=fixed.command,
        unit=fixed.unit,
        deleted=fixed.deleted,
    )


def _deleted(pid: int) -> bool:
    """Whether its program's file was deleted, or replaced by another, as package managers do."""
    try:
        path = os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return False
    return path.endswith(_DELETED) and not path.startswith(_IN_MEMORY)


def _command(pid: int) -> list[str]:
    """The words of its command line, at least one; the last may be cut. Raises OSError."""
    content = _beginning(f"/proc/{pid}/cmdline", 4 * _LONGEST_COMMAND)
    return content.rstrip(b"\0").decode("utf-8", "surrogateescape").split("\0")


def _user(uid: int) -> str:
    try:
        return sanitise(pwd.getpwuid(uid).pw_name)
    except KeyError:  # of a container
        return str(uid)


def _beginning(path: str, most: int) -> bytes:
    """At most so many bytes of a file of /proc. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # a third quicker than a file object
    try:
        return os.read(fd, most)
    finally:
        os.close(fd)


def _stat(pid: int) -> _Stat | None:
    try:
        name, _, rest = _beginning(f"/proc/{pid}/stat", _MOST_OF_STAT).rpartition(b") ")  # the name can hold anything
        fields = rest.split(None, 22)
        return _Stat(
            name=name.partition(b" (")[2],
            parent=int(fields[1]),
            flags=int(fields[6]),
            ticks=int(fields[11]) + int(fields[12]),
            threads=int(fields[17]),
            started=int(fields[19]),
            rss_bytes=int(fields[21]) * _PAGE,
            ended=fields[0] == b"Z" and int(fields[17]) < 2,
        )
    except (OSError, IndexError, ValueError):
        return None


async def stream(reader: Processes, interval: float) -> AsyncIterator[ProcessesSample]:
    """A sample at once, one as soon as there are rates, then one every `interval` seconds, for ever."""
    yield await asyncio.to_thread(reader.read)
    await asyncio.sleep(min(_FIRST_SECONDS, interval))
    while True:
        yield await asyncio.to_thread(reader.read)
        await asyncio.sleep(interval)
