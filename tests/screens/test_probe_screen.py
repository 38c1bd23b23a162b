"""A running probe: numbers, pause, reset, adding, removing, every way out, and that nothing stays attached."""

import asyncio
import json
from pathlib import Path

import pytest
from textual.widgets import Static

from tests.screens.fakes import CACHE, HOSTILE, LOOP, MODULES, RECURSIVE, FakeSources, function, timed
from tests.screens.steps import (
    at,
    context,
    detail,
    functions,
    keys,
    names,
    painted,
    probe,
    state,
    ticks,
    type_filter,
    until,
)
from tui.app import Bpfscope
from tui.collectors.samples import Cost, CountsSample, LatencySample, Suspended
from tui.elf.names import Skipped
from tui.screens.arguments import ArgumentsScreen
from tui.screens.attached import NEVER, STOPPING
from tui.screens.bpftrace import BpftraceScreen
from tui.screens.confirm import ConfirmScreen
from tui.screens.functions import FunctionsScreen
from tui.screens.latency import LatencyScreen
from tui.screens.probe import ProbeScreen
from tui.screens.skipped import SkippedScreen

SIZE = (120, 36)
FIRST = {"main.fibonacciCache": 10, "main.fibonacciLoop": 90}
THEN = {"main.fibonacciCache": 60, "main.fibonacciLoop": 240}


async def test_counts_rates_and_shares(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, FIRST, THEN)
        cells = [line.split() for line in painted(screen)[1:4]]
        assert cells[0][1:4] == ["main.fibonacciLoop", "240", "150"]
        assert cells[1][:3] == ["main.fibonacciCache", "60", "50"]
        assert "80.0 %" in painted(screen)[1]
        assert (
            state(screen)
            == "200 calls/s · costs 2.7 % of a CPU · 7.1 % of its time (budget 10 %) · 300 calls · live ● · every 1 s"
        )
        assert context(screen) == (
            "fibonacci 2696 ▸ 3 functions · c Calls  l Latency  f Flame  g Arguments  v Events · 00:01"
        )


async def test_the_nearest_bpftrace_program(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, FIRST)
        await pilot.press("w")
        shown = await at(pilot, BpftraceScreen)
        program = str(shown.query_one("#program", Static).render())
        assert program.startswith("bpftrace -p 2696 -e '")
        assert program.count("uprobe:/home/eva/fibonacci:") == 3
        assert len(shown.query(".wrong")) == 1
        await pilot.press("escape", "l")
        await at(pilot, LatencyScreen)
        await pilot.press("w")
        shown = await at(pilot, BpftraceScreen)
        assert "DON'T RUN IT" in str(shown.query(".wrong").first(Static).render())
        await pilot.press("w")
        await at(pilot, LatencyScreen)


async def test_attaching_is_said(sources: FakeSources) -> None:
    sources.holds["probe"] = asyncio.Event()
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        await functions(pilot)
        await type_filter(pilot, "main.fib")
        await pilot.press("a", "enter")
        screen = await at(pilot, ProbeScreen)
        assert "attaching 3 functions …" in state(screen)
        sources.holds["probe"].set()
        await until(pilot, lambda: not screen.busy)


async def test_an_attach_error_is_shown_and_esc_leads_back(sources: FakeSources) -> None:
    sources.refusals["probe"] = "probing needs CAP_BPF: run bpfscope as root [/]"
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        await functions(pilot)
        await pilot.press("enter")
        screen = await at(pilot, ProbeScreen)
        await until(pilot, lambda: screen.failure)
        assert str(screen.query_one("#failure").render()) == "probing needs CAP_BPF: run bpfscope as root [/]"
        assert keys(screen) == "esc back  w as bpftrace  ? help  q quit"
        await pilot.press("escape")
        await at(pilot, FunctionsScreen)


async def test_pause_stops_painting_not_counting(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, FIRST)
        await pilot.press("p")
        await ticks(pilot, screen, probing, THEN)
        assert "paused ‖" in state(screen)
        assert "240" not in "\n".join(painted(screen))
        await pilot.press("p")
        assert "240" in "\n".join(painted(screen))
        assert "300 calls" in state(screen)


async def test_reset_counts_from_here(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, FIRST)
        await pilot.press("r")
        await ticks(pilot, screen, probing, THEN)
        assert "since reset 00:01" in context(screen)
        assert "200 calls" in state(screen)
        assert sorted(row.calls for row in screen.table().rows) == [0, 50, 150]


