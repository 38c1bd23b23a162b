"""How things are measured: in turn, by the stopwatch, by the first line that says what is waited for."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeVar

from bench import peers, programs

Figure = TypeVar("Figure")
_SECONDS = 120


class Bench(NamedTuple):
    """What every measurement needs."""

    folder: Path  # removed at the end
    environment: dict[str, str]  # of the commands
    stopwatch: Path  # the program that runs others and measures them
    quick: bool
    absent: Mapping[str, str]  # peers that can't take part, and why

    def runs(self, full: int, quick: int) -> int:
        """One of the two."""
        return quick if self.quick else full


class Ended(NamedTuple):
    """How a command went."""

    seconds: float
    peak: int  # bytes


def say(text: str) -> None:
    """Progress."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def in_turn(
    bench: Bench, measures: Mapping[str, Callable[[], Figure | None]], runs: Mapping[str, int]
) -> dict[str, list[Figure]]:
    """A, B, A, B …: each so many times, without those that are absent. A run that fails gives no figure."""
    figures: dict[str, list[Figure]] = {name: [] for name in measures if runs[name] and name not in bench.absent}
    for number in range(max((runs[name] for name in figures), default=0)):
        for name, found in figures.items():
            figure = measures[name]() if number < runs[name] else None
            if figure is not None:
                found.append(figure)
    return figures


def run(bench: Bench, command: Sequence[str], **environment: str) -> Ended | None:
    """A command to its end, its output thrown away; None where it fails. Raises RuntimeError where ours does."""
    try:
        done = subprocess.run(
            [bench.stopwatch, *command],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            env=bench.environment | environment,
            check=True,
        )
    except subprocess.TimeoutExpired:
        return None
    seconds, peak, status = done.stdout.split()
    if status == "0":
        return Ended(float(seconds), int(peak) * 1024)
    if command[0] == peers.BPFSCOPE:
        raise RuntimeError(f"{' '.join(command)}: failed with wait status {status}")
    return None


def until_line(bench: Bench, command: list[str], wanted: Callable[[bytes], bool], stop: int) -> float | None:
    """Seconds from the launch until a line of its output is `wanted`; then it gets the signal `stop`."""
    start = time.monotonic()
    with programs.Running(command, bench.environment | {"PYTHONUNBUFFERED": "1"}) as running:
        while (line := running.line(start + _SECONDS)) is not None:
            now = time.monotonic()
            if wanted(line):
                running.end(stop)
                return now - start
    if command[0] == peers.BPFSCOPE:
        raise RuntimeError(f"{' '.join(command)}: ended without what it should print")
    return None


def shown(bench: Bench, figures: Mapping[str, Sequence[float]], unit: Callable[[float], str]) -> dict[str, str]:
    """The medians as text; where there is none, why."""
    there = {name: unit(median(found)) if found else "failed" for name, found in figures.items()}
    return dict.fromkeys(peers.NAMES, "not run") | there | dict(bench.absent)


def counts(figures: Mapping[str, Sequence[object]]) -> str:
    """How often each was measured, in the order of the columns: 15/15/3; 15 where all are alike."""
    numbers = [len(found) for found in figures.values()]
    return str(numbers[0]) if len(set(numbers)) == 1 else "/".join(map(str, numbers))
