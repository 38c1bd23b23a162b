"""Where processes spend their CPU time, without a probe: a clock ticks on each CPU, and tells what runs there.

    with Ticks([811]) as ticks:
        for process, address in ticks.take(): …

A tick takes its program 0.5 to 1.5 µs, 99 times a second: 0.015 % of each CPU, whoever runs there.
"""

import errno
import mmap
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Final

from tui.bpf import compiler, kernel
from tui.bpf.counting import possible_cpus
from tui.bpf.features import sees_real_pids
from tui.bpf.objects import Loaded, refusal
from tui.bpf.ring import Ring
from tui.errors import NotPermitted
from tui.owner import Owner

HERTZ: Final = 99  # not 100, with which work that is done at regular times would keep in step
_TICK: Final = struct.Struct("=2Q")  # struct tick: process, address
_RECORD: Final = 8 + _TICK.size  # with the ring's own head
_SECONDS: Final = 10  # between two readings, for which there is room


class Ticks(Owner):
    """Owns the clocks; leaving it stops them."""

    def __init__(self, pids: Sequence[int]) -> None:
        """Sampling begins. Raises NotPermitted, NotSupported."""
        self._owned = ExitStack()
        size = max(mmap.PAGESIZE, 1 << (_SECONDS * HERTZ * possible_cpus() * _RECORD - 1).bit_length())
        self._most = size // _RECORD
        try:
            sizes = {"ring": size, "processes": max(1, len(pids))}
            loaded = self._owned.enter_context(Loaded(compiler.shipped("sample"), sizes))
            self._lost = loaded.mapped("lost")
            for pid in pids:
                kernel.map_update(loaded.map("processes"), struct.pack("=Q", pid), bytes(8))
            self._ring = self._owned.enter_context(Ring(loaded.map("ring"), size))
            namespace = os.stat("/proc/self/ns/pid")
            inode = 0 if sees_real_pids() else namespace.st_ino
            constants = {"device": namespace.st_dev, "inode": inode}
            self._start(loaded.program("sample", 0, constants, kernel.PROG_TYPE_PERF_EVENT))
        except OSError as error:
            self.close()
            if error.errno not in (errno.EPERM, errno.EACCES):
                raise refusal(error, "sample CPU time") from None
            raise NotPermitted(
                "Linux doesn't let this user sample CPU time: run as root, or with CAP_BPF and CAP_PERFMON"
            ) from None
        except BaseException:
            self.close()
            raise

    def take(self) -> Iterator[tuple[int, int]]:
        """Process and address of each tick since the last time."""
        return map(_TICK.unpack, self._ring.records(self._most))

    @property
    def lost(self) -> int:
        """Ticks since the start for which there was no room."""
        return self._lost[0]

    def close(self) -> None:
        """Stops them; a second time is harmless."""
        self._owned.close()

    def _start(self, program: int) -> None:
        for cpu in range(possible_cpus()):
            try:
                event = kernel.clock_event(cpu, 1_000_000_000 // HERTZ)
            except OSError as error:
                if error.errno == errno.ENODEV:  # this CPU is off
                    continue
                raise
            try:
                self._owned.callback(os.close, kernel.link_perf_event(program, event, 0))
            finally:
                os.close(event)  # the link holds on to it
