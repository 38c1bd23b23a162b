"""The kernel's own statistics of programs, on while somebody looks; and the floor below which they say nothing.

    with Statistics():
        …  # info.Program.runs and run_time_ns grow

They are on as long as a file descriptor is open, so they are off also after kill -9; each run costs some tens of ns
more meanwhile. `kernel.bpf_stats_enabled` tells nothing of this.
"""

import contextlib
import os
import struct
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.bpf.inventory import info
from tui.bpf.objects import refusal
from tui.owner import Owner

_EMPTY: Final = struct.pack("=BBhi", 0xB7, 0, 0, 0) + struct.pack("=BBhi", 0x95, 0, 0, 0)  # r0 = 0; exit
_PACKET: Final = bytes(64)
_RUNS: Final = 20_000  # a millisecond or two
_TURNS: Final = 3  # the least of which counts: others are disturbed by something


class Statistics(Owner):
    """Runs and run times of all programs are counted until it is closed (5.8)."""

    def __init__(self) -> None:
        """Raises NotPermitted (CAP_SYS_ADMIN), NotSupported."""
        self._fd = -1
        try:
            self._fd = kernel.enable_statistics()
        except OSError as error:
            raise refusal(error, "count how long BPF programs run") from None

    def close(self) -> None:
        """Off, unless somebody else has them on."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class Floor(NamedTuple):
    """What an empty program's run takes, ns on average."""

    reported: float  # as the statistics have it: nothing is below
    on: float  # really, while statistics are on
    off: float | None  # without them; None: somebody else has them on

    @property
    def costs(self) -> float | None:
        """What the statistics add to each run of every program."""
        return None if self.off is None else max(0.0, self.on - self.off)


def floor() -> Floor:
    """Measured here and now, in about 10 ms. Statistics are on meanwhile. Raises NotPermitted, NotSupported."""
    statistics, measured = begun()
    statistics.close()
    return measured


def begun() -> tuple[Statistics, Floor]:
    """Statistics that are on from here on, and the floor, measured on a program of ours before and after.

    Raises NotPermitted, NotSupported.
    """
    with contextlib.ExitStack() as owned:
        try:
            fd = kernel.program_load(kernel.PROG_TYPE_SOCKET_FILTER, 0, _EMPTY, "bpfscope_floor")
            owned.callback(os.close, fd)
            before = info.Program.of(fd).runs
            off: float | None = _least(fd)
            if info.Program.of(fd).runs != before:
                off = None
            statistics = Statistics()
            failing = owned.enter_context(contextlib.ExitStack())
            failing.callback(statistics.close)
            started = info.Program.of(fd)
            on = _least(fd)
            ended = info.Program.of(fd)
            failing.pop_all()
        except OSError as error:
            raise refusal(error, "count how long BPF programs run") from None
    runs = ended.runs - started.runs
    return statistics, Floor((ended.run_time_ns - started.run_time_ns) / runs if runs else 0.0, on, off)


def _least(fd: int) -> float:
    return min(kernel.program_test_run(fd, _PACKET, _RUNS).duration for _ in range(_TURNS))
