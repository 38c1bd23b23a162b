"""From the launch of a command to its first count, and to its end; and its most memory."""

import json
import signal
from collections.abc import Callable

from bench import peers, programs
from bench.measure import Bench, Ended, counts, in_turn, run, say, shown, until_line
from bench.table import Row, against, megabytes, milliseconds, ratio_of

_STOP = {"ours": signal.SIGTERM, "bpftrace": 0, "funccount": signal.SIGINT}  # 0: it ends by itself
_FIRST_LIMITS = {1: 1.5, 100: 1.0}
_EXIT_LIMITS = {1: 0.5, 100: 0.05}


def first_counts(bench: Bench) -> list[Row]:
    """Launch to first count, of 1 and of 100 functions."""
    return [_first_count(bench, number) for number in _FIRST_LIMITS]


def _first_count(bench: Bench, number: int) -> Row:
    say(f"launch to first count, {_functions(number)}")
    program = programs.loop(bench.folder, 100)
    with programs.target(program, 100) as target:
        commands = peers.first_count(target.pid, program, _pattern(number))

        def measure(name: str) -> Callable[[], float | None]:
            return lambda: until_line(bench, commands[name], _WANTED[name], _STOP[name])

        measure("ours")()  # its byte code and cache are there now
        found = in_turn(bench, {name: measure(name) for name in commands}, _runs(bench, number))
    fields = against(_FIRST_LIMITS[number], ratio_of(found["ours"], found.get("bpftrace")))
    text = shown(bench, found, milliseconds)
    return Row(f"launch → first count, {_functions(number)}", text["ours"], text, *fields[:2], counts(found), fields[2])


def _counted(line: bytes) -> bool:
    """Whether a line of `count --json` has a function that was called."""
    row = json.loads(line)
    return row["kind"] != "attached" and any(function["calls"] for function in row["functions"])


_WANTED: dict[str, Callable[[bytes], bool]] = {
    "ours": _counted,
    "bpftrace": lambda line: line == b"x",
    "funccount": lambda line: line.startswith(b"f_"),
}


def failing(bench: Bench) -> dict[str, str]:
    """The peers that are installed and can't count even one function here: no headers, too old for the kernel."""
    program = programs.loop(bench.folder, 100)
    with programs.target(program, 100) as target:
        commands = peers.first_count(target.pid, program, _pattern(1))
        return {
            name: "fails here"
            for name in peers.NAMES
            if name not in bench.absent and until_line(bench, commands[name], _WANTED[name], _STOP[name]) is None
        }


def exits(bench: Bench) -> list[Row]:
    """Launch to exit with 50 ms of counting, and the most memory of the same runs."""
    return [row for number in _EXIT_LIMITS for row in _exit(bench, number)]


def _exit(bench: Bench, number: int) -> list[Row]:
    say(f"launch to exit, {_functions(number)}")
    program = programs.loop(bench.folder, 100)
    with programs.target(program, 100) as target:
        commands = peers.brief_count(target.pid, program, _pattern(number))

        def measure(name: str) -> Callable[[], Ended | None]:
            return lambda: run(bench, commands[name])

        measure("ours")()
        found = in_turn(bench, {name: measure(name) for name in commands}, _runs(bench, number))
    seconds = {name: [each.seconds for each in ended] for name, ended in found.items()}
    peaks = {name: [float(each.peak) for each in ended] for name, ended in found.items()}
    fields = against(_EXIT_LIMITS[number], ratio_of(seconds["ours"], seconds.get("bpftrace")))
    text, memory = shown(bench, seconds, milliseconds), shown(bench, peaks, megabytes)
    lighter = ratio_of(peaks["ours"], peaks.get("bpftrace"))
    what = _functions(number)
    return [
        Row(f"launch → exit, counting for 50 ms, {what}", text["ours"], text, *fields[:2], counts(found), fields[2]),
        Row(f"most memory of these runs, {what}", memory["ours"], memory, lighter, "", counts(found)),
    ]


def _pattern(number: int) -> str:
    return "f_000" if number == 1 else "f_*"


def _functions(number: int) -> str:
    return "1 function" if number == 1 else f"{number:,} functions"


def _runs(bench: Bench, number: int) -> dict[str, int]:
    """The peers take some ten seconds to detach 100 functions, so they get fewer turns."""
    if number == 1:
        return {"ours": bench.runs(21, 5), "bpftrace": bench.runs(21, 5), "funccount": bench.runs(3, 1)}
    return {"ours": bench.runs(11, 5), "bpftrace": bench.runs(4, 1), "funccount": bench.runs(1, 0)}