async def test_the_rate_of_reading_changes(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, FIRST)
        await pilot.press("plus")
        await until(pilot, lambda: probing.intervals[-1] == 0.5)
        await ticks(pilot, screen, probing, THEN)
        assert "every 0.5 s" in state(screen)
        assert "300 calls" in state(screen)


SKIPPED = Skipped(CACHE, "the kernel can't probe its first instruction")
INEXACT = Skipped(LOOP, "it branches back to its first byte")


@pytest.mark.parametrize(
    ("skipped", "inexact", "said"),
    [
        ((SKIPPED,), (), "1 function could not be probed"),
        ((), (INEXACT,), "1 function is probed, but not exactly"),
        ((SKIPPED,), (INEXACT,), "2 functions are not probed, or not exactly"),
    ],
)
async def test_what_was_skipped_or_is_inexact_is_listed(
    sources: FakeSources, skipped: tuple[Skipped, ...], inexact: tuple[Skipped, ...], said: str
) -> None:
    sources.skipped, sources.inexact = skipped, inexact
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, FIRST)
        assert ("1 skipped (x)" in state(screen), "1 inexact (x)" in state(screen)) == (bool(skipped), bool(inexact))
        await pilot.press("x")
        listed = await at(pilot, SkippedScreen)
        for one, line in zip((*skipped, *inexact), painted(listed)[1:], strict=False):
            assert one.function.name in line
            assert one.reason in line
        assert said in state(listed)
        await pilot.press("escape")
        await at(pilot, ProbeScreen)


async def test_the_list_of_what_was_skipped_says_how_much_the_filter_leaves(sources: FakeSources) -> None:
    sources.skipped = (Skipped(LOOP, "too short"), Skipped(CACHE, "a lock prefix, and a reason that takes long to say"))
    async with Bpfscope(sources, pid=2696).run_test(size=(60, 20)) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, {})
        await pilot.press("x")
        listed = await at(pilot, SkippedScreen)
        assert all("…" in line or line.endswith("short") for line in painted(listed)[1:3])
        await type_filter(pilot, "lock")
        assert "1 of 2 functions that could not be probed" in state(listed)


