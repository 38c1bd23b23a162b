"""Where to look first: shares of CPU time beside modules and functions, and the way from a module to what is hot."""

import asyncio
from typing import Any

from textual.pilot import Pilot

from tests.screens.fakes import CACHE, FUNCTIONS, LOOP, MODULES, RECURSIVE, FakeSampling, FakeSources, function
from tests.screens.steps import at, functions, keys, names, painted, probe, state, ticks, type_filter, until
from tui.app import Bpfscope
from tui.collectors.samples import Suspended
from tui.errors import NotPermitted
from tui.screens.confirm import ConfirmScreen
from tui.screens.functions import FunctionsScreen
from tui.screens.help import HelpScreen
from tui.screens.latency import LatencyScreen
from tui.screens.probe import ProbeScreen
from tui.screens.processes import ProcessesScreen

SIZE = (120, 36)
MALLOC = FUNCTIONS["libc.so.6"][0]
SPLIT = {RECURSIVE: 610, LOOP: 31, MALLOC: 240}


async def sampled(
    pilot: Pilot[Any], sources: FakeSources, kernel: int = 0, elsewhere: int = 0
) -> tuple[FunctionsScreen, FakeSampling]:
    """The functions, with a sample."""
    screen = await functions(pilot)
    await until(pilot, lambda: sources.samplings)
    sources.samplings[-1].tick(10.0, SPLIT, kernel=kernel, elsewhere=elsewhere)
    await until(pilot, lambda: "samples" in state(screen))
    return screen, sources.samplings[-1]


def modules_painted(screen: FunctionsScreen) -> list[str]:
    pane = screen.modules_table
    return ["".join(segment.text for segment in pane.render_line(y)) for y in range(1, 6)]


