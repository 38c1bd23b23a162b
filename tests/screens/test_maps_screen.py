"""The maps and one map's page: what is shown, keys, and what they look like."""

import asyncio
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.screens import fake_maps
from tests.screens.fake_maps import MAPS, TIME, row, sample
from tests.screens.fakes import FakeSources
from tests.screens.steps import at, context, detail, keys, painted, processes, state, type_filter, under, until
from tests.screens.test_pictures import Compare, check
from tui.app import Bpfscope
from tui.bpf.btf.decoder import Reference, Value
from tui.collectors.entries import MapSample
from tui.collectors.maps import MapsSample
from tui.screens.attachments import AttachmentsScreen
from tui.screens.help import HelpScreen
from tui.screens.interfaces import InterfacesScreen
from tui.screens.load import LoadScreen
from tui.screens.map import MapScreen
from tui.screens.maps import MapsScreen
from tui.screens.processes import ProcessesScreen
from tui.screens.program import ProgramScreen
from tui.widgets.histogram import Histogram

SIZES = pytest.mark.parametrize("size", [(120, 36), (80, 24)], ids=lambda size: "x".join(map(str, size)))


async def maps(pilot: Pilot[Any]) -> MapsScreen:
    """The list, filled."""
    await processes(pilot)
    app = pilot.app
    assert isinstance(app, Bpfscope)
    app.open_maps()
    screen = await at(pilot, MapsScreen)
    await until(pilot, lambda: screen.table().rows or screen.failure)
    return screen


async def page(pilot: Pilot[Any]) -> MapScreen:
    """A map's page, from the list."""
    await maps(pilot)
    await pilot.press("enter")
    screen = await at(pilot, MapScreen)
    await until(pilot, lambda: screen._sample or screen.failure)
    return screen


async def tell(pilot: Pilot[Any], sources: FakeSources, screen: MapScreen, told: MapSample) -> None:
    """The next reading, taken."""
    sources.map_sample = told
    await until(pilot, lambda: screen._latest is told)


async def test_what_there_is_fullest_and_whose(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(150, 30)) as pilot:
        screen = await maps(pilot)
        lines = painted(screen)
        assert [line.split()[:3] for line in lines[1:3]] == [
            ["▌", "32", "lru_hash"], ["35", "ringbuf", "events"]
        ]  # fmt: skip
        flows = next(line for line in lines if " flows " in line)
        assert "10,112      10,240     ▲99" in flows
        assert "cil_from_netdev 128 +1" in flows
        assert "9,041+" in lines[1]
        assert any("type 99" in line and "of_tomorrow" in line for line in lines)
        assert any("(no name)" in line for line in lines)
        assert any("lost ours" in line for line in lines)
        assert "8 maps · 82 MiB of memory in all · ▲ 1 nearly full" in state(screen)
        assert "LRU" not in detail(screen)
        assert "the entries that were used longest ago go" in detail(screen)


async def test_no_number_is_cut_and_nothing_is_said_of_what_is_not_known_yet(sources: FakeSources) -> None:
    wide = fake_maps.bpf_map(41, 2, "wide", 4, 1_048_576, 1)
    sources.maps_sample = MapsSample(TIME, (row(wide, 1, 4096, known=False),))
    for width, value in ((160, " 1,048,576 "), (122, " 1.0 M "), (80, "")):
        async with Bpfscope(sources).run_test(size=(width, 30)) as pilot:
            screen = await maps(pilot)
            line = painted(screen)[1]
            assert value in line
            assert "…" not in line
            assert "nobody" not in line
            assert "held by" not in detail(screen)


async def test_counts_have_an_age_and_the_cursor_follows_its_map(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 30)) as pilot:
        screen = await maps(pilot)
        await pilot.press("down", "down", "down")
        number = under(screen).row.map.id
        sources.maps_sample = MapsSample(TIME + 9, tuple(reversed(MAPS)))
        await until(pilot, lambda: screen._sample is sources.maps_sample)
        assert under(screen).row.map.id == number
        assert "counted 9 s ago" in detail(screen)


async def test_esc_goes_back_and_the_list_is_as_it_was(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 30)) as pilot:
        screen = await maps(pilot)
        await type_filter(pilot, "cilium")
        assert [line.row.map.id for line in screen.table().rows] == [32, 31]
        await pilot.press("down", "enter")
        map_page = await at(pilot, MapScreen)
        assert sources.opened_maps[-1] == under(screen).row.map.id == map_page.number
        await pilot.press("escape")
        await at(pilot, MapsScreen)
        assert under(screen).row.map.id == map_page.number
        await pilot.press("escape")
        assert not screen.prompt.is_open
        await pilot.press("escape")
        await at(pilot, ProcessesScreen)
        pilot.app.open_maps()  # type: ignore[attr-defined]
        assert await at(pilot, MapsScreen) is screen


