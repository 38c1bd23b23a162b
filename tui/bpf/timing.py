"""Timing calls at many places at once: entries, returns, and the rows in which the kernel adds them up.

    with Timing([Timed("/usr/bin/node", 4096)], pid=811, method=attach_method()) as timing:
        timing.rejected, timing.row(0)

Counting starts everywhere at one instant, when all is attached; calls that are under way then are not counted.
"""

import os
import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from tui.bpf import compiler, kernel
from tui.bpf.counting import main_thread_ended, possible_cpus
from tui.bpf.features import Method, sees_real_pids
from tui.bpf.links import Links, Site
from tui.bpf.objects import Loaded
from tui.errors import NotSupported, TargetError
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
        self.rejected: dict[int, str] = {}
        self._places, self._pid, self._method = places, pid, method
        self._swept = [0] * len(places)
        self._links = Links()
        cpus = possible_cpus()
        sizes = {"stats": max(1, len(places)), "frames": _room(_FRAMES, cpus), "tops": _room(_RUNNERS, cpus)}
        self._loaded = Loaded(compiler.shipped("latency"), sizes)
        try:
            self._cells = self._loaded.mapped("stats")
            control = self._loaded.mapped("control", writable=True)
            self._by_kernel = method is Method.MULTI and not main_thread_ended(pid)
            self._program = self._loaded.program(
                "latency", 0 if method is Method.PERF_EVENT else kernel.ATTACH_UPROBE_MULTI, {"tgid": self._tgid()}
            )
            self._attach()
            control[0] = 1
        except BaseException:
            self.close()
            raise

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
        return kernel.program_misses(self._program)

    def close(self) -> None:
        """Detaches everything; a second time is harmless."""
        self._links.close()
        self._loaded.close()

    def _tgid(self) -> int:
        if self._by_kernel or not self._pid or self._method is Method.PERF_EVENT:
            return 0
        if not sees_real_pids():
            raise TargetError(
                "the process's main thread has ended, and from within a container its others can't be told"
            )
        return self._pid

    def _attach(self) -> None:
        """Returns at their places first, since one that can't be probed spoils its function; return probes last.

        A return probe takes effect for calls that begin after it, and each of those then has a frame.
        """
        returns = [
            (place.file, Site(offset, index | _RETURN | _flags(place) | ordinal << _ORDINAL))
            for index, place in enumerate(self._places)
            for ordinal, offset in enumerate(place.returns)
        ]
        self._attach_all(returns)
        entries = [
            (place.file, Site(place.entry, index | _flags(place) | (0 if place.returns else _URETPROBE)))
            for index, place in enumerate(self._places)
            if index not in self.rejected
        ]
        self._attach_all(entries)
        probes = [
            (place.file, Site(place.entry, index | _RETURN | _URETPROBE | _flags(place)))
            for index, place in enumerate(self._places)
            if index not in self.rejected and not place.returns
        ]
        self._attach_all(probes, returns=True)

    def _attach_all(self, sites: Sequence[tuple[str, Site]], *, returns: bool = False) -> None:
        by_file: dict[str, list[Site]] = {}
        for file, site in sites:
            by_file.setdefault(file, []).append(site)
        for file, each in by_file.items():
            if self._method is Method.PERF_EVENT:
                rejected = self._links.attach_perf(self._program, file, each, self._pid or -1, returns=returns)
            else:
                pid = self._pid or 0 if self._by_kernel else 0
                rejected = self._links.attach_multi(self._program, file, each, pid, returns=returns)
            self.rejected |= {site.cookie & 0xFFFFFFFF: reason for site, reason in rejected}


def _flags(place: Timed) -> int:
    return _GO if place.go else 0


class _Ended(dict[int, bool]):
    """Whether a thread of a process has ended, by the number that the kernel gives it; looked up once."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self._pid = pid

    def __missing__(self, runner: int) -> bool:
        self[runner] = not os.path.exists(f"/proc/{self._pid}/task/{runner & 0xFFFFFFFF}")
        return self[runner]
