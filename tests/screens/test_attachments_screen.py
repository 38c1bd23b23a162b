"""The list of what is attached: kinds of places, what came and went, the ways on, classic filters."""

from functools import partial
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.screens.fake_attachments import ATTACHED, placed
from tests.screens.fakes import HOSTILE, FakeSources
from tests.screens.steps import (
    at,
    context,
    detail,
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
from tui.collectors.attachment_samples import Placed
from tui.screens.attachment_rows import NAMES
from tui.screens.attachments import AttachmentsScreen
from tui.screens.classic_filter import ClassicFilterScreen
from tui.screens.interfaces import InterfacesScreen
from tui.screens.program import ProgramScreen
from tui.screens.programs import ProgramsScreen

SIZE = (160, 40)


async def attachments(pilot: Pilot[Any]) -> AttachmentsScreen:
    """What is attached, by the keys that lead there, read."""
    await processes(pilot)
    await pilot.press("3")
    await at(pilot, ProgramsScreen)
    await pilot.press("a")
    screen = await at(pilot, AttachmentsScreen)
    await until(pilot, lambda: screen._sample is not None)
    return screen


async def later(pilot: Pilot[Any], sources: FakeSources, screen: AttachmentsScreen, time: float, *rows: Placed) -> None:
    sources.attach(time, rows)
    await until(pilot, partial(_taken, screen, 1000 + time))


def _taken(screen: AttachmentsScreen, time: float) -> bool:
    return screen._latest is not None and screen._latest.time == time


def listed(screen: AttachmentsScreen) -> list[tuple[str, str]]:
    return [(row.placed.hook, row.placed.where) for row in screen.table().rows]


async def go_to(pilot: Pilot[Any], screen: AttachmentsScreen, hook: str, where: str) -> None:
    screen.table().move_to(listed(screen).index((hook, where)))
    await pilot.pause()


async def test_one_list_in_order_of_places(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        screen = await attachments(pilot)
        assert listed(screen) == [(one.hook, one.where) for one in ATTACHED]
        assert context(screen) == "BPF ▸ Attachments"
        assert state(screen).startswith(
            "16 attachments · interfaces 5 · cgroups 3 · functions 2 · kernel 3 · sockets 1 · namespaces 2"
        )
        line = next(text for text in painted(screen) if "cil_from_netdev" in text)
        assert line.split()[:6] == ["tcx-ingress", "eth0", "128", "cil_from_netdev", "cilium-agent", "1811"]
        assert next(text for text in painted(screen) if "bpfscope_filter" in text)[1] == "◆"


async def test_only_places_of_one_kind(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        screen = await attachments(pilot)
        await pilot.press("g")
        assert {row.placed.kind for row in screen.table().rows} == {"interface"}
        assert "5 attachments · only interfaces" in state(screen)
        await pilot.press("g", "g")
        assert [hook for hook, _ in listed(screen)] == ["uprobe", "uretprobe"]
        await pilot.press("G", "G", "G")
        assert len(listed(screen)) == len(ATTACHED)
        await pilot.press("G")
        await later(pilot, sources, screen, 1, *(one for one in ATTACHED if one.kind != "namespace"))
        await later(pilot, sources, screen, 60, *(one for one in ATTACHED if one.kind != "namespace"))
        assert f"nothing is left of these: {NAMES['namespace']}; g goes on" in painted(screen)[2]


async def test_what_came_and_what_went(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        screen = await attachments(pilot)
        fresh = placed("xdp", "eth1", 200, "fresh", ifindex=3, links=(99,))
        gone = ATTACHED[2]
        renamed = tuple(one._replace(where="/usr/bin/bash:other") if one.hook == "uprobe" else one for one in ATTACHED)
        await later(pilot, sources, screen, 1, *(one for one in renamed if one != gone), fresh)
        signs = {text[1]: text for text in painted(screen) if text[1:2] in {"+", "-"}}
        assert "fresh" in signs["+"]
        assert gone.name in signs["-"]
        assert "+ 1 new · - 1 gone" in state(screen)
        assert state(screen).startswith("16 attachments")
        await go_to(pilot, screen, gone.hook, gone.where)
        assert detail(screen).startswith("eth0  detached · tcx-ingress · program 128 sched_cls cil_from_netdev")
        assert detail(screen).endswith("held by cilium-agent 1811 in docker 3f2a9c1b4d5e")
        await later(pilot, sources, screen, 40, *(one for one in renamed if one != gone), fresh)
        assert not [text for text in painted(screen) if text[1:2] in {"+", "-"}]


async def test_enter_goes_to_the_program_and_back_to_the_row(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        screen = await attachments(pilot)
        await go_to(pilot, screen, "tcx-ingress", "eth0")
        await pilot.press("enter")
        page = await at(pilot, ProgramScreen)
        assert "128" in context(page)
        await pilot.press("escape")
        assert await at(pilot, AttachmentsScreen) is screen
        assert under(screen).placed.program == 128
        await pilot.press("escape")
        await at(pilot, ProgramsScreen)
        await pilot.press("a")
        assert await at(pilot, AttachmentsScreen) is screen
        assert under(screen).placed.program == 128
        await pilot.press("1")
        await processes(pilot)
        await pilot.press("3")
        await at(pilot, ProgramsScreen)


async def test_a_classic_filter_has_its_instructions_in_words(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        screen = await attachments(pilot)
        await go_to(pilot, screen, "socket", "eth0")
        assert keys(screen).startswith("enter program")
        await pilot.press("enter")
        page = await at(pilot, ClassicFilterScreen)
        assert context(page) == "BPF ▸ Attachments ▸ socket eth0"
        assert state(page) == "12 instructions · held by tcpdump 3190 · packet socket"
        assert painted(page)[1].split(maxsplit=4)[1:] == ["000", "ldh", "[12]", "A = the 2 bytes at 12, the EtherType"]
        await type_filter(pilot, "port")
        assert [row.number for row in page.table().rows] == [7]
        await pilot.press("escape", "escape")
        assert await at(pilot, AttachmentsScreen) is screen


async def test_what_the_kernel_does_not_tell_cannot_be_opened(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        screen = await attachments(pilot)
        await go_to(pilot, screen, "socket", "UDP socket 0.0.0.0:67")
        assert not keys(screen).startswith("enter")
        await pilot.press("enter")
        assert pilot.app.screen is screen
        assert "eBPF, which program the kernel doesn't tell" in detail(screen)


@pytest.mark.parametrize(
    ("where", "hooks"),
    [
        ("/system.slice/nginx.service", ["cgroup-inet-egress", "cgroup-inet-ingress"]),
        ("/usr/bin/bash+0x31f44", ["uprobe"]),
        ("/", []),
    ],
)
async def test_only_one_place(sources: FakeSources, where: str, hooks: list[str]) -> None:
    console = Bpfscope(sources)
    async with console.run_test(size=SIZE) as pilot:
        await processes(pilot)
        console.open_attachments(where)
        screen = await at(pilot, AttachmentsScreen)
        await until(pilot, lambda: screen._sample is not None)
        assert [row.placed.hook for row in screen.table().rows] == hooks
        assert context(screen) == f"BPF ▸ Attachments ▸ {where}"
        assert state(screen).startswith(f"{len(hooks)} attachment")
        assert hooks or painted(screen)[2].strip() == f"nothing is attached to {where} now"
        await pilot.press("escape")
        await processes(pilot)


async def test_ours_are_found(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        screen = await attachments(pilot)
        await type_filter(pilot, "ours")
        assert {row.placed.ours for row in screen.table().rows} == {True}
        assert "2 of 16 attachments" in state(screen)


async def test_an_interface_leads_to_what_is_attached_to_it(sources: FakeSources) -> None:
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        network = await interfaces(pilot)
        await pilot.press("down", "a")
        screen = await at(pilot, AttachmentsScreen)
        await until(pilot, lambda: screen._sample is not None)
        assert [where for _, where in listed(screen)] == ["eth0"] * 3
        await pilot.press("escape")
        assert await at(pilot, InterfacesScreen) is network


async def test_what_could_not_be_read_is_said(sources: FakeSources) -> None:
    sources.unread = ("sockets: Operation not permitted",)
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        screen = await attachments(pilot)
        assert "not read: sockets" in state(screen)
        await later(pilot, sources, screen, 1)
        await later(pilot, sources, screen, 60)
        assert "not read: sockets: Operation not permitted" in painted(screen)[2]


async def test_an_error_is_one_sentence(sources: FakeSources) -> None:
    sources.refusals["attachments"] = "Linux doesn't let this user list what BPF there is: run as root"
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        await processes(pilot)
        await pilot.press("3")
        await at(pilot, ProgramsScreen)
        await pilot.press("a")
        screen = await at(pilot, AttachmentsScreen)
        await until(pilot, lambda: "run as root" in state(screen))
        await pilot.press("escape")
        await at(pilot, ProgramsScreen)


async def test_names_are_shown_literally(sources: FakeSources) -> None:
    sources.placed = tuple(placed("uprobe", name, 10 + at, name, detail=name) for at, name in enumerate(HOSTILE))
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        screen = await attachments(pilot)
        for at_, row in enumerate(screen.table().rows):
            screen.table().move_to(at_)
            await pilot.pause()
            assert detail(screen).startswith(row.placed.where)


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (40, 12), (20, 6)])
async def test_small_terminals(sources: FakeSources, size: tuple[int, int]) -> None:
    async with Bpfscope(sources).run_test(size=size) as pilot:
        screen = await attachments(pilot)
        await pilot.press("down", "end", "s", "g", "slash", "x", "escape", "escape")
        assert all(len(text) <= size[0] for text in painted(screen))


async def test_thousands(sources: FakeSources) -> None:
    sources.placed = tuple(
        placed("uprobe", f"/usr/bin/node:f{at}", 7, links=(1,), offset=at + 1) for at in range(20_000)
    )
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        screen = await attachments(pilot)
        await pilot.press("end")
        assert under(screen).placed.offset
        await later(pilot, sources, screen, 1, *sources.placed[:10_000])
        assert "- 1,000 gone" in state(screen)


async def test_a_failed_reading_is_said_and_tried_again() -> None:
    sources = FakeSources()
    sources.refusals["attachments"] = "cannot list what is attached: Resource temporarily unavailable"
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        await processes(pilot)
        await pilot.press("3")
        await at(pilot, ProgramsScreen)
        await pilot.press("a")
        screen = await at(pilot, AttachmentsScreen)
        screen.interval = 0.01
        await until(pilot, lambda: "Resource temporarily unavailable" in state(screen))
        del sources.refusals["attachments"]
        await until(pilot, lambda: state(screen).startswith(f"{len(ATTACHED)} attachments"))


async def test_the_pace_is_said_where_reading_takes_long() -> None:
    sources = FakeSources()
    async with Bpfscope(sources).run_test(size=SIZE) as pilot:
        screen = await attachments(pilot)
        assert "every 1 s" in state(screen)
        sample = screen._latest
        assert sample is not None
        screen.post_message(screen.Arrived(sample._replace(every=3.04)))
        await until(pilot, lambda: "every 3.0 s: reading takes long" in state(screen))


async def test_escape_shows_all_kinds_again_before_it_goes_back() -> None:
    async with Bpfscope(FakeSources()).run_test(size=SIZE) as pilot:
        screen = await attachments(pilot)
        await pilot.press("g")
        assert screen.kind
        await pilot.press("escape")
        assert not screen.kind
        assert len(screen.table().rows) == len(ATTACHED)
        await pilot.press("escape")
        await at(pilot, ProgramsScreen)
