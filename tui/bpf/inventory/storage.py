"""Maps that the kernel keeps with tasks or cgroups: it lists no keys, but tells what a given task or cgroup has."""

import contextlib
import os
import struct
from collections.abc import Iterator
from typing import Final

from tui.bpf import kernel
from tui.bpf.inventory import at_cgroups
from tui.bpf.inventory.info import Map

_MOST: Final = 10_000  # threads or cgroups that are asked for
_PIDFD_THREAD: Final = os.O_EXCL  # include/uapi/linux/pidfd.h


def owned(fd: int, one: Map) -> list[tuple[bytes, bytes]] | None:
    """What threads or cgroups have in an open map, by the thread's or the cgroup's number; None of other kinds of maps.

    The key is that number in 8 bytes: what the kernel calls the key is a file descriptor, which says nothing.
    """
    if one.type == kernel.MAP_TYPE_TASK_STORAGE:
        return [(struct.pack("Q", number), value) for number, value in _asked(fd, one, _tasks())]
    if one.type == kernel.MAP_TYPE_CGRP_STORAGE:
        return [(struct.pack("Q", number), value) for number, value in _asked(fd, one, _cgroups())]
    return None


def _asked(fd: int, one: Map, owners: Iterator[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
    for _, (number, descriptor) in zip(range(_MOST), owners, strict=False):
        value = kernel.map_lookup(fd, struct.pack("i", descriptor), one.value_size)
        if value is not None:
            yield number, value


def _tasks() -> Iterator[tuple[int, int]]:
    """Threads, with a descriptor of each; before 6.9 processes alone, since others can't be had."""
    for process in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{process}/task"):
                flags = 0 if task == process else _PIDFD_THREAD
                with contextlib.suppress(OSError), _closed(os.pidfd_open(int(task), flags)) as fd:
                    yield int(task), fd


def _cgroups() -> Iterator[tuple[int, int]]:
    """Numbers of cgroups, with a descriptor of each."""
    root, paths, _ = at_cgroups.tree()
    for number, path in paths.items():
        with contextlib.suppress(OSError), _closed(os.open(root + path, os.O_RDONLY | os.O_DIRECTORY)) as fd:
            yield number, fd


@contextlib.contextmanager
def _closed(fd: int) -> Iterator[int]:
    try:
        yield fd
    finally:
        os.close(fd)