async def test_lost_calls_are_said(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        probing.tick(1, FIRST, lost=1_234)
        await until(pilot, lambda: "lost 1,234" in state(screen))


async def test_functions_are_added_to_the_running_probe(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, FIRST)
        await pilot.press("a")
        chooser = await at(pilot, FunctionsScreen)
        assert "◉ 3 probed" in state(chooser)
        assert painted(chooser)[1].startswith("▌◉")
        assert "enter add to the probe" in keys(chooser)
        await ticks(pilot, screen, probing, THEN)
        await type_filter(pilot, "main.main")
        await pilot.press("space", "enter")
        assert await at(pilot, ProbeScreen) is screen
        await until(pilot, lambda: probing.added)
        await ticks(pilot, screen, probing, {"main.main": 5})
        assert "main.main" in names(screen.table().rows)
        assert probing.closed == 0
        await pilot.press("escape", "enter")
        assert await at(pilot, FunctionsScreen) is chooser
        assert probing.closed == 1
        assert not screen.is_attached
        assert "probed" not in state(chooser)
        assert "● 4 marked" in state(chooser)  # those that were probed: another view of them is a key away
        assert "enter probe  " in keys(chooser)
        assert not any(line[1] == "◉" for line in painted(chooser)[1:] if line)


async def test_esc_while_adding_leads_back_to_the_probe(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, FIRST)
        await pilot.press("a", "escape", "escape")
        assert await at(pilot, ProbeScreen) is screen
        await pilot.press("a")
        await at(pilot, FunctionsScreen)
        await pilot.press("enter")
        assert await at(pilot, ProbeScreen) is screen
        assert (probing.added, probing.closed) == ([], 0)


async def test_an_error_while_adding_leaves_the_probe_alone(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        probing.refuse = "[bold]main.main[/] can't be probed"
        await ticks(pilot, screen, probing, FIRST)
        await pilot.press("a", "escape")
        await type_filter(pilot, "main.main")
        await pilot.press("enter")
        await at(pilot, ProbeScreen)
        await until(pilot, lambda: [one.message for one in pilot.app._notifications] == [probing.refuse])
        await ticks(pilot, screen, probing, THEN)
        assert "300 calls" in state(screen)


async def test_functions_are_removed(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, FIRST, THEN)
        await pilot.press("d")
        await until(pilot, lambda: probing.removed == [(LOOP,)])
        await ticks(pilot, screen, probing, {})
        assert set(names(screen.table().rows)) == {CACHE.name, RECURSIVE.name}
        await pilot.press("home", "space", "space", "delete")
        await until(pilot, lambda: len(probing.removed) == 2)
        await ticks(pilot, screen, probing, {})
        assert not screen.table().rows
        assert "nothing is probed; a adds functions" in painted(screen)[2]
        assert "▸ 0 functions" in context(screen)
        assert "live" not in state(screen)
        await pilot.press("q")
        await until(pilot, lambda: not pilot.app.is_running)  # there is nothing to ask about


async def test_esc_detaches_and_returns_to_the_same_row(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        chooser = await functions(pilot)
        await type_filter(pilot, "runtime")
        await pilot.press("end", "up", "up")
        row, scroll = chooser.functions.row, chooser.functions.scroll_y
        await pilot.press("enter")
        screen = await at(pilot, ProbeScreen)
        await until(pilot, lambda: sources.probings and not screen.busy)
        sources.probing.hold = asyncio.Event()
        await pilot.press("escape")
        await until(pilot, lambda: "detaching 1 function …" in state(screen))
        await pilot.press("escape", "escape", "a", "d", "r")
        assert pilot.app.screen is screen
        sources.probing.hold.set()
        assert await at(pilot, FunctionsScreen) is chooser
        assert sources.probing.closed == 1
        assert chooser.functions.row is row
        assert chooser.functions.scroll_y == scroll
        assert chooser.prompt.text == "runtime"


async def test_esc_asks_once_there_is_something_to_lose(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, FIRST, THEN)
        for no in ("escape", "n", "ctrl+c"):
            await pilot.press("escape")
            question = await at(pilot, ConfirmScreen)
            assert question.question == "Detach 3 functions and go back?"
            await pilot.press(no)
            if no == "ctrl+c":
                question = await at(pilot, ConfirmScreen)
                assert question.question == "Detach 3 functions and quit?"
                await pilot.press("n")
            assert await at(pilot, ProbeScreen) is screen
        assert probing.closed == 0
        await pilot.press("escape", "enter")
        await at(pilot, FunctionsScreen)
        assert probing.closed == 1
        assert sources.over == [2696]


async def test_what_the_budget_took_off_is_marked(sources: FakeSources) -> None:
    sources.skipped = (Skipped(CACHE, "too short"),)
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, FIRST)
        reason = "the probes took 31 % of the target's time, and the budget is 10 %"
        probing.cost = Cost(4.0, 10.0, (Suspended(LOOP, reason, 1.5),))
        await ticks(pilot, screen, probing, THEN)
        row = next(line for line in painted(screen) if LOOP.name in line)
        assert row[1] == "×"
        assert row.split()[-3:] == ["240", "–", "–"]
        await pilot.press("x")
        listed = await at(pilot, SkippedScreen)
        assert state(listed).endswith("not probed · 1 of them taken off by the budget: u in the views puts them back")
        assert any(f"taken off after 1.5 s: {reason}" in line for line in painted(listed))
        await pilot.press("escape", "u")
        await until(pilot, lambda: probing.undone == 1)


async def test_leaving_while_it_attaches_detaches_all_the_same(sources: FakeSources) -> None:
    sources.holds["probe"] = asyncio.Event()
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        await functions(pilot)
        await pilot.press("enter")
        screen = await at(pilot, ProbeScreen)
        await pilot.press("escape")
        await until(pilot, lambda: state(screen) == STOPPING)
        assert painted(screen)[2].strip() == STOPPING
        sources.holds["probe"].set()
        await at(pilot, FunctionsScreen)
        assert sources.probing.closed == 1


async def test_the_end_of_the_target(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, FIRST)
        probing.tick(83, THEN, ended="exited 0")
        await until(pilot, lambda: "fibonacci 2696 exited 0; measured for 01:23; the numbers stay" in state(screen))
        assert "300 calls" in state(screen)
        await pilot.press("p", "plus", "d", "a", "r", "space")
        assert pilot.app.screen is screen
        await pilot.press("escape")
        await at(pilot, FunctionsScreen)
        assert probing.closed == 1


@pytest.mark.parametrize("key", ["q", "ctrl+c", "ctrl+q"])
async def test_quit_asks_while_a_probe_is_attached(sources: FakeSources, key: str) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, FIRST)
        for no in ("n", "escape"):
            await pilot.press(key)
            question = await at(pilot, ConfirmScreen)
            assert question.question == "Detach 3 functions and quit?"
            await pilot.press(no)
            assert await at(pilot, ProbeScreen) is screen
        await pilot.press(key, "y")
        await until(pilot, lambda: not pilot.app.is_running)
    assert probing.closed == 1


async def test_quit_asks_while_functions_are_added(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, FIRST)
        await pilot.press("a")
        await at(pilot, FunctionsScreen)
        await pilot.press("q")
        await at(pilot, ConfirmScreen)
        await pilot.press("enter")
        await until(pilot, lambda: not pilot.app.is_running)
    assert probing.closed == 1


@pytest.mark.parametrize("hidden", [False, True])
async def test_whatever_ends_the_console_detaches(sources: FakeSources, hidden: bool) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, FIRST)
        if hidden:
            await pilot.press("a")
        pilot.app.exit()
    assert probing.closed == 1


