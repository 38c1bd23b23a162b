import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.elf_files import Elf, Symbol
from tui.elf import languages
from tui.elf.languages import Languages


@pytest.mark.parametrize(
    ("extra", "language"),
    [
        ([], "c"),
        ([(".go.buildinfo", b"")], "go"),
        ([(".gopclntab", b"")], "go"),
        ([(".note.go.buildid", b"")], "go"),
        ([(".comment", b"GCC: 12\0rustc version 1.80\0")], "rust"),
        ([(".dynstr", b"\0libc.so.6\0libstdc++.so.6\0")], "c++"),
        ([(".dynstr", b"\0libc++.so.1\0")], "c++"),
        ([(".comment", b"rustc version"), (".dynstr", b"libstdc++.so.6")], "rust"),
    ],
)
def test_languages_by_their_traces(tmp_path: Path, extra: list[tuple[str, bytes]], language: str) -> None:
    path = tmp_path / "program"
    path.write_bytes(Elf(symbols=[Symbol("run")], extra=extra).build())
    assert languages.of_file(str(path)) == language


def test_what_is_no_program_has_no_language(tmp_path: Path) -> None:
    (tmp_path / "script").write_text("#!/bin/sh\n")
    assert languages.of_file(str(tmp_path / "script")) == ""
    assert languages.of_file(str(tmp_path / "nowhere")) == ""


def test_interpreters_are_told_by_name() -> None:
    assert Languages().of_process(os.getpid()) == "python"
    with subprocess.Popen(["/bin/bash", "-c", "read line"], stdin=subprocess.PIPE) as shell:
        known = Languages()
        assert known.of_process(shell.pid) == "shell"
        assert known.of_process(shell.pid) == "shell"
        shell.communicate(b"\n")


def test_a_process_that_is_gone_has_no_language() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
        assert Languages().of_process(child.pid) == ""
