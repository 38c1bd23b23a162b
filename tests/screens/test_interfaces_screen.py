"""The interfaces: what is shown of them, rates, marks, and the way between the modes."""

from functools import partial
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.screens.fakes import HOSTILE, FakeSources
from tests.screens.network import INTERFACES, interface, passed
from tests.screens.steps import (
    at,
    context,
    detail,
    functions,
    interfaces,
    keys,
    painted,
    processes,
    state,
    type_filter,
    under,
    until,
)
from tui.app import Bpfscope
from tui.collectors.samples import Interface
from tui.screens.base import ConsoleScreen
from tui.screens.filter import FilterScreen
from tui.screens.functions import FunctionsScreen
from tui.screens.interfaces import InterfacesScreen
from tui.screens.processes import ProcessesScreen


def named(screen: InterfacesScreen) -> list[str]:
    return [row.interface.name for row in screen.table().rows]


def line(screen: InterfacesScreen, name: str) -> str:
    return next(text for text in painted(screen) if text[3:].startswith(name))


async def later(
    pilot: Pilot[Any], sources: FakeSources, screen: InterfacesScreen, time: float, shown: tuple[Interface, ...]
) -> None:
    sources.pass_time(time, shown)
    await until(pilot, partial(_taken, screen, 1000 + time))


def _taken(screen: InterfacesScreen, time: float) -> bool:
    return screen._latest is not None and screen._latest.time == time


async def test_what_there_is_with_rates_from_the_second_reading_on(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(150, 36)) as pilot:
        screen = await interfaces(pilot)
        assert named(screen) == [one.name for one in INTERFACES]
        assert "root · 1 Processes  2 Network" in context(screen)
        assert "7 interfaces" in state(screen)
        assert "5 up" in state(screen)
        assert line(screen, "eth0").split() == ["eth0", "up", "192.0.2.17/24", "+2", "virtio_net", "0", "1,204"]
        await later(pilot, sources, screen, 2, passed(INTERFACES, 2))
        assert named(screen)[0] == "eth0"
        assert "74.4 M" in line(screen, "eth0")
        assert "7,131" in line(screen, "eth0")
        assert "3.3 M" in line(screen, "eth0")
        assert line(screen, "eth1").split()[:5] == ["eth1", "no", "carrier", "ixgbe", "0"]
        assert "(wireguard)" in line(screen, "wg0")
        assert "(loopback)" in line(screen, "lo")


async def test_errors_and_drops_that_grew_have_a_sign_for_a_minute(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(150, 36)) as pilot:
        screen = await interfaces(pilot)
        await later(pilot, sources, screen, 2, passed(INTERFACES, 2, rx_dropped=5, tx_errors=3))
        assert line(screen, "eth0").split()[-2:] == ["▲3", "▲1,209"]
        assert line(screen, "veth0a1b2c3").endswith(" 0   48.0 M")
        for second in (30, 90, 92):
            await later(pilot, sources, screen, second, passed(INTERFACES, second, rx_dropped=5, tx_errors=3))
        assert line(screen, "eth0").split()[-2:] == ["3", "1,209"]


async def test_a_counter_that_was_reset_and_interfaces_that_come_and_go(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(150, 36)) as pilot:
        screen = await interfaces(pilot)
        fresh = interface(7, "tap9")
        reset = tuple(one._replace(rx_bytes=1_250) if one.name == "eth0" else one for one in (*INTERFACES[:3], fresh))
        await later(pilot, sources, screen, 1, reset)
        assert set(named(screen)) == {"lo", "eth0", "eth1", "tap9"}
        assert "10.0 k" in line(screen, "eth0")
        assert line(screen, "tap9").split() == ["tap9", "up", "(veth)", "0", "0"]


