"""The console on a terminal that goes away: it ends, and nothing stays attached."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

CONSOLE = """
import pathlib, sys
from tests.screens.fakes import FakeProbing, FakeSources
from tui.app import Bpfscope

async def close(self):
    pathlib.Path(sys.argv[1]).write_text("closed")

FakeProbing.close = close
Bpfscope(FakeSources(), pid=2696).run()
"""


def read_until(terminal: int, wanted: str) -> None:
    """Read what the console paints until it says this."""
    seen, deadline = b"", time.monotonic() + 30
    while wanted.encode() not in seen:
        assert time.monotonic() < deadline, f"never said {wanted}"
        if select.select([terminal], [], [], 1)[0]:
            seen += os.read(terminal, 65536)


@pytest.mark.parametrize("how", ["hangup", "SIGTERM"])
def test_the_end_of_the_terminal_detaches(tmp_path: Path, how: str) -> None:
    closed = tmp_path / "closed"
    # The shell between is what a login has: it gets the hangup, the console the rest.
    child, terminal = pty.fork()
    if child == 0:
        os.environ |= {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30", "CONSOLE": CONSOLE}
        command = f'{sys.executable} -c "$CONSOLE" {closed}; true'
        os.execvp("bash", ["bash", "-c", command])
    read_until(terminal, "main.fibonacciLoop")
    os.write(terminal, b"\r")
    read_until(terminal, "waiting for the first reading")
    console = int(subprocess.check_output(["pgrep", "-P", str(child)], text=True))
    if how == "SIGTERM":
        os.kill(console, signal.SIGTERM)
        read_until(terminal, "\x1b[?1049l")
    os.close(terminal)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{console}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{console}").exists()
    assert closed.read_text() == "closed"
    os.waitpid(child, 0)


@pytest.mark.parametrize(
    "broken",
    [
        "async def modules(self, pid):\n    1 / 0\n\nFakeSources.modules = modules\n",
        "from tui.widgets.terminal import Terminal\nTerminal.run_input_thread = lambda self: 1 / 0\n",
    ],
    ids=["in a screen", "in the thread that reads keys"],
)
def test_an_error_of_our_own_is_one_sentence(tmp_path: Path, broken: str) -> None:
    console = CONSOLE.replace("FakeProbing.close = close\n", broken)
    child, terminal = pty.fork()
    if child == 0:
        os.environ |= {"TERM": "xterm-256color", "XDG_CACHE_HOME": str(tmp_path)}
        code = console.replace(".run()", "").replace("Bpfscope(", "app = Bpfscope(")
        os.execv(sys.executable, [sys.executable, "-c", f"{code}\napp.run()\nsys.exit(app.return_code)", "unused"])
    seen = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the console has ended
            break
        if not part:
            break
        seen += part
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    last = seen.decode().rpartition("\x1b[?1049l")[2]
    assert "ended by an error of its own, everything is detached" in last.replace("\r\n", " ")
    assert "Traceback" not in last
    (report,) = (tmp_path / "bpfscope" / "errors").iterdir()
    assert "ZeroDivisionError" in report.read_text()
