"""Timing calls at many places at once: entries, returns, and the rows in which the kernel adds them up.

    with Timing([Timed("/usr/bin/node", 4096)], pid=811, method=attach_method()) as timing:
        timing.attachment.rejected, timing.rows()

Counting starts everywhere at one instant, when all is attached; calls that are under way then are not counted, and
their returns are no news.
"""

import struct
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from enum import IntEnum
from operator import add
from typing import Final, NamedTuple

from tui.bpf import compiler, kernel
from tui.bpf.attachment import HANDED_BYTES, Attachment
from tui.bpf.counting import possible_cpus
from tui.bpf.features import Method, sees_real_pids
from tui.bpf.frames import MOST_SWEPT, Ended, Kept, Timed, hooks, swept
from tui.bpf.objects import Loaded
from tui.owner import Owner

FIGURES: Final = 19  # cells of a row before its buckets
BUCKETS: Final = 312  # eight to each power of two of nanoseconds: programs/latency.c
_ROW: Final = FIGURES + BUCKETS
_FRAME: Final = struct.Struct("=7Q3I2I3I")  # struct frame; the two: whether it was counted, and left
_MEMBER: Final = struct.Struct("=Q16s")  # struct member: function, name
_GROUPS: Final = 1_024  # rows of groups
_OVERHEAD, _COST = 14, 15  # a row's cells that the kernel only reads
_CALLED: Final = 16  # and those of calls, and returns, that are in groups
_TURN: Final = 18  # another one that it only reads
_KEEP, _SWEPT = 1, 2  # of the second cell of `control`
_FRAMES: Final = (65_536, 2_048)  # calls under way: at least, and per CPU
_RUNNERS: Final = (16_384, 1_024)  # threads and goroutines that are in one: the same
_FRAME_BYTES, _RUNNER_BYTES, _GROUP_BYTES = 176, 128, 2_744  # of kernel memory, with what a hash keeps beside each


class Row(NamedTuple):
    """What the kernel has added up for one function; times in nanoseconds."""

    calls: int
    returns: int  # that belong to a call that was counted
    left: int  # calls that never returned: longjmp, an exception, a tail call
    strays: int  # returns of calls that were not seen: they began before counting did, or found no room
    full: int  # calls that were not timed: no room in the kernel's map
    nested: int  # calls that were not timed: the kernel keeps 64 nested return probes
    total: int
    own: int  # of the total, what no other probed function took
    children: int  # calls of other probed functions
    spent: int  # what these calls' own probes took besides
    probed: int  # of the total, what probes took of all calls in it, those that their callees made too
    mixed: int  # returns whose `own` has others' time in it: of calls that never returned, or that they outlasted
    longest: int
    shortest: int


class By(IntEnum):
    """What calls are told apart by, besides their function."""

    FUNCTION = 0
    PROCESS = 1
    THREAD = 2
    COMM = 3  # the thread's name


def _room(needed: tuple[int, int], cpus: int) -> int:
    return max(needed[0], needed[1] * cpus)


def memory(functions: int, by: By = By.FUNCTION) -> int:
    """Bytes of kernel memory that timing so many functions takes on this machine."""
    cpus = possible_cpus()
    under_way = _room(_FRAMES, cpus) * _FRAME_BYTES + _room(_RUNNERS, cpus) * _RUNNER_BYTES + HANDED_BYTES
    return functions * _ROW * 8 + under_way + (_GROUPS * _GROUP_BYTES if by else 0)