async def test_marks_and_what_is_chosen(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen = await interfaces(pilot)
        await pilot.press("down")
        assert [one.name for one in screen.chosen] == ["eth0"]
        await pilot.press("space", "space")
        assert "● 2 marked" in state(screen)
        assert line(screen, "eth0")[1] == "●"
        assert [one.name for one in screen.chosen] == ["eth0", "eth1"]
        await pilot.press("up", "space")
        assert [one.name for one in screen.chosen] == ["eth0"]
        await later(pilot, sources, screen, 1, INTERFACES[2:])
        assert "marked" not in state(screen)


async def test_enter_opens_the_filter_on_what_is_chosen(sources: FakeSources) -> None:
    opened: list[tuple[Interface, ...]] = []

    def make(chosen: tuple[Interface, ...]) -> ConsoleScreen:
        opened.append(chosen)
        return ConsoleScreen()

    console = Bpfscope(sources)
    async with console.run_test(size=(120, 36)) as pilot:
        screen = await interfaces(pilot)
        console.packets = make
        await pilot.press("down")
        assert keys(screen).startswith("enter packets")
        await pilot.press("space", "space", "enter")
        await until(pilot, lambda: opened)
        assert [[one.name for one in chosen] for chosen in opened] == [["eth0", "eth1"]]


async def test_sort_filter_pause_and_rate(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen = await interfaces(pilot)
        assert "IN b/s ↓ · every 1 s" in state(screen)
        await pilot.press("s")
        assert "60 s" not in state(screen)
        assert "OUT b/s ↓" in state(screen)
        await type_filter(pilot, "172.17")
        assert named(screen) == ["docker0"]
        assert "1 of 7 interfaces" in state(screen)
        await type_filter(pilot, "wireguard")
        assert named(screen) == ["wg0"]
        await type_filter(pilot, "[none]")
        assert "no interface matches [none]; esc clears the filter" in painted(screen)[2]
        await pilot.press("escape", "escape", "escape")
        assert pilot.app.screen is screen
        await pilot.press("p")
        assert "paused ‖" in state(screen)
        await later(pilot, sources, screen, 1, INTERFACES[:2])
        assert len(named(screen)) == 7
        await pilot.press("p")
        assert len(named(screen)) == 2
        await pilot.press("plus")
        await until(pilot, lambda: sources.intervals[-1] == 0.5)


async def test_the_row_is_spelt_out(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(200, 36)) as pilot:
        screen = await interfaces(pilot)
        await later(pilot, sources, screen, 1, passed(INTERFACES, 1))
        assert detail(screen) == (
            "eth0  virtio_net · 02:fc:00:00:00:02 · MTU 1,500 · 192.0.2.17/24, 2001:db8:17::2/64,"
            " fe80::fc:ff:fe00:2/64 · 7,131 packets/s in, 3,101 out · 1,204 dropped in, 0 out"
        )


async def test_the_way_between_the_modes_keeps_each_as_it_was(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        first = await processes(pilot)
        await type_filter(pilot, "postgres")
        screen = await interfaces(pilot)
        await until(pilot, lambda: sources.watched == 1)
        await pilot.press("down", "down", "2")
        assert pilot.app.screen is screen
        await pilot.press("1")
        assert await at(pilot, ProcessesScreen) is first
        assert first.prompt.text == "postgres"
        await until(pilot, lambda: sources.watched == 1)
        await pilot.press("3", "4", "1")
        assert await at(pilot, ProcessesScreen) is first
        assert await interfaces(pilot) is screen
        assert under(screen).interface.name == "eth1"


async def test_a_process_named_on_the_command_line_leads_back_to_the_modes(sources: FakeSources) -> None:
    async with Bpfscope(sources, pid=2696).run_test(size=(120, 36)) as pilot:
        await functions(pilot)
        await pilot.press("2")
        assert isinstance(pilot.app.screen, FunctionsScreen)
        await pilot.press("escape")
        await processes(pilot)
        await interfaces(pilot)


async def test_an_error_is_one_sentence_and_the_other_mode_works(sources: FakeSources) -> None:
    sources.refusals["interfaces"] = "the kernel doesn't tell the network interfaces: it is a test"
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        await processes(pilot)
        await pilot.press("2")
        screen = await at(pilot, InterfacesScreen)
        await until(pilot, lambda: "the kernel doesn't tell the network interfaces: it is a test" in state(screen))
        await pilot.press("space", "enter", "1")
        await processes(pilot)


async def test_names_are_shown_literally(sources: FakeSources) -> None:
    sources.network = tuple(
        interface(100 + index, name, kind=name, addresses=(name,)) for index, name in enumerate(HOSTILE)
    )
    async with Bpfscope(sources).run_test(size=(170, 36)) as pilot:
        screen = await interfaces(pilot)
        for index, name in enumerate(HOSTILE):
            assert any(text[3:].startswith(name) for text in painted(screen))
            screen.table().move_to(index)
            await pilot.pause()
            assert detail(screen).startswith(f"{name}  {name}, virtual · ")


@pytest.mark.parametrize("size", [(60, 20), (40, 12), (20, 6), (8, 3)])
async def test_small_terminals(sources: FakeSources, size: tuple[int, int]) -> None:
    async with Bpfscope(sources).run_test(size=size) as pilot:
        screen = await interfaces(pilot)
        await later(pilot, sources, screen, 1, passed(INTERFACES, 1))
        await pilot.press("down", "space", "end", "s", "slash", "x", "escape", "escape")
        assert all(len(text) <= size[0] for text in painted(screen))


async def test_what_goes_first_where_there_is_little_room(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(80, 24)) as pilot:
        screen = await interfaces(pilot)
        assert {"name", "state", "addresses", "rx", "tx"} <= _shown(screen)
        assert not {"rx-packets", "tx-packets", "driver"} & _shown(screen)
        await pilot.resize_terminal(160, 36)
        await until(pilot, lambda: {"rx-packets", "tx-packets", "driver", "errors", "dropped"} <= _shown(screen))


def _shown(screen: InterfacesScreen) -> set[str]:
    return {placed.column.key for placed in screen.table()._placed}


async def test_hundreds_of_interfaces(sources: FakeSources) -> None:
    sources.network = tuple(interface(number, f"veth{number}") for number in range(1, 301))
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen = await interfaces(pilot)
        await later(pilot, sources, screen, 1, passed(sources.network, 1))
        await pilot.press("end")
        assert under(screen).interface.name == "veth300"


async def test_who_comes_back_sees_what_is_there_now(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen = await interfaces(pilot)
        await pilot.press("p", "down", "enter")
        await at(pilot, FilterScreen)
        sources.network = tuple(one for one in INTERFACES if one.name != "wg0")
        await pilot.press("escape", "escape")
        await at(pilot, InterfacesScreen)
        await until(pilot, lambda: "wg0" not in named(screen))
        assert "paused" not in state(screen)
