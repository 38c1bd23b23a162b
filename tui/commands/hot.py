"""`bpfscope symbols TARGET [PATTERN] -d S`: where the target spends its CPU time, before anything is probed."""

import argparse
import shlex
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from tui import text
from tui.collectors import live
from tui.collectors.samples import HotSample
from tui.collectors.sampling import Sampler
from tui.collectors.target import Target
from tui.commands import running, selection
from tui.elf.names import UNWIND, Function
from tui.errors import BinaryError
from tui.export import rows

_MODULES: Final = 4  # that are named, and places without names
_FEW: Final = 50  # samples, of which a share can be off by 14 points in one case of twenty


def run(target: Target, arguments: argparse.Namespace) -> int:
    """Samples, then prints a row per function, what took most of the time first."""
    stripped = ""
    try:
        functions = selection.pick_functions(target, arguments.module, arguments.patterns)
    except BinaryError as error:  # what has no names can run all the same
        functions, stripped = [], str(error)
    sample = _sampled(target, arguments.duration)
    running.narrate(_about(sample))
    for line in (*_where(functions, sample), sample.note):
        if line:
            running.narrate(line)
    if stripped:
        raise BinaryError(stripped)
    functions = sorted(functions, key=sample.ticks, reverse=True)
    if arguments.json:
        for function in functions:
            sys.stdout.write(rows.line(rows.hot(function, sample)))
    else:
        _print_table(functions, sample)
    return 0


def _sampled(target: Target, duration: float) -> HotSample:
    """What was seen until then, or until the target ended, or somebody stopped it."""
    with live.stop_signals() as stop, Sampler(target) as sampler:
        running.narrate(f"sampling CPU time for {duration:g} s; Ctrl-C ends it")
        stop.arm()
        *_, (sample, _) = live.ticks(sampler.read, stop, 1.0, duration, sampler.watch)
    return sample


def _about(sample: HotSample) -> str:
    if not sample.total:
        return f"nothing ran in {sample.elapsed:.1f} s"
    parts = [f"{text.plural(sample.total, 'sample')} in {sample.elapsed:.1f} s"]
    if sample.total < _FEW:
        parts[0] += " (too few to compare shares: sample for longer)"
    for ticks, where in ((sample.kernel, "in the kernel"), (sample.elsewhere, "elsewhere"), (sample.lost, "lost")):
        if ticks:
            parts.append(f"{100 * ticks / sample.total:.1f} % {where}")
    return ", ".join(parts) + (f"; the target {sample.ended}" if sample.ended else "")


def _where(functions: Sequence[Function], sample: HotSample) -> Iterator[str]:
    """The modules in which most of the time was spent, and how much of that has no name."""
    total = sample.total or 1
    there = {function.module for function in functions}
    busy = sorted(sample.modules.items(), key=lambda pair: -pair[1])
    said = [f"{name} {100 * ticks / total:.1f} %" for name, ticks in busy[:_MODULES]]
    if said and not set(dict(busy[:1])) <= there:
        yield f"by modules: {', '.join(said)}; --module {shlex.quote(busy[0][0])} lists the busiest's functions"
    listed = {(function.module, function.name) for function in functions if function.origin == UNWIND}
    unnamed = [
        (ticks, name)
        for (module, name), ticks in sample.counts.items()
        if name.startswith(f"{module}+0x") and (module, name) not in listed
    ]
    if lost := sum(ticks for ticks, _ in unnamed):
        most = sorted(unnamed, reverse=True)[:_MODULES]
        places = ", ".join(f"{name} {100 * ticks / total:.1f} %" for ticks, name in most)
        yield f"{100 * lost / total:.1f} % in code that has no names (stripped): {places}"


def _print_table(functions: Sequence[Function], sample: HotSample) -> None:
    width = max(len("ORIGIN"), *(len(function.origin) for function in functions))
    print(f"{'CPU %':>6} {'ADDRESS':>12} {'SIZE':>7} {'ORIGIN':<{width}} FUNCTION")
    total = sample.total or 1
    for function, label in zip(functions, running.labels(functions), strict=True):
        share = f"{100 * ticks / total:.1f}" if (ticks := sample.ticks(function)) else ""
        print(f"{share:>6} {function.address:>12x} {function.size:>7} {function.origin:<{width}} {label}")
