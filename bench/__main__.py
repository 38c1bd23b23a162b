"""Measures, and prints the table.

usage: python -m bench [--quick] [--busy] [NAME…]
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench import (
    against,
    attaching,
    cgroups,
    console,
    filtering,
    flood,
    hits,
    inventory,
    launch,
    machine,
    map_reading,
    packets,
    peers,
    processes,
    programs,
    sampling,
    symbols,
    table,
    typing,
)
from bench.measure import Bench, say
from bench.table import Row
from tui.errors import BpfscopeError

PARTS: dict[str, Callable[[Bench], list[Row]]] = {
    "launch": launch.first_counts,
    "exit": launch.exits,
    "attach": attaching.rows,
    "hit": hits.rows,
    "call": against.rows,
    "console": console.rows,
    "timing": console.timing_rows,
    "processes": processes.rows,
    "symbols": symbols.rows,
    "sampling": sampling.rows,
    "typing": typing.rows,
    "packets": packets.rows,
    "flood": flood.rows,
    "filtering": filtering.rows,
    "inventory": lambda bench: list(inventory.rows(bench)),
    "maps": map_reading.rows,
    "cgroups": cgroups.rows,
}


def main() -> int:
    """Exit status 1 where a limit was missed."""
    parser = argparse.ArgumentParser(
        "scripts/bench",
        description="Measures bpfscope beside bpftrace and funccount (bcc), those of them that are installed.",
        epilog="Exit status 1: a limit was missed. Wants root, and a machine with nothing else to do.",
    )
    parser.add_argument("--quick", action="store_true", help="fewer runs: a minute and a half instead of six")
    parser.add_argument(
        "--busy", action="store_true", help="other things run here: measure ahead of them, with real-time priority"
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"only these: {', '.join(PARTS)} (default: all)")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(PARTS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if os.geteuid():
        print("scripts/bench: probing other processes needs root", file=sys.stderr)
        return 3
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))  # what was started is ended, as on Ctrl-C
    about = machine.describe()
    if arguments.busy:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
        about += " Run ahead of other work, with real-time priority (--busy)."
    rows = _measured(arguments.names or list(PARTS), quick=arguments.quick)
    print(table.markdown(rows))
    print(f"\n{about} Medians; ratios are to bpftrace where the limit says nothing else.")
    return int(any(row.kept is False for row in rows))


def _measured(names: list[str], *, quick: bool) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="bpfscope-bench-") as name:
        folder = Path(name)
        environment = peers.environment(folder)
        os.environ["XDG_CACHE_HOME"] = environment["XDG_CACHE_HOME"]
        bench = Bench(folder, environment, programs.stopwatch(folder), quick, peers.ABSENT)
        bench = bench._replace(absent=peers.ABSENT | launch.failing(bench))
        return [row for part in names for row in _part(bench, part)]


def _part(bench: Bench, name: str) -> list[Row]:
    """A part's rows; one that says so where it fails, so that the others aren't lost."""
    try:
        return PARTS[name](bench)
    except (BpfscopeError, OSError, RuntimeError, subprocess.SubprocessError) as error:
        say(f"{name}: {error}")
        return [Row(name, "failed", kept=False)]


if __name__ == "__main__":
    sys.exit(main())
