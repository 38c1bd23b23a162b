"""Timing calls at many places at once: entries, returns, and the rows in which the kernel adds them up.

    with Timing([Timed("/usr/bin/node", 4096)], pid=811, method=attach_method()) as timing:
        timing.rejected, timing.row(0)

Counting starts everywhere at one instant, when all is attached; calls that are under way then are not counted.
"""

import os
import struct
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from typing import Final, NamedTuple

from tui.bpf import compiler, kernel
from tui.bpf.attachment import Attachment
from tui.bpf.counting import possible_cpus
from tui.bpf.features import Method, sees_real_pids
from tui.bpf.frames import MOST_SWEPT, Ended, Timed, hooks, left_by
from tui.bpf.objects import Loaded
from tui.errors import NotSupported
from tui.owner import Owner

FIGURES: Final = 16  # cells of a row before its buckets
BUCKETS: Final = 312  # eight to each power of two of nanoseconds: programs/latency.c
_ROW: Final = FIGURES + BUCKETS
_FRAME: Final = struct.Struct("=3Q3I3I")  # struct frame; of the last three: whether it was counted, and left
_LEFT: Final = 2  # Row.left
_FRAMES: Final = (65_536, 2_048)  # calls under way: at least, and per CPU
_RUNNERS: Final = (16_384, 1_024)  # threads and goroutines that are in one: the same
_FRAME_BYTES, _RUNNER_BYTES = 128, 80  # of kernel memory, with what a hash keeps beside each


class Row(NamedTuple):
    """What the kernel has added up for one function; times in nanoseconds."""

    calls: int
    returns: int  # that belong to a call that was counted
    left: int  # calls that never returned: longjmp, an exception, a tail call
    strays: int  # returns of calls that were not seen
    full: int  # calls that were not timed: no room in the kernel's map
    nested: int  # calls that were not timed: the kernel keeps 64 nested return probes
    total: int
    own: int  # of the total, what no other probed function took
    children: int  # calls of other probed functions
    longest: int
    shortest: int


def memory(functions: int, cpus: int) -> int:
    """Bytes of kernel memory that timing so many functions takes."""
    return functions * _ROW * 8 + _room(_FRAMES, cpus) * _FRAME_BYTES + _room(_RUNNERS, cpus) * _RUNNER_BYTES


def _room(needed: tuple[int, int], cpus: int) -> int:
    return max(needed[0], needed[1] * cpus)


class Timing(Owner):
    """Owns everything that times one set of functions; leaving it detaches."""

    def __init__(self, places: Sequence[Timed], pid: int | None, method: Method) -> None:
        """Attaches all that can be; `rejected` has the rest, by index. Raises what `objects` and `links` raise."""
        if os.uname().machine != "x86_64":
            raise NotSupported("calls can be timed on x86-64 only, for now; they can be counted here")
        self._places, self._pid = places, pid
        self._swept = [0] * len(places)
        self._owned = ExitStack()
        cpus = possible_cpus()
        sizes = {"stats": max(1, len(places)), "frames": _room(_FRAMES, cpus), "tops": _room(_RUNNERS, cpus)}
        try:
            self._loaded = self._owned.enter_context(Loaded(compiler.shipped("latency"), sizes))
            self._cells = self._loaded.mapped("stats")
            self._attachment = self._owned.enter_context(Attachment(self._loaded, "latency", pid, method))
            self._attachment.attach(*hooks(places))
        except BaseException:
            self.close()
            raise

    @property
    def rejected(self) -> dict[int, str]:
        """What can't be attached, by index, with reasons."""
        return self._attachment.rejected

    def detach(self, indexes: Collection[int]) -> None:
        """Takes functions off; the others go on, and the figures of these stay as they are."""
        self._attachment.detach(indexes)

    def row(self, index: int) -> Row:
        """A function's figures now."""
        at = index * _ROW
        figures = self._cells[at : at + len(Row._fields)].tolist()
        shortest = ~figures[-1] & ((1 << 64) - 1) if figures[-1] else 0
        figures[_LEFT] += self._swept[index]
        return Row._make([*figures[:-1], shortest])

    def buckets(self, index: int) -> list[int]:
        """Its histogram now: calls per bucket."""
        at = index * _ROW + FIGURES
        return self._cells[at : at + BUCKETS].tolist()

    def sweep(self) -> None:
        """Takes out the calls of threads that have ended, which never return; they count as left from then on.

        Only where threads can be told by their numbers: of one process, seen from outside of containers, not in Go.
        """
        if self._pid is None or not sees_real_pids():
            return
        tops = self._loaded.map("tops")
        runners = {struct.unpack("=Q", key)[0] for key in kernel.map_keys(tops, 8, MOST_SWEPT)}
        ended = Ended(self._pid)
        for index, value in left_by(ended, self._loaded.map("frames"), _FRAME.size, self._places):
            *_, counted, left, _ = _FRAME.unpack(value)
            self._swept[index] += counted and not left
        for runner in runners:
            if runner >> 32 == self._pid and ended[runner]:  # in Go it is no thread
                kernel.map_delete(tops, struct.pack("=Q", runner))

    def misses(self) -> int:
        """Hits that the kernel kept from the program."""
        return self._attachment.misses()

    def close(self) -> None:
        """Detaches everything; a second time is harmless."""
        self._owned.close()
