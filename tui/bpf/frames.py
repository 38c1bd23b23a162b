"""Calls under way, as the programs keep them that see entries and returns: include/place.h.

The cookies of their hooks, and frames that nothing else takes out: of threads that have ended, of functions taken off,
and, where there are many, of calls that never returned.
"""

import os
import struct
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.bpf.attachment import Hook

_GO, _RETURN, _URETPROBE = 1 << 32, 1 << 33, 1 << 34  # what a cookie says beside the index
_ORDINAL: Final = 40  # bits above: which of a function's returns
_PLACE: Final = struct.Struct("=3Q")  # struct place: runner, depth, function
_START: Final = struct.Struct("=Q")  # of a frame, its first member
_THREAD: Final = struct.Struct("=I")
MOST_SWEPT: Final = 20_000  # frames that are looked at
_FAR: Final = 8 << 20  # bytes: programs/latency.c


class Timed(NamedTuple):
    """A function to be timed: a file, as the kernel will open it, and offsets in it."""

    file: str
    entry: int
    returns: tuple[int, ...] | None = ()  # where it returns; none: by a return probe; None: only entries are seen
    go: bool = False
    semaphore: int = 0  # as of links.Site


class Kept(NamedTuple):
    """How a program keeps a frame: bytes of it, and where in it the thread's number is."""

    size: int
    thread_at: int


class CallFrame(NamedTuple):
    """A call under way."""

    start: int  # nanoseconds since the machine was started
    depth: int
    runner: int  # a thread, in Go a goroutine
    function: int
    key: bytes
    value: bytes


def hooks(places: Sequence[Timed]) -> tuple[list[Hook], list[Hook], list[Hook]]:
    """Returns at their places first, since one that can't be probed spoils its function; return probes last.

    A return probe takes effect for calls that begin after it, and each of those then has a frame.
    """
    returns, entries, probes = [], [], []
    for index, place in enumerate(places):
        cookie = index | (_GO if place.go else 0)
        for ordinal, offset in enumerate(place.returns or ()):
            returns.append(Hook(place.file, offset, cookie | _RETURN | ordinal << _ORDINAL))
        by_probe = place.returns == ()
        entries.append(
            Hook(place.file, place.entry, cookie | (_URETPROBE if by_probe else 0), semaphore=place.semaphore)
        )
        if by_probe:
            probes.append(Hook(place.file, place.entry, cookie | _RETURN | _URETPROBE, by_return_probe=True))
    return returns, entries, probes


class Ended(dict[int, bool]):
    """Whether a thread of a process has ended, by the number that the kernel gives it; looked up once."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self._pid = pid

    def __missing__(self, runner: int) -> bool:
        self[runner] = not os.path.exists(f"/proc/{self._pid}/task/{runner & 0xFFFFFFFF}")
        return self[runner]


def left_by(
    ended: Ended | None,
    frames: int,
    kept: Kept,
    places: Sequence[Timed],
    off: Collection[int] = (),
    useless: Callable[[bytes], bool] = lambda _: False,
) -> Iterator[tuple[int, bytes]]:
    """Takes frames out of the map whose calls never return: functions' indexes, values.

    Those of threads that have `ended`, but not in Go: a goroutine's end can't be told. Those of functions that are
    taken `off`. Where there are many frames, those that were outlived, and the `useless` ones.
    """
    found = [
        _frame(key, value, kept, places) for key, value in islice(kernel.map_items(frames, 24, kept.size), MOST_SWEPT)
    ]
    gone: list[CallFrame] = []
    there: list[CallFrame] = []
    for frame in found:
        over = ended is not None and not places[frame.function].go and ended[frame.runner]
        (gone if over or frame.function in off else there).append(frame)
    if len(found) >= MOST_SWEPT // 2:
        gone += outlived(there)
        gone += [frame for frame in there if useless(frame.value)]
    for frame in gone:
        now = kernel.map_lookup(frames, frame.key, kept.size)
        if now is not None and now[:8] == frame.value[:8]:  # it isn't another call by now, nor taken out already
            kernel.map_delete(frames, frame.key)
            yield frame.function, now


def outlived(frames: Iterable[CallFrame]) -> list[CallFrame]:
    """Those above which another call of the same runner has begun since, no deeper than they are: they never return.

    What is much deeper lies on another stack, and is still there.
    """
    gone: list[CallFrame] = []
    under_way: dict[int, list[CallFrame]] = {}
    for frame in sorted(frames):
        stack = under_way.setdefault(frame.runner, [])
        while stack and 0 <= stack[-1].depth - frame.depth <= _FAR:
            gone.append(stack.pop())
        stack.append(frame)
    return gone


def _frame(key: bytes, value: bytes, kept: Kept, places: Sequence[Timed]) -> CallFrame:
    runner, depth, function = _PLACE.unpack(key)
    if not places[function].go:
        (runner,) = _THREAD.unpack_from(value, kept.thread_at)
    (start,) = _START.unpack_from(value)
    return CallFrame(start, depth, runner, function, key, value)
