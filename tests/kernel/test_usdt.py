"""USDT probes of programs that know how often they pass each, and with what: counts, arguments, semaphores."""

import json
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.conftest import Start
from tests.kernel.probing import Command, calls, counted, pick, resolve, run, wait_until
from tests.targets.running import SECONDS, Running
from tui.bpf.features import Method
from tui.collectors import conditions, signatures
from tui.collectors.events import EventsProbe
from tui.collectors.latency import LatencyProbe
from tui.collectors.probe import CountingProbe
from tui.collectors.reading import Wanted
from tui.collectors.samples import Read
from tui.collectors.stacks import StacksProbe
from tui.collectors.target import Target
from tui.collectors.values import ValuesProbe
from tui.elf.names import Function
from tui.errors import BpfscopeError, UsageError

pytestmark = pytest.mark.requires("x86-64")
SHOP = {
    "plain": 46,
    "registers": 12,
    "memory": 24,
    "constants": 17,
    "global": 19,
    "real": 23,
    "asked": 29,
    "twice": 68,
    "early": 41,
    "within": 90,
}
TRUTH = {f"usdt:shop:{name}": number for name, number in SHOP.items()}
HOLDER = """
import sys
from tui.bpf import kernel
from tui.bpf.links import Links, Site
path, offset, multi = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "multi"
code = bytes.fromhex("b7000000000000009500000000000000")
program = kernel.program_load(kernel.PROG_TYPE_KPROBE, kernel.ATTACH_UPROBE_MULTI if multi else 0, code, "holder")
with Links() as links:
    if multi:
        assert not links.attach_multi(program, path, [Site(offset, 0)], 0)
    else:
        assert not links.attach_perf(program, path, [Site(offset, 0)], -1)
    print("ready", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(function: Function, file: str, how: str = "multi") -> Iterator[int]:
    """Somebody's probe on a place, without its semaphore; who it is."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, file, str(function.offset), how],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout
        assert holder.stdout.readline() == "ready\n"
        yield holder.pid
    finally:
        holder.communicate(timeout=SECONDS)


def probe_named(target: Target, name: str) -> Function:
    (function,) = pick(target, f"usdt:shop:{name}")
    return function


def values(process: Running, name: str, wanted: Wanted | None = None) -> tuple[Any, dict[tuple[Read, ...], int]]:
    """The names and rows of a probe's values while the target works once."""
    target = resolve(process.pid)
    function = probe_named(target, name)
    with ValuesProbe(target, function, signatures.read(target, [function])[function], wanted or Wanted()) as probe:
        probe.add()
        process.work()
        sample = probe.read()
    assert sample.lost == 0
    assert sum(row.calls for row in sample.rows) == sample.calls or wanted
    return sample.names, {row.values: row.calls for row in sample.rows}


@pytest.mark.guest
@pytest.mark.parametrize("program", ["usdt", "usdt-fixed", "usdt-stripped"])
def test_counts_exactly(start: Start, program: str, method: Method) -> None:
    process = start(program)
    target = resolve(process.pid)
    with CountingProbe(target) as probe:
        attached = probe.add(pick(target, "usdt:*"))
        assert (attached.skipped, attached.inexact) == ((), ())
        truth = process.work()
        assert calls(probe) == TRUTH == {name: truth[name] for name in TRUTH}
        assert truth["semaphores"] == 4  # one of them counts both places of its probe
    assert process.work()["semaphores"] == 0


