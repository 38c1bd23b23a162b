"""Programs of the user's own: the library, a line for a file, one that runs, one that is wrong."""

from functools import partial
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.screens.fake_loading import FakeLoading, loaded_sample
from tests.screens.fakes import FakeSources
from tests.screens.steps import at, context, detail, keys, processes, state, until
from tests.screens.test_pictures import Compare, check
from tui.app import Bpfscope
from tui.screens.confirm import ConfirmScreen
from tui.screens.load import LoadScreen, completions
from tui.screens.loaded import LoadedScreen
from tui.screens.source_rows import source_lines

SIZES = pytest.mark.parametrize("size", [(120, 36), (80, 24)], ids=lambda size: f"{size[0]}x{size[1]}")


async def library(pilot: Pilot[Any]) -> LoadScreen:
    """The library, filled."""
    await processes(pilot)
    pilot.app.open_load()  # type: ignore[attr-defined]
    screen = await at(pilot, LoadScreen)
    await until(pilot, lambda: screen.table().rows)
    return screen


async def typed(pilot: Pilot[Any], line: str) -> None:
    """Name a file."""
    screen = await library(pilot)
    await pilot.press("o")
    screen.entry.put(line)
    await pilot.press("enter")


async def running(pilot: Pilot[Any], sources: FakeSources) -> tuple[LoadedScreen, FakeLoading]:
    """One that runs, from the library."""
    await library(pilot)
    await pilot.press("down", "enter")
    screen = await at(pilot, LoadedScreen)
    await until(pilot, lambda: sources.loadings)
    return screen, sources.loadings[-1]


async def shown(pilot: Pilot[Any], screen: LoadedScreen, loading: FakeLoading, *samples: tuple[int, int]) -> None:
    """Samples of events and calls, a second apart, each taken before the next."""
    for second, (events, calls) in enumerate(samples, 1):
        loading.give(loaded_sample(second, events, calls))
        await until(pilot, partial(_taken, screen, second))


def _taken(screen: LoadedScreen, second: float) -> bool:
    return screen.view.sample is not None and screen.view.sample.elapsed == second


def wide(screen: LoadedScreen) -> list[str]:
    """What the figures' table paints."""
    return ["".join(piece for piece, _ in screen.rows._line(y)[1:]) for y in range(screen.rows.size.height)]


