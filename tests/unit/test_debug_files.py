"""Separate debug files and .gnu_debugdata: found where they belong, and believed only if they fit."""

import lzma
import os
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.elf_files import CODE, CODE_AT, Elf, Symbol, module, patch
from tests.unit.test_hostile_elf import bounded
from tui.elf import functions
from tui.elf.names import Module

BUILD = bytes(range(1, 21))
API, HIDDEN = Symbol("api"), Symbol("hidden", CODE_AT + 16)


def note(build: bytes = BUILD, kind: int = 3, name: bytes = b"GNU\0") -> tuple[str, bytes]:
    """A note section, which says something else first."""
    other = struct.pack("<III", 4, 3, 1) + b"GNU\0abc\0"
    return ".note.gnu.build-id", other + struct.pack("<III", len(name), len(build), kind) + name + build


def link(name: bytes, content: bytes = b"") -> tuple[str, bytes]:
    name += b"\0" * (4 - len(name) % 4)
    return ".gnu_debuglink", name + struct.pack("<I", zlib.crc32(content))


def debug(*extra: tuple[str, bytes], symbols: tuple[Symbol, ...] = (API, HIDDEN)) -> bytes:
    """A debug file's bytes."""
    return Elf(symbols=symbols, extra=extra).build()


def packed(content: bytes) -> tuple[str, bytes]:
    return ".gnu_debugdata", lzma.compress(content)


DEBUG = debug(note())
TABLES = CODE_AT + len(CODE)  # symbols, strings, the note and the sections lie behind


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A process's root directory, with the folder that its program is in."""
    (tmp_path / "root/srv/.debug").mkdir(parents=True)
    (tmp_path / "root/usr/lib/debug/srv").mkdir(parents=True)
    (tmp_path / "root/usr/lib/debug/.build-id/01").mkdir(parents=True)
    return tmp_path / "root"


BY_ID = f"usr/lib/debug/.build-id/01/{BUILD[1:].hex()}.debug"
BY_LINK = ["srv/program.debug", "srv/.debug/program.debug", "usr/lib/debug/srv/program.debug"]


def program(root: Path, *extra: tuple[str, bytes]) -> Module:
    """A stripped program in that root directory."""
    found = module(root / "srv", Elf(dynamic=[API], extra=extra).build())
    return found._replace(path="/srv/program", root=str(root))


def origins(made: Module) -> dict[str, str]:
    return {function.name: function.origin for function in functions.read(made)}


FOUND = {"api": "debug file", "hidden": "debug file"}
NOT_FOUND = {"api": "dynsym"}


def test_by_build_id(root: Path) -> None:
    made = program(root, note())
    assert origins(made) == NOT_FOUND
    (root / BY_ID).write_bytes(debug(note()))
    assert origins(made) == FOUND
    assert origins(made._replace(root="/")) == NOT_FOUND


@pytest.mark.parametrize("place", BY_LINK)
def test_by_link_with_a_checksum(root: Path, place: str) -> None:
    content = debug()
    made = program(root, link(b"program.debug", content))
    (root / place).write_bytes(content)
    assert origins(made) == FOUND
    (root / place).write_bytes(debug((".comment", b"another build")))
    assert origins(made) == NOT_FOUND


def test_by_link_with_a_build_id(root: Path) -> None:
    made = program(root, note(), link(b"program.debug"))
    (root / BY_LINK[0]).write_bytes(debug(note(BUILD[::-1])))
    assert origins(made) == NOT_FOUND
    (root / BY_LINK[2]).write_bytes(debug(note()))
    assert origins(made) == FOUND


def test_a_build_id_wins_over_a_checksum(root: Path) -> None:
    content = debug(note(BUILD[::-1]))
    (root / BY_LINK[0]).write_bytes(content)
    assert origins(program(root, note(), link(b"program.debug", content))) == NOT_FOUND


