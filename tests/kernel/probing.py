"""Shorthand of the kernel tests: functions by name, probes, the command line, and what is left in the kernel."""

import ctypes
import json
import os
import re
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from tests.targets.running import SECONDS
from tui.bpf import kernel
from tui.collectors import target as targets
from tui.collectors.probe import CountingProbe
from tui.collectors.target import Target
from tui.elf import functions, patterns
from tui.elf.names import Function

BPFSCOPE = Path(sys.executable).with_name("bpfscope")
_PROG_GET_NEXT_ID, _LINK_GET_NEXT_ID = 11, 31
Row = dict[str, Any]


def wait_until(true: Callable[[], object], what: str) -> None:
    """Returns when it is; fails where it never is."""
    due = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < due, f"never: {what}"
        time.sleep(0.005)


def resolve(target: int | str | Path) -> Target:
    """A target by pid or path."""
    return targets.resolve(str(target))


def pick(target: Target, *names: str, module: str = "") -> list[Function]:
    """Functions by any of their names, in the executable or another module."""
    found = next(each for each in target.modules if each.name == module or not module)
    there = functions.read(found)
    return [function for name in names for function in patterns.select(there, name)]


def calls(probe: CountingProbe) -> dict[str, int]:
    """The counts now, by raw name."""
    sample = probe.read()
    assert sample.lost == 0
    return {function.raw_name: number for function, number in zip(sample.functions, sample.calls, strict=True)}


def run_as_nobody(*command: str | Path | int) -> "subprocess.CompletedProcess[str]":
    """A command, to its end, for a user without any right."""
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    environment = os.environ | {"HOME": "/nonexistent", "XDG_CACHE_HOME": ""}
    return subprocess.run(
        [*user, *map(str, command)], capture_output=True, text=True, timeout=SECONDS, check=False, env=environment
    )


def run(*words: str | Path | int, **more: Any) -> "subprocess.CompletedProcess[str]":  # noqa: ANN401 - as subprocess.run
    """`bpfscope WORDS`, to its end."""
    return subprocess.run(
        [str(BPFSCOPE), *map(str, words)], capture_output=True, text=True, timeout=SECONDS, check=False, **more
    )


class Command:
    """`bpfscope count … --json` or another, running and attached; a context manager that ends it."""

    def __init__(self, *words: str | Path | int, name: str = "count") -> None:
        self.process = subprocess.Popen(
            [BPFSCOPE, name, *map(str, words), "--json", *([] if name == "trace" else ["-i", "0.05"])],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self.attached: Row = json.loads(self.process.stdout.readline() or "null") or self._failed()

    def _failed(self) -> Row:
        raise AssertionError(self.process.communicate()[1])

    def finish(self, signal_number: int | None = None) -> Row:
        """The summary, after a signal or when the target has ended."""
        if signal_number is not None:
            self.process.send_signal(signal_number)
        out, err = self.process.communicate(timeout=SECONDS)
        assert (self.process.returncode, err) == (0, "")
        self.rows: list[Row] = [json.loads(line) for line in out.splitlines()]
        summary = self.rows[-1]
        assert summary["kind"] == "summary"
        return summary

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def counted(summary: Row) -> dict[str, int]:
    """The functions of a summary with their calls."""
    return {row["function"]: row["calls"] for row in summary["functions"]}


def program_ids(pid: int) -> set[int]:
    """The BPF programs that a process holds."""
    return _held(pid, "prog_id")


def link_ids(pid: int) -> set[int]:
    """The BPF links that a process holds."""
    return _held(pid, "link_id")


def gone(programs: set[int], links: set[int]) -> bool:
    """Whether the kernel has none of these any more."""
    return not (programs & all_ids("prog_id") or links & all_ids("link_id"))


def all_ids(kind: str) -> set[int]:
    """The ids of every program (`prog_id`) or link (`link_id`) in the kernel."""
    command = {"prog_id": _PROG_GET_NEXT_ID, "link_id": _LINK_GET_NEXT_ID}[kind]
    found: set[int] = set()
    last = 0
    while True:
        attributes = ctypes.create_string_buffer(struct.pack("3I", last, 0, 0), 12)
        try:
            kernel._syscall(kernel._number(0), command, attributes, 12)
        except FileNotFoundError:
            return found
        last = struct.unpack_from("I", attributes.raw, 4)[0]
        found.add(last)


def _held(pid: int, kind: str) -> set[int]:
    found: set[int] = set()
    for entry in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            text = Path(f"/proc/{pid}/fdinfo/{entry}").read_text()
        except OSError:
            continue
        found.update(map(int, re.findall(rf"^{kind}:\s*(\d+)$", text, re.MULTILINE)))
    return found


def names(functions: Sequence[Function]) -> list[str]:
    """The raw names."""
    return [function.raw_name for function in functions]
