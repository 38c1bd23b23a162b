"""All BPF maps that there are: how full they are, what they take, who uses and holds them.

Entries are counted by reading them, at most 10,000 a reading in all: the maps that were counted longest ago first. So
each figure has the time at which it was counted. What holds and uses a map is looked up every ten seconds, or when maps
or programs came or went: never for more than a fortieth of the time.
"""

import os
import threading
import time
from collections.abc import Iterable
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.bpf.inventory import contents, holders, info, kinds, pins
from tui.bpf.inventory.holders import Holder
from tui.bpf.inventory.info import Map
from tui.bpf.objects import refusal

RESCAN: Final = 10.0  # seconds
_SHARE: Final = 40  # times what the last look-up took, at least, until the next
_NEARLY: Final = 0.9  # of a map's entries
_FILLING: Final = (  # maps into which programs put entries until nothing fits; LRU maps make room by themselves
    kernel.MAP_TYPE_HASH, kernel.MAP_TYPE_PERCPU_HASH, kernel.MAP_TYPE_HASH_OF_MAPS, kernel.MAP_TYPE_SOCKHASH,
    kernel.MAP_TYPE_DEVMAP_HASH,
)  # fmt: skip
_FLAGS: Final = (  # BPF_F_…, include/uapi/linux/bpf.h
    (1 << 0, "no preallocation"), (1 << 1, "LRU per CPU"), (1 << 3, "read only for user space"),
    (1 << 4, "write only for user space"), (1 << 6, "seeded with 0"), (1 << 7, "read only for programs"),
    (1 << 8, "write only for programs"), (1 << 10, "can be mmapped"),
)  # fmt: skip
_MOST_OPENED: Final = 500  # maps a reading


class User(NamedTuple):
    """A program that uses a map."""

    id: int
    name: str
    type: int

    @property
    def shown(self) -> str:
        """Its name, or where it has none its type, and its number."""
        return f"{self.name or kinds.program_type(self.type)} {self.id}"


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
    pins: tuple[str, ...] = ()  # names in BPF file systems
    known: bool = True  # who uses and holds it has been looked up

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

    @property
    def nearly_full(self) -> bool:
        """Whether what programs add is about to be refused."""
        return self.map.type in _FILLING and self.full is not None and self.full >= _NEARLY

    @property
    def makes_room(self) -> bool:
        """Whether entries that were used longest ago go when it is full."""
        return self.map.type in (kernel.MAP_TYPE_LRU_HASH, kernel.MAP_TYPE_LRU_PERCPU_HASH)

    @property
    def flags(self) -> tuple[str, ...]:
        """What it was made with, in words."""
        return tuple(word for bit, word in _FLAGS if self.map.flags & bit)


class MapsSample(NamedTuple):
    """A reading of all maps."""

    time: float  # monotonic
    maps: tuple[MapRow, ...]  # by number


class _Counted:
    """What was last found in a map."""

    def __init__(self, one: Map) -> None:
        self.map = one
        self.counter = contents.Counter(one)
        self.looked = 0.0  # when some of it was counted
        self.time = 0.0  # when that was done, and all was
        self.memory = 0


class Maps:
    """Reads all maps again and again. Safe to use from several threads."""

    def __init__(self) -> None:
        self._counted: dict[int, _Counted] = {}
        self._users: dict[int, tuple[User, ...]] = {}
        self._held: dict[int, tuple[Holder, ...]] = {}
        self._pinned: dict[int, tuple[str, ...]] = {}
        self._seen: tuple[frozenset[int], list[int]] | None = None  # maps and programs there were at the last look-up
        self._earliest = self._due = 0.0  # when the next may be, and when it is even where nothing changed
        self._turn = threading.Lock()

    def read(self, most: int = contents.MOST) -> MapsSample:
        """All maps now; at most so many entries are counted. Raises NotPermitted, NotSupported."""
        now = time.monotonic()
        try:
            numbers = list(kernel.ids(kernel.MAP_GET_NEXT_ID))
            programs = list(kernel.ids(kernel.PROG_GET_NEXT_ID))
        except OSError as error:
            raise refusal(error, "list what BPF there is") from None
        with self._turn:
            fresh = set(numbers) - self._counted.keys()
            self._open(numbers, fresh, now, most)
            self._scan(now, (frozenset(numbers), programs))
            return MapsSample(now, tuple(self._row(number) for number in numbers if number in self._counted))

    def about(self, number: int) -> tuple[tuple[User, ...], tuple[Holder, ...]]:
        """The programs that use a map, and the processes that hold it. Raises NotPermitted, NotSupported."""
        with self._turn:
            self._scan(time.monotonic(), self._seen)
            return self._users.get(number, ()), self._held.get(number, ())

    def _scan(self, now: float, there: tuple[frozenset[int], list[int]] | None) -> None:
        """See again who uses and holds what, if that may have changed."""
        if now >= self._due or (there != self._seen and now >= self._earliest):
            self._users, self._held, self._pinned = _users(), holders.holders().maps, pins.pins().maps
            ended = time.monotonic()
            self._seen, self._earliest = there, ended + _SHARE * (ended - now)
            self._due = max(self._earliest, now + RESCAN)

    def _open(self, numbers: list[int], fresh: set[int], now: float, most: int) -> None:
        """Describe the new ones, and count entries, of those first that were looked at longest ago."""
        there = set(numbers)
        self._counted = {number: one for number, one in self._counted.items() if number in there}
        due = sorted(self._counted.values(), key=lambda counted: counted.looked)
        for at, number in enumerate([*sorted(fresh), *(counted.map.id for counted in due)]):
            if number not in fresh and (most <= 0 or at >= _MOST_OPENED):
                break
            try:
                fd = kernel.by_id(kernel.MAP_GET_FD_BY_ID, number)
            except FileNotFoundError:  # ended meanwhile
                self._counted.pop(number, None)
                continue
            try:
                counted = self._counted.get(number) or _Counted(Map.of(fd))
                self._counted[number] = counted
                most -= _look(fd, counted, now, most)
            finally:
                os.close(fd)

    def _row(self, number: int) -> MapRow:
        counted, held = self._counted[number], self._held.get(number, ())
        return MapRow(
            counted.map,
            counted.memory,
            counted.counter.entries,
            counted.counter.complete,
            counted.time,
            self._users.get(number, ()),
            held,
            any(holder.pid == os.getpid() for holder in held),
            self._pinned.get(number, ()),
            self._seen is not None and number in self._seen[0],
        )


def _look(fd: int, counted: _Counted, now: float, most: int) -> int:
    """Memory and entries of an open map; how many were read. Where no more may be read, only its memory."""
    counted.memory = contents.memory(fd)
    if most <= 0:
        return 0
    counted.looked = now
    before = counted.counter.rounds
    read = counted.counter.count(fd, most)
    if counted.counter.rounds != before or not counted.counter.complete:
        counted.time = now
    return max(read, 1)


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
