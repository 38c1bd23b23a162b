"""Reading a ring buffer of the kernel's (BPF_MAP_TYPE_RINGBUF, 5.8) in place, without a system call.

Memory is laid out as kernel/bpf/ringbuf.c has it: a page with the reader's position, which is ours to write; a page
with the writers' position; and the data, mapped twice in a row, so that a record that wraps lies in one piece. A record
is a length (bit 31: still being written, bit 30: discarded) and a page number, 4 bytes each, then the bytes, padded to
8. Positions only grow. The kernel needs our loads and stores to take place in their order: x86-64 sees to that, a fence
does on other machines.
"""

import mmap
import os
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Lock
from typing import Final

from tui.owner import Owner

_BUSY: Final = 1 << 31
_DISCARDED: Final = 1 << 30
_HEADER: Final = 8
_IN_ORDER: Final = os.uname().machine == "x86_64"


class Ring(Owner):
    """Owns the memory of one ring buffer; there must be no other reader."""

    def __init__(self, fd: int, size: int) -> None:
        """`size`: bytes of its data, a power of two of at least a page. Raises OSError."""
        self._size = size
        self._lock = Lock()
        self._lock.acquire()  # for the fences
        self._owned = ExitStack()
        try:
            self._read = self._part(self._map(fd, mmap.PAGESIZE, 0, mmap.PROT_READ | mmap.PROT_WRITE).cast("Q"))
            whole = self._map(fd, mmap.PAGESIZE + 2 * size, mmap.PAGESIZE, mmap.PROT_READ)
            self._written = self._part(whole[: mmap.PAGESIZE].cast("Q"))
            self._data = self._part(whole[mmap.PAGESIZE :])
            self._lengths = self._part(self._data.cast("I"))
        except BaseException:
            self.close()
            raise

    def records(self, most: int) -> Iterator[bytes]:
        """What has been written since the last time, at most so many; each makes room as it comes out."""
        position, end = self._read[0], self._written[0]
        self._fence()
        while position < end and most:
            at = position & (self._size - 1)
            length = self._lengths[at >> 2]
            if length & _BUSY:
                return
            self._fence()
            size = length & ~_DISCARDED
            record = bytes(self._data[at + _HEADER : at + _HEADER + size])
            position += -(-(size + _HEADER) // 8) * 8
            self._fence()
            self._read[0] = position
            if not length & _DISCARDED:
                yield record
                most -= 1

    def close(self) -> None:
        """Unmaps it; a second time is harmless."""
        self._owned.close()

    def _fence(self) -> None:
        """What comes before it takes place before what comes after it.

        A store with release semantics, and then a load with acquire semantics: arm64 keeps the order of the two.
        """
        if not _IN_ORDER:
            self._lock.release()
            self._lock.acquire()

    def _part(self, view: "memoryview[int]") -> "memoryview[int]":
        """Given back before what it is a part of."""
        self._owned.callback(view.release)
        return view

    def _map(self, fd: int, length: int, offset: int, protection: int) -> memoryview:
        mapping = mmap.mmap(fd, length, mmap.MAP_SHARED, protection, offset=offset)
        self._owned.callback(mapping.close)
        view = memoryview(mapping)
        self._owned.callback(view.release)
        return view
