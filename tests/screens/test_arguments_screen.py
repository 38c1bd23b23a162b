"""What a function is called with: tables, histograms, another function, results, and that nothing stays attached."""

import asyncio
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.screens.fakes import CACHE, COST, HOSTILE, LOOP, RECURSIVE, FakeSources
from tests.screens.steps import at, context, detail, functions, keys, painted, probe, state, type_filter, under, until
from tui.app import Bpfscope
from tui.collectors.samples import Read, ValuesRow, ValuesSample
from tui.elf.names import Function
from tui.errors import BpfscopeError
from tui.screens.arguments import ArgumentsScreen
from tui.screens.functions import FunctionsScreen
from tui.screens.latency import LatencyScreen
from tui.widgets.histogram import Histogram
from tui.widgets.lines import Line

SIZE = (120, 30)
NAMES = ("n", "path", "force")
SOME = ((60, (3, "/srv/a", True)), (30, (-5, "/srv/b", True)), (8, (3, "/srv/[/]", False)), (2, (None, "/srv/a", True)))


def sample(
    elapsed: float,
    names: tuple[str, ...],
    *rows: tuple[int, tuple[Read, ...]],
    of: Function = CACHE,
    lost: int = 0,
    unmatched: int = 0,
    ended: str = "",
) -> ValuesSample:
    """Rows as calls and values."""
    found = tuple(ValuesRow(values, calls) for calls, values in rows)
    calls = sum(row.calls for row in found) + lost
    return ValuesSample(1000 + elapsed, elapsed, of, names, found, calls, unmatched, lost, ended, COST)


async def arguments(pilot: Pilot[Any], sources: FakeSources) -> ArgumentsScreen:
    """The arguments of the function of the talk that has a cache; the two others are probed too."""
    await functions(pilot)
    await type_filter(pilot, "main.fib")
    await pilot.press("a", "g")
    screen = await at(pilot, ArgumentsScreen)
    await until(pilot, lambda: sources.valuations and not screen.busy)
    return screen


async def given(pilot: Pilot[Any], sources: FakeSources, reading: ValuesSample) -> ArgumentsScreen:
    """The screen, after this reading."""
    screen = pilot.app.screen if isinstance(pilot.app.screen, ArgumentsScreen) else await arguments(pilot, sources)
    sources.valuations[-1].give(reading)
    await until(pilot, lambda: screen.sample == reading)
    return screen


def strip(screen: ArgumentsScreen) -> str:
    return screen.query_one("#places", Line).plain


def bars(screen: ArgumentsScreen) -> list[list[str]]:
    """The histogram, line by line; nothing where it isn't seen."""
    histogram = screen.query_one(Histogram)
    return (
        ["".join(piece for piece, _ in line).split() for line in histogram.lines(40, 20)] if histogram.display else []
    )


async def test_one_value_after_the_other(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=SIZE) as pilot:
        screen = await given(pilot, sources, sample(1, NAMES, *SOME))
        assert strip(screen) == "◂ n ▸  path  force  together"
        assert [line.split()[:4] for line in painted(screen)[:4]] == [
            ["n", "CALLS", "↓", "SHARE"],
            ["▌", "3", "68", "68.0"],
            ["-5", "30", "30.0", "%"],
            ["unreadable", "2", "2.0", "%"],
        ]
        assert bars(screen)[0] == ["-5", "to", "3,", "mean", "0.551"]
        assert [(line[0], line[-1]) for line in bars(screen)[1:]] == [
            ("-8", "30"),
            ("-4", "0"),
            ("-2", "0"),
            ("-1", "0"),
            ("0", "0"),
            ("1", "0"),
            ("2", "68"),
        ]
        assert detail(screen) == "n=3  68 calls · 68.00 %"
        await pilot.press("right")
        assert strip(screen) == "n  ◂ path ▸  force  together"
        assert [line.split()[0] for line in painted(screen)[1:4]] == ["▌", '"/srv/b"', '"/srv/[/]"']
        assert bars(screen) == []
        await pilot.press("left", "left")
        assert strip(screen) == "n  path  force  ◂ together ▸"
        assert painted(screen)[2].split()[:5] == ["-5", '"/srv/b"', "true", "30", "30.0"]
        assert "4 combinations" in state(screen)
        assert detail(screen) == 'n=3, path="/srv/a", force=true  60 calls · 60.00 %'
        await pilot.press("tab")
        assert strip(screen).startswith("◂ n ▸")


