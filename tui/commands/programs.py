"""`bpfscope programs`: the BPF programs in the kernel, of whomever: what runs, how often, how long, for whom.

Statistics are on while it measures. Averages say nothing below what an empty run reports, which is said beside them.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from tui import text
from tui.collectors import program_pages, program_words
from tui.collectors.program_samples import CodeLine, ProgramFigures, ProgramPage, ProgramsSample
from tui.collectors.programs import Programs
from tui.commands.numbers import seconds
from tui.commands.running import narrate
from tui.errors import TargetError
from tui.export import program_rows, rows

SECONDS = 1.0
_FILES = 20  # whose functions are named, where they are probed
_NAMES, _PLACES = (24, 40), (34, 48)  # cells at least and at most
_FIRST, _LOOKS = 0.1, 0.5  # seconds until the second reading of what is followed, and between later ones


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `programs`."""
    parser.add_argument(
        "which",
        metavar="PROGRAM",
        nargs="?",
        help="its number, tag, name or pinned path: its instructions, maps, holders and where it is attached; where"
        " several have that name, these are listed",
    )
    parser.add_argument(
        "--machine", action="store_true", help="of one program: also what the kernel compiled it to (as root)"
    )
    parser.add_argument(
        "-d", metavar="S", dest="duration", type=seconds, default=SECONDS, help="measure over S seconds (default 1)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Prints a row per program, those that take most first; or one program's page."""
    if arguments.which is not None:
        found = _followed(arguments.which, arguments.duration)
        if found.gone:
            narrate(f"program {found.programs[0].id} was unloaded meanwhile: this is what it did until then")
        if found.page is not None and len(found.programs) == 1:
            _print_page(found.programs[0], found.page, arguments)
            return 0
        _print_programs(found.programs, as_json=arguments.json)
    else:
        sample = _measured(arguments.duration)
        _print_programs(sample.programs, as_json=arguments.json)
        if not arguments.json:
            narrate(_summary(sample))
    return 0


def _print_programs(programs: Iterable[ProgramFigures], *, as_json: bool) -> None:
    ordered = sorted(programs, key=lambda one: (-(one.cpu_percent or 0.0), one.id))
    if not as_json:
        _print_table(ordered)
        return
    for one in ordered:
        rows.write(program_rows.program(one), sys.stdout)


def _measured(duration: float) -> ProgramsSample:
    with Programs(_FILES) as reader:
        reader.read()
        time.sleep(duration)
        return reader.read()


class _Followed(NamedTuple):
    """What was seen of programs that somebody asks for."""

    programs: list[ProgramFigures]  # with all that they did in the time
    page: ProgramPage | None  # where it was one, and could be read
    gone: bool  # it was one, and was unloaded before the time was up


def _followed(which: str, duration: float) -> _Followed:
    """Looked at more often, so that what is unloaded meanwhile isn't lost. Raises TargetError."""
    seen: dict[int, ProgramFigures] = {}
    page, missing = None, None
    with Programs(_FILES) as reader:
        last = reader.read()
        end = last.time + duration
        wait = _FIRST  # with the second reading names and holders are known
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(wait, left))
            wait = _LOOKS
            sample = reader.read()
            if sample is not last or not seen:
                last = sample
                seen |= {one.id: _added(seen.get(one.id), one) for one in sample.programs}
            found = _matching(seen.values(), which)
            if len(found) != 1:
                page = None
                continue
            if page is None or page.id != found[0].id:
                try:
                    page = program_pages.read(found[0].id)
                except TargetError as error:  # unloaded between being listed and being read
                    missing = error
            if all(one.id != found[0].id for one in sample.programs):
                return _Followed(found, page, gone=True)
    found = _matching(seen.values(), which)
    if not found:
        raise missing or TargetError(
            f"no BPF program has the number, tag, name or pinned path {which}: `programs` lists them all"
        )
    return _Followed(found, page, gone=False)


def _added(before: ProgramFigures | None, now: ProgramFigures) -> ProgramFigures:
    """The later figures of a program, over both periods."""
    if before is None or before.seconds is None:
        return now
    return now._replace(
        seconds=before.seconds + (now.seconds or 0.0),
        period_runs=before.period_runs + now.period_runs,
        period_ns=before.period_ns + now.period_ns,
    )


def _matching(programs: Collection[ProgramFigures], which: str) -> list[ProgramFigures]:
    """Those with that number; else those with that tag, name, name as the kernel cuts it, or path."""
    return [one for one in programs if which == str(one.id)] or [
        one for one in programs if which in (one.tag, one.name, *one.pins) or program_words.is_cut(which, one.name)
    ]


