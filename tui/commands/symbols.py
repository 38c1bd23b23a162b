"""`bpfscope symbols TARGET [PATTERN]`: the functions that could be probed."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from itertools import chain, groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from tui import text
from tui.collectors import target as targets
from tui.commands import selection
from tui.commands.numbers import seconds
from tui.errors import BpfscopeError, UsageError

if TYPE_CHECKING:
    from tui.collectors.calibration import Costs
    from tui.collectors.target import Target
    from tui.elf.lines import Line
    from tui.elf.names import Function
    from tui.elf.sites import Site
    from tui.export import rows

_AT_ONCE = 4096  # rows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `symbols`."""
    selection.add_arguments(parser, "*")
    parser.add_argument(
        "-d",
        metavar="S",
        dest="duration",
        type=seconds,
        help="sample the target's CPU time for S seconds first, without a probe, and sort by it",
    )
    parser.add_argument(
        "--sites", action="store_true", help="where each one's probe would go, on what instruction, at what cost"
    )
    parser.add_argument(
        "--raw",
        action="store_true",
        help="by address, names as the file has them: mangled, as other tools want them, and at once",
    )
    parser.add_argument("--lines", action="store_true", help="the file and line of the sources where each one begins")


def run(arguments: argparse.Namespace) -> int:
    """Prints a row per function, module by module."""
    if arguments.duration and arguments.sites:
        raise UsageError("-d and --sites don't go together: sample first, and ask for the sites of what is hot")
    if arguments.raw and (arguments.duration or arguments.sites or arguments.json):
        raise UsageError("--raw is for the plain list; --json always has raw_name, too")
    target = targets.resolve(arguments.target)
    if arguments.duration:
        from tui.commands import hot

        return hot.run(target, arguments)
    if arguments.sites:
        return _sites(target, arguments)
    if not arguments.json and not arguments.patterns and not arguments.lines:
        for module, table in selection.whole_modules(target, arguments.module, raw=arguments.raw):
            _print_table(module, table)
        return 0
    found = selection.pick_functions(target, arguments.module, arguments.patterns)
    located = _lines(target, found) if arguments.lines else None
    if arguments.json:
        from tui.export import rows

        for function in found:
            sys.stdout.write(rows.line(rows.function(function) | _located(located, function)))
    else:
        for module, group in groupby(found, attrgetter("module")):
            there = list(group)
            if arguments.raw:
                there = sorted((each._replace(name=each.raw_name) for each in there), key=attrgetter("address"))
            table = list(map(attrgetter("address", "size", "origin", "name"), there))
            if located is not None:
                sources = (_source(located, function) for function in there)
                table = [(*row[:3], row[3] + source) for row, source in zip(table, sources, strict=True)]
            _print_table(module, table)
    return 0


def _sites(target: "Target", arguments: argparse.Namespace) -> int:
    """A row per function: its site's distance from the first byte, the instruction there, the cost, or why none."""
    from tui.collectors.files import Files
    from tui.export import rows

    functions = selection.pick_functions(target, arguments.module, arguments.patterns)
    located = _lines(target, functions) if arguments.lines else None
    costs = _costs()
    if not arguments.json:
        print(f"{'ADDRESS':>12} {'SITE':>5} {'COST':>8} {'INSTRUCTION':<32} FUNCTION")
    with Files(target) as files:
        for function, site, instruction in files.sites(functions):
            cost = None if site.refused or not costs else costs.emulated if site.emulated else costs.stepped
            if arguments.json:
                row = rows.function(function) | {
                    "site": function.address + site.offset - function.offset,
                    "instruction": instruction,
                    "emulated": site.emulated,
                    "cost_ns": cost,
                    "refused": site.refused or None,
                    "inexact": site.note or None,
                }
                sys.stdout.write(rows.line(row | _located(located, function)))
            else:
                _print_site(function, site, instruction, cost, _source(located, function))
    return 0


def _lines(target: "Target", functions: Sequence["Function"]) -> "dict[Function, Line]":
    """Where each function begins in the sources, of those that are known."""
    from tui.elf import lines

    modules = {module.name: module for module in target.modules}
    found: dict[Function, Line] = {}
    for name, group in groupby(functions, attrgetter("module")):
        found |= lines.of_functions(modules[name], group)
    return found


def _located(located: "Mapping[Function, Line] | None", function: "Function") -> "rows.Row":
    """The fields `file` and `line`, if they were asked for."""
    if located is None:
        return {}
    line = located.get(function)
    return {"file": line and line.file, "line": line and line.line}


def _source(located: "Mapping[Function, Line] | None", function: "Function") -> str:
    line = located.get(function) if located else None
    return f"  {line.file}:{line.line}" if line else ""


def _print_site(function: "Function", site: "Site", instruction: str, cost: int | None, source: str) -> None:
    where = f"+{site.offset - function.offset}"
    price = text.duration(cost) if cost is not None else "–"
    said = f"  ({site.refused or site.note})" if site.refused or site.note else ""
    print(f"{function.address:>12x} {where:>5} {price:>8} {instruction:<32} {function.name}{source}{said}")


def _costs() -> "Costs | None":
    """What a hit costs here; None where that can't be measured."""
    from tui.collectors import calibration
    from tui.commands import running

    try:
        return calibration.measure()
    except BpfscopeError as error:
        running.narrate(f"without costs: {error}")
        return None


def _print_table(module: str, table: Sequence[tuple[int, int, str, str]]) -> None:
    """The module, and a line per function; many are formatted at once, which takes half as long as line by line."""
    width = max(len("ORIGIN"), *(len(origin) for origin in {row[2] for row in table}))
    sys.stdout.write(f"{module}\n{'ADDRESS':>12} {'SIZE':>7} {'ORIGIN':<{width}} FUNCTION\n")
    for start in range(0, len(table), _AT_ONCE):
        some = table[start : start + _AT_ONCE]
        sys.stdout.write(f"%12x %7d %-{width}s %s\n" * len(some) % tuple(chain.from_iterable(some)))
