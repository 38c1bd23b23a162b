"""`bpfscope load FILE.c`: a C program of your own, in bcc's language, compiled, attached, its maps and events live.

Functions called tracepoint__CATEGORY__EVENT (TRACEPOINT_PROBE) or raw_tracepoint__EVENT (RAW_TRACEPOINT_PROBE) run
there; of others --hook says where, or a comment in the source: // hook: perf:page-faults. No kernel headers are needed:
types come from the kernel itself. `load --list` shows what comes ready-made; each is a source to be copied and changed.
"""

import argparse
import sys
from collections.abc import Iterator
from typing import Final

from tui.bpf.loading import formats, places
from tui.bpf.loading.problems import SourceError
from tui.collectors import library, live
from tui.collectors.hints import hints
from tui.collectors.load_request import request
from tui.collectors.loaded import Event, Loaded, LoadedSample
from tui.collectors.loaded_maps import powers
from tui.commands.loaded_text import LoadedText
from tui.commands.running import add_duration, add_interval, narrate
from tui.errors import TargetError, UsageError
from tui.export import loaded_rows, rows
from tui.text import sanitise

_HIDDEN: Final = 8  # bytes of a tracepoint's that programs can't read
_LOOKS: Final = 0.05  # seconds between looks for events


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `load`."""
    parser.add_argument("file", metavar="FILE.c", nargs="?", help="a C file, or a name of --list")
    parser.add_argument(
        "target", metavar="IFACE|CGROUP", nargs="?", default="", help="of hooks that see packets: where"
    )
    parser.add_argument("--list", action="store_true", dest="listing", help="the sources that come with bpfscope")
    parser.add_argument(
        "--tracepoints", metavar="GLOB", nargs="?", const="*", help="list this kernel's, with their arguments: sched:*"
    )
    parser.add_argument("--source", action="store_true", help="print the source instead: something to begin with")
    parser.add_argument(
        "--hook", metavar="[FUNCTION=]HOOK", dest="hooks", action="append", default=[],
        help=f"where the function runs, repeatable. {'; '.join(places.KINDS.values())}",
    )  # fmt: skip
    parser.add_argument("--function", metavar="NAME", default="", help="load this function only")
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument("-F", metavar="HZ", type=int, dest="hertz", help="of perf events: so many times a second")
    rate.add_argument("-c", metavar="N", type=int, dest="period", help="of perf events: at each Nth")
    add_duration(parser)
    add_interval(parser)


def run(arguments: argparse.Namespace) -> int:
    """Prints until the time is up, the place is gone or somebody stops it; the summary is always printed."""
    if arguments.listing:
        return _list(as_json=arguments.json)
    if arguments.tracepoints:
        return _tracepoints(arguments.tracepoints, as_json=arguments.json)
    if not arguments.file:
        raise UsageError("name a C file, or one of `bpfscope load --list`")
    rate = str(arguments.period) if arguments.period else f"{arguments.hertz}hz" if arguments.hertz else ""
    wanted = request(arguments.file, arguments.target, arguments.hooks, arguments.function, rate)
    source = wanted.source
    if arguments.source:
        sys.stdout.write(source)
        return 0
    with live.stop_signals() as stop:
        try:
            loaded = Loaded(wanted)
        except SourceError as error:
            if error.said and not arguments.json:
                narrate(sanitise_lines(error.said))
            raise
        with loaded:
            stop.arm()
            shown = _Json(loaded, source) if arguments.json else LoadedText(loaded, source)
            for line in _lines(loaded, shown, stop, arguments):
                sys.stdout.write(line)
                sys.stdout.flush()
    return 0


def sanitise_lines(said: str, most: int = 200) -> str:
    """What a compiler or a verifier says, its last lines, without anything that acts on a terminal."""
    return "\n".join(sanitise(line.expandtabs()) for line in said.rstrip().splitlines()[-most:])


def _list(*, as_json: bool) -> int:
    for one in library.ready():
        if as_json:
            row = {
                "name": one.name,
                "about": one.about,
                "path": one.path,
                "hooks": one.hooks,
                "needs": one.needs or None,
            }
            sys.stdout.write(rows.line(row))
        else:
            named = f"{one.name} {one.needs}".rstrip()
            print(f"{named:<18} {one.about}")
    return 0


def _tracepoints(pattern: str, *, as_json: bool) -> int:
    """Each with what TRACEPOINT_PROBE finds behind `args->`; the first 8 bytes can't be read."""
    found = formats.names(pattern)
    for category, event in found:
        fields = [each for each in formats.read(category, event).fields if each.offset >= _HIDDEN]
        said = [formats.declared(each) for each in fields]
        if as_json:
            sys.stdout.write(rows.line({"category": category, "event": event, "arguments": said}))
        else:
            print(f"{category}:{event}  {', '.join(said)}".rstrip())
    if not found:
        raise TargetError(f"no tracepoint matches {sanitise(pattern)}: sched:*, or a part of a name")
    return 0


def _lines(
    loaded: Loaded, shown: "LoadedText | _Json", stop: live.Stop, arguments: argparse.Namespace
) -> Iterator[str]:
    """Events as they come, maps at each interval; the last look is after the programs have been taken off."""
    yield from shown.begin()
    sample = loaded.read()
    yield from shown.events(sample.events)
    due = arguments.interval
    for events, last in live.ticks(lambda: _Look(loaded), stop, min(_LOOKS, arguments.interval), arguments.duration):
        yield from shown.events(events.events)
        if not last and loaded.elapsed < due:
            continue
        if last:
            loaded.detach()
            for rest in loaded.rest():
                yield from shown.events(rest)
        sample = loaded.read()
        yield from shown.events(sample.events)
        if sample.ended and not last:
            for rest in loaded.rest():
                yield from shown.events(rest)
            sample = loaded.read()
            yield from shown.events(sample.events)
        yield from shown.end(sample) if last or sample.ended else shown.interval(sample)
        if sample.ended:
            return
        due = max(due + arguments.interval, loaded.elapsed)


class _Look:
    """Events since the last look; whether more will come is told by the sample of the next interval."""

    ended = ""

    def __init__(self, loaded: Loaded) -> None:
        self.events = loaded.events()


class _Json:
    def __init__(self, loaded: Loaded, source: str) -> None:
        self._loaded, self._hints = loaded, hints(source)
        self._powers = powers(source)

    def begin(self) -> Iterator[str]:
        sample = self._loaded.read()
        programs = [loaded_rows.program(each) for each in sample.programs]
        warnings = [{"line": each.line, "column": each.column, "text": each.text} for each in self._loaded.warnings]
        row = {"kind": "attached", "attached": len(programs), "skipped": [], "programs": programs}
        yield rows.line(row | {"notes": self._loaded.notes, "warnings": warnings})
        yield from self.events(sample.events)

    def events(self, events: tuple[Event, ...] | list[Event]) -> Iterator[str]:
        for event in events:
            yield rows.line({"kind": "event"} | loaded_rows.event(event, self._hints))

    def interval(self, sample: LoadedSample) -> Iterator[str]:
        yield rows.line({"kind": "interval"} | self._row(sample))

    def end(self, sample: LoadedSample) -> Iterator[str]:
        yield rows.line({"kind": "summary"} | self._row(sample))

    def _row(self, sample: LoadedSample) -> rows.Row:
        return loaded_rows.sample(sample, self._hints, self._powers)
