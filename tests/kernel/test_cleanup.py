"""Nothing of ours stays in the kernel, whichever way a probe ends."""

import os
import signal

import pytest

from tests.kernel.conftest import Start
from tests.kernel.probing import Command, counted, gone, link_ids, pick, program_ids, resolve, wait_until
from tests.targets.running import SECONDS
from tui.bpf.features import Method
from tui.collectors.probe import CountingProbe


@pytest.mark.guest
def test_probe_leaves_nothing(start: Start, method: Method) -> None:
    before, links_before = program_ids(os.getpid()), link_ids(os.getpid())
    process = start("hammer")
    target = resolve(process.pid)
    files = len(os.listdir("/proc/self/fd"))
    with CountingProbe(target) as probe:
        functions = pick(target, "hot0", "hot1", "hot2")
        probe.add(functions[:2])
        probe.add(functions[2:])
        probe.remove(functions[:1])
        programs, links = program_ids(os.getpid()) - before, link_ids(os.getpid()) - links_before
        assert programs
        assert links
        assert not gone(programs, links)
    wait_until(lambda: gone(programs, links), "programs and links gone")
    assert len(os.listdir("/proc/self/fd")) == files


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_the_command_with_a_summary(start: Start, number: signal.Signals) -> None:
    process = start("plain-pie")
    with Command(process.pid, "alpha") as command:
        programs, links = program_ids(command.process.pid), link_ids(command.process.pid)
        assert programs
        assert links
        process.work()
        assert counted(command.finish(number)) == {"alpha": 997}
    wait_until(lambda: gone(programs, links), "programs and links gone")


def test_killed_command_leaves_nothing(start: Start) -> None:
    process = start("hammer")
    with Command(process.pid, "hot*") as command:
        process.send("go")
        programs, links = program_ids(command.process.pid), link_ids(command.process.pid)
        assert programs
        assert links
        command.process.kill()
        command.process.wait()
    wait_until(lambda: gone(programs, links), "programs and links gone")
    process.send("stop")
    assert process.truth()["hot0"] > 0
    assert process.end() == 0


def test_reader_of_the_output_goes_away(start: Start) -> None:
    process = start("plain-pie")
    with Command(process.pid, "alpha") as command:
        programs, links = program_ids(command.process.pid), link_ids(command.process.pid)
        assert command.process.stdout
        command.process.stdout.close()
        assert command.process.wait(SECONDS) == 0
        assert command.process.stderr
        assert command.process.stderr.read() == ""
        command.process.stdout = None
    wait_until(lambda: gone(programs, links), "programs and links gone")


def test_command_that_ends_by_itself_leaves_nothing(start: Start) -> None:
    process = start("plain-pie")
    with Command(process.pid, "alpha", "-d", "0.2") as command:
        programs, links = program_ids(command.process.pid), link_ids(command.process.pid)
        assert command.finish()["ended"] is None
    wait_until(lambda: gone(programs, links), "programs and links gone")


def test_failed_attach_leaves_nothing(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    process = start("plain-pie")
    target = resolve(process.pid)
    programs, links = program_ids(os.getpid()), link_ids(os.getpid())
    files = len(os.listdir("/proc/self/fd"))

    def refuse(*_arguments: object) -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("tui.bpf.kernel.link_uprobe_multi", refuse)
    monkeypatch.setattr("tui.bpf.kernel.link_perf_event", refuse)
    with CountingProbe(target) as probe, pytest.raises(Exception, match="run as root"):
        probe.add(pick(target, "alpha"))
    assert (program_ids(os.getpid()), link_ids(os.getpid())) == (programs, links)
    assert len(os.listdir("/proc/self/fd")) == files
