"""Packets, their fields and bytes, and the machine: what they show, by keys."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from textual.pilot import Pilot

from tests.screens.fakes import FakeSources
from tests.screens.filtering import FakeFiltering, figures, packet_records
from tests.screens.steps import at, context, detail, keys, painted, state, type_filter, under, until
from tests.screens.test_filter_screen import WIDE, apply, filtering
from tui.app import Bpfscope
from tui.screens.confirm import ConfirmScreen
from tui.screens.filter import FilterScreen
from tui.screens.machine import MachineScreen
from tui.screens.packet import PacketScreen
from tui.screens.packets import PacketsScreen
from tui.screens.processes import ProcessesScreen
from tui.widgets.bytes import Bytes
from tui.widgets.lines import Line

if TYPE_CHECKING:
    from textual.screen import Screen


async def packets(pilot: Pilot[Any], sources: FakeSources) -> tuple[PacketsScreen, FakeFiltering]:
    """Three packets of port 22."""
    screen, _ = await filtering(pilot, sources)
    running = await apply(pilot, sources, screen, "tcp port 22")
    running.tick(1.0, figures(running.filters[0], 9, 3), records=packet_records(1))
    await until(pilot, lambda: screen.run.tail.total == 3)
    await pilot.press("enter")
    return await at(pilot, PacketsScreen), running


async def more(pilot: Pilot[Any], screen: PacketsScreen, running: FakeFiltering, second: int) -> None:
    running.tick(second, figures(running.filters[0], 9 * second, 3 * second), records=packet_records(second))
    await until(pilot, lambda: screen.tail.total == 3 * second)


async def test_the_tail_follows_and_freezes(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, running = await packets(pilot, sources)
        assert "3 packets" in state(screen)
        assert "a sample of 3 that matched" in state(screen)
        assert "IP 192.0.2.1.51044 > 192.0.2.9.22: Flags [P.]" in painted(screen)[1]
        await more(pilot, screen, running, 2)
        await until(pilot, lambda: len(screen.table().rows) == 6)
        assert screen.table().cursor == 5
        await pilot.press("up")
        await more(pilot, screen, running, 3)
        await until(pilot, lambda: "frozen, 3 newer" in state(screen))
        assert len(screen.table().rows) == 6
        await pilot.press("p")
        await until(pilot, lambda: len(screen.table().rows) == 9)
        assert screen.table().cursor == 8


async def test_the_filter_of_the_tail(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, _ = await packets(pilot, sources)
        await type_filter(pilot, "out")
        assert "1 of 3 packets" in state(screen)
        await pilot.press("escape")
        assert len(screen.table().rows) == 3
        await pilot.press("escape")
        await at(pilot, FilterScreen)


async def test_fields_and_their_bytes(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        await packets(pilot, sources)
        await pilot.press("home", "enter")
        packet = await at(pilot, PacketScreen)
        rows = [row.name for row in packet.table().rows]
        await pilot.press(*["down"] * rows.index("protocol"))
        await until(pilot, lambda: "IPv4 ▸ protocol: 6 (TCP)" in detail(packet))
        assert "[06]" in "".join(packet.query_one(Bytes).plain)
        assert context(packet).startswith("Network ▸ eth0 ▸ packet 1 of 3")
        await pilot.press("right")
        assert "packet 2 of 3" in context(packet)
        assert "went out" in state(packet)
        assert under(packet).name == "protocol"
        await pilot.press("escape")
        await at(pilot, PacketsScreen)


async def test_step_by_step_and_why(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        await packets(pilot, sources)
        await pilot.press("home", "m")
        machine = await at(pilot, MachineScreen)
        assert "0 of 13 done · A = the 2 bytes at 12, the EtherType" in state(machine)
        assert "loads 0x0800 at 12" in machine.query_one("#loads", Line).plain
        assert "[08 00]" in "".join(machine.query_one(Bytes).plain)
        await pilot.press("down")
        assert machine.query_one("#registers", Line).plain == "A 0x800 (2,048) · X 0x0 (0)"
        await pilot.press("down")
        assert machine.step.pc == 8
        assert "no" in painted(machine)[2].split()
        await pilot.press("up")
        assert machine.step.pc == 1
        await pilot.press("end")
        assert state(machine) == "it matches after 13 instructions: up to 262,144 bytes are wanted"
        assert "↓ step" not in keys(machine)
        await pilot.press("down")
        assert machine.at == 13
        await pilot.press("home")
        assert machine.at == 0
        await pilot.press("l")
        assert context(machine).endswith("libpcap")
        await pilot.press("escape")
        await at(pilot, PacketsScreen)


async def test_another_filter_over_the_same_packet(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, _ = await filtering(pilot, sources)
        await apply(pilot, sources, screen, "tcp port 22")
        await pilot.press("a")
        running = await apply(pilot, sources, screen, "udp")
        running.tick(1.0, *(figures(one, 9, 3) for one in running.filters), records=packet_records(1))
        await until(pilot, lambda: screen.run.tail.total == 3)
        await pilot.press("enter", "m")
        machine = await at(pilot, MachineScreen)
        await pilot.press("tab", "end")
        assert machine.filter.expression == "udp"
        assert "doesn't match: the condition at 006 didn't hold, A was 0x6 (6)" in state(machine)


async def test_packets_are_exported_for_their_owner_alone(
    sources: FakeSources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, _ = await packets(pilot, sources)
        await pilot.press("e")
        await until(pilot, lambda: _sizes(tmp_path))
        assert _sizes(tmp_path)[0] > 24 + 3 * 16
        assert screen.tail.total == 3


def _sizes(folder: Path) -> list[int]:
    files = list(folder.glob("bpfscope-eth0-*.pcap"))
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    return [size for file in files if (size := file.stat().st_size) > 24]


async def test_an_interface_that_disappears_leaves_the_packets(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        screen, running = await packets(pilot, sources)
        running.tick(2.0, figures(running.filters[0], 9, 3), ended="eth0 disappeared")
        await until(pilot, lambda: "eth0 disappeared; the packets stay" in state(screen))
        await pilot.press("m")
        await at(pilot, MachineScreen)


@pytest.mark.parametrize("way", ["", "enter", "m"])
async def test_the_digits_lead_to_the_modes_from_everywhere(sources: FakeSources, way: str) -> None:
    async with Bpfscope(sources).run_test(size=WIDE) as pilot:
        _, running = await packets(pilot, sources)
        await pilot.press(*([way] if way else []))
        kinds: dict[str, type[Screen[Any]]] = {"": PacketsScreen, "enter": PacketScreen, "m": MachineScreen}
        await at(pilot, kinds[way])
        await pilot.press("1")
        await at(pilot, ConfirmScreen)
        await pilot.press("y")
        await at(pilot, ProcessesScreen)
        assert running.closed == 1
