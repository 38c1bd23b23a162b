"""Readable names for mangled C++ ones, from libstdc++'s own demangler, in a child process.

A name of a hostile file can make any demangler eat memory and time, so the child has little of both; where it gives
up, the raw names stay. Feeding while the symbol table is still being read keeps both CPUs busy.

    with Demangler() as demangler:
        demangler.feed(["_ZN4test3runEv"])
        demangler.results()  # {"_ZN4test3runEv": "test::run()"}
"""

import os
import select
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Final

from tui.owner import Owner
from tui.text import sanitise

_SECONDS: Final = 10.0
_SMALLEST_PART: Final = 10_000  # names that are worth a process
_MOST_PARTS: Final = 4
_PRINTABLE: Final = bytes(range(0x20, 0x7F)) + b"\n"
_CHILD: Final = os.path.join(os.path.dirname(__file__), "demangle_child.py")


class _Part:
    """Names given to one child, which leaves its results in an anonymous file."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        source = os.memfd_create("names")
        try:
            self.result = os.memfd_create("readable")
        except OSError:
            os.close(source)
            raise
        try:
            _write(source, "\n".join(names).encode("utf-8", "replace"))
            actions = [
                (os.POSIX_SPAWN_DUP2, source, 0),
                (os.POSIX_SPAWN_DUP2, self.result, 1),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ]
            command = [sys.executable, "-I", "-S", _CHILD]
            self.pid = os.posix_spawn(sys.executable, command, {}, file_actions=actions)
            self.ended = os.pidfd_open(self.pid)
        except OSError:
            os.close(self.result)
            raise
        finally:
            os.close(source)

    def close(self) -> None:
        """Ends the child if it is still at work."""
        signal.pidfd_send_signal(self.ended, signal.SIGKILL)
        os.waitid(os.P_PIDFD, self.ended, os.WEXITED)
        os.close(self.ended)
        os.close(self.result)

    def read(self) -> list[str]:
        """A name for each: readable where the child got that far within its time."""
        poll = select.poll()
        poll.register(self.ended, select.POLLIN)
        poll.poll(_SECONDS * 1000)
        data = os.pread(self.result, os.fstat(self.result).st_size, 0)
        lines = data.decode("utf-8", "replace").split("\n")[:-1]
        if data.translate(None, _PRINTABLE):
            lines = [sanitise(line) for line in lines]
        return lines + list(self.names[len(lines) :])


class Demangler(Owner):
    """Owns the children; a context manager."""

    def __init__(self) -> None:
        self._parts: list[_Part] = []

    def begin(self, names: Sequence[str]) -> Callable[[], Sequence[str]]:
        """Starts on these names. What it returns waits for them: a name for each, readable or as it was."""
        if not any(name.startswith("_Z") for name in names):
            return lambda: names
        count = min(os.cpu_count() or 1, _MOST_PARTS, -(-len(names) // _SMALLEST_PART))
        step = -(-len(names) // count)
        mine = len(self._parts)
        try:
            for start in range(0, len(names), step):
                self._parts.append(_Part(names[start : start + step]))
        except OSError:  # no room for another process or file: the names stay as they are
            return lambda: names
        parts = self._parts[mine:]
        return lambda: [name for part in parts for name in part.read()]

    def close(self) -> None:
        """Ends the children that are still at work."""
        while self._parts:
            self._parts.pop().close()


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
