"""`bpfscope trace TARGET PATTERN…`: each call as it ends: when it began, in which thread, how long it took, with what.

Where it can't be seen when a function returns, calls are printed as they begin, without a duration. A text is read up
to 63 bytes; … says that there was more, or, in long lines on a terminal, that it was cut after 15 letters. ? is what
could not be read; a text of a file (a literal) that the program itself hasn't read yet is "(not in memory)", and
fulfils no --where. Calls wait for being printed in a buffer of 4 MiB; how many found no room there is said at the end.
"""

import argparse
import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final, TextIO

from tui import text
from tui.bpf.events import memory
from tui.collectors import calibration, live, signatures
from tui.collectors import target as targets
from tui.collectors.budget import Guard
from tui.collectors.events import SIZE, EventsProbe
from tui.collectors.samples import Attached, Event, EventsSample
from tui.commands import reading, running, selection
from tui.commands.reading import Words
from tui.elf import languages
from tui.errors import BpfscopeError
from tui.export import chrome, rows
from tui.text import sanitise

Samples = Iterator[tuple[EventsSample, bool]]

_INTERVAL: Final = 0.05  # seconds between looks for events
_ROOM: Final = 45  # cells of a line of 80 for the call itself, on a terminal
_GOROUTINE: Final = 12  # cells of what tells a goroutine from others: its address


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `trace`."""
    selection.add_arguments(parser, "+")
    reading.add_arguments(parser)
    parser.add_argument("--chrome", metavar="FILE", help="write a trace that Perfetto and chrome://tracing load, too")
    running.add_duration(parser)
    running.add_budget(parser)
    running.add_bpftrace(parser)


def run(arguments: argparse.Namespace) -> int:
    """Prints until the time is up, the target ends or somebody stops it; the summary is always printed."""
    wanted = reading.wanted(arguments, results=True)
    target = targets.resolve(arguments.target)
    if arguments.return_probes:
        running.warn_of_return_probes()
    functions = selection.pick_functions(target, arguments.module, arguments.patterns)
    if arguments.bpftrace:
        return running.show_bpftrace("events", target, functions, as_json=arguments.json)
    known = {function: signatures.described(each) for function, each in signatures.read(target, functions).items()}
    if not arguments.json:
        reading.narrate_memory(memory(len(functions), ring=SIZE), wanted, known.values())
    with ExitStack() as stack:
        stop = stack.enter_context(live.stop_signals())
        probe = stack.enter_context(EventsProbe(target, wanted, return_probes=arguments.return_probes))
        trace = None
        if arguments.chrome:
            trace = chrome.Trace(stack.enter_context(_created(arguments.chrome)), time.monotonic_ns())
            stack.callback(trace.finish)
        attached = probe.add(functions, known, arguments.budget)
        stop.arm()
        guard = Guard(probe, target.pid, arguments.budget, probe.held_back)
        samples = live.samples(probe, stop, _INTERVAL, arguments.duration, guard)
        samples = _drained(samples, probe)
        if trace:
            samples = _written(samples, trace)
        calls = _Calls(attached, probe, go=languages.of_file(target.modules[0].file) == "go")
        lines = _json(attached, samples) if arguments.json else _text(attached, samples, calls)
        for some in lines:
            sys.stdout.write(some)
            sys.stdout.flush()
    return 0


def _drained(samples: Samples, probe: EventsProbe) -> Samples:
    """The samples; before the last one nothing is attached any more, and what is in the buffer has been read."""
    for sample, last in samples:
        yield sample, False
        if last:
            probe.stop()
            rest = probe.read()
            while rest.events:
                yield rest._replace(cost=sample.cost), False
                rest = probe.read()
            yield rest._replace(elapsed=sample.elapsed, cost=sample.cost, ended=sample.ended), True


def _created(path: str) -> TextIO:
    if os.path.exists(path) and not os.path.isfile(path):
        raise BpfscopeError(f"cannot write {sanitise(path)}: it is not a regular file; give --chrome another")
    try:
        return open(path, "w", encoding="utf-8")
    except OSError as error:
        raise BpfscopeError(f"cannot write {sanitise(path)}: {error.strerror}; give --chrome another file") from None


def _written(samples: Samples, trace: chrome.Trace) -> Samples:
    """The samples, once their events are in the file."""
    for sample, last in samples:
        trace.write(sample.events)
        yield sample, last


def _json(attached: Attached, samples: Samples) -> Iterator[str]:
    about = running.about(attached)
    yield rows.line({"kind": "attached"} | about)
    for sample, last in samples:
        yield "".join(rows.line({"kind": "event"} | rows.event(event)) for event in sample.events)
        if last:
            yield rows.line({"kind": "summary"} | about | rows.events(sample))


def _text(attached: Attached, samples: Samples, calls: "_Calls") -> Iterator[str]:
    running.narrate_attached("tracing", attached)
    if len(attached.attached) > 1:
        most = text.duration(max(call.cost for call in calibration.costs().calls))
        running.narrate(f"durations have what probes take in them: up to {most} for each traced call within a call")
    suspensions = running.Suspensions()
    yield calls.head
    for sample, last in samples:
        suspensions.narrate(sample.cost)
        yield "".join(map(calls.line, sample.events))
        if last:
            _narrate_end(sample)


def _narrate_end(sample: EventsSample) -> None:
    if sample.ended:
        running.narrate(f"the target {sample.ended}")
    said = (
        (sample.dropped, "dropped: the buffer was full"),
        (sample.unmatched, "unmatched"),
        (sample.lost, "lost"),
    )
    notes = "".join(f", {number:,} {what}" for number, what in said if number)
    running.narrate(f"{sample.seen:,} of {text.plural(sample.calls, 'call')} in {sample.elapsed:.1f} s{notes}")


class _Calls:
    """Writes events as lines: when the call began, by the time of day, the thread, in Go the goroutine, how long it
    took, and the call.
    """

    def __init__(self, attached: Attached, probe: EventsProbe, *, go: bool) -> None:
        self._go = go
        self._labels = dict(zip(attached.attached, running.labels(attached.attached), strict=True))
        self._words = {function: Words((*reads.parameters, *reads.results)) for function, reads in probe.reads.items()}
        self._room = _ROOM - go * (1 + _GOROUTINE) if sys.stdout.isatty() else math.inf
        self._since = time.time_ns() - time.monotonic_ns()  # of the clock on the wall

    @property
    def head(self) -> str:
        """The columns' titles."""
        goroutine = f" {'GOROUTINE':>{_GOROUTINE}}" if self._go else ""
        return f"{'BEGAN':<15} {'THREAD':>7}{goroutine} {'TOOK':>7}  CALL\n"

    def line(self, event: Event) -> str:
        """On a terminal of 80 cells, where long texts can be cut so far."""
        seconds, ns = divmod(event.start_ns + self._since, 1_000_000_000)
        clock = time.strftime("%H:%M:%S", time.localtime(seconds))
        took = "–" if event.duration_ns is None else text.duration(event.duration_ns)
        call = self._call(event, short=False)
        if len(call) > self._room:
            call = self._call(event, short=True)
        goroutine = f" {f'{event.goroutine:x}' if event.goroutine else '–':>{_GOROUTINE}}" if self._go else ""
        return f"{clock}.{ns // 1000:06} {event.tid:>7}{goroutine} {took:>7}  {call}\n"

    def _call(self, event: Event, *, short: bool) -> str:
        words = self._words[event.function]
        given = words.named(event.arguments, short=short)
        results = ", ".join(words.value(name, read, short=short) for name, read in event.results)
        gave = f"({results})" if len(event.results) > 1 else results
        return f"{self._labels[event.function]}({given}){gave and ' = '}{gave}"