async def test_figures(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=SIZE) as pilot:
        await given(pilot, sources, sample(1, NAMES, *SOME))
        screen = await given(pilot, sources, sample(3, NAMES, *SOME, (50, (7, "", True)), lost=3, unmatched=2))
        assert state(screen).startswith("lost 3 · 26 calls/s · costs")
        assert "4 values · 153 calls · 2 unmatched" in state(screen)
        assert context(screen).startswith("fibonacci 2696 ▸ main.fibonacciCache (1 of 3) · c Calls")
        await given(pilot, sources, sample(9, NAMES, *SOME, ended="exited 1"))
        assert state(screen).startswith(
            "fibonacci 2696 exited 1; measured for 00:09; the numbers stay · 3 values · 100 calls"
        )
        assert "results" not in keys(screen)
        assert "[ ]" not in keys(screen)


async def test_the_cursor_stays_on_its_value(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=SIZE) as pilot:
        screen = await given(pilot, sources, sample(1, NAMES, *SOME))
        await pilot.press("down")
        assert under(screen).spelt == ("-5",)
        await given(pilot, sources, sample(2, NAMES, (99, (140737488347136, "", True)), *SOME))
        assert under(screen).spelt == ("-5",)


async def test_filtering_and_sorting(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=SIZE) as pilot:
        screen = await given(pilot, sources, sample(1, NAMES, *SOME))
        await pilot.press("s")
        assert [row.spelt[0] for row in screen.table().rows] == ["unreadable", "-5", "3"]
        await type_filter(pilot, "n=-")
        assert "1 of 3 values" in state(screen)
        await type_filter(pilot, "nothing")
        assert "no value matches nothing" in "".join(painted(screen))
        assert bars(screen) != []
        await pilot.press("escape", "left")
        assert [row.calls for row in screen.table().rows] == [60, 30, 8, 2]


async def test_results_are_another_session(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=SIZE) as pilot:
        screen = await given(pilot, sources, sample(1, NAMES, *SOME))
        await pilot.press("right", "t")
        await until(pilot, lambda: len(sources.valuations) == 2 and not screen.busy)
        await until(pilot, lambda: sources.valuations[0].closed == 1)
        assert sources.with_results == [False, True]
        assert sources.asked[-1] == (CACHE,)
        assert "waiting for the first reading" in state(screen)
        sources.valuations[0].give(sample(2, NAMES, *SOME))  # what is detached has nothing to say any more
        await given(pilot, sources, sample(1, (*NAMES, "return"), (7, (1, "x", True, 2))))
        assert strip(screen) == "n  ◂ path ▸  force  return  together"
        assert "7 calls · with results" in state(screen)
        assert "t arguments alone" in keys(screen)
        await pilot.press("escape", "enter")
        await at(pilot, FunctionsScreen)
        assert [one.closed for one in sources.valuations] == [1, 1]


async def test_the_next_function(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=SIZE) as pilot:
        screen = await given(pilot, sources, sample(1, NAMES, *SOME))
        asked = [CACHE]
        for key, function in (("right", LOOP), ("right", RECURSIVE), ("right", CACHE), ("left", RECURSIVE)):
            await pilot.press(f"{key}_square_bracket")
            asked.append(function)
            await until(pilot, lambda: len(sources.valuations) == len(asked) and not screen.busy)
            assert screen.function == function
        assert [functions[0] for functions in sources.asked] == asked
        await until(pilot, lambda: [one.closed for one in sources.valuations] == [1, 1, 1, 1, 0])
        assert "main.fibonacciRecursive (3 of 3)" in context(screen)
        assert painted(screen)[1:] == [""] * (len(painted(screen)) - 1) or "attaching" in "".join(painted(screen))


