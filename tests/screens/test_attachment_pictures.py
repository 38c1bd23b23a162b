"""Pictures of what is attached where, and of a classic filter."""

from typing import Any

from textual.pilot import Pilot

from tests.screens.fake_attachments import ATTACHED, placed
from tests.screens.fakes import HOSTILE, FakeSources
from tests.screens.steps import at
from tests.screens.test_attachments_screen import attachments, go_to, later
from tests.screens.test_pictures import Compare, check
from tests.screens.test_program_pictures import SIZES
from tui.collectors.attachment_samples import Owner
from tui.screens.classic_filter import ClassicFilterScreen


@SIZES
def test_attachments(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        screen = await attachments(pilot)
        fresh = placed("tracepoint", "syscalls:sys_enter_execve", 199, "execs", links=(98,), type="tracepoint")
        await later(pilot, sources, screen, 2, *ATTACHED[:-1], fresh)
        await pilot.press("down", "down")

    check(picture, sources, size, steps, pid=None)


@SIZES
def test_classic_filter(picture: Compare, sources: FakeSources, size: tuple[int, int]) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        screen = await attachments(pilot)
        await go_to(pilot, screen, "socket", "eth0")
        await pilot.press("enter")
        await at(pilot, ClassicFilterScreen)

    check(picture, sources, size, steps, pid=None)


def test_attachments_hostile(picture: Compare, sources: FakeSources) -> None:
    sources.placed = tuple(
        placed(f"type {90 + at}", f"/{name * 9}", 1_234_567 + at, name, detail=name, owners=(Owner(4_194_304, name),))
        for at, name in enumerate(HOSTILE)
    )

    async def steps(pilot: Pilot[Any]) -> None:
        await attachments(pilot)

    check(picture, sources, (80, 24), steps, pid=None)


def test_attachments_empty(picture: Compare, sources: FakeSources) -> None:
    sources.placed = ()
    sources.unread = ("filters of interfaces: Operation not permitted",)

    async def steps(pilot: Pilot[Any]) -> None:
        await attachments(pilot)

    check(picture, sources, (80, 24), steps, pid=None)


def test_attachments_help(picture: Compare, sources: FakeSources) -> None:
    async def steps(pilot: Pilot[Any]) -> None:
        await attachments(pilot)
        await pilot.press("question_mark")

    check(picture, sources, (80, 24), steps, pid=None)
