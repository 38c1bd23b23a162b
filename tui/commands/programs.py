"""`bpfscope programs`: the BPF programs in the kernel, of whomever: what runs, how often, how long, for whom.

Statistics are on while it measures. Averages say nothing below what an empty run reports, which is said beside them.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Sequence

from tui import text
from tui.collectors import program_pages, program_words
from tui.collectors.program_samples import CodeLine, ProgramFigures, ProgramPage, ProgramsSample
from tui.collectors.programs import Programs
from tui.commands.numbers import seconds
from tui.commands.running import narrate
from tui.errors import TargetError
from tui.export import program_rows, rows

SECONDS = 1.0


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
    sample = _measured(arguments.duration)
    programs = sorted(sample.programs, key=lambda one: (-(one.cpu_percent or 0.0), one.id))
    if arguments.which is not None:
        programs = _matching(programs, arguments.which)
        if len(programs) == 1:
            _print_page(programs[0], program_pages.read(programs[0].id), arguments)
            return 0
    if arguments.json:
        for one in programs:
            rows.write(program_rows.program(one), sys.stdout)
    else:
        _print_table(programs)
        narrate(_summary(sample))
    return 0


def _measured(duration: float) -> ProgramsSample:
    with Programs() as reader:
        reader.read()
        time.sleep(duration)
        return reader.read()


def _matching(programs: Sequence[ProgramFigures], which: str) -> list[ProgramFigures]:
    """Those with that number; else those with that tag, name or path. Raises TargetError."""
    found = [one for one in programs if which == str(one.id)] or [
        one for one in programs if which in (one.tag, one.name, *one.pins)
    ]
    if not found:
        raise TargetError(f"no BPF program has the number, tag, name or pinned path {which}: `programs` lists them all")
    return found


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


_HEAD = f"{'ID':>7} {'TYPE':<18} {'NAME':<24} {'EVENTS/S':>9} {'AVG NOW':>8} {'AVG ALL':>8} {'CPU %':>6} {'MEM':>8}"


def _print_table(programs: Sequence[ProgramFigures]) -> None:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print(f"{_HEAD}  {'ATTACHED':<34} HELD BY"[:width])
    for one in programs:
        line = (
            f"{one.id:>7} {_cut(one.type, 18):<18} {_cut(one.name or '(unnamed)', 24):<24} {_rate(one):>9}"
            f" {_time(one.period_average):>8} {_time(one.total_average):>8}"
            f" {program_words.share(one.cpu_percent or 0.0):>6} {text.size(one.memory + one.maps_memory):>8}"
            f"  {_cut(program_words.places(one.attached), 34):<34} {program_words.held_by(one)}"
        )
        print(line[:width])


def _rate(one: ProgramFigures) -> str:
    """Where runs aren't counted, and none was, that is said."""
    return "uncounted" if one.uncounted and not one.runs else text.rate(one.per_second or 0.0)


def _time(nanoseconds: float | None) -> str:
    return "" if nanoseconds is None else text.duration(nanoseconds)


def _cut(words: str, width: int) -> str:
    return words if len(words) <= width else words[: width - 1] + "…"


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
        ("in all", f"{text.count(one.runs)} runs, {_time(one.total_average) or '–'} each, while statistics were on"),
        ("missed", f"{text.count(one.misses)} runs: one ran on that CPU already" if one.misses else ""),
        ("uncounted", program_words.UNCOUNTED.get(one.uncounted, "")),
        ("size", f"{bytes_of}, {text.count(one.verified)} instructions verified"),
        ("held by", program_words.held_by(one)),
        ("pinned", ", ".join(one.pins)),
    ]
    return [(name, value) for name, value in said if value]
