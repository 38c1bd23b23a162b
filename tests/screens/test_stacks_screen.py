"""Who calls, as a flame graph: walking, zooming, turning over, highlighting, and that nothing stays attached."""

from typing import Any

from textual.pilot import Pilot

from tests.screens.fakes import CACHE, COST, LOOP, RECURSIVE, FakeSources
from tests.screens.steps import at, context, detail, functions, keys, state, type_filter, until
from tui.app import Bpfscope
from tui.collectors.samples import Frame, Stack, StacksSample
from tui.elf.names import Function
from tui.screens.functions import FunctionsScreen
from tui.screens.stacks import StacksScreen

TARGETS = (CACHE, LOOP, RECURSIVE)


def leaf(function: Function) -> Frame:
    return Frame(function.name, function.module)


def stack(calls: int, *names: str | Frame, cut: bool = False) -> Stack:
    """Frames by name, of the module that the name says."""
    modules = {"runtime": "fibonacci", "main": "fibonacci", "net/http": "fibonacci"}
    frames = (
        name if isinstance(name, Frame) else Frame(name, modules.get(name.partition(".")[0], "libc.so.6"))
        for name in names
    )
    return Stack(tuple(frames), calls, cut)


def sample(elapsed: float, *stacks: Stack, lost: int = 0, ended: str = "") -> StacksSample:
    calls = sum(stack.calls for stack in stacks) + lost
    return StacksSample(1000 + elapsed, elapsed, TARGETS, stacks, calls, lost, ended, COST)


async def stacks(pilot: Pilot[Any], sources: FakeSources) -> StacksScreen:
    """The stacks of the three functions of the talk."""
    await functions(pilot)
    await type_filter(pilot, "main.fib")
    await pilot.press("a", "f")
    screen = await at(pilot, StacksScreen)
    await until(pilot, lambda: sources.stackings and not screen.busy)
    return screen


MAIN = ("runtime.main", "main.main")
SOME = (
    stack(600, *MAIN, leaf(RECURSIVE)),
    stack(100, *MAIN, leaf(RECURSIVE), leaf(RECURSIVE)),
    stack(290, "main.serve", "main.handle", leaf(CACHE)),
    stack(9, "main.serve", "main.[/]", leaf(LOOP)),
    stack(1, leaf(LOOP), cut=True),
)


async def shown(pilot: Pilot[Any], sources: FakeSources, *stacks_: Stack, elapsed: float = 1) -> StacksScreen:
    screen = pilot.app.screen if isinstance(pilot.app.screen, StacksScreen) else await stacks(pilot, sources)
    sources.stackings[-1].give(sample(elapsed, *stacks_))
    await until(pilot, lambda: screen.sample is not None and screen.sample.elapsed == elapsed)
    return screen


def names(screen: StacksScreen) -> list[str]:
    """Of the frames that lead to the cursor."""
    return [name for name, _ in screen.flame.cursor]


async def test_a_line_per_depth(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=(101, 30)) as pilot:
        screen = await shown(pilot, sources, *SOME)
        lines = screen.flame.plain
        assert lines[0].split() == ["▌all", "100", "%"]
        assert [part.split() for part in lines[1].split("▏")[1:]] == [
            ["main.serve", "30", "%"],
            ["runtime.main", "70", "%…"],
        ]
        assert "main.handle" in lines[2]
        assert "main.fibonacciRecursive" in lines[3]
        assert lines[4].strip() == "▏main…sive"
        assert state(screen).startswith(
            "1,000 calls/s · costs 2.7 % of a CPU · 7.1 % of its time (budget 10 %) · 1,000 calls · 5 stacks"
        )
        assert "f Flame" in context(screen)
        sources.stackings[-1].give(sample(3, stack(700, *MAIN, leaf(RECURSIVE)), *SOME[1:]))
        await until(pilot, lambda: "50 calls/s" in state(screen))


async def test_walking(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=(101, 30)) as pilot:
        screen = await shown(pilot, sources, *SOME)
        assert detail(screen) == "all  1,000 calls"
        await pilot.press("down")
        assert names(screen) == ["runtime.main"]
        await pilot.press("j")
        assert detail(screen) == "main.main  fibonacci · 700 calls · 70.0 % of all · 100.0 % of parent"
        await pilot.press("left")
        assert names(screen) == ["main.serve", "main.[/]"]  # too narrow: gathered beside main.handle
        await pilot.press("left")
        assert names(screen) == ["main.serve", "main.handle"]
        await pilot.press("left")
        assert names(screen) == ["main.serve", "main.handle"]
        await pilot.press("right", "right", "right", "left", "down", "down", "down")
        assert detail(screen).endswith("100 calls · 10.0 % of all · 14.3 % of parent · 100 end here")
        await pilot.press("k", "up")
        assert names(screen) == [*MAIN]
        await pilot.press("home", "end")
        assert names(screen) == [*MAIN, RECURSIVE.name, RECURSIVE.name]


async def test_what_is_too_narrow_can_be_reached(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=(101, 30)) as pilot:
        screen = await shown(pilot, sources, *SOME)
        await pilot.press("down", "right")
        assert names(screen) == ["(more callers, which were not kept)"]
        assert screen.flame.plain[1].endswith("…")
        await pilot.press("down", "enter")
        assert names(screen)[-1] == LOOP.name
        assert "main.fibonacciLoop" in screen.flame.plain[2]
        await pilot.press("escape")
        assert "main.handle" in screen.flame.plain[2]


