"""Functions that are timed: figures, the histogram, every way out, and that nothing stays attached."""

import asyncio
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.screens.fakes import FakeSources, timed
from tests.screens.steps import at, context, detail, functions, keys, painted, probe, state, type_filter, until
from tui.app import Bpfscope
from tui.collectors.samples import Cost, LatencySample, Suspended
from tui.errors import BpfscopeError
from tui.screens.confirm import ConfirmScreen
from tui.screens.functions import FunctionsScreen
from tui.screens.latencies import COLUMNS, Latencies
from tui.screens.latency import LatencyScreen
from tui.screens.probe import ProbeScreen
from tui.screens.skipped import SkippedScreen
from tui.widgets.histogram import HeatMap, Histogram

US, MS = 1_000, 1_000_000


async def latency(pilot: Pilot[Any], sources: FakeSources) -> LatencyScreen:
    """The three functions of the talk, timed."""
    await functions(pilot)
    await type_filter(pilot, "main.fib")
    await pilot.press("a", "l")
    screen = await at(pilot, LatencyScreen)
    await until(pilot, lambda: sources.timings and not screen.busy)
    return screen


async def test_figures(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=(160, 40)) as pilot:
        screen = await latency(pilot, sources)
        assert screen.console._attached() == "3 functions"
        timing = sources.timings[-1]
        slow = timed(*[2 * MS] * 99, 40 * MS, unmatched=2, in_flight=3, untimed=5)
        timing.tick(1, timed(*[10 * US] * 50, inner=400 * US), slow)
        await until(pilot, lambda: screen.latencies.sample is not None and len(painted(screen)) > 3)
        lines = painted(screen)
        assert lines[1].split()[2:] == ["108", "2.0", "ms", "2.0", "ms", "2.0", "ms", "2.0", "ms", "40", "ms", "238",
                                        "ms", "238", "ms", "100", "%"]  # fmt: skip
        assert "400 µs" not in lines[2]
        assert "20 %" in lines[2]
        assert lines[3].count("–") == 8
        assert "5 not timed · 2 unmatched · 158 calls · 3 in flight" in state(screen)
        bars = screen.query_one(Histogram).lines(40, 20)
        assert "".join(piece for piece, _ in bars[0]).strip() == "100 calls since the start"
        timing.tick(2, timed(*[10 * US] * 60, inner=400 * US), slow)
        await until(pilot, lambda: screen.latencies.per_second == 10)
        assert "10 calls/s" in state(screen)
        timing.tick(3, timed(*[10 * US] * 60), slow, lost=7, ended="exited 0")
        await until(pilot, lambda: screen.ended)
        assert state(screen).startswith("fibonacci 2696 exited 0; measured for 00:03; the numbers stay · lost 7")
        assert screen.console._attached() == ""
        await pilot.press("escape")
        below = await at(pilot, FunctionsScreen)
        assert "exited 0" in below.over
        assert timing.closed == 1


async def test_the_heat_map_where_both_do_not_fit(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=(80, 24)) as pilot:
        screen = await latency(pilot, sources)
        sources.timings[-1].tick(1, timed(*[10 * US] * 50))
        await until(pilot, lambda: screen.sample is not None)
        shown = [
            (screen.query_one(widget).display, screen.query_one(widget).size.height) for widget in (Histogram, HeatMap)
        ]
        assert shown == [(True, 9), (False, 0)]
        await pilot.press("h")
        assert not screen.query_one(Histogram).display
        assert screen.query_one(HeatMap).size.height == 8
        await pilot.press("h")
        assert screen.query_one(Histogram).display
        await pilot.resize_terminal(160, 50)
        assert "h heat map" not in keys(screen)
        assert screen.query_one(HeatMap).display
        assert screen.query_one(Histogram).display


