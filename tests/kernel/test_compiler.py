"""C to objects through bcc: what is shipped, what is cached, and every way it can fail."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.conftest import Start
from tests.kernel.probing import Command, counted, run_as_nobody
from tui.bpf import compiler
from tui.bpf.objects import ObjectSpec, magic
from tui.cache import kept
from tui.errors import CompileError

HERE = Path(compiler.HERE)
PROGRAMS = sorted((HERE / "programs").glob("*.c"))
PROGRAM = "#include <bpfscope.h>\nint nothing(struct pt_regs *ctx) { return %d; }\n"

CACHES = {  # a kind of bad cache, and what is said of it
    "read-only": "Read-only file system",
    "full": "No space left on device",
    "somebody else's": "belongs to, or can be written by, somebody else",
    "in the way": "Not a directory",
}

compiles = pytest.mark.requires("compiling")
machines = pytest.mark.parametrize("machine", ["x86_64", "aarch64"])


@pytest.fixture
def source(tmp_path: Path) -> str:
    """A program that nobody has compiled yet."""
    path = tmp_path / "fresh.c"
    path.write_text(PROGRAM % (os.getpid() % 30_000))
    return str(path)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/bpfscope/objects"


@pytest.fixture(params=CACHES)
def bad_cache(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A cache that can't be written; its kind."""
    base = tmp_path / "bad"
    base.mkdir()
    kind: str = request.param
    monkeypatch.setenv("XDG_CACHE_HOME", str(base / "file" if kind == "in the way" else base))
    if kind == "in the way":
        (base / "file").write_text("")
    elif kind == "somebody else's":
        (base / "bpfscope/objects").mkdir(parents=True)
        os.chown(base / "bpfscope/objects", 65534, 65534)
    if kind not in {"read-only", "full"}:
        yield kind
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "bpfscope-test", base], check=True)
    try:
        if kind == "full":
            (base / "bpfscope/objects").mkdir(parents=True, mode=0o700)
            _fill(base / "filler")
        else:
            subprocess.run(["mount", "-o", "remount,ro", base], check=True)
        yield kind
    finally:
        subprocess.run(["umount", base], check=True)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


@compiles
@machines
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_shipped_objects_are_what_the_sources_give(program: Path, machine: str) -> None:
    key = compiler.object_key(str(program))
    made = ObjectSpec.from_json(compiler.run_child(str(program), key, machine), key)
    assert compiler.shipped(program.stem, machine) == made, "run scripts/build-objects"


@machines
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_magic_constants_are_in_the_bytecode(program: Path, machine: str) -> None:
    named = re.findall(r"CONSTANT\((\w+), (0x\w+)\)", program.read_text())
    assert named
    spec = compiler.shipped(program.stem, machine)
    for name, number in named:
        assert int(number, 16) == magic(name)
        words = magic(name).to_bytes(8, "little")
        for code in spec.programs.values():
            wide = [at for at in range(0, len(code), 8) if code[at] == 0x18]
            assert words in {code[at + 4 : at + 8] + code[at + 12 : at + 16] for at in wide}


def test_shipped_objects_need_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.bpf.compiler.run_child", lambda *_: pytest.fail("compiled"))
    for program in PROGRAMS:
        assert compiler.shipped(program.stem).programs


@compiles
def test_fresh_program_is_compiled_once(source: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = compiler.compile_source(source)
    assert first.note == ""
    assert [path.name for path in cache.iterdir()] == [compiler.object_key(source)]
    monkeypatch.setattr("tui.bpf.compiler.run_child", lambda *_: pytest.fail("compiled"))
    assert compiler.compile_source(source) == first
    assert (first.spec.maps, list(first.spec.programs)) == ((), ["nothing"])


@compiles
@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"[]", b'{"key": 1}'])
def test_damaged_cache_entries_are_made_anew(source: str, cache: Path, damage: bytes) -> None:
    key = compiler.object_key(source)
    cache.mkdir(parents=True)
    cache.chmod(0o700)
    entry = cache / key
    entry.write_bytes(damage)
    spec = compiler.compile_source(source).spec
    assert ObjectSpec.from_json((kept("objects", key) or b"").decode(), key) == spec
    assert entry.read_bytes() != damage


@compiles
def test_bad_caches_are_said_and_passed_over(source: str, bad_cache: str) -> None:
    compiled = compiler.compile_source(source)
    assert list(compiled.spec.programs) == ["nothing"]
    assert "nothing is cached in" in compiled.note
    assert CACHES[bad_cache] in compiled.note


def test_counting_needs_no_cache(start: Start, bad_cache: str) -> None:
    process = start("plain-pie")
    with Command(process.pid, "alpha") as command:
        process.work()
        process.end()
        assert counted(command.finish()) == {"alpha": 997}


@compiles
def test_wrong_program_gives_the_compilers_words(source: str, cache: Path) -> None:
    Path(source).write_text("#include <bpfscope.h>\nint wrong(struct pt_regs *ctx) { return missing; }\n")
    with pytest.raises(CompileError, match=r"bcc cannot compile fresh\.c:") as caught:
        compiler.compile_source(source)
    assert "use of undeclared identifier 'missing'" in str(caught.value)
    assert not list(cache.glob("*"))


def _pretend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """The child's interpreter becomes a shell script."""
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(path))


@compiles
def test_without_bcc_the_remedy_is_named(
    source: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pretend(tmp_path, monkeypatch, 'exec /usr/bin/python3 -S "$@"')
    with pytest.raises(CompileError, match="apt install python3-bpfcc"):
        compiler.compile_source(source)


@compiles
@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("kill -9 $$", "status -9"),
        ("echo told >&2; exit 3", "told"),
        ("echo nonsense", "no object"),
        ("exec sleep 1000", "within"),
    ],
)
def test_child_that_fails(
    source: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: str
) -> None:
    _pretend(tmp_path, monkeypatch, script)
    monkeypatch.setattr(compiler, "_SECONDS", 0.3 if "sleep" in script else 60)
    with pytest.raises(CompileError, match=words):
        compiler.compile_source(source)
    assert not list(cache.glob("*"))


@compiles
def test_compiling_maps_without_root_is_refused() -> None:
    code = "import sys, tui.bpf.compiler as c; c.compile_source(sys.argv[1])"
    done = run_as_nobody(sys.executable, "-c", code, HERE / "programs/count.c")
    assert "CompileError: bcc cannot compile count.c:" in done.stderr
    assert "Operation not permitted" in done.stderr


def test_objects_survive_the_round_trip() -> None:
    text = (HERE / "objects/count.json").read_text()
    spec = ObjectSpec.from_json(text, json.loads(text)["key"])
    assert spec
    assert spec.to_json(json.loads(text)["key"]) == text
    assert ObjectSpec.from_json(text, "another key") is None
