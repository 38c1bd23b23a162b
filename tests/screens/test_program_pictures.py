"""What the list of BPF programs and the page of one look like."""

import asyncio
import math
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.screens.fake_programs import program, ran
from tests.screens.fakes import HOSTILE, FakeSources
from tests.screens.steps import at, processes, until
from tests.screens.test_pictures import Compare, check
from tests.screens.test_programs_screen import programs, run_for
from tui.bpf.inventory.attachment import Attachment
from tui.bpf.inventory.holders import Holder
from tui.screens.program import ProgramScreen
from tui.screens.programs import ProgramsScreen

SIZES = pytest.mark.parametrize("size", [(120, 36), (80, 24)], ids=lambda size: f"{size[0]}x{size[1]}")


async def working(pilot: Pilot[Any], sources: FakeSources) -> ProgramsScreen:
    """A minute of programs, busier and less busy."""
    screen = await programs(pilot)
    for second in range(3, 61, 3):
        busy = ran(sources.loaded, 3 + 2 * math.sin(second / 5))
        sources.run_programs(second, tuple(one._replace(seconds=3.0) for one in busy))
        await until(pilot, lambda: screen._sample and screen._sample.programs == sources.loaded)
    return screen


@SIZES
def test_programs(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await working(pilot, sources)
        await pilot.press("down")

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_programs_hostile(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    sources.loaded = tuple(
        program(
            1_000_000 + at,
            name,
            name,
            holders=(Holder(4_194_304, name, 3),),
            units=(name,),
            attached=(Attachment("uprobe", f"/{name * 9}+0x1000"),),
            pins=(f"/sys/fs/bpf/{name}",),
        )
        for at, name in enumerate(HOSTILE)
    )

    async def steps(pilot: Pilot[Any]) -> None:
        screen = await programs(pilot)
        await run_for(pilot, screen, sources, 1)

    check(picture, sources, size, steps, pid=None)


def test_programs_loading(picture: Compare, sources: FakeSources) -> None:
    sources.holds["programs"] = asyncio.Event()

    async def steps(pilot: Pilot[Any]) -> None:
        await processes(pilot)
        await pilot.press("3")
        await at(pilot, ProgramsScreen)

    check(picture, sources, (80, 24), steps, pid=None)


@SIZES
def test_program(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await working(pilot, sources)
        await pilot.press("enter")
        screen = await at(pilot, ProgramScreen)
        await until(pilot, lambda: screen.code.rows and sources.looking == 1)
        sources.run_programs(63, tuple(one._replace(seconds=3.0) for one in ran(sources.loaded, 3)))
        await until(pilot, lambda: screen._shown in sources.loaded)
        await pilot.press("tab", "down")

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_program_unloaded(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await working(pilot, sources)
        await pilot.press("enter")
        screen = await at(pilot, ProgramScreen)
        await until(pilot, lambda: screen.code.rows and sources.looking == 1)
        sources.run_programs(63, ())
        await until(pilot, lambda: screen.ended)

    check(picture, sources, size, steps, pid=None)


def test_programs_help(picture: Compare, sources: FakeSources) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await programs(pilot)
        await pilot.press("question_mark")
        await pilot.pause()

    check(picture, sources, (120, 36), steps, pid=None)