async def test_where_nothing_can_be_read_the_next_function_can(sources: FakeSources) -> None:
    sources.refusals["values"] = BpfscopeError("main.fibonacciCache: where its arguments lie isn't known")
    async with Bpfscope(sources, 2696).run_test(size=SIZE) as pilot:
        await functions(pilot)
        await type_filter(pilot, "main.fib")
        await pilot.press("a", "g")
        screen = await at(pilot, ArgumentsScreen)
        await until(pilot, lambda: screen.failure)
        assert "nothing is read" in state(screen)
        del sources.refusals["values"]
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: sources.valuations and not screen.busy)
        assert not screen.has_class("-failed")
        await given(pilot, sources, sample(1, ("n",), (5, (1,)), of=LOOP))
        assert strip(screen) == "◂ n ▸"
        assert "← →" not in keys(screen)


async def test_the_function_under_the_cursor(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=SIZE) as pilot:
        counting, probing = await probe(pilot, sources)
        probing.tick(1, {})
        await until(pilot, lambda: counting.sample is not None)
        await pilot.press("down", "g")
        first = await at(pilot, ArgumentsScreen)
        assert first.function == LOOP
        await pilot.press("c", "up", "l")
        await at(pilot, LatencyScreen)
        await until(pilot, lambda: sources.timings)
        await pilot.press("g")
        second = await at(pilot, ArgumentsScreen)
        assert second is not first
        assert second.function == CACHE
        await until(pilot, lambda: len(sources.valuations) == 2 and sources.valuations[0].closed == 1)
        await pilot.press("escape")
        await at(pilot, FunctionsScreen)
        assert sources.valuations[1].closed == probing.closed == 1


async def test_one_function_that_was_under_the_cursor(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=SIZE) as pilot:
        await functions(pilot)
        await type_filter(pilot, "fibonacciLoop")
        await pilot.press("g")
        screen = await at(pilot, ArgumentsScreen)
        await until(pilot, lambda: sources.valuations and not screen.busy)
        assert screen.function == LOOP
        assert context(screen).startswith("fibonacci 2696 ▸ main.fibonacciLoop · ")


async def test_leaving_while_it_attaches_anew(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=SIZE) as pilot:
        await given(pilot, sources, sample(1, NAMES, *SOME))
        sources.holds["values"] = asyncio.Event()
        await pilot.press("t", "t", "right_square_bracket")
        assert sources.with_results == [False]
        await pilot.press("escape")
        sources.holds["values"].set()
        await at(pilot, FunctionsScreen)
        assert [one.closed for one in sources.valuations] == [1, 1]


async def test_nothing_to_read(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=SIZE) as pilot:
        screen = await given(pilot, sources, sample(1, ("n",)))
        assert "no call yet" in "".join(painted(screen))
        await given(pilot, sources, sample(2, (), (5, ())))
        assert "it takes nothing; t reads what it gives" in "".join(painted(screen))
        assert "5 calls" in state(screen)
        await pilot.press("right", "left", "down", "s")


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 36)])
async def test_hostile_names_and_values_are_shown_literally(sources: FakeSources, size: tuple[int, int]) -> None:
    async with Bpfscope(sources, 2696).run_test(size=size) as pilot:
        rows = tuple((at + 1, HOSTILE[at:] + HOSTILE[:at]) for at in range(len(HOSTILE)))
        screen = await given(pilot, sources, sample(1, HOSTILE, *rows))
        table = screen.table()
        for place in range(len(HOSTILE) + 1):
            assert f"◂ {[*HOSTILE, 'together'][place]} ▸" in strip(screen)
            assert all(table.render_line(y).cell_length == table.size.width for y in range(table.size.height))
            assert "▸" in "".join(segment.text for segment in screen.query_one("#places", Line).render_line(0))
            await pilot.press("right")
