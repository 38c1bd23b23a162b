"""What the commands that run for a while share: their options, their labels, and what they say beside the data."""

import argparse
import contextlib
import sys
from collections import Counter
from collections.abc import Sequence

from tui.collectors.samples import Attached
from tui.commands import selection
from tui.commands.numbers import seconds
from tui.elf.names import Function, Skipped
from tui.export import rows

BUSIEST = 20  # functions that an interval prints


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """TARGET PATTERN… --module, -d and -i."""
    selection.add_arguments(parser, "+")
    add_duration(parser)
    add_interval(parser)


def add_duration(parser: argparse.ArgumentParser) -> None:
    """-d: when to end."""
    parser.add_argument(
        "-d", metavar="S", dest="duration", type=seconds, help="end after S seconds (default: on Ctrl-C)"
    )


def add_interval(parser: argparse.ArgumentParser) -> None:
    """-i: how often to print."""
    parser.add_argument(
        "-i", metavar="S", dest="interval", type=seconds, default=1.0, help="print every S seconds (default 1)"
    )


def add_return_probes(parser: argparse.ArgumentParser) -> None:
    """--return-probes: how returns are seen."""
    parser.add_argument(
        "--return-probes",
        action="store_true",
        help="see returns by return probes: a tenth of the cost, but they end programs whose stacks are changed under"
        " them, by exceptions, coroutines, signal stacks or seccomp filters; never in Go",
    )


def about(attached: Attached) -> rows.Row:
    """What every object about a probe has."""
    row: rows.Row = {"attached": len(attached.attached), "skipped": rows.skipped(attached.skipped)}
    if attached.inexact:
        row["inexact"] = rows.skipped(attached.inexact)
    return row


def labels(functions: Sequence[Function]) -> list[str]:
    """The functions' names, with their modules where there are several, with addresses where names are not enough."""
    several = len({function.module for function in functions}) > 1
    times = Counter((function.module, function.name) for function in functions)
    return [
        (f"{function.module}:" if several else "")
        + function.name
        + (f" @{function.address:x}" if times[function.module, function.name] > 1 else "")
        for function in functions
    ]


def narrate_attached(doing: str, attached: Attached) -> None:
    """Say what is on, and what isn't."""
    number = len(attached.attached)
    narrate(f"{doing} {number:,} function{'' if number == 1 else 's'}; Ctrl-C ends it")
    _narrate_each("skipped", attached.skipped)
    _narrate_each("inexact:", attached.inexact)


def _narrate_each(what: str, some: tuple[Skipped, ...]) -> None:
    for function, reason in some[:BUSIEST]:
        narrate(f"{what} {function.name}: {reason}")
    if len(some) > BUSIEST:
        narrate(f"{what} {len(some) - BUSIEST} more (--json names them all)")


def narrate(line: str) -> None:
    """Say something on standard error."""
    with contextlib.suppress(OSError):  # who can't be told still gets the numbers
        print(line, file=sys.stderr, flush=True)
