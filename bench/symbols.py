"""Listing all functions of large files: time, and the memory of all processes that take part."""

import gc
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median

from bench import peers, programs
from bench.measure import Bench, counts, in_turn, run, say, shown
from bench.table import Row, against, megabytes, milliseconds, ratio_of

_LIMIT = 0.8  # of bpftrace's time, with the cache of an earlier listing
_FILES = {  # where about so many functions may be found; else such a file is made
    35_000: ("/usr/lib/*/libLLVM-1[4-9].so.1", "/usr/lib/llvm-*/lib/libclang-cpp.so.*"),
    78_000: ("/usr/bin/node",),
}
_LARGE, _LARGEST = 200_000, 1_000_000  # functions of files that are made
_SECONDS, _CACHED_SECONDS, _MEMORY = 1.0, 0.1, 200e6  # what listing `_LARGE` may take; bytes
_PAGE = os.sysconf("SC_PAGE_SIZE")


def rows(bench: Bench) -> list[Row]:
    """Several sizes, each with the cache that an earlier listing left, and without."""
    found = [row for number, globs in _FILES.items() for row in _listed(bench, _file(bench, number, globs))]
    found += _listed(bench, programs.many_symbols(bench.folder, 35_000), cold_limit=1.0)
    for mangled in (False, True):
        file = programs.many_symbols(bench.folder, _LARGE, mangled=mangled)
        found += [*_listed(bench, file, most=_SECONDS), *_reading(file), _memory(bench, file)]
    return found + _listed(bench, programs.many_symbols(bench.folder, _LARGEST), runs=(3, 1))


def _file(bench: Bench, number: int, globs: Sequence[str]) -> Path:
    found = [path for glob in globs for path in sorted(Path("/").glob(glob.removeprefix("/")))]
    return found[0] if found else programs.many_symbols(bench.folder, number)


def _listed(
    bench: Bench, file: Path, *, cold_limit: float = 0, most: float = 0, runs: tuple[int, int] = (15, 5)
) -> list[Row]:
    """`most` seconds are promised without a cache; or `cold_limit` of bpftrace's time, where nothing is cached."""
    say(f"symbols of {file.name}")
    commands = {name: command for name, command in peers.list_symbols(file).items() if shutil.which(command[0])}
    number = _lines(bench, commands["ours"])

    def warm(name: str) -> Callable[[], float | None]:
        return lambda: ended.seconds if (ended := run(bench, commands[name])) else None

    def cold(*options: str) -> Callable[[], float | None]:
        def once() -> float | None:
            with tempfile.TemporaryDirectory(dir=bench.folder) as cache:
                ended = run(bench, [*commands["ours"], *options], XDG_CACHE_HOME=cache)
            return ended.seconds if ended else None

        return once

    measures = {name: warm(name) for name in commands} | {"cold": cold(), "raw": cold("--raw")}
    times = dict.fromkeys(measures, bench.runs(*runs)) | dict.fromkeys({"nm", "nm -D", "readelf"} & {*commands}, 3)
    found = in_turn(bench, measures, times)
    without, raw = found.pop("cold"), found.pop("raw")
    others = {name: found.pop(name) for name in ("nm", "nm -D", "readelf") if name in found}
    told = ", ".join(f"{name} {milliseconds(median(seconds))}" for name, seconds in others.items() if seconds)
    ratio = ratio_of(found["ours"], found.get("bpftrace"))
    fields = (ratio, "", None) if cold_limit else against(_LIMIT, ratio)
    text = shown(bench, found, milliseconds) | {"funccount": ""}
    what = f"`symbols` of {file.name}, {number:,} functions ({told})"
    ratio = ratio_of(without, found.get("bpftrace"))
    limit, kept = "", None
    if cold_limit:
        ratio, limit, kept = against(cold_limit, ratio)
    elif most:
        limit, kept = f"< {most:g} s", median(without) < most
    return [
        Row(what, text["ours"], text, *fields[:2], counts(found), fields[2]),
        Row("the same without a cache", shown(bench, {"ours": without}, milliseconds)["ours"], {},
            ratio, limit, str(len(without)), kept),
        Row("without a cache, names as they are (--raw)", shown(bench, {"ours": raw}, milliseconds)["ours"], {},
            ratio_of(raw, found.get("bpftrace")), "", str(len(raw))),
    ]  # fmt: skip


def _lines(bench: Bench, command: list[str]) -> int:
    """How many functions ours lists; this also warms the cache."""
    output = subprocess.run(command, capture_output=True, env=bench.environment, check=True).stdout
    return output.count(b"\n") - 2


def _reading(file: Path) -> list[Row]:
    """The reader alone, in this process, as the commands and the console use it."""
    from tui.elf import functions, modules

    gc.set_threshold(50_000, 20, 50)  # as the command has it
    module = modules.of_file(str(file))
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        rows = list(functions.table(module))
        seconds.append(time.perf_counter() - start)
    what = f"reading them from the cache, {len(rows):,} functions"
    took = median(seconds)
    return [Row(what, milliseconds(took), {}, None, f"< {_CACHED_SECONDS * 1e3:.0f} ms", "5", took < _CACHED_SECONDS)]


def _memory(bench: Bench, file: Path) -> Row:
    """The most that a listing without a cache has, with its children, looked at every few milliseconds."""
    most = 0
    with tempfile.TemporaryDirectory(dir=bench.folder) as cache:
        process = subprocess.Popen(
            peers.list_symbols(file)["ours"],
            stdout=subprocess.DEVNULL,
            env=bench.environment | {"XDG_CACHE_HOME": cache},
        )
        while process.poll() is None:
            most = max(most, sum(map(_resident, [process.pid, *_children(process.pid)])))
            time.sleep(0.003)
    return Row("its memory, with its children's, without a cache", megabytes(most), {}, None,
               f"< {_MEMORY / 1e6:.0f} MB", "1", most < _MEMORY)  # fmt: skip


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()))
    return []


def _resident(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    return 0
