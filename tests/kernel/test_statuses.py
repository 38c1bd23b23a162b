"""What a wrong or impossible request gets: one sentence with the remedy, and the right exit status."""

import subprocess
from pathlib import Path

import pytest

from tests.kernel.conftest import Start
from tests.kernel.probing import BPFSCOPE, run, run_as_nobody

LIBC = next(path for path in Path("/lib").glob("*-linux-gnu/libc.so.6"))


def _refused(done: "subprocess.CompletedProcess[str]", status: int, *words: str) -> None:
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith("bpfscope: ")
    assert done.stderr.count("\n") == 1
    for word in words:
        assert word in done.stderr


def test_no_such_process() -> None:
    _refused(run("count", 4_194_304, "main"), 1, "there is no process 4194304", "bpfscope ps")
    _refused(run("count", "no-such-program-here", "main"), 1, "no process is called no-such-program-here")


def test_kernel_thread() -> None:
    _refused(run("count", 2, "main"), 1, "kernel thread")


def test_pattern_that_matches_nothing(start: Start) -> None:
    process = start("plain-pie")
    _refused(run("count", process.pid, "alpah"), 1, "no function of plain-pie matches alpah", "nearest names are alpha")


def test_module_that_is_not_there(start: Start) -> None:
    process = start("uses-library")
    _refused(run("count", process.pid, "outer", "--module", "libnone*"), 1, "it has uses-library", "libunequal.so")


def test_stripped_program(start: Start) -> None:
    process = start("plain-stripped")
    _refused(run("count", process.pid, "alpha"), 1, "no function of plain-stripped matches alpha; it is stripped")


def test_files_that_cannot_be_probed(targets: Path, tmp_path: Path) -> None:
    whole = (targets / "plain-pie").read_bytes()
    contents = {
        "script": (b"#!/bin/sh\n", "not an ELF file"),
        "empty": (b"", "empty"),
        "cut": (whole[:100], "truncated"),
        "narrow": (whole[:4] + b"\x01" + whole[5:], "32-bit"),
        "foreign": (whole[:18] + b"\xf3\0" + whole[20:], "another kind of machine"),
    }
    for name, (data, words) in contents.items():
        (tmp_path / name).write_bytes(data)
        _refused(run("count", tmp_path / name, "main"), 1, words)
    _refused(run("count", tmp_path / "none", "main"), 1, "No such file")
    _refused(run("count", tmp_path, "main"), 1, "not a regular file")


@pytest.mark.requires("x86-64")
def test_nothing_can_be_attached(start: Start) -> None:
    process = start("thousand")
    _refused(run("count", process.pid, "fn_000"), 1, "nothing can be probed", "fn_000", "lock")


def test_wrong_usage(start: Start) -> None:
    process = start("plain-pie")
    _refused(run("count", process.pid, "/(/"), 2, "not a regular expression")
    for words in (["count"], ["count", "1"], ["count", "1", "main", "-d", "never"], ["count", "1", "main", "-i", "0"]):
        done = run(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert "usage: " in done.stderr


def test_no_terminal_for_the_console() -> None:
    done = run(stdin=subprocess.DEVNULL)
    _refused(done, 2, "needs a terminal", "count")


def test_no_root() -> None:
    _refused(run_as_nobody(BPFSCOPE, "count", LIBC, "malloc"), 3, "run as root", "CAP_BPF")


def test_no_root_for_a_process_of_somebody_else(start: Start) -> None:
    process = start("plain-pie")
    _refused(run_as_nobody(BPFSCOPE, "count", process.pid, "alpha"), 3, "run as root")


@pytest.mark.parametrize("words", [["symbols", "--json"], ["ps", "--json"]])
def test_listings_end_well(start: Start, words: list[str]) -> None:
    process = start("plain-pie")
    done = run(*words, *([process.pid] if words[0] == "symbols" else []))
    assert (done.returncode, done.stderr) == (0, "")
    assert ('"alpha"' if words[0] == "symbols" else "plain-pie") in done.stdout
