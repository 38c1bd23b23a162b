"""Each call as it happens: a tail that follows, freezes, is searched and sorted, and forgets what is old."""

import time
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.screens.fakes import CACHE, HOSTILE, LOOP, RECURSIVE, FakeSources, event, events_sample, function
from tests.screens.steps import at, detail, functions, keys, painted, state, type_filter, under, until
from tui.app import Bpfscope
from tui.collectors.samples import Event
from tui.screens.arguments import ArgumentsScreen
from tui.screens.events import EventsScreen
from tui.screens.functions import FunctionsScreen
from tui.screens.probe import ProbeScreen
from tui.screens.tail import KEPT

SIZE = (120, 24)


async def events(pilot: Pilot[Any], sources: FakeSources) -> EventsScreen:
    """The calls of the three functions of the talk."""
    await functions(pilot)
    await type_filter(pilot, "main.fib")
    await pilot.press("a", "v")
    screen = await at(pilot, EventsScreen)
    await until(pilot, lambda: sources.tracings and not screen.busy)
    return screen


async def seen(pilot: Pilot[Any], sources: FakeSources, elapsed: float, *given: Event, **changes: Any) -> EventsScreen:  # noqa: ANN401
    """The screen, after these events too."""
    screen = pilot.app.screen if isinstance(pilot.app.screen, EventsScreen) else await events(pilot, sources)
    sources.tracings[-1].give(events_sample(elapsed, *given, **changes))
    await until(pilot, lambda: screen.sample is not None and screen.sample.elapsed == elapsed)
    return screen


def some(number: int, second: int) -> list[Event]:
    return [event(second + at / 1000, ("n", at), gave=at * at) for at in range(number)]


async def test_the_tail_follows(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=SIZE) as pilot:
        screen = await seen(pilot, sources, 1, event(0.25, ("n", 3), gave=2), event(0.5, of=LOOP, took=None))
        lines = painted(screen)
        assert lines[1].split() == [
            "00:00.250",
            "2697",
            "fibonacci",
            "main.fibonacciRecursive(n=3)",
            "=",
            "2",
            "3.1",
            "µs",
        ]
        assert lines[2].split()[1:] == ["00:00.500", "2697", "fibonacci", "main.fibonacciLoop()", "–"]
        assert (
            state(screen)
            == "2.0 events/s · costs 2.7 % of a CPU · 7.1 % of its time (budget 10 %) · 2 events · live ● · every 1 s"
        )
        await seen(pilot, sources, 2, *some(50, 1), seen=52)
        assert under(screen).event == some(50, 1)[-1]
        assert "(n=49) = 2401" in painted(screen)[-1]
        assert state(screen).startswith(
            "50 events/s · costs 2.7 % of a CPU · 7.1 % of its time (budget 10 %) · 52 events"
        )
        assert detail(screen) == (
            "main.fibonacciRecursive(n=49) = 2401  began 00:01.048997 · took 3,100 ns · "
            "fibonacci, thread 2697 of process 2696 · fibonacci"
        )


async def test_the_tail_follows_from_the_first_painting_on(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=(80, 24)) as pilot:
        many = [one._replace(goroutine=0x176E8AF10000 + at) for at, one in enumerate(some(446, 0))]
        await seen(pilot, sources, 0.05, *many[:4])
        screen = await seen(pilot, sources, 0.55, *many[4:], seen=446)
        assert "(n=445) = 198025" in painted(screen)[-1]
        assert "g …" in painted(screen)[-1]
        assert "101bd" in painted(screen)[-1]
        assert state(screen).startswith("884 events/s · costs 2.7 % of a CPU · 446 events")


async def test_going_up_freezes(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=SIZE) as pilot:
        screen = await seen(pilot, sources, 1, *some(50, 0))
        await pilot.press("up")
        assert "frozen, 0 newer" in state(screen)
        await seen(pilot, sources, 2, *some(30, 1))
        assert "frozen, 30 newer" in state(screen)
        assert "frozen ‖" in state(screen)
        assert "p follow" in keys(screen)
        assert under(screen).number == 48
        await pilot.press("home")
        assert "(n=0)" in painted(screen)[1]
        await pilot.press("end")
        assert under(screen).number == 79
        assert "frozen" not in state(screen)
        await seen(pilot, sources, 3, *some(10, 2))
        assert under(screen).number == 89


async def test_p_freezes_and_follows(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=SIZE) as pilot:
        screen = await seen(pilot, sources, 1, *some(50, 0))
        assert "p freeze" in keys(screen)
        await pilot.press("p")
        await seen(pilot, sources, 2, *some(5, 1))
        assert "frozen, 5 newer" in state(screen)
        await pilot.press("p")
        assert under(screen).number == 54
        assert "live ●" in state(screen)


async def test_what_is_forgotten_is_counted(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=SIZE) as pilot:
        screen = await seen(pilot, sources, 1, *some(KEPT, 0))
        await pilot.press("up")
        await seen(pilot, sources, 2, *some(300, 1))
        assert "the first 300 are forgotten" in state(screen)
        assert under(screen).number == KEPT - 2
        assert len(screen.table().rows) == KEPT
        await seen(pilot, sources, 3, *some(KEPT, 2))
        assert f"frozen, {KEPT + 300:,} newer" in state(screen)
        await pilot.press("end")
        assert len(screen.table().rows) == KEPT
        assert under(screen).number == 2 * KEPT + 299


