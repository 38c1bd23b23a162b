import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from tui.collectors.target import Watch
from tui.errors import TargetError

SHELL = ["/bin/sh", "-c"]


def child(script: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*SHELL, script], stdin=subprocess.PIPE)


def until(condition: Callable[[], object]) -> None:
    due = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < due
        time.sleep(0.002)


@pytest.mark.parametrize("reaped", [False, True])
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("read x; exit 0", "exited 0"),
        ("read x; exit 7", "exited 7"),
        ("read x; kill -9 $$", "was killed by SIGKILL"),
        ("read x; kill -15 $$", "was killed by SIGTERM"),
        ("read x; kill -40 $$", "was killed by signal 40"),
    ],
)
def test_how_it_ended(script: str, said: str, *, reaped: bool) -> None:
    with child(script) as process, Watch(process.pid) as watch:
        assert watch.ended() == ""
        assert process.stdin
        process.stdin.write(b"\n")
        process.stdin.close()
        assert select.select([watch], [], [], 10)[0]
        if reaped:
            process.wait()
        known = not reaped or _release() >= (6, 15)
        assert watch.ended() == (said if known else "ended")
        assert watch.ended() == watch.ended()


def _release() -> tuple[int, int]:
    major, minor = re.findall(r"\d+", os.uname().release)[:2]
    return int(major), int(minor)


def test_another_program() -> None:
    with child("read x; exec /bin/cat") as process, Watch(process.pid) as watch:
        assert watch.ended() == ""
        assert process.stdin
        process.stdin.write(b"\n")
        process.stdin.flush()
        until(watch.ended)
        assert watch.ended() == f"executed {os.path.realpath('/bin/cat')}"
        process.stdin.close()
        process.wait()
        assert watch.ended() in {"exited 0", "ended"}


def test_a_stopped_process_has_not_ended() -> None:
    with child("read x") as process, Watch(process.pid) as watch:
        process.send_signal(signal.SIGSTOP)
        assert watch.ended() == ""
        process.kill()
        process.wait()


def test_no_such_process() -> None:
    with pytest.raises(TargetError, match="there is no process 4194305"):
        Watch(4_194_305)


def test_closing_twice_is_harmless() -> None:
    watch = Watch(os.getpid())
    watch.close()
    watch.close()
