"""`bpfscope latency TARGET PATTERN…`: how long calls take; right under recursion, threads and goroutines.

Percentiles come from a histogram with eight buckets to each power of two: what is printed is at most 1/16 off. Times
are what the clock said between the hits at entry and return, with what the probe itself takes of that: under 1 µs, or
some 10 µs where a function doesn't begin with an instruction that the kernel emulates (it is measured once on each
machine, and said where it matters). SELF is the time that no other timed function took, without what probes took of it.
The own time of a call that never returns (an exception, longjmp, a jump to another function) is in its caller's SELF.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence

from tui import text
from tui.bpf.timing import By, memory
from tui.collectors import histogram, live
from tui.collectors import target as targets
from tui.collectors.budget import Guard
from tui.collectors.latency import LatencyProbe
from tui.collectors.samples import Attached, Latency, LatencySample
from tui.commands import running, selection
from tui.commands.running import BUSIEST
from tui.export import rows

_BAR = 40  # cells of the longest bar
Labelled = tuple[Latency, str]  # a row: figures, and whose they are


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `latency`."""
    running.add_arguments(parser)
    running.add_return_probes(parser)
    parser.add_argument(
        "--by",
        choices=("process", "thread", "comm"),
        help="tell each function's processes, threads or their names apart",
    )
    parser.add_argument(
        "--histogram", action="store_true", help="print each function's histogram, by powers of two, at the end"
    )


def run(arguments: argparse.Namespace) -> int:
    """Times until the time is up, the target ends or somebody stops it; the summary is always printed."""
    target = targets.resolve(arguments.target)
    if arguments.return_probes:
        running.warn_of_return_probes()
    functions = selection.pick_functions(target, arguments.module, arguments.patterns)
    if arguments.bpftrace:
        return running.show_bpftrace("latency", target, functions, as_json=arguments.json)
    by = By[(arguments.by or "function").upper()]
    if not arguments.json:
        running.narrate_memory(memory(len(functions), by))
    with live.stop_signals() as stop, LatencyProbe(target, return_probes=arguments.return_probes, by=by) as probe:
        attached = probe.add(functions, arguments.budget)
        stop.arm()
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
    labels = dict(zip(attached.attached, running.labels(attached.attached), strict=True))
    suspensions = running.Suspensions()
    for sample, last in samples:
        suspensions.narrate(sample.cost)
        if last and sample.ended:
            running.narrate(f"the target {sample.ended}")
        groups = sample.groups or ("",) * len(sample.functions)
        off = {one.function: f"  ({running.stopped(one)})" for one in sample.cost.suspended}
        rows = [
            (figures, f"{labels[function]}  {group}".rstrip() + off.get(function, ""))
            for function, group, figures in zip(sample.functions, groups, sample.latencies, strict=True)
        ]
        yield from _table(sample, rows, everything=last)
        if last and histograms:
            yield from _histograms(rows)


def _table(sample: LatencySample, rows: Sequence[Labelled], *, everything: bool) -> Iterator[str]:
    """Since the start, the functions that took longest first."""
    called = sorted((row for row in rows if row[0].calls), key=lambda row: (-row[0].net_ns, row[1]))
    titles = ("CALLS", "MIN", "P50", "P90", "P99", "MAX", "TOTAL", "SELF")
    yield f"{titles[0]:>13}" + "".join(f"{title:>9}" for title in titles[1:]) + "  FUNCTION\n"
    for figures, label in called if everything else called[:BUSIEST]:
        yield (
            f"{figures.calls:>13,}" + "".join(f"{cell:>9}" for cell in _cells(figures)) + f"  {label}{_rest(figures)}\n"
        )
    if not everything and len(called) > BUSIEST:
        yield f"{'':>13} … and {len(called) - BUSIEST} more\n"
    if everything and len(called) < len(rows):
        never = sum(not one.after for one in sample.cost.suspended)
        off = f", of which the budget kept {never:,} off" if never else ""
        yield f"{'0':>13}{'':>63}  {text.plural(len(rows) - len(called), 'other function')}{off}\n"
    calls = sum(figures.calls for figures, _ in called)
    cost = f", {running.costs(sample.cost)}" if not everything else ""
    yield f"{calls:>13,}{'':>63}  in {sample.elapsed:.1f} s, lost {sample.lost:,}{cost}\n"
    if everything and any((figures.doubtful or figures.swollen) and figures.returns for figures, _ in called):
        yield f"{'~':>13} uncertain: a good part of it was the probes' own time, or time of unmatched calls is in it\n"
    if not everything:
        yield "\n"


def _cells(figures: Latency) -> list[str]:
    if not figures.returns:
        return ["–"] * 7
    middle = histogram.percentiles(figures.buckets, (0.5, 0.9, 0.99), figures.min_ns, figures.max_ns)
    numbers = (figures.min_ns, *middle, figures.max_ns, figures.total_ns)
    times = [("~" if figures.swollen else "") + text.duration(number) for number in numbers]
    return [*times, ("~" if figures.doubtful else "") + text.duration(figures.net_ns)]


def _rest(figures: Latency) -> str:
    """What didn't go as calls usually do."""
    said = (
        (figures.in_flight, "in flight"),
        (figures.unmatched, "unmatched"),
        (figures.untimed, "not timed"),
        (figures.strays if figures.unmatched else 0, "returns without a call: times may be another call's"),
    )
    notes = [f"{number:,} {what}" for number, what in said if number]
    if figures.swollen and figures.children:
        notes.append(f"{text.duration(figures.each_probe_ns)} of each are the probes', those of what it calls")
    elif figures.returns and figures.min_ns < 2 * figures.floor_ns:
        notes.append(f"{text.duration(figures.floor_ns)} of each are the probe's")
    return f"  ({', '.join(notes)})" if notes else ""


def _histograms(rows: Sequence[Labelled]) -> Iterator[str]:
    for figures, label in rows:
        bars = histogram.powers(figures.buckets)
        if not bars:
            continue
        most = max(count for _, _, count in bars)
        yield f"\n{label}\n"
        for low, high, count in bars:
            bounds = f"{text.duration(low)} – {text.duration(high)}"
            own = "  the probe's own" if high <= figures.floor_ns else ""
            yield f"{bounds:>19} {count:>13,} {text.bar(count / most, _BAR)}{own}\n"
