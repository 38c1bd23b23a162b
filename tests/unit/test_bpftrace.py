"""The bpftrace programs: they are what bpftrace reads, whatever the names are."""

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.elf_files import CODE_AT, Elf, Symbol
from tui import cli
from tui.elf.names import Function
from tui.export.bpftrace import program
from tui.text import sanitise

VIEWS = ("calls", "latency", "stacks", "arguments", "events")


def function(name: str, origin: str = "symtab") -> Function:
    return Function("libc.so.6", name, name, 1, 1, origin, 1)


@pytest.mark.parametrize("view", VIEWS)
def test_each_view(view: str) -> None:
    found = program(view, 811, [(function("malloc"), "/lib/libc.so.6")], go=False)
    command, p, pid, e, script = shlex.split(found.text)
    assert (command, p, pid, e) == ("bpftrace", "-p", "811", "-e")
    assert 'uprobe:/lib/libc.so.6:"malloc" {' in script
    assert ("uretprobe" in script) == (view in ("latency", "events"))
    assert found.wrong


@pytest.mark.parametrize("view", ["latency", "events"])
def test_go_programs_would_end(view: str) -> None:
    assert program(view, 1, [(function("main.main"), "/a")], go=True).wrong[0].startswith("DON'T RUN IT")


def test_every_process_of_a_file() -> None:
    assert "-p" not in shlex.split(program("calls", None, [(function("f"), "/a")], go=False).text)


def test_usdt_probes_have_no_returns_and_no_time() -> None:
    probed = [(function("usdt:libc:memory", "usdt"), "/lib/libc.so.6")]
    found = {view: program(view, 811, probed, go=False) for view in VIEWS}
    assert found.pop("latency").text.endswith('// "usdt:libc:memory" takes no time\n\'')
    for each in found.values():
        assert 'usdt:/lib/libc.so.6:"libc":"memory" {' in each.text
        assert "uretprobe" not in each.text
        assert len(each.wrong) == 1


@given(st.text(min_size=1), st.sampled_from(VIEWS), st.sampled_from(("symtab", "usdt")))
def test_no_name_gets_out_of_its_quotes(name: str, view: str, origin: str) -> None:
    probed = function("usdt:shop:" * (origin == "usdt") + sanitise(name), origin)
    words = shlex.split(program(view, 1, [(probed, "/a")], go=False).text)
    assert len(words) == 5
    outside = words[4].replace("\\\\", "").replace('\\"', "").split('"')[::2]  # what isn't in a string
    assert not any("system" in part for part in outside)
    assert len(words[4].replace("\\\\", "").replace('\\"', "").split('"')) % 2 == 1


@pytest.mark.skipif(shutil.which("bpftrace") is None, reason="bpftrace isn't installed")
@pytest.mark.parametrize("view", VIEWS)
def test_bpftrace_reads_it(view: str) -> None:
    probed = [(function(name), shutil.which("bash") or "/bin/bash") for name in ("main", 'a"b', "c\\d")]
    probed.append((function("usdt:python:gc__start", "usdt"), "/usr/bin/python3"))
    script = shlex.split(program(view, None, probed, go=False).text)[-1]
    done = subprocess.run(["bpftrace", "-d", "-e", script], capture_output=True, text=True, check=False)
    assert "syntax error" not in done.stderr
    assert "main" in done.stdout


@pytest.mark.parametrize("command", ["count", "latency", "stacks", "args", "trace"])
def test_every_command_that_probes_prints_one_and_attaches_nothing(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "server"
    path.write_bytes(Elf(symbols=[Symbol("leaf"), Symbol("other", CODE_AT + 16)]).build())
    assert cli.main([command, str(path), "leaf", "--bpftrace", "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert (found["kind"], found["program"].splitlines()[0]) == ("bpftrace", "bpftrace -e '")
    assert f'{path}:"leaf"' in found["program"]
    assert "other" not in found["program"]
