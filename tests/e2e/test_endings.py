"""However the console ends while probes are on: nothing of ours stays in the kernel, and the target is unharmed."""

import os
import signal

import pytest

from tests.e2e import walk
from tests.e2e.conftest import Open, Start
from tests.e2e.terminal import Terminal
from tests.kernel.probing import link_ids, program_ids
from tests.targets.running import Running


def probing(console: Open, target: Running) -> tuple[Terminal, set[int], set[int]]:
    """A console that counts, and what it has in the kernel."""
    terminal = console(target.pid)
    walk.wait_functions(terminal, target.pid)
    walk.to_calls(terminal, "alpha")
    programs, links = program_ids(terminal.pid()), link_ids(terminal.pid())
    assert programs
    assert links
    return terminal, programs, links


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_restore_the_terminal(console: Open, start: Start, number: signal.Signals) -> None:
    target = start("plain-pie")
    terminal, programs, links = probing(console, target)
    os.kill(terminal.pid(), number)
    walk.restored(terminal)
    walk.wait_gone(programs, links)
    assert target.work()["alpha"]
    assert target.end() == 0


@pytest.mark.parametrize("keys", [("C-c", "C-c"), ("C-q", "y")], ids=["ctrl-c", "ctrl-q"])
def test_control_keys_ask_and_quit(console: Open, start: Start, keys: tuple[str, str]) -> None:
    target = start("plain-pie")
    terminal, programs, links = probing(console, target)
    terminal.keys(keys[0])
    terminal.wait_for("Detach 1 function and quit")
    terminal.keys(keys[1])
    assert walk.restored(terminal) == 0
    walk.wait_gone(programs, links)


def test_killed(console: Open, start: Start) -> None:
    target = start("plain-pie")
    terminal, programs, links = probing(console, target)
    os.kill(terminal.pid(), signal.SIGKILL)
    walk.wait_gone(programs, links)
    assert target.work()["alpha"]
    assert target.end() == 0


def test_a_terminal_that_goes_away(console: Open, start: Start) -> None:
    target = start("plain-pie")
    terminal, programs, links = probing(console, target)
    pid = terminal.pid()
    terminal.close()
    walk.wait_gone(programs, links)
    walk.wait_until(lambda: not walk.alive(pid), "the console gone")
    assert target.work()["alpha"]
