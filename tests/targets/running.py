"""A target that runs: a context manager that speaks the targets' protocol and leaves no process behind.

with Running(folder / "plain-pie") as target:
    ...  # attach to target.pid
    truth = target.work()
"""

import json
import os
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

SECONDS = 60  # a guest kernel is emulated, and a test that hangs must end


class Running:
    """One process of a target, loaded and waiting for its line; killed when it is left."""

    def __init__(self, program: Path, *arguments: str | Path) -> None:
        """Returns when the program has said that it is ready."""
        self._process = subprocess.Popen(
            [program, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        self.pid = self._process.pid
        self._unread = b""
        try:
            self.expect_ready()
        except BaseException:
            self.close()
            raise

    def expect_ready(self) -> None:
        """Waits until the program, or one that it has executed, says so."""
        line = self.read_line()
        assert line == "ready", line

    def work(self) -> dict[str, int]:
        """Lets it do all its work; the truth that it tells. The process stays."""
        self.send("go")
        return self.truth()

    def send(self, line: str) -> None:
        """Gives it a line."""
        assert self._process.stdin
        os.write(self._process.stdin.fileno(), line.encode() + b"\n")

    def truth(self) -> dict[str, int]:
        """The numbers of calls, once it has told them."""
        numbers: dict[str, int] = json.loads(self.read_line())
        return numbers

    def read_line(self) -> str:
        """Its next line; fails where none comes."""
        assert self._process.stdout
        fd, due = self._process.stdout.fileno(), time.monotonic() + SECONDS
        while b"\n" not in self._unread:
            ready, _, _ = select.select([fd], [], [], max(0.0, due - time.monotonic()))
            assert ready, "the target says nothing"
            more = os.read(fd, 65536)
            assert more, f"the target ended with status {self._process.wait(SECONDS)}"
            self._unread += more
        line, self._unread = self._unread.split(b"\n", 1)
        return line.decode()

    def end(self) -> int:
        """Lets it end by itself; its exit status, negative for a signal."""
        assert self._process.stdin
        self._process.stdin.close()
        return self._process.wait(SECONDS)

    def end_unreaped(self) -> None:
        """Lets it end and stay a zombie."""
        assert self._process.stdin
        self._process.stdin.close()
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Ends it by a signal, and reaps it."""
        self._process.send_signal(number)
        self._process.wait(SECONDS)

    def close(self) -> None:
        """Ends it; a second time is harmless."""
        self._process.kill()
        self._process.wait(SECONDS)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
