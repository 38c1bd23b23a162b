"""The same walk through a real SSH server, whose sessions know no locale."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import walk
from tests.e2e.conftest import Open, Start
from tests.e2e.ssh import SSHD, Server
from tests.e2e.terminal import Terminal

pytestmark = pytest.mark.skipif(not (os.path.exists(SSHD) and shutil.which("ssh")), reason="an SSH server and client")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path) as running:
        yield running


def console_of(target_pid: int) -> int:
    """The console that probes: the only one whose terminal shows this target."""
    found = [int(entry) for entry in os.listdir("/proc") if entry.isdecimal() and _opens(int(entry), target_pid)]
    assert len(found) == 1
    return found[0]


def _opens(pid: int, target_pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return words[-2:] == [str(target_pid).encode(), b""] and words[-3].endswith(b"bpfscope") and b"python" in words[0]


def probing(console: Open, server: Server, target_pid: int) -> tuple[Terminal, set[int], set[int]]:
    terminal = console(target_pid, prefix=server.command())
    walk.wait_functions(terminal, target_pid)
    walk.to_calls(terminal, "Square::corners")
    pid = console_of(target_pid)
    return terminal, walk.program_ids(pid), walk.link_ids(pid)


def test_counts_are_the_truth_over_ssh(console: Open, server: Server, start: Start) -> None:
    target = start("plus")
    terminal = console(prefix=server.command())
    walk.to_functions(terminal, target.pid)
    walk.to_calls(terminal, "Square::perimeter")
    truth = target.work()
    walk.wait_calls(terminal, "shapes::Square::perimeter() const", truth["_ZNK6shapes6Square9perimeterEv"])
    terminal.keys("?")
    terminal.wait_for("esc back")
    terminal.keys("Escape")
    terminal.wait_for("live ●")
    terminal.keys("q")
    terminal.wait_for("Detach 1 function and quit")
    terminal.keys("y")
    assert walk.restored(terminal) == 0
    assert target.end() == 0


def test_quitting_over_ssh_leaves_nothing(console: Open, server: Server, start: Start) -> None:
    target = start("plus")
    terminal, programs, links = probing(console, server, target.pid)
    terminal.keys("q")
    terminal.wait_for("Detach 1 function and quit")
    terminal.keys("y")
    assert walk.restored(terminal) == 0
    walk.wait_gone(programs, links)


def test_a_lost_connection_leaves_nothing(console: Open, server: Server, start: Start) -> None:
    target = start("plus")
    terminal, programs, links = probing(console, server, target.pid)
    terminal.close()  # the client dies with its terminal
    walk.wait_gone(programs, links)
    assert target.work()
    assert target.end() == 0
