import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import pytest

from tests.unit.elf_files import CODE_AT, IFUNC, Elf, Symbol
from tui import cli
from tui.collectors.budget import Guard
from tui.collectors.samples import Attached, Cost, CountsSample, Suspended
from tui.collectors.target import Target
from tui.commands import count, selection
from tui.elf import lines
from tui.elf.lines import Line
from tui.elf.names import Function, Module, Skipped
from tui.errors import BpfscopeError

SYMBOLS = [
    Symbol("_ZN4test3runEv"), Symbol("main", CODE_AT + 16), Symbol("memcpy", CODE_AT + 32, kind=IFUNC),
    Symbol("fibonacci_loop", CODE_AT + 48), Symbol(b"\x1b[31mred", CODE_AT + 64, 0),
]  # fmt: skip


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "program"
    path.write_bytes(Elf(symbols=SYMBOLS).build())
    return str(path)


class FakeProbe:
    """A probe whose totals grow by themselves."""

    watch = None
    started = 0.0

    @property
    def functions(self) -> tuple[Function, ...]:
        return self._functions

    def spent(self) -> list[int]:
        return [0] * len(self._functions)

    def __init__(self, target: Target) -> None:
        self._functions: tuple[Function, ...] = ()
        self._skipped: tuple[Skipped, ...] = ()
        self._reads = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def add(self, functions: Sequence[Function]) -> Attached:
        self._skipped = tuple(Skipped(one, one.unprobeable) for one in functions if one.unprobeable)
        self._functions = tuple(one for one in functions if not one.unprobeable)
        return Attached(self._functions, self._skipped)

    def read(self) -> CountsSample:
        self._reads += 1
        calls = tuple(self._reads * 1000 * index for index in range(len(self._functions)))
        return CountsSample(self._reads, self._reads, self._functions, calls, 5, "exited 0" if self._reads == 3 else "")


@pytest.fixture
def fake_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(count, "CountingProbe", FakeProbe)


