"""What the filter's screens look like: filter, hooks, packets, fields, machine."""

import asyncio
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.screens.fakes import FakeSources
from tests.screens.filtering import figures, grouped, packet_records
from tests.screens.network import interface
from tests.screens.steps import at, interfaces, until
from tests.screens.test_filter_screen import apply, filtering, tick
from tests.screens.test_pictures import SIZES, Compare, check
from tui.errors import BpfscopeError
from tui.screens.filter import FilterScreen
from tui.screens.hook_choice import HookScreen
from tui.screens.machine import MachineScreen
from tui.screens.packet import PacketScreen
from tui.screens.packets import PacketsScreen


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Packets have the time of day."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


TALKERS = (
    ("tcp 192.0.2.2:51044 → 192.0.2.17:22", 1101),
    ("tcp 192.0.2.17:22 → 192.0.2.2:51044", 720),
    ("tcp [2001:db8:17:ffff::9]:40112 → [2001:db8:17::2]:22", 103),
    ("tcp 198.51.100.77:60222 → 192.0.2.17:22", 31),
    (None, 2),
)
LARGE = pytest.mark.parametrize(
    "size", [(160, 50), (120, 36), (80, 24), (60, 20)], ids=lambda size: f"{size[0]}x{size[1]}"
)


async def minute(pilot: Pilot[Any], sources: FakeSources, by: str = "flow", *groups: tuple[Any, int]) -> FilterScreen:
    """Most of a minute of `tcp port 22`."""
    screen, _ = await filtering(pilot, sources)
    running = await apply(pilot, sources, screen, "tcp port 22")
    one = running.filters[0]
    for second in range(0, 49, 6):
        shown = [(key, number * second // 48) for key, number in groups or TALKERS]
        others = 0 if groups else 7 * second
        matched = sum(number for _, number in shown) + others
        seen = 1_831 * second
        hits = tuple(
            int(seen * share)
            for share in (
                1,
                1,
                0.02,
                0.02,
                0.01,
                0.01,
                0,
                0,
                0.98,
                0.97,
                0.97,
                0.4,
                0.4,
                0.39,
                0.39,
                0.39,
                0.2,
                0.2,
                0.03,
                0.9,
            )
        )
        counted = figures(one, seen, matched, hits=hits, **grouped(by, *shown, others=others))
        running.tick(second, counted, records=packet_records(second) if second else ())
        await until(pilot, partial(_is_at, screen, second))
    return screen


def _is_at(screen: FilterScreen, second: int) -> bool:
    sample = screen.run.counted.sample
    return sample is not None and sample.elapsed == second


@LARGE
def test_filter(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await minute(pilot, sources)

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_filter_listing(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await minute(pilot, sources)
        await pilot.press("tab", "down", "down")

    check(picture, sources, size, steps, pid=None)


@LARGE
def test_filter_explained(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await minute(pilot, sources)
        await pilot.press("x", "down")

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_filter_bars(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        sizes = (("64-127", 911), ("128-255", 310), ("1024-2047", 1204), ("32768-65535", 3))
        await minute(pilot, sources, "size", *sizes)

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_filter_typed_wrong(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        screen = await minute(pilot, sources)
        await pilot.press("slash", "space", *"andd")
        await until(pilot, lambda: screen.complaint[0])

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_filter_completed(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        screen, running = await filtering(pilot, sources)
        await tick(pilot, screen, running, 1.0, figures(running.filters[0], 7, 7, **grouped("flow", ("a", 7))))
        screen.entry.put("udp")
        await until(pilot, lambda: screen.preview and screen.preview.expression == "udp")

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_filters_compared(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    sources.network = (
        interface(2, "enp129s0f1np1d1", driver="mlx5_core", kind="ethernet"),
        interface(3, "[/]日本語", kind="veth"),
    )

    async def steps(pilot: Pilot[Any]) -> None:
        await interfaces(pilot)
        await pilot.press("space", "space", "enter")
        screen = await at(pilot, FilterScreen)
        await until(pilot, lambda: sources.filterings and not screen.run.busy)
        await pilot.press("escape", "a")
        running = await apply(pilot, sources, screen, "udp")
        for second in range(9):
            counted = [
                figures(
                    one,
                    98_765_432_109 * second,
                    12_345 * second * (number + 1),
                    lost=3 * number,
                    **grouped("flow", ("[@click=app.quit]x", 12_345 * second * (number + 1))),
                )
                for number, one in enumerate(running.filters)
            ]
            await tick(pilot, screen, running, second, *counted)
        screen.set_focus(screen.filters)
        await pilot.press("down")

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_filter_ended(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        screen = await minute(pilot, sources)
        sample = screen.run.counted.sample
        assert sample is not None
        sources.filterings[-1].tick(72, *sample.filters, ended="eth0 disappeared")
        await until(pilot, lambda: screen.run.ended)

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_filter_refused(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    sources.refusals["packets"] = BpfscopeError(
        "Linux doesn't let this user attach a packet socket with eBPF to eth0:"
        " run as root, or with CAP_NET_RAW and CAP_BPF"
    )

    async def steps(pilot: Pilot[Any]) -> None:
        await interfaces(pilot)
        await pilot.press("down", "enter")
        screen = await at(pilot, FilterScreen)
        await until(pilot, lambda: screen.run.failure)

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_filter_attaching(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    sources.holds["packets"] = asyncio.Event()

    async def steps(pilot: Pilot[Any]) -> None:
        await interfaces(pilot)
        await pilot.press("down", "enter")
        screen = await at(pilot, FilterScreen)
        await until(pilot, lambda: screen.run.busy)
        asyncio.get_running_loop().call_later(1.0, sources.holds["packets"].set)  # so that the console can end

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_hooks(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await filtering(pilot, sources)
        await pilot.press("escape", "h")
        choice = await at(pilot, HookScreen)
        await until(pilot, lambda: choice.table().rows)
        await pilot.press("down", "down", "down")

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_filter_help(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await filtering(pilot, sources)
        await pilot.press("escape", "question_mark")

    check(picture, sources, size, steps, pid=None)


async def to_packets(pilot: Pilot[Any], sources: FakeSources) -> PacketsScreen:
    """The packets of a minute."""
    await minute(pilot, sources)
    await pilot.press("enter")
    screen = await at(pilot, PacketsScreen)
    await until(pilot, lambda: screen.table().rows)
    return screen


@SIZES
def test_packets(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await to_packets(pilot, sources)
        await pilot.press("up", "up")

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_packet(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await to_packets(pilot, sources)
        await pilot.press("enter")
        await at(pilot, PacketScreen)
        await pilot.press(*["down"] * 17)

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_machine(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await to_packets(pilot, sources)
        await pilot.press("m")
        await at(pilot, MachineScreen)
        await pilot.press(*["down"] * 9)

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_machine_ended(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await to_packets(pilot, sources)
        await pilot.press("m", "end")
        await at(pilot, MachineScreen)

    check(picture, sources, size, steps, pid=None)
