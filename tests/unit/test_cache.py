import os
import stat
from pathlib import Path

import pytest

from tui import cache


def test_what_is_written_is_read(own_cache: Path) -> None:
    assert cache.read("objects", "one") is None
    assert cache.write("objects", "one", b"con", b"", b"tent") == ""
    assert cache.read("objects", "one") == b"content"
    assert cache.read("functions", "one") is None
    assert cache.write("objects", "one", b"newer") == ""
    assert cache.read("objects", "one") == b"newer"
    assert [path.name for path in (own_cache / "bpfscope/objects").iterdir()] == ["one"]


def test_only_we_can_look_into_it(own_cache: Path) -> None:
    old = os.umask(0)
    try:
        path, reason = cache.folder("objects")
    finally:
        os.umask(old)
    assert (path, reason) == (str(own_cache / "bpfscope/objects"), "")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_can_write_is_passed_over(own_cache: Path, mode: int) -> None:
    cache.write("objects", "one", b"content")
    (own_cache / "bpfscope/objects").chmod(mode)
    assert cache.folder("objects")[0] == ""
    assert "can be written by" in cache.folder("objects")[1]
    assert cache.read("objects", "one") is None
    assert "can be written by" in cache.write("objects", "two", b"content")


def test_somebody_elses_folder_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.write("objects", "one", b"content")
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    assert "belongs to" in cache.folder("objects")[1]
    assert cache.read("objects", "one") is None


def test_a_relative_base_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache.folder("objects")[0] == ""
    assert cache.write("objects", "one", b"content")
    assert not (tmp_path / "relative").exists()


def test_without_xdg_it_is_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.folder("objects") == (str(tmp_path / ".cache/bpfscope/objects"), "")


def test_a_file_in_the_way_is_said(own_cache: Path) -> None:
    (own_cache / "bpfscope").write_text("")
    assert "nothing is cached in" in cache.folder("objects")[1]
    assert "nothing is cached in" in cache.write("objects", "one", b"content")
    assert cache.read("objects", "one") is None


def test_a_failed_write_leaves_nothing(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: str, destination: str) -> None:
        raise OSError(28, "No space left on device", destination)

    monkeypatch.setattr(os, "replace", full)
    assert cache.write("objects", "one", b"content").endswith("No space left on device")
    assert list((own_cache / "bpfscope/objects").iterdir()) == []


def test_the_oldest_files_make_room(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_MOST_BYTES", 1000)
    monkeypatch.setattr(cache, "_LARGEST", 250)
    for number in range(6):
        cache.write("objects", f"file{number}", bytes(240))
        os.utime(own_cache / f"bpfscope/objects/file{number}", (number, number))
    assert sorted(path.name for path in (own_cache / "bpfscope/objects").iterdir()) == [
        "file2",
        "file3",
        "file4",
        "file5",
    ]
    cache.write("objects", "large", bytes(900))
    assert cache.read("objects", "large") is None


def test_what_is_no_file_of_ours_is_passed_over(own_cache: Path, tmp_path: Path) -> None:
    folder = own_cache / "bpfscope/objects"
    assert cache.write("objects", "one", b"content") == ""
    os.mkfifo(folder / "pipe")
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "link").symlink_to(folder / "one")
    with (folder / "huge").open("wb") as file:
        file.truncate(1 << 40)
    assert [cache.read("objects", name) for name in ("pipe", "zero", "link", "huge")] == [None] * 4
    assert cache.read("objects", "one") == b"content"


def test_what_is_kept_comes_back_whole_or_not_at_all(own_cache: Path) -> None:
    assert cache.keep("costs", "one", b"[1, 2]") == ""
    assert cache.kept("costs", "one") == b"[1, 2]"
    assert cache.kept("costs", "two") is None
    path = own_cache / "bpfscope/costs/one"
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert cache.kept("costs", "one") is None
        path.write_bytes(whole[:at])
        assert cache.kept("costs", "one") is None


def test_what_is_no_file_of_ours_keeps_no_other_from_going(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_MOST_BYTES", 1000)
    cache.write("objects", "old", bytes(240))
    folder = own_cache / "bpfscope/objects"
    os.utime(folder / "old", (1, 1))
    (folder / "dangling").symlink_to("nowhere")
    (folder / "folder").mkdir()
    for number in range(4):
        assert cache.write("objects", f"file{number}", bytes(240)) == ""
    assert not (folder / "old").exists()