class Timing(Owner):
    """Owns everything that times one set of functions; leaving it detaches."""

    def __init__(
        self,
        places: Sequence[Timed],
        pid: int | None,
        method: Method,
        costs: Sequence[tuple[int, int]] = (),
        by: By = By.FUNCTION,
        off: Collection[int] = (),
    ) -> None:
        """Attaches all that can be; `attachment` has the rest. Raises what `objects` and `links` raise.

        `costs`: what each one's probes take per call (ns), and how much of that is in its own duration. `off` are held
        back until they are resumed.
        """
        self._places, self._pid = places, pid
        self._sweeps = pid is not None and sees_real_pids()
        self._swept = [0] * len(places)  # calls that were taken out
        self._away = [0] * len(places)  # and those that were not, of threads that have ended
        self._owned = ExitStack()
        cpus = possible_cpus()
        sizes = {"stats": max(1, len(places)), "frames": _room(_FRAMES, cpus), "tops": _room(_RUNNERS, cpus)}
        self._room, self._runners = sizes["frames"], sizes["tops"]
        sizes["groups"] = _GROUPS if by else 1
        try:
            self._loaded = self._owned.enter_context(Loaded(compiler.shipped("latency"), sizes))
            self._cells = self._loaded.mapped("stats", writable=True)
            self._control = self._loaded.mapped("control", writable=True)
            self._control[1] = _SWEPT if self._sweeps else 0
            for index, (cost, floor) in enumerate(costs):
                self._cells[index * _ROW + _OVERHEAD] = max(0, cost - floor)
                self._cells[index * _ROW + _COST] = cost
            self._attachment = self._owned.enter_context(
                Attachment(self._loaded, "latency", pid, method, {"by": int(by)}, self._next_turn)
            )
            self._attachment.attach(*hooks(places), off=off)
        except BaseException:
            self.close()
            raise

    @property
    def attachment(self) -> Attachment:
        """What takes functions off and puts them back, by their indexes."""
        return self._attachment

    def rows(self) -> list[tuple[Row, Sequence[int]]]:
        """Each function's figures now, and its histogram: calls per bucket, decoded when they are looked at."""
        size = len(self._places) * _ROW
        snapshot = memoryview(self._cells[:size].tobytes()).cast("Q")
        more = map(add, self._swept, self._away)
        return [_row(snapshot[at : at + _ROW], left) for at, left in zip(range(0, size, _ROW), more, strict=True)]

    def hits(self) -> tuple[list[int], list[int]]:
        """Calls and returns of each function now, also those in groups."""
        calls, returns, called, returned = (self._cells[at::_ROW].tolist() for at in (0, 1, _CALLED, _CALLED + 1))
        return list(map(add, calls, called)), list(map(add, returns, returned))

    def groups(self) -> list[tuple[int, bytes, Row, Sequence[int]]]:
        """Per function and group, the function's index, the group's number or name (16 bytes), figures and buckets.

        A number is a process's id, or that and the thread's in its lower half; what isn't in a group is in `row`.
        """
        found = []
        fd = self._loaded.map("groups")
        for key in sorted(set(kernel.map_keys(fd, _MEMBER.size, _GROUPS))):
            value = kernel.map_lookup(fd, key, _ROW * 8)
            if value is not None:
                index, name = _MEMBER.unpack(key)
                found.append((index, name, *_row(memoryview(value).cast("Q"), 0)))
        return found

    def sweep(self) -> None:
        """Finds the calls that never return: they count as left from then on, unless they return all the same.

        Of functions that are taken off; of threads that have ended, where threads can be told by their numbers: of one
        process, seen from outside of containers, not in Go; and where there are many, those that were outlived.
        """
        ended = Ended(self._pid) if self._pid is not None and self._sweeps else None
        off = self._attachment.off
        kept = Kept(_FRAME.size, _FRAME.size - 4, self._room)
        gone, away = swept(ended, self._loaded.map("frames"), kept, self._places, off, _was_left)
        self._away = [0] * len(self._places)
        for numbers, found in ((self._swept, gone), (self._away, away)):
            for index, frame in found:
                counted, left = _counted_and_left(frame)
                numbers[index] += counted and not left
        if ended is not None:
            self._sweep_runners(ended)

    def _sweep_runners(self, ended: Ended) -> None:
        tops = self._loaded.map("tops")
        runners = {struct.unpack("=Q", key)[0] for key in kernel.map_keys(tops, 8, MOST_SWEPT)}
        gone = [runner for runner in runners if runner >> 32 == self._pid and ended[runner]]  # in Go it is no thread
        for runner in gone:
            kernel.map_delete(tops, struct.pack("=Q", runner))
        keep = len(runners) - len(gone) < self._runners // 4
        self._control[1] = _SWEPT | (_KEEP if keep else 0)

    def misses(self) -> int:
        """Hits that the kernel kept from the program."""
        return self._attachment.misses()

    def close(self) -> None:
        """Detaches everything; a second time is harmless."""
        self._owned.close()

    def _next_turn(self, function: int) -> None:
        self._cells[function * _ROW + _TURN] += 1


def _was_left(frame: bytes) -> bool:
    """Whether a call has been left without a return: it was counted as such, and only a coroutine comes back to it."""
    _, left = _counted_and_left(frame)
    return left


def _counted_and_left(frame: bytes) -> tuple[bool, bool]:
    *_, counted, left, _, _, _ = _FRAME.unpack(frame)
    return bool(counted), bool(left)


def _row(cells: "memoryview[int]", more: int) -> tuple[Row, Sequence[int]]:
    calls, returns, left, *others, shortest = cells[: len(Row._fields)].tolist()
    shortest = ~shortest & ((1 << 64) - 1) if shortest else 0
    return Row._make((calls, returns, left + more, *others, shortest)), cells[FIGURES:]
