"""The cgroups: the tree, its folds, rates, counting, what is attached, and what is said where something is missing."""

from functools import partial
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.screens.fake_cgroups import CGROUPS, PORTS, cgroup, passed, program
from tests.screens.fakes import HOSTILE, FakeSources
from tests.screens.steps import at, context, detail, keys, painted, processes, state, type_filter, under, until
from tui.app import Bpfscope
from tui.collectors.cgroup_samples import Cgroup
from tui.screens.base import ConsoleScreen
from tui.screens.cgroup import CgroupScreen
from tui.screens.cgroups import CgroupsScreen
from tui.screens.confirm import ConfirmScreen
from tui.screens.processes import ProcessesScreen


async def cgroups(pilot: Pilot[Any]) -> CgroupsScreen:
    """The cgroups, by the key that leads there, filled."""
    await at(pilot, ProcessesScreen)
    await pilot.press("4")
    screen = await at(pilot, CgroupsScreen)
    await until(pilot, lambda: screen.table().rows)
    return screen


async def later(
    pilot: Pilot[Any], sources: FakeSources, screen: CgroupsScreen | CgroupScreen, time: float,
    shown: tuple[Cgroup, ...] | None = None,
) -> None:  # fmt: skip
    sources.pass_cgroups(time, passed(time) if shown is None else shown)
    await until(pilot, partial(_taken, screen, 1000 + time))


def _taken(screen: CgroupsScreen | CgroupScreen, time: float) -> bool:
    return screen._latest is not None and screen._latest.time == time


def named(screen: CgroupsScreen) -> list[str]:
    return [row.cgroup.name for row in screen.table().rows]


def line(screen: ConsoleScreen, text: str) -> str:
    return next(one for one in painted(screen) if text in one)


async def move_to(pilot: Pilot[Any], screen: ConsoleScreen, path: str) -> None:
    rows = screen.table().rows
    screen.table().move_to(next(index for index, row in enumerate(rows) if row.cgroup.path == path))
    await pilot.pause()


async def page(pilot: Pilot[Any], path: str) -> CgroupScreen:
    """The page of a cgroup, filled."""
    await move_to(pilot, await cgroups(pilot), path)
    await pilot.press("enter")
    screen = await at(pilot, CgroupScreen)
    await until(pilot, lambda: screen._sample is not None)
    return screen


async def test_the_tree_with_totals_at_once_and_rates_from_the_second_reading_on(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(190, 36)) as pilot:
        screen = await cgroups(pilot)
        assert [row.cgroup.path for row in screen.table().rows] == [one.path for one in CGROUPS]
        assert "9 cgroups · 4 with programs" in state(screen)
        assert "│  ├─ postgresql@16-main.service" in line(screen, "postgresql")
        await later(pilot, sources, screen, 2)
        cells = line(screen, "postgresql")
        for shown in ("9.3 M", "412.0 k", " 4.1 ", "88 MiB", "in out dev bind4", "systemd"):
            assert shown in cells
        assert line(screen, "ssh.service").split()[-6:] == ["1,222", "1,015", "1", "in", "out", "systemd"]
        assert "docker-3f2a9c1b4d5e….scope" in line(screen, "docker-")
        assert "dev out" in line(screen, "docker-")


