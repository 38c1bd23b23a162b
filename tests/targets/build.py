"""Builds the programs that the tests probe; what is there and newer than its sources stays.

usage: python -m tests.targets.build DIR

Each is a small program whose truth is known: it prints `ready`, waits for a line, does its counted work, prints the
numbers of calls as JSON, and ends when its standard input does (`tests.targets.running` speaks that protocol).
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.targets import thousand

HERE = Path(__file__).parent
CC = ["gcc", "-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror"]
CXX = ["g++", "-std=c++17", "-O1", "-g", "-Wall", "-Wextra", "-Werror"]
UNEQUAL = ["-Wl,-z,separate-code", "-Wl,-Ttext-segment=0x200000", "-Wl,--section-start=.text=0x231000"]
PACK = "import lzma, pathlib, sys; f = pathlib.Path(sys.argv[1]); f.write_bytes(lzma.compress(f.read_bytes()))"
X86 = os.uname().machine == "x86_64"
PROTECTED = "-fcf-protection=full" if X86 else "-mbranch-protection=standard"
FRAMES = ["-fno-omit-frame-pointer", "-fno-optimize-sibling-calls"]
ODD_NAMES = {
    b"odd_escape": b"\x1b]0;title\x07\x1b[31mred\x1b[0m",
    b"odd_markup": b"[bold red]loud[/bold red]",
    b"odd_close": b"[/]",
    b"odd_action": b"[@click=app.quit]here[/]",
    b"odd_bytes": b"caf\xe9\xff",
}

Command = list[str | bytes | Path]


class Recipe(NamedTuple):
    """How one file is made: from sources here and files made before, by commands that write to `out`."""

    sources: tuple[str, ...]
    commands: Callable[[Path, Path], list[Command]]  # (out, folder of what is built)
    after: tuple[str, ...] = ()


def _c(source: str, *flags: str, compiler: list[str] = CC, header: str = "target.h") -> Recipe:
    return Recipe((source, header), lambda out, _: [[*compiler, HERE / source, "-o", out, *flags]])


def _library(out: Path, _: Path) -> list[Command]:
    return [[*CC, "-shared", "-fPIC", HERE / "library.c", "-o", out, *UNEQUAL]]


def _uses_library(out: Path, folder: Path) -> list[Command]:
    return [[*CC, HERE / "uses_library.c", "-o", out, folder / "libunequal.so", "-Wl,-rpath,$ORIGIN"]]


def _callers(out: Path, folder: Path) -> list[Command]:
    return [[*CC, *FRAMES, HERE / "callers.c", "-o", out, folder / "libthrough.so", "-Wl,-rpath,$ORIGIN"]]


def _odd_names(out: Path, _: Path) -> list[Command]:
    renames = [b"--redefine-sym=" + plain + b"=" + odd for plain, odd in ODD_NAMES.items()]
    return [[*CC, HERE / "odd_names.c", "-o", out], ["objcopy", *renames, out]]


def _thousand(out: Path, _: Path) -> list[Command]:
    assembly = out.with_suffix(".S")
    assembly.write_text(thousand.assembly(), encoding="ascii")
    return [[*CC, HERE / "thousand.c", assembly, "-o", out]]


def _data(*flags: str) -> Recipe:
    def commands(out: Path, _: Path) -> list[Command]:
        return [[*CC, *flags, HERE / "data.c", HERE / "data.S", "-o", out]]

    return Recipe(("data.c", "data.S", "target.h"), commands)


def _usdt(*flags: str) -> Callable[[Path, Path], list[Command]]:
    return lambda out, _: [[*CC, *flags, HERE / "usdt.c", "-o", out]]


def _go(source: str, *flags: str, **environment: str) -> Recipe:
    def commands(out: Path, _: Path) -> list[Command]:
        given = [f"{name}={value}" for name, value in environment.items()]
        return [["env", *given, Path(sys.executable).with_name("go"), "build", "-o", out, *flags, HERE / source]]

    return Recipe((source,), commands)


def _split(out: Path, folder: Path) -> list[Command]:
    """As debug packages do: stripped, with a link to a file beside it that has the names."""
    whole, debug = out.with_name("whole"), folder / "plain-split.debug"
    return [
        [*CC, HERE / "plain.c", "-o", whole],
        ["objcopy", "--only-keep-debug", whole, debug],
        ["objcopy", "--strip-all", f"--add-gnu-debuglink={debug}", whole, out],
    ]


def _mini(out: Path, _: Path) -> list[Command]:
    """As Fedora strips: with the names that .dynsym lacks in .gnu_debugdata (gdb's manual, MiniDebugInfo)."""
    whole, names = out.with_name("whole"), out.with_name("names")
    return [
        [*CC, "-rdynamic", HERE / "plain.c", "-o", whole],
        ["objcopy", "--only-keep-debug", whole, names],
        ["objcopy", "--strip-all", "--remove-section=.comment", "--keep-symbol=hidden", names],
        [sys.executable, "-c", PACK, names],
        ["objcopy", "--strip-all", f"--add-section=.gnu_debugdata={names}", whole, out],
    ]


def _plain_count(out: Path, _: Path) -> list[Command]:
    code = "import sys; from tests.targets import build; build.write_object(*sys.argv[1:])"
    return [[sys.executable, "-c", code, HERE.parent / "kernel/plain_count.c", out]]


RECIPES = {
    "plain-pie": _c("plain.c", "-pie", "-fPIE"),
    "plain-fixed": _c("plain.c", "-no-pie", "-fno-pie", "-O2", PROTECTED),
    "plain-static": _c("plain.c", "-static"),
    "plain-static-pie": _c("plain.c", "-static-pie", "-fPIE"),
    "plain-exported": _c("plain.c", "-rdynamic", "-s"),
    "plain-stripped": _c("plain.c", "-s"),
    "plain-split": Recipe(("plain.c", "target.h"), _split),
    "plain-mini": Recipe(("plain.c", "target.h"), _mini),
    "libunequal.so": Recipe(("library.c", "target.h"), _library),
    "uses-library": Recipe(("uses_library.c", "target.h"), _uses_library, ("libunequal.so",)),
    "unloads": _c("unloads.c"),
    "twice": _c("twice.c"),
    "plus": _c("plus.cc", compiler=CXX),
    "hammer": _c("hammer.c", "-pthread"),
    "leaderless": _c("leaderless.c", "-pthread"),
    "forks": _c("forks.c"),
    "stacks": _c("stacks.c", "-pthread", "-O2"),
    "inner_stack": _c("inner_stack.c"),
    "migrates": _c("migrates.c", "-pthread"),
    "timing": _c("timing.c", "-pthread"),
    "leaves": _c("leaves.cc", "-pthread", compiler=CXX),
    "tails": _c("tails.c", "-O2"),
    "throwing": _c("throwing.cc", "-O2", "-fno-plt", "-fno-reorder-blocks-and-partition", compiler=CXX),
    "execs": _c("execs.c"),
    "sender": _c("sender.c"),
    "given": _c("given.c"),
    "given-go": _go("given.go"),
    "symbols": _c("symbols.c"),
    "realtime": _c("realtime.c", "-pthread"),
    "arguments": _c("arguments.c", header="truth.h"),
    "arguments-optimised": _c("arguments.c", "-O2", "-gdwarf-4", "-gz", header="truth.h"),
    "arguments-plain": _c("arguments.c", "-O0", "-g0", header="truth.h"),
    "arguments-cc": _c("arguments.cc", compiler=CXX, header="truth.h"),
    "libthrough.so": _c("through.c", "-shared", "-fPIC", "-Wl,-soname,libthrough.so", *FRAMES),
    "callers": Recipe(("callers.c", "through.c", "target.h"), _callers, ("libthrough.so",)),
    "odd-names": Recipe(("odd_names.c", "target.h", "build.py"), _odd_names),
    "fibonacci": _go("fibonacci.go"),
    "goroutines": _go("goroutines.go"),
    "fibonacci-stripped": _go("fibonacci.go", "-ldflags=-s -w"),
    "fibonacci-external": _go("fibonacci.go", "-ldflags=-s -w -linkmode=external", CGO_ENABLED="1"),
    "fibonacci-external-pie": _go(
        "fibonacci.go", "-buildmode=pie", "-ldflags=-s -w -linkmode=external", CGO_ENABLED="1"
    ),
    "goroutines-arm64": _go("goroutines.go", GOARCH="arm64"),  # never run where the machine is another one
    "load": _go("load.go"),
    "split": _c("split.c", "-pthread"),
    "split-stripped": _c("split.c", "-pthread", "-s"),
    "split-go": _go("split.go"),
    "arguments-go": _go("arguments.go"),
    "plain_count.json": Recipe(("../kernel/plain_count.c", "../../tui/bpf/include/bpfscope.h"), _plain_count),
}
if X86:  # programs of its instructions
    RECIPES["plain-thunks"] = _c("plain.c", "-mfunction-return=thunk", "-fcf-protection=none")
    RECIPES |= {
        f"usdt{end}": Recipe(("usdt.c", "usdt.h", "target.h"), _usdt(*flags))
        for end, flags in (
            ("", ()),
            ("-fixed", ("-no-pie", "-fno-pie", "-O2")),
            ("-frames", ("-O0", *FRAMES)),
            ("-stripped", ("-s",)),
        )
    }
    RECIPES["changed"] = _c("changed.c", "-pthread")
    RECIPES["data"] = _data()
    RECIPES["data-unwound"] = _data("-DUNWOUND")
    RECIPES["thousand"] = Recipe(("thousand.c", "thousand.py", "target.h"), _thousand)


def build(folder: Path) -> None:
    """Makes what is missing or older than its sources, at once. Raises subprocess.CalledProcessError."""
    folder.mkdir(parents=True, exist_ok=True)
    left = {name: recipe for name, recipe in RECIPES.items() if not _fresh(folder, name)}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        first = {name: pool.submit(_make, folder, name) for name, recipe in left.items() if not recipe.after}
        for future in first.values():
            future.result()
        for future in [pool.submit(_make, folder, name) for name in left if name not in first]:
            future.result()


def write_object(source: str, out: str) -> None:
    """Compiles a BPF program of the tests into an object; in a guest kernel that would take long."""
    from tui.bpf import compiler

    Path(out).write_text(compiler.run_child(source, compiler.object_key(source)), encoding="ascii")


def _fresh(folder: Path, name: str) -> bool:
    out = folder / name
    if not out.exists():
        return False
    made = out.stat().st_mtime
    return all((HERE / source).stat().st_mtime <= made for source in RECIPES[name].sources)


def _make(folder: Path, name: str) -> None:
    """Builds aside and moves: the file is there whole, or not at all."""
    with tempfile.TemporaryDirectory(prefix=".build.", dir=folder) as work:
        out = Path(work) / name
        for command in RECIPES[name].commands(out, folder):
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, cwd=HERE.parent.parent, env=environment())
        out.rename(folder / name)


def environment() -> dict[str, str]:
    """Go builds with what is here: no network, no module, and a cache that outlives the folder (it saves 15 s)."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    go = {"GOCACHE": str(base / "bpfscope/go"), "GOTOOLCHAIN": "local", "GOFLAGS": "", "GO111MODULE": "off"}
    return {**os.environ, **go, "CGO_ENABLED": "0", "GOPROXY": "off", "GOTELEMETRY": "off"}


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit((__doc__ or "").splitlines()[2])
    build(Path(sys.argv[1]))