async def test_a_crash_detaches(sources: FakeSources) -> None:
    async def crash() -> None:
        async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
            await probe(pilot, sources)
            pilot.app.call_later(lambda: 1 // 0)
            await pilot.pause()

    with pytest.raises(ZeroDivisionError):
        await crash()
    assert sources.probing.closed == 1


async def test_without_a_probe_quit_does_not_ask(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        await functions(pilot)
        await pilot.press("ctrl+c")
        await until(pilot, lambda: not pilot.app.is_running)


async def test_export(sources: FakeSources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, FIRST, THEN)
        await pilot.press("e")
        await until(pilot, lambda: list(tmp_path.glob("bpfscope-2696-*.json")) and pilot.app._notifications)
        (file,) = tmp_path.glob("*.json")  # noqa: ASYNC240
        content = json.loads(file.read_text())
        assert content["pid"] == 2696
        assert {one["function"]: one["calls"] for one in content["functions"]} == {**THEN, RECURSIVE.name: 0}
        assert [one.message for one in pilot.app._notifications] == [f"written to {file}"]


async def test_an_export_that_fails_says_why(
    sources: FakeSources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "[x] gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(Path, "cwd", lambda: folder)
    folder.rmdir()
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, FIRST)
        await pilot.press("e")
        await until(pilot, lambda: pilot.app._notifications)
        (notice,) = pilot.app._notifications
        assert notice.message.endswith("can't be written: no such file or directory")
        assert not notice.markup


async def test_filter_and_sort(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, FIRST, THEN)
        await type_filter(pilot, "cache")
        assert names(screen.table().rows) == [CACHE.name]
        await pilot.press("escape", "s", "s")
        assert "FUNCTION ↑" in painted(screen)[0]
        await pilot.press("s", "S")
        assert names(screen.table().rows)[0] == RECURSIVE.name


async def test_functions_of_several_modules_show_theirs(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        chooser = await functions(pilot)
        await pilot.press("space", "tab", "down", "enter")
        await until(pilot, lambda: chooser.module == MODULES[1] and chooser.functions.rows)
        await pilot.press("a", "enter")
        screen = await at(pilot, ProbeScreen)
        await until(pilot, lambda: sources.probings and not screen.busy)
        await ticks(pilot, screen, sources.probing, dict.fromkeys(HOSTILE, 5))
        shown = "\n".join(painted(screen))
        assert "MODULE" in shown
        assert all(name in shown for name in HOSTILE)


@pytest.mark.parametrize("size", [(60, 20), (40, 12), (20, 6), (8, 3)])
async def test_small_terminals(sources: FakeSources, size: tuple[int, int]) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=size) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, FIRST, THEN)
        await pilot.press("down", "s", "space", "question_mark", "escape", "q", "n")
        assert all(len(line) <= size[0] for line in painted(screen))


async def test_columns_are_dropped_whole(sources: FakeSources) -> None:
    longer = tuple(function(f"main.{'f' * 30}{index}", 0x1000 * index) for index in range(40))
    sources.functions_of["fibonacci"] = longer
    for size in ((60, 20), (80, 24), (100, 30)):
        async with Bpfscope(sources, pid=2696).run_test(size=size) as pilot:
            screen, probing = await probe(pilot, sources, "main.")
            await ticks(pilot, screen, probing, {longer[0].name: 1}, {longer[0].name: 9})
            assert screen.table().show_vertical_scrollbar
            for line, end in zip(painted(screen)[:2], ("SHARE", "100.0 %"), strict=True):
                assert end in line
                assert len(line) < size[0]  # the scroll bar has the last cell


async def test_the_keys_of_a_narrow_terminal(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(60, 20)) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, FIRST)
        assert keys(screen) == "p pause  r reset  d remove  esc detach  ? help  q quit"


