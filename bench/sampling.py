"""What CPU sampling costs its target: its program's run time, and a fixed amount of work beside the same without."""

import os
import re
import struct
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench import programs
from bench.measure import Bench, say
from bench.table import Row, nanoseconds
from tui.bpf import kernel
from tui.bpf.sampling import Ticks

_LIMIT = 0.01
_ENABLE_STATS = 32  # of bpf(2)
_WORK = {"computes": "c 800000", "switches threads": "s 50000"}  # a quarter of a second


def rows(bench: Bench) -> list[Row]:
    """Of a program that computes, and of one that does nothing but switch between threads."""
    with programs.target(programs.steady(bench.folder)) as target:
        return [_run_time(bench, target), *(_row(bench, target, *work) for work in _WORK.items())]


def _row(bench: Bench, target: programs.Running, what: str, line: str) -> Row:
    say(f"CPU sampling of a program that {what}")
    pairs = bench.runs(60, 20)

    def cost() -> float:
        target.tell(line)
        return float(target.line() or "nan")

    def sampled() -> float:
        with Ticks([target.pid]):
            return cost()

    cost()
    figures = [_pair(sampled, cost, number) for number in range(pairs)]
    ratio = median(one / other for one, other in figures)
    ours, without = (median(column) for column in zip(*figures, strict=True))
    said = f"CPU time of a program that {what}, sampled; without: {nanoseconds(without)}"
    return Row(said, nanoseconds(ours), {}, ratio, f"≤ {1 + _LIMIT:g} × without", f"{pairs} pairs", ratio <= 1 + _LIMIT)


def _pair(first: Callable[[], float], second: Callable[[], float], number: int) -> tuple[float, float]:
    """The two in turn, the other way round every second time; the results in the order of the arguments."""
    if number % 2:
        late = second()
        return first(), late
    return first(), second()


def _run_time(bench: Bench, target: programs.Running) -> Row:
    """Of the sampling program, as the kernel counts it; that counting takes some 50 ns a run."""
    say("CPU sampling, the program's run time")
    rounds = bench.runs(30_000_000, 6_000_000)
    statistics = kernel.bpf(_ENABLE_STATS, struct.pack("I", 0))
    try:
        with Ticks([target.pid]) as ticks:
            target.tell(f"c {rounds}")
            seconds = float(target.line() or "nan") * rounds / 1e9
            spent, runs = _spent()
            seen = len(list(ticks.take()))
    finally:
        os.close(statistics)
    share = spent / 1e9 / seconds / (os.cpu_count() or 1)
    said = f"CPU sampling's program, of a CPU's time; {seen:,} ticks in the target, a run {nanoseconds(spent / runs)}"
    return Row(said, f"{share:.4%}", {}, share, f"≤ {_LIMIT:.0%}", f"{seconds:.0f} s", share <= _LIMIT)


def _spent() -> tuple[int, int]:
    """Nanoseconds that BPF programs of ours have run, and how often: run_time_ns and run_cnt of bpf_prog_info."""
    total = runs = 0
    for entry in os.listdir("/proc/self/fdinfo"):
        about = Path(f"/proc/self/fdinfo/{entry}")
        if about.exists() and re.search(r"^prog_type:", about.read_text(encoding="ascii"), re.MULTILINE):
            time, count = struct.unpack_from("2Q", kernel.info(int(entry), 208), 192)
            total, runs = total + time, runs + count
    return total, runs
