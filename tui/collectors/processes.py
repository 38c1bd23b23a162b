"""The processes of this machine, as samples.

What hardly changes (name, user, command, language) is read through psutil once per program that a process executes,
and again while it is young; what does change comes from /proc/PID/stat, one small read each, because a console asks
for all of them every second.
"""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator
from typing import Final, NamedTuple

import psutil

from tui.collectors.samples import Process, ProcessesSample
from tui.elf.languages import Languages
from tui.text import sanitise

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_LONGEST_COMMAND: Final = 4096  # characters; who reads on, reads /proc/PID/cmdline
_SHORTEST: Final = 0.05  # seconds between readings
_FIRST_SECONDS: Final = 0.3  # until the second sample, the first that has rates
_YOUNG: Final = 5.0  # seconds, in which a process may still change its user or its arguments
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


class _Fixed(NamedTuple):
    """What hardly changes, and the name in the kernel that tells when it has."""

    comm: bytes
    name: str
    user: str
    language: str
    command: str


class Processes:
    """Reads all processes again and again; CPU shares are those since the reading before."""

    def __init__(self) -> None:
        self._fixed: dict[tuple[int, int], _Fixed] = {}
        self._ticks: dict[tuple[int, int], int] = {}
        self._read_at = 0.0
        self._languages = Languages()
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
            key = (pid, stat.started if stat else 0)
            known = self._fixed.get(key)
            if stat and (not known or known.comm != stat.name or uptime - stat.started / _TICKS < _YOUNG):
                known = self._describe(pid, stat)
            if not stat or not known:
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
        memory = psutil.virtual_memory()
        return ProcessesSample(
            now, tuple(processes), psutil.cpu_percent(), memory.total - memory.available, memory.total
        )

    def _describe(self, pid: int, stat: _Stat) -> _Fixed | None:
        """None where the process ended meanwhile."""
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                name, command, user = sanitise(process.name()), process.cmdline(), _user(process)
        except psutil.Error:
            return None
        if stat.flags & _KERNEL_THREAD:
            return _Fixed(stat.name, name, user, "kernel", f"[{name}]")
        line = sanitise(" ".join(command)[:_LONGEST_COMMAND]).strip() or f"[{name}]"
        return _Fixed(stat.name, name, user, self._languages.of_process(pid), line)


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
    )


def _user(process: psutil.Process) -> str:
    try:
        return sanitise(process.username())
    except (KeyError, psutil.AccessDenied):
        return "?"


def _stat(pid: int) -> _Stat | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            name, _, rest = file.read().rpartition(b") ")  # the name can hold anything
        fields = rest.split()
        return _Stat(
            name=name.partition(b" (")[2],
            parent=int(fields[1]),
            flags=int(fields[6]),
            ticks=int(fields[11]) + int(fields[12]),
            threads=int(fields[17]),
            started=int(fields[19]),
            rss_bytes=int(fields[21]) * _PAGE,
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
