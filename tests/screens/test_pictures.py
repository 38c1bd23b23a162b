"""What every screen looks like, at three sizes. After a wanted change: pytest tests/screens --snapshot-update."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.screens.fakes import (
    CACHE,
    FUNCTIONS,
    HOSTILE,
    LOOP,
    MODULES,
    PROCESSES,
    RECURSIVE,
    FakeSources,
    events_sample,
    function,
    timed,
)
from tests.screens.steps import at, functions, probe, processes, state, ticks, type_filter, until
from tests.screens.test_arguments_screen import arguments
from tests.screens.test_events_screen import events
from tests.screens.test_latency_screen import latency
from tests.screens.test_stacks_screen import sample, stacks
from tests.screens.workloads import called, happened, read
from tui.app import Bpfscope
from tui.collectors.samples import Cost, LatencySample, Process, Suspended
from tui.elf.names import Skipped
from tui.screens.arguments import ArgumentsScreen
from tui.screens.attached import AttachedScreen
from tui.screens.events import EventsScreen
from tui.screens.functions import FunctionsScreen
from tui.screens.latency import LatencyScreen
from tui.screens.probe import ProbeScreen
from tui.screens.processes import ProcessesScreen
from tui.screens.skipped import SkippedScreen
from tui.screens.stacks import StacksScreen

Compare = Callable[..., bool]
Steps = Callable[[Pilot[Any]], Awaitable[None]]
SIZES = pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 20)], ids=lambda size: f"{size[0]}x{size[1]}")


def _shown(screen: ProcessesScreen, listed: tuple[Process, ...]) -> bool:
    return screen._sample is not None and screen._sample.processes == listed


async def minute(pilot: Pilot[Any], sources: FakeSources) -> None:
    """A minute of the process list."""
    screen = await processes(pilot)
    for second in range(1, 61, 9):
        busy = tuple(one._replace(cpu_percent=one.cpu_percent * (1 + (second * one.pid) % 7 / 7)) for one in PROCESSES)
        sources.tick(second, busy)
        await until(pilot, partial(_shown, screen, busy))


async def counted(pilot: Pilot[Any], sources: FakeSources) -> ProbeScreen:
    """Most of a minute of calls."""
    screen, probing = await probe(pilot, sources)
    calls = [
        {
            "main.fibonacciRecursive": 97_331 * second + 9_000 * (second % 9),
            "main.fibonacciLoop": 99 * second,
            "main.fibonacciCache": 1_009 * (second // 4),
        }
        for second in range(0, 49, 6)
    ]
    await ticks(pilot, screen, probing, *calls, step=6)
    return screen


def check(
    picture: Compare, sources: FakeSources, size: tuple[int, int], steps: Steps, *, pid: int | None = 2696
) -> None:
    assert picture(Bpfscope(sources, pid=pid), terminal_size=size, run_before=steps)


@SIZES
def test_processes(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await minute(pilot, sources)
        await pilot.press("down")

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_processes_tree(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await minute(pilot, sources)
        await pilot.press("t", "K")

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_processes_filter(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await minute(pilot, sources)
        await pilot.press("slash", *"postgres")

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_processes_empty(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await processes(pilot)
        await type_filter(pilot, "[nothing]")

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_functions(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await functions(pilot)

    check(picture, sources, size, steps)


@SIZES
def test_functions_hot(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        screen = await functions(pilot)
        await until(pilot, lambda: sources.samplings)
        malloc, memcpy, *_ = FUNCTIONS["libc.so.6"]
        ticks = {RECURSIVE: 2_440, LOOP: 124, CACHE: 16, FUNCTIONS["fibonacci"][5]: 1, malloc: 960, memcpy: 45}
        sources.samplings[0].tick(40.0, ticks, kernel=402, elsewhere=12)
        await until(pilot, lambda: "samples" in state(screen))
        await until(pilot, lambda: screen.functions.rows[0] == RECURSIVE)
        if size[0] < 70:
            await pilot.press("tab")

    check(picture, sources, size, steps)


@SIZES
def test_functions_all_modules(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    sources.holds["libcrypto.so.3"] = asyncio.Event()

    async def steps(pilot: Pilot[Any]) -> None:
        screen = await functions(pilot)
        malloc, *_ = FUNCTIONS["libc.so.6"]
        sources.samplings[0].tick(40.0, {RECURSIVE: 2_440, LOOP: 124, malloc: 960}, kernel=402)
        await until(pilot, lambda: screen.functions.rows[0] == RECURSIVE)
        await pilot.press("tab", "up", "enter")
        await until(pilot, lambda: "2 of 3 modules read" in screen.catalogue.progress())
        await until(pilot, lambda: len(screen.functions.rows) == 62)
        await type_filter(pilot, "m*c*")

    check(picture, sources, size, steps)


@SIZES
def test_functions_marked(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await functions(pilot)
        await type_filter(pilot, "main.")
        await pilot.press("down", "space", "down", "space")

    check(picture, sources, size, steps)


@SIZES
def test_functions_hostile(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        screen = await functions(pilot)
        await pilot.press("tab", "down", "enter")
        await until(pilot, lambda: screen.functions.rows and screen.module == MODULES[1])

    check(picture, sources, size, steps)


@SIZES
def test_functions_long_name(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    parts = ", ".join(f"std::vector<std::pair<int, Shape{index}>>" for index in range(5))
    long = function(f"void render::Scene<{parts}>::draw(Canvas&) const", 0x5000, raw_name="_ZN6render5SceneE4drawEv")
    sources.functions_of["fibonacci"] = (long, *sources.functions_of["fibonacci"])

    async def steps(pilot: Pilot[Any]) -> None:
        screen = await functions(pilot)
        await pilot.press("end")
        await until(pilot, lambda: screen.functions.row is long)

    check(picture, sources, size, steps)


@SIZES
def test_functions_loading(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    sources.holds["fibonacci"] = asyncio.Event()

    async def steps(pilot: Pilot[Any]) -> None:
        screen = await at(pilot, FunctionsScreen)
        await until(pilot, lambda: screen.module)

    check(picture, sources, size, steps)


@SIZES
def test_functions_error(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    sources.refusals["fibonacci"] = (
        "/home/eva/fibonacci can't be read: permission denied; run bpfscope as root, or give it CAP_SYS_PTRACE"
    )

    async def steps(pilot: Pilot[Any]) -> None:
        screen = await at(pilot, FunctionsScreen)
        await until(pilot, lambda: screen.has_class("-failed"))

    check(picture, sources, size, steps)


@SIZES
def test_probe(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await counted(pilot, sources)

    check(picture, sources, size, steps)


@SIZES
def test_probe_attaching(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    sources.holds["probe"] = asyncio.Event()

    async def steps(pilot: Pilot[Any]) -> None:
        await functions(pilot)
        await pilot.press("a", "enter")
        await at(pilot, ProbeScreen)
        asyncio.get_running_loop().call_later(1.0, sources.holds["probe"].set)  # so that the console can end

    check(picture, sources, size, steps)


@SIZES
def test_probe_error(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    sources.refusals["probe"] = "probing needs CAP_BPF and CAP_PERFMON: run bpfscope as root, or ask your administrator"

    async def steps(pilot: Pilot[Any]) -> None:
        await functions(pilot)
        await pilot.press("enter")
        screen = await at(pilot, ProbeScreen)
        await until(pilot, lambda: screen.failure)

    check(picture, sources, size, steps)


@SIZES
def test_probe_paused_after_reset(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        screen = await counted(pilot, sources)
        await pilot.press("r")
        await ticks(pilot, screen, sources.probing, {"main.fibonacciLoop": 9_000})
        await pilot.press("p", "space")

    check(picture, sources, size, steps)


@SIZES
def test_probe_ended(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        screen = await counted(pilot, sources)
        sources.probing.tick(83, {}, ended="exited 0")
        await until(pilot, lambda: screen.ended)

    check(picture, sources, size, steps)


@SIZES
def test_skipped(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    spin = sources.functions_of["fibonacci"][-1]
    reasons = ("its first instruction has a lock prefix", "the kernel can't probe its first instruction")

    async def steps(pilot: Pilot[Any]) -> None:
        screen, probing = await probe(pilot, sources)
        screen.skipped = tuple(
            Skipped(spin._replace(name=name, address=spin.address + at), reasons[len(name) % 2])
            for at, name in enumerate(HOSTILE)
        )
        await ticks(pilot, screen, probing, {})
        await pilot.press("x")
        await at(pilot, SkippedScreen)

    check(picture, sources, size, steps)


@SIZES
def test_taken_off(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        screen = await counted(pilot, sources)
        reason = "the probes took 51 % of the target's time, and the budget is 10 %"
        sources.probing.cost = Cost(4.0, 10.0, (Suspended(RECURSIVE, reason, 45.0),), 3.1)
        await ticks(pilot, screen, sources.probing, {"main.fibonacciLoop": 5_000}, {"main.fibonacciLoop": 5_100})
        await pilot.press("end")

    check(picture, sources, size, steps)


@SIZES
@pytest.mark.parametrize("of", ["processes", "functions", "probe"])
def test_help(picture: Compare, sources: FakeSources, size: tuple[int, int], of: str) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        if of == "processes":
            await processes(pilot)
        elif of == "functions":
            await functions(pilot)
        else:
            await counted(pilot, sources)
        await pilot.press("question_mark")

    check(picture, sources, size, steps, pid=None if of == "processes" else 2696)


@SIZES
def test_confirm(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await counted(pilot, sources)
        await pilot.press("q")

    check(picture, sources, size, steps)


@SIZES
def test_notice(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        screen = await counted(pilot, sources)
        screen.say("/srv/[/]/bpfscope.json can't be written: read-only file system", bad=True)

    check(picture, sources, size, steps)


@SIZES
def test_palette(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await processes(pilot)
        await pilot.press("ctrl+p")
        await until(pilot, lambda: pilot.app.screen.query("OptionList"))
        pilot.app.screen.query_one(Input).cursor_blink = False

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_latency_by_thread(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        screen = await latency(pilot, sources)
        for number in (2, 3):
            sources.timings[-1].tick(1)
            await until(pilot, lambda: screen.sample is not None)
            await pilot.press("b")
            await until(pilot, lambda number=number: len(sources.timings) == number and not screen.busy)  # type: ignore[misc]
        rows = [
            (one, f"{29358 + turn} {name}")
            for one in (CACHE, RECURSIVE)
            for turn, name in enumerate(("go1bin", "worker/7"))
        ]
        functions, groups = zip(*rows, strict=True)
        times = tuple(timed(*[(turn + 1) * 9_000] * 50, turn * 2_000_000) for turn in range(len(rows)))
        sources.timings[-1].give(LatencySample(1002, 1, functions, times, 0, "", Cost(7.1, 10.0, (), 2.7), groups))
        await until(pilot, lambda: len(screen.table().rows) == len(rows))

    check(picture, sources, size, steps)


@SIZES
def test_latency(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        screen = await latency(pilot, sources)
        timing = sources.timings[-1]
        fast: list[int] = []
        slow: list[int] = []
        spread = [900, 1_100, 1_800, 2_300, 3_100, 3_400, 4_800, 9_000, 17_000, 220_000]
        for second in range(1, 45):
            fast += [ns * (1 + second * ns % 7) // 3 for ns in spread for _ in range(3 + second % 5)]
            slow += [8_000_000, 9_000_000, 31_000_000][: second % 4]
            timing.tick(second, timed(*fast, inner=sum(fast) // 3), timed(*slow, in_flight=1, unmatched=second // 9))
            await until(pilot, partial(_at, screen, second))

    check(picture, sources, size, steps)


def _at(screen: LatencyScreen, second: int) -> bool:
    return screen.latencies.sample is not None and screen.latencies.sample.elapsed == second


def _read(screen: AttachedScreen[Any], given: object) -> bool:
    return screen.sample is given


async def flame(pilot: Pilot[Any], sources: FakeSources, *keys: str, **changes: Any) -> StacksScreen:  # noqa: ANN401
    """A flame graph, after these keys."""
    screen = await stacks(pilot, sources)
    for given in (sample(41, *called()), sample(42, *called(), **changes)):
        sources.stackings[-1].give(given)
        await until(pilot, partial(_read, screen, given))
    await pilot.press(*keys)
    return screen


@SIZES
def test_stacks(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await flame(pilot, sources, "down", "down", lost=7)

    check(picture, sources, size, steps)


@SIZES
def test_stacks_zoomed(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await flame(pilot, sources, "down", "down", "left", "down", "down", "enter", "down", "right", "right")

    check(picture, sources, size, steps)


@SIZES
def test_stacks_inverted(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await flame(pilot, sources, "i", "down")

    check(picture, sources, size, steps)


@SIZES
def test_stacks_highlighted(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await flame(pilot, sources)
        await type_filter(pilot, "serve")

    check(picture, sources, size, steps)


@SIZES
def test_stacks_ended(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await flame(pilot, sources, ended="exited 0")

    check(picture, sources, size, steps)


@SIZES
def test_stacks_empty(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        screen = await stacks(pilot, sources)
        sources.stackings[-1].give(sample(3))
        await until(pilot, lambda: screen.sample)

    check(picture, sources, size, steps)


async def argument(pilot: Pilot[Any], sources: FakeSources, *keys: str) -> ArgumentsScreen:
    """A function's arguments, after these keys."""
    screen = await arguments(pilot, sources)
    for given in (read(41), read(42)):
        sources.valuations[-1].give(given)
        await until(pilot, partial(_read, screen, given))
    await pilot.press(*keys)
    return screen


