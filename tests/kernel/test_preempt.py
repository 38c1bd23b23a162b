"""On a preemptible kernel a plain increment loses calls, and ours doesn't (scripts/kernels boots one)."""

from pathlib import Path

import pytest

from tests.kernel.conftest import Start
from tests.kernel.probing import calls, pick, resolve
from tests.kernel.test_load import HOT, _stop, _wait_for_calls
from tui.bpf import compiler
from tui.bpf.objects import ObjectSpec
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
def test_removing_under_load_loses_nothing(start: Start) -> None:
    process = start("hammer", 4)
    target = resolve(process.pid)
    every = pick(target, *HOT)
    with CountingProbe(target) as probe:
        probe.add(every)
        process.send("go")
        for function in every[:1:-1]:
            probe.remove([function])
            _wait_for_calls(probe, every[:2])
        truth = _stop(process)
        assert calls(probe) == {name: truth[name] for name in HOT[:2]}
