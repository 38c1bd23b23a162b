import os
import socket
import stat
from pathlib import Path

import pytest

from tui.elf import rooted


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root directory, beside a file that isn't in it."""
    (tmp_path / "outside").write_text("outside")
    (tmp_path / "root/folder").mkdir(parents=True)
    (tmp_path / "root/file").write_text("inside")
    return tmp_path / "root"


def read(root: Path, path: str, *, link: bool = True) -> str:
    with open(rooted.open_regular(str(root), path, link=link), encoding="ascii") as file:
        return file.read()


@pytest.mark.parametrize("path", ["file", "/file", "folder/../file", "../file", "/../../file"])
def test_paths_begin_at_the_root(root: Path, path: str) -> None:
    assert read(root, path) == "inside"


@pytest.mark.parametrize("target", ["../../outside", "/../outside", "{outside}", "/proc/self/root{outside}"])
def test_no_link_leads_out(root: Path, target: str) -> None:
    (root / "link").symlink_to(target.format(outside=root.parent / "outside"))
    (root / "folder/up").symlink_to("../..")
    for path in ("link", "folder/up/outside", "folder/up/../outside"):
        with pytest.raises(FileNotFoundError):
            read(root, path)


def test_links_within_the_root_are_followed(root: Path) -> None:
    (root / "folder/link").symlink_to("/file")
    assert read(root, "folder/link") == "inside"
    with pytest.raises(OSError, match="not a regular file"):
        read(root, "folder/link", link=False)


def test_links_of_proc_are_not_followed() -> None:
    with pytest.raises(OSError, match="symbolic links"):
        rooted.open_regular("/", f"/proc/self/root{__file__}")


def test_what_is_no_regular_file_is_not_opened(root: Path) -> None:
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "socket"))
        for path in ("fifo", "socket", "folder"):
            with pytest.raises(OSError, match="not a regular file"):
                rooted.open_regular(str(root), path)
    with pytest.raises(OSError, match="No such device"):  # nobody has it open for reading
        os.open(root / "fifo", os.O_WRONLY | os.O_NONBLOCK)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to make a device")
def test_devices_are_not_opened(root: Path) -> None:
    os.mknod(root / "device", stat.S_IFCHR | 0o600, os.makedev(0x1FF, 0x1FF))  # no such device: opening it gives ENXIO
    with pytest.raises(OSError, match="not a regular file"):
        rooted.open_regular(str(root), "device")


def test_no_descriptor_is_left(root: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for path in ("file", "folder", "nowhere"):
        try:
            os.close(rooted.open_regular(str(root), path))
        except OSError:
            continue
    assert len(os.listdir("/proc/self/fd")) == before


def test_whose_root_is_ours() -> None:
    assert rooted.same("/proc/self/root")
    assert not rooted.same("/proc/4194305/root")
    assert not rooted.same("/tmp")


def test_paths_below_a_process_are_followed_as_it_sees_them(root: Path) -> None:
    (root / "link").symlink_to("/file")
    os.link(root / "file", root / "folder/same")
    inside = f"/proc/{os.getpid()}/root{root}"
    with open(rooted.opened(f"{inside}/file"), encoding="ascii") as file:
        assert file.read() == "inside"
    with pytest.raises(FileNotFoundError):  # /file, which there is none of
        rooted.opened(f"{inside}/link")
    status = (root / "file").stat()
    assert rooted.identity(str(root), "link") == (status.st_dev, status.st_ino)
    with pytest.raises(FileNotFoundError):
        rooted.identity(str(root), "nowhere")


def test_what_a_path_leads_to_is_looked_at_first(root: Path) -> None:
    os.mkfifo(root / "fifo")
    for path in (root / "fifo", root, Path("/dev/null")):
        with pytest.raises(rooted.NotRegular):
            rooted.opened(str(path))
    with open(rooted.opened(str(root / "file")), encoding="ascii") as file:
        assert file.read() == "inside"
