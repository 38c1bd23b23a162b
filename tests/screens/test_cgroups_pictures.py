"""What the screens of the cgroups mode look like, at two sizes."""

import asyncio
import math
from functools import partial
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.screens.fakes import FakeSources
from tests.screens.steps import at, processes, until
from tests.screens.test_cgroups_screen import cgroups, later, move_to, page
from tests.screens.test_pictures import Compare, check
from tui.screens.cgroups import CgroupsScreen

SIZES = pytest.mark.parametrize("size", [(120, 36), (80, 24)], ids=lambda size: f"{size[0]}x{size[1]}")


@SIZES
def test_cgroups(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        screen = await cgroups(pilot)
        await move_to(pilot, screen, "/user.slice")
        await pilot.press("c")
        await until(pilot, lambda: screen.holding)
        for second in range(3, 61, 3):
            await later(pilot, sources, screen, second + 2 * math.sin(second / 5))
        await move_to(pilot, screen, "/system.slice/postgresql@16-main.service")

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_cgroup(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        screen = await page(pilot, "/system.slice/postgresql@16-main.service")
        await later(pilot, sources, screen, 3)
        await pilot.press("down")

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_cgroups_loading(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    sources.holds["cgroups"] = asyncio.Event()

    async def steps(pilot: Pilot[Any]) -> None:
        await processes(pilot)
        await pilot.press("4")
        await at(pilot, CgroupsScreen)

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_cgroups_error(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    sources.refusals["cgroups"] = (
        "cgroup v2 is not mounted here: mount -t cgroup2 none DIRECTORY (systemd does it at boot)"
    )

    async def steps(pilot: Pilot[Any]) -> None:
        await processes(pilot)
        await pilot.press("4")
        screen = await at(pilot, CgroupsScreen)
        await until(pilot, partial(getattr, screen, "failure"))

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_cgroups_help(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await cgroups(pilot)
        await pilot.press("question_mark")

    check(picture, sources, size, steps, pid=None)
