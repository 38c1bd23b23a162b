"""`bpfscope stacks TARGET PATTERN…`: who calls functions, and how often, by stacks with names.

Callers are found by their frame pointers: Go keeps them, and what is built with -fno-omit-frame-pointer. Of other code
the direct caller is right, and those above may be missing. At most 127 frames are kept; [cut] stands for the rest.

Each function stands above its callers, the most frequent first. Rare ones are left out; --json, --folded and the files
have all.
"""

import argparse
import math
import sys
from collections import deque
from collections.abc import Iterator
from typing import Final

from tui import text
from tui.bpf.stacks import memory
from tui.collectors import live
from tui.collectors import target as targets
from tui.collectors.beginnings import early
from tui.collectors.budget import Guard
from tui.collectors.samples import Attached, Stack, StacksSample
from tui.collectors.stacks import StacksProbe
from tui.commands import running, selection
from tui.errors import UsageError
from tui.export import rows, whole
from tui.export.outline import outline

_SUMMARY: Final = (60, 12)  # lines, and how many of them for callers that have no others beside them
_INTERVAL: Final = (16, 4)
_OFTEN: Final = 1.0  # seconds between readings, at most: processes end, and the kernel's room is limited

Samples = Iterator[tuple[StacksSample, bool]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `stacks`."""
    running.add_arguments(parser)
    ends = parser.add_mutually_exclusive_group()
    ends.add_argument("--folded", action="store_true", help="print only folded stacks at the end: root;…;leaf COUNT")
    ends.add_argument("--svg", metavar="FILE", help="write a flame graph at the end, with the root on top")
    ends.add_argument("--speedscope", metavar="FILE", help="write a file for https://www.speedscope.app at the end")


def run(arguments: argparse.Namespace) -> int:
    """Counts until the time is up, the target ends or somebody stops it; the summary is always printed."""
    if arguments.folded and arguments.json:
        raise UsageError("--folded and --json are two forms of one output: choose one")
    file = arguments.speedscope if arguments.svg is None else arguments.svg
    if file is not None:
        whole.check(file)
    target = targets.resolve(arguments.target)
    functions = selection.pick_functions(target, arguments.module, arguments.patterns)
    if arguments.bpftrace:
        return running.show_bpftrace("stacks", target, functions, as_json=arguments.json)
    if not arguments.json:
        running.narrate_memory(memory(len(functions)))
    final: deque[StacksSample] = deque(maxlen=1)
    with live.stop_signals() as stop, StacksProbe(target) as probe:
        attached = probe.add(functions, arguments.budget)
        stop.arm()
        guard = Guard(probe, target.pid, arguments.budget, probe.held_back)
        parts = math.ceil(arguments.interval / _OFTEN)
        readings = live.samples(probe, stop, arguments.interval / parts, arguments.duration, guard)
        show = _json if arguments.json else _folded if arguments.folded else _text
        for line in show(attached, _noted(readings, parts, final)):
            sys.stdout.write(line)
            sys.stdout.flush()
    if file is not None:
        whole.write(file, _file(final[0], target.name, svg=arguments.svg is not None))
        running.narrate(f"wrote {text.sanitise(file)}")
    return 0


def _noted(readings: Samples, parts: int, final: deque[StacksSample]) -> Samples:
    """Every so many of the readings, and the last, which stays in `final`."""
    for number, (sample, last) in enumerate(readings, start=1):
        final.append(sample)
        if last or number % parts == 0:
            yield sample, last


def _json(attached: Attached, samples: Samples) -> Iterator[str]:
    about = running.about(attached)
    yield rows.line({"kind": "attached"} | about)
    for sample, last in samples:
        kind: rows.Row = {"kind": "summary"} | about if last else {"kind": "interval"}
        yield rows.line(kind | rows.stacks(sample))


def _folded(attached: Attached, samples: Samples) -> Iterator[str]:
    from tui.export.folded import folded

    for sample, last in _narrated(attached, samples):
        if last:
            yield from folded(sample.stacks)
            running.narrate(f"{text.plural(sample.calls, 'call')} in {sample.elapsed:.1f} s, lost {sample.lost:,}")


def _text(attached: Attached, samples: Samples) -> Iterator[str]:
    before = None
    for sample, last in _narrated(attached, samples):
        yield from _summary(sample) if last else _interval(sample, before)
        before = sample


def _narrated(attached: Attached, samples: Samples) -> Samples:
    """Says beside the data what is to be said."""
    running.narrate_attached("counting the callers of", attached)
    suspensions = running.Suspensions()
    for sample, last in samples:
        suspensions.narrate(sample.cost)
        if last and sample.ended:
            running.narrate(f"the target {sample.ended}")
        if last and (nameless := _nameless(sample)):
            running.narrate(
                f"{text.plural(nameless, 'call')} had callers of which only addresses are known: code that a JIT"
                " compiler made without a /tmp/perf-PID.map, or processes that ended before they could be looked at"
            )
        if last and (number := early(sample.stacks)):
            running.narrate(
                f"the stacks of {text.plural(number, 'call')} end early: code above keeps no frame pointers, so who"
                " called it isn't known"
            )
        yield sample, last


def _nameless(sample: StacksSample) -> int:
    """Calls that had a caller of which nothing is known."""
    return sum(stack.calls for stack in sample.stacks if not all(frame.module for frame in stack.frames))


def _interval(sample: StacksSample, before: StacksSample | None) -> Iterator[str]:
    """The busiest callers since the sample before."""
    calls = sample.calls - (before.calls if before else 0)
    elapsed = sample.elapsed - (before.elapsed if before else 0.0)
    yield f"{sample.elapsed:.1f} s  {text.rate(calls / elapsed)} calls/s, {running.costs(sample.cost)}\n"
    yield from outline(_since(sample, before), *_INTERVAL)
    yield "\n"


def _summary(sample: StacksSample) -> Iterator[str]:
    yield f"{'CALLS':>10} {'SHARE':>7}  FUNCTION, AND BELOW IT WHO CALLS IT\n"
    yield from outline(sample.stacks, *_SUMMARY)
    yield f"{sample.calls:>10,} {'':>7}  in {sample.elapsed:.1f} s, lost {sample.lost:,}\n"


def _since(sample: StacksSample, before: StacksSample | None) -> list[Stack]:
    """The stacks of calls since the sample before."""
    earlier = {(stack.frames, stack.cut): stack.calls for stack in before.stacks} if before else {}
    now = (stack._replace(calls=stack.calls - earlier.get((stack.frames, stack.cut), 0)) for stack in sample.stacks)
    return [stack for stack in now if stack.calls]


def _file(sample: StacksSample, name: str, *, svg: bool) -> str:
    """What the file at the end has in it."""
    called = ", ".join(function.name for function in sample.functions[:3]) + (
        ", …" if len(sample.functions) > 3 else ""
    )
    title = f"{name}: calls of {called}"
    if svg:
        from tui.export.flamegraph import flamegraph

        note = f"{text.plural(sample.calls, 'call')} in {sample.elapsed:.1f} s, lost {sample.lost:,}"
        return flamegraph(sample.stacks, title, note)
    from tui.export.speedscope import speedscope

    return speedscope(sample.stacks, title)
