import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import pytest

from tests.unit.elf_files import CODE_AT, Elf, Symbol
from tui import cli
from tui.bpf.stacks import Walked, memory, parse
from tui.collectors.budget import HeldBack
from tui.collectors.samples import Attached, Frame, Stack, StacksSample
from tui.collectors.target import Target
from tui.commands import stacks
from tui.elf.names import Function

MAIN, RUN, LEAF, NAMELESS = (
    Frame("main", "server"),
    Frame("run", "server"),
    Frame("leaf", "server"),
    Frame("0x7f00", ""),
)


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "server"
    path.write_bytes(Elf(symbols=[Symbol("leaf"), Symbol("main", CODE_AT + 16)]).build())
    return str(path)


class FakeProbe:
    """Its calls grow with each reading; the fourth is the last."""

    watch = None
    held_back = HeldBack()
    reads = 0

    def __init__(self, target: Target) -> None:
        self.functions: tuple[Function, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def add(self, functions: Sequence[Function], limit: float | None) -> Attached:
        self.functions = tuple(functions)
        return Attached(self.functions, ())

    def spent(self) -> list[int]:
        return [0] * len(self.functions)

    def suspend(self, functions: Sequence[Function]) -> None:
        raise AssertionError

    resume = suspend

    def read(self) -> StacksSample:
        self.reads += 1
        ways = ((MAIN, RUN, LEAF), (MAIN, LEAF), (NAMELESS, LEAF))
        found = tuple(Stack(way, self.reads * 10 ** (3 - at), cut=at == 1) for at, way in enumerate(ways))
        ended = "exited 0" if self.reads == 4 else ""
        return StacksSample(self.reads, self.reads, self.functions, found, 1110 * self.reads + 7, 7, ended)


@pytest.fixture(autouse=True)
def fake_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "StacksProbe", FakeProbe)


def objects(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_as_json(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["stacks", program, "leaf", "-i", "0.01", "--json"]) == 0
    attached, *intervals, summary = objects(capsys.readouterr().out)
    assert (attached["kind"], attached["attached"], attached["skipped"]) == ("attached", 1, [])
    assert [(row["kind"], row["calls"]) for row in intervals] == [
        ("interval", 1117), ("interval", 2227), ("interval", 3337),
    ]  # fmt: skip
    assert {"kind": "summary", "attached": 1, "calls": 4447, "lost": 7, "ended": "exited 0"}.items() <= summary.items()
    assert summary["stacks"] == [
        {"frames": ["main", "run", "leaf"], "modules": ["server"] * 3, "count": 4000},
        {"frames": ["main", "leaf"], "modules": ["server"] * 2, "count": 400, "cut": True},
        {"frames": ["0x7f00", "leaf"], "modules": ["", "server"], "count": 40, "early": True},
    ]


def test_as_text(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["stacks", program, "leaf", "-i", "0.01"]) == 0
    out, narration = capsys.readouterr()
    first, second, *_ = out.split("\n\n")
    assert first.startswith(
        "1.0 s  1,117 calls/s, costs 0.0 % of a CPU, 0.0 % of the target's time\n     1,110  100.0%  leaf\n"
    )
    assert second.splitlines()[1:] == first.splitlines()[1:]  # as many calls as in the interval before
    assert (
        out.split("FUNCTION, AND BELOW IT WHO CALLS IT\n")[1]
        == """\
     4,440  100.0%  leaf
     4,000   90.1%  ├ run
                    │ main
       400    9.0%  ├ main
                    │ [cut]
        40    0.9%  └ 0x7f00
     4,447          in 4.0 s, lost 7
"""
    )
    assert "counting the callers of 1 function" in narration
    assert "the target exited 0" in narration
    assert "40 calls had callers of which only addresses are known" in narration


def test_folded(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["stacks", program, "leaf", "-i", "0.01", "--folded"]) == 0
    out, narration = capsys.readouterr()
    assert out == "0x7f00;leaf 40\n[cut];main;leaf 400\nmain;run;leaf 4000\n"
    assert "4,447 calls in 4.0 s, lost 7" in narration


def test_long_intervals_are_read_more_often(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["stacks", program, "leaf", "-i", "0.02", "--json"]) == 0
    with pytest.MonkeyPatch.context() as patch:
        capsys.readouterr()
        patch.setattr(stacks, "_OFTEN", 0.01)
        assert cli.main(["stacks", program, "leaf", "-i", "0.02", "--json"]) == 0
    _, *rows = objects(capsys.readouterr().out)
    assert [row["elapsed_ns"] for row in rows] == [2_000_000_000, 4_000_000_000]


@pytest.mark.parametrize(("option", "begins"), [("--svg", "<svg "), ("--speedscope", '{"$schema"')])
def test_files(program: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, begins: str) -> None:
    file = tmp_path / "out"
    assert cli.main(["stacks", program, "leaf", "-i", "0.01", option, str(file)]) == 0
    assert file.read_text().startswith(begins)
    assert "server: calls of leaf" in file.read_text()
    assert f"wrote {file}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "status", "why"),
    [
        (["--folded", "--json"], 2, "choose one"),
        (["--svg", "/dev/null"], 1, "not a regular file"),
        (["--speedscope", ""], 1, "cannot write"),
        (["--svg", "out", "--folded"], 2, "not allowed with"),
    ],
)
def test_what_makes_no_sense(
    program: str, capsys: pytest.CaptureFixture[str], words: list[str], status: int, why: str
) -> None:
    assert cli.main(["stacks", program, "leaf", *words]) == status
    out, err = capsys.readouterr()
    assert (out, why in err) == ("", True)


def test_keys_of_the_kernel() -> None:
    addresses = (0x401000, 0x401100, 0x7F0000000000)
    assert parse(struct.pack("=2IQ3Q", 811, 3, 1, *addresses).rstrip(b"\0")) == Walked(811, 3, True, addresses)
    assert parse(struct.pack("=2IQQ", 811, 0, 0, 0x401000).rstrip(b"\0")) == Walked(811, 0, False, (0x401000,))


def test_memory() -> None:
    assert 17_000_000 < memory(1) < memory(1000) < 20_000_000