async def test_folding_up_what_is_below(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen = await cgroups(pilot)
        await move_to(pilot, screen, "/user.slice")
        await pilot.press("left")
        assert named(screen)[-1] == "user.slice"
        assert "└─ user.slice +2" in line(screen, "user.slice")
        await later(pilot, sources, screen, 1)
        assert "└─ user.slice +2" in line(screen, "user.slice")
        await type_filter(pilot, "session")
        assert named(screen) == ["/", "user.slice", "user-1000.slice", "session-3.scope"]
        assert "1 of 9 cgroups" in state(screen)
        assert under(screen).cgroup.path.endswith("session-3.scope"), "what was looked for, not what it is in"
        await pilot.press("escape")
        assert under(screen).cgroup.path == "/user.slice", "which hides it"
        await pilot.press("left")
        assert under(screen).cgroup.path == "/"
        await move_to(pilot, screen, "/user.slice")
        await pilot.press("right")
        assert len(named(screen)) == 9
        await pilot.press("home", "left")
        assert painted(screen)[1].split()[1:3] == ["/", "+8"]


async def test_the_order_is_held_while_the_cursor_moves_and_so_are_the_branches(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen = await cgroups(pilot)
        await pilot.press("down", "down")
        await later(pilot, sources, screen, 1)
        assert "│  ├─ ssh.service" in line(screen, "ssh") or "│  └─ ssh.service" in line(screen, "ssh")
        gone = tuple(one for one in passed(2) if one.path != "/system.slice/ssh.service")
        await later(pilot, sources, screen, 2, gone)
        assert "│  └─ postgresql" in line(screen, "postgresql")
        assert under(screen).cgroup.path == "/system.slice"


async def test_sorting_within_the_tree_and_as_a_list(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(190, 36)) as pilot:
        screen = await cgroups(pilot)
        await later(pilot, sources, screen, 1)
        screen.table().sort_by("rx")
        await pilot.pause()
        assert named(screen)[:4] == ["/", "system.slice", "postgresql@16-main.service", "ssh.service"]
        await pilot.press("t")
        assert named(screen)[:3] == ["system.slice", "postgresql@16-main.service", "ssh.service"]
        assert "/system.slice/ssh.service" in line(screen, "ssh")
        await type_filter(pilot, "192.168.*")
        assert named(screen) == ["ssh.service"]
        await type_filter(pilot, "sd_bind4")
        assert named(screen) == ["postgresql@16-main.service"]
        await type_filter(pilot, "nothing such")
        assert "no cgroup matches nothing such" in painted(screen)[2]


async def test_counting_the_one_under_the_cursor(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(190, 36)) as pilot:
        screen = await cgroups(pilot)
        await move_to(pilot, screen, "/user.slice")
        await pilot.press("c")
        await until(pilot, lambda: sources.asked_to_count == [(40, True)])
        await until(pilot, lambda: "counting 1" in state(screen))
        await later(pilot, sources, screen, 3)
        assert line(screen, "session-3").split()[-4:] == ["291", "267", "ours", "00:03"]
        assert "ours 00:03: 0 in, 0 B · 0 out, 0 B" in detail(screen)
        await pilot.press("c")
        await until(pilot, lambda: sources.asked_to_count[-1] == (40, False))
        await until(pilot, lambda: "counting" not in state(screen))


async def test_counting_all_that_is_marked_and_one_that_tolerates_no_other(sources: FakeSources) -> None:
    exclusive = program(98, "inet-ingress", "jealous", flags="exclusive")
    sources.groups = (*CGROUPS[:-1], CGROUPS[-1]._replace(programs=(exclusive,)))
    console = Bpfscope(sources)
    async with console.run_test(size=(120, 36)) as pilot:
        screen = await cgroups(pilot)
        await move_to(pilot, screen, "/user.slice/user-1000.slice")
        await pilot.press("space", "space")
        assert "● 2 marked" in state(screen)
        await pilot.press("c")
        await until(pilot, lambda: sources.asked_to_count == [(41, True), (42, True)])
        await until(pilot, lambda: "counting 1" in state(screen))
        assert any("tolerates no other" in each.message for each in console._notifications)
        assert screen.holding == "1 cgroup counter"
        assert "marked" not in state(screen)


async def test_whoever_leaves_the_mode_takes_the_counters_off_and_who_quits_is_asked(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen = await cgroups(pilot)
        await pilot.press("c")
        await until(pilot, lambda: screen.holding == "1 cgroup counter")
        await pilot.press("q")
        await at(pilot, ConfirmScreen)
        await pilot.press("escape")
        await at(pilot, CgroupsScreen)
        await pilot.press("enter")
        await at(pilot, CgroupScreen)
        assert sources.counting
        await pilot.press("escape", "1")
        await processes(pilot)
        await until(pilot, lambda: not sources.counting)
        assert not screen.holding


async def test_what_is_attached_here_and_above_with_rules(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(150, 36)) as pilot:
        screen = await page(pilot, "/system.slice/postgresql@16-main.service")
        assert context(screen).startswith("Cgroups ▸ /system.slice/postgresql@16-main.service")
        assert "5 programs · 1 from above · systemd: 12,003,411 in, 9.0 GiB · 8,120,777 out, 3.0 GiB" in state(screen)
        assert [text.split() for text in painted(screen)[1:17]] == [
            ["▌", "in", "sd_fw_ingress", "97", "cgroup_skb", "with", "others", "the", "cgroup", "here"],
            ["allow", "10.0.0.0/8"],
            ["allow", "127.0.0.0/8"],
            ["allow", "2001:db8:17::/64"],
            ["deny", "any"],
            ["out", "sd_fw_egress", "98", "cgroup_skb", "with", "others", "the", "cgroup", "here"],
            ["as", "program", "97", "above"],
            ["dev", "sd_devices", "99", "cgroup_device", "with", "others", "the", "cgroup", "here"],
            ["allow", "char", "1:3", "rw", "/dev/null"],
            ["allow", "char", "136:*", "rwm", "pts"],
            ["allow", "block", "*:*", "m"],
            ["deny", "everything", "else"],
            ["bind4", "sd_bind4", "100", "cgroup_sock_addr", "with", "others", "the", "cgroup", "here"],
            ["allow", "tcp", "8000-8010"],
            ["deny", "any"],
            ["in", "cil_cgroup", "90", "cgroup_skb", "with", "others", "link", "7", "/system.slice"],
        ]
        await pilot.press("down")
        assert detail(screen).startswith("allow 10.0.0.0/8")
        assert "what is both allowed and denied passes" in detail(screen)
        await type_filter(pilot, "char")
        assert len(screen.table().rows) == 2
        read = len(sources.intervals)
        await pilot.press("escape", "escape")
        await at(pilot, CgroupsScreen)
        await until(pilot, lambda: len(sources.intervals) > read)
        assert under(pilot.app.screen).cgroup.id == 32  # type: ignore[arg-type]


async def test_the_page_of_a_cgroup_that_ends_stays_as_it_was(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(150, 36)) as pilot:
        screen = await page(pilot, "/system.slice/ssh.service")
        sources.pass_cgroups(2, tuple(one for one in CGROUPS if one.id != 33))
        await until(pilot, lambda: "this cgroup has ended" in state(screen))
        await until(pilot, lambda: "sd_fw_ingress" in painted(screen)[1])


async def test_a_page_without_a_program(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        screen = await page(pilot, "/user.slice")
        assert "no BPF program is attached here or above" in painted(screen)[2]
        assert "enter" not in keys(screen)
        await pilot.press("c")
        await until(pilot, lambda: sources.asked_to_count == [(40, True)])
        await later(pilot, sources, screen, 3)
        await until(pilot, lambda: "ours 00:03" in state(screen))
        await pilot.press("c")
        await until(pilot, lambda: sources.asked_to_count[-1] == (40, False))


async def test_names_are_shown_literally(sources: FakeSources) -> None:
    sources.groups = (
        cgroup(1, 0, "/"),
        *(
            cgroup(
                100 + index, 1, f"/{name}".replace("[/", "["),
                programs=(program(index, "inet4-bind", name, PORTS),),
            )
            for index, name in enumerate(HOSTILE)
        ),
    )  # fmt: skip
    async with Bpfscope(sources).run_test(size=(150, 36)) as pilot:
        screen = await cgroups(pilot)
        for name in (name.replace("[/", "[") for name in HOSTILE):
            await move_to(pilot, screen, f"/{name}")
            assert any(name.rpartition("/")[2] in text for text in painted(screen))
            assert detail(screen).startswith(f"/{name}")


@pytest.mark.parametrize("size", [(60, 20), (40, 12), (20, 6), (8, 3)])
async def test_small_terminals(sources: FakeSources, size: tuple[int, int]) -> None:
    async with Bpfscope(sources).run_test(size=size) as pilot:
        screen = await cgroups(pilot)
        await later(pilot, sources, screen, 1)
        await pilot.press("down", "down", "left", "space", "end", "s", "t", "slash", "x", "escape", "escape", "enter")
        assert all(len(text) <= size[0] for text in painted(screen))
        await at(pilot, CgroupScreen)
        await pilot.press("end", "escape")


async def test_an_error_is_one_sentence(sources: FakeSources) -> None:
    sources.refusals["cgroups"] = "cgroup v2 is not mounted here: it is a test"
    async with Bpfscope(sources).run_test(size=(120, 36)) as pilot:
        await processes(pilot)
        await pilot.press("4")
        screen = await at(pilot, CgroupsScreen)
        await until(pilot, lambda: "cgroup v2 is not mounted here: it is a test" in state(screen))
        await pilot.press("space", "c", "enter", "1")
        await processes(pilot)