async def test_beside_a_running_count(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test() as pilot:
        screen, probing = await probe(pilot, sources)
        probing.tick(1, {})
        await until(pilot, lambda: screen.calls.sample is not None)
        await pilot.press("l")
        above = await at(pilot, LatencyScreen)
        await until(pilot, lambda: sources.timings and not above.busy)
        assert sources.timings[-1].functions == probing.functions
        await pilot.press("q")
        await at(pilot, ConfirmScreen)
        await pilot.press("escape")
        await at(pilot, LatencyScreen)
        await pilot.press("l")
        assert len(sources.timings) == 1
        await pilot.press("c")
        assert await at(pilot, ProbeScreen) is screen
        probing.tick(2, {"main.fibonacciLoop": 5})
        await until(pilot, lambda: screen.calls.total == 5)
        await pilot.press("l")
        assert await at(pilot, LatencyScreen) is above
        await pilot.press("escape", "enter")
        await at(pilot, FunctionsScreen)
        assert sources.timings[-1].closed == probing.closed == 1
        await pilot.press("l")
        assert await at(pilot, LatencyScreen) is not above


async def test_functions_that_were_added_meanwhile(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test() as pilot:
        screen = await latency(pilot, sources)
        await pilot.press("c")
        calls = await at(pilot, ProbeScreen)
        await until(pilot, lambda: sources.probings and not calls.busy)
        sources.probing.tick(1, {})
        await until(pilot, lambda: calls.sample is not None)
        await pilot.press("a")
        await functions(pilot)
        await type_filter(pilot, "main.main")
        await pilot.press("enter")
        await at(pilot, ProbeScreen)
        await until(pilot, lambda: sources.probing.added and not calls.busy)
        await pilot.press("l")
        other = await at(pilot, LatencyScreen)
        assert other is not screen
        await until(pilot, lambda: len(sources.timings) == 2 and not other.busy)
        assert len(sources.timings[-1].functions) == 4
        await until(pilot, lambda: sources.timings[0].closed == 1)


async def test_nothing_can_be_timed(sources: FakeSources) -> None:
    sources.refusals["latency"] = BpfscopeError("nothing can be probed: main.fib: it never returns")
    async with Bpfscope(sources, 2696).run_test() as pilot:
        await functions(pilot)
        await pilot.press("l")
        screen = await at(pilot, LatencyScreen)
        await until(pilot, lambda: screen.failure)
        assert "nothing is timed" in state(screen)
        await pilot.press("escape")
        await at(pilot, FunctionsScreen)


async def test_pause_rate_filter(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test() as pilot:
        screen = await latency(pilot, sources)
        timing = sources.timings[-1]
        timing.tick(1, timed(5 * US))
        await until(pilot, lambda: screen.latencies.sample is not None)
        await pilot.press("p")
        assert "paused" in state(screen)
        timing.tick(2, timed(5 * US, 6 * US))
        await until(pilot, lambda: screen.latencies.total("calls") == 2)
        assert "1 calls" in state(screen)
        await pilot.press("p", "minus")
        assert "every 2 s" in state(screen)
        await until(pilot, lambda: timing.intervals == [1.0, 2.0])
        await type_filter(pilot, "Loop")
        assert "1 of 3 functions" in state(screen)
        assert "l Latency" in context(screen)


async def test_reset_subtracts_what_was(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=(160, 40)) as pilot:
        screen = await latency(pilot, sources)
        timing = sources.timings[-1]
        timing.tick(5, timed(*[2 * MS] * 7, unmatched=3))
        await until(pilot, lambda: screen.latencies.total("calls") == 7)
        await pilot.press("r")
        assert "0 calls" in state(screen)
        assert "since reset 00:00" in context(screen)
        timing.tick(9, timed(*[2 * MS] * 7, *[10 * US] * 2, unmatched=3))
        await until(pilot, lambda: screen.latencies.total("calls") == 2)
        assert "unmatched" not in state(screen)
        assert "since reset 00:04" in context(screen)
        (row,) = (row for row in screen.latencies.rows() if row.latency.calls)
        assert (row.latency.min_ns, row.latency.max_ns) == (10 * US, 10_240)
        assert row.latency.total_ns == 20 * US
        exported = screen.document()
        assert exported["since_reset"]
        assert exported["elapsed_ns"] == 4_000_000_000
        assert sum(function["calls"] for function in exported["functions"]) == 2


async def test_groups_in_turn(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=(160, 40)) as pilot:
        screen = await latency(pilot, sources)
        first = sources.timings[-1]
        first.tick(1, timed(5 * US))
        await until(pilot, lambda: screen.latencies.sample is not None)
        await pilot.press("b")
        await until(pilot, lambda: len(sources.timings) == 2 and not screen.busy)
        assert (first.closed, sources.by) == (1, ["function", "process"])
        second = sources.timings[-1]
        function = second.functions[0]
        sample = LatencySample(
            1001, 1, (function, function), (timed(5 * US), timed(9 * US, 9 * US)), 0, groups=("811 postgres", "[/]")
        )
        second.give(sample)
        await until(pilot, lambda: len(screen.latencies.rows()) == 2 and "postgres" in "".join(painted(screen)))
        assert "by process (b)" in state(screen)
        assert "[/]" in painted(screen)[1]
        assert context(screen).startswith("fibonacci 2696 ▸ 3 functions")  # of which one was called, in two groups
        await pilot.resize_terminal(80, 24)
        assert [line for line in painted(screen)[1:3] if f"{function.name}  811" in line]
        await pilot.press("escape", "enter")
        await at(pilot, FunctionsScreen)
        assert second.closed == 1


async def test_what_the_budget_took_off(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=(160, 40)) as pilot:
        screen = await latency(pilot, sources)
        timing = sources.timings[-1]
        reason = "the probes took 31 % of the target's time, and the budget is 10 %"
        cost = Cost(4.0, 10.0, (Suspended(timing.functions[0], reason, 3.0),), 1.5)
        timing.give(LatencySample(1001, 1, timing.functions, (timed(5 * US),) * 3, 0, cost=cost))
        await until(pilot, lambda: screen.sample is not None and screen.suspended)
        assert "costs 1.5 % of a CPU · 4.0 % of its time (budget 10 %) · 1 taken off (u)" in state(screen)
        assert "u put back" in keys(screen)
        assert f"taken off after 3.0 s: {reason}" in detail(screen)
        assert painted(screen)[1].startswith("▌×")
        await pilot.press("x")
        listed = await at(pilot, SkippedScreen)
        assert state(listed) == "1 function is not probed · taken off by the budget: u in the views puts it back"
        assert f"taken off after 3.0 s: {reason}" in detail(listed)
        await pilot.press("escape")
        await at(pilot, LatencyScreen)
        await pilot.press("u")
        await until(pilot, lambda: timing.undone == 1)
        timing.give(LatencySample(1002, 2, timing.functions, (timed(5 * US),) * 3, 0, cost=Cost(33.0, waived=10)))
        await until(pilot, lambda: "no budget: u keeps 10 %" in state(screen))
        assert "u keep budget" in keys(screen)
        await pilot.press("u")
        await until(pilot, lambda: timing.undone == 2)
        timing.give(LatencySample(1003, 3, timing.functions, (timed(5 * US),) * 3, 0, cost=Cost(3.0, 10.0)))
        await until(pilot, lambda: "budget 10 %" in state(screen))
        assert "u" not in [key.partition(" ")[0] for key in keys(screen).split("  ")]


def test_what_is_shorter_than_the_probe_is_marked() -> None:
    histogram = Histogram()
    histogram._bars, histogram._floor = [(256, 512, 8), (512, 1024, 4)], 700
    low, high = ("".join(piece for piece, _ in line) for line in histogram.lines(30, 5)[1:])
    assert ("░" in low, "█" in low) == (True, False)
    assert ("░" in high, "█" in high) == (False, True)


async def test_quitting_detaches(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test() as pilot:
        await latency(pilot, sources)
        await pilot.press("q")
        await at(pilot, ConfirmScreen)
        await pilot.press("y")
        await until(pilot, lambda: not pilot.app.is_running)
    assert sources.timings[-1].closed == 1


async def test_leaving_while_it_attaches(sources: FakeSources) -> None:
    sources.holds["latency"] = asyncio.Event()
    async with Bpfscope(sources, 2696).run_test() as pilot:
        await functions(pilot)
        await pilot.press("l")
        await at(pilot, LatencyScreen)
        await pilot.press("escape")
        sources.holds["latency"].set()
        await at(pilot, FunctionsScreen)
        assert sources.timings[-1].closed == 1


@pytest.mark.parametrize("height", [2, 3, 5, 30])
def test_bars_are_added_up_where_there_is_no_room(height: int) -> None:
    bars = Histogram()
    bars._bars = [(1 << bits, 2 << bits, bits) for bits in range(9)]
    lines = ["".join(piece for piece, _ in line) for line in bars.lines(60, height)]
    assert len(lines) <= height
    assert sum(int(line.split()[-1]) for line in lines[1:]) == sum(range(9))


def test_the_heat_map_shows_few_calls_beside_many() -> None:
    heat = HeatMap()
    heat._columns = [(), (0, 0, 0, 1), (0, 0, 0, 1_000_000, 3)]
    lines = ["".join(piece for piece, _ in line).rstrip() for line in heat.lines(20, 6)]
    assert lines[1].endswith("8 ns           ·")
    assert lines[2].endswith("·█")
    assert len({len(line) for line in lines[1:]}) == 1


def test_the_heat_map_forgets() -> None:
    from tests.screens.fakes import LOOP, FakeTiming

    latencies, key = Latencies(), (LOOP.module, LOOP.address, "")
    timing = FakeTiming((LOOP,))
    for second in range(COLUMNS + 20):
        timing.tick(second, timed(*[10] * (second // 2)))
        latencies.take(timing._queue.get_nowait())
    assert len(latencies.heat(key)) == COLUMNS
    assert sum(map(sum, latencies.heat(key))) == COLUMNS // 2
