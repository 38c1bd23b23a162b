"""`bpfscope attached`: what BPF is attached where, of whomever.

Programs at interfaces (tcx, clsact, XDP), cgroups, functions, tracepoints, perf events, sockets, routes and maps, and
the classic filters of sockets, as tcpdump has them. Interfaces, sockets and routes are those of this network namespace.
"""

import argparse
import shutil
import sys
from collections.abc import Iterable

from tui.bpf.classic import listing, unpack
from tui.collectors.attachment_samples import AttachmentsSample, Placed
from tui.collectors.attachments import Attachments
from tui.commands.running import narrate
from tui.elf.patterns import compile_pattern, limited
from tui.export import attachment_rows, rows
from tui.text import plural

_SIZES = (("hook", 4, 22), ("where", 5, 60), ("name", 4, 16), ("owner", 5, 24))  # columns, least and most cells
_PATTERN = "a glob in which * and ? are special, or /regex/"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `attached`."""
    parser.add_argument("--hook", metavar="PATTERN", default="*", help=f"only these hooks, as cgroup-*: {_PATTERN}")
    parser.add_argument("--where", metavar="PATTERN", default="*", help="only these places, as eth0 or *:readline*")
    parser.add_argument("--program", metavar="ID", type=int, help="only where this program is attached")
    parser.add_argument(
        "--instructions", action="store_true", help="below each classic filter its instructions, as tcpdump -d has them"
    )


def run(arguments: argparse.Namespace) -> int:
    """Prints a row for each place."""
    sample = Attachments().read()
    found = _chosen(sample, arguments)
    if arguments.json:
        for each in found:
            rows.write(attachment_rows.placed(each), sys.stdout)
    else:
        _print(found, with_instructions=arguments.instructions)
        shown = plural(len(sample.placed), "attachment")
        narrate(shown if len(found) == len(sample.placed) else f"{len(found):,} of {shown}")
    for missing in sample.missing:
        narrate(f"not read: {missing}")
    return 0


def _chosen(sample: AttachmentsSample, arguments: argparse.Namespace) -> list[Placed]:
    hook, where = compile_pattern(arguments.hook), compile_pattern(arguments.where)
    program = arguments.program
    with limited():
        return [
            each for each in sample.placed if hook(each.hook) and where(each.where) and program in (None, each.program)
        ]


def owners(one: Placed) -> str:
    """Who holds it: "tcpdump 811", "bpfscope 4410 and 2 more"; nobody where its place keeps it, or it is pinned."""
    if not one.owners:
        return ""
    first, more = one.owners[0], len(one.owners) - 1
    return f"{first.name} {first.pid}".lstrip() + (f" and {more:,} more" if more else "")


def _print(found: Iterable[Placed], *, with_instructions: bool) -> None:
    cells = [(each.hook, each.where, each.name or _unnamed(each), owners(each)) for each in found]
    sizes = [min(most, max([least, *(len(row[at]) for row in cells)])) for at, (_, least, most) in enumerate(_SIZES)]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    hook, where, name, owner = (title.upper().ljust(size) for (title, *_), size in zip(_SIZES, sizes, strict=True))
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
