import io
import os
from pathlib import Path

import pytest

from tui.elf import modules
from tui.elf.names import Module
from tui.errors import NotPermitted, TargetError

MAPS = b"""\
00400000-00401000 r--p 00000000 08:01 100                        /opt/my app/server
00401000-00402000 r-xp 00001000 08:01 100                        /opt/my app/server
7f0000000000-7f0000001000 r-xp 00000000 08:01 200                /usr/lib/libone.so
7f0000001000-7f0000002000 r-xp 00002000 08:01 200                /usr/lib/libone.so
7f0000002000-7f0000003000 rw-p 00003000 08:01 201                /usr/lib/data.so
7f0000003000-7f0000004000 r-xp 00000000 08:01 300                /usr/lib/gone.so (deleted)
7f0000004000-7f0000005000 r-xp 00000000 08:02 400                /srv/lib/libone.so
7f0000005000-7f0000006000 r-xp 00000000 08:01 500                /opt/two\\012lines\x1b[2J.so
7f0000006000-7f0000007000 r-xp 00000000 08:01 501                /opt/carriage\rreturn.so
7f0000007000-7f0000008000 rwxp 00000000 00:00 0
7f0000008000-7f0000009000 r-xp 00000000 00:01 600                /memfd:jit (deleted)
7f0000009000-7f000000a000 r-xp 00000000 00:01 601                /memfd:jit (deleted)
7f000000a000-7f000000b000 r-xp 00000000 00:00 0                  [vdso]
7f000000b000-7f000000c000 r-xp 00000000 08:01 502                /opt/\xff\xfe.so
garbage
"""


def of_text(monkeypatch: pytest.MonkeyPatch, maps: bytes) -> tuple[Module, ...]:
    monkeypatch.setattr(modules, "open", lambda path, mode: io.BytesIO(maps), raising=False)
    monkeypatch.setattr(modules, "_identity", lambda path: (2049, 100) if path.endswith("/exe") else None)
    return modules.of_process(4_194_305)


def test_every_executable_file_is_one_module_the_executable_first(monkeypatch: pytest.MonkeyPatch) -> None:
    found = of_text(monkeypatch, MAPS)
    names = [module.name for module in found]
    assert names[0] == "server"
    assert found[0].path == "/opt/my app/server"
    assert found[0].file == "/proc/4194305/map_files/401000-402000"
    assert len(set(names)) == len(names)
    assert set(names) == {
        "server", "usr/lib/libone.so", "srv/lib/libone.so", "gone.so", "two␊lines␛[2J.so", "carriage␍return.so",
        "memfd:jit (deleted) #1", "memfd:jit (deleted) #2", "\ufffd\ufffd.so",
    }  # fmt: skip


def test_nothing_mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TargetError, match="no program of its own"):
        of_text(monkeypatch, b"")
    with pytest.raises(TargetError, match="no file"):
        of_text(monkeypatch, b"7f0000007000-7f0000008000 rwxp 00000000 00:00 0\n")


def test_this_process() -> None:
    found = modules.of_process(os.getpid())
    assert found[0].path == os.readlink("/proc/self/exe")
    assert any(module.name.startswith("libc.so") for module in found)
    assert os.path.samefile(found[0].file, "/proc/self/exe")
    assert modules.only_executable(os.getpid()) == found[0]


def test_no_such_process() -> None:
    with pytest.raises(TargetError, match="there is no process 4194305"):
        modules.of_process(4_194_305)


@pytest.mark.parametrize(("user", "remedy"), [(1000, "CAP_SYS_PTRACE"), (0, "not even root")])
def test_somebody_elses_process(monkeypatch: pytest.MonkeyPatch, user: int, remedy: str) -> None:
    def refuse(path: str, mode: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(modules, "open", refuse, raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    with pytest.raises(NotPermitted, match=remedy):
        modules.of_process(1)


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "pro\x1bgram"
    path.write_bytes(b"")
    (tmp_path / "link").symlink_to(path)
    assert modules.of_file(str(path)).name == "pro␛gram"
    assert modules.of_file(str(tmp_path / "link")).file == str(path)
    with pytest.raises(TargetError, match="cannot open"):
        modules.of_file(str(tmp_path / "gone"))
