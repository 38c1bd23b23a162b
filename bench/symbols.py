"""Listing all functions of large files."""

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import peers, programs
from bench.measure import Bench, counts, in_turn, run, say, shown
from bench.table import Row, against, milliseconds, ratio_of

_LIMIT = 0.8
_FILES = {  # where about so many functions may be found; else such a file is made
    35_000: ("/usr/lib/*/libLLVM-1[4-9].so.1", "/usr/lib/llvm-*/lib/libclang-cpp.so.*"),
    78_000: ("/usr/bin/node",),
}


def rows(bench: Bench) -> list[Row]:
    """Two sizes, each with the cache that an earlier listing left, and without."""
    return [row for number, globs in _FILES.items() for row in _listed(bench, _file(bench, number, globs))]


def _file(bench: Bench, number: int, globs: Sequence[str]) -> Path:
    found = [path for glob in globs for path in sorted(Path("/").glob(glob.removeprefix("/")))]
    return found[0] if found else programs.many_symbols(bench.folder, number)


def _listed(bench: Bench, file: Path) -> list[Row]:
    say(f"symbols of {file.name}")
    commands = peers.list_symbols(file)
    number = _lines(bench, commands["ours"])

    def warm(name: str) -> Callable[[], float | None]:
        return lambda: ended.seconds if (ended := run(bench, commands[name])) else None

    def cold() -> float | None:
        with tempfile.TemporaryDirectory(dir=bench.folder) as cache:
            ended = run(bench, commands["ours"], XDG_CACHE_HOME=cache)
        return ended.seconds if ended else None

    measures = {name: warm(name) for name in commands} | {"cold": cold}
    runs = bench.runs(15, 5)
    found = in_turn(bench, measures, dict.fromkeys(measures, runs) | {"cold": bench.runs(7, 1)})
    without = found.pop("cold")
    fields = against(_LIMIT, ratio_of(found["ours"], found.get("bpftrace")))
    text = shown(bench, found, milliseconds) | {"funccount": ""}
    what = f"`symbols` of {file.name}, {number:,} functions"
    return [
        Row(what, text["ours"], text, *fields[:2], counts(found), fields[2]),
        Row("the same without a cache", shown(bench, {"ours": without}, milliseconds)["ours"], {},
            ratio_of(without, found.get("bpftrace")), "", str(len(without))),
    ]  # fmt: skip


def _lines(bench: Bench, command: list[str]) -> int:
    """How many functions ours lists; this also warms the cache."""
    output = subprocess.run(command, capture_output=True, env=bench.environment, check=True).stdout
    return output.count(b"\n") - 2
