"""`bpfscope latency TARGET PATTERN…`: how long calls take; right under recursion, threads and goroutines.

Percentiles come from a histogram with eight buckets to each power of two: what is printed is at most 1/16 off. Times
are what the clock said between the hits at entry and return, of which the kernel itself takes under 1 µs, or some 10 µs
where a function doesn't begin with an instruction that it emulates (`symbols --sites`). SELF is the time that no other
timed function took.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence

from tui import text
from tui.collectors import histogram, live
from tui.collectors import target as targets
from tui.collectors.budget import Guard
from tui.collectors.latency import LatencyProbe
from tui.collectors.samples import Attached, Latency, LatencySample
from tui.commands import running, selection
from tui.commands.running import BUSIEST
from tui.export import rows

_BAR = 40  # cells of the longest bar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `latency`."""
    running.add_arguments(parser)
    parser.add_argument(
        "--return-probes",
        action="store_true",
        help="see returns by return probes: a tenth of the cost, but they end programs whose stacks are changed under"
        " them, by exceptions, coroutines, signal stacks or seccomp filters; never in Go",
    )
    parser.add_argument(
        "--histogram", action="store_true", help="print each function's histogram, by powers of two, at the end"
    )


def run(arguments: argparse.Namespace) -> int:
    """Times until the time is up, the target ends or somebody stops it; the summary is always printed."""
    target = targets.resolve(arguments.target)
    functions = selection.pick_functions(target, arguments.module, arguments.patterns)
    with live.stop_signals() as stop, LatencyProbe(target, return_probes=arguments.return_probes) as probe:
        attached = probe.add(functions, arguments.budget)
        guard = Guard(probe, target.pid, arguments.budget, probe.held_back)
        samples = live.samples(probe, stop, arguments.interval, arguments.duration, guard)
        lines = _json(attached, samples) if arguments.json else _text(attached, samples, histograms=arguments.histogram)
        for line in lines:
            sys.stdout.write(line)
            sys.stdout.flush()
    return 0


def _json(attached: Attached, samples: Iterator[tuple[LatencySample, bool]]) -> Iterator[str]:
    about = running.about(attached)
    yield rows.line({"kind": "attached"} | about)
    for sample, last in samples:
        kind: rows.Row = {"kind": "summary"} | about if last else {"kind": "interval"}
        yield rows.line(kind | rows.latencies(sample))


def _text(attached: Attached, samples: Iterator[tuple[LatencySample, bool]], *, histograms: bool) -> Iterator[str]:
    running.narrate_attached("timing", attached)
    labels, suspensions = running.labels(attached.attached), running.Suspensions()
    for sample, last in samples:
        suspensions.narrate(sample.cost)
        if last and sample.ended:
            running.narrate(f"the target {sample.ended}")
        yield from _table(sample, labels, everything=last)
        if last and histograms:
            yield from _histograms(sample, labels)


def _table(sample: LatencySample, labels: Sequence[str], *, everything: bool) -> Iterator[str]:
    """Since the start, the functions that took longest first."""
    called = [(figures, label) for figures, label in zip(sample.latencies, labels, strict=True) if figures.calls]
    called.sort(key=lambda row: (-row[0].self_ns, row[1]))
    titles = ("CALLS", "MIN", "P50", "P90", "P99", "MAX", "TOTAL", "SELF")
    yield f"{titles[0]:>13}" + "".join(f"{title:>9}" for title in titles[1:]) + "  FUNCTION\n"
    for figures, label in called if everything else called[:BUSIEST]:
        yield (
            f"{figures.calls:>13,}" + "".join(f"{cell:>9}" for cell in _cells(figures)) + f"  {label}{_rest(figures)}\n"
        )
    if not everything and len(called) > BUSIEST:
        yield f"{'':>13} … and {len(called) - BUSIEST} more\n"
    if everything and len(called) < len(labels):
        yield f"{'0':>13}{'':>63}  {text.plural(len(labels) - len(called), 'other function')}\n"
    calls = sum(figures.calls for figures in sample.latencies)
    yield f"{calls:>13,}{'':>63}  in {sample.elapsed:.1f} s, lost {sample.lost:,}\n"
    if not everything:
        yield "\n"


def _cells(figures: Latency) -> list[str]:
    if not figures.returns:
        return ["–"] * 7
    middle = histogram.percentiles(figures.buckets, (0.5, 0.9, 0.99), figures.min_ns, figures.max_ns)
    numbers = (figures.min_ns, *middle, figures.max_ns, figures.total_ns, figures.self_ns)
    return list(map(text.duration, numbers))


def _rest(figures: Latency) -> str:
    """What didn't go as calls usually do."""
    said = (
        (figures.in_flight, "in flight"),
        (figures.unmatched, "unmatched"),
        (figures.untimed, "not timed"),
    )
    notes = ", ".join(f"{number:,} {what}" for number, what in said if number)
    return f"  ({notes})" if notes else ""


def _histograms(sample: LatencySample, labels: Sequence[str]) -> Iterator[str]:
    for figures, label in zip(sample.latencies, labels, strict=True):
        bars = histogram.powers(figures.buckets)
        if not bars:
            continue
        most = max(count for _, _, count in bars)
        yield f"\n{label}\n"
        for low, high, count in bars:
            bounds = f"{text.duration(low)} – {text.duration(high)}"
            yield f"{bounds:>19} {count:>13,} {text.bar(count / most, _BAR)}\n"
