"""What programs put out through perf events (BPF_MAP_TYPE_PERF_EVENT_ARRAY), read in place: a ring for each CPU.

Memory is laid out as include/uapi/linux/perf_event.h has it (struct perf_event_mmap_page): a page with the writer's and
the reader's position, then the data, in which records wrap. Each sample has the thread, the time and the bytes.
"""

import contextlib
import errno
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.owner import Owner

SOFTWARE: Final = 1  # PERF_TYPE_SOFTWARE
OUTPUT: Final = 10  # PERF_COUNT_SW_BPF_OUTPUT
_HEAD, _TAIL = 1024 // 8, 1032 // 8  # 64-bit words of the first page
_HEADER: Final = struct.Struct("<IHH")  # type, misc, size
_SAMPLE: Final = struct.Struct("<IIQI")  # behind it: process, thread, time; size of what follows
_LOST, _SAMPLED = 2, 9  # PERF_RECORD_…


class Sample(NamedTuple):
    """What came through one of the rings."""

    time: int  # nanoseconds of CLOCK_MONOTONIC
    pid: int
    tid: int
    data: bytes  # padded to a multiple of 8, less 4


class PerfRings(Owner):
    """Owns a perf event and its memory for each CPU that is on."""

    def __init__(self, kind: int, config: int, pages: int = 16, table: int = -1) -> None:
        """`pages` (a power of two) of each ring; `table`: the map to whose CPUs they are given. Raises OSError."""
        self._owned = ExitStack()
        self._size = pages * mmap.PAGESIZE
        self._rings: list[tuple[memoryview[int], mmap.mmap]] = []
        self._events: list[int] = []
        self._told = 0  # what the rings' own records have said to be lost
        try:
            for cpu in range(os.sysconf("SC_NPROCESSORS_CONF")):
                self._add(kind, config, cpu, table)
        except BaseException:
            self.close()
            raise

    def _add(self, kind: int, config: int, cpu: int, table: int) -> None:
        try:
            event = kernel.sampling_event(kind, config, cpu)
        except OSError as error:
            if error.errno == errno.ENODEV:  # this CPU is off
                return
            raise
        self._owned.callback(os.close, event)
        self._events.append(event)
        mapping = mmap.mmap(event, mmap.PAGESIZE + self._size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._owned.callback(mapping.close)
        view = memoryview(mapping)
        self._owned.callback(view.release)
        words = view[: mmap.PAGESIZE].cast("Q")
        self._owned.callback(words.release)
        self._rings.append((words, mapping))
        if table >= 0:
            kernel.map_update(table, struct.pack("I", cpu), struct.pack("I", event))

    @property
    def lost(self) -> int:
        """What found no room. Before Linux 6.0 as far as records behind it tell: not what was lost at the very end."""
        counts = [kernel.lost_samples(event) for event in self._events]
        return self._told if None in counts else sum(count or 0 for count in counts)

    def samples(self, most: int) -> Iterator[Sample]:
        """What has come since the last time, at most so many of each CPU, in the order of their times."""
        found = [sample for words, data in self._rings for sample in self._of_one(words, data, most)]
        yield from sorted(found, key=lambda each: each.time)

    def _of_one(self, words: "memoryview[int]", data: mmap.mmap, most: int) -> Iterator[Sample]:
        head, tail = words[_HEAD], words[_TAIL]
        while tail < head and most:
            kind, _, size = _HEADER.unpack(self._bytes(data, tail, _HEADER.size))
            if size < _HEADER.size:  # damaged: nothing behind it can be found
                tail = head
                break
            record = self._bytes(data, tail + _HEADER.size, size - _HEADER.size)
            tail += size
            if kind == _SAMPLED and len(record) >= _SAMPLE.size:
                pid, tid, moment, length = _SAMPLE.unpack_from(record)
                yield Sample(moment, pid, tid, record[_SAMPLE.size : _SAMPLE.size + length])
                most -= 1
            elif kind == _LOST:
                self._told += struct.unpack_from("<Q", record, 8)[0]
        words[_TAIL] = tail

    def _bytes(self, data: mmap.mmap, at: int, size: int) -> bytes:
        start = at % self._size
        first = data[mmap.PAGESIZE + start : mmap.PAGESIZE + min(self._size, start + size)]
        return first + data[mmap.PAGESIZE : mmap.PAGESIZE + size - len(first)]

    def close(self) -> None:
        """Closes them; a second time is harmless."""
        self._rings.clear()
        self._events.clear()
        with contextlib.suppress(BufferError):
            self._owned.close()
