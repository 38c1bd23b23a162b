import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.elf_files import CODE_AT, Elf, Symbol
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


def go_info(version: bytes) -> bytes:
    """As Go's linker writes it from 1.18 on."""
    return b"\xff Go buildinf:\x08\x02".ljust(32, b"\0") + bytes([len(version)]) + version + b"\x00"


def go_info_before_1_18(version: bytes) -> bytes:
    """The same with pointers; it lies where the code is, so that it is loaded."""
    pointers = struct.pack("<QQ", CODE_AT + 64, 0)
    return (
        (b"\xff Go buildinf:\x08\x00" + pointers).ljust(64, b"\0")
        + struct.pack("<QQ", CODE_AT + 80, len(version))
        + version
    )


@pytest.mark.parametrize(
    ("extra", "language"),
    [
        ([(".go.buildinfo", go_info(b"go1.27.3"))], "go 1.27"),
        ([(".go.buildinfo", go_info(b"devel go1.28-0123"))], "go"),
        ([(".go.buildinfo", go_info(b"")[:33])], "go"),
        ([(".go.buildinfo", b"\xff Go buildinf:\x08\x00" + b"\xff" * 20)], "go"),
        ([(".go.buildinfo", go_info_before_1_18(b"go1.17.13"))], "go 1.17"),
        ([(".comment", b"GCC: 12\0rustc version 1.80.1 (3f5fd8dd4 2024-08-06)\0")], "rust 1.80"),
    ],
)
def test_versions(tmp_path: Path, extra: list[tuple[str, bytes]], language: str) -> None:
    path = tmp_path / "program"
    code = extra[0][1].ljust(256, b"\0")[:256]
    path.write_bytes(Elf(symbols=[Symbol("run")], extra=extra, code=code).build())
    assert languages.versioned(str(path)) == language
    assert languages.of_file(str(path)) == language.partition(" ")[0]


@pytest.mark.parametrize(
    ("link", "language"),
    [
        ("/usr/bin/python3.11", "python 3.11"),
        ("/opt/python/bin/python3.12.1", "python 3.12"),
        ("/usr/bin/ruby3.1", "ruby 3.1"),
        ("/usr/sbin/php-fpm8.2", "php 8.2"),
        ("/usr/bin/perl", "perl"),
        ("/usr/bin/bash-5.1", "shell"),
        ("/usr/lib/jvm/java-17-openjdk-amd64/bin/java", "java 17"),
        ("/opt/jdk1.8.0_381/bin/java", "java 8"),
        ("/opt/jdk-21.0.2/bin/java", "java 21"),
        ("/opt/java/bin/java", "java"),
        ("/usr/bin/sshd", ""),
    ],
)
def test_versions_of_interpreters(link: str, language: str) -> None:
    assert languages._of_interpreter("/nowhere", link) == language


@pytest.mark.skipif(not os.path.exists("/usr/bin/node"), reason="node isn't installed")
def test_the_version_of_node() -> None:
    said = subprocess.run(["/usr/bin/node", "--version"], capture_output=True, text=True, check=True).stdout
    assert languages._of_interpreter("/usr/bin/node", "/usr/bin/node") == f"node {said[1:].partition('.')[0]}"


def test_what_is_no_program_has_no_language(tmp_path: Path) -> None:
    (tmp_path / "script").write_text("#!/bin/sh\n")
    assert languages.of_file(str(tmp_path / "script")) == ""
    assert languages.of_file(str(tmp_path / "nowhere")) == ""


def test_interpreters_are_told_by_name() -> None:
    assert Languages().of_process(os.getpid()) == f"python {sys.version_info[0]}.{sys.version_info[1]}"
    with subprocess.Popen(["/bin/bash", "-c", "read line"], stdin=subprocess.PIPE) as shell:
        known = Languages()
        assert known.of_process(shell.pid) == "shell"
        assert known.of_process(shell.pid) == "shell"
        shell.communicate(b"\n")


def test_a_process_that_is_gone_has_no_language() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
        assert Languages().of_process(child.pid) == ""
