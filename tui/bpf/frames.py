"""Calls under way, as the programs keep them that see entries and returns: include/place.h.

The cookies of their hooks, and calls that don't return: of threads that have ended, of functions taken off, and, where
there are many, those that were outlived.
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
    """How a program keeps frames: bytes of each, where in it the thread's number is, and how many there can be."""

    size: int
    thread_at: int
    room: int


class Left(NamedTuple):
    """A call that doesn't return."""

    function: int
    frame: bytes


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


def swept(
    ended: Ended | None,
    frames: int,
    kept: Kept,
    places: Sequence[Timed],
    off: Collection[int] = (),
    useless: Callable[[bytes], bool] = lambda _: False,
) -> tuple[list[Left], list[Left]]:
    """Calls that don't return: those whose frames are taken out of the map by this, and those that stay in it.

    Calls of threads that have `ended` stay, since a coroutine may end them on another one; but not in Go, where a
    goroutine's end can't be told. Taken out are those of functions that are taken `off`. Where there are many, all of
    ended threads are taken out, those that were outlived, and the `useless` ones.
    """
    items = islice(kernel.map_items(frames, _PLACE.size, kept.size), MOST_SWEPT)
    found = [_frame(key, value, kept, places) for key, value in items]
    gone: list[CallFrame] = []
    stay: list[CallFrame] = []
    there: list[CallFrame] = []
    for frame in found:
        over = ended is not None and not places[frame.function].go and ended[frame.runner]
        (gone if frame.function in off else stay if over else there).append(frame)
    if len(found) >= min(MOST_SWEPT, kept.room * 3 // 4):
        gone += [*stay, *outlived(there), *(frame for frame in there if useless(frame.value))]
        stay = []
    return list(_taken_out(gone, frames, kept)), [Left(frame.function, frame.value) for frame in stay]


def _taken_out(gone: Iterable[CallFrame], frames: int, kept: Kept) -> Iterator[Left]:
    for frame in gone:
        now = kernel.map_lookup(frames, frame.key, kept.size)
        if now is not None and now[:8] == frame.value[:8]:  # it isn't another call by now, nor taken out already
            kernel.map_delete(frames, frame.key)
            yield Left(frame.function, now)


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
