import io
import json

from tui.collectors.samples import CountsSample, Process
from tui.elf.names import Function, Skipped
from tui.export import rows

FUNCTION = Function("server", "test::run()", "_ZN4test3runEv", 0x401000, 16, "symtab", 0x1000, ("run2",))
IFUNC = FUNCTION._replace(name="memcpy", aliases=(), unprobeable="a resolver")
PROCESS = Process(811, 99, 1, "server", "root", 12.3456, 4096, 2, "c++", "./server --fast")


def test_processes() -> None:
    assert rows.process(PROCESS) == {
        "pid": 811, "name": "server", "user": "root", "cpu_percent": 12.35, "rss_bytes": 4096, "language": "c++",
        "command": "./server --fast",
    }  # fmt: skip


def test_functions() -> None:
    row = rows.function(FUNCTION)
    assert {key: row[key] for key in ("module", "function", "raw_name", "address", "size", "origin")} == {
        "module": "server", "function": "test::run()", "raw_name": "_ZN4test3runEv", "address": 0x401000, "size": 16,
        "origin": "symtab",
    }  # fmt: skip
    assert (row["unprobeable"], rows.function(IFUNC)["unprobeable"]) == (None, "a resolver")


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
        "budget_percent": None,
        "suspended": [],
    }
    assert rows.counts(sample._replace(ended="exited 0"))["ended"] == "exited 0"


def test_one_object_a_line() -> None:
    file = io.StringIO()
    rows.write({"name": "日本\n␛"}, file)
    rows.write(rows.function(FUNCTION), file)
    lines = file.getvalue().splitlines()
    assert json.loads(lines[0]) == {"name": "日本\n␛"}
    assert lines[0] == '{"name": "日本\\n␛"}'
    assert json.loads(lines[1]) == json.loads(rows.line(rows.function(FUNCTION)))
