"""The list of processes on a machine with thousands, and the cursor among functions while their code is read."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median, quantiles

from bench import peers, programs
from bench.console import Terminal, cpu_seconds
from bench.measure import Bench, say
from bench.table import Row, milliseconds

_PROCESSES, _MORE = 2_000, 5_000
_CPU = 5.0  # percent of a core
_FUNCTIONS = 20_000
_KEY = 0.030  # seconds
_KEYS = 40


def rows(bench: Bench) -> list[Row]:
    """The console's share of a core while it lists them, once a second; then the cursor."""
    return [*_lists(bench), *_cursor(bench)]


def _lists(bench: Bench) -> Iterator[Row]:
    for number, limit in ((_PROCESSES, _CPU), (_MORE, None)):
        say(f"the console with {number:,} processes")
        seconds = bench.runs(30, 10)
        with _sleeping(number), Terminal(bench, [peers.BPFSCOPE]) as terminal:
            terminal.wait(f"{number // 1000},")
            time.sleep(bench.runs(10, 7))  # while they are young they are looked at as a whole
            start, before = time.monotonic(), cpu_seconds(terminal.pid)
            time.sleep(seconds)
            cpu = 100 * (cpu_seconds(terminal.pid) - before) / (time.monotonic() - start)
        yield Row(
            f"console, list of {number:,} processes, 160×50, 1 Hz: CPU, of one core",
            f"{cpu:.2f} %",
            limit=f"≤ {limit:g} %" if limit else "",
            runs=f"{seconds} s",
            kept=cpu <= limit if limit else None,
        )


def _cursor(bench: Bench) -> Iterator[Row]:
    say("the cursor among functions whose code is shown")
    program = programs.loop(bench.folder, _FUNCTIONS)
    with programs.target(program, 1) as target:
        taken = asyncio.run(_moved(target.pid))
    yield Row(
        f"console, {_FUNCTIONS:,} functions, their code shown: key to the cursor's next place",
        milliseconds(median(taken)),
        limit=f"< {milliseconds(_KEY)}",
        runs=str(len(taken)),
        kept=median(taken) < _KEY,
    )
    yield Row("the same, slowest of 20", milliseconds(quantiles(taken, n=20)[-1]), runs=str(len(taken)))


async def _moved(pid: int) -> list[float]:
    """Seconds from a key to what it paints; half of the keys come while code is being read."""
    from tui.app import Bpfscope
    from tui.collectors.console import LiveSources
    from tui.screens.code_pane import REST, CodePane
    from tui.screens.functions import FunctionsScreen

    taken = []
    async with Bpfscope(LiveSources(), pid=pid).run_test(size=(160, 50)) as pilot:
        while not (isinstance(screen := pilot.app.screen, FunctionsScreen) and screen.functions.rows):
            await pilot.pause(0.05)
        await pilot.press("d")
        while not screen.query_one(CodePane).rows:
            await pilot.pause(0.05)
        for number in range(_KEYS):
            painted = asyncio.Event()
            start = time.perf_counter()
            pilot.app.simulate_key("down")
            screen.call_after_refresh(painted.set)
            await painted.wait()
            taken.append(time.perf_counter() - start)
            await asyncio.sleep(REST + 0.002 * (number % 20) if number % 2 else REST / 2)
    return taken


@contextmanager
def _sleeping(number: int) -> Iterator[None]:
    """So many processes that do nothing."""
    children: list[int] = []
    try:
        while len(children) < number:
            children.append(os.posix_spawn("/bin/sleep", ["sleep", "1000"], {}))
        yield
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
