"""`args` and `trace` on probes that are made up."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pytest

from tests.unit.elf_files import CODE_AT, Elf, Symbol
from tui import cli
from tui.collectors.budget import HeldBack
from tui.collectors.reading import Reads, Wanted, choose
from tui.collectors.samples import Attached, Event, EventsSample, Read, ValuesRow, ValuesSample
from tui.collectors.target import Target
from tui.commands import args, trace
from tui.commands.reading import Words
from tui.elf import languages
from tui.elf.names import Function, Skipped
from tui.elf.values import Fetch, Kind, Signature, Value

N = Value("n", "int", Kind.INT, 4, Fetch("di"))
NAME = Value("name", "char *", Kind.CSTRING, 8, Fetch("si"))
RESULT = Value("return", "void *", Kind.POINTER, 8, Fetch("ax"))
SIGNATURE = Signature((N, NAME), (RESULT,))
LONG = "a text that is too long for a line of eighty"


class Cheap:
    """What the guard of the budget asks a probe; and a context manager."""

    watch = None
    held_back = HeldBack()
    functions: tuple[Function, ...] = ()

    def spent(self) -> list[int]:
        return [0] * len(self.functions)

    def suspend(self, functions: Sequence[Function]) -> None:
        raise AssertionError

    def resume(self, functions: Sequence[Function]) -> None:
        raise AssertionError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class FakeValues(Cheap):
    """Counts that grow by themselves; the third reading is the last."""

    asked: tuple[Wanted, bool] | None = None

    def __init__(
        self, target: Target, function: Function, signature: Signature, wanted: Wanted, *, return_probes: bool
    ) -> None:
        type(self).asked = wanted, return_probes
        self._function = function
        reads = choose(wanted, signature, returns=wanted.results)
        self.reads = {function: reads}
        self._read = 0

    def add(self) -> Attached:
        return Attached((self._function,), (), (Skipped(self._function, "x isn't read"),))

    def read(self) -> ValuesSample:
        self._read += 1
        names = self.reads[self._function].names
        columns: dict[str, tuple[Read, ...]] = {"n": (-3, 5, None), "name": (0, "GET", LONG), "return": (0, 0xFF, 7)}
        rows = [
            ValuesRow(tuple(columns[name][row] for name in names), self._read * calls)
            for row, calls in enumerate((10, 30, 1))
        ]
        rows += [ValuesRow(tuple(number for _ in names), 1) for number in range(100, 123)] if names == ("n",) else []
        ended = "exited 0" if self._read == 3 else ""
        return ValuesSample(1.0, 2.0, self._function, names, tuple(rows), 200, 4, 5, ended)


class FakeEvents(Cheap):
    """Two calls, then the end."""

    def __init__(self, target: Target, wanted: Wanted, *, return_probes: bool) -> None:
        self.reads: dict[Function, Reads] = {}
        self._events: list[Event] = []

    def add(
        self, functions: Sequence[Function], signatures: Mapping[Function, Signature], limit: float | None
    ) -> Attached:
        wanted = Wanted(results=True)
        self.reads = {function: choose(wanted, signatures[function], returns=True) for function in functions}
        function = functions[0]
        start = time.monotonic_ns()
        event = Event(function, start, 12_345, 811, 812, "worker", 0, (("n", 3), ("name", "GET")), (("return", 255),))
        self._events = [event, event._replace(duration_ns=None, arguments=(("n", None), ("name", LONG)), results=())]
        return Attached(tuple(functions), ())

    def stop(self) -> None:
        assert not self._events  # all that there was has been read

    def read(self) -> EventsSample:
        events, self._events = tuple(self._events[:1]), self._events[1:]
        seen = 2 - len(self._events)
        return EventsSample(1.0, 2.0, (), events, 9, seen, 3, 2, 1, "" if self._events else "exited 0")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    def signatures(target: Target, functions: Sequence[Function]) -> dict[Function, Signature]:
        return dict.fromkeys(functions, SIGNATURE)

    monkeypatch.setattr(args, "ValuesProbe", FakeValues)
    monkeypatch.setattr(trace, "EventsProbe", FakeEvents)
    for module in (args, trace):
        monkeypatch.setattr(module.signatures, "read", signatures)
    path = tmp_path / "program"
    path.write_bytes(Elf(symbols=[Symbol("run"), Symbol("rest", CODE_AT + 16)]).build())
    return str(path)


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_args_as_json(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--ret", "--arg", "n", "--where", "name != nil", "--slower-than", "5ms", "--return-probes", "--json"]
    assert cli.main(["args", program, "run", *words, "-i", "0.01"]) == 0
    attached, first, second, summary = objects(capsys.readouterr().out)
    assert (attached["kind"], attached["attached"]) == ("attached", 1)
    assert attached["inexact"][0]["reason"] == "x isn't read"
    assert (first["kind"], second["kind"], summary["kind"]) == ("interval", "interval", "summary")
    assert summary["values"][:2] == [
        {"args": {"n": 5, "return": 255}, "count": 90},
        {"args": {"n": -3, "return": 0}, "count": 30},
    ]
    assert (summary["function"], summary["calls"], summary["unmatched"], summary["lost"]) == ("run", 200, 4, 5)
    assert FakeValues.asked
    wanted, return_probes = FakeValues.asked
    assert (wanted.names, wanted.results, wanted.slower_than, return_probes) == (("n",), True, 5_000_000, True)
    assert [(each.name, each.operator, each.constant) for each in wanted.where] == [("name", "!=", None)]


def test_args_as_text(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["args", program, "run", "--ret", "-i", "0.01"]) == 0
    out, narration = capsys.readouterr()
    lines = out.rpartition("CALLS ")[2].splitlines()
    assert lines[0].split() == ["SHARE", "VALUES"]
    assert lines[1].split("  ")[-1] == 'n=5, name="GET", return=0xff'
    assert lines[1].split()[:2] == ["90", "73.2%"]
    assert lines[2].endswith("n=-3, name=NULL, return=0x0")
    assert lines[3].endswith(f'n=?, name="{LONG}", return=0x7')
    assert lines[4].endswith("in 2.0 s, unmatched 4, lost 5")
    assert "reading 1 function" in narration
    assert "inexact: run: x isn't read" in narration
    assert "the target exited 0" in narration


def test_args_of_one_number_has_a_histogram_and_not_too_many_rows(
    program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["args", program, "run", "--arg", "n", "-i", "0.01"]) == 0
    first, _, last = capsys.readouterr().out.split("CALLS ")[1:]
    assert "… and 6 more" in first
    assert "… and 6 more (--json has them all)" in last
    assert [line.split()[:4] for line in last.partition("\n\n")[2].splitlines()][::2] == [
        ["-3", "–", "-2", "30"], ["0", "0"], ["2", "–", "3", "0"], ["8", "–", "15", "0"], ["32", "–", "63", "0"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["args", "r*"], 2, "FUNCTION must name one function, not 2 (rest, run)"),
        (["args", "none"], 1, "no function of program matches none"),
        (["args", "run", "--where", "n >"], 2, "expected a comparison"),
        (["args", "run", "--where", ""], 2, "expected a comparison"),
        (["trace", "run", "--where", " "], 2, "expected a comparison"),
        (["args", "run", "--where", "m > 1"], 2, "no value is called m; there are n, name, return"),
        (["trace", "run", "--where", "m > 1"], 2, "no value is called m; there are n, name, return"),
        (["args", "run", "--arg", "m"], 2, "there is no m"),
        (["args", "run", "--slower-than", "5"], 2, "is not a duration such as 5ms"),
        (["args"], 2, "usage:"),
        (["trace"], 2, "usage:"),
        (
            ["trace", "run", "--chrome", "/nonexistent/trace.json"],
            1,
            "cannot write /nonexistent/trace.json: No such file",
        ),
    ],
)
def test_what_is_refused(
    program: str, words: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([words[0], program, *words[1:]]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "in the kernel" not in err or "--chrome" in words


def test_many_values_are_cut_and_their_bars_are_shares() -> None:
    function = Function("program", "run", "run", 1, 1, "symtab", 1)
    rows = tuple(ValuesRow((number,), 2 if number else 20) for number in range(41))
    sample = ValuesSample(1000.0, 1.0, function, ("n",), rows, 100, 0, 0)
    lines = list(args._table(sample, Words((N,)), everything=True))
    assert lines[1].split() == ["20", "20.0%", "███▎", "0"]
    assert lines[2].split()[2] == "▍"
    assert lines[21].split(None, 1) == ["…", "and 21 more (--json has them all)\n"]
    assert "100" in lines[22]


def test_trace_as_json(program: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trace.json"
    assert cli.main(["trace", program, "run", "--json", "--chrome", str(path)]) == 0
    attached, first, second, summary = objects(capsys.readouterr().out)
    assert (attached["kind"], attached["attached"]) == ("attached", 1)
    assert (first["kind"], first["args"], first["return"], first["duration_ns"]) == (
        "event", {"n": 3, "name": "GET"}, 255, 12_345,
    )  # fmt: skip
    assert (second["args"], second["return"], second["duration_ns"]) == ({"n": None, "name": LONG}, None, None)
    assert summary == {
        "kind": "summary", "attached": 1, "skipped": [], "elapsed_ns": 2_000_000_000, "events": 2, "dropped": 3,
        "unmatched": 2, "lost": 1, "calls": 9, "ended": "exited 0",
        "cost_percent": 0.0, "cost_cpu_percent": 0.0, "budget_percent": 10.0, "suspended": [],
    }  # fmt: skip
    assert [row["ph"] for row in json.loads(path.read_text())] == ["M", "X", "i"]


@pytest.mark.parametrize("terminal", [True, False])
def test_trace_as_text(
    program: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, terminal: bool
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    assert cli.main(["trace", program, "run"]) == 0
    out, narration = capsys.readouterr()
    head, first, second = out.splitlines()
    assert head.split() == ["BEGAN", "THREAD", "TOOK", "CALL"]
    assert head.index("CALL") == first.index("run(")
    assert first.split(None, 1)[1] == '    812   12 µs  run(n=3, name="GET") = 0xff'.strip()
    cut = "a text that is …" if terminal else LONG
    assert second.endswith(f'    812       –  run(n=?, name="{cut}")')
    assert len(second) <= 80 or not terminal
    memory, *narrated = narration.splitlines()
    assert memory.startswith("takes 2")
    assert memory.endswith(" MiB in the kernel")
    assert narrated == [
        "tracing 1 function; Ctrl-C ends it",
        "the target exited 0",
        "2 of 9 calls in 2.0 s, 3 dropped: the buffer was full, 2 unmatched, 1 lost",
    ]


def test_trace_in_go_has_the_goroutine(
    program: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(languages, "of_file", lambda _: "go")
    assert cli.main(["trace", program, "run"]) == 0
    head, first, _ = capsys.readouterr().out.splitlines()
    assert head.split() == ["BEGAN", "THREAD", "GOROUTINE", "TOOK", "CALL"]
    assert head.index("CALL") == first.index("run(")
    assert first.split()[2] == "–"
