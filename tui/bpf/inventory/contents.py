"""What is in a map, in bounded portions, as bytes. Reading changes nothing: nothing is deleted, taken or made recent.

    with info.map_of(number) as fd:
        contents(fd, info.Map.of(fd))

From user space a look at an LRU map leaves its order alone (htab_lru_map_lookup_elem_sys and the batch calls,
kernel/bpf/hashtab.c); of a queue only the first entry is seen, which stays; of a ring buffer only the positions. What
is added or deleted meanwhile may be seen or not.
"""

import errno
import struct
from collections.abc import Iterator
from functools import cache
from mmap import MAP_SHARED, PAGESIZE, PROT_READ, mmap
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.bpf.inventory.info import Map
from tui.bpf.inventory.storage import owned

MOST: Final = 10_000  # entries read at once unless somebody asks for all
_PORTION: Final = 4096
_COUNTED: Final = 1000  # entries a call, where they are only counted: a batch is kept for each map
_BYTES: Final = 4 << 20  # of keys and values at once, unless one entry alone is larger
_NO_BATCH: Final = (errno.EINVAL, errno.EOPNOTSUPP, kernel.ENOTSUPP)
_UNREADABLE: Final = (*_NO_BATCH, errno.EPERM, errno.EACCES, errno.ENOSPC, errno.ENOSYS)

PER_CPU: Final = (
    kernel.MAP_TYPE_PERCPU_HASH, kernel.MAP_TYPE_PERCPU_ARRAY, kernel.MAP_TYPE_LRU_PERCPU_HASH,
    kernel.MAP_TYPE_PERCPU_CGROUP_STORAGE,
)  # fmt: skip
ARRAYS: Final = (kernel.MAP_TYPE_ARRAY, kernel.MAP_TYPE_PERCPU_ARRAY)  # as many entries as there can be, always
QUEUES: Final = (kernel.MAP_TYPE_QUEUE, kernel.MAP_TYPE_STACK)
_OF_SOCKETS: Final = (kernel.MAP_TYPE_SOCKMAP, kernel.MAP_TYPE_SOCKHASH, kernel.MAP_TYPE_REUSEPORT_SOCKARRAY)
RINGS: Final = (kernel.MAP_TYPE_RINGBUF, kernel.MAP_TYPE_USER_RINGBUF)
_WHY: Final = {
    kernel.MAP_TYPE_PERF_EVENT_ARRAY: "Linux doesn't tell which perf events are in it",
    kernel.MAP_TYPE_CGROUP_ARRAY: "Linux doesn't tell which cgroups are in it",
    kernel.MAP_TYPE_XSKMAP: "Linux doesn't tell which sockets are in it",
    kernel.MAP_TYPE_SK_STORAGE: "it is kept with sockets, and Linux lists none of them",
    kernel.MAP_TYPE_INODE_STORAGE: "it is kept with files, and Linux lists none of them",
    kernel.MAP_TYPE_BLOOM_FILTER: "a Bloom filter tells only whether a given value may be in it",
    kernel.MAP_TYPE_ARENA: "looking at an arena's pages would allocate those that aren't there",
}


class Contents(NamedTuple):
    """What was read of a map."""

    entries: list[tuple[bytes, bytes]]  # keys and values; of a per-CPU map the values of all CPUs one after the other
    complete: bool  # that was all there is
    note: str = ""  # why there is nothing to be read, or what to know of it


class Ring(NamedTuple):
    """Where a ring buffer's readers and writers are; bytes since it was made."""

    consumed: int
    produced: int


@cache
def cpus() -> tuple[int, ...]:
    """The numbers of the CPUs that this machine can have, for each of which a per-CPU map has a value."""
    with open("/sys/devices/system/cpu/possible", encoding="ascii") as file:
        ranges = [part.split("-") for part in file.read().strip().split(",")]
    return tuple(number for ends in ranges for number in range(int(ends[0]), int(ends[-1]) + 1))


def value_bytes(one: Map) -> int:
    """The bytes of an entry's value as they are read, of all CPUs."""
    return (one.value_size + 7) // 8 * 8 * len(cpus()) if one.type in PER_CPU else one.value_size


def per_cpu(one: Map, value: bytes) -> list[bytes]:
    """An entry's values by CPU, in the order of `cpus()`."""
    step = (one.value_size + 7) // 8 * 8
    return [value[at : at + one.value_size] for at in range(0, step * len(cpus()), step)]


def contents(fd: int, one: Map, most: int = MOST) -> Contents:
    """At most so many entries of an open map, and 4 MiB unless one alone is larger.

    Raises OSError where the kernel fails.
    """
    if one.type in _WHY:
        return Contents([], complete=False, note=_WHY[one.type])
    most = min(most, _room(one))
    try:
        if one.type in QUEUES:
            return _peeked(fd, one)
        found: dict[bytes, bytes] = {}  # a walk that begins anew gives keys twice
        for portion in portions(fd, one, most + 1):  # one more tells whether that was all
            found.update(portion)
            if len(found) > most:
                return Contents(list(found.items())[:most], complete=False)
    except OSError as error:
        if error.errno not in _UNREADABLE:
            raise
        return Contents([], complete=False, note=_refused(one, error))
    return Contents(list(found.items()), complete=True)


def _refused(one: Map, error: OSError) -> str:
    if error.errno == errno.ENOSPC and one.type in _OF_SOCKETS:
        return f"Linux tells sockets by numbers of 8 bytes (cookies): this map's values have {one.value_size}"
    return f"Linux doesn't let this map be read: {error.strerror}"


