import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tui.collectors import processes, units
from tui.collectors.processes import Processes
from tui.collectors.samples import Process, ProcessesSample

PYTHON = f"python {sys.version_info[0]}.{sys.version_info[1]}"
SPIN = "import sys\nprint(flush=True)\nwhile True: pass"
NAME = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(15, bytes.fromhex(sys.argv[1]))
print(flush=True)
sys.stdin.read()
"""


@contextmanager
def running(*command: str, executable: str = sys.executable) -> Iterator[int]:
    """A child that has said that it is there; its pid."""
    with subprocess.Popen(command, executable=executable, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        try:
            yield child.pid
        finally:
            child.kill()


def one(sample: ProcessesSample, pid: int) -> Process:
    return next(process for process in sample.processes if process.pid == pid)


def test_this_process() -> None:
    sample = Processes().read()
    own, known = one(sample, os.getpid()), psutil.Process()
    assert (own.parent, own.user, own.language) == (os.getppid(), known.username(), PYTHON)
    assert own.rss_bytes == pytest.approx(known.memory_info().rss, rel=0.1)
    assert own.threads == known.num_threads()
    assert 0 < sample.memory_used < sample.memory_total == psutil.virtual_memory().total


def test_the_share_of_a_busy_process_is_what_it_took() -> None:
    with running("busy", "-c", SPIN) as pid:
        reader = Processes()
        reader.read()
        start, before = time.monotonic(), psutil.Process(pid).cpu_times()
        time.sleep(0.4)
        sample = reader.read()
        after, took = psutil.Process(pid).cpu_times(), time.monotonic() - start
        expected = 100 * (after.user + after.system - before.user - before.system) / took
        assert one(sample, pid).cpu_percent == pytest.approx(expected, abs=20)


def test_the_first_reading_has_the_share_of_a_whole_life() -> None:
    with running("busy", "-c", SPIN) as pid:
        time.sleep(0.2)
        assert one(Processes().read(), pid).cpu_percent > 1


def test_samples_are_frozen_and_independent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_SHORTEST", 0.0)
    reader = Processes()
    first = reader.read()
    copy = tuple(first.processes)
    with running("busy", "-c", SPIN):
        reader.read()
    assert first.processes == copy
    with pytest.raises(AttributeError):
        first.processes[0].name = "x"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"\x1b[31mred", "␛[31mred"),
        (b") R 1 (x", ") R 1 (x"),
        (b"two\nlines", "two␊lines"),
        (b"\xff\x9b", "\ufffd\ufffd"),
        (b"a b) ", "a b) "),
    ],
)
def test_hostile_names(name: bytes, shown: str) -> None:
    with running("python", "-c", NAME, name.hex()) as pid:
        process = one(Processes().read(), pid)
        assert process.name == shown
        assert process.parent == os.getpid()


def test_hostile_arguments() -> None:
    with running("\x1b]0;title\x07", "-c", NAME, b"x".hex(), "[@click=app.quit]\u202e\x9b") as pid:
        command = one(Processes().read(), pid).command
        assert command.startswith("␛]0;title␇ -c ")
        assert command.endswith("[@click=app.quit]\ufffd\ufffd")


def test_a_process_that_executes_another_program_is_described_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_YOUNG", 0.0)
    monkeypatch.setattr(processes, "_SHORTEST", 0.0)
    script = "import os, sys\nprint(flush=True)\nos.read(0, 1)\nos.execv('/bin/cat', ['cat'])"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin
        assert child.stdout
        child.stdout.readline()
        reader = Processes()
        assert one(reader.read(), child.pid).language == PYTHON
        child.stdin.write(b"\nready\n")
        child.stdin.flush()
        child.stdout.readline()
        after = one(reader.read(), child.pid)
        assert (after.name, after.language, after.command) == ("cat", "c", "cat")
        child.stdin.close()


def test_ended_processes_and_zombies_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_SHORTEST", 0.0)
    reader = Processes()
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert child.pid not in {process.pid for process in reader.read().processes}
        child.wait()
        assert child.pid not in {process.pid for process in reader.read().processes}


def test_one_that_ends_between_two_looks_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    stat = processes._stat(os.getpid())
    monkeypatch.setattr(psutil, "pids", lambda: [4_194_305])
    monkeypatch.setattr(processes, "_stat", lambda pid: stat)
    assert Processes().read().processes == ()


def test_kernel_threads_are_told_by_their_flag() -> None:
    sample = Processes().read()
    for process in sample.processes:
        if process.language == "kernel":
            assert process.command == f"[{process.name}]"
            assert not os.path.exists(f"/proc/{process.pid}/exe")
    assert one(sample, os.getpid()).language != "kernel"


def test_readings_in_quick_succession_are_one() -> None:
    reader = Processes()
    samples = [reader.read() for _ in range(3)]
    assert len(set(map(id, samples))) < 3 or samples[-1].time - samples[0].time >= processes._SHORTEST


async def test_a_stream_yields_rates_soon() -> None:
    stream = processes.stream(Processes(), 60.0)
    first, second = await anext(stream), await anext(stream)
    assert 0 < second.time - first.time < 10
    await stream.aclose()  # type: ignore[attr-defined]


def test_a_program_whose_file_is_deleted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processes, "_SHORTEST", 0.0)
    program = tmp_path / "cat"
    shutil.copy("/bin/cat", program)
    with subprocess.Popen([program], stdin=subprocess.PIPE) as child:
        reader = Processes()
        assert not one(reader.read(), child.pid).deleted
        program.unlink()
        assert one(reader.read(), child.pid).deleted
        shutil.copy("/bin/cat", program)  # replaced
        assert one(reader.read(), child.pid).deleted
        child.communicate()


def test_all_are_looked_at_as_a_whole_now_and_then(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processes, "_SHORTEST", 0.0)
    monkeypatch.setattr(processes, "_YOUNG", 0.0)
    program = tmp_path / "cat"
    shutil.copy("/bin/cat", program)
    with subprocess.Popen([program], stdin=subprocess.PIPE) as child:
        reader = Processes()
        reader.read()
        program.unlink()
        found = [one(reader.read(), child.pid).deleted for _ in range(processes._TURNS)]
        assert found == sorted(found)
        assert found[-1]
        child.communicate()


def test_a_process_that_is_moved_to_another_unit_is_noticed_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_SHORTEST", 0.0)
    monkeypatch.setattr(processes, "_YOUNG", 0.0)
    groups = b"0::/system.slice/old.service\n"
    monkeypatch.setattr(units, "groups", lambda _: groups)
    reader = Processes()
    assert one(reader.read(), os.getpid()).unit == "old.service"
    groups = b"0::/system.slice/new.service\n"
    assert "new.service" in [one(reader.read(), os.getpid()).unit for _ in range(processes._MOVES)]
    groups = b""  # it can't be read now
    assert {one(reader.read(), os.getpid()).unit for _ in range(processes._TURNS)} == {"new.service"}


def test_the_unit_is_that_of_its_control_group() -> None:
    assert one(Processes().read(), os.getpid()).unit == units.of_process(os.getpid())


def test_a_user_without_a_name() -> None:
    user = ["setpriv", "--reuid=54321", "--clear-groups"] if os.geteuid() == 0 else []
    with subprocess.Popen([*user, "/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin
        assert child.stdout
        child.stdin.write(b"ready\n")
        child.stdin.flush()
        child.stdout.readline()
        assert one(Processes().read(), child.pid).user == ("54321" if user else psutil.Process().username())
        child.stdin.close()
