import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tui.collectors import target
from tui.errors import TargetError


@contextmanager
def running(program: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A copy of cat(1) under another name, which waits for its input to end."""
    if not program.exists():
        shutil.copy("/bin/cat", program)
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin
        assert child.stdout
        child.stdin.write(b"ready\n")
        child.stdin.flush()
        child.stdout.readline()  # it has executed, and so has its name
        yield child
        child.stdin.close()


def test_by_pid(tmp_path: Path) -> None:
    with running(tmp_path / "patient-cat") as child:
        found = target.resolve(str(child.pid))
        assert (found.pid, found.name) == (child.pid, "patient-cat")
        assert found.modules[0].path == str(tmp_path / "patient-cat")


def test_by_path(tmp_path: Path) -> None:
    shutil.copy("/bin/cat", tmp_path / "patient-cat")
    found = target.resolve(str(tmp_path / "patient-cat"))
    assert (found.pid, found.name, len(found.modules)) == (None, "patient-cat", 1)


def test_by_name(tmp_path: Path) -> None:
    with running(tmp_path / "patient-cat-1") as child:
        assert target.resolve("patient-cat-1").pid == child.pid


def test_by_the_executables_name_where_the_kernel_cuts_it(tmp_path: Path) -> None:
    with running(tmp_path / "a-very-patient-cat-indeed") as child:
        assert target.resolve("a-very-patient-cat-indeed").pid == child.pid
        assert target.resolve("a-very-patient-").pid == child.pid  # 15 letters: TASK_COMM_LEN


def test_an_executable_that_was_deleted_keeps_its_name(tmp_path: Path) -> None:
    with running(tmp_path / "patient-cat-deleted-soon") as child:
        os.unlink(tmp_path / "patient-cat-deleted-soon")
        found = target.resolve("patient-cat-deleted-soon")
        assert found.pid == child.pid
        assert os.path.samefile(found.modules[0].file, f"/proc/{child.pid}/exe")


def test_a_name_of_several_processes_asks_for_a_pid(tmp_path: Path) -> None:
    with running(tmp_path / "patient-twin") as one, running(tmp_path / "patient-twin") as two:
        pids = f"{min(one.pid, two.pid)}, {max(one.pid, two.pid)}"
        with pytest.raises(TargetError, match=rf"2 processes are called patient-twin: .* \({pids}\)"):
            target.resolve("patient-twin")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("no-such-process", "no process is called no-such-process: `bpfscope ps` lists them$"),
        ("4194305", "there is no process 4194305"),
        ("9" * 5000, "there is no process 99999999999999999999"),
        ("0", "there is no process 0"),
        ("٣", "no process is called ٣"),
        ("./nowhere", "cannot open ./nowhere: No such file"),
        ("/" + "x" * 5000, "File name too long"),
        ("\x1b[2J", "no process is called ␛"),
        ("2", "no program of its own|cannot look|there is no"),  # a kernel thread, mostly
    ],
)
def test_what_is_not_there(text: str, sentence: str) -> None:
    if text == "2" and os.path.exists("/proc/2/exe"):
        pytest.skip("pid 2 is a program here")
    with pytest.raises(TargetError, match=sentence):
        target.resolve(text)


def test_a_file_in_this_folder_is_suggested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "server-program").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TargetError, match=r"to probe the file in this folder, say \./server-program"):
        target.resolve("server-program")


def test_we_are_never_found_by_name() -> None:
    assert os.getpid() not in target.named(os.path.basename(os.readlink("/proc/self/exe")))


def test_a_zombie_has_no_program() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(TargetError, match="has just ended"):
            target.resolve(str(child.pid))