async def test_what_was_dropped_is_said(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=SIZE) as pilot:
        await seen(pilot, sources, 1, event(0.5))
        screen = await seen(pilot, sources, 2, event(1.5), seen=2, dropped=1_234, lost=5, unmatched=6)
        assert state(screen).startswith("lost 5 · 1.0 events/s · dropped 1,234 · costs")
        assert "2 events · 6 unmatched" in state(screen)
        assert painted(screen)[3].split() == ["▌", "00:02.000", "──", "1,234", "dropped", "about", "here", "──"]
        await type_filter(pilot, "main.")
        assert "2 events" in state(screen)
        await pilot.press("escape", "g")  # what was dropped isn't a function
        await at(pilot, ArgumentsScreen)


async def test_filtering(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=SIZE) as pilot:
        screen = await seen(pilot, sources, 1, *some(50, 0), event(0.9, of=LOOP, comm="worker"))
        await type_filter(pilot, "n=4")
        assert len(screen.table().rows) == 11
        assert "11 of 51 events" in state(screen)
        await seen(pilot, sources, 2, *some(6, 1))
        assert under(screen).number == 55
        assert "12 of 57 events" in state(screen)
        await pilot.press("up")
        await seen(pilot, sources, 3, *some(6, 2))
        assert "frozen, 1 newer" in state(screen)
        await pilot.press("escape")
        assert len(screen.table().rows) == 63
        await type_filter(pilot, "WORKER")
        assert len(screen.table().rows) == 1
        await type_filter(pilot, "[/]")
        assert "no call matches [/]" in "".join(painted(screen))


async def test_the_longest_first(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=SIZE) as pilot:
        given = [event(at / 100, took=took, of=CACHE) for at, took in enumerate((500, 9_000, 70, None, 1_000))]
        screen = await seen(pilot, sources, 1, *given)
        await pilot.press("s")
        assert [row.number for row in screen.table().rows] == [1, 4, 0, 2, 3]
        assert "p pause" in keys(screen)
        await seen(pilot, sources, 2, event(1.5, took=4_000))
        assert [row.number for row in screen.table().rows] == [1, 5, 4, 0, 2, 3]
        await pilot.press("p")
        await seen(pilot, sources, 3, event(2.5, took=2))
        assert len(screen.table().rows) == 6
        assert "paused" in state(screen)
        await pilot.press("s")
        assert under(screen).number == 6
        assert "live ●" in state(screen)


async def test_events_are_kept_while_another_view_is_looked_at(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=SIZE) as pilot:
        screen = await seen(pilot, sources, 1, *some(5, 0))
        await pilot.press("c")
        await at(pilot, ProbeScreen)
        sources.tracings[-1].give(events_sample(2, *some(20, 1)))
        await until(pilot, lambda: screen.sample is not None and screen.sample.elapsed == 2)
        assert len(screen.table().rows) == 5
        await pilot.press("v")
        await at(pilot, EventsScreen)
        assert under(screen).number == 24


async def test_no_call_yet_and_the_end(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=SIZE) as pilot:
        screen = await seen(pilot, sources, 1)
        assert "no call yet" in "".join(painted(screen))
        await pilot.press("p", "up", "end", "s", "s")
        await seen(pilot, sources, 4, *some(9, 3), ended="was killed by SIGKILL")
        assert state(screen).startswith(
            "fibonacci 2696 was killed by SIGKILL; measured for 00:04; the numbers stay · 9 events"
        )
        assert under(screen).number == 8
        await pilot.press("up", "p")
        assert under(screen).number == 8
        await pilot.press("escape")
        below = await at(pilot, FunctionsScreen)
        assert "SIGKILL" in below.over
        assert sources.tracings[-1].closed == 1


@pytest.mark.parametrize("width", [60, 80, 120])
async def test_hostile_values_are_shown_literally(sources: FakeSources, width: int) -> None:
    async with Bpfscope(sources, 2696).run_test(size=(width, 24)) as pilot:
        given = [
            event(1, ("path", name), of=function(name, at), comm=name, gave=name) for at, name in enumerate(HOSTILE)
        ]
        screen = await seen(pilot, sources, 1, *given)
        table = screen.table()
        assert all(table.render_line(y).cell_length == table.size.width for y in range(24))
        assert "[/](" in painted(screen)[1]


async def test_a_thousand_events_per_second_stay_light(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=(160, 50)) as pilot:
        screen = await seen(pilot, sources, 1, *some(KEPT, 0))
        batches = [events_sample(second, *some(1_000, second)) for second in range(2, 12)]
        started = time.process_time()
        for batch in batches:
            screen.take(batch)
            screen.sample = batch
            screen.show_latest()
        assert (time.process_time() - started) / len(batches) < 0.1  # 0.01 s on an idle machine
        assert under(screen).event == batches[-1].events[-1]
        assert RECURSIVE.name in painted(screen)[-1]
