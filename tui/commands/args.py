"""`bpfscope args TARGET FUNCTION`: what a function is called with and what it gives, counted by values.

Types and names come from debug information. A text is read up to 63 bytes; … says that there was more. ? is what could
not be read: a pointer that leads nowhere, or to memory that isn't there at the moment. A text of a file (a literal)
gets into memory when the program itself reads it first; until then it is "(not in memory)", and fulfils no --where.
Values are told apart until 10,240 different ones have been seen; calls with others count as lost.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence

from tui import text
from tui.bpf.events import memory
from tui.collectors import histogram, live, returns, signatures
from tui.collectors import target as targets
from tui.collectors.budget import Guard
from tui.collectors.decoding import by_frequency
from tui.collectors.samples import Address, Attached, ValuesRow, ValuesSample
from tui.collectors.values import ROWS, ValuesProbe
from tui.commands import reading, running, selection
from tui.commands.reading import Words
from tui.commands.running import BUSIEST
from tui.elf.names import Function
from tui.errors import UsageError
from tui.export import rows

_BAR, _HISTOGRAM_BAR = 16, 36  # cells of the longest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `args`."""
    selection.add_target(parser)
    parser.add_argument("function", metavar="FUNCTION", help="one function, as `count` names it")
    reading.add_arguments(parser)
    parser.add_argument("--ret", action="store_true", help="read what it returns as well")
    running.add_duration(parser)
    running.add_interval(parser)
    running.add_budget(parser)
    running.add_bpftrace(parser)


def run(arguments: argparse.Namespace) -> int:
    """Counts until the time is up, the target ends or somebody stops it; the summary is always printed."""
    wanted = reading.wanted(arguments, results=arguments.ret)
    target = targets.resolve(arguments.target)
    if arguments.return_probes:
        running.warn_of_return_probes()
    function = _one(selection.pick_functions(target, arguments.module, [arguments.function]))
    if arguments.bpftrace:
        return running.show_bpftrace("arguments", target, [function], as_json=arguments.json)
    signature = signatures.read(target, [function])[function]
    if not arguments.json:
        reading.narrate_memory(memory(1, rows=ROWS), wanted, [signature])
    with (
        live.stop_signals() as stop,
        ValuesProbe(target, function, signature, wanted, return_probes=arguments.return_probes) as probe,
    ):
        attached = probe.add()
        stop.arm()
        guard = Guard(probe, target.pid, arguments.budget)
        samples = live.samples(probe, stop, arguments.interval, arguments.duration, guard)
        reads = probe.reads[function]
        words = Words((*reads.parameters, *reads.results))
        for line in _json(attached, samples) if arguments.json else _text(attached, samples, words):
            sys.stdout.write(line)
            sys.stdout.flush()
    return 0


def _one(functions: Sequence[Function]) -> Function:
    functions = [one for one in functions if not returns.part_of_another(one)] or functions
    if len(functions) > 1:
        some = ", ".join(function.name for function in functions[:5]) + (", …" if len(functions) > 5 else "")
        raise UsageError(f"FUNCTION must name one function, not {len(functions):,} ({some}); `trace` takes several")
    return functions[0]


def _json(attached: Attached, samples: Iterator[tuple[ValuesSample, bool]]) -> Iterator[str]:
    about = running.about(attached)
    yield rows.line({"kind": "attached"} | about)
    for sample, last in samples:
        kind: rows.Row = {"kind": "summary"} | about if last else {"kind": "interval"}
        yield rows.line(kind | rows.values(sample))


def _text(attached: Attached, samples: Iterator[tuple[ValuesSample, bool]], words: Words) -> Iterator[str]:
    running.narrate_attached("reading", attached)
    suspensions = running.Suspensions()
    for sample, last in samples:
        suspensions.narrate(sample.cost)
        if last and sample.ended:
            running.narrate(f"the target {sample.ended}")
        yield from _table(sample, words, everything=last)
        if last:
            yield from _histogram(sample)


def _table(sample: ValuesSample, words: Words, *, everything: bool) -> Iterator[str]:
    """Since the start, what was most frequent first."""
    ordered = by_frequency(sample.rows)
    shown = ordered[:BUSIEST]
    counted = sum(row.calls for row in ordered)
    yield f"{'CALLS':>13} {'SHARE':>7}  {'':<{_BAR}}  {sample.names[0] if len(sample.names) == 1 else 'VALUES'}\n"
    for row in shown:
        share, bar = 100 * row.calls / counted, text.bar(row.calls / counted, _BAR)
        yield f"{row.calls:>13,} {share:>6.1f}%  {bar:<{_BAR}}  {_label(sample.names, row, words)}\n"
    every = " (--json has them all)" if everything else ""
    if len(ordered) > len(shown):
        yield f"{'':>13} {'':>7}  {'':<{_BAR}}  … and {len(ordered) - len(shown):,} more{every}\n"
    of = f"of {text.plural(sample.calls, 'call')} " if counted < sample.calls else ""
    notes = f"{of}in {sample.elapsed:.1f} s, unmatched {sample.unmatched:,}, lost {sample.lost:,}"
    yield f"{counted:>13,} {'':>7}  {'':<{_BAR}}  {notes}\n"
    if not everything:
        yield "\n"


def _label(names: Sequence[str], row: ValuesRow, words: Words) -> str:
    if len(names) == 1:
        return words.value(names[0], row.values[0])
    return words.named(zip(names, row.values, strict=True))


def _histogram(sample: ValuesSample) -> Iterator[str]:
    """Of a single whole number, by powers of two; pointers have none."""
    counts = {row.values[0]: row.calls for row in sample.rows if len(row.values) == 1}
    numbers = {n: calls for n, calls in counts.items() if isinstance(n, int) and not isinstance(n, bool | Address)}
    bars = histogram.values_by_power(numbers)
    if len(counts) - len(numbers) > (None in counts) or len(bars) < 2:
        return
    most = max(count for _, _, count in bars)
    yield "\n"
    for low, high, count in bars:
        bounds = f"{low:,} – {high:,}" if low != high else f"{low:,}"
        yield f"{bounds:>27} {count:>13,} {text.bar(count / most, _HISTOGRAM_BAR)}\n"
