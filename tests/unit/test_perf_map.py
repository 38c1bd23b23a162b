import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.collectors.files import Files
from tui.collectors.target import Target
from tui.elf import functions, modules, perf_map, rooted
from tui.elf.names import JIT, Module, Skipped
from tui.elf.perf_map import PerfMap, parse
from tui.errors import TargetError


@pytest.fixture
def path() -> Iterator[Path]:
    """Where this process's own would be."""
    own = Path(f"/tmp/perf-{os.getpid()}.map")
    own.unlink(missing_ok=True)
    yield own
    own.unlink(missing_ok=True)


def name_at(address: int) -> str:
    with PerfMap(os.getpid()) as names:
        names.refresh()
        return names.name(address)


def test_lines() -> None:
    text = b"7f0010 20 LazyCompile:~run /srv/app.js:7\n0x7F0040 0x8 py::main:/srv/main.py\n"
    text += b"0x00007f0000000080 0x0000000000000200 void java.lang.Object.<init>()\n"
    assert list(parse(text)) == [
        (0x7F0010, 0x20, "LazyCompile:~run /srv/app.js:7"), (0x7F0040, 8, "py::main:/srv/main.py"),
        (0x7F0000000080, 0x200, "void java.lang.Object.<init>()"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [b"", b"7f0010 20", b"7f0010 20 ", b"run 7f0010 20", b"-1 20 run", b"+7 20 run", b"7_0 2_0 run", b"7f0010  20 run",
     b"fffffffffffffff0 20 run", b"11112222333344445 20 run", b"7f0010 ffffffffffffffff run",
     b"7f0010 12345678901234567 run", b"\0\0\0\0", b"7f0010\t20\trun"],
)  # fmt: skip
def test_what_does_not_fit_is_passed_over(line: bytes) -> None:
    assert list(parse(b"10 4 before\n" + line + b"\n20 4 after\n")) == [(0x10, 4, "before"), (0x20, 4, "after")]


def test_a_line_that_is_still_being_written_has_to_wait() -> None:
    assert list(parse(b"10 4 whole\n20 4 ha")) == [(0x10, 4, "whole")]


def test_names_are_harmless_and_bounded() -> None:
    text = b"10 4 \x1b[31mred\xff\r\n20 4 " + b"x" * 100_000 + b"\n"
    (_, _, first), (_, _, second) = parse(text)
    assert first == "␛[31mred\ufffd␍"
    assert second == "x" * 1024


def test_of_very_many_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perf_map, "_MOST", 10)
    text = b"".join(b"%x 1 name%d\n" % (number, number) for number in range(1, 100))
    assert [name for _, _, name in parse(text)] == [f"name{number}" for number in range(90, 100)]


@given(st.binary(max_size=300))
def test_any_bytes_are_parsed(text: bytes) -> None:
    assert all(0 <= start < start + size <= 1 << 47 or not size for start, size, _ in parse(text))


def test_of_a_process(path: Path) -> None:
    assert name_at(0x10) == ""
    path.write_bytes(b"10 4 made\n")
    assert [name_at(address) for address in (0x0F, 0x10, 0x13, 0x14)] == ["", "made", "made", ""]


def test_what_is_added_and_what_is_moved(path: Path) -> None:
    with PerfMap(os.getpid()) as names:
        names.refresh()
        path.write_bytes(b"10 4 first\n20 4 second\n")
        names.refresh()
        with path.open("ab") as file:
            file.write(b"1e 8 moved\n")
        assert names.name(0x20) == "second"
        names.refresh()
        assert [names.name(address) for address in (0x10, 0x1E, 0x20, 0x23)] == ["first", "moved", "moved", "moved"]
        path.unlink()
        names.refresh()
        assert names.name(0x10) == "first"
        path.write_bytes(b"10 4 another\n")
        names.refresh()
        assert names.name(0x10) == "another"


def test_only_the_end_of_a_large_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perf_map, "_LARGEST", 20)
    path.write_bytes(b"10 4 first\n20 4 second\n30 4 third\n")
    assert [name_at(address) for address in (0x10, 0x20, 0x30)] == ["", "", "third"]


def test_what_cannot_be_trusted(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "map").write_bytes(b"10 4 led astray\n")
    path.symlink_to(tmp_path / "map")
    assert name_at(0x10) == ""
    path.unlink()
    os.mkfifo(path)
    assert name_at(0x10) == ""
    path.unlink()
    path.mkdir()
    assert name_at(0x10) == ""
    path.rmdir()
    path.write_bytes(b"10 4 somebody else's\n")
    monkeypatch.setattr(perf_map, "_identity", lambda pid: ({4_000_000}, pid))
    assert name_at(0x10) == ""


def test_of_no_process() -> None:
    with PerfMap(4_194_305) as names:
        names.refresh()
        assert names.name(0x10) == ""


def made() -> Module:
    found = modules.of_process(os.getpid())[-1]
    assert found.name == JIT
    return found


def test_as_a_module_whose_functions_cannot_be_probed(path: Path) -> None:
    path.write_bytes(b"7f0040 8 later\n7f0010 20 run /srv/app.js:7\n7f0040 10 again\n")
    module = made()
    assert (module.path, module.file, module.root) == (str(path), "", f"/proc/{os.getpid()}/root")
    found = functions.read(module)
    assert [(one.name, one.address, one.size, one.origin) for one in found] == [
        ("again", 0x7F0040, 0x10, "perf map"),
        ("run /srv/app.js:7", 0x7F0010, 0x20, "perf map"),
    ]
    assert all("at run time" in one.unprobeable for one in found)
    with Files(Target(os.getpid(), "", (module,))) as files:
        assert files.choose(found) == ([], [Skipped(one, one.unprobeable) for one in found])
        assert [(function, site.refused) for function, site, _ in files.sites(found)] == [
            (one, one.unprobeable) for one in found
        ]


def test_no_module_of_what_cannot_be_trusted(path: Path, tmp_path: Path) -> None:
    assert all(module.file for module in modules.of_process(os.getpid()))
    (tmp_path / "map").write_bytes(b"10 4 led astray\n")
    path.symlink_to(tmp_path / "map")
    assert all(module.file for module in modules.of_process(os.getpid()))


def test_a_map_that_has_gone_or_says_nothing(path: Path) -> None:
    path.write_bytes(b"10 4 made\n")
    module = made()
    path.write_bytes(b"nothing yet")
    with pytest.raises(TargetError, match="compiled nothing yet"):
        functions.read(module)
    path.unlink()
    with pytest.raises(TargetError, match="gone"):
        functions.read(module)


def test_no_file_outside_of_the_root_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container whose /tmp leads to a folder of ours."""
    (tmp_path / "root").mkdir()
    (tmp_path / "ours").mkdir()
    (tmp_path / "root/tmp").symlink_to(tmp_path / "ours")
    (tmp_path / "ours" / f"perf-{os.getpid()}.map").write_bytes(b"10 4 led astray\n")
    opened = rooted.open_regular
    monkeypatch.setattr(rooted, "open_regular", lambda _, path, **how: opened(str(tmp_path / "root"), path, **how))
    assert name_at(0x10) == ""
    (tmp_path / "root/tmp").unlink()
    (tmp_path / "root/tmp").symlink_to("/real")
    (tmp_path / "root/real").mkdir()
    (tmp_path / f"root/real/perf-{os.getpid()}.map").write_bytes(b"10 4 made\n")
    assert name_at(0x10) == "made"