def _summary(sample: ProgramsSample) -> str:
    taken = sample.watching_percent
    parts = [
        text.plural(len(sample.programs), "program"),
        f"{program_words.share(sample.cpu_percent or 0.0)} % of one CPU in all",
        f"{text.rate(sample.per_second or 0.0)} events/s",
        f"{text.size(sample.memory)} with their maps",
        program_words.floor(sample),
        "" if taken is None else f"they take {program_words.share(taken)} % of a CPU",
    ]
    return " · ".join(filter(None, parts))


def _print_table(programs: Sequence[ProgramFigures]) -> None:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    names = [one.name or "(unnamed)" for one in programs]
    places = [_places(one) for one in programs]
    for_name, for_place = _room(names, *_NAMES), _room(places, *_PLACES)
    head = f"{'ID':>7} {'TYPE':<18} {'NAME':<{for_name}} {'EVENTS/S':>9} {'AVG NOW':>8} {'AVG ALL':>8} {'CPU %':>6}"
    print(f"{head} {'MEM':>8}  {'ATTACHED':<{for_place}} HELD BY"[:width])
    for one, name, place in zip(programs, names, places, strict=True):
        line = (
            f"{one.id:>7} {_cut(one.type, 18):<18} {_cut(name, for_name):<{for_name}} {_rate(one):>9}"
            f" {_time(one.period_average):>8} {_time(one.total_average):>8}"
            f" {program_words.share(one.cpu_percent or 0.0):>6} {text.size(one.memory + one.maps_memory):>8}"
            f"  {_cut(place, for_place):<{for_place}} {program_words.held_by(one)}"
        )
        print(line[:width])


def _room(words: Sequence[str], least: int, most: int) -> int:
    """Cells for the longest, within bounds."""
    return max(least, min(most, max(map(len, words), default=0)))


def _places(one: ProgramFigures) -> str:
    said = program_words.places(one.attached)
    return said if len(said) <= _PLACES[1] else program_words.places(one.attached, short=True)


def _rate(one: ProgramFigures) -> str:
    """Where runs aren't counted, and none was, that is said."""
    return "uncounted" if one.uncounted and not one.runs else text.rate(one.per_second or 0.0)


def _time(nanoseconds: float | None) -> str:
    return "" if nanoseconds is None else text.duration(nanoseconds)


def _cut(words: str, width: int) -> str:
    """Both ends of what doesn't fit."""
    behind = (width - 1) // 2
    return words if len(words) <= width else f"{words[: width - 1 - behind]}…{words[-behind:]}"


def _print_page(one: ProgramFigures, page: ProgramPage, arguments: argparse.Namespace) -> None:
    if arguments.json:
        rows.write(program_rows.page(one, page, machine=arguments.machine), sys.stdout)
        return
    for name, value in _described(one):
        print(f"{name:<10} {value}")
    for each in page.maps:
        sizes = f"key {each.key_size} B, value {each.value_size} B, {each.entries:,} at most, {text.size(each.memory)}"
        print(f"{'map':<10} {each.id} {each.type} {each.name}  {sizes}")
    for place in one.attached:
        link = f"link {place.link}" if place.link else ""
        print(f"{'attached':<10} {place.hook} {place.where}  {', '.join(filter(None, (place.detail, link)))}".rstrip())
    print()
    _print_code(page.code)
    if arguments.machine and page.machine:
        print("\nmachine code")
        _print_code(page.machine)
    if page.reason:
        print(page.reason)


def _print_code(code: Sequence[CodeLine]) -> None:
    for line in code:
        print(f"       ; {line.text}  {line.place}".rstrip() if line.source else f"{line.slot:>6} {line.text}")


def _described(one: ProgramFigures) -> list[tuple[str, str]]:
    now = f"{_rate(one)} events/s, {_time(one.period_average) or '–'} each"
    bytes_of = f"{text.size(one.translated)} translated, {text.size(one.jited)} machine code"
    said = [
        ("program", f"{one.id} {one.name or '(unnamed)'}"),
        ("type", one.type),
        ("tag", one.tag),
        ("loaded", f"by {one.user}, {text.clock(one.age)} ago"),
        ("now", f"{now}, {program_words.share(one.cpu_percent or 0.0)} % of one CPU"),
        ("in all", f"{text.plural(one.runs, 'run')}, {_time(one.total_average) or '–'} each, while statistics were on"),
        ("missed", f"{text.plural(one.misses, 'run')}: one ran on that CPU already" if one.misses else ""),
        ("uncounted", program_words.UNCOUNTED.get(one.uncounted, "")),
        ("size", f"{bytes_of}, {text.count(one.verified)} instructions verified"),
        ("held by", program_words.held_by(one)),
        ("pinned", ", ".join(one.pins)),
    ]
    return [(name, value) for name, value in said if value]
