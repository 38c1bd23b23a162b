"""The code of the function under the cursor, and its line in the detail line."""

import asyncio
from typing import Any

from textual.pilot import Pilot

from tests.screens.fakes import LOOP, FakeSources, listing
from tests.screens.steps import detail, functions, keys, type_filter, until
from tests.screens.test_pictures import SIZES, Compare, check
from tui.app import Bpfscope
from tui.errors import BinaryError
from tui.screens.code_pane import COLUMNS, CodePane, CodeRow
from tui.screens.functions import FunctionsScreen
from tui.screens.source_files import SourceFiles
from tui.widgets.pieces import fit


def shown(screen: FunctionsScreen) -> list[str]:
    """What the pane shows, line by line."""
    pane = screen.query_one(CodePane)
    return ["".join(segment.text for segment in pane.render_line(y)).rstrip() for y in range(pane.size.height)]


async def opened(pilot: Pilot[Any], typed: str) -> FunctionsScreen:
    """The pane, with the code of the function that the filter leaves."""
    screen = await functions(pilot)
    await type_filter(pilot, typed)
    await pilot.press("d")
    await until(pilot, lambda: screen.query_one(CodePane).rows)
    return screen


async def test_the_line_of_the_function_under_the_cursor(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await functions(pilot)
        await type_filter(pilot, "main.fibonacciLoop")
        await until(pilot, lambda: detail(screen) == "main.fibonacciLoop  /home/eva/fib.go:21")
        await type_filter(pilot, "main.fibonacciCache")
        await until(pilot, lambda: sources.located[-1] == "main.fibonacciCache")
        assert detail(screen) == "main.fibonacciCache"
        assert not sources.disassembled


async def test_functions_are_found_by_their_source_files(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await functions(pilot)
        every = len(screen.functions.rows)
        await type_filter(pilot, "file:fib.go:21")
        await until(pilot, lambda: [one.name for one in screen.functions.rows] == ["main.fibonacciLoop"])
        await type_filter(pilot, "fib.go")
        await until(pilot, lambda: not screen.functions.rows)  # text is looked for in names alone
        await type_filter(pilot, "!file:fib.go")
        await until(pilot, lambda: 1 < len(screen.functions.rows) < every)
        sources.lines = {}
        screen.catalogue.files = SourceFiles()
        await type_filter(pilot, "file:fib")
        await until(pilot, lambda: "fibonacci says nothing of its source files" in screen.functions.empty)


async def test_code_is_shown_with_the_probe_and_where_jumps_lead(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, "main.fibonacciLoop")
        lines = shown(screen)
        assert lines[0].split() == ["ADDRESS", "OFFSET", "INSTRUCTION", "SOURCE"]
        assert "4a1de0       +0  push    rbp  ← probe (emulated, 480 ns)" in lines[1]
        assert lines[1].endswith("fib.go:20  func fibonacciLoop(n int) int {")
        assert lines[3].endswith("+5  jge     +12 ↓")
        assert "call    runtime.spin" in lines[4]
        assert lines[5].startswith(" ▸")
        assert "d disassembly" in keys(screen)
        await pilot.press("d")
        await until(pilot, lambda: not screen.query_one(CodePane).display)


def test_the_line_of_a_long_file_name_stays() -> None:
    row = CodeRow(listing(LOOP).rows[0], "", "encode_everything.go:1234")
    (source,) = (column for column in COLUMNS if column.key == "source")
    wanted = {30: "encode_everything.go:1234  fu…", 25: "encode_everything.go:1234", 12: "encode…:1234"}
    found = {width: "".join(text for text, _ in fit(source.cell(row, width), width)).strip() for width in wanted}
    assert found == wanted


async def test_why_there_is_no_probe(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, "runtime.spin")
        assert "push    rbp  – can't be probed: its first instruction has a lock prefix" in shown(screen)[1]


async def test_the_code_follows_the_cursor_when_it_rests(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, "runtime.*Span")
        before = len(sources.disassembled)
        sources.holds["code"] = asyncio.Event()
        await pilot.press("down")
        await until(pilot, lambda: sources.located[-1] == screen.functions.row.name)  # type: ignore[union-attr]
        await pilot.press(*["down"] * 5)  # while one is being read
        sources.holds["code"].set()
        wanted = screen.functions.row
        assert wanted
        await until(pilot, lambda: f"{wanted.address:x}" in shown(screen)[1])
        assert sources.disassembled[before:] == ["runtime.freeSpan", wanted.name]


async def test_what_cannot_be_read_says_why(sources: FakeSources) -> None:
    sources.refusals["code"] = BinaryError("fibonacci is truncated")
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        screen = await functions(pilot)
        await pilot.press("d")
        await until(pilot, lambda: "fibonacci is truncated" in "\n".join(shown(screen)))


async def test_pages_of_code(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(80, 12)) as pilot:
        screen = await opened(pilot, "main.fibonacciLoop")
        await pilot.press(*["right_square_bracket"] * 6)
        pane = screen.query_one(CodePane)
        await until(pilot, lambda: pane.cursor == 5)
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: pane.cursor < 5)


@SIZES
def test_functions_with_code(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await opened(pilot, "main.*")

    check(picture, sources, size, steps)
