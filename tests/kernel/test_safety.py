"""What must not be probed isn't, and the target goes on unharmed: changed code, odd instructions, odd mappings."""

import os

import pytest

from tests.kernel.conftest import Start
from tests.kernel.probing import Command, calls, counted, pick, resolve, wait_until
from tui.collectors.latency import LatencyProbe
from tui.collectors.probe import CountingProbe
from tui.elf import modules
from tui.errors import BpfscopeError

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="a target with instructions of x86-64")


@pytest.mark.parametrize(
    ("how", "function", "reason"),
    [
        ("patched", "answer", "has changed its code"),
        ("trapped", "answer", "a breakpoint is there"),
        ("called", "traced", "has changed its code"),
        ("writable", "answer", "mapped writable"),
    ],
)
def test_code_that_is_not_the_files(start: Start, how: str, function: str, reason: str) -> None:
    process = start("changed", how)
    target = resolve(process.pid)
    with CountingProbe(target) as probe, pytest.raises(BpfscopeError, match=reason):
        probe.add(pick(target, function))
    assert process.work() == {"answer": 997, "wrong": 0}


@pytest.mark.guest
def test_the_breakpoint_of_another_probe_is_no_change(start: Start) -> None:
    process = start("changed", "plain")
    target = resolve(process.pid)
    with CountingProbe(target) as first:
        first.add(pick(target, "answer", "traced"))
        with CountingProbe(target) as second:
            second.add(pick(target, "answer", "traced"))
            assert process.work() == {"answer": 997, "wrong": 0}  # on 6.18, the nop of `traced` is a call from now on
            assert calls(second) == {"answer": 997, "traced": 97}
            with CountingProbe(target) as third:
                third.add(pick(target, "answer", "traced"))
        assert calls(first) == {"answer": 997, "traced": 97}


def test_a_debuggers_breakpoint_stays(start: Start) -> None:
    process = start("changed", "plain")
    target = resolve(process.pid)
    (function,) = pick(target, "answer")
    mapping = next(
        each for each in modules.mappings(process.pid)[target.modules[0].device, target.modules[0].inode]
        if not each.refused and 0 <= function.offset - each.offset < each.end - each.start
    )  # fmt: skip
    address = mapping.start + function.offset - mapping.offset
    with open(f"/proc/{process.pid}/mem", "r+b", buffering=0) as memory:
        before = os.pread(memory.fileno(), 1, address)
        os.pwrite(memory.fileno(), b"\xcc", address)
        for what in (process.pid, target.modules[0].path):
            with CountingProbe(resolve(what)) as probe, pytest.raises(BpfscopeError, match="a breakpoint is there"):
                probe.add([function])
            assert os.pread(memory.fileno(), 1, address) == b"\xcc"
        os.pwrite(memory.fileno(), before, address)
    assert process.work() == {"answer": 997, "wrong": 0}


def test_a_file_that_a_process_runs_changed(start: Start, targets: object) -> None:
    process = start("changed", "patched")
    target = resolve(f"{targets}/changed")
    with CountingProbe(target) as probe, pytest.raises(BpfscopeError, match="has changed its code"):
        probe.add(pick(target, "answer"))
    assert process.work() == {"answer": 997, "wrong": 0}


def test_instructions_that_must_not_be_interrupted(start: Start) -> None:
    process = start("changed")
    target = resolve(process.pid)
    with CountingProbe(target) as probe:
        attached = probe.add(pick(target, "answer", "flags", "outer", "inner", "leaf", "mark"))
        reasons = {skipped.function.name: skipped.reason for skipped in attached.skipped}
        assert "pushf" in reasons.pop("flags")
        assert "inside an instruction" in reasons.pop("inner")
        assert "long nop" in reasons.pop("mark")
        assert reasons == {}
        assert process.work() == {"answer": 997, "wrong": 0}
        assert calls(probe) == {"answer": 997, "outer": 97, "leaf": 97}


HANDWRITTEN = (
    "callover",
    "inlinearg",
    "tailreg",
    "overlap",
    "opaque",
    "adjacent",
    "noreturn",
    "bounded",
    "same",
    "skip",
)


@pytest.mark.parametrize("name", ["data", "data-unwound"])
def test_data_between_instructions_is_left_alone(start: Start, name: str) -> None:
    process = start(name)
    target = resolve(process.pid)
    with LatencyProbe(target) as probe:
        probe.add(pick(target, *HANDWRITTEN))
        assert process.work() == {"wrong": 0}
        returns = {each.name: row.returns for each, row in zip(probe.functions, probe.read().latencies, strict=True)}
    timed = {name: number for name, number in returns.items() if number}
    assert timed.keys() >= {"bounded", "same", "noreturn"}
    assert timed["bounded"] == 3 * 97
    assert timed["noreturn"] == 97


def test_the_same_program_executed_anew_by_a_thread(start: Start) -> None:
    process = start("changed", "anew")
    with Command(process.pid, "answer") as command:
        assert process.work() == {"answer": 997, "wrong": 0}
        process.send("again")
        process.expect_ready()
        summary = command.finish()
    assert summary["ended"].startswith("executed ")
    assert counted(summary) == {"answer": 997}


def test_nothing_is_left_of_a_refused_probe(start: Start) -> None:
    process = start("changed", "writable")
    target = resolve(process.pid)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with CountingProbe(target) as probe, pytest.raises(BpfscopeError):
            probe.add(pick(target, "answer"))
    wait_until(lambda: len(os.listdir("/proc/self/fd")) == before, "descriptors closed")
