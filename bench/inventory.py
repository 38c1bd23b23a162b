"""The console while it lists 1,000 BPF programs, half of which have a map; and what one reading takes."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from os import close
from statistics import median

from bench import peers
from bench.console import Terminal, watch
from bench.measure import Bench, say
from bench.table import Row, megabytes, milliseconds
from tui.bpf import kernel
from tui.bpf.extended.assembler import assemble, exit_, map_pointer, mov
from tui.bpf.extended.instructions import R0, R1

_PROGRAMS = 1_000
_MEMORY, _CPU = 100e6, 5.0  # bytes, percent of a core


def rows(bench: Bench) -> Iterator[Row]:
    """Memory and CPU of the console, and a reading's time."""
    say(f"the console with {_PROGRAMS:,} BPF programs")
    seconds = bench.runs(30, 20)
    with _loaded(_PROGRAMS):
        with Terminal(bench, [peers.BPFSCOPE]) as terminal:
            terminal.wait("processes")
            terminal.keys("3")
            terminal.wait("programs")
            terminal.wait("watching")
            time.sleep(bench.runs(5, 3))
            memory, cpu = watch(terminal.pid, seconds)
        taken = _readings(bench.runs(20, 5))
    what = f"console, {_PROGRAMS:,} BPF programs, 160×50, 1 Hz"
    yield Row(f"{what}: resident", megabytes(memory), limit=f"< {_MEMORY / 1e6:.0f} MB", runs=f"{seconds} s",
              kept=memory < _MEMORY)  # fmt: skip
    yield Row(f"{what}: CPU, of one core", f"{cpu:.2f} %", limit=f"< {_CPU:g} %", runs=f"{seconds} s", kept=cpu < _CPU)
    yield Row(f"reading {_PROGRAMS:,} BPF programs", milliseconds(median(taken)), runs=str(len(taken)))


def _readings(number: int) -> list[float]:
    """Seconds that readings take, without those that look up who holds what."""
    from tui.collectors.programs import Programs

    taken = []
    with Programs() as reader:
        reader.read()
        for _ in range(number + 1):
            time.sleep(0.06)
            start = time.perf_counter()
            reader.read()
            taken.append(time.perf_counter() - start)
    return taken[1:]


@contextmanager
def _loaded(number: int) -> Iterator[None]:
    """So many programs of ours."""
    plain = assemble([mov(R0, 0), exit_()]).bytecode({})
    using = assemble([map_pointer(R1, "m"), mov(R0, 0), exit_()])
    with ExitStack() as owned:
        for at in range(number):
            code = plain
            if at % 2:
                fd = kernel.map_create(kernel.MAP_TYPE_ARRAY, 4, 8, 16, 0, f"map_{at}")
                owned.callback(close, fd)
                code = using.bytecode({"m": fd})
            owned.callback(close, kernel.program_load(kernel.PROG_TYPE_SOCKET_FILTER, 0, code, f"program_{at}"))
        yield
