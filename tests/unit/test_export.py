import io
import json
import math

from tui.collectors.samples import CountsSample, Event, EventsSample, HotSample, Process, ValuesRow, ValuesSample
from tui.elf.names import Function, Skipped
from tui.export import rows

FUNCTION = Function("server", "test::run()", "_ZN4test3runEv", 0x401000, 16, "symtab", 0x1000, ("run2",))
FREE: rows.Row = {"cost_percent": 0.0, "cost_cpu_percent": 0.0, "budget_percent": None, "suspended": []}
IFUNC = FUNCTION._replace(name="memcpy", aliases=(), unprobeable="a resolver")
PROCESS = Process(811, 99, 1, "server", "root", 12.3456, 4096, 2, "c++", "./server --fast", "web.service", deleted=True)


def test_processes() -> None:
    assert rows.process(PROCESS) == {
        "pid": 811, "name": "server", "user": "root", "cpu_percent": 12.35, "rss_bytes": 4096, "language": "c++",
        "unit": "web.service", "deleted": True, "command": "./server --fast",
    }  # fmt: skip


def test_functions() -> None:
    row = rows.function(FUNCTION)
    assert {key: row[key] for key in ("module", "function", "raw_name", "address", "size", "origin")} == {
        "module": "server", "function": "test::run()", "raw_name": "_ZN4test3runEv", "address": 0x401000, "size": 16,
        "origin": "symtab",
    }  # fmt: skip
    assert (row["returns"], rows.function(FUNCTION._replace(returns="int"))["returns"]) == (None, "int")
    assert (row["unprobeable"], rows.function(IFUNC)["unprobeable"]) == (None, "a resolver")


def test_hot_functions_have_their_samples() -> None:
    sample = HotSample(0.0, 1.0, 4, 1, 0, 0, {}, {("server", FUNCTION.offset): 3}, {"server": 3})
    row = rows.hot(FUNCTION, sample)
    assert (row["samples"], row["cpu_percent"]) == (3, 75.0)


def test_skipped() -> None:
    assert rows.skipped([Skipped(IFUNC, "a resolver")]) == [
        {"module": "server", "function": "memcpy", "reason": "a resolver"}
    ]


def named(function: Function) -> rows.Row:
    """What tells functions of one readable name apart."""
    return {"raw_name": function.raw_name, "address": function.address}


def test_counts() -> None:
    sample = CountsSample(1000.0, 1.5, (FUNCTION, IFUNC), (2**63, 0), 7)
    assert rows.counts(sample) == {
        "elapsed_ns": 1_500_000_000,
        "functions": [
            {"module": "server", "function": "test::run()", **named(FUNCTION), "calls": 2**63},
            {"module": "server", "function": "memcpy", **named(IFUNC), "calls": 0},
        ],
        "lost": 7,
        "ended": None,
        "cost_percent": 0.0,
        "cost_cpu_percent": 0.0,
        "budget_percent": None,
        "suspended": [],
    }
    assert rows.counts(sample._replace(ended="exited 0"))["ended"] == "exited 0"


def test_values() -> None:
    rows_of = (ValuesRow((1, "a"), 3), ValuesRow((-2, None), 5), ValuesRow((3, math.nan), 1))
    sample = ValuesSample(1000.0, 1.5, FUNCTION, ("n", "return"), rows_of, 11, 1, 2, "exited 0")
    assert rows.values(sample) == {
        "elapsed_ns": 1_500_000_000,
        "module": "server", "function": "test::run()", **named(FUNCTION),
        "values": [
            {"args": {"n": -2, "return": None}, "count": 5},
            {"args": {"n": 1, "return": "a"}, "count": 3},
            {"args": {"n": 3, "return": "nan"}, "count": 1},
        ],
        "calls": 11, "unmatched": 1, "lost": 2, "ended": "exited 0", **FREE,
    }  # fmt: skip


def test_events() -> None:
    event = Event(FUNCTION, 123, 45, 811, 812, "worker", 0, (("n", 1), ("ok", True)), (("return", 2.5),))
    row = {
        "time_ns": 123, "pid": 811, "tid": 812, "comm": "worker", "goroutine": None, "function": "test::run()",
        "module": "server", "args": {"n": 1, "ok": True}, "return": 2.5, "duration_ns": 45,
    }  # fmt: skip
    assert rows.event(event) == row
    two = event._replace(goroutine=0xC000, results=(("return0", 1), ("return1", "nil")), duration_ns=None)
    assert rows.event(two) == row | {
        "goroutine": 0xC000, "return": {"return0": 1, "return1": "nil"}, "duration_ns": None,
    }  # fmt: skip
    assert rows.event(event._replace(arguments=(), results=())) == row | {"args": {}, "return": None}
    assert rows.events(EventsSample(1000.0, 0.5, (FUNCTION,), (event,), 9, 4, 3, 2, 1)) == {
        "elapsed_ns": 500_000_000, "events": 4, "dropped": 3, "unmatched": 2, "lost": 1, "calls": 9, "ended": None,
        **FREE,
    }  # fmt: skip


def test_one_object_a_line() -> None:
    file = io.StringIO()
    rows.write({"name": "日本\n␛"}, file)
    rows.write(rows.function(FUNCTION), file)
    lines = file.getvalue().splitlines()
    assert json.loads(lines[0]) == {"name": "日本\n␛"}
    assert lines[0] == '{"name": "日本\\n␛"}'
    assert json.loads(lines[1]) == json.loads(rows.line(rows.function(FUNCTION)))