@pytest.mark.guest
def test_a_probe_that_is_taken_off_and_put_back_keeps_its_count_and_semaphore(
    start: Start, method: Method, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("a place was refused")

    monkeypatch.setattr("tui.bpf.uprobes.holders", refused)
    process = start("usdt")
    target = resolve(process.pid)
    asked, twice = probe_named(target, "asked"), probe_named(target, "twice")
    with CountingProbe(target) as probe:
        probe.add([asked, twice])
        assert process.work()["usdt:shop:asked"] == 29
        probe.suspend([asked])
        assert process.work()["usdt:shop:asked"] == 0
        probe.resume([asked])
        probe.suspend([twice])
        assert process.work() | {"usdt:shop:twice": 0} == TRUTH | {"usdt:shop:twice": 0, "semaphores": 1}
        assert calls(probe) == {"usdt:shop:asked": 58, "usdt:shop:twice": 136}
    assert process.work()["semaphores"] == 0


def test_a_function_that_begins_with_a_probe_is_counted_beside_it(start: Start, method: Method) -> None:
    process = start("usdt")
    target = resolve(process.pid)
    with CountingProbe(target) as probe:
        assert probe.add(pick(target, "early", "usdt:shop:early", "asked")).skipped == ()
        assert process.work()["semaphores"] == 1
        assert calls(probe) == {"early": 41, "usdt:shop:early": 41, "asked": 29}
        probe.suspend(pick(target, "asked"))
        assert process.work()["semaphores"] == 1
        assert calls(probe) == {"early": 82, "usdt:shop:early": 82, "asked": 29}


def test_a_file_is_counted_in_processes_to_come(targets: Path) -> None:
    with Command(targets / "usdt", "usdt:*") as command, Running(targets / "usdt") as process:
        assert {name: number for name, number in process.work().items() if name in TRUTH} == TRUTH
        assert counted(command.finish(signal.SIGTERM)) == TRUTH


def test_semaphores_are_back_at_zero_after_a_kill(start: Start) -> None:
    process = start("usdt")
    with Command(process.pid, "usdt:shop:asked", "usdt:shop:twice") as command:
        assert process.work()["semaphores"] == 3
        command.process.kill()
        command.process.wait(SECONDS)
        wait_until(lambda: process.work()["semaphores"] == 0, "the semaphores go back to 0")


@pytest.mark.guest
def test_arguments_in_registers_and_constants(start: Start, method: Method) -> None:
    process = start("usdt")
    assert values(process, "registers")[1] == {
        (-3, -4, 2**32 - 4, -5, 65531, -6, 250): 5,
        (2**62, 2_000_000_000, 2_000_000_000, 32_000, 32_000, 100, 100): 7,
    }
    assert values(process, "constants")[1] == {(-5, 2**40, 200): 17}


@pytest.mark.parametrize("program", ["usdt", "usdt-fixed"])
def test_arguments_in_memory(start: Start, program: str) -> None:
    process = start(program)
    text = Wanted(("arg0", "arg1", "arg2:cstring", "arg3"))
    assert values(process, "memory", text)[1] == {(42, -20, "GET", 30): 11, (-42, -20, "", -40): 13}
    assert values(process, "global")[1] == {(70_000,): 19}
    assert values(process, "real") == (("arg0", "arg2"), {(0.5, 7): 23})


@pytest.mark.parametrize("program", ["usdt", "usdt-fixed"])
def test_places_of_one_probe_have_their_arguments_elsewhere(start: Start, program: str) -> None:
    process = start(program)
    assert values(process, "twice")[1] == {(5, 1): 31, (30, 6): 37}
    assert values(process, "twice", Wanted(where=conditions.parse("arg1 == 1")))[1] == {(5, 1): 31}
    assert values(process, "twice", Wanted(("arg1",), where=conditions.parse("arg0 > 5")))[1] == {(6,): 37}


def test_what_has_no_symbol_is_not_read(start: Start) -> None:
    target = resolve(start("usdt-stripped").pid)
    function = probe_named(target, "global")
    with (
        ValuesProbe(target, function, signatures.read(target, [function])[function], Wanted()) as probe,
        pytest.raises(BpfscopeError, match=r"at total, of which the file doesn't say where it is"),
    ):
        probe.add()


@pytest.mark.guest
def test_events_have_the_arguments_of_their_place(start: Start, method: Method) -> None:
    process = start("usdt")
    target = resolve(process.pid)
    functions = pick(target, "usdt:shop:twice", "usdt:shop:asked")
    with EventsProbe(target) as probe:
        attached = probe.add(functions, signatures.read(target, functions))
        assert (attached.skipped, attached.inexact) == ((), ())
        process.work()
        sample = probe.read()
    found = Counter((event.function.name, tuple(value for _, value in event.arguments)) for event in sample.events)
    assert found == {("usdt:shop:twice", (5, 1)): 31, ("usdt:shop:twice", (30, 6)): 37, ("usdt:shop:asked", (42,)): 29}
    assert {event.duration_ns for event in sample.events} == {None}
    assert (sample.calls, sample.lost, sample.dropped, sample.unmatched) == (97, 0, 0, 0)


@pytest.mark.guest
@pytest.mark.parametrize("program", ["usdt", "usdt-fixed", "usdt-frames"])
def test_callers_with_the_function_around_the_probe(start: Start, program: str, method: Method) -> None:
    process = start(program)
    target = resolve(process.pid)
    functions = pick(target, "usdt:shop:within", "usdt:shop:twice", "usdt:shop:early", "usdt:shop:asked", "second")
    with StacksProbe(target) as probe:
        attached = probe.add(functions)
        assert (attached.skipped, attached.inexact) == ((), ())
        process.work()
        sample = probe.read()
    found: Counter[tuple[str, ...]] = Counter()
    for stack in sample.stacks:
        ours = [frame.name for frame in stack.frames if frame.module == program and frame.name != "_start"]
        found[tuple(ours)] += stack.calls
    above = ("main",) if program == "usdt-frames" else ()  # without frame pointers only direct callers are known
    assert found == {
        (*above, "first", "within", "usdt:shop:within"): 43,
        (*above, "second", "within", "usdt:shop:within"): 47,
        ("main", "second"): 47,
        ("main", "twice", "usdt:shop:twice"): 68,
        ("main", "early", "usdt:shop:early"): 41,
        ("main", "asked", "usdt:shop:asked"): 29,
    }
    assert (sample.calls, sample.lost) == (sum(found.values()), 0)
    assert process.work()["semaphores"] == 0


def test_neither_durations_nor_results(start: Start) -> None:
    target = resolve(start("usdt").pid)
    function = probe_named(target, "plain")
    with LatencyProbe(target) as latency, pytest.raises(BpfscopeError, match="a place in a function, not a call"):
        latency.add([function])
    constants = probe_named(target, "constants")
    signature = signatures.read(target, [constants])[constants]
    with (
        ValuesProbe(target, constants, signature, Wanted(results=True)) as probe,
        pytest.raises(BpfscopeError, match="a place in a function, not a call"),
    ):
        probe.add()
    with (
        ValuesProbe(target, constants, signature, Wanted(("arg7",))) as probe,
        pytest.raises(UsageError, match="there is no arg7: this function has arg0, arg1, arg2"),
    ):
        probe.add()


@pytest.mark.requires("uprobe_multi")
@pytest.mark.parametrize("how", ["multi", "perf"])
def test_who_holds_a_probe_without_its_semaphore_is_said(start: Start, method: Method, how: str) -> None:
    target = resolve(start("usdt").pid)
    asked, plain = probe_named(target, "asked"), probe_named(target, "plain")
    with held(asked, target.modules[0].file, how) as holder, CountingProbe(target) as probe:
        attached = probe.add([asked, plain])
        assert attached.attached == (plain,)
        ((function, reason),) = attached.skipped
        assert function == asked
        assert f"({holder}) probes this place without its semaphore" in reason
    with CountingProbe(target) as probe:
        assert probe.add([asked, plain]).skipped == ()


@pytest.mark.requires("uprobe_multi")
def test_one_place_that_is_held_is_left_out_of_the_two(start: Start, method: Method) -> None:
    process = start("usdt")
    target = resolve(process.pid)
    twice = probe_named(target, "twice")
    with (
        held(twice, target.modules[0].file), CountingProbe(target) as counting, EventsProbe(target) as events,
        StacksProbe(target) as stacks,
    ):  # fmt: skip
        for attached in (counting.add([twice]), events.add([twice]), stacks.add([twice])):
            assert (attached.attached, attached.skipped) == ((twice,), ())
            assert attached.inexact[0].reason.startswith("1 of its 2 places is left out: ")
        process.work()
        assert calls(counting) == {"usdt:shop:twice": 37}
        assert {event.arguments for event in events.read().events} == {(("arg0", 30), ("arg1", 6))}
        assert stacks.read().calls == 37


def test_the_command_line(start: Start) -> None:
    process = start("usdt")
    rows = [json.loads(line) for line in run("symbols", process.pid, "usdt:*", "--json").stdout.splitlines()]
    assert {row["function"]: row["origin"] for row in rows} == dict.fromkeys(TRUTH, "usdt")
    every = run("symbols", process.pid, "--json", "*").stdout
    assert "usdt:" not in every, "a star alone means functions"
    refused = run("latency", process.pid, "usdt:*")
    assert refused.returncode == 1
    assert "a place in a function, not a call" in refused.stderr
    with Command(process.pid, "usdt:shop:memory", "--arg", "arg2:cstring", name="args") as command:
        process.work()
        summary = command.finish(signal.SIGTERM)
    assert {row["args"]["arg2"]: row["count"] for row in summary["values"]} == {"GET": 11, "": 13}


@pytest.mark.skipif(not shutil.which("bpftrace"), reason="bpftrace is not installed")
def test_bpftrace_lists_and_counts_the_same(targets: Path) -> None:
    path = targets / "usdt"
    done = subprocess.run(["bpftrace", "-l", f"usdt:{path}:*"], capture_output=True, text=True, check=True)
    listed = {"usdt:" + line.removeprefix(f"usdt:{path}:") for line in done.stdout.split()}
    assert listed == set(TRUTH)
    names = [name for name in SHOP if name != "asked"]
    script = "".join(f'usdt:{path}:shop:{name} {{ @["usdt:shop:{name}"] = count(); }} ' for name in names)
    with Command(path, *(f"usdt:shop:{name}" for name in names)) as command:
        theirs = subprocess.run(
            ["bpftrace", "-c", str(path), "-e", script],
            input="go\n", capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        ours = counted(command.finish(signal.SIGTERM))
    found = dict(line[2:].split("]: ") for line in theirs.stdout.splitlines() if line.startswith("@["))
    assert {name: int(number) for name, number in found.items()} == ours == {n: TRUTH[n] for n in ours}