def test_beside_the_file_that_a_path_leads_to(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = debug()
    made = program(root, link(b"program.debug", content))._replace(root="/")
    (root / BY_LINK[0]).write_bytes(content)
    (root / "alias").symlink_to("srv/program")
    monkeypatch.chdir(root)
    for path in (made.file, "srv/program", "./alias"):
        assert origins(made._replace(path=path)) == FOUND


@pytest.mark.parametrize("name", [b"../program.debug", b"/program.debug", b"..", b".", b"", b"srv/program.debug"])
def test_names_of_other_folders_are_none(root: Path, name: bytes) -> None:
    content = debug()
    for place in ("program.debug", *BY_LINK, "srv/srv"):
        (root / place).parent.mkdir(exist_ok=True)
        (root / place).write_bytes(content)
    assert origins(program(root, link(name, content))) == NOT_FOUND


def test_links_stay_in_the_root(root: Path) -> None:
    content = debug(note())
    (root.parent / "outside").write_bytes(content)
    (root / BY_ID).symlink_to(root.parent / "outside")
    assert origins(program(root, note())) == NOT_FOUND
    (root / BY_ID).unlink()
    (root / BY_ID).symlink_to("../../../../../srv/kept")
    (root / "srv/kept").write_bytes(content)
    assert origins(program(root, note())) == FOUND


def test_what_is_no_file_is_passed_over(root: Path) -> None:
    made = program(root, note(), link(b"program.debug"))
    os.mkfifo(root / BY_ID)
    (root / BY_LINK[0]).mkdir()
    (root / BY_LINK[1]).write_bytes(b"\x7fELF, not")
    (root / BY_LINK[2]).write_bytes(debug(note()))
    assert origins(made) == FOUND


def test_without_symbols_it_is_of_no_use(root: Path) -> None:
    made = program(root, note(), link(b"program"))  # the file itself
    assert origins(made) == NOT_FOUND


def test_who_else_may_write_it_is_not_believed(root: Path) -> None:
    made = program(root, note())
    (root / BY_ID).write_bytes(debug(note()))
    (root / BY_ID).chmod(0o666)
    assert origins(made) == NOT_FOUND
    (root / BY_ID).chmod(0o664)
    assert origins(made) == FOUND


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files away")
def test_somebody_elses_is_not_believed(root: Path) -> None:
    made = program(root, note())
    (root / BY_ID).write_bytes(debug(note()))
    os.chown(root / BY_ID, 4711, 4711)
    assert origins(made) == NOT_FOUND
    os.chown(made.file, 4711, 4711)
    assert origins(made) == FOUND


def test_a_damaged_one_leaves_the_rest(root: Path) -> None:
    content = debug(note())
    link_at = len(content) - 4 * 64 + 40  # in the row of .symtab; those of its names, the note and .shstrtab follow
    assert content[link_at] == 3
    (root / BY_ID).write_bytes(patch(content, link_at, "<I", 200))
    assert origins(program(root, note())) == NOT_FOUND


def test_one_that_is_installed_later_is_not_hidden_by_the_cache(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.elf.listing._WORTH_KEEPING", 1)
    made = program(root, note())
    assert origins(made) == NOT_FOUND
    (root / BY_ID).write_bytes(debug(note()))
    assert origins(made) == FOUND
    (root / BY_ID).unlink()
    assert origins(made) == NOT_FOUND


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([".note.gnu.build-id", ".gnu_debuglink", ".gnu_debugdata"]), st.binary(max_size=80))
def test_any_bytes_in_these_sections(root: Path, name: str, data: bytes) -> None:
    assert origins(program(root, (name, data))) == NOT_FOUND


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, len(DEBUG) - 1), st.integers(0, 255)), min_size=1, max_size=30))
def test_changed_bytes_of_a_debug_file(root: Path, changes: list[tuple[int, int]]) -> None:
    content = bytearray(DEBUG)
    for at, value in changes:
        content[at if at % 2 else TABLES + at % (len(DEBUG) - TABLES)] = value
    (root / BY_ID).write_bytes(content)
    assert set(origins(program(root, note())).values()) <= {"debug file", "dynsym"}


def test_no_descriptor_is_left(root: Path) -> None:
    made = program(root, note(), link(b"program.debug"), packed(b"nothing"))
    (root / BY_LINK[0]).write_bytes(b"nothing")
    (root / BY_LINK[1]).write_bytes(debug(note(BUILD[::-1])))
    before = len(os.listdir("/proc/self/fd"))
    assert origins(made) == NOT_FOUND
    (root / BY_ID).write_bytes(debug(note()))
    assert origins(made) == FOUND
    assert len(os.listdir("/proc/self/fd")) == before


# .gnu_debugdata


def test_minidebuginfo_adds_to_dynamic_symbols(root: Path) -> None:
    inner = debug(symbols=(HIDDEN,))
    assert origins(program(root, packed(inner))) == {"api": "dynsym", "hidden": "minidebuginfo"}


def test_a_debug_file_comes_before_it(root: Path) -> None:
    (root / BY_ID).write_bytes(debug(note()))
    other = Symbol("other", CODE_AT + 32)
    made = program(root, note(), packed(debug(symbols=(HIDDEN._replace(name="late"), other))))
    assert origins(made) == {**FOUND, "other": "minidebuginfo"}


@pytest.mark.parametrize("inner", [b"", b"\x7fELF", Elf().build(), packed(debug())[1]])
def test_packed_nonsense_says_nothing(root: Path, inner: bytes) -> None:
    assert origins(program(root, packed(inner))) == NOT_FOUND


def test_damage_leaves_the_dynamic_symbols(root: Path) -> None:
    name, data = packed(debug(symbols=(HIDDEN,)))
    for at in range(0, len(data), 5):
        for changed in (data[:at], patch(data, at, "B", data[at] ^ 0xFF)):
            assert origins(program(root, (name, changed))) == NOT_FOUND


def test_a_bomb_is_not_unpacked_whole(root: Path) -> None:
    packer = lzma.LZMACompressor(preset=0)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(200)) + packer.flush()
    with bounded(seconds=4, megabytes=150):
        assert origins(program(root, (".gnu_debugdata", bomb))) == NOT_FOUND


def test_no_more_memory_is_taken_than_for_a_common_one(root: Path) -> None:
    name, data = packed(debug(symbols=(HIDDEN,)))
    start, end = 12, 12 + (data[12] + 1) * 4 - 4  # of the block's header, behind that of the file, without its checksum
    at = data.index(b"\x21\x01", start, end) + 2  # how large a dictionary LZMA2 wants
    for size, found in ((data[at], 2), (28, 2), (30, 1), (36, 1), (40, 1)):  # 64 MiB, 128 MiB, 1 GiB, 4 GiB
        header = patch(data[start:end], at - start, "B", size)
        changed = data[:start] + header + struct.pack("<I", zlib.crc32(header)) + data[end + 4 :]
        assert len(origins(program(root, (name, changed)))) == found
