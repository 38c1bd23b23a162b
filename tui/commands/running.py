"""What the commands that run for a while share: their options, their labels, and what they say beside the data."""

import argparse
import contextlib
import sys
from collections import Counter
from collections.abc import Sequence

from tui import text
from tui.collectors import budget
from tui.collectors.samples import LEFT_ALONE, Attached, Cost, Suspended
from tui.collectors.target import Target
from tui.commands import notes, selection
from tui.commands.numbers import percent, seconds
from tui.elf.names import Function, Skipped
from tui.export import rows

BUSIEST = 20  # functions that an interval prints


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """TARGET PATTERN… --module, -d and -i."""
    selection.add_arguments(parser, "+")
    add_duration(parser)
    add_interval(parser)
    add_budget(parser)
    add_bpftrace(parser)


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


def add_bpftrace(parser: argparse.ArgumentParser) -> None:
    """--bpftrace: what `show_bpftrace` does."""
    parser.add_argument(
        "--bpftrace",
        action="store_true",
        help="attach nothing: print the nearest bpftrace program, and what is wrong in it",
    )


def show_bpftrace(view: str, target: Target, functions: Sequence[Function], *, as_json: bool) -> int:
    """What --bpftrace asks for, of a view as `export.bpftrace` knows them."""
    from tui.elf import languages
    from tui.export.bpftrace import program

    paths = {module.name: module.path for module in target.modules}
    go = languages.of_file(target.modules[0].file) == "go"
    found = program(view, target.pid, [(function, paths[function.module]) for function in functions], go=go)
    if as_json:
        sys.stdout.write(rows.line({"kind": "bpftrace", "program": found.text, "wrong": found.wrong}))
    else:
        sys.stdout.write(found.text + "\n")
        for sentence in found.wrong:
            narrate(f"wrong in it: {sentence}")
    return 0


def add_budget(parser: argparse.ArgumentParser) -> None:
    """--budget: also the console has it."""
    parser.add_argument(
        "--budget",
        metavar="PERCENT",
        type=percent,
        default=budget.DEFAULT,
        help="of the target's CPU time that probes may take: beyond, the dearest are taken off; or 'off'"
        f" (default {budget.DEFAULT:g})",
    )


class Suspensions:
    """Says, once, of each function that it was taken off; and once that the budget is exceeded."""

    def __init__(self) -> None:
        self._said = 0
        self._warned = False

    def narrate(self, cost: Cost) -> None:
        """What is new."""
        fresh = cost.suspended[self._said :]
        self._said = len(cost.suspended)
        for what, some in (
            ("not put on:", [one for one in fresh if not one.after]),
            ("taken off, its numbers stop here:", [one for one in fresh if one.after]),
        ):
            for line in notes.grouped(what, (Skipped(one.function, one.reason) for one in some)):
                narrate(f"{line}; --budget off leaves them on")
        if cost.acts_in is not None and not cost.tolerated and not self._warned:
            self._warned = True
            takes = f"the probes take {cost.percent:.0f} % of the target's time"
            narrate(f"{takes}: beyond the budget of {cost.limit:g} %, which acts in {cost.acts_in:.0f} s")


def costs(cost: Cost) -> str:
    """What the probes cost, in an interval."""
    said = f"costs {cost.cpu_percent:.1f} % of a CPU, {cost.percent:.1f} % of the target's time"
    if cost.tolerated:
        said += f" (left alone: under {LEFT_ALONE:g} % of a CPU)"
    elif cost.acts_in is not None:
        said += f" (budget {cost.limit:g} %: acts in {cost.acts_in:.0f} s)"
    return said + (f", {len(cost.suspended):,} taken off" if cost.suspended else "")


def stopped(one: Suspended | None) -> str:
    """What is to be said beside the numbers of a function that the budget took off; of others nothing."""
    if one is None:
        return ""
    return f"taken off after {one.after:.1f} s" if one.after else "never put on: the budget"


def add_return_probes(parser: argparse.ArgumentParser) -> None:
    """--return-probes: how returns are seen."""
    parser.add_argument(
        "--return-probes",
        action="store_true",
        help="see returns by return probes: a tenth of the cost, but they end programs whose stacks are changed under"
        " them, by exceptions, coroutines, signal stacks or seccomp filters; never in Go",
    )


def warn_of_return_probes() -> None:
    """Once, where they are asked for."""
    narrate("--return-probes: the target ends or goes astray where it throws, switches stacks or filters system calls")


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


def narrate_memory(size: int) -> None:
    """Say what the kernel will keep, before it does."""
    narrate(f"takes {text.size(size)} in the kernel")


def narrate_attached(doing: str, attached: Attached) -> None:
    """Say what is on, and what isn't."""
    number = len(attached.attached)
    narrate(f"{doing} {number:,} function{'' if number == 1 else 's'}; Ctrl-C ends it")
    for line in (*notes.grouped("skipped", attached.skipped), *notes.grouped("inexact:", attached.inexact)):
        narrate(line)


def narrate(line: str) -> None:
    """Say something on standard error."""
    with contextlib.suppress(OSError):  # who can't be told still gets the numbers
        print(text.sanitise_lines(line), file=sys.stderr, flush=True)
