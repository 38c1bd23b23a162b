"""What one hit costs the target: our counting program beside an empty one, at the same place, in turn."""

import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from bench import peers, programs
from bench.measure import Bench, say, shown
from bench.table import Row, nanoseconds
from tui.bpf import kernel
from tui.bpf.counting import Batch, Place
from tui.bpf.features import Method, attach_method
from tui.elf import functions, modules, patterns

_LIMIT = 1.05
_RETURN_0 = bytes.fromhex("b7000000000000009500000000000000")  # r0 = 0; exit
_KINDS = {"push": ("with_push", "p", 20_000), "endbr64": ("with_endbr", "e", 1_500)}  # calls of one measurement


def rows(bench: Bench) -> list[Row]:
    """Of a first instruction that the kernel emulates, and of one that it single-steps."""
    program = programs.loop(bench.folder, 100)
    with programs.target(program) as target:
        return [_row(bench, target, Place(str(program), 0), kind) for kind in _KINDS]


def _row(bench: Bench, target: programs.Running, program: Place, kind: str) -> Row:
    say(f"cost per hit, {kind}")
    function, letter, calls = _KINDS[kind]
    place = program._replace(offset=_offset(program.file, function))
    method, pairs = attach_method(), bench.runs(60, 30)
    slices = 9

    def cost() -> float:
        """The least of some measurements: what else the machine does only adds."""
        return min(measured(target, letter, calls) for _ in range(slices))

    def ours() -> float:
        with Batch([place], target.pid, method):
            return cost()

    def empty() -> float:
        with ExitStack() as stack:
            _attach_empty(stack, place, target.pid, method)
            return cost()

    cost()
    figures = [_pair(ours, empty, number) for number in range(pairs)]
    ratio = median(counting / nothing for counting, nothing in figures)
    counting, nothing = (median(column) for column in zip(*figures, strict=True))
    other = shown(bench, {"bpftrace": _bpftrace(bench, place, function, cost)}, nanoseconds) | {"funccount": ""}
    what = f"cost per hit on `{kind}`; an empty program's is {nanoseconds(nothing)}"
    limit = f"≤ {_LIMIT:g} × empty"
    return Row(what, nanoseconds(counting), other, ratio, limit, f"{pairs} pairs", ratio <= _LIMIT)


def _pair(first: Callable[[], float], second: Callable[[], float], number: int) -> tuple[float, float]:
    """The two in turn, the other way round every second time; the results in the order of the arguments."""
    if number % 2:
        late = second()
        return first(), late
    return first(), second()


def measured(target: programs.Running, letter: str, calls: int) -> float:
    """Nanoseconds of CPU time that one of so many calls takes."""
    target.tell(f"{letter} {calls}")
    return float(target.line() or "nan")


def _attach_empty(stack: ExitStack, place: Place, pid: int, method: Method) -> None:
    """As `Batch` does it, but of a program that does nothing."""
    multi = method is not Method.PERF_EVENT
    attach_type = kernel.ATTACH_UPROBE_MULTI if multi else 0
    program = kernel.program_load(kernel.PROG_TYPE_KPROBE, attach_type, _RETURN_0, "empty")
    stack.callback(os.close, program)
    if multi:
        only = pid if method is Method.MULTI else 0
        stack.callback(os.close, kernel.link_uprobe_multi(program, place.file, [place.offset], [0], only))
        return
    event = kernel.uprobe_event(place.file, place.offset, pid)
    stack.callback(os.close, event)
    stack.callback(os.close, kernel.link_perf_event(program, event, 0))


def _bpftrace(bench: Bench, place: Place, function: str, cost: Callable[[], float]) -> list[float]:
    """The cost of bpftrace's `@ = count()`, measured some times."""
    figures: list[float] = []
    if "bpftrace" in bench.absent:
        return figures
    for _ in range(bench.runs(7, 2)):
        command = peers.one_count(Path(place.file), function)
        with programs.Running(command, bench.environment) as running:
            while (line := running.line()) not in {b"x", None}:
                pass
            if line:
                figures.append(cost())
                running.end(signal.SIGINT)
    return figures


def _offset(file: str, function: str) -> int:
    return patterns.select(functions.read(modules.of_file(file)), function)[0].offset
