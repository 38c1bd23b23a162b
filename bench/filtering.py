"""The console while it filters packets: how soon it shows the first figures, and what it takes during a flood."""

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Final

from bench import peers, programs
from bench.console import Terminal, watch
from bench.flood import EXPRESSION
from bench.measure import Bench, say
from bench.table import Row, milliseconds
from tests.kernel.network import Pair

_FIRST: Final = 0.1  # seconds from the key to the figures on the screen
_CPU: Final = 3.0  # percent of a core
_NOTHING: Final = "matched 0 of 0"


def rows(bench: Bench) -> list[Row]:
    """Two keys, and the flood."""
    say("the console while it filters packets")
    programs.sender(bench.folder)
    with Pair() as pair:
        return [*_keys(bench, pair), _flooded(bench, pair)]


def _keys(bench: Bench, pair: Pair) -> list[Row]:
    """Opening a filter, and attaching another expression, again and again on the same screens."""
    opened, attached = [], []
    with _interfaces(bench, pair) as terminal:
        for number in range(bench.runs(15, 3)):
            opened.append(terminal.latency("Enter", _NOTHING))
            port = 300 + number
            terminal.keys("-l", f"udp and port {port}")
            terminal.wait("not attached")
            attached.append(terminal.latency("Enter", f"in and out  udp and port {port} "))
            terminal.wait(_NOTHING)
            terminal.keys("Escape")
            terminal.wait("2 interfaces")
            time.sleep(0.5)  # the list is read and painted first, as when a person looks at it
    return [
        Row(f"key to the first figures: {what}", milliseconds(median(found)), {}, None, f"≤ {milliseconds(_FIRST)}",
            str(len(found)), median(found) <= _FIRST)
        for what, found in (("a filter is opened", opened), ("an expression is attached", attached))
    ]  # fmt: skip


def _flooded(bench: Bench, pair: Pair) -> Row:
    """What the console takes while packets arrive as fast as one sender can, all of which it counts by flow."""
    seconds = bench.runs(10, 5)
    with _interfaces(bench, pair) as terminal:
        terminal.keys("Enter")
        terminal.wait(_NOTHING)
        terminal.keys("-l", EXPRESSION)
        terminal.wait("not attached")
        terminal.keys("Enter")
        terminal.wait(f"in and out  {EXPRESSION} ")
        number = (seconds + 3) * 900_000
        end = pair.left
        command = end.command(bench.folder / "sender", end.interface, number, end.frame().hex())
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as sender:
            time.sleep(2)
            _, cpu = watch(terminal.pid, seconds)
            lasted = sender.poll() is None
            shown = terminal.wait("live ●")
            sender.wait()
        terminal.wait(f"matched {number:,} of {number:,}")
    rate = re.search(r"(\S+ [kM])/s", shown)
    what = f"console, a flood of {rate[1] if rate else '?'}/s by flow, 160×50, 1 Hz: CPU, of one core"
    return Row(what, f"{cpu:.2f} %", {}, None, f"≤ {_CPU:g} %", f"{seconds} s", lasted and cpu <= _CPU)


@contextmanager
def _interfaces(bench: Bench, pair: Pair) -> Iterator[Terminal]:
    """The console with the cursor on the pair's right end."""
    end = pair.right
    with Terminal(bench, end.command(peers.BPFSCOPE)) as terminal:
        terminal.wait("2 Network")
        terminal.keys("2")
        terminal.wait(end.interface)
        terminal.keys("End")
        terminal.wait(f"▌  {end.interface}")
        time.sleep(1)
        yield terminal