def portions(fd: int, one: Map, portion: int = _PORTION) -> Iterator[list[tuple[bytes, bytes]]]:
    """All entries of a map that has keys, portion by portion; keys may come twice. Raises OSError."""
    if one.type in RINGS:
        return
    given = owned(fd, one)
    if given is not None:
        yield given[:portion]
        return
    try:
        for batch, number in _batches(fd, one, portion):
            yield list(batch.entries(number))
    except OSError as error:
        if error.errno not in _NO_BATCH:
            raise
    else:
        return
    yield from _walked(fd, one, portion)


class Counter:
    """Counts a map's entries, a portion at a time, over and over."""

    def __init__(self, one: Map) -> None:
        """Of this map."""
        self._map = one
        self.entries: int | None = None  # None: not counted yet, or that can't be told
        self.complete = True  # otherwise there are at least so many
        self.rounds = 0  # how often all of it was counted
        self._found = 0
        self._batch: kernel.Batch | None = None
        self._unknown = one.type in (*QUEUES, *RINGS, *_WHY)
        if one.type in ARRAYS:
            self.entries = one.entries

    def count(self, fd: int, most: int) -> int:
        """Goes on counting, of an open map, and gives how many entries that were read, about `most`."""
        if self._unknown or self._map.type in ARRAYS:
            self.rounds += 1
            return 0
        try:
            return self._count(fd, most)
        except OSError:  # it has no such call: key by key then, up to a bound
            self._batch, self._found = None, 0
            read = self._walk(fd, min(most, _PORTION))
            if read is None:
                self._unknown, self.entries = True, None
                return 0
            self.entries, self.complete = len(read.entries), read.complete
            self.rounds += 1
            return len(read.entries)

    def _count(self, fd: int, most: int) -> int:
        one, read, more = self._map, 0, True
        if self._batch is None:
            portion = min(one.entries or 1, _COUNTED, _room(one))
            self._batch = kernel.Batch(fd, one.key_size, value_bytes(one), portion)
        self._batch.go_on(fd)
        while more and read < most:
            number, more = _next(self._batch, one)
            read += number
            self._found += number
        if not more:  # that was the last portion
            self.entries, self.complete, self._found, self._batch = self._found, True, 0, None
            self.rounds += 1
        elif self.entries is None or not self.complete:
            self.entries, self.complete = max(self._found, self.entries or 0), False
        return read

    def _walk(self, fd: int, most: int) -> Contents | None:
        """What there is up to a bound; None where the kernel doesn't tell."""
        try:
            found = contents(fd, self._map, most)
        except OSError:
            return None
        return None if found.note else found


def count(fd: int, one: Map, most: int = MOST) -> tuple[int, bool] | None:
    """How many entries an open map has, up to about a bound, and whether that is all; None where that can't be told."""
    counter = Counter(one)
    counter.count(fd, most)
    return None if counter.entries is None else (counter.entries, counter.complete)


def ring(fd: int) -> Ring:
    """The positions of an open ring buffer. Raises OSError."""
    with mmap(fd, PAGESIZE, MAP_SHARED, PROT_READ) as consumer:
        (consumed,) = struct.unpack_from("Q", consumer)
    with mmap(fd, PAGESIZE, MAP_SHARED, PROT_READ, offset=PAGESIZE) as producer:
        (produced,) = struct.unpack_from("Q", producer)
    return Ring(consumed, produced)


def memory(fd: int) -> int:
    """Bytes that an open map takes, as the kernel accounts for it (/proc/self/fdinfo, exact from 6.4)."""
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as file:
        return next((int(line.split()[1]) for line in file if line.startswith("memlock:")), 0)


def _batches(fd: int, one: Map, portion: int) -> Iterator[tuple[kernel.Batch, int]]:
    """Portions that can be read or counted; larger ones where a bucket has more entries. Raises OSError."""
    portion = max(1, min(portion, one.entries or 1, _PORTION, _room(one)))
    batch = kernel.Batch(fd, one.key_size, value_bytes(one), portion)
    more = True
    while more:
        number, more = _next(batch, one)
        yield batch, number


def _room(one: Map) -> int:
    """How many entries are read at once at most: 4 MiB of them, one at least."""
    return max(1, _BYTES // max(1, one.key_size + value_bytes(one)))


def _next(batch: kernel.Batch, one: Map) -> tuple[int, bool]:
    """The next portion; a larger one where a bucket of a hash map has more entries. Raises OSError."""
    while True:
        try:
            return batch.next()
        except OSError as error:
            if error.errno != errno.ENOSPC or batch.portion >= one.entries:
                raise
            batch.take(min(2 * batch.portion, one.entries))


def _walked(fd: int, one: Map, portion: int) -> Iterator[list[tuple[bytes, bytes]]]:
    """The same key by key, where there is no other way. It ends, however often the walk begins anew."""
    size, last = value_bytes(one), b""
    for _ in range(0, 2 * one.entries + portion, portion):
        keys = kernel.map_keys(fd, one.key_size, portion, last)
        yield [(key, value) for key in keys if (value := kernel.map_lookup(fd, key, size)) is not None]
        if len(keys) < portion:
            return
        last = keys[-1]


def _peeked(fd: int, one: Map) -> Contents:
    """The entry that would come next; the others can't be seen without taking it out."""
    value = kernel.map_lookup(fd, b"", one.value_size)
    if value is None:
        return Contents([], complete=True)
    return Contents([(b"", value)], complete=False, note="only the next entry can be seen without taking it out")