async def test_shares_beside_functions_and_modules(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen = await functions(pilot)
        assert "sampling CPU" in state(screen)
        await sampled(pilot, sources, kernel=100, elsewhere=19)
        assert "sampling CPU · 1,000 samples · 10.0 % in the kernel · 1.9 % elsewhere" in state(screen)
        assert "64.1" in modules_painted(screen)[1]
        assert "24.0" in modules_painted(screen)[2]
        lines = {line.strip("▌ ").split()[0]: line for line in painted(screen)[1:]}
        assert " 61.0 " in lines[RECURSIVE.name]
        assert " 3.1 " in lines[LOOP.name]
        assert "." not in lines[CACHE.name].removeprefix(f"   {CACHE.name}")


async def test_sorted_by_share_as_samples_come(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, sampling = await sampled(pilot, sources)
        assert "CPU % ↓" in state(screen)
        await until(pilot, lambda: names(screen.functions.rows)[:3] == [RECURSIVE.name, LOOP.name, "main.Map[...]"])
        sampling.tick(11.0, SPLIT | {CACHE: 2_000})
        await until(pilot, lambda: names(screen.functions.rows)[:3] == [CACHE.name, RECURSIVE.name, LOOP.name])
        await type_filter(pilot, "o")
        assert names(screen.functions.rows)[:3] == [CACHE.name, RECURSIVE.name, LOOP.name]
        await pilot.press("S")
        await until(pilot, lambda: names(screen.functions.rows)[-1] == CACHE.name)


async def test_rows_stand_still_while_the_cursor_moves(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, sampling = await sampled(pilot, sources)
        clock = 5.0
        screen.functions.now = lambda: clock
        await until(pilot, lambda: screen.functions.rows[0] == RECURSIVE)
        await pilot.press("down")
        sampling.tick(11.0, SPLIT | {CACHE: 2_000})
        await until(pilot, lambda: "2,881 samples" in state(screen))
        assert screen.functions.rows[0] == RECURSIVE
        assert screen.functions.row == LOOP
        clock = 50.0
        sampling.tick(12.0, SPLIT | {CACHE: 2_001})
        await until(pilot, lambda: screen.functions.rows[0] == CACHE)
        assert screen.functions.row == LOOP


async def test_nothing_ran(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen = await functions(pilot)
        sources.samplings[-1].tick(3.0, {})
        await until(pilot, lambda: "sampling CPU: nothing ran" in state(screen))


async def test_without_permission_the_screen_goes_on(sources: FakeSources) -> None:
    sources.refusals["sampling"] = NotPermitted("Linux doesn't let this user sample CPU time: run as root")
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen = await functions(pilot)
        await until(pilot, lambda: "no CPU sampling" in state(screen))
        await until(pilot, lambda: len(pilot.app._notifications) == 1)
        assert "run as root" in next(iter(pilot.app._notifications)).message
        await pilot.press("enter")
        await at(pilot, ProbeScreen)
        await pilot.press("escape")
        await at(pilot, FunctionsScreen)
        assert not sources.samplings


async def test_sampling_ends_where_nobody_looks(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, sampling = await sampled(pilot, sources)
        await pilot.press("question_mark")
        await at(pilot, HelpScreen)
        await pilot.press("escape")
        await at(pilot, FunctionsScreen)
        assert not sampling.closed
        await pilot.press("enter")
        await at(pilot, ProbeScreen)
        await until(pilot, lambda: sampling.closed == 1)
        await pilot.press("escape")
        await at(pilot, FunctionsScreen)
        await until(pilot, lambda: len(sources.samplings) == 2)
        assert screen.hotness.of(RECURSIVE) > 0.6
        await pilot.press("escape")
        await at(pilot, ProcessesScreen)
        await until(pilot, lambda: sources.samplings[1].closed == 1)
        assert not pilot.app._sessions  # type: ignore[attr-defined]


async def test_sampling_ends_with_the_console(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        _, sampling = await sampled(pilot, sources)
        await pilot.press("q")
    assert sampling.closed == 1


async def test_sampling_that_begins_while_one_leaves_is_ended(sources: FakeSources) -> None:
    sources.holds["sampling"] = asyncio.Event()
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        await functions(pilot)
        await pilot.press("escape")
        await pilot.pause()
        sources.holds["sampling"].set()
        await at(pilot, ProcessesScreen)
        await until(pilot, lambda: sources.samplings and sources.samplings[0].closed == 1)


async def test_the_end_of_the_target_is_said(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, sampling = await sampled(pilot, sources)
        sampling.tick(12.0, SPLIT, ended="exited 0")
        await until(pilot, lambda: "fibonacci 2696 exited 0" in state(screen))
        await until(pilot, lambda: sampling.closed == 1)
        assert "sampling" not in state(screen)
        assert "881 samples" in state(screen)


async def test_a_module_is_marked_and_counted_with_two_keys(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen = await functions(pilot)
        await pilot.press("tab", "space")
        assert "● 53 marked" in state(screen)
        await pilot.press("space")
        assert "marked" not in state(screen)
        sources.holds["libc.so.6"] = asyncio.Event()
        await pilot.press("down", "space")
        assert "marked" not in state(screen)
        sources.holds["libc.so.6"].set()
        await until(pilot, lambda: "● 8 marked" in state(screen))
        await pilot.press("c")
        await at(pilot, ProbeScreen)
        assert {one.module for one in sources.asked[0]} == {MODULES[1].name}


async def test_a_package_is_marked(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen = await functions(pilot)
        await type_filter(pilot, "Loop")
        await pilot.press("m")
        assert "● 5 marked" in state(screen)
        await pilot.press("m")
        assert "marked" not in state(screen)


async def test_a_function_of_no_package(sources: FakeSources) -> None:
    sources.functions_of["fibonacci"] = (function("main", 0x1000),)
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen = await functions(pilot)
        await pilot.press("m")
        await until(pilot, lambda: len(pilot.app._notifications) == 1)
        assert "marked" not in state(screen)


async def test_the_way_to_what_is_hot(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        await sampled(pilot, sources)
        screen, probing = await probe(pilot, sources, "main.")
        calls = {RECURSIVE.name: 97_331, LOOP.name: 99, CACHE.name: 0, "main.main": 0, "main.Map[...]": 7}
        await ticks(pilot, screen, probing, calls)
        assert "h keep hot" in keys(screen)
        await pilot.press("h", "l")
        await at(pilot, LatencyScreen)
        await until(pilot, lambda: probing.removed)
        # main.fibonacciLoop was seldom called, but took 3 % of the CPU time
        assert {one.name for one in probing.removed[0]} == {CACHE.name, "main.main", "main.Map[...]"}
        await until(pilot, lambda: len(sources.asked) == 2)
        assert {one.name for one in sources.asked[1]} == {RECURSIVE.name, LOOP.name}


async def test_nothing_is_cold(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, {})
        await pilot.press("h")
        calls = {RECURSIVE.name: 50, LOOP.name: 50, CACHE.name: 50}
        await ticks(pilot, screen, probing, calls)
        await pilot.press("h")
        await until(pilot, lambda: len(pilot.app._notifications) == 2)
        assert [one.message for one in pilot.app._notifications] == ["nothing was called yet", "all of these are hot"]
        assert not probing.removed


async def test_what_the_budget_took_off_is_said_of_what_is_kept(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        probing.cost = probing.cost._replace(suspended=(Suspended(RECURSIVE, "too dear", 1.0),))
        await ticks(pilot, screen, probing, {RECURSIVE.name: 97_331, LOOP.name: 9_999, CACHE.name: 0})
        await pilot.press("h")
        said = "2 functions kept, 1 of them taken off by the budget (u); l times them, f shows who calls them"
        await until(pilot, lambda: said in [one.message for one in pilot.app._notifications])


async def test_a_question_says_of_each_view_how_much_it_holds_where_that_differs(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, {RECURSIVE.name: 97_331, LOOP.name: 9_999, CACHE.name: 0})
        await pilot.press("l")
        await at(pilot, LatencyScreen)
        await pilot.press("c")
        await at(pilot, ProbeScreen)
        await pilot.press("h")
        await until(pilot, lambda: screen.count == 2)
        await pilot.press("escape")
        question = await at(pilot, ConfirmScreen)
        assert question.question == "Detach 2 functions in Calls, 3 in Latency and go back?"
        await pilot.press("n", "q")
        question = await at(pilot, ConfirmScreen)
        assert question.question == "Detach 2 functions in Calls, 3 in Latency and quit?"


async def test_an_order_that_somebody_chose_stays(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen = await functions(pilot)
        await pilot.press("S")
        assert "FUNCTION ↓" in state(screen)
        await sampled(pilot, sources)
        assert "FUNCTION ↓" in state(screen)
        assert screen.functions.rows[0].name == "runtime.wakeTimer"


async def test_what_is_hot_waits_for_a_cursor_that_moves_and_leaves_it_on_its_row(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen = await functions(pilot)
        clock = 5.0
        screen.functions.now = lambda: clock
        await pilot.press("down")
        row = screen.functions.row
        _, sampling = await sampled(pilot, sources)
        assert names(screen.functions.rows)[:2] == ["main.Map[...]", CACHE.name]
        clock = 50.0
        sampling.tick(12.0, SPLIT)
        await until(pilot, lambda: screen.functions.rows[0] == RECURSIVE)
        assert screen.functions.row is row


async def test_what_compilers_link_into_every_program_comes_last(sources: FakeSources) -> None:
    linked = tuple(function(name, 0x1000 + at) for at, name in enumerate(("__do_global_dtors_aux", "_start")))
    sources.functions_of["fibonacci"] = (*linked, *FUNCTIONS["fibonacci"])
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen = await functions(pilot)
        assert names(screen.functions.rows)[-2:] == ["__do_global_dtors_aux", "_start"]
