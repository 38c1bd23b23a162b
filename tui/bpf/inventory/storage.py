"""Maps that the kernel keeps with tasks or cgroups: it lists no keys, but tells what a given task or cgroup has."""

import contextlib
import os
import struct
from collections.abc import Iterator
from typing import Final

from tui.bpf import kernel
from tui.bpf.inventory.info import Map

_MOST: Final = 10_000  # tasks or cgroups that are asked for
CGROUPS: Final = "/sys/fs/cgroup"


def owned(fd: int, one: Map) -> list[tuple[bytes, bytes]] | None:
    """What processes or cgroups have in an open map, by pid or by a cgroup's number; None of another kind of map.

    The key is that number in 8 bytes: what the kernel calls the key is a file descriptor, which says nothing.
    """
    if one.type == kernel.MAP_TYPE_TASK_STORAGE:
        return [(struct.pack("Q", number), value) for number, value in _asked(fd, one, _processes())]
    if one.type == kernel.MAP_TYPE_CGRP_STORAGE:
        return [(struct.pack("Q", number), value) for number, value in _asked(fd, one, _cgroups())]
    return None


def _asked(fd: int, one: Map, owners: Iterator[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
    for _, (number, descriptor) in zip(range(_MOST), owners, strict=False):
        value = kernel.map_lookup(fd, struct.pack("i", descriptor), one.value_size)
        if value is not None:
            yield number, value


def _processes() -> Iterator[tuple[int, int]]:
    """Pids, with a descriptor of each."""
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError), _closed(os.pidfd_open(int(name))) as fd:
            yield int(name), fd


def _cgroups() -> Iterator[tuple[int, int]]:
    """Numbers of cgroups, as their folders' inodes have them, with a descriptor of each."""
    for path, _, _ in os.walk(CGROUPS):
        with contextlib.suppress(OSError), _closed(os.open(path, os.O_RDONLY | os.O_DIRECTORY)) as fd:
            yield os.fstat(fd).st_ino, fd


@contextlib.contextmanager
def _closed(fd: int) -> Iterator[int]:
    try:
        yield fd
    finally:
        os.close(fd)
