"""The names that a JIT compiler gives its code: /tmp/perf-PID.map, a line of address, size and name for each function.

The format is that of the kernel's tools/perf/Documentation/jit-interface.txt. The file lies in the process's own mount
namespace and has its number in its own pid namespace. Anybody may have written it: it must belong to the process's
user or to root, only its last part is read, and lines that don't fit are passed over.
"""

import os
import re
from array import array
from collections.abc import Iterator
from typing import Final

from tui.elf import rooted
from tui.elf.listing import ORIGINS, Listing, Odd
from tui.elf.names import JIT, Module
from tui.elf.ranges import Ranges
from tui.errors import TargetError
from tui.owner import Owner
from tui.text import sanitise

_NO_FILE: Final = "it was compiled into memory at run time, and probes go into files; `stacks` names it"
_LARGEST: Final = 64 << 20  # bytes
_MOST: Final = 1 << 18  # lines
_LONGEST_NAME: Final = 1024  # bytes
_LINE: Final = re.compile(rb"^(?:0x)?([0-9a-fA-F]{1,16}) (?:0x)?([0-9a-fA-F]{1,16}) ([^\n]+)\n", re.MULTILINE)
_ADDRESSES: Final = 1 << (48 if os.uname().machine == "aarch64" else 47)  # of user space


class PerfMap(Owner):
    """One process's; holds the file open, so that it can be read when the process has gone."""

    def __init__(self, pid: int) -> None:
        """`pid` may be any thread of the process."""
        self._pid = pid
        self.path = ""  # as the process sees it, once it was looked for
        self._fd = -1
        self._read: tuple[int, ...] = ()  # the file's identity and size when it was read last
        self._ranges = Ranges(())

    def name(self, address: int) -> str:
        """What lies at an address; sanitised, empty where nothing is known."""
        return self._ranges.at(address)

    def start(self, address: int) -> int:
        """Where what lies at an address begins; -1 where nothing is known."""
        return self._ranges.start(address)

    def refresh(self) -> None:
        """Reads the file again if there is more in it, or another."""
        self._open()
        if self._fd < 0:
            return
        status = os.fstat(self._fd)
        version = (status.st_dev, status.st_ino, status.st_size)
        if version != self._read:
            self._ranges = Ranges(self._rows(status.st_size))
            self._read = version

    def status(self) -> os.stat_result | None:
        """Of the file that is there now; None where it can't be trusted."""
        self._open()
        return os.fstat(self._fd) if self._fd >= 0 else None

    def rows(self) -> Iterator[tuple[int, int, str]]:
        """As `parse`, of the file that is there now."""
        status = self.status()
        return self._rows(status.st_size) if status else iter(())

    def _rows(self, size: int) -> Iterator[tuple[int, int, str]]:
        return parse(os.pread(self._fd, _LARGEST, max(0, size - _LARGEST)))

    def close(self) -> None:
        """Closes it; a second time is harmless."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> None:
        """Takes the file that the process has now, if there is one that can be trusted; else the one before stays."""
        try:
            users, number = _identity(self._pid)
            self.path = f"/tmp/perf-{number}.map"  # noqa: S108 - where the format has it
            fd = rooted.open_regular(f"/proc/{self._pid}/root", self.path, link=False)
        except (OSError, ValueError):
            return
        if os.fstat(fd).st_uid not in users:
            os.close(fd)
            return
        self.close()
        self._fd = fd


def module(pid: int) -> Module | None:
    """What a process's map names, as a module without a file; None without a map that can be trusted."""
    with PerfMap(pid) as found:
        status = found.status()
        if status is None:
            return None
        return Module(JIT, found.path, "", status.st_dev, status.st_ino, f"/proc/{pid}/root")


def listing(module: Module) -> Listing:
    """The functions of such a module; of those at one address the last. Raises TargetError where the map has gone."""
    with PerfMap(int(module.root.split("/")[2])) as found:
        rows = {start: (size, name) for start, size, name in found.rows()}
    if not rows:
        raise TargetError(f"{module.path} is gone or empty: the process ended, or has compiled nothing yet")
    names, addresses = [name for _, name in rows.values()], array("Q", rows)
    origins = bytes([ORIGINS.index("perf map")]) * len(rows)
    sizes = array("Q", [size for size, _ in rows.values()])
    return Listing(names, names, origins, addresses, sizes, addresses, dict.fromkeys(rows, Odd((), _NO_FILE))).by_name()


def parse(text: bytes) -> Iterator[tuple[int, int, str]]:
    """Rows of address, size and sanitised name, of lines that are whole; the last ones, where there are very many."""
    surplus = text.count(b"\n") - _MOST
    for number, line in enumerate(_LINE.finditer(text)):
        if number < surplus:
            continue
        start, size = int(line[1], 16), int(line[2], 16)
        if start + size <= _ADDRESSES:
            yield start, size, sanitise(line[3][:_LONGEST_NAME].decode("utf-8", "surrogateescape"))


def _identity(pid: int) -> tuple[set[int], int]:
    """The users that the file may belong to, and the process's number in its own namespace.

    Raises OSError, ValueError.
    """
    users, number = {0}, pid
    with open(f"/proc/{pid}/status", "rb") as file:
        for line in file:
            if line.startswith(b"Uid:"):
                users.update(map(int, line.split()[1:3]))
            elif line.startswith(b"NStgid:"):
                number = int(line.split()[-1])
    return users, number
