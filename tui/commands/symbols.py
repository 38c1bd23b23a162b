"""`bpfscope symbols TARGET [PATTERN]`: the functions that could be probed."""

import argparse
import sys

from tui.collectors import target as targets
from tui.commands import selection
from tui.export import rows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `symbols`."""
    selection.add_arguments(parser, "*")


def run(arguments: argparse.Namespace) -> int:
    """Prints a row per function, by module and name."""
    target = targets.resolve(arguments.target)
    found = selection.pick_functions(target, arguments.module, arguments.patterns)
    if arguments.json:
        for function in found:
            rows.write(rows.function(function), sys.stdout)
        return 0
    width = max(len(function.module) for function in found)
    lines = [f"{'MODULE':<{width}} {'ADDRESS':>12} {'SIZE':>7} {'ORIGIN':<6} FUNCTION"]
    lines += [
        f"{module:<{width}} {address:>12x} {size or '-':>7} {origin:<6} {name}"
        for module, name, _, address, size, origin, *_ in found
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0
