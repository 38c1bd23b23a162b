"""A map of 1,000,000 entries: what reading it takes, and the console while it shows it."""

import ctypes
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Final

from bench import peers
from bench.console import Terminal, watch
from bench.measure import Bench, say
from bench.table import Row, megabytes, milliseconds
from tui.bpf import kernel
from tui.bpf.inventory import contents
from tui.bpf.inventory.info import Map

_ENTRIES: Final = 1_000_000
_NAME: Final = "bench_huge"
_UPDATE_BATCH = 26
_MEMORY, _CPU, _TICK = 100e6, 5.0, 0.05  # bytes, percent of a core, seconds


@contextmanager
def _huge() -> Iterator[int]:
    """A hash map with keys and values of 8 bytes, full."""
    fd = kernel.map_create(kernel.MAP_TYPE_HASH, 8, 8, _ENTRIES, 0, _NAME)
    try:
        numbers = (ctypes.c_uint64 * _ENTRIES)(*range(_ENTRIES))
        at = ctypes.addressof(numbers)
        kernel.bpf(_UPDATE_BATCH, struct.pack("4Q2I2Q", 0, 0, at, at, _ENTRIES, fd, 0, 0))
        yield fd
    finally:
        os.close(fd)


def rows(bench: Bench) -> list[Row]:
    """One reading and all of it; then the console, while every entry that it shows changes."""
    say("a map of 1,000,000 entries")
    runs = bench.runs(20, 5)
    with _huge() as fd:
        one = Map.of(fd)
        reading = median(_seconds(lambda: contents.contents(fd, one)) for _ in range(runs))
        counting = median(_seconds(lambda: contents.count(fd, one)) for _ in range(runs))
        whole = _seconds(lambda: sum(map(len, contents.portions(fd, one))))
        memory, cpu, seconds = _console(bench, fd)
    return [
        Row("map of 1,000,000 entries: one reading (10,000)", milliseconds(reading), {}, None,
            f"≤ {1000 * _TICK:.0f} ms", str(runs), reading <= _TICK),
        Row("map of 1,000,000 entries: counting 10,000", milliseconds(counting), runs=str(runs)),
        Row("map of 1,000,000 entries: all of it", milliseconds(whole), runs="1"),
        Row("console, map of 1,000,000 entries, 160×50, 1 Hz: resident", megabytes(memory), {}, None,
            f"< {_MEMORY / 1e6:.0f} MB", f"{seconds} s", memory < _MEMORY),
        Row("console, map of 1,000,000 entries: CPU, of one core", f"{cpu:.2f} %", {}, None, f"< {_CPU:g} %",
            f"{seconds} s", cpu < _CPU),
    ]  # fmt: skip


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _console(bench: Bench, fd: int) -> tuple[int, float, int]:
    """Most resident bytes, percent of a core, and for how many seconds it was watched."""
    shown = [key for key, _ in contents.contents(fd, Map.of(fd)).entries]
    stop = threading.Event()
    busy = threading.Thread(target=_change, args=(fd, shown, stop))
    with Terminal(bench, [peers.BPFSCOPE]) as terminal:
        terminal.wait("PID")
        terminal.keys("3")
        terminal.wait("programs")
        terminal.keys("m")
        terminal.wait(_NAME)
        terminal.keys("/")
        terminal.wait("to the list")
        terminal.keys("-l", _NAME)
        terminal.keys("Enter")
        terminal.keys("Enter")
        terminal.wait("reads all")
        busy.start()
        try:
            time.sleep(bench.runs(5, 2))  # what starting left to do
            seconds = bench.runs(30, 10)
            return *watch(terminal.pid, seconds), seconds
        finally:
            stop.set()
            busy.join()


def _change(fd: int, keys: list[bytes], stop: threading.Event) -> None:
    """One in ten of the entries that are shown changes each second."""
    turn = 0
    while not stop.wait(1.0):
        turn += 1
        for key in keys[turn % 10 :: 10]:
            kernel.map_update(fd, key, struct.pack("Q", turn))
