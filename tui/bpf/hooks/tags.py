"""Whose a tc filter is: a name that tells the process, so that what a killed one leaves behind can be told.

A pid alone may be somebody else's by now, so the name has the time at which the process began; and its pid namespace,
because a container that shares our network may have processes that we don't see.
"""

import os
import re
from typing import NamedTuple, Self

from tui.bpf.features import sees_real_pids

_FORM = re.compile(r"bpfscope:(\d{1,10}):(\d{1,20}):(\d{1,20}):(\d{1,10})(:made)?", re.ASCII)
_DEAD = (b"Z", b"X")
_UNKNOWN = -1


class Tag(NamedTuple):
    """What the name of one of our filters says."""

    pid: int
    started: int  # clock ticks after boot: proc_pid_stat(5), field 22
    namespace: int  # of pids: its inode
    number: int  # among the filters of that process
    made: bool  # whether the clsact it is in was made by one of us

    @classmethod
    def own(cls, number: int, *, made: bool) -> Self:
        """One of this process's."""
        return cls(os.getpid(), start_of(os.getpid()) or 0, _namespace("self"), number, made)

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """None for a filter that isn't ours."""
        found = _FORM.fullmatch(name)
        if found is None:
            return None
        return cls(int(found[1]), int(found[2]), int(found[3]), int(found[4]), found[5] is not None)

    def text(self) -> str:
        """The filter's name, below the 256 bytes that it may have."""
        made = ":made" if self.made else ""
        return f"bpfscope:{self.pid}:{self.started}:{self.namespace}:{self.number}{made}"

    def alive(self) -> bool:
        """Whether the process is still there; True where that can't be known."""
        if self.namespace == _namespace("self"):
            started = start_of(self.pid)
            return _signalable(self.pid) if started is None else started == self.started
        if not sees_real_pids():
            return True
        return any(_namespace(pid) in {self.namespace, _UNKNOWN} for pid in os.listdir("/proc") if pid.isdecimal())


def start_of(pid: int) -> int | None:
    """When a process began, in clock ticks after boot; None where it isn't seen, 0 where it is dead but not buried."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b") ")[2].split()  # the name can hold anything
    except OSError:
        return None
    return 0 if fields[0] in _DEAD else int(fields[19])


def _signalable(pid: int) -> bool:
    """Whether there is such a process though /proc doesn't show it (hidepid)."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):  # a number that no pid can be
        return False
    except PermissionError:
        return True
    return True


def _namespace(process: str) -> int:
    """The inode of a process's pid namespace; 0 where the process has gone, _UNKNOWN where we may not look."""
    try:
        return os.stat(f"/proc/{process}/ns/pid").st_ino
    except PermissionError:
        return _UNKNOWN
    except OSError:
        return 0
