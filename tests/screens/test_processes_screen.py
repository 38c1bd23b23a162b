"""The process list: order, cursor, filter, tree, kernel threads, pause, rate."""

from typing import Any

import pytest

from tests.screens.fakes import HOSTILE, PROCESSES, FakeSources, process
from tests.screens.steps import at, context, detail, keys, painted, processes, state, type_filter, under, until
from tui.app import Bpfscope
from tui.screens.functions import FunctionsScreen
from tui.screens.processes import ProcessesScreen


def pids(screen: ProcessesScreen) -> list[int]:
    return [row.process.pid for row in screen.table().rows]


async def test_lists_what_runs_by_cpu_without_kernel_threads(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen = await processes(pilot)
        assert pids(screen)[:4] == [3012, 2696, 1733, 811]
        assert "9 processes" in state(screen)
        assert "2 kernel threads hidden (K)" in state(screen)
        assert context(screen).startswith("bpfscope · web-07 · Linux 6.18 · 2 CPUs · root · 1 Processes  2 Network")
        assert "CPU% ↓" in painted(screen)[0]
        await pilot.press("K")
        assert 14 in pids(screen)
        assert "hidden" not in state(screen)


async def test_sort_goes_through_the_columns_and_reverses(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen = await processes(pilot)
        await pilot.press("s")
        assert "MEM ↓" in painted(screen)[0]
        assert pids(screen)[0] == 1733
        await pilot.press("S")
        assert "MEM ↑" in painted(screen)[0]
        assert pids(screen)[-1] == 1733


async def test_a_click_on_a_title_sorts(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen = await processes(pilot)
        await pilot.click(screen.table(), offset=(8, 0))
        assert "PID ↑" in painted(screen)[0]
        await pilot.click(screen.table(), offset=(30, 3))
        assert screen.table().cursor == 2


async def test_the_cursor_follows_its_row(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen = await processes(pilot)
        table = screen.table()
        await pilot.press("down", "j")
        assert under(screen).process.pid == 1733
        table.release()
        sources.tick(1, tuple(one._replace(cpu_percent=200.0 if one.pid == 1733 else 1.0) for one in PROCESSES))
        await until(pilot, lambda: table.rows[0].process.pid == 1733)
        assert table.cursor == 0
        assert under(screen).process.pid == 1733


async def test_a_cursor_that_never_moved_stays_on_top(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen = await processes(pilot)
        sources.tick(1, tuple(one._replace(cpu_percent=200.0 if one.pid == 1 else 1.0) for one in PROCESSES))
        await until(pilot, lambda: pids(screen)[0] == 1)
        assert screen.table().cursor == 0


async def test_the_order_is_held_while_the_cursor_moves(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen = await processes(pilot)
        table = screen.table()
        clock = 50.0
        table.now = lambda: clock
        before = pids(screen)
        await pilot.press("down")
        newcomer = process(4000, "new", cpu_percent=999.0)
        changed = (*(one._replace(cpu_percent=float(one.pid % 7)) for one in PROCESSES), newcomer)
        sources.tick(1, changed)
        await until(pilot, lambda: 4000 in pids(screen))
        assert pids(screen) == [*before, 4000]
        clock = 53.0
        sources.tick(2, changed)
        await until(pilot, lambda: pids(screen)[0] == 4000)


async def test_a_process_that_ends_leaves_the_cursor_where_it_is(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen = await processes(pilot)
        await pilot.press("down")
        sources.tick(1, tuple(one for one in PROCESSES if one.pid != 2696))
        await until(pilot, lambda: 2696 not in pids(screen))
        assert screen.table().cursor == 1
        assert under(screen).process.pid == 1733


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("POSTGRES", {811, 840, 841}),
        ("postgres: *", {840, 841}),
        ("2696", {2696}),
        ("rust", {3012}),
        ("usr/sbin", {702}),
        ("/^post.*wal/", {841}),
        ("!/^\\/(usr|sbin)|rg|node|postgres/", {702, 2210, 2696}),
        ("!root", {811, 840, 841, 1733, 2210, 3012}),
        ("!", {1, 702, 811, 840, 841, 1733, 2210, 2696, 3012}),
    ],
)
async def test_filter(sources: FakeSources, typed: str, found: set[int]) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen = await processes(pilot)
        await type_filter(pilot, typed)
        assert set(pids(screen)) == found


async def test_esc_clears_then_closes_the_filter_and_never_quits(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen = await processes(pilot)
        await pilot.press("slash", *"nothing")
        await until(pilot, lambda: not pids(screen))
        assert "no process matches nothing; esc clears the filter" in painted(screen)[2]
        assert keys(screen) == "enter to the list  esc clear"
        await pilot.press("escape")
        await until(pilot, lambda: len(pids(screen)) == 9)
        assert screen.prompt.typing
        await pilot.press("escape")
        await until(pilot, lambda: not screen.prompt.is_open)
        await pilot.press("escape", "escape")
        assert pilot.app.is_running
        assert pilot.app.screen is screen


async def test_tree(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(140, 36)) as pilot:
        screen = await processes(pilot)
        await pilot.press("t")
        lines = "\n".join(painted(screen))
        assert "│  ├─ postgres: walwriter" in lines
        assert "│  └─ postgres: writer" in lines
        await type_filter(pilot, "fibonacci")
        assert pids(screen) == [1, 702, 2210, 2696]
        assert [row.matches for row in screen.table().rows] == [False, False, False, True]


async def test_pause_stops_painting_not_reading(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen = await processes(pilot)
        await pilot.press("p")
        assert "paused ‖" in state(screen)
        sources.tick(1, PROCESSES[:1])
        await until(pilot, lambda: screen._latest and screen._latest.processes == PROCESSES[:1])
        assert len(pids(screen)) == 9
        await pilot.press("p")
        assert pids(screen) == [1]


async def test_rate(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen = await processes(pilot)
        await pilot.press("plus")
        await until(pilot, lambda: sources.intervals[-1] == 0.5)
        await pilot.press("minus", "minus")
        await until(pilot, lambda: sources.intervals[-1] == 2.0)
        assert "every 2 s" in state(screen)


async def test_nothing_is_read_while_another_screen_is_seen(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen = await processes(pilot)
        await pilot.press("down", "enter")
        await at(pilot, FunctionsScreen)
        await until(pilot, lambda: sources.watched == 0)
        await pilot.press("escape")
        await at(pilot, ProcessesScreen)
        await until(pilot, lambda: sources.watched == 1)
        assert under(screen).process.pid == 2696


async def test_an_error_is_one_sentence_and_the_console_goes_on(sources: FakeSources) -> None:
    sources.refusals["processes"] = "/proc is not mounted: mount it"
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen = await at(pilot, ProcessesScreen)
        await until(pilot, lambda: "/proc is not mounted: mount it" in state(screen))
        await pilot.press("question_mark", "escape")
        assert pilot.app.is_running


async def test_names_are_shown_literally(sources: FakeSources) -> None:
    sources.listed = tuple(
        process(100 + index, name, command=name, user=name, language=name) for index, name in enumerate(HOSTILE)
    )
    async with Bpfscope(sources).run_test(size=(160, 36)) as pilot:
        screen = await processes(pilot)
        shown = painted(screen)
        for index, name in enumerate(HOSTILE):
            assert any(line.endswith(name) for line in shown)
            screen.table().move_to(index)
            await pilot.pause()
            assert detail(screen) == f"{100 + index}  {name}"
        await pilot.press("enter")
        await at(pilot, FunctionsScreen)
        assert pilot.app.is_running


@pytest.mark.parametrize("size", [(60, 20), (40, 12), (20, 6), (8, 3)])
async def test_small_terminals(sources: FakeSources, size: tuple[int, int]) -> None:
    async with Bpfscope(sources).run_test(size=size) as pilot:
        screen = await processes(pilot)
        await pilot.press("down", "end", "t", "s", "slash", "x", "escape", "escape")
        assert all(len(line) <= size[0] for line in painted(screen))


async def test_a_terminal_that_changes_its_size(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen = await processes(pilot)
        await pilot.press("end")
        await pilot.resize_terminal(50, 10)
        await until(pilot, lambda: screen.table().size.width <= 50)
        table: Any = screen.table()
        assert table.scroll_y <= table.cursor < table.scroll_y + table.size.height - 1


async def test_half_an_expression_keeps_the_list_while_readings_come(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen = await processes(pilot)
        await type_filter(pilot, "fibonacci")
        await type_filter(pilot, "/(rg|node")
        assert "unfinished expression" in state(screen)
        sources.tick(1, PROCESSES)
        await until(pilot, lambda: screen._sample and screen._sample.time == 1001)
        assert pids(screen) == [2696]
        await type_filter(pilot, "/(rg|node)/")
        assert set(pids(screen)) == {1733, 3012}
        assert "unfinished" not in state(screen)


async def test_a_narrow_list_gives_the_room_to_the_commands(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(80, 24)) as pilot:
        screen = await processes(pilot)
        placed = {one.column.key: one.width for one in screen.table()._placed}
        assert (placed["history"], placed["user"]) == (10, 8)
        assert placed["command"] > 20
