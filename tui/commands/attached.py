"""`bpfscope attached`: what BPF is attached where, of whomever.

Programs at interfaces (tcx, clsact, XDP), cgroups, functions, tracepoints, perf events, sockets, routes and maps, and
the classic filters of sockets, as tcpdump has them. Interfaces, sockets and routes are those of this network namespace.
With -i or -d it goes on: what is attached (+) and detached (-) is printed as it is seen.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator

from tui.bpf.classic import listing, unpack
from tui.collectors import live
from tui.collectors.attachment_samples import AttachmentsSample, Placed
from tui.collectors.attachments import Attachments
from tui.commands.numbers import seconds
from tui.commands.running import narrate
from tui.elf.patterns import compile_pattern, limited
from tui.export import attachment_rows, rows
from tui.text import plural

_SIZES = (("HOOK", 4, 22), ("WHERE", 5, 60), ("NAME", 4, 16), ("HELD BY", 7, 24))  # columns, least and most cells
_PATTERN = "a glob in which * and ? are special, or /regex/"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `attached`."""
    parser.add_argument("--hook", metavar="PATTERN", default="*", help=f"only these hooks, as cgroup-*: {_PATTERN}")
    parser.add_argument("--where", metavar="PATTERN", default="*", help="only these places, as eth0 or *:readline*")
    parser.add_argument("--program", metavar="ID", type=int, help="only where this program is attached")
    parser.add_argument(
        "--instructions", action="store_true", help="below each classic filter its instructions, as tcpdump -d has them"
    )

    parser.add_argument("-i", metavar="S", dest="interval", type=seconds, help="print what changed every S seconds")
    parser.add_argument("-d", metavar="S", dest="duration", type=seconds, help="print what changes within S seconds")


def run(arguments: argparse.Namespace) -> int:
    """Prints a row for each place; then what comes and what goes, where that is asked for."""
    chosen = _chooser(arguments)
    reader = Attachments()
    if arguments.interval is None and arguments.duration is None:
        _list(reader.read(), chosen, arguments)
        return 0
    with live.stop_signals() as stop:
        sample = reader.read()
        _list(sample, chosen, arguments, change="present")
        narrate("what comes (+) and goes (-); Ctrl-C ends it")
        stop.arm()
        for following, _ in live.ticks(reader.read, stop, arguments.interval or 1.0, arguments.duration):
            for change, each in _changes(sample.placed, following.placed):
                if chosen(each):
                    _print_change(change, each, following.uptime, as_json=arguments.json)
            sample = following
    return 0


def _list(
    sample: AttachmentsSample, chosen: Callable[[Placed], bool], arguments: argparse.Namespace, change: str = ""
) -> None:
    with limited():
        found = list(filter(chosen, sample.placed))
    if arguments.json:
        for each in found:
            rows.write((_head(change) if change else {}) | attachment_rows.placed(each, sample.uptime), sys.stdout)
    else:
        _print(found, with_instructions=arguments.instructions)
        shown = plural(len(sample.placed), "attachment")
        narrate(shown if len(found) == len(sample.placed) else f"{len(found):,} of {shown}")
    for missing in sample.missing:
        narrate(f"not read: {missing}")


def _chooser(arguments: argparse.Namespace) -> Callable[[Placed], bool]:
    """Whether a row is asked for. Raises UsageError."""
    hook, where, program = compile_pattern(arguments.hook), compile_pattern(arguments.where), arguments.program
    return lambda each: hook(each.hook) and where(each.where) and program in {None, each.program}


def _changes(before: Iterable[Placed], after: Iterable[Placed]) -> Iterator[tuple[str, Placed]]:
    """What went, then what came."""
    was, now = {each.key: each for each in before}, {each.key: each for each in after}
    yield from (("detached", each) for key, each in was.items() if key not in now)
    yield from (("attached", each) for key, each in now.items() if key not in was)


def _print_change(change: str, one: Placed, uptime: int, *, as_json: bool) -> None:
    if as_json:
        rows.write(_head(change) | attachment_rows.placed(one, uptime), sys.stdout)
        return
    program = f"program {one.program}" if one.program else ""
    words = (one.hook, one.where, program, one.name or _unnamed(one), owners(one), one.detail)
    sign = "+" if change == "attached" else "-"
    print(f"{sign} {time.strftime('%H:%M:%S')}  {'  '.join(filter(None, words))}", flush=True)


def _head(change: str) -> rows.Row:
    return {"change": change, "time_ns": time.time_ns()}


def owners(one: Placed) -> str:
    """Who holds it: "tcpdump 811", "bpfscope 4410 and 2 more", or where it is pinned; "" where its place keeps it."""
    if not one.owners:
        return f"pinned {one.pins[0]}" if one.pins else ""
    first, more = one.owners[0], len(one.owners) - 1
    return f"{first.name} {first.pid}".lstrip() + (f" and {more:,} more" if more else "")


def _print(found: Iterable[Placed], *, with_instructions: bool) -> None:
    cells = [(each.hook, each.where, each.name or _unnamed(each), owners(each)) for each in found]
    sizes = [min(most, max([least, *(len(row[at]) for row in cells)])) for at, (_, least, most) in enumerate(_SIZES)]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    hook, where, name, owner = (title.ljust(size) for (title, *_), size in zip(_SIZES, sizes, strict=True))
    print(f"{hook}  {where}  {'PROGRAM':>7}  {name}  {owner}  DETAIL"[:width].rstrip())
    for each, row in zip(found, cells, strict=True):
        hook, where, name, owner = (_cut(text, size).ljust(size) for text, size in zip(row, sizes, strict=True))
        print(f"{hook}  {where}  {each.program or '':>7}  {name}  {owner}  {each.detail}"[:width].rstrip())
        if with_instructions and each.instructions:
            print("\n".join(f"    {line}" for line in listing(unpack(each.instructions))))


def _unnamed(one: Placed) -> str:
    return "(classic)" if one.instructions else ""


def _cut(text: str, size: int) -> str:
    """What doesn't fit goes from the middle: both ends of a place tell."""
    return text if len(text) <= size else f"{text[: (size - 1) // 2]}…{text[len(text) - size // 2 :]}"
