"""All BPF maps that there are: how full they are, what they take, who uses and holds them.

Entries are counted by reading them, at most 10,000 a reading in all: the maps that were counted longest ago first. So
each figure has the time at which it was counted. What holds and uses a map is looked up every ten seconds, or when maps
or programs came or went.
"""

import os
import time
from collections.abc import Iterable
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.bpf.inventory import contents, holders, info, kinds
from tui.bpf.inventory.holders import Holder
from tui.bpf.inventory.info import Map
from tui.bpf.objects import refusal

RESCAN: Final = 10.0  # seconds
_MOST_OPENED: Final = 500  # maps a reading


class User(NamedTuple):
    """A program that uses a map."""

    id: int
    name: str
    type: int


class MapRow(NamedTuple):
    """A map, and what is known of it now."""

    map: Map
    memory: int  # bytes, as the kernel accounts for it
    entries: int | None  # None: can't be told, or not counted yet
    complete: bool  # otherwise there are more than that
    counted: float  # when, by the monotonic clock; 0: never
    users: tuple[User, ...] = ()
    holders: tuple[Holder, ...] = ()
    ours: bool = False  # this process holds it

    @property
    def type(self) -> str:
        """As bpftool has it: "lpm_trie"."""
        return kinds.map_type(self.map.type)

    @property
    def full(self) -> float | None:
        """The share of its entries that are taken, of maps where they come and go."""
        if self.entries is None or not self.complete or not self.map.entries or self.map.type in contents.ARRAYS:
            return None
        return self.entries / self.map.entries


class MapsSample(NamedTuple):
    """A reading of all maps."""

    time: float  # monotonic
    maps: tuple[MapRow, ...]  # by number


class _Counted(NamedTuple):
    """What was last found in a map."""

    time: float = 0.0
    entries: int | None = None
    complete: bool = True
    memory: int = 0


class Maps:
    """Reads all maps again and again."""

    def __init__(self) -> None:
        self._maps: dict[int, Map] = {}
        self._counted: dict[int, _Counted] = {}
        self._programs: list[int] = []
        self._users: dict[int, tuple[User, ...]] = {}
        self._held: dict[int, tuple[Holder, ...]] = {}
        self._scanned = -RESCAN

    def read(self, most: int = contents.MOST) -> MapsSample:
        """All maps now; at most so many entries are counted. Raises NotPermitted, NotSupported."""
        now = time.monotonic()
        try:
            numbers = list(kernel.ids(kernel.MAP_GET_NEXT_ID))
            programs = list(kernel.ids(kernel.PROG_GET_NEXT_ID))
        except OSError as error:
            raise refusal(error, "list what BPF there is") from None
        fresh = set(numbers) - self._maps.keys()
        self._open(numbers, fresh, now, most)
        if fresh or programs != self._programs or now - self._scanned >= RESCAN:
            self._scanned, self._programs = now, programs
            self._users, self._held = _users(), holders.holders().maps
        return MapsSample(now, tuple(self._row(number) for number in numbers if number in self._maps))

    def _open(self, numbers: list[int], fresh: set[int], now: float, most: int) -> None:
        """Describe the new ones, and count entries, of those first that were counted longest ago."""
        there = set(numbers)
        self._maps = {number: one for number, one in self._maps.items() if number in there}
        self._counted = {number: one for number, one in self._counted.items() if number in there}
        never = _Counted()
        due = sorted(there - fresh, key=lambda number: self._counted.get(number, never).time)
        for at, number in enumerate([*sorted(fresh), *due]):
            if number not in fresh and (most <= 0 or at >= _MOST_OPENED):
                break
            try:
                fd = kernel.by_id(kernel.MAP_GET_FD_BY_ID, number)
            except FileNotFoundError:  # ended meanwhile
                self._maps.pop(number, None)
                continue
            try:
                one = self._maps[number] = self._maps.get(number) or Map.of(fd)
                counted = _count(fd, one, now, most)
            finally:
                os.close(fd)
            if number not in fresh or counted.time:
                most -= (counted.entries or 1) if one.type not in contents.ARRAYS else 1
            self._counted[number] = counted

    def _row(self, number: int) -> MapRow:
        counted, held = self._counted.get(number, _Counted()), self._held.get(number, ())
        return MapRow(
            self._maps[number],
            counted.memory,
            counted.entries,
            counted.complete,
            counted.time,
            self._users.get(number, ()),
            held,
            any(holder.pid == os.getpid() for holder in held),
        )


def _count(fd: int, one: Map, now: float, most: int) -> _Counted:
    """Entries of an open map; where no more may be read, only its memory."""
    memory = contents.memory(fd)
    if most <= 0:
        return _Counted(memory=memory)
    entries, complete = contents.count(fd, one, most) or (None, True)
    return _Counted(now, entries, complete, memory)


def _users() -> dict[int, tuple[User, ...]]:
    """The programs that use a map, by the map's number."""
    found: dict[int, list[User]] = {}
    for program in info.programs():
        if not program.maps:
            continue
        user = User(program.id, program.name, program.type)
        for number in _maps_of(program.id):
            found.setdefault(number, []).append(user)
    return {number: tuple(users) for number, users in found.items()}


def _maps_of(program: int) -> Iterable[int]:
    try:
        fd = kernel.by_id(kernel.PROG_GET_FD_BY_ID, program)
    except FileNotFoundError:  # ended meanwhile
        return ()
    try:
        return info.maps_of(fd)
    finally:
        os.close(fd)