async def test_zooming_in_and_out(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=(101, 30)) as pilot:
        screen = await shown(pilot, sources, *SOME)
        await pilot.press("down", "left", "enter")
        lines = screen.flame.plain
        assert ["all" in lines[0], "main.serve" in lines[1]] == [True, True]
        assert [part.split()[0] for part in lines[2].split("▏")[1:]] == ["ma", "main.handle"]
        assert "esc zoom out" in keys(screen)
        assert "enter" not in keys(screen)
        await pilot.press("down", "enter", "up", "up", "down")
        assert names(screen) == ["main.serve"]  # the way to what is zoomed in on
        await pilot.press("escape")
        assert [name for name, _ in screen.flame.zoom] == ["main.serve"]
        await pilot.press("escape")
        assert screen.flame.zoom == ()
        assert "esc detach" in keys(screen)
        await pilot.press("escape", "enter")
        await at(pilot, FunctionsScreen)
        assert sources.stackings[-1].closed == 1


async def test_nothing_jumps_between_readings(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=(101, 30)) as pilot:
        screen = await shown(pilot, sources, *SOME)
        await pilot.press("down", "left", "enter", "down")
        before = screen.flame.cursor, screen.flame.zoom
        more = [one._replace(calls=one.calls * (1 if one is SOME[0] else 40)) for one in SOME]
        await shown(pilot, sources, *reversed(more), elapsed=2)
        assert (screen.flame.cursor, screen.flame.zoom) == before
        assert "11,600 calls" in detail(screen)


async def test_turned_over(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=(101, 30)) as pilot:
        screen = await shown(pilot, sources, *SOME)
        await pilot.press("down", "left", "end", "i")
        assert names(screen) == [CACHE.name, "main.handle", "main.serve"]
        assert "290 begin here" in detail(screen)
        assert "inverted" in state(screen)
        assert "i root on top" in keys(screen)
        tops = [part.split()[0] for part in screen.flame.plain[1].split("▏")[1:]]
        assert tops == ["main.fibonacciCache", "main.fibonacciRecursive"]
        assert screen.flame.plain[1].endswith("…")
        await pilot.press("up", "i")
        assert names(screen) == []  # no stack begins with main.handle


async def test_highlighting(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=(101, 30)) as pilot:
        screen = await shown(pilot, sources, *SOME)
        await type_filter(pilot, "/fibonacci(Cache|Loop)/")
        assert "30.0 % pass through 2 matching functions" in state(screen)
        found = {text.strip() for y in range(30) for text, role in screen.flame._line(y) if role == "frame-found"}
        assert found == {"main.fibonacciCache"}
        assert screen.focused is screen.flame
        await type_filter(pilot, "[/]")
        assert "0.9 % pass through 1 matching function" in state(screen)
        await pilot.press("escape")
        assert "pass" not in state(screen)
        assert not screen.prompt.is_open


async def test_paused_while_it_goes_on(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=(101, 30)) as pilot:
        screen = await shown(pilot, sources, *SOME)
        await pilot.press("p")
        await shown(pilot, sources, *SOME, stack(1000, "main.other"), elapsed=2)
        assert "other" not in "".join(screen.flame.plain)
        await pilot.press("down")
        assert names(screen) == ["runtime.main"]
        await pilot.press("p")
        assert "main.other" in screen.flame.plain[1]
        assert names(screen) == ["runtime.main"]


async def test_no_call_yet_and_the_end(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=(101, 30)) as pilot:
        screen = await shown(pilot, sources)
        assert "no call yet" in " ".join(screen.flame.plain)
        await pilot.press("down", "left", "enter", "i", "slash", "end")
        assert not screen.prompt.is_open
        sources.stackings[-1].give(sample(9, *SOME, lost=3, ended="exited 0"))
        await until(pilot, lambda: screen.ended and len(screen.flame.plain[0].split()) > 1)
        assert state(screen).startswith(
            "fibonacci 2696 exited 0; measured for 00:09; the numbers stay · lost 3 · 1,003 calls"
        )
        await pilot.press("down", "enter", "escape", "escape")
        below = await at(pilot, FunctionsScreen)
        assert "exited 0" in below.over


async def test_the_tree_is_made_only_while_it_is_looked_at(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=(101, 30)) as pilot:
        screen = await shown(pilot, sources, *SOME)
        root = screen._root
        await shown(pilot, sources, *SOME, elapsed=2)
        assert screen._root is root
        await pilot.press("down", "c")
        await until(pilot, lambda: sources.probings)
        sources.stackings[-1].give(sample(3, *SOME[:2]))
        await until(pilot, lambda: screen.sample is not None and screen.sample.elapsed == 3)
        assert screen._root is root
        await pilot.press("f")
        await at(pilot, StacksScreen)
        assert screen._root is not root
        assert names(screen) == ["runtime.main"]


async def test_mouse(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=(101, 30)) as pilot:
        screen = await shown(pilot, sources, *SOME)
        await pilot.click(screen.flame, offset=(3, 2))
        assert names(screen) == ["main.serve", "main.handle"]
        await pilot.click(screen.flame, offset=(99, 1))
        assert names(screen) == ["(more callers, which were not kept)"]
        await pilot.click(screen.flame, offset=(3, 1), times=2)
        assert [name for name, _ in screen.flame.zoom] == ["main.serve"]


async def test_deep_stacks_scroll_with_the_cursor(sources: FakeSources) -> None:
    async with Bpfscope(sources, 2696).run_test(size=(80, 20)) as pilot:
        screen = await shown(pilot, sources, stack(1, *MAIN, *(f"main.deep{depth}" for depth in range(90))))
        await pilot.press("end")
        assert "main.deep89" in screen.flame.plain[-1]
        await pilot.press("enter")
        assert "main.deep89" in "".join(screen.flame.plain)
        await pilot.press("pageup", "pageup")
        assert any("▌" in line for line in screen.flame.plain)
        await pilot.press("home")
        assert "all" in screen.flame.plain[0]
