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
from tui.bpf.attachment import Attachment, Hook
from tui.bpf.counting import possible_cpus
from tui.bpf.features import Method, sees_real_pids
from tui.bpf.objects import Loaded
from tui.errors import NotSupported
from tui.owner import Owner

FIGURES: Final = 16  # cells of a row before its buckets
BUCKETS: Final = 312  # eight to each power of two of nanoseconds: programs/latency.c
_ROW: Final = FIGURES + BUCKETS
_GO, _RETURN, _URETPROBE = 1 << 32, 1 << 33, 1 << 34  # what a cookie says beside the index
_ORDINAL: Final = 40  # bits above: which of a function's returns
_PLACE: Final = struct.Struct("=3Q")  # struct place: runner, depth, function
_FRAME: Final = struct.Struct("=3Q3I3I")  # struct frame; of the last three: whether it was counted, and left
_LEFT: Final = 2  # Row.left
_MOST_SWEPT: Final = 20_000  # frames that are looked at
_FRAMES: Final = (65_536, 2_048)  # calls under way: at least, and per CPU
_RUNNERS: Final = (16_384, 1_024)  # threads and goroutines that are in one: the same
_FRAME_BYTES, _RUNNER_BYTES = 128, 80  # of kernel memory, with what a hash keeps beside each


class Timed(NamedTuple):
    """A function to be timed: a file, as the kernel will open it, and offsets in it."""

    file: str
    entry: int
    returns: tuple[int, ...] = ()  # where it returns; none: by a return probe
    go: bool = False


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
            self._attachment.attach(*self._hooks())
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
        frames, tops = self._loaded.map("frames"), self._loaded.map("tops")
        keys = set(kernel.map_keys(frames, _PLACE.size, _MOST_SWEPT))
        runners = {struct.unpack("=Q", key)[0] for key in kernel.map_keys(tops, 8, _MOST_SWEPT)}
        ended = _Ended(self._pid)
        for key in keys:
            runner, _, index = _PLACE.unpack(key)
            if self._places[index].go or not ended[runner]:
                continue
            value = kernel.map_lookup(frames, key, _FRAME.size)
            if value is not None:
                kernel.map_delete(frames, key)
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

    def _hooks(self) -> tuple[list[Hook], list[Hook], list[Hook]]:
        """Returns at their places first, since one that can't be probed spoils its function; return probes last.

        A return probe takes effect for calls that begin after it, and each of those then has a frame.
        """
        returns, entries, probes = [], [], []
        for index, place in enumerate(self._places):
            cookie = index | (_GO if place.go else 0)
            for ordinal, offset in enumerate(place.returns):
                returns.append(Hook(place.file, offset, cookie | _RETURN | ordinal << _ORDINAL))
            entries.append(Hook(place.file, place.entry, cookie | (0 if place.returns else _URETPROBE)))
            if not place.returns:
                probes.append(Hook(place.file, place.entry, cookie | _RETURN | _URETPROBE, by_return_probe=True))
        return returns, entries, probes


class _Ended(dict[int, bool]):
    """Whether a thread of a process has ended, by the number that the kernel gives it; looked up once."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self._pid = pid

    def __missing__(self, runner: int) -> bool:
        self[runner] = not os.path.exists(f"/proc/{self._pid}/task/{runner & 0xFFFFFFFF}")
        return self[runner]