async def test_digits_go_to_other_modes_and_leave_nothing_above_them(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 30)) as pilot:
        await page(pilot)
        await pilot.press("2")
        await at(pilot, InterfacesScreen)
        assert not any(isinstance(screen, MapsScreen | MapScreen) for screen in pilot.app.screen_stack)


async def test_refused_and_empty(sources: FakeSources) -> None:
    sources.maps_refused = "Linux doesn't let this user list what BPF there is: run as root"
    async with Bpfscope(sources).run_test(size=(120, 30)) as pilot:
        screen = await maps(pilot)
        assert "run as root" in state(screen)
    sources.maps_refused, sources.maps_sample = "", MapsSample(TIME, ())
    async with Bpfscope(sources).run_test(size=(120, 30)) as pilot:
        await processes(pilot)
        pilot.app.open_maps()  # type: ignore[attr-defined]
        screen = await at(pilot, MapsScreen)
        await until(pilot, lambda: screen._sample)
        assert "there are no BPF maps" in "".join(painted(screen))


async def test_entries_have_columns_by_their_types_and_rates(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(130, 30)) as pilot:
        screen = await page(pilot)
        assert painted(screen)[0].split() == [
            "COMM",
            "PORT",
            "STATE",
            "PACKETS",
            "↓",
            "/S",
            "60",
            "s",
            "BYTES",
            "/S",
            "SEEN",
        ]
        assert context(screen) == "BPF ▸ Maps ▸ flows 32 · hash · struct flow → struct stats"
        assert (
            "40 entries · room for 10,240 · 3.2 MiB · used by cil_from_netdev 128 · held by cilium-agent 1811"
            in state(screen)
        )
        assert painted(screen)[1].split()[1:] == ["nginx", "1037", "OPEN", "629", "0"] or painted(screen)[1].split()[
            4:5
        ] == ["663"]
        await pilot.press("end")
        await tell(pilot, sources, screen, sample(1))
        line = next(line for line in painted(screen) if " 1009 " in line)
        assert line.split()[3:6] == ["234", "81", "█"]
        assert line.split()[6:8] == ["121,500", "121.5"]
        await pilot.press("s")
        assert "PACKETS" not in state(screen)


async def test_reset_counts_from_nought_and_zeros_can_be_hidden(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(130, 50)) as pilot:
        screen = await page(pilot)
        await pilot.press("r")
        assert "since the reset" in state(screen)
        await tell(pilot, sources, screen, sample(2))
        line = next(line for line in painted(screen) if " 1009 " in line)
        assert " 162 " in line
        await pilot.press("r")
        assert "since" not in state(screen)
        await tell(pilot, sources, screen, fake_maps.histogram())
        assert "64 entries" in state(screen)
        await pilot.press("z")
        assert "9 of 64 entries" in state(screen)


async def test_histograms_are_drawn_and_h_changes_their_scale(sources: FakeSources) -> None:
    sources.map_sample = fake_maps.histogram()
    async with Bpfscope(sources).run_test(size=(120, 30)) as pilot:
        screen = await page(pilot)
        bars = screen.query_one(Histogram)
        assert bars.display
        drawn = ["".join(part for part, _ in line) for line in bars.lines(40, 20)]
        assert "dist  15,888  powers of two" in drawn[0]
        assert (drawn[1].split()[0], drawn[1].split()[-1]) == ("0", "3")
        assert (drawn[5].split()[0], drawn[5].split()[-1]) == ("16", "9,320")
        await pilot.press("h")
        drawn = ["".join(part for part, _ in line) for line in bars.lines(40, 20)]
        assert drawn[5].split()[0] == "5"
        await pilot.press("h")
        assert not bars.display


async def test_all_entries_are_read_on_request_and_the_age_is_said(sources: FakeSources) -> None:
    sources.map_sample = sample(0, complete=False)
    async with Bpfscope(sources).run_test(size=(120, 30)) as pilot:
        screen = await page(pilot)
        assert "the first 40 entries · a reads all" in state(screen)
        assert "A first" not in keys(screen)
        await pilot.press("s", "S", "a")
        await until(pilot, lambda: screen._sample and screen._sample.scan)
        assert sources.map_scans == ["packets"]
        await tell(pilot, sources, screen, sample(7, scan=screen._sample and screen._sample.scan, complete=False))
        assert "the largest 40 entries of 10,112, all read 7 s ago" in state(screen)
        await pilot.press("A")
        await until(pilot, lambda: screen._sample and not screen._sample.scan)
        sources.map_scan_fails = "map 31 is gone"
        await pilot.press("a")
        await until(pilot, lambda: len(sources.map_scans) == 2 and not screen._scanning)


