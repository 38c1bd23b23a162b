"""`bpfscope ps`: what runs here, busiest first.

CPU % is of one CPU, since the process started; with -d, over that time.
"""

import argparse
import os
import shutil
import sys
import time

from tui import text
from tui.collectors.processes import Processes
from tui.commands.numbers import seconds
from tui.export import rows

DELETED = "  (its file was deleted or replaced)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `ps`."""
    parser.add_argument("-d", metavar="S", dest="duration", type=seconds, help="measure the CPU share over S seconds")


def run(arguments: argparse.Namespace) -> int:
    """Prints a row per process, busiest first."""
    reader = Processes()
    sample = reader.read()
    if arguments.duration:
        time.sleep(arguments.duration)
        sample = reader.read()
    others = (process for process in sample.processes if process.pid != os.getpid())
    processes = sorted(others, key=lambda process: (-process.cpu_percent, process.pid))
    if arguments.json:
        for process in processes:
            rows.write(rows.process(process), sys.stdout)
        return 0
    print(f"{'PID':>8} {'USER':<12} {'CPU %':>6} {'MEM':>9} {'LANGUAGE':<11} {'UNIT':<20} COMMAND")
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for process in processes:
        user, unit = _cut(process.user, 12), _cut(process.unit, 20)
        line = (
            f"{process.pid:>8} {user:<12} {process.cpu_percent:>6.1f} {text.size(process.rss_bytes):>9}"
            f" {process.language:<11} {unit:<20} {process.command}{DELETED * process.deleted}"
        )
        print(line[:width])
    return 0


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
