"""On a preemptible kernel a plain increment loses calls, and ours doesn't (scripts/kernels boots one)."""

import time
from pathlib import Path

import pytest

from tests.kernel.conftest import Start
from tests.kernel.probing import calls, pick, resolve
from tests.kernel.test_load import HOT, _stop
from tui.bpf import compiler
from tui.bpf.attachment import Attachment
from tui.bpf.counting import Batch
from tui.bpf.objects import ObjectSpec
from tui.collectors.latency import LatencyProbe
from tui.collectors.probe import CountingProbe

ROUNDS, CALLS = 5, 20_011


def _lost(start: Start) -> tuple[int, int]:
    """Calls that were not counted, and all, while two real-time threads preempt one another."""
    with start("realtime", CALLS) as process:
        target = resolve(process.pid)
        with CountingProbe(target) as probe:
            probe.add(pick(target, "contended"))
            truth = process.work()
            return truth["contended"] - calls(probe)["contended"], truth["contended"]


@pytest.mark.preempt_full
def test_ours_loses_nothing(start: Start) -> None:
    lost, made = zip(*(_lost(start) for _ in range(ROUNDS)), strict=True)
    print(f"our increment lost {sum(lost):,} of {sum(made):,} calls")
    assert not any(lost)


@pytest.mark.preempt_full
def test_plain_increment_loses_calls(start: Start, targets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (targets / "plain_count.json").read_text()
    spec = ObjectSpec.from_json(text, compiler.object_key(str(Path(__file__).with_name("plain_count.c"))))
    assert spec, "plain_count.json is not of this plain_count.c: python -m tests.targets.build"
    monkeypatch.setattr("tui.bpf.compiler.shipped", lambda _name: spec)
    lost, made = zip(*(_lost(start) for _ in range(ROUNDS)), strict=True)
    print(f"a plain increment lost {sum(lost):,} of {sum(made):,} calls")
    assert all(lost)


@pytest.mark.preempt_full
def test_removing_under_load_loses_nothing(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads are interrupted between the new program and the old one: without `let_hits_finish` every eighth round
    loses a call here. Time between attaching and handing over makes it likelier."""
    attach = Batch._attach_next

    def attach_and_wait(batch: Batch) -> None:
        attach(batch)
        time.sleep(0.1)

    monkeypatch.setattr(Batch, "_attach_next", attach_and_wait)
    for _ in range(10):
        with start("hammer", 16) as process:
            target = resolve(process.pid)
            every = pick(target, *HOT)
            with CountingProbe(target) as probe:
                probe.add(every)
                process.send("go")
                for function in every[:4:-1]:
                    probe.remove([function])
                truth = _stop(process)
                assert calls(probe) == {name: truth[name] for name in HOT[:5]}


@pytest.mark.preempt_full
def test_taking_off_under_load_loses_no_return(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same of calls that are timed: an entry that is lost is a return that may be taken for another call's."""
    forget = Attachment._forget_handed

    def forget_and_wait(attachment: Attachment) -> None:
        forget(attachment)
        time.sleep(0.1)

    monkeypatch.setattr(Attachment, "_forget_handed", forget_and_wait)
    for _ in range(10):
        with start("hammer", 16) as process:
            target = resolve(process.pid)
            every = pick(target, *HOT)
            with LatencyProbe(target) as probe:
                probe.add(every)
                process.send("go")
                for function in every[:4:-1]:
                    probe.suspend([function])
                truth = _stop(process)
                found = probe.read().latencies[:5]
                assert [(one.calls, one.returns, one.unmatched) for one in found] == [
                    (truth[name], truth[name], 0) for name in HOT[:5]
                ]
