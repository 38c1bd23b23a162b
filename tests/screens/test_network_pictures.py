"""What the screens of the network mode look like, at three sizes."""

import asyncio
import math
from functools import partial
from typing import Any

from textual.pilot import Pilot

from tests.screens.fakes import HOSTILE, FakeSources
from tests.screens.network import interface, passed
from tests.screens.steps import at, interfaces, processes, type_filter, until
from tests.screens.test_pictures import SIZES, Compare, check
from tui.screens.interfaces import InterfacesScreen


async def passing(pilot: Pilot[Any], sources: FakeSources) -> InterfacesScreen:
    """A minute of interfaces."""
    screen = await interfaces(pilot)
    for second in range(3, 61, 3):
        seen = passed(sources.network, second + 4 * math.sin(second / 5), rx_dropped=second // 20)
        sources.pass_time(second, seen)
        await until(pilot, partial(_passed, screen, seen))
    return screen


def _passed(screen: InterfacesScreen, seen: object) -> bool:
    return screen._sample is not None and screen._sample.interfaces == seen


@SIZES
def test_interfaces(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await passing(pilot, sources)
        await pilot.press("space", "down", "space")

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_interfaces_long_names(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    sources.network = (
        interface(
            2, "enp129s0f1np1d1", driver="mlx5_core", kind="ethernet", addresses=("2001:db8:17:ffff:1:2:3:4/128",)
        ),
        interface(3, "vethfedcba98765", addresses=("192.168.100.200/24", "fe80::1/64"), rx_dropped=9_999_999),
        *(interface(10 + index, name[:15], kind=name, addresses=(name,)) for index, name in enumerate(HOSTILE)),
    )

    async def steps(pilot: Pilot[Any]) -> None:
        screen = await interfaces(pilot)
        for second in (1, 2):
            sources.pass_time(second, tuple(one._replace(rx_bytes=125 * 10**9 * second) for one in sources.network))
            await until(pilot, lambda: screen._sample and screen._sample.time > 1000)

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_interfaces_empty(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await interfaces(pilot)
        await type_filter(pilot, "[nothing]")

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_interfaces_loading(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    sources.holds["interfaces"] = asyncio.Event()

    async def steps(pilot: Pilot[Any]) -> None:
        await processes(pilot)
        await pilot.press("2")
        await at(pilot, InterfacesScreen)

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_interfaces_error(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    sources.refusals["interfaces"] = (
        "the kernel doesn't tell the network interfaces: Operation not permitted;"
        " it needs netlink sockets: run bpfscope outside of the sandbox that forbids them"
    )

    async def steps(pilot: Pilot[Any]) -> None:
        await processes(pilot)
        await pilot.press("2")
        screen = await at(pilot, InterfacesScreen)
        await until(pilot, lambda: screen.failure)

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_help(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await interfaces(pilot)
        await pilot.press("question_mark")

    check(picture, sources, size, steps, pid=None)
