"""`bpfscope count TARGET PATTERN…`: exact numbers of calls, live."""

import argparse
import sys
from collections.abc import Iterator, Sequence

from tui import text
from tui.collectors import live
from tui.collectors import target as targets
from tui.collectors.budget import Guard
from tui.collectors.probe import CountingProbe
from tui.collectors.samples import Attached, CountsSample
from tui.commands import running, selection
from tui.commands.running import BUSIEST, add_arguments
from tui.export import rows

__all__ = ["add_arguments", "run"]


def run(arguments: argparse.Namespace) -> int:
    """Counts until the time is up, the target ends or somebody stops it; the summary is always printed."""
    target = targets.resolve(arguments.target)
    functions = selection.pick_functions(target, arguments.module, arguments.patterns)
    if arguments.bpftrace:
        return running.show_bpftrace("calls", target, functions, as_json=arguments.json)
    with live.stop_signals() as stop, CountingProbe(target) as probe:
        attached = probe.add(functions)
        stop.arm()
        guard = Guard(probe, target.pid, arguments.budget)
        samples = live.samples(probe, stop, arguments.interval, arguments.duration, guard, started=probe.started)
        for line in (_json if arguments.json else _text)(attached, samples):
            sys.stdout.write(line)
            sys.stdout.flush()
    return 0


def _json(attached: Attached, samples: Iterator[tuple[CountsSample, bool]]) -> Iterator[str]:
    about = running.about(attached)
    yield rows.line({"kind": "attached"} | about)
    for sample, last in samples:
        yield rows.line(
            {"kind": "summary"} | about | rows.counts(sample) if last else {"kind": "interval"} | rows.counts(sample)
        )


def _text(attached: Attached, samples: Iterator[tuple[CountsSample, bool]]) -> Iterator[str]:
    running.narrate_attached("counting", attached)
    labels = running.labels(attached.attached)
    before, suspensions = None, running.Suspensions()
    for sample, last in samples:
        suspensions.narrate(sample.cost)
        yield from _summary(sample, labels) if last else _interval(sample, before, labels)
        before = sample


def _interval(sample: CountsSample, before: CountsSample | None, labels: Sequence[str]) -> Iterator[str]:
    """The busiest functions since the sample before."""
    earlier = before.calls if before else (0,) * len(sample.calls)
    elapsed = sample.elapsed - (before.elapsed if before else 0.0)
    called = [(now - then, label) for now, then, label in zip(sample.calls, earlier, labels, strict=True) if now > then]
    called.sort(reverse=True)
    rate = text.rate(sum(calls for calls, _ in called) / elapsed)
    yield f"{sample.elapsed:.1f} s  {rate} calls/s, {running.costs(sample.cost)}\n"
    for calls, label in called[:BUSIEST]:
        yield f"{calls:>15,} {label}\n"
    if len(called) > BUSIEST:
        yield f"{'':>15} … and {len(called) - BUSIEST} more\n"
    yield "\n"


def _summary(sample: CountsSample, labels: Sequence[str]) -> Iterator[str]:
    """Every function that was called, most called first."""
    if sample.ended:
        running.narrate(f"the target {sample.ended}")
    off = {one.function: one for one in sample.cost.suspended}
    total = sum(calls for function, calls in zip(sample.functions, sample.calls, strict=True) if function not in off)
    yield f"{'CALLS':>15} {'CALLS/S':>9} {'SHARE':>7}  FUNCTION\n"
    every = zip(sample.calls, labels, map(off.get, sample.functions), strict=True)
    called = sorted((-calls, label, stopped) for calls, label, stopped in every if calls or stopped)
    every_rate = 0.0  # each over the time in which it was counted
    for negative, label, stopped in called:
        seconds = min(stopped.after, sample.elapsed) if stopped else sample.elapsed
        every_rate += -negative / seconds if seconds else 0.0
        rate = text.rate(-negative / seconds) if seconds else "–"
        share = "–  " if stopped else f"{-100 * negative / total:.1f}%"
        note = f"  ({running.stopped(stopped)})" if stopped else ""
        yield f"{-negative:>15,} {rate:>9} {share:>7}  {label}{note}\n"
    if len(called) < len(labels):
        yield f"{'0':>15} {'':>9} {'':>7}  {text.plural(len(labels) - len(called), 'other function')}\n"
    ending = f"in {sample.elapsed:.1f} s, lost {sample.lost:,}"
    every_call = sum(sample.calls)
    yield f"{every_call:>15,} {text.rate(every_rate):>9} {'':>7}  {ending}\n"
