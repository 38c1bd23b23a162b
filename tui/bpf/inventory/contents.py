"""What is in a map, in bounded portions, as bytes. Reading changes nothing: nothing is deleted, taken or made recent.

    with info.map_of(number) as fd:
        contents(fd, info.Map.of(fd))

From user space a look at an LRU map leaves its order alone (htab_lru_map_lookup_elem_sys and the batch calls,
kernel/bpf/hashtab.c); of a queue only the first entry is seen, which stays; of a ring buffer only the positions. What
is added or deleted meanwhile may be seen or not.
"""

import contextlib
import errno
import os
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
_BYTES: Final = 16 << 20  # of keys and values at once, unless one entry alone is larger
_NO_BATCH: Final = (errno.EINVAL, errno.EOPNOTSUPP, kernel.ENOTSUPP)
_UNREADABLE: Final = (*_NO_BATCH, errno.EPERM, errno.EACCES, errno.ENOSPC, errno.ENOSYS)

PER_CPU: Final = (
    kernel.MAP_TYPE_PERCPU_HASH, kernel.MAP_TYPE_PERCPU_ARRAY, kernel.MAP_TYPE_LRU_PERCPU_HASH,
    kernel.MAP_TYPE_PERCPU_CGROUP_STORAGE,
)  # fmt: skip
ARRAYS: Final = (kernel.MAP_TYPE_ARRAY, kernel.MAP_TYPE_PERCPU_ARRAY)  # as many entries as there can be, always
QUEUES: Final = (kernel.MAP_TYPE_QUEUE, kernel.MAP_TYPE_STACK)
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
    """At most so many entries of an open map, and no more than 16 MiB. Raises OSError where the kernel fails."""
    if one.type in _WHY:
        return Contents([], complete=False, note=_WHY[one.type])
    most = max(1, min(most, _BYTES // max(1, one.key_size + value_bytes(one))))
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
        return Contents([], complete=False, note=f"Linux doesn't let this map be read: {os.strerror(error.errno)}")
    return Contents(list(found.items()), complete=True)


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


def count(fd: int, one: Map, most: int = MOST) -> tuple[int, bool] | None:
    """How many entries an open map has, up to a bound, and whether that is all; None where that can't be told."""
    if one.type in ARRAYS:
        return one.entries, True
    if one.type in (*QUEUES, *RINGS, *_WHY):
        return None
    most = max(1, min(most, _BYTES // max(1, one.key_size + value_bytes(one))))
    found = 0
    try:
        for _, number in _batches(fd, one, most + 1):
            found += number
            if found > most:
                return most, False
    except OSError:
        with contextlib.suppress(OSError):
            read = contents(fd, one, min(most, _PORTION))
            return None if read.note else (len(read.entries), read.complete)
        return None
    return found, True


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
    batch = kernel.Batch(fd, one.key_size, value_bytes(one), max(1, min(portion, one.entries or 1, _PORTION)))
    more = True
    while more:
        try:
            number, more = batch.next()
        except OSError as error:
            if error.errno != errno.ENOSPC or batch.portion >= one.entries:
                raise
            batch.take(min(2 * batch.portion, one.entries))
            continue
        yield batch, number


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
