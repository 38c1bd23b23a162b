"""The console while it shows 1,000 functions that are being called: its memory and its share of a core."""

import os
import re
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from bench import peers, programs
from bench.measure import Bench, say
from bench.table import Row, megabytes

_FUNCTIONS = 1000
_MEMORY, _CPU = 64e6, 2.0  # bytes, percent of a core
_TIMING_MEMORY, _TIMING_CPU = 90e6, 4.0
_TICKS = os.sysconf("SC_CLK_TCK")


class Terminal:
    """The console in a tmux of its own, 160×50; a context manager that ends both."""

    def __init__(self, bench: Bench, command: Sequence[str]) -> None:
        """Starts it."""
        server = f"bpfscope-bench-{os.getpid()}-{time.monotonic_ns()}"  # one that ends may still be there
        self._tmux = ["tmux", "-L", server, "-f", "/dev/null"]
        self._environment = bench.environment
        self._run("new-session", "-d", "-x", "160", "-y", "50", "--", *command)
        self.pid = int(self._run("display-message", "-p", "#{pane_pid}"))

    def _run(self, *words: str) -> str:
        done = subprocess.run([*self._tmux, *words], capture_output=True, text=True, env=self._environment, check=True)
        return done.stdout

    def keys(self, *keys: str) -> None:
        """Presses keys, by tmux's names."""
        self._run("send-keys", *keys)

    def wait(self, text: str, pause: float = 0.05, *, there: bool = True) -> str:
        """The screen once it has the text, or hasn't; looked at after pauses. Raises TimeoutError with what it has."""
        due, screen = time.monotonic() + programs.SECONDS, ""
        while time.monotonic() < due:
            screen = self._run("capture-pane", "-p")
            if (text in screen) == there:
                return screen
            time.sleep(pause)
        raise TimeoutError(f"the console never {'showed' if there else 'took away'} {text!r}, but has\n{screen}")

    def latency(self, key: str, text: str) -> float:
        """Seconds from a key to the screen that has the text, which it hasn't before; tmux takes some 4 ms of them."""
        start = time.monotonic()
        self.keys(key)
        self.wait(text, 0.0)
        return time.monotonic() - start

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(subprocess.CalledProcessError):
            self._run("kill-server")


def rows(bench: Bench) -> list[Row]:
    """Memory and CPU while it counts, and whether the compiler stays out of it."""
    say("the console with 1,000 functions")
    memory, cpu, bcc, runs = _live(bench, "Enter")
    return [
        Row("console, 1,000 live functions, 160×50, 1 Hz: resident", megabytes(memory), {}, None,
            f"≤ {_MEMORY / 1e6:.0f} MB", runs, memory <= _MEMORY),
        Row("console: CPU, of one core", f"{cpu:.2f} %", {}, None, f"≤ {_CPU:g} %", runs, cpu <= _CPU),
        Row("console: libbcc in its process", "yes" if bcc else "no", {}, None, "no", "", not bcc),
    ]  # fmt: skip


def timing_rows(bench: Bench) -> list[Row]:
    """Memory and CPU while it times."""
    say("the console with 1,000 timed functions")
    memory, cpu, _, runs = _live(bench, "l")
    return [
        Row("console, 1,000 timed functions, 160×50, 1 Hz: resident", megabytes(memory), {}, None,
            f"< {_TIMING_MEMORY / 1e6:.0f} MB", runs, memory < _TIMING_MEMORY),
        Row("console, timing: CPU, of one core", f"{cpu:.2f} %", {}, None, f"< {_TIMING_CPU:g} %", runs,
            cpu < _TIMING_CPU),
    ]  # fmt: skip


def _live(bench: Bench, key: str) -> tuple[int, float, bool, str]:
    """Most resident bytes, percent of a core, whether libbcc is there, and for how long it was watched."""
    program = programs.loop(bench.folder, _FUNCTIONS)
    with (
        programs.target(program, _FUNCTIONS) as target,
        Terminal(bench, [peers.BPFSCOPE, "--budget", "off", str(target.pid)]) as terminal,
    ):
        _walk(terminal, key)
        time.sleep(bench.runs(5, 2))  # what starting left to do
        seconds = bench.runs(30, 20)
        memory, cpu = watch(terminal.pid, seconds)
        terminal.wait("live ●")
        bcc = "libbcc" in Path(f"/proc/{terminal.pid}/maps").read_text(encoding="utf-8", errors="replace")
    return memory, cpu, bcc, f"{seconds} s"


def _walk(terminal: Terminal, key: str) -> None:
    """From the functions to the view that the key opens, of those that the target calls."""
    terminal.wait("f_000")
    terminal.keys("/")
    terminal.wait("to the list")
    terminal.keys("-l", "f_*")
    terminal.wait(f"{_FUNCTIONS:,} of")
    terminal.keys("Enter")
    terminal.keys("a")
    terminal.wait(f"{_FUNCTIONS:,} marked")
    terminal.keys(key)
    terminal.wait("live ●")


def watch(pid: int, seconds: int) -> tuple[int, float]:
    """The most resident bytes, and the percentage of a core, over some seconds."""
    start, before, most = time.monotonic(), cpu_seconds(pid), 0
    while time.monotonic() - start < seconds:
        time.sleep(1)
        most = max(most, _resident(pid))
    return most, 100 * (cpu_seconds(pid) - before) / (time.monotonic() - start)


def cpu_seconds(pid: int) -> float:
    """That a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _resident(pid: int) -> int:
    found = re.search(r"^VmRSS:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
