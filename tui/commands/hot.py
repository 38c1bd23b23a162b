"""`bpfscope symbols TARGET [PATTERN] -d S`: where the target spends its CPU time, before anything is probed."""

import argparse
import sys
from collections.abc import Sequence

from tui import text
from tui.collectors import live
from tui.collectors.samples import HotSample
from tui.collectors.sampling import Sampler
from tui.collectors.target import Target
from tui.commands import running, selection
from tui.elf.names import Function
from tui.export import rows


def run(target: Target, arguments: argparse.Namespace) -> int:
    """Samples, then prints a row per function, what took most of the time first."""
    functions = selection.pick_functions(target, arguments.module, arguments.patterns)
    sample = _sampled(target, arguments.duration)
    running.narrate(_about(sample))
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
    for ticks, where in ((sample.kernel, "in the kernel"), (sample.elsewhere, "elsewhere"), (sample.lost, "lost")):
        if ticks:
            parts.append(f"{100 * ticks / sample.total:.1f} % {where}")
    return ", ".join(parts) + (f"; the target {sample.ended}" if sample.ended else "")


def _print_table(functions: Sequence[Function], sample: HotSample) -> None:
    width = max(len("ORIGIN"), *(len(function.origin) for function in functions))
    print(f"{'CPU %':>6} {'ADDRESS':>12} {'SIZE':>7} {'ORIGIN':<{width}} FUNCTION")
    total = sample.total or 1
    for function, label in zip(functions, running.labels(functions), strict=True):
        share = f"{100 * ticks / total:.1f}" if (ticks := sample.ticks(function)) else ""
        print(f"{share:>6} {function.address:>12x} {function.size:>7} {function.origin:<{width}} {label}")
