"""Attaching and detaching by the library: what the console and `count` do between reading symbols and counting."""

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

from bench import programs
from bench.measure import Bench, in_turn, say
from bench.table import Row, milliseconds
from tui.bpf.counting import Batch, Place
from tui.bpf.features import Method, attach_method
from tui.collectors import target as targets
from tui.collectors.probe import CountingProbe
from tui.collectors.target import Target
from tui.elf import functions, patterns
from tui.elf.names import Function

_ODD = 30
_ATTACH, _DETACH, _TOGETHER = 0.15, 0.3, 0.5  # seconds, of 1,000 functions


class Times(NamedTuple):
    """Seconds."""

    attach: float
    detach: float


def rows(bench: Bench) -> list[Row]:
    """1, 100 and 1,000 functions; with functions among them that can't be probed; by perf events."""
    say("attach and detach")
    program = programs.loop(bench.folder, 1000, _ODD)
    with programs.target(program, 1000) as process:
        target = targets.resolve(str(process.pid))
        there = functions.read(target.modules[0])
        good, odd = patterns.select(there, "f_*"), patterns.select(there, "odd_*")
        mixed = _mixed(good[:-_ODD], odd)
        runs = bench.runs(11, 5)
        measures = {
            "1 function": lambda: _probe(target, good[:1]),
            "100 functions": lambda: _probe(target, good[:100]),
            "1,000 functions": lambda: _probe(target, good),
            f"1,000 functions, {_ODD} unprobeable": lambda: _probe(target, mixed),
            "the same, found by the kernel alone": lambda: _batch(target, mixed, attach_method()),
        }
        _probe(target, good[:1])  # imports
        found = in_turn(bench, measures, dict.fromkeys(measures, runs))
        by_event = {
            "1 function, by perf events": lambda: _batch(target, good[:1], Method.PERF_EVENT),
            "100 functions, by perf events": lambda: _batch(target, good[:100], Method.PERF_EVENT),
        }
        found |= in_turn(bench, by_event, dict(zip(by_event, (runs, bench.runs(2, 0)), strict=True)))
    return [row for name, times in found.items() for row in _shown(name, times)]


def _mixed(good: Sequence[Function], odd: Sequence[Function]) -> list[Function]:
    """The odd ones spread among the good ones."""
    mixed = list(good)
    for number, function in enumerate(odd):
        mixed.insert(number * len(good) // len(odd), function)
    return mixed


def _timed(attach: Callable[[], object], detach: Callable[[], object]) -> Times:
    start = time.monotonic()
    attach()
    attached = time.monotonic()
    detach()
    return Times(attached - start, time.monotonic() - attached)


def _probe(target: Target, chosen: Sequence[Function]) -> Times:
    with CountingProbe(target) as probe:
        return _timed(lambda: probe.add(chosen), probe.close)


def _batch(target: Target, chosen: Sequence[Function], method: Method) -> Times:
    """Without looking at the instructions first."""
    places = [Place(target.modules[0].file, function.offset) for function in chosen]
    start = time.monotonic()
    batch = Batch(places, target.pid, method)
    attached = time.monotonic()
    batch.close()
    return Times(attached - start, time.monotonic() - attached)


def _shown(name: str, times: Sequence[Times]) -> list[Row]:
    attach, detach = median(each.attach for each in times), median(each.detach for each in times)
    together, runs = median(sum(each) for each in times), str(len(times))
    if "unprobeable" in name:
        figure = milliseconds(together)
        return [Row(f"attach and detach {name}", figure, {}, None, _at_most(_TOGETHER), runs, together <= _TOGETHER)]
    if name == "1,000 functions":
        return [
            Row(f"attach {name}", milliseconds(attach), {}, None, _at_most(_ATTACH), runs, attach <= _ATTACH),
            Row(f"detach {name}", milliseconds(detach), {}, None, _at_most(_DETACH), runs, detach <= _DETACH),
        ]
    return [Row(f"attach / detach {name}", f"{milliseconds(attach)} / {milliseconds(detach)}", runs=runs)]


def _at_most(seconds: float) -> str:
    return f"≤ {seconds * 1000:.0f} ms"