def objects(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_symbols_as_text(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["symbols", program]) == 0
    out = capsys.readouterr().out
    assert "ADDRESS" in out
    assert {"test::run()", "main", "memcpy", "␛[31mred"} <= {line.split(None, 3)[-1] for line in out.splitlines()}
    assert "\x1b" not in out


def test_symbols_as_json(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["symbols", program, "*run*", "main", "--json"]) == 0
    first, second = objects(capsys.readouterr().out)
    assert first["function"] == "test::run()"
    assert {
        "module": "program",
        "function": "main",
        "address": CODE_AT + 16,
        "origin": "symtab",
    }.items() <= second.items()
    assert set(second) >= {"module", "function", "raw_name", "address", "size", "origin"}


def test_symbols_with_lines(targets: Path, program: str, capsys: pytest.CaptureFixture[str]) -> None:
    fibonacci = str(targets / "fibonacci")
    assert cli.main(["symbols", fibonacci, "main.fibonacciRecursive", "--lines"]) == 0
    shown = re.search(r"main\.fibonacciRecursive  (/\S+/fibonacci\.go):(\d+)\n", capsys.readouterr().out)
    assert shown
    assert cli.main(["symbols", fibonacci, "main.fibonacciRecursive", "--lines", "--json"]) == 0
    (row,) = objects(capsys.readouterr().out)
    assert (row["file"], str(row["line"])) == shown.groups()
    source = Path(shown[1]).read_text(encoding="ascii").splitlines()
    assert source[int(shown[2]) - 1].startswith("func fibonacciRecursive(")
    assert cli.main(["symbols", program, "main", "--lines", "--json"]) == 0
    (row,) = objects(capsys.readouterr().out)
    assert (row["file"], row["line"]) == (None, None)


def test_symbols_as_text_and_json_agree(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["symbols", program, "--json"])
    rows = objects(capsys.readouterr().out)
    cli.main(["symbols", program])
    text = capsys.readouterr().out
    cli.main(["symbols", program, "*"])
    assert capsys.readouterr().out == text
    assert [row["function"] for row in rows] == [line.split(None, 3)[-1] for line in text.splitlines()[2:]]


def test_count_as_json(program: str, fake_probe: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["count", program, "*", "-i", "0.01", "--json"]) == 0
    attached, *intervals, summary = objects(capsys.readouterr().out)
    assert (attached["kind"], attached["attached"]) == ("attached", 4)
    assert [skip["function"] for skip in attached["skipped"]] == ["memcpy"]  # type: ignore[attr-defined]
    assert [row["kind"] for row in intervals] == ["interval", "interval"]
    assert {
        "kind": "summary",
        "attached": 4,
        "skipped": attached["skipped"],
        "lost": 5,
        "ended": "exited 0",
    }.items() <= summary.items()
    assert sorted(row["calls"] for row in summary["functions"]) == [0, 3000, 6000, 9000]  # type: ignore[attr-defined]


def test_count_as_text(program: str, fake_probe: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["count", program, "main", "*run*", "mem*", "-i", "0.01"]) == 0
    out, narration = capsys.readouterr()
    summary = out.split("CALLS ", 1)[1].splitlines()
    assert summary[1].split() == ["3,000", "1,000", "100.0%", "test::run()"]
    assert summary[2].split() == ["0", "1", "other", "function"]
    assert "in 3.0 s, lost 5" in summary[3]
    assert "counting 2 functions" in narration
    assert "skipped memcpy: an indirect function" in narration
    assert "the target exited 0" in narration


def test_count_of_what_was_taken_off(
    program: str, fake_probe: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def cost(guard: Guard) -> Cost:
        dearest = guard._joined[0].probe.functions[-1]
        return Cost(4.0, 10.0, (Suspended(dearest, "the probes took 31 % of the target's time", 0.5),))

    monkeypatch.setattr(Guard, "cost", property(cost))
    assert cli.main(["count", program, "main", "*run*", "fib*", "-i", "0.01"]) == 0
    out, narration = capsys.readouterr()
    assert narration.count("taken off, its numbers stop here: ") == 1
    assert "the probes took 31 % of the target's time; --budget off leaves them on" in narration
    assert ", 1 taken off\n" in out
    summary = [line for line in out.split("CALLS ", 1)[1].splitlines() if "taken off after 0.5 s" in line]
    calls, rate, unit, share, *_ = summary[0].split()
    assert (calls, rate, unit, share) == ("6,000", "12.0", "k", "–")


def test_ps(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ps"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["PID", "USER", "CPU", "%", "MEM", "LANGUAGE", "UNIT", "COMMAND"]
    pids = [line.split()[0] for line in lines[1:]]
    assert str(os.getppid()) in pids
    assert str(os.getpid()) not in pids  # itself is left out
    assert cli.main(["ps", "--json", "-d", "0.05"]) == 0
    rows = objects(capsys.readouterr().out)
    assert {"pid", "name", "user", "cpu_percent", "rss_bytes", "language", "command", "unit", "deleted"} == set(rows[0])
    shares: list[float] = [row["cpu_percent"] for row in rows]  # type: ignore[misc]
    assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("fibonacci_lop", "the nearest names are fibonacci_loop"),
        ("fibonaci_loo*", "the nearest names are fibonacci_loop"),
        ("loop", "the nearest names are fibonacci_loop"),
        ("Main", "the nearest names are main"),
        ("/^zzz$/", "matches /^zzz$/\n"),
        ("\x1b]0;x\x07", "matches ␛]0;x␇"),
    ],
)
def test_a_pattern_that_matches_nothing_is_told_what_is_near(
    program: str, pattern: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["symbols", program, "main", pattern]) == 1
    err = capsys.readouterr().err
    assert err.startswith("bpfscope: no function of program matches ")
    assert hint in err
    assert "\x1b" not in err


def test_names_that_are_spelt_alike() -> None:
    names = ["fibonacci_loop", "fibonacci_cache", "main", "run"]
    assert selection.nearest("fibonaci_loop", names)[0] == "fibonacci_loop"
    assert selection.nearest("fibonacci*", names) == ["fibonacci_loop", "fibonacci_cache"]
    assert selection.nearest("*", names) == []
    assert selection.nearest("zzzzzz", names) == []


def test_modules_are_picked_by_glob() -> None:
    modules = tuple(
        Module(name, f"/lib/{name}", f"/lib/{name}", 1, index)
        for index, name in enumerate(("app", "liba.so", "libb.so"))
    )
    target = Target(1, "app", modules)
    assert selection.pick_modules(target, None) == [modules[0]]
    assert selection.pick_modules(target, ["lib?.so"]) == list(modules[1:])
    assert selection.pick_modules(target, ["/lib/*"]) == list(modules)
    assert selection.pick_modules(target, ["/b.so$/"]) == [modules[2]]
    assert selection.pick_modules(target, ["/b.so$/", "lib?.so"]) == [modules[2], modules[1]]


def test_an_unknown_module_and_a_stripped_one(program: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["symbols", program, "--module", "\x1blibc*"]) == 1
    assert "no module of program is called ␛libc*; it has program" in capsys.readouterr().err
    (tmp_path / "stripped").write_bytes(Elf().build())
    assert cli.main(["symbols", str(tmp_path / "stripped")]) == 1
    assert "stripped has no function symbols: it was stripped" in capsys.readouterr().err


def test_a_stripped_file_says_that_only_its_exported_functions_are_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "stripped").write_bytes(Elf(dynamic=[Symbol("api"), Symbol("abi", CODE_AT + 16)]).build())
    assert cli.main(["count", str(tmp_path / "stripped"), "zzz"]) == 1
    said = "no function of stripped matches zzz; it is stripped: only names of its 2 exported functions are known\n"
    assert capsys.readouterr().err == f"bpfscope: {said}"


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("pkg:net/http", ["net/http.Get", "net/http.(*conn).serve"]),
        ("pkg:net/http serve", ["net/http.(*conn).serve"]),
        ("~nhget", ["net/http.Get"]),
        ("file:a.go", ["main.main"]),
        ("file:b.go:7", ["net/http.Get"]),
        ("pkg:", ["pkg:"]),
    ],
)
def test_what_the_console_finds_commands_find(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, found: list[str]
) -> None:
    names = ["main.main", "net/http.Get", "net/http.(*conn).serve", "net.Dial", "pkg:"]
    (tmp_path / "program").write_bytes(Elf([Symbol(name, CODE_AT + 16 * at) for at, name in enumerate(names)]).build())
    where = {"main.main": Line("/src/a.go", 3), "net/http.Get": Line("/src/b.go", 7)}
    monkeypatch.setattr(
        lines, "of_functions", lambda _, some: {each: where[each.name] for each in some if each.name in where}
    )
    target = Target(1, "program", (Module("program", str(tmp_path / "program"), str(tmp_path / "program"), 1, 1),))
    assert sorted(each.name for each in selection.pick_functions(target, None, [pattern])) == sorted(found)
    where.clear()
    with pytest.raises(BpfscopeError, match=r"program says nothing of its source files: file:a\.go finds none"):
        selection.pick_functions(target, None, ["file:a.go"])


