"""What is to be probed: a process, or an executable and then every process that runs it."""

import fcntl
import os
import select
import signal
import struct
import time
from typing import NamedTuple

from tui.elf import modules
from tui.elf.names import Module
from tui.errors import TargetError, UsageError
from tui.owner import Owner
from tui.text import sanitise

_PIDFD_GET_INFO = 0xC048FF0B  # _IOWR(0xFF, 11, 72 bytes): include/uapi/linux/pidfd.h, exit codes from 6.15
_PIDFD_INFO_EXIT = 1 << 3
_TRIES = 20  # a millisecond each: executing takes less


class Target(NamedTuple):
    """A process (`pid`) or a file (`pid` None), with the modules it has; the executable is the first."""

    pid: int | None
    name: str
    modules: tuple[Module, ...]


def resolve(text: str) -> Target:
    """A pid, a path (something with a slash), or the name of one process. Raises BpfscopeError."""
    if not text:
        raise UsageError("TARGET is empty: name a pid, a path, or a process")
    if text.isascii() and text.isdecimal():
        return of_process(int(text[:20]))  # no pid has more digits, and int() has a limit
    if "/" in text:
        module = modules.of_file(text)
        return Target(None, module.name, (module,))
    found = named(text)
    if not found:
        hint = f"; to probe the file in this folder, say ./{sanitise(text)}" if os.path.exists(text) else ""
        raise TargetError(f"no process is called {sanitise(text)}: `bpfscope ps` lists them{hint}")
    if len(found) > 1:
        pids = ", ".join(map(str, found[:10])) + (", …" if len(found) > 10 else "")
        raise TargetError(f"{len(found)} processes are called {sanitise(text)}: name one by its pid ({pids})")
    return of_process(found[0])


def of_process(pid: int) -> Target:
    """A process by its pid. Raises TargetError, NotPermitted."""
    mapped = modules.of_process(pid)
    return Target(pid, _name(pid), mapped)


def named(name: str) -> list[int]:
    """The processes with that name, as /proc/PID/comm has it or as their executable is called; never this one."""
    pids = (int(entry) for entry in os.listdir("/proc") if entry.isdecimal())
    return sorted(pid for pid in pids if pid != os.getpid() and name in _names(pid))


def _names(pid: int) -> set[str]:
    names = {_name(pid)}
    try:
        names.add(os.path.basename(os.readlink(f"/proc/{pid}/exe")).removesuffix(" (deleted)"))
    except OSError:
        return names
    return names


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            return sanitise(file.read().rstrip(b"\n").decode("utf-8", "surrogateescape"))
    except OSError:
        return ""


class Watch(Owner):
    """Tells when a process can't be called any more: it exited, was killed, or executed another program."""

    def __init__(self, pid: int) -> None:
        """Holds on to the process, so that its pid can't come to mean another. Raises TargetError."""
        self.pid = pid
        try:
            self._pidfd = os.pidfd_open(pid)
        except OSError:
            raise TargetError(f"there is no process {pid}: `bpfscope ps` lists them") from None
        self._executable = self._settled()

    def fileno(self) -> int:
        """Readable when the process has ended."""
        return self._pidfd

    def ended(self) -> str:
        """One of "exited 0", "was killed by SIGKILL", "executed /usr/bin/other"; empty while it runs what it ran."""
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        if poll.poll(0):
            return _how(self._exit_status())
        if self._executable and (now := self._identity()) and now != self._executable:
            return f"executed {_link(self.pid)}"
        return ""

    def close(self) -> None:
        """Lets go of the process."""
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1

    def _identity(self) -> tuple[int | bytes, ...] | None:
        """The executable, and where its code, stack and arguments lie: executing even the same anew moves these."""
        try:
            status = os.stat(f"/proc/{self.pid}/exe")
            with open(f"/proc/{self.pid}/stat", "rb") as file:
                fields = file.read().rpartition(b") ")[2].split()
            code, stack, arguments = fields[23], fields[25], fields[45]
        except (OSError, IndexError):
            return None
        return (status.st_dev, status.st_ino, code, stack, arguments) if code != b"0" else None

    def _settled(self) -> tuple[int | bytes, ...] | None:
        """The same, when the process isn't in the midst of executing."""
        for _ in range(_TRIES):
            identity = self._identity()
            if identity and identity == self._identity():
                return identity
            time.sleep(0.001)
        return None

    def _exit_status(self) -> int | None:
        """As wait(2) gives it: of a zombie from its stat file, of one that was reaped from its pidfd (6.15)."""
        try:
            with open(f"/proc/{self.pid}/stat", "rb") as file:
                fields = file.read().rpartition(b") ")[2].split()
            if fields[0] == b"Z":
                return int(fields[49])
        except (OSError, ValueError, IndexError):
            pass  # reaped meanwhile: the pidfd knows
        info = bytearray(struct.pack("=Q", _PIDFD_INFO_EXIT).ljust(72, b"\0"))
        try:
            fcntl.ioctl(self._pidfd, _PIDFD_GET_INFO, info)
        except OSError:
            return None
        mask: int = struct.unpack_from("=Q", info)[0]
        status: int = struct.unpack_from("=i", info, 60)[0]
        return status if mask & _PIDFD_INFO_EXIT else None


def _how(status: int | None) -> str:
    if status is None:
        return "ended"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        known = number in signal.valid_signals()
        return f"was killed by {signal.Signals(number).name if known and number < 32 else f'signal {number}'}"
    return f"exited {os.waitstatus_to_exitcode(status)}"


def _link(pid: int) -> str:
    try:
        return sanitise(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return "another program"
