"""A busy Go program under hundreds of timing probes: it lives, it is right, and with the budget it is hardly slower."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from tests.kernel.conftest import Start
from tests.kernel.probing import pick, resolve
from tests.targets.running import Running
from tui.bpf.features import Method
from tui.collectors import live
from tui.collectors.budget import Guard, cpu_time
from tui.collectors.console import Live, LiveSources
from tui.collectors.latency import LatencyProbe
from tui.collectors.probe import CountingProbe
from tui.elf.names import Function


@pytest.fixture
def never() -> Iterator[int]:
    """A descriptor that nobody writes to."""
    read_end, write_end = os.pipe()
    yield read_end
    os.close(read_end)
    os.close(write_end)


def everything(process: Running) -> list[Function]:
    """All functions of package main, and of the runtime's so many that 500 can be timed."""
    target = resolve(process.pid)
    return [*pick(target, "main.*"), *pick(target, "runtime.*")[:640]]


@pytest.mark.requires("uprobe_multi")
def test_hundreds_of_probes_on_a_busy_go_program_twenty_times(start: Start) -> None:
    process = start("load")
    functions = everything(process)
    target = resolve(process.pid)
    for _ in range(20):
        process.send("200")  # attached while it works
        with LatencyProbe(target) as probe:
            attached = probe.add(functions)
            assert len([one for one in attached.attached if one.name.startswith("runtime.")]) >= 500
            assert process.truth()["wrong"] == 0
            phase(process)
            assert sum(latency.calls for latency in probe.read().latencies) > 1_000
            process.send("200")  # detached while it works
        assert process.truth()["wrong"] == 0
    assert process.end() == 0


@pytest.mark.requires("uprobe_multi")
def test_with_the_budget_it_is_hardly_slower(start: Start, never: int) -> None:
    process, undisturbed = start("load"), start("load")  # at the same time: whatever else goes on slows both down
    before = [cpu_time(each.pid) for each in (process, undisturbed)]
    for each in (process, undisturbed):
        each.send("12000")
    with LatencyProbe(resolve(process.pid)) as probe:
        probe.add(everything(process), 20.0)
        assert len(probe.held_back.functions) > 10
        guard = Guard(probe, process.pid, 20.0, probe.held_back)
        *_, (sample, _) = live.samples(probe, never, 0.5, 12.0, guard)
        rounds = [each.truth()["rounds"] for each in (process, undisturbed)]
        used = [cpu_time(each.pid) - then for each, then in zip((process, undisturbed), before, strict=True)]
        assert rounds[0] / used[0] > 0.8 * rounds[1] / used[1]
        assert sample.cost.suspended
        assert len(sample.cost.suspended) < len(sample.functions) / 2
        guard.undo()
        phase(process)
        after = probe.read()
    grown = dict(zip(after.functions, after.latencies, strict=True))
    dearest = sample.cost.suspended[0].function
    assert grown[dearest].calls > dict(zip(sample.functions, sample.latencies, strict=True))[dearest].calls


@pytest.mark.requires("uprobe_multi")
@pytest.mark.parametrize("view", ["calls", "latency", "stacks", "arguments", "events"])
def test_what_is_off_in_one_view_stays_off_in_the_next(start: Start, view: str) -> None:
    asyncio.run(_next_view(start("load"), view))


async def _next_view(process: Running, view: str) -> None:
    target, sources = resolve(process.pid), LiveSources(10.0)
    pid, modules = process.pid, target.modules
    (areas,) = pick(target, "main.areas")
    words = pick(target, "main.words")
    guard = sources._budget(process.pid).guard
    first, _ = await sources.probe(pid, modules, [areas, *words])
    guard.suspend([next(dear for dear in guard._functions() if dear.function == areas)])
    opened: dict[str, Callable[[], Awaitable[tuple[Live[Any], Any]]]] = {
        "calls": lambda: sources.probe(pid, modules, [areas, *words]),
        "latency": lambda: sources.latency(pid, modules, [areas, *words], "function"),
        "stacks": lambda: sources.stacks(pid, modules, [areas, *words]),
        "arguments": lambda: sources.values(pid, modules, areas),
        "events": lambda: sources.events(pid, modules, [areas, *words]),
    }
    second, attached = await opened[view]()
    try:
        assert areas in attached.attached
        phase(process)
        sample = await anext(second.readings(1.0))
        assert [one.function for one in sample.cost.suspended] == [areas]
        assert _spent(guard, areas) == [0, 0]
        await second.undo()
        phase(process)
        assert min(_spent(guard, areas)) > 0
        assert not (await anext(second.readings(1.0))).cost.suspended
    finally:
        await second.close()
        await first.close()


def _spent(guard: Guard, function: Function) -> list[int]:
    """What each view's probe on it has taken."""
    return [each.probe.spent()[list(each.probe.functions).index(function)] for each in guard._joined]


def phase(process: Running) -> int:
    """So many rounds, in each of which main.areas is called once."""
    process.send("100")
    truth = process.truth()
    assert truth["wrong"] == 0
    return truth["rounds"]


@pytest.mark.guest
def test_taken_off_and_put_back_counts_go_on(start: Start, method: Method) -> None:
    process = start("load")
    target = resolve(process.pid)
    areas, words = pick(target, "main.areas"), pick(target, "main.words")
    with CountingProbe(target) as probe:
        probe.add([*areas, *words])
        first = phase(process)
        probe.suspend(areas)
        second = phase(process)
        assert probe.read().calls == (first, 2 * (first + second))
        assert probe.functions == (*areas, *words)
        probe.resume(areas)
        third = phase(process)
        assert probe.read().calls == (first + third, 2 * (first + second + third))


def test_timed_ones_taken_off_and_put_back(start: Start, method: Method) -> None:
    process = start("load")
    target = resolve(process.pid)
    areas, words = pick(target, "main.areas"), pick(target, "main.words")
    with LatencyProbe(target) as probe:
        probe.add([*areas, *words])
        first = phase(process)
        probe.suspend(areas)
        second = phase(process)
        probe.resume(areas)
        third = phase(process)
        found = probe.read().latencies
    assert [one.calls for one in found] == [first + third, 2 * (first + second + third)]
    assert [one.returns for one in found] == [one.calls for one in found]
    assert all(one.unmatched == one.in_flight == 0 for one in found)