async def test_the_library_is_listed_and_runs(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen = await library(pilot)
        assert [row.name for row in screen.table().rows] == ["block_io", "opens", "tc_example"]
        assert "3 ready-made programs" in state(screen)
        await pilot.press("down", "enter")
        loaded = await at(pilot, LoadedScreen)
        assert sources.requested == ["opens"]
        assert "compiling" in state(loaded)
        assert context(loaded).startswith("BPF ▸ Load ▸ opens")


async def test_events_come_as_they_are_sent(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen, loading = await running(pilot, sources)
        await shown(pilot, screen, loading, (3, 10), (4, 20))
        lines = wide(screen)
        assert lines[0].split() == ["TIME", "PID", "COMM", "RESULT", "PATH"]
        assert len(screen.rows.rows) == 7
        assert lines[1].split() == ["1.000", "811", "postgres", "3", "/etc/0/hosts"]
        assert screen.rows.cursor == 6  # it follows
        assert "7" in screen.query_one("#tabs").plain  # type: ignore[attr-defined]


async def test_a_tail_stands_still_while_somebody_looks(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen, loading = await running(pilot, sources)
        await shown(pilot, screen, loading, (3, 10))
        await pilot.press("up")
        loading.give(loaded_sample(2, 5, 20))
        await until(pilot, partial(_taken, screen, 2))
        row = screen.rows.row
        assert row is not None
        assert row.key == 1


async def test_maps_are_sorted_by_their_first_figure_and_say_what_grew(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen, loading = await running(pilot, sources)
        await shown(pilot, screen, loading, (3, 10), (4, 20))
        await pilot.press("tab")
        assert [row.cells for row in screen.rows.rows] == [
            ("800", "read", "postgres", "80"),
            ("801", "write", "node", "60"),
            ("802", "open", "[/]", "40"),
            ("803", "close", "日本語", "20"),
        ]
        assert wide(screen)[1].startswith("▌▲")
        await pilot.press("slash", *"node", "enter")
        assert [row.cells[2] for row in screen.rows.rows] == ["node"]
        assert "1 of 4 rows" in state(screen)


async def test_histograms_are_drawn_one_at_a_time(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen, loading = await running(pilot, sources)
        await shown(pilot, screen, loading, (3, 10))
        await pilot.press("tab", "tab")
        lines = "\n".join("".join(piece for piece, _ in line) for line in screen.query_one("#bars").lines(60, 20))  # type: ignore[attr-defined]
        assert "disk 259:0 (1 of 2, h: the next)" in lines
        assert "64 µs" in lines
        assert "histogram" in keys(screen)
        await pilot.press("h")
        assert screen.query_one("#bars")._title.startswith("disk 259:1")  # type: ignore[attr-defined]


async def test_what_is_wrong_is_marked_at_its_line(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(80, 24)) as pilot:
        await typed(pilot, "refused")
        screen = await at(pilot, LoadedScreen)
        await until(pilot, lambda: screen.failure)
        row = screen.code.row
        assert row is not None
        assert row.number == 18
        assert row.text.strip() == "*calls += bpf_log2l(1);"
        assert "test the pointer before its first use" in detail(screen)
        assert screen.holding == ""
        await pilot.press("escape")
        await at(pilot, LoadScreen)


async def test_a_change_in_the_file_is_loaded_by_a_key(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(80, 24)) as pilot:
        await typed(pilot, "wrong")
        screen = await at(pilot, LoadedScreen)
        await until(pilot, lambda: screen.failure)
        screen.line = "opens"
        sources.source = "int corrected;"
        await pilot.press("r")
        await until(pilot, lambda: sources.loadings)
        assert screen.failure == ""
        assert screen.request.source == "int corrected;"
        await pilot.press("r")
        await until(pilot, lambda: len(sources.loadings) == 2)
        assert sources.loadings[0].closed == 1


async def test_leaving_asks_where_something_was_seen_and_takes_it_off(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen, loading = await running(pilot, sources)
        await shown(pilot, screen, loading, (3, 10))
        assert screen.holding == "1 program"
        await pilot.press("escape")
        await at(pilot, ConfirmScreen)
        await pilot.press("n")
        await at(pilot, LoadedScreen)
        await pilot.press("escape")
        await at(pilot, ConfirmScreen)
        await pilot.press("y")
        await at(pilot, LoadScreen)
        assert loading.closed == 1


async def test_quitting_takes_it_off(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        _, loading = await running(pilot, sources)
        await pilot.press("q")
        confirm = await at(pilot, ConfirmScreen)
        assert confirm.question == "Detach 1 program and quit?"
        await pilot.press("y")
    assert loading.closed == 1


async def test_an_end_is_told(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen, loading = await running(pilot, sources)
        loading.give(loaded_sample(1, 2, 3, "xdp:eth0 has gone"))
        await until(pilot, lambda: screen.ended)
        assert state(screen).startswith("xdp:eth0 has gone")


async def test_what_needs_an_interface_asks_for_it(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen = await library(pilot)
        await pilot.press("end", "enter")
        assert screen.entry.typing
        assert screen.entry.text == "tc_example "
        await pilot.press(*"lo", "enter")
        await at(pilot, LoadedScreen)
        assert sources.requested == ["tc_example lo"]


async def test_a_wrong_line_is_said_and_stays_typed(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        await typed(pilot, "nothing")
        screen = await at(pilot, LoadScreen)
        await until(pilot, lambda: screen.failure)
        assert "there is no nothing in the library" in state(screen)
        assert screen.entry.text == "nothing"
        await pilot.press("x")
        assert screen.failure == ""


async def test_a_source_is_only_read(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(80, 24)) as pilot:
        await library(pilot)
        await pilot.press("v")
        screen = await at(pilot, LoadedScreen)
        assert not sources.loadings
        assert any("BPF_RINGBUF_OUTPUT(opens, 64);" in line for line in painted_source(screen))
        await pilot.press("escape")
        await at(pilot, LoadScreen)


def painted_source(screen: LoadedScreen) -> list[str]:
    return ["".join(piece for piece, _ in screen.code._line(y)[1:]) for y in range(screen.code.size.height)]


def test_words_complete() -> None:
    assert completions("x.c --ho", 8) == ["--hook"]
    assert completions("x.c --hook ure", 14) == ["uretprobe:"]
    assert completions("x.c --hook entry=ure", 20) == ["entry=uretprobe:"]
    assert completions("x.c ", 4) == []
    there = ("sched:sched_switch", "sched:sched_wakeup", "block:block_rq")
    assert completions("x.c --hook a=tracepoint:sched:sched_s", 37, there) == ["a=tracepoint:sched:sched_switch"]
    assert completions("x.c --hook raw:block", 20, there) == ["raw:block_rq"]


def test_marks_stand_under_what_is_wrong() -> None:
    rows = list(source_lines("a\n\tb = c;\n", [(2, 6, "no c", True)], 40))
    assert [(row.number, row.text) for row in rows] == [(1, "a"), (2, "    b = c;"), (0, "        ^ no c")]


# Pictures


@SIZES
def test_load(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await library(pilot)
        await pilot.press("down")

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_loaded_events(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        screen, loading = await running(pilot, sources)
        await shown(pilot, screen, loading, (3, 10), (14, 20))

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_loaded_map(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        screen, loading = await running(pilot, sources)
        await shown(pilot, screen, loading, (3, 10), (14, 20))
        await pilot.press("tab")

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_loaded_histogram(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        screen, loading = await running(pilot, sources)
        await shown(pilot, screen, loading, (3, 10), (14, 20))
        await pilot.press("shift+tab")

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_loaded_refused(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await typed(pilot, "refused")
        screen = await at(pilot, LoadedScreen)
        await until(pilot, lambda: screen.failure)

    check(picture, sources, size, steps, pid=None)
