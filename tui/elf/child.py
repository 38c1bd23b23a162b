"""A child process for work on hostile input: it gets bytes, and leaves its result in an anonymous file.

    with Child([sys.executable, "-I", "-S", path], request) as child:
        child.result(seconds)

The child limits its own memory; it is ended when it is left. What it says on standard error is thrown away.
"""

import os
import select
import signal
from collections.abc import Mapping
from typing import Final

from tui.owner import Owner

FILE: Final = 3  # the descriptor of a file that a child is given


class Child(Owner):
    """Owns the process; a context manager. Raises OSError where there is no room for one."""

    def __init__(
        self,
        command: list[str],
        request: bytes | None,
        file: int = -1,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Starts it, with the request as its standard input, and with a file's descriptor if there is one.

        Without a request, `give` brings it later: until then the descriptor FILE is a pipe that stays open.
        """
        self._ended = self._request = self._go = self._result = -1
        waits = -1
        try:
            self._request = os.memfd_create("request")
            self._result = os.memfd_create("result")
            if request is None:
                waits, self._go = os.pipe()
            else:
                self._write(request)
            actions: list[tuple[int, int, int] | tuple[int, int, str, int, int]] = [
                (os.POSIX_SPAWN_DUP2, self._request, 0),
                (os.POSIX_SPAWN_DUP2, self._result, 1),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ]
            if max(file, waits) >= 0:
                actions.append((os.POSIX_SPAWN_DUP2, max(file, waits), FILE))
            pid = os.posix_spawn(command[0], command, environment or {}, file_actions=actions)
            self._ended = os.pidfd_open(pid)
        except OSError:
            self.close()
            raise
        finally:
            if waits >= 0:
                os.close(waits)

    def give(self, request: bytes) -> None:
        """Brings the request, and lets it begin. Raises OSError where there is no room for it."""
        self._write(request)
        os.close(self._go)
        self._go = -1

    def result(self, seconds: float) -> bytes:
        """What it wrote until it ended, or within the time."""
        poll = select.poll()
        poll.register(self._ended, select.POLLIN)
        poll.poll(seconds * 1000)
        return os.pread(self._result, os.fstat(self._result).st_size, 0)

    def close(self) -> None:
        """Ends it if it is still at work; a second time is harmless."""
        if self._ended >= 0:
            signal.pidfd_send_signal(self._ended, signal.SIGKILL)
            os.waitid(os.P_PIDFD, self._ended, os.WEXITED)
        for fd in (self._ended, self._request, self._go, self._result):
            if fd >= 0:
                os.close(fd)
        self._ended = self._request = self._go = self._result = -1

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._request, data) :]