async def test_a_map_that_goes_keeps_its_last_entries(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 30)) as pilot:
        screen = await page(pilot)
        await tell(pilot, sources, screen, sample(3, ended="map 31 is gone: nobody holds it any more"))
        assert state(screen).startswith("map 31 is gone: nobody holds it any more · 40 entries")
        assert len(screen.table().rows) == 40
        assert "p pause" not in keys(screen)
        before = len(sources.map_intervals)
        await pilot.press("plus")
        assert len(sources.map_intervals) == before
    sources.map_sample = None
    async with Bpfscope(sources).run_test(size=(120, 30)) as pilot:
        screen = await page(pilot)
        assert "there is no map 31" in state(screen)
        assert keys(screen).split() == ["esc", "back", "?", "help", "q", "quit"]


async def test_a_map_that_was_empty_says_once_that_it_is_gone(sources: FakeSources) -> None:
    sources.map_sample = sample(0, entries=())
    async with Bpfscope(sources).run_test(size=(120, 30)) as pilot:
        screen = await page(pilot)
        await tell(pilot, sources, screen, sample(3, entries=(), ended="map 31 is gone: nobody holds it any more"))
        assert "map 31 is gone" in state(screen)
        assert screen.table().empty == "it was empty"


async def test_the_other_ways_of_the_mode_lead_on_from_the_maps(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 30)) as pilot:
        screen = await maps(pilot)
        for key, way in (("a", AttachmentsScreen), ("l", LoadScreen)):
            await pilot.press(key)
            await at(pilot, way)
            await pilot.press("escape")
            assert await at(pilot, MapsScreen) is screen


async def test_bytes_and_where_entries_lead(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 30)) as pilot:
        screen = await page(pilot)
        await pilot.press("x")
        assert painted(screen)[1].split()[1:] == ["00", "00", "00", "00"] * 2
        await pilot.press("x")
        assert "COMM" in painted(screen)[0]
        assert "open" not in keys(screen)
        value: Value = {"map": Reference(34), "name": "stats"}
        outer = sample(1, entries=(fake_maps.entry(0, 0, value),), map=MAPS[6].map)
        await tell(pilot, sources, screen, outer)
        assert "enter open" in keys(screen)
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen is not screen)
        assert sources.opened_maps[-1] == 34
        await pilot.press("escape")
        assert await at(pilot, MapScreen) is screen


async def test_export_and_the_program_that_uses_it(
    sources: FakeSources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with Bpfscope(sources).run_test(size=(120, 30)) as pilot:
        screen = await page(pilot)
        await pilot.press("e")
        await until(pilot, lambda: list(tmp_path.glob("bpfscope-map-32-*.json")))
        await until(pilot, lambda: all(worker.group != "export" for worker in screen.workers))
        document = json.loads(next(tmp_path.iterdir()).read_text())  # noqa: ASYNC240 - nobody waits
        assert document["map"]["value_type"] == "struct stats"
        assert document["entries"][1]["key"] == {"comm": "nginx", "port": 1001, "state": "OPEN"}
        await pilot.press("u")
        assert (await at(pilot, ProgramScreen)).number == 128
        await pilot.press("escape")
        assert await at(pilot, MapScreen) is screen


async def test_help_names_all_signs(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 50)) as pilot:
        await page(pilot)
        await pilot.press("question_mark")
        await at(pilot, HelpScreen)


Make = Callable[[], MapSample]


@SIZES
def test_maps(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        screen = await maps(pilot)
        for second in range(3, 61, 3):
            grown = (row(MAPS[0].map, 9_000 + 20 * second, 3_407_872, users=MAPS[0].users), *MAPS[1:])
            sources.maps_sample = told = MapsSample(TIME + second, grown)
            await until(pilot, partial(_shown, screen, told))
        await pilot.press("down", "down")

    check(picture, sources, size, steps, pid=None)


def _shown(screen: MapsScreen | MapScreen, told: object) -> bool:
    return screen._sample is told


@SIZES
def test_map(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        screen = await page(pilot)
        for second in range(3, 61, 3):
            await tell(pilot, sources, screen, sample(second))
        await pilot.press("down")

    check(picture, sources, size, steps, pid=None)


@SIZES
@pytest.mark.parametrize("make", [fake_maps.histogram, fake_maps.prefixes, fake_maps.programs, fake_maps.ring],
                         ids=lambda make: make.__name__)  # fmt: skip
def test_map_of(picture: Compare, sources: FakeSources, size: tuple[int, int], make: Make) -> None:
    sources.map_sample = make()

    async def steps(pilot: Pilot[Any]) -> None:
        await page(pilot)

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_map_gone(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        screen = await page(pilot)
        await tell(pilot, sources, screen, sample(3, ended="map 31 is gone: nobody holds it any more"))

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_maps_loading(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    sources.maps_hold = asyncio.Event()

    async def steps(pilot: Pilot[Any]) -> None:
        await processes(pilot)
        pilot.app.open_maps()  # type: ignore[attr-defined]
        await at(pilot, MapsScreen)

    check(picture, sources, size, steps, pid=None)
