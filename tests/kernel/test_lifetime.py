"""Targets that end, are killed, execute something else, or were never there."""

import signal
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.kernel.conftest import Start
from tests.kernel.probing import Command, calls, counted, gone, link_ids, pick, program_ids, resolve, run, wait_until
from tui.bpf.features import Method
from tui.collectors.latency import LatencyProbe
from tui.collectors.probe import CountingProbe
from tui.errors import TargetError


def test_target_exits(start: Start, method: Method) -> None:
    process = start("plain-pie")
    target = resolve(process.pid)
    with CountingProbe(target) as probe:
        probe.add(pick(target, "alpha"))
        assert probe.read().ended == ""
        process.work()
        process.end_unreaped()
        wait_until(lambda: probe.read().ended, "the end is seen")
        assert probe.read().ended == "exited 0"
        assert calls(probe) == {"alpha": 997}


@pytest.mark.requires("pidfd exit status")
@pytest.mark.parametrize(("number", "words"), [(None, "exited 0"), (signal.SIGKILL, "was killed by SIGKILL")])
def test_target_was_reaped(start: Start, number: signal.Signals | None, words: str) -> None:
    process = start("plain-pie")
    target = resolve(process.pid)
    with CountingProbe(target) as probe:
        probe.add(pick(target, "alpha"))
        process.work()
        process.kill(number) if number else process.end()
        assert probe.read().ended == words
        assert calls(probe) == {"alpha": 997}


@pytest.mark.guest
def test_target_executes_another_program(start: Start, targets: Path) -> None:
    process = start("execs", targets / "plain-pie")
    target = resolve(process.pid)
    with CountingProbe(target) as probe:
        probe.add(pick(target, "before"))
        process.work()
        assert probe.read().ended == ""
        process.send("execute")
        process.expect_ready()
        assert probe.read().ended == f"executed {targets / 'plain-pie'}"
        process.work()
        assert calls(probe) == {"before": 997}


def test_command_ends_when_its_target_executes_another(start: Start, targets: Path) -> None:
    process = start("execs", targets / "plain-pie")
    with Command(process.pid, "before") as command:
        process.work()
        process.send("execute")
        summary = command.finish()
    assert counted(summary) == {"before": 997}
    assert summary["ended"] == f"executed {targets / 'plain-pie'}"


def test_a_library_that_is_unloaded_and_loaded_again(start: Start, targets: Path, method: Method) -> None:
    process = start("unloads", targets / "libunequal.so")
    target = resolve(process.pid)
    functions = pick(target, "outer", "inner", module="libunequal.so")
    with CountingProbe(target) as counting, LatencyProbe(target) as timing:
        counting.add(functions)
        timing.add(functions)
        for calls in (97, 89, 83):
            process.send(str(calls))
            assert process.truth() == {"wrong": 0}
        assert counting.read().calls == (269, 269)
        found = timing.read().latencies
        assert [(one.calls, one.returns, one.unmatched) for one in found] == [(269, 269, 0)] * 2
        assert not counting.read().ended
    process.send("7")
    assert process.truth() == {"wrong": 0}
    assert process.end() == 0


def test_command_ends_when_its_target_is_killed(start: Start) -> None:
    process = start("hammer")
    with Command(process.pid, "hot*") as command:
        programs, links = program_ids(command.process.pid), link_ids(command.process.pid)
        process.send("go")
        process.kill()
        summary = command.finish()
    assert summary["ended"] in {"was killed by SIGKILL", "ended"}
    wait_until(lambda: gone(programs, links), "programs and links gone")


def test_target_is_gone_before_it_is_probed(start: Start) -> None:
    process = start("plain-pie")
    target = resolve(process.pid)
    functions = pick(target, "alpha")
    with CountingProbe(target) as probe:
        process.kill()
        with pytest.raises(TargetError, match=r"gone|ended|no process"):
            probe.add(functions)
    with pytest.raises(TargetError, match="no process"):
        CountingProbe(target)


def test_target_ends_while_it_is_being_probed(start: Start, method: Method) -> None:
    for _ in range(5):
        process = start("hammer")
        target = resolve(process.pid)
        functions = pick(target, "hot*")
        killer = threading.Thread(target=process.kill)
        with CountingProbe(target) as probe:
            killer.start()
            with suppress(TargetError):
                probe.add(functions)
            killer.join()
            assert probe.read().ended


def test_name_of_several_processes(start: Start) -> None:
    pids = sorted(start("plain-fixed").pid for _ in range(2))
    done = run("count", "plain-fixed", "alpha")
    assert done.returncode == 1
    assert "2 processes are called plain-fixed" in done.stderr
    assert all(str(pid) in done.stderr for pid in pids)


def test_name_of_one_process(start: Start) -> None:
    process = start("plain-static")
    with Command("plain-static", "alpha") as command:
        process.work()
        assert counted(command.finish(signal.SIGINT)) == {"alpha": 997}