async def test_functions_of_one_name_show_their_addresses(sources: FakeSources) -> None:
    long = f"Shape::Shape({'int, ' * 20}int)"
    twins = (function(long, 0x1180), function(long, 0x11C0), function("Shape::area()", 0x1200))
    sources.functions_of["fibonacci"] = twins
    async with Bpfscope(sources, pid=2696).run_test(size=(80, 24)) as pilot:
        screen, probing = await probe(pilot, sources, "Shape")
        await ticks(pilot, screen, probing, {})
        shown = painted(screen)
        assert [any(f"  {address}  " in line for line in shown) for address in ("1180", "11c0", "1200")] == [
            True,
            True,
            False,
        ]
        assert detail(screen).endswith("fibonacci · 1180")


async def test_a_module_that_is_added_gets_its_column(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, FIRST)
        assert "MODULE" not in painted(screen)[0]
        probing.functions += (sources.functions_of["libc.so.6"][0],)
        await ticks(pilot, screen, probing, {"malloc": 3})
        assert "MODULE" in painted(screen)[0]
        assert any("libc.so.6" in line for line in painted(screen))


async def test_half_an_expression_keeps_the_rows(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, FIRST)
        await type_filter(pilot, "cache")
        assert "1 of 3 functions" in state(screen)
        await type_filter(pilot, "/(loop")
        await ticks(pilot, screen, probing, THEN)
        assert "unfinished expression" in state(screen)
        assert names(screen.table().rows) == [CACHE.name]


async def test_a_reading_that_contradicts_itself_is_survived(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, FIRST)
        probing._queue.put_nowait(CountsSample(1005, 5, probing.functions, (), 0, "exited 0"))
        await until(pilot, lambda: "exited 0" in state(screen))
        assert "100 calls" in state(screen)


async def test_what_is_off_in_another_view_is_listed_in_every_view(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, FIRST)
        assert "x skipped" not in keys(screen)
        await pilot.press("l")
        timing_screen = await at(pilot, LatencyScreen)
        await until(pilot, lambda: sources.timings and not timing_screen.busy)
        timing = sources.timings[-1]
        reason = "the probes took 61 % of the target's time, and the budget is 10 %"
        cost = Cost(4.0, 10.0, (Suspended(LOOP, reason, 11.0),), 3.0)
        timing.give(LatencySample(1002, 2, timing.functions, (timed(),) * 3, 0, cost=cost))
        await until(pilot, lambda: "1 taken off (u)" in state(timing_screen))
        await pilot.press("c")
        await at(pilot, ProbeScreen)
        await ticks(pilot, screen, probing, THEN)
        assert "1 taken off in Latency (x)" in state(screen)
        assert "x skipped" in keys(screen)
        await pilot.press("x")
        listed = await at(pilot, SkippedScreen)
        assert state(listed) == "1 function is not probed · taken off by the budget: u in the views puts it back"
        assert "main.fibonacciLoop Latency taken off after 11.0 s" in " ".join(painted(listed)[1].split())
        await pilot.press("escape")
        probing.tick(9, {}, ended="exited 0")
        await until(pilot, lambda: screen.ended)
        assert "1 taken off in Latency (x)" in state(screen)
        timing.give(LatencySample(1009, 9, timing.functions, (timed(),) * 3, 0, "exited 0", cost))
        await pilot.press("l")
        await until(pilot, lambda: "1 taken off (x)" in state(timing_screen))
        assert not timing_screen.can("undo")


async def test_a_view_that_is_opened_when_the_target_has_ended_says_so(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        probing.tick(1, FIRST, ended="exited 0")
        await until(pilot, lambda: screen.ended)
        await pilot.press("g")
        never = await at(pilot, ArgumentsScreen)
        assert state(never) == "fibonacci 2696 exited 0"
        assert NEVER in str(never.query_one("#failure", Static).content)
        assert not sources.valuations
        assert not never.can("next_function")
        await pilot.press("t", "right_square_bracket", "c")
        assert await at(pilot, ProbeScreen) is screen
        await pilot.press("g")
        assert await at(pilot, ArgumentsScreen) is never
        await pilot.press("escape")
        await at(pilot, FunctionsScreen)
        assert probing.closed == 1


async def test_nothing_is_asked_where_no_call_was_seen(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=SIZE) as pilot:
        screen, probing = await probe(pilot, sources)
        await ticks(pilot, screen, probing, {}, step=9)
        await pilot.press("escape")
        await at(pilot, FunctionsScreen)
        assert probing.closed == 1
