"""Calls under way, as the programs keep them that see entries and returns: include/place.h.

The cookies of their hooks, and frames that nothing else takes out: of threads that have ended, of functions taken off.
"""

import os
import struct
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.bpf.attachment import Hook

_GO, _RETURN, _URETPROBE = 1 << 32, 1 << 33, 1 << 34  # what a cookie says beside the index
_ORDINAL: Final = 40  # bits above: which of a function's returns
_PLACE: Final = struct.Struct("=3Q")  # struct place: runner, depth, function
MOST_SWEPT: Final = 20_000  # frames that are looked at


class Timed(NamedTuple):
    """A function to be timed: a file, as the kernel will open it, and offsets in it."""

    file: str
    entry: int
    returns: tuple[int, ...] | None = ()  # where it returns; none: by a return probe; None: only entries are seen
    go: bool = False
    semaphore: int = 0  # as of links.Site


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
    size: int,
    places: Sequence[Timed],
    off: Collection[int] = (),
    useless: Callable[[bytes], bool] | None = None,
) -> Iterator[tuple[int, bytes]]:
    """Takes frames (values of `size` bytes) out of the map whose calls never return: functions' indexes, values.

    Those of threads that have `ended`, but not in Go: a goroutine's end can't be told. Those of functions that are
    taken `off`. Where there are many frames, the `useless` ones too.
    """
    keys = set(kernel.map_keys(frames, _PLACE.size, MOST_SWEPT))
    many = useless if len(keys) >= MOST_SWEPT // 2 else None
    for key in keys:
        runner, _, index = _PLACE.unpack(key)
        over = index in off or (ended is not None and not places[index].go and ended[runner])
        if not over and many is None:
            continue
        value = kernel.map_lookup(frames, key, size)
        if value is not None and (over or (many is not None and many(value))):
            kernel.map_delete(frames, key)
            yield index, value