def test_the_loaders_own_functions_are_recommended_last(program: str, tmp_path: Path) -> None:
    for name in ("ld-linux-x86-64.so.2", "libc.so.6"):
        (tmp_path / name).write_bytes(Elf(dynamic=[Symbol("copy")]).build())
    paths = [program, str(tmp_path / "ld-linux-x86-64.so.2"), str(tmp_path / "libc.so.6")]
    modules = tuple(Module(Path(path).name, path, path, 1, at) for at, path in enumerate(paths))
    with pytest.raises(BpfscopeError, match=r"; libc\.so\.6 has it: give --module libc\.so\.6$"):
        selection.pick_functions(Target(1, "program", modules), None, ["copy"])


def test_another_module_that_has_the_function_is_named(program: str, tmp_path: Path) -> None:
    (tmp_path / "lib b.so").write_bytes(Elf(dynamic=[Symbol("api")]).build())
    (tmp_path / "font").write_bytes(b"no ELF")
    paths = [program, str(tmp_path / "font"), str(tmp_path / "lib b.so")]
    modules = tuple(Module(Path(path).name, path, path, 1, at) for at, path in enumerate(paths))
    with pytest.raises(BpfscopeError, match=r"; lib b\.so has it: give --module 'lib b\.so'$"):
        selection.pick_functions(Target(1, "program", modules), None, ["api"])
    with pytest.raises(BpfscopeError, match=r"matches api$"):
        selection.pick_functions(Target(1, "program", modules), ["program"], ["api"])


def test_the_rate_of_all_is_that_of_the_rows() -> None:
    """Also where one was counted for a part of the time only."""
    functions = tuple(Function("program", name, name, at, 1, "symtab", at) for at, name in enumerate("ab"))
    cost = Cost(suspended=(Suspended(functions[0], "too dear", 0.5),))
    sample = CountsSample(0.0, 2.0, functions, (1_000, 20), 0, cost=cost)
    rows = list(count._summary(sample, ["a", "b"]))
    assert [row.split()[1] for row in rows[1:]] == ["2,000", "10", "2,010"]
