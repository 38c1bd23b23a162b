"""The console's list of 200,000 functions: from a keystroke to the list on the screen, and moving the cursor in it."""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from statistics import median

from bench import programs
from bench.console import Terminal
from bench.measure import Bench, say
from bench.peers import BPFSCOPE
from bench.table import Row, milliseconds
from tui.screens.functions import FunctionsScreen

_FUNCTIONS = 200_000
_KEY, _MOVE = 0.1, 0.03  # seconds
_WORDS = ("request_1999", "~hprq1999", "comp*request_17*", "/request_.9{3}/")  # text, letters, a glob, an expression
_MOVES = 30


def rows(bench: Bench) -> list[Row]:
    """In this process, without a terminal; and as somebody sees it, in one."""
    say(f"typing among {_FUNCTIONS:,} functions")
    program = programs.many_symbols(bench.folder, _FUNCTIONS, mangled=True)
    with programs.target(program) as target:
        keys, moves = asyncio.run(_inside(target.pid))
        seen = _outside(bench, target.pid)
    what = f"console, {_FUNCTIONS:,} functions"
    return [
        _row(f"{what}: a key of the filter, until it is painted, CPU (worst: {max(keys, key=_typical(keys))})",
             max(map(median, keys.values())), _KEY, sum(map(len, keys.values()))),
        _row(f"{what}: moving the cursor, CPU", median(moves), _MOVE, len(moves)),
        _row(f"{what}: a key of the filter, until tmux has the list", median(seen), _KEY, len(seen)),
    ]  # fmt: skip


def _row(what: str, seconds: float, most: float, runs: int) -> Row:
    return Row(what, milliseconds(seconds), {}, None, f"< {most * 1e3:.0f} ms", str(runs), seconds < most)


def _typical(keys: dict[str, list[float]]) -> Callable[[str], float]:
    return lambda word: median(keys[word])


async def _inside(pid: int) -> tuple[dict[str, list[float]], list[float]]:
    """Seconds of each key by what is typed, and of each move."""
    from tui.app import Bpfscope
    from tui.collectors.console import LiveSources

    gc.set_threshold(50_000, 20, 50)  # as the command has it
    console = Bpfscope(LiveSources(None), pid)
    async with console.run_test(size=(160, 50)) as pilot:

        async def pressed(key: str) -> float:
            start = time.process_time()  # Pilot itself sleeps 60 ms per key
            await pilot.press(key)
            return time.process_time() - start

        while not (isinstance(console.screen, FunctionsScreen) and console.screen.table().rows):
            await pilot.pause(0.05)
        keys = {word: await _typed(word, pressed) for word in _WORDS}
        await pressed("enter")
        await pressed("escape")
        moves = [await pressed(key) for key in ["down", "pagedown", "up"] * (_MOVES // 3)]
    return keys, moves


async def _typed(word: str, pressed: Callable[[str], Awaitable[float]]) -> list[float]:
    names: dict[str, str] = {" ": "space", "/": "slash", "~": "tilde", "*": "asterisk", "_": "underscore"}
    await pressed("slash")
    found = [await pressed(names.get(letter, letter)) for letter in word]
    await pressed("escape")
    await pressed("escape")
    return found


def _outside(bench: Bench, pid: int) -> list[float]:
    found = []
    with Terminal(bench, [BPFSCOPE, str(pid)]) as terminal:
        terminal.wait(f"{_FUNCTIONS:,}"[:5])
        terminal.keys("/")
        terminal.wait("to the list")
        for number in range(1, bench.runs(9, 3) + 1):
            terminal.keys("-l", f"t_{number}999")
            start = time.monotonic()
            terminal.wait(" of 200,0", 0.01)
            found.append(time.monotonic() - start)
            terminal.keys("C-u")
            terminal.wait(" of 200,0", there=False)
    return found
