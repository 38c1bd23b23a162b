"""Functions whose names come from elsewhere than the file's own symbol table: found, and counted exactly.

Which programs there are depends on the machine; those that the tests build are always among them.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.kernel.conftest import Start
from tests.kernel.probing import calls, pick, resolve, run
from tests.targets.running import SECONDS, Running
from tui.collectors.probe import CountingProbe
from tui.elf import debug_files, functions, modules, rooted
from tui.elf.names import UNWIND, Function
from tui.elf.reader import ElfFile
from tui.elf.tables import Tables

RUST = """
#[inline(never)] fn picked<T: Into<u64>>(number: T) -> u64 { std::hint::black_box(number.into()) }
fn main() { for number in 0..307u32 { picked(number); } for number in 0..311u64 { picked(number); } }
"""


@pytest.mark.parametrize(
    ("program", "function", "origin"),
    [
        ("plain-split", "hidden", "debug file"),
        ("plain-mini", "hidden", "minidebuginfo"),
        ("plain-mini", "alpha", "dynsym"),
        ("fibonacci-stripped", "main.fibonacciLoop", "pclntab"),
        ("fibonacci-external", "main.fibonacciLoop", "pclntab"),
        ("plain-pie", "hidden", "symtab"),
    ],
)
def test_where_a_name_is_from(targets: Path, program: str, function: str, origin: str) -> None:
    (found,) = pick(resolve(targets / program), function)
    assert found.origin == origin


@pytest.fixture
def contained(targets: Path, tmp_path: Path, start: Start) -> Running:
    """A stripped program in a root directory of its own, in which its debug file is installed."""
    whole, program = targets / "plain-static", tmp_path / "srv/program"
    program.parent.mkdir()
    subprocess.run(["objcopy", "--strip-all", whole, program], check=True)
    with ElfFile.open(str(whole)) as elf:
        build = debug_files.build_id(elf).hex()
    assert build
    folder = tmp_path / f"usr/lib/debug/.build-id/{build[:2]}"
    folder.mkdir(parents=True)
    subprocess.run(["objcopy", "--only-keep-debug", whole, folder / f"{build[2:]}.debug"], check=True)
    return start("/usr/sbin/chroot", tmp_path, "/srv/program")


def test_debug_files_of_a_container(contained: Running, tmp_path: Path) -> None:
    target = resolve(contained.pid)
    with CountingProbe(target) as probe:
        probe.add(pick(target, "hidden", "beta"))
        contained.work()
        assert calls(probe) == {"hidden": 101, "beta": 7919}
    others = functions.read(modules.of_file(str(tmp_path / "srv/program")))  # from here the debug file is another's
    assert {each.origin for each in others} == {UNWIND}


def test_names_of_a_container_that_has_gone(contained: Running) -> None:
    (module,) = modules.of_process(contained.pid)
    (hidden,) = pick(resolve(contained.pid), "hidden")
    with Tables() as tables:
        tables.hold(module)
        contained.kill()
        assert not os.path.exists(module.root)
        table = tables.of(module)
        assert table
        assert table.at(hidden.offset) == "hidden"


def test_whose_paths_are_ours(targets: Path, start: Start) -> None:
    assert rooted.same(f"/proc/{start('plain-pie').pid}/root")
    apart = start("/usr/bin/unshare", "--mount", targets / "plain-pie")
    assert not rooted.same(f"/proc/{apart.pid}/root")


def once(target: Path, wanted: Callable[[Function], bool], *command: str | Path) -> dict[str, int]:
    """The calls of a file's functions while a command runs, by their raw names."""
    resolved = resolve(target)
    with CountingProbe(resolved) as probe:
        probe.add([function for function in functions.read(resolved.modules[0]) if wanted(function)])
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
        sample = probe.read()
    return {function.raw_name: number for function, number in zip(sample.functions, sample.calls, strict=True)}


def test_the_stripped_go_command(tmp_path: Path) -> None:
    spec = find_spec("go")
    assert spec
    root = Path((spec.submodule_search_locations or [""])[0])
    subprocess.run(["objcopy", "--strip-all", root / "bin/go", tmp_path / "go"], check=True)
    command = ("env", f"GOROOT={root}", tmp_path / "go", "version")
    found = once(tmp_path / "go", lambda function: function.name in ("main.main", "runtime.main"), *command)
    assert found == {"main.main": 1, "runtime.main": 1}


def test_python() -> None:
    python = Path(sys.executable).resolve()
    assert once(python, lambda one: "Py_BytesMain" in (one.name, *one.aliases), python, "-c", "1") == {
        "Py_BytesMain": 1
    }


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_node() -> None:
    node = Path(shutil.which("node") or "").resolve()
    found = once(node, lambda one: one.name == "node::Start(int, char**)", node, "-e", "1")
    assert found == {"_ZN4node5StartEiPPc": 1}


@pytest.mark.skipif(not shutil.which("rustc"), reason="needs rustc")
@pytest.mark.parametrize("mangling", ["legacy", "v0"])
def test_rust(tmp_path: Path, mangling: str) -> None:
    source, program = tmp_path / "picked.rs", tmp_path / "picked"
    source.write_text(RUST)
    options = ["-O", "--crate-name", "app", *(["-Csymbol-mangling-version=v0"] if mangling == "v0" else [])]
    subprocess.run(["rustc", *options, source, "-o", program], check=True, capture_output=True)
    found = once(program, lambda one: "3app6picked" in one.raw_name, program)
    assert sorted(found.values()) == [307, 311]


def test_functions_of_libstdcxx(start: Start) -> None:
    process = start("throwing")
    target = resolve(process.pid)
    library = next(module.name for module in target.modules if module.name.startswith("libstdc++"))
    with CountingProbe(target) as probe:
        probe.add(pick(target, "__cxa_throw", module=library))
        process.work()
        assert calls(probe) == {"__cxa_throw": 105 + 50}  # of 211 and 101 numbers the odd ones


def test_what_a_jit_made_is_not_probed(targets: Path, start: Start) -> None:
    process = start("plain-pie")
    path = Path(f"/tmp/perf-{process.pid}.map")
    path.write_text("7f0010 20 made\n")
    try:
        listed = run("symbols", process.pid, "--module", "[jit]")
        counted = run("count", process.pid, "--module", "[jit]", "made", "-d", "0.1")
    finally:
        path.unlink()
    assert listed.stdout.split()[:5] == ["[jit]", "ADDRESS", "SIZE", "ORIGIN", "FUNCTION"]
    assert counted.returncode == 1
    assert "compiled into memory at run time" in counted.stderr


@pytest.mark.parametrize("program", ["fibonacci", "fibonacci-stripped", "fibonacci-external-pie"])
def test_the_kernels_own_code_is_not_offered(start: Start, program: str) -> None:
    process = start(program)
    assert b"[vdso]" in Path(f"/proc/{process.pid}/maps").read_bytes()
    assert not [module for module in modules.of_process(process.pid) if "vdso" in module.name]