@SIZES
def test_arguments(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await argument(pilot, sources, "down", "down")

    check(picture, sources, size, steps)


@SIZES
def test_arguments_texts(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await argument(pilot, sources, "right", "down")

    check(picture, sources, size, steps)


@SIZES
def test_arguments_together(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await argument(pilot, sources, "left", "down")

    check(picture, sources, size, steps)


@SIZES
def test_arguments_error(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    sources.refusals["values"] = (
        "nothing can be read of main.fibonacciCache: /home/eva/fibonacci has no debug information"
    )

    async def steps(pilot: Pilot[Any]) -> None:
        await functions(pilot)
        await type_filter(pilot, "main.fib")
        await pilot.press("a", "g")
        screen = await at(pilot, ArgumentsScreen)
        await until(pilot, lambda: screen.failure)

    check(picture, sources, size, steps)


async def tail(pilot: Pilot[Any], sources: FakeSources, *keys: str, ended: str = "") -> EventsScreen:
    """A tail in which some were dropped, after these keys; then nine more."""
    screen = await events(pilot, sources)
    samples = (
        events_sample(40, *happened(60, 38), seen=60),
        events_sample(41, *happened(20, 40), seen=80, dropped=1_204),
        events_sample(42, *happened(4, 41.5), seen=84, dropped=1_204),
        events_sample(43, *happened(9, 42), seen=93, dropped=1_204, ended=ended),
    )
    for given in samples:
        if given is samples[-1]:
            await pilot.press(*keys)
        sources.tracings[-1].give(given)
        await until(pilot, partial(_read, screen, given))
    return screen


@SIZES
def test_events(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await tail(pilot, sources)

    check(picture, sources, size, steps)


@SIZES
def test_events_frozen(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await tail(pilot, sources, "up", "up", "up")

    check(picture, sources, size, steps)


@SIZES
def test_events_longest(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await tail(pilot, sources, "s")

    check(picture, sources, size, steps)


@SIZES
def test_events_ended(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await tail(pilot, sources, ended="exited 0")

    check(picture, sources, size, steps)
