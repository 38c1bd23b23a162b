"""A file that is laid out as the kernel lays out a ring buffer."""

import mmap
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tui.bpf.ring import Ring

PAGE = mmap.PAGESIZE
BUSY, DISCARDED = 1 << 31, 1 << 30


class Buffer:
    """What the kernel would write; the data's second copy is kept like the first."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(4 * PAGE))
        self.fd = os.open(path, os.O_RDWR)
        self.written = 0

    def add(self, record: bytes, flags: int = 0) -> None:
        data = struct.pack("=II", len(record) | flags, 0) + record
        data += bytes(-len(data) % 8)
        for number, byte in enumerate(data):
            at = (self.written + number) % PAGE
            for copy in (2 * PAGE, 3 * PAGE):
                os.pwrite(self.fd, bytes([byte]), copy + at)
        self.written += len(data)
        os.pwrite(self.fd, struct.pack("=Q", self.written), PAGE)

    def free(self, at: int) -> None:
        """A record that was being written is written."""
        length = struct.unpack("=I", os.pread(self.fd, 4, 2 * PAGE + at))[0]
        os.pwrite(self.fd, struct.pack("=I", length & ~BUSY), 2 * PAGE + at)

    def read(self) -> int:
        return int(struct.unpack("=Q", os.pread(self.fd, 8, 0))[0])


@pytest.fixture
def buffer(tmp_path: Path) -> Iterator[Buffer]:
    made = Buffer(tmp_path / "ring")
    yield made
    os.close(made.fd)


def test_records_come_out_once_and_make_room(buffer: Buffer) -> None:
    with Ring(buffer.fd, PAGE) as ring:
        assert list(ring.records(10)) == []
        for record in (b"one", b"", b"threeeee"):
            buffer.add(record)
        assert list(ring.records(2)) == [b"one", b""]
        assert buffer.read() == 24
        assert list(ring.records(2)) == [b"threeeee"]
        assert buffer.read() == buffer.written == 40
        assert list(ring.records(2)) == []


def test_what_is_being_written_is_waited_for(buffer: Buffer) -> None:
    with Ring(buffer.fd, PAGE) as ring:
        buffer.add(b"first")
        buffer.add(b"second", BUSY)
        buffer.add(b"third")
        assert list(ring.records(10)) == [b"first"]
        buffer.free(16)
        assert list(ring.records(10)) == [b"second", b"third"]


def test_what_was_discarded_is_passed_over(buffer: Buffer) -> None:
    with Ring(buffer.fd, PAGE) as ring:
        buffer.add(b"no", DISCARDED)
        buffer.add(b"yes")
        assert list(ring.records(1)) == [b"yes"]


def test_records_that_wrap(buffer: Buffer) -> None:
    with Ring(buffer.fd, PAGE) as ring:
        for number in range(100):
            record = bytes([number]) * 120
            buffer.add(record)
            assert list(ring.records(10)) == [record]
        assert buffer.read() == 100 * 128 > PAGE


def test_closing_twice(buffer: Buffer) -> None:
    ring = Ring(buffer.fd, PAGE)
    ring.close()
    ring.close()


def test_no_memory_of_that_kind(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"")
    with (tmp_path / "small").open("rb") as file, pytest.raises((OSError, ValueError)):
        Ring(file.fileno(), PAGE)
