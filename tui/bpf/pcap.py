"""libpcap in a child process that is kept, asked again and again, and ended when it is late.

    with Libpcap() as libpcap:
        for answer in libpcap.answers({"kind": "compile", …}, seconds=5.0): …

What may be asked, and what the answers are, is in pcap_child.py.
"""

import contextlib
import errno
import json
import os
import select
import signal
import struct
import sys
import time
from collections.abc import Iterator
from importlib.machinery import PathFinder
from typing import Any, Final

from tui.errors import BpfscopeError, NotSupported
from tui.owner import Owner

ASK_THE_NETWORK: Final = "resolve"  # an argument of the child's: names may be looked up over the network
FILE: Final = 3  # the descriptor of a capture file
RECORD: Final = struct.Struct("=IIB")  # before a packet: bytes captured, bytes on the wire, 1 if libpcap lets it pass
END: Final = b"\xff" * RECORD.size  # instead of a packet's, after the last
LONGEST: Final = 1 << 20  # bytes of a packet

_FOLDER: Final = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_CHILD: Final = ["-S", "-P", "-m", "tui.bpf.pcap_child"]  # -P: nothing of the current folder

Answer = dict[str, Any]


class Late(Exception):
    """The answer didn't come in time, or isn't wanted any more; the child was ended."""


class Ended(Exception):
    """The child ended by itself: the name of the signal, or its status."""


class Libpcap(Owner):
    """Owns the child, which starts when it is first asked, and again after it ended; a context manager."""

    def __init__(self, *, resolve: bool = False, file: int = -1) -> None:
        """`resolve`: names may be looked up over the network; `file`: the descriptor of a capture file."""
        self.resolves, self._file = resolve, file
        self._ended = -1
        self._requests = self._answers = -1
        self._read, self._taken = b"", 0  # what was read, and how much of it was used
        self._busy = False  # with a request whose last answer wasn't read
        self._stop = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def answers(self, request: Answer, seconds: float) -> Iterator[Answer]:
        """What the child says to it. Raises Late, Ended; NotSupported without cypcap, BpfscopeError without room."""
        deadline = time.monotonic() + seconds
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._stop)  # what was interrupted before has ended
        if self._busy:
            self._end()
        self.start()
        self._busy = True
        self._send(json.dumps(request | {"seconds": seconds}).encode() + b"\n", deadline)
        yield from self._lines(deadline)

    def rest(self, seconds: float) -> Iterator[Answer]:
        """Answers that come after what was taken. Raises Late, Ended."""
        yield from self._lines(time.monotonic() + seconds)

    def take(self, size: int, seconds: float) -> bytes:
        """So many bytes of what the child writes. Raises Late, Ended."""
        if len(self._read) - self._taken < size:
            deadline = time.monotonic() + seconds
            while len(self._read) - self._taken < size:
                self._fill(deadline)
        self._taken += size
        return self._read[self._taken - size : self._taken]

    def interrupt(self) -> None:
        """From another thread: who waits for an answer waits no longer."""
        os.eventfd_write(self._stop, 1)

    def start(self) -> None:
        """Starts the child where there is none, so that the first answer comes sooner. Raises as `answers`."""
        if self._ended >= 0 and not _is_ready(self._ended):
            return
        self._end()
        cypcap = PathFinder.find_spec("cypcap")
        if cypcap is None or cypcap.origin is None:
            raise NotSupported("cypcap is not installed: install bpfscope again, with what it depends on")
        folders = (_FOLDER, os.path.dirname(os.path.dirname(cypcap.origin)))
        try:
            self._spawn({"PYTHONPATH": os.pathsep.join(folders), "RES_OPTIONS": "timeout:1 attempts:1"})
        except OSError as error:
            remedy = ": raise the limit (ulimit -n)" if error.errno in (errno.EMFILE, errno.ENFILE) else ""
            raise BpfscopeError(f"libpcap's process can't be started: {error.strerror}{remedy}") from None

    def close(self) -> None:
        """Ends the child; a second time is harmless."""
        self._end()
        if self._stop >= 0:
            os.close(self._stop)
            self._stop = -1

    def _spawn(self, environment: dict[str, str]) -> None:
        """Raises OSError."""
        with contextlib.ExitStack() as kept, contextlib.ExitStack() as given:
            requests, self._requests = os.pipe()
            given.callback(os.close, requests)
            kept.callback(os.close, self._requests)
            self._answers, answers = os.pipe()
            given.callback(os.close, answers)
            kept.callback(os.close, self._answers)
            actions: list[tuple[int, int, int] | tuple[int, int, str, int, int]] = [
                (os.POSIX_SPAWN_DUP2, requests, 0),
                (os.POSIX_SPAWN_DUP2, answers, 1),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ]
            if self._file >= 0:
                actions.append((os.POSIX_SPAWN_DUP2, self._file, FILE))
            command = [sys.executable, *_CHILD, *([ASK_THE_NETWORK] if self.resolves else [])]
            self._ended = os.pidfd_open(os.posix_spawn(command[0], command, environment, file_actions=actions))
            os.set_blocking(self._requests, False)
            self._read, self._taken = b"", 0
            kept.pop_all()

    def _send(self, data: bytes, deadline: float) -> None:
        """A child that doesn't read has 64 KiB of room; then it is waited for."""
        while data:
            try:
                data = data[os.write(self._requests, data) :]
            except BlockingIOError:
                self._wait(self._requests, select.POLLOUT, deadline)
            except BrokenPipeError:
                return  # it ended, which reading its answer tells

    def _lines(self, deadline: float) -> Iterator[Answer]:
        """Up to the last."""
        while True:
            while (end := self._read.find(b"\n", self._taken)) < 0:
                self._fill(deadline)
            answer: Answer = json.loads(self._read[self._taken : end])
            self._taken = end + 1
            if answer.get("done"):
                self._busy = False
                return
            yield answer

    def _fill(self, deadline: float) -> None:
        """Reads on."""
        self._wait(self._answers, select.POLLIN, deadline)
        more = os.read(self._answers, 1 << 20)
        if not more:
            raise Ended(self._end())
        self._read, self._taken = self._read[self._taken :] + more, 0

    def _wait(self, fd: int, event: int, deadline: float) -> None:
        """Until the pipe is ready. Raises Late."""
        poll = select.poll()
        poll.register(fd, event)
        poll.register(self._stop, select.POLLIN)
        ready = dict(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))
        if not ready or self._stop in ready:
            self._end()
            raise Late

    def _end(self) -> str:
        """Ends the child; returns how it ended, in words."""
        if self._ended < 0:
            return ""
        if not _is_ready(self._ended):
            signal.pidfd_send_signal(self._ended, signal.SIGKILL)
        found = os.waitid(os.P_PIDFD, self._ended, os.WEXITED)
        for fd in (self._ended, self._requests, self._answers):
            os.close(fd)
        self._ended = -1
        if found is None or found.si_code == os.CLD_EXITED:
            return f"status {found.si_status if found else 0}"
        return signal.Signals(found.si_status).name


def _is_ready(fd: int) -> bool:
    """Whether there is something to read; of a process, that it ended."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))
