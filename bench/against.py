"""What a call costs the target beside bpftrace doing the same: counting where the first instruction isn't emulated but
a later one is, and timing by return probes.
"""

import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from statistics import median

from bench import peers, programs
from bench.hits import measured
from bench.measure import Bench, say, shown
from bench.table import Row, against, nanoseconds, ratio_of
from tui.bpf.counting import Batch, Place
from tui.bpf.features import Method, attach_method
from tui.bpf.frames import Timed
from tui.bpf.timing import Timing
from tui.elf import functions, modules, patterns
from tui.elf.reader import ElfFile
from tui.elf.sites import Sites

_COUNT, _TIME = 0.12, 1.1  # × bpftrace
_CALLS = {"e": 3_000, "p": 10_000}


def rows(bench: Bench) -> list[Row]:
    """The two."""
    program = programs.loop(bench.folder, 100)
    with programs.target(program) as target:
        method = attach_method()
        later = Place(str(program), _site(str(program), "with_endbr"))
        entry = Timed(str(program), _site(str(program), "with_push"))
        return [
            _row(
                bench,
                target,
                "counting, `endbr64; push`: cost per hit",
                "e",
                lambda: Batch([later], target.pid, method),
                peers.one_count(program, "with_endbr"),
                _COUNT,
            ),
            _row(
                bench,
                target,
                "timing by return probes: cost per call",
                "p",
                lambda: _timing(entry, target.pid, method),
                peers.one_latency(program, "with_push"),
                _TIME,
            ),
        ]


def _row(
    bench: Bench,
    target: programs.Running,
    what: str,
    letter: str,
    ours: Callable[[], AbstractContextManager[object]],
    other: peers.Command,
    limit: float,
) -> Row:
    """In turn, each attached anew."""
    say(what)
    figures: dict[str, list[float]] = {"ours": [], "bpftrace": []}
    for _ in range(bench.runs(9, 3)):
        bare = _cost(target, letter)
        with ours():
            figures["ours"].append(_cost(target, letter) - bare)
        if "bpftrace" not in bench.absent:
            figures["bpftrace"] += _beside(bench, other, lambda: _cost(target, letter) - bare)  # noqa: B023 - at once
    ratio = ratio_of(figures["ours"], figures["bpftrace"])
    other_cells = shown(bench, {"bpftrace": figures["bpftrace"]}, nanoseconds) | {"funccount": ""}
    return Row(what, nanoseconds(median(figures["ours"])), other_cells, *_limit(limit, ratio, len(figures["ours"])))


def _limit(limit: float, ratio: float | None, runs: int) -> tuple[float | None, str, str, bool | None]:
    found, text, kept = against(limit, ratio)
    return found, text, str(runs), kept


def _cost(target: programs.Running, letter: str) -> float:
    """The least of some measurements: what else the machine does only adds."""
    return min(measured(target, letter, _CALLS[letter]) for _ in range(7))


def _beside(bench: Bench, command: peers.Command, cost: Callable[[], float]) -> list[float]:
    """The cost while bpftrace runs this, once it has said that it is attached."""
    with programs.Running(command, bench.environment) as running:
        while (line := running.line()) not in {b"x", None}:
            pass
        found = [cost()] if line else []
        running.end(signal.SIGINT)
    return found


def _timing(entry: Timed, pid: int, method: Method) -> Timing:
    """After its first sweep, which every reader begins with."""
    timing = Timing([entry], pid, method)
    timing.sweep()
    return timing


def _site(file: str, name: str) -> int:
    """Where our probe would go."""
    (function,) = patterns.select(functions.read(modules.of_file(file)), name)
    with ElfFile.open(file) as elf, Sites(elf) as sites:
        return sites.choose(function).offset
