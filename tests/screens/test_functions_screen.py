"""Modules and functions: panes, filter, marks, what is asked before many are probed."""

import asyncio
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.screens.fakes import FUNCTIONS, MODULES, FakeSources, function
from tests.screens.steps import at, context, detail, functions, keys, names, painted, state, type_filter, until
from tui.app import Bpfscope
from tui.errors import TargetError
from tui.screens.confirm import ConfirmScreen
from tui.screens.functions import FunctionsScreen
from tui.screens.hotness import ALL, KERNEL
from tui.screens.probe import ProbeScreen
from tui.screens.processes import ProcessesScreen


async def test_shows_the_executable_first(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await functions(pilot)
        assert "Processes ▸ fibonacci 2696" in context(screen)
        assert "54 functions" in state(screen)
        assert detail(screen) == "main.Map[...]  main.Map[go.shape.int]"
        assert "main.Map[...]" in painted(screen)[1]


async def test_another_module_is_read_when_the_cursor_rests_on_it(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await functions(pilot)
        await pilot.press("tab", "down")
        await until(pilot, lambda: screen.module == MODULES[1] and screen.functions.rows)
        assert detail(screen) == "/usr/lib/x86_64-linux-gnu/libc.so.6"
        await pilot.press("tab")
        assert "malloc  also __libc_malloc" in "\n".join(painted(screen))
        await pilot.press("tab", "down", "enter")
        await until(
            pilot,
            lambda: (
                "libcrypto.so.3 names no functions: it was stripped; install its debug symbols" in painted(screen)[2]
            ),
        )
        assert screen.functions.has_focus


async def test_raw_names_are_one_key_away(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await functions(pilot)
        await pilot.press("n")
        await until(pilot, lambda: "main.Map[go.shape.int]" in painted(screen)[1])
        assert "CPU %" in painted(screen)[0]
        await pilot.press("n")
        await until(pilot, lambda: "main.Map[...]" in painted(screen)[1])


async def test_parts_that_a_compiler_made_are_said_to_be_such(sources: FakeSources) -> None:
    made = ("run.cold", "run.isra.0.cold", "run.constprop.0", "run.part.3", "main.cold")
    sources.functions_of["fibonacci"] = tuple(function(name, 0x1000 + at) for at, name in enumerate(made))
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await functions(pilot)
        await type_filter(pilot, "run.cold")
        assert detail(screen) == "run.cold  the part that seldom runs: jumped to, not called"
        await type_filter(pilot, "*constprop*")
        assert "a copy that the compiler made for some of its callers" in detail(screen)


async def test_nearest_packages_are_named(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(80, 24)) as pilot:
        screen = await functions(pilot)
        await type_filter(pilot, "pkg:runtme")
        said = " ".join(" ".join(painted(screen)).split())
        assert "no function of fibonacci matches pkg:runtme; nearest is runtime; esc clears the filter" in said


async def test_unmarking_all_is_said(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        await functions(pilot)
        await pilot.press("a", "a")
        await until(pilot, lambda: len(pilot.app._notifications) == 1)
        assert next(iter(pilot.app._notifications)).message == "53 functions unmarked: all of these were marked"


async def test_letters_in_order_find_the_closest_first(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await functions(pilot)
        await type_filter(pilot, "mfr")
        await until(pilot, lambda: "~mfr finds these letters apart" in " ".join(" ".join(painted(screen)).split()))
        await pilot.press("escape")
        await type_filter(pilot, "~mfr")
        await until(pilot, lambda: names(screen.functions.rows)[-1:] == ["main.fibonacciRecursive"])


async def test_loading_is_said(sources: FakeSources) -> None:
    sources.holds["fibonacci"] = asyncio.Event()
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await at(pilot, FunctionsScreen)
        await until(pilot, lambda: "reading fibonacci …" in painted(screen)[2])
        sources.holds["fibonacci"].set()
        await functions(pilot)


@pytest.mark.parametrize("what", ["modules", "fibonacci"])
async def test_an_error_is_shown_whole(sources: FakeSources, what: str) -> None:
    reason = "[/] can't be read: Permission denied; run bpfscope as root, or give it CAP_SYS_PTRACE " * 3
    sources.refusals[what] = reason
    async with Bpfscope(sources, pid=2696).run_test(size=(80, 24)) as pilot:
        screen = await at(pilot, FunctionsScreen)
        await until(pilot, lambda: screen.has_class("-failed"))
        assert str(screen.query_one("#failure").render()) == reason
        await pilot.press("enter", "space", "a", "escape")
        await at(pilot, ProcessesScreen)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("fibonacci", {"main.fibonacciCache", "main.fibonacciLoop", "main.fibonacciRecursive"}),
        ("MAIN.*e", {"main.fibonacciCache", "main.fibonacciRecursive"}),
        ("main.?ain", {"main.main"}),
        ("/c(Loop|Cache)$/", {"runtime.allocCache"}),
        ("/i(Loop|Cache)$/", {"main.fibonacciCache", "main.fibonacciLoop"}),
        ("go.shape", {"main.Map[...]"}),
        ("main.Map[", {"main.Map[...]"}),
        ("!/runtime|fibo/", {"main.Map[...]", "main.main"}),
    ],
)
async def test_filter(sources: FakeSources, typed: str, found: set[str]) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await functions(pilot)
        await type_filter(pilot, typed)
        assert set(names(screen.functions.rows)) == found
        assert f"{len(found)} of 54 functions" in state(screen)


async def test_half_an_expression_keeps_the_list(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await functions(pilot)
        await type_filter(pilot, "Loop")
        await type_filter(pilot, "/(main")
        assert "unfinished expression" in state(screen)
        assert names(screen.functions.rows) == ["main.fibonacciLoop"]
        await type_filter(pilot, "/(main/")
        assert "unfinished expression" in state(screen)
        await type_filter(pilot, "/main.main/")
        assert names(screen.functions.rows) == ["main.main"]


async def test_marks_survive_filters_and_modules(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await functions(pilot)
        await type_filter(pilot, "main.fib")
        await pilot.press("space", "space")
        assert "● 2 marked" in state(screen)
        await pilot.press("escape", "tab", "down", "enter")
        await until(pilot, lambda: screen.functions.rows and screen.module == MODULES[1])
        await type_filter(pilot, "malloc")
        await pilot.press("space", "enter")
        await at(pilot, ProbeScreen)
        assert [one.name for one in sources.asked[0]] == ["main.fibonacciCache", "main.fibonacciLoop", "malloc"]


async def test_mark_all_marks_what_can_be_probed_and_unmarks(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await functions(pilot)
        await type_filter(pilot, "runtime")
        await pilot.press("a")
        assert "● 48 marked" in state(screen)
        assert painted(screen)[1].startswith("▌●")
        await pilot.press("a")
        assert "marked" not in state(screen)


async def test_what_cannot_be_probed_says_why(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await functions(pilot)
        await type_filter(pilot, "runtime.spin")
        assert painted(screen)[1].startswith("▌–")
        assert "can't be probed: its first instruction has a lock prefix" in detail(screen)
        await pilot.press("space", "enter")
        assert pilot.app.screen is screen
        assert not sources.asked


async def test_enter_without_marks_probes_the_function_under_the_cursor(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        await functions(pilot)
        await type_filter(pilot, "main.main")
        await pilot.press("c")
        await at(pilot, ProbeScreen)
        assert [one.name for one in sources.asked[0]] == ["main.main"]


async def test_asks_before_it_probes_very_many(sources: FakeSources) -> None:
    sources.functions_of["fibonacci"] = tuple(function(f"f{index:05}", 0x1000 + index) for index in range(2_001))
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await functions(pilot)
        await pilot.press("a", "enter")
        question = await at(pilot, ConfirmScreen)
        assert question.question == "Probe 2,001 functions at once?"
        assert question.note == "Each of their calls then costs the process 1 to 15 µs."
        await pilot.press("n")
        await at(pilot, FunctionsScreen)
        assert len(screen.marks) == 2_001
        await pilot.press("enter", "y")
        await at(pilot, ProbeScreen)
        assert len(sources.asked[0]) == 2_001


async def test_sort(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await functions(pilot)
        await pilot.press("s", "s")
        await until(pilot, lambda: screen.functions.rows[0].name == "runtime.allocSpan")
        await pilot.press("s", "S")
        await until(pilot, lambda: screen.functions.rows[0].name == "main.main")
        assert "SIZE ↑" in state(screen)


async def test_narrow_terminals_show_one_pane_at_a_time(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(60, 20)) as pilot:
        screen = await functions(pilot)
        assert not screen.modules_table.display
        await pilot.press("tab")
        await until(pilot, lambda: screen.modules_table.display and not screen.functions.display)
        assert screen.modules_table.has_focus
        await pilot.press("enter")
        await until(pilot, lambda: screen.functions.display and not screen.modules_table.display)


@pytest.mark.parametrize("size", [(40, 12), (20, 6), (8, 3)])
async def test_small_terminals(sources: FakeSources, size: tuple[int, int]) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=size) as pilot:
        screen = await functions(pilot)
        await pilot.press("down", "end", "tab", "tab", "s", "space", "slash", "x", "escape", "escape")
        assert all(len(line) <= size[0] for line in painted(screen))


async def test_esc_from_a_pid_leads_to_the_processes(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await functions(pilot)
        assert "esc back" in keys(screen)
        await pilot.press("escape")
        await at(pilot, ProcessesScreen)
        await pilot.press("escape")
        assert pilot.app.is_running


async def test_a_stripped_module_says_what_to_do_in_a_narrow_terminal_too(sources: FakeSources) -> None:
    sources.functions_of["fibonacci"] = ()
    async with Bpfscope(sources, pid=2696).run_test(size=(60, 20)) as pilot:
        screen = await at(pilot, FunctionsScreen)
        await until(pilot, lambda: "0 functions" in state(screen))
        said = " ".join(line.strip() for line in painted(screen)[2:5])
        assert "it was stripped; install its debug symbols, or choose another module" in said


async def test_the_pane_of_modules_is_as_wide_as_their_names(sources: FakeSources) -> None:
    sources.mapped = (*MODULES, MODULES[1]._replace(name="ld-linux-x86-64.so.2"))
    async with Bpfscope(sources, pid=2696).run_test(size=(80, 24)) as pilot:
        screen = await functions(pilot)
        pane = screen.modules_table
        assert "ld-linux-x86-64.so.2" in "".join(segment.text for segment in pane.render_line(5))
        assert pane.outer_size.width <= 2 * 80 // 5
        await pilot.resize_terminal(120, 36)
        await until(pilot, lambda: pane.size.width > 30)
        assert "FUNCTIONS" in "".join(segment.text for segment in pane.render_line(0))


def signs(screen: FunctionsScreen) -> list[str]:
    """What stands beside the three modules."""
    return [screen.modules_table._line(y)[2][0] for y in (2, 3, 4)]


async def test_modules_with_marks_show_a_sign(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await functions(pilot)
        assert signs(screen) == [" ", " ", " "]
        await pilot.press("space", "tab", "down", "enter")
        await until(pilot, lambda: screen.functions.rows and screen.module == MODULES[1])
        assert signs(screen) == ["◐", " ", " "]
        await pilot.press("a")
        assert signs(screen) == ["◐", "●", " "]
        await pilot.press("a")
        assert signs(screen) == ["◐", " ", " "]


@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
async def test_the_way_back_is_always_among_the_keys(sources: FakeSources, size: tuple[int, int]) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=size) as pilot:
        screen = await functions(pilot)
        assert "esc back" in keys(screen)
        assert "enter probe  " in keys(screen)


async def test_a_process_named_by_its_pid_gets_its_name_and_language(sources: FakeSources) -> None:
    sources.listed = tuple(one._replace(name="fib") if one.pid == 2696 else one for one in sources.listed)
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await functions(pilot)
        await until(pilot, lambda: context(screen) == "Processes ▸ fib 2696 · go · /home/eva/fibonacci")


@pytest.mark.parametrize("refused", [False, True])
async def test_a_process_that_the_list_does_not_have_is_called_by_its_executable(
    sources: FakeSources, refused: bool
) -> None:
    if refused:
        sources.refusals["processes"] = "/proc is not mounted: mount it"
    async with Bpfscope(sources, pid=77).run_test(size=(120, 36)) as pilot:
        screen = await functions(pilot)
        assert "fibonacci 77" in context(screen)


async def test_a_target_that_ended_meanwhile(sources: FakeSources) -> None:
    sources.refusals["probe"] = TargetError("there is no process 2696: `bpfscope ps` lists them")
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        chooser = await functions(pilot)
        await pilot.press("enter")
        screen = await at(pilot, ProbeScreen)
        await until(pilot, lambda: state(screen) == "there is no process 2696")
        assert str(screen.query_one("#failure").render()).startswith("esc leads back")
        await pilot.press("escape")
        assert await at(pilot, FunctionsScreen) is chooser
        assert state(chooser).startswith("there is no process 2696 · 54 functions")


async def test_a_process_that_is_gone_when_its_modules_are_read(sources: FakeSources) -> None:
    sources.refusals["modules"] = TargetError("there is no process 2696: `bpfscope ps` lists them")
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await at(pilot, FunctionsScreen)
        await until(pilot, lambda: screen.has_class("-failed"))
        assert str(screen.query_one("#failure").render()) == "there is no process 2696"


async def test_a_module_marked_in_part_has_another_sign(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await functions(pilot)
        await pilot.press("space")
        assert signs(screen)[0] == "◐"
        await pilot.press("a")
        assert signs(screen)[0] == "●"
        await pilot.press("space")
        assert signs(screen)[0] == "◐"


async def test_only_what_is_marked(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await functions(pilot)
        await type_filter(pilot, "is:marked")
        assert "no function of fibonacci is marked; space marks one" in painted(screen)[2]
        await pilot.press("escape")
        await type_filter(pilot, "main.fib")
        await pilot.press("a")
        await type_filter(pilot, "is:marked")
        assert "3 of 54 functions" in state(screen)
        await pilot.press("space")  # what is unmarked stays, until the filter is looked at again
        assert len(screen.functions.rows) == 3
        await type_filter(pilot, "is:marked *Loop")
        assert names(screen.functions.rows) == ["main.fibonacciLoop"]
        await type_filter(pilot, "!is:marked main.*")
        assert names(screen.functions.rows) == ["main.Map[...]", "main.fibonacciCache", "main.main"]


@pytest.mark.parametrize("key", ["enter", "space", "c", "m", "a", "d", "n", "S"])
async def test_a_key_that_does_nothing_says_why(sources: FakeSources, key: str) -> None:
    sources.functions_of["fibonacci"] = ()
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await at(pilot, FunctionsScreen)
        await until(pilot, lambda: "0 functions" in state(screen))
        await pilot.press(key)
        await until(pilot, lambda: len(pilot.app._notifications) == 1)
        assert "it was stripped" in next(iter(pilot.app._notifications)).message


async def test_keys_for_functions_say_so_among_modules(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        await functions(pilot)
        await pilot.press("tab", "m")
        await until(pilot, lambda: len(pilot.app._notifications) == 1)
        assert next(iter(pilot.app._notifications)).message == "this is for functions: tab goes to those of fibonacci"
        await pilot.press("z")  # a key that means nothing says nothing
        assert len(pilot.app._notifications) == 1


async def everything(pilot: Pilot[Any]) -> FunctionsScreen:
    """All modules, read."""
    screen = await functions(pilot)
    await pilot.press("tab", "up", "enter")
    await until(pilot, lambda: screen.module == ALL)
    await until(pilot, lambda: not screen.catalogue.progress() and len(screen.functions.rows) == 62)
    return screen


async def test_all_modules_are_searched_at_once(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await everything(pilot)
        assert "62 functions" in state(screen)
        assert painted(screen)[0].split()[:5] == ["FUNCTION", "CPU", "%↓", "MODULE", "ADDRESS"]
        await type_filter(pilot, "m*c")
        assert names(screen.functions.rows) == ["malloc"]
        assert "libc.so.6" in painted(screen)[1]
        await type_filter(pilot, "~mc")
        assert "malloc" in names(screen.functions.rows)
        assert "main.fibonacciCache" in names(screen.functions.rows)
        await type_filter(pilot, "file:fib.go")
        assert "file: finds functions of one module" in painted(screen)[2]
        await type_filter(pilot, "main.fib")
        await pilot.press("a")
        assert signs(screen) == ["◐", " ", " "]
        await pilot.press("escape", "tab", "down", "enter")
        await until(pilot, lambda: screen.module == MODULES[0])
        assert "MODULE" not in painted(screen)[0]


async def test_all_modules_come_in_the_background(sources: FakeSources) -> None:
    sources.holds["libc.so.6"] = asyncio.Event()
    sources.refusals["libcrypto.so.3"] = "libcrypto.so.3 is truncated"
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await functions(pilot)
        await pilot.press("tab", "up", "enter")
        await until(pilot, lambda: "54 functions · 1 of 3 modules read: libc.so.6 …" in state(screen))
        await pilot.press("down")
        row = screen.functions.row
        screen.functions.now = lambda: 1e9  # a while later
        sources.holds["libc.so.6"].set()
        await until(pilot, lambda: "62 functions" in state(screen))
        assert "read:" not in state(screen)
        assert screen.functions.row is row
        await pilot.press("tab", "end", "enter")
        await until(pilot, lambda: "libcrypto.so.3 is truncated" in str(screen.query_one("#failure").render()))


async def test_the_share_of_the_kernel_is_among_the_modules(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await functions(pilot)
        sources.samplings[0].tick(10.0, {FUNCTIONS["libc.so.6"][0]: 60}, kernel=40)
        await until(pilot, lambda: KERNEL in screen.modules_table.rows)
        assert "[kernel]         40.0         –" in "".join(one.text for one in screen.modules_table.render_line(5))
        await pilot.press("tab", "end", "enter")
        await until(pilot, lambda: len(pilot.app._notifications) == 1)
        assert "probes go into programs" in next(iter(pilot.app._notifications)).message
        await until(pilot, lambda: "can't be opened" in " ".join(screen.functions.empty.split()))
        await pilot.press("s")
        assert [one.name for one in screen.modules_table.rows[:3]] == ["all modules", "libc.so.6", "[kernel]"]
