"""Calls by what they were given and gave, against programs whose calls are known. Signatures are made by hand here."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.kernel.conftest import Start
from tests.kernel.probing import Command, pick, resolve, run
from tests.targets.running import Running
from tui.bpf.features import Method
from tui.collectors import conditions
from tui.collectors.reading import Wanted
from tui.collectors.samples import Attached, Read, ValuesSample
from tui.collectors.values import ValuesProbe
from tui.elf.values import Fetch, Kind, Signature, Value
from tui.errors import BpfscopeError, UsageError

EVERYTHING, WITH_RESULTS = Wanted(), Wanted(results=True)
ARM64 = os.uname().machine == "aarch64"
C = tuple(f"x{number}" for number in range(8)) if ARM64 else ("di", "si", "dx", "cx", "r8", "r9")
GO = C if ARM64 else ("ax", "bx", "cx", "di", "si", "r8", "r9", "r10", "r11")
RESULT = "x0" if ARM64 else "ax"
SEVENTH, EIGHTH = ((C[6],), (C[7],)) if ARM64 else (("sp", 8), ("sp", 16))
INT = Value("return", "int", Kind.INT, 4, Fetch(RESULT))
LONG = INT._replace(type="long", size=8)


def given(name: str, kind: Kind, size: int = 8, register: str = C[0], *offsets: int) -> Value:
    return Value(name, f"{kind} of {size}", kind, size, Fetch(register, offsets))


def integers(*kinds: tuple[Kind, int]) -> tuple[Value, ...]:
    return tuple(
        given(name, kind, size, register) for name, (kind, size), register in zip("abcd", kinds, C, strict=False)
    )


NARROW = Signature(integers((Kind.INT, 1), (Kind.UINT, 1), (Kind.INT, 2), (Kind.UINT, 2)), (INT,))
WIDE = Signature(integers((Kind.INT, 4), (Kind.UINT, 4), (Kind.INT, 8), (Kind.UINT, 8)), (LONG,))
FLAGGED = Signature(
    (given("on", Kind.BOOL), given("rest", Kind.UINT, 1, C[1])), (Value("return", "bool", Kind.BOOL, 1, Fetch(RESULT)),)
)
NAMED = Signature(
    (given("name", Kind.CSTRING), given("number", Kind.INT, 8, C[1])),
    (Value("return", "const char *", Kind.CSTRING, 8, Fetch(RESULT)),),
)
FIBONACCI = Signature((given("n", Kind.INT, 4),), (LONG,))
SLOW = Signature((given("microseconds", Kind.INT),), ())
HOT = Signature((given("number", Kind.INT, 4),), (INT,))


@contextmanager
def probing(
    process: Running, name: str, signature: Signature, wanted: Wanted = EVERYTHING, rows: int = 10_240
) -> Iterator[tuple[ValuesProbe, Attached]]:  # fmt: skip
    target = resolve(process.pid)
    (function,) = pick(target, name)
    with ValuesProbe(target, function, signature, wanted, rows=rows) as probe:
        yield probe, probe.add()


def where(text: str, **more: bool) -> Wanted:
    return Wanted(where=conditions.parse(text), **more)  # type: ignore[arg-type]


def rows(sample: ValuesSample) -> dict[tuple[Read, ...], int]:
    found = {row.values: row.calls for row in sample.rows}
    assert len(found) == len(sample.rows)
    return found


def whole(probe: ValuesProbe) -> dict[tuple[Read, ...], int]:
    """The rows of a sample in which every call is."""
    sample = probe.read()
    found = rows(sample)
    assert (sample.lost, sample.unmatched, sum(found.values())) == (0, 0, sample.calls)
    return found


@pytest.mark.guest
def test_integers_of_every_width_with_their_results(start: Start, method: Method) -> None:
    process = start("given", 1)
    with probing(process, "narrow", NARROW, WITH_RESULTS) as (narrow, _), probing(process, "wide", WIDE) as (wide, _):
        process.work()
        assert whole(narrow) == {(-1, 255, -2, 65535, 65787): 3, (127, 0, -32768, 1, -32640): 5}
        assert whole(wide) == {
            (-1, 4294967295, -1, 2**64 - 1): 7,
            (2147483647, 0, 2**62, 2**63): 11,
        }
        assert narrow.read().names == ("a", "b", "c", "d", "return")


def test_bools_take_one_byte_of_the_register(start: Start) -> None:
    process = start("given", 1)
    with probing(process, "flagged", FLAGGED, WITH_RESULTS) as (probe, _):
        process.work()
        found = whole(probe)
    assert found == {(True, 2, False): 13, (False, 3, True): 17}
    assert all(isinstance(values[0], bool) for values in found)


@pytest.mark.guest
def test_texts_of_every_length_and_none_at_all(start: Start) -> None:
    process = start("given", 1)
    with probing(process, "named", NAMED) as (probe, _):
        process.work()
        assert whole(probe) == {
            ("GET", 1): 3,
            ("", 2): 5,
            (0, 3): 7,
            ("x" * 62, 4): 11,
            ("x" * 63, 5): 13,
            ("x" * 63 + "…", 6): 17,
            ("x" * 63 + "…", 7): 19,
            (None, 8): 23,
            ("end", 9): 29,
            (None, 10): 31,
            ("hé␛[1m", 0): 37,
        }


def test_texts_that_are_returned(start: Start) -> None:
    process = start("given", 1)
    with probing(process, "named", NAMED, Wanted((), results=True)) as (probe, _):
        process.work()
        found = whole(probe)
    assert found["GET",] == 3
    assert found["nought",] == 37
    assert found["x" * 63 + "…",] == 17 + 19
    assert found[0,] == 7
    assert found[None,] == 23 + 31


def test_numbers_behind_pointers(start: Start) -> None:
    process = start("given", 1)
    fields = (
        given("width", Kind.FLOAT, 8, C[0], 0),
        given("height", Kind.FLOAT, 4, C[0], 8),
        given("next->width", Kind.FLOAT, 8, C[0], 16, 0),
        given("next->next", Kind.POINTER, 8, C[0], 16, 16),
        given("next->next->width", Kind.FLOAT, 8, C[0], 16, 16, 0),
    )
    with probing(process, "area", Signature(fields, ())) as (probe, _):
        process.work()
        assert whole(probe) == {(-2.25, 1.5, 0.5, 0, None): 19}


def test_more_arguments_than_registers(start: Start) -> None:
    process = start("given", 1)
    values = [given(name, Kind.INT, 8, register) for name, register in zip("abcdef", C[:6], strict=True)]
    values += [given("g", Kind.INT, 8, *SEVENTH), given("h", Kind.INT, 8, *EIGHTH), given("i", Kind.INT, 8, RESULT)]
    with probing(process, "many", Signature(tuple(values), (LONG,)), WITH_RESULTS) as (probe, attached):
        process.work()
        assert whole(probe) == {(1, 2, 3, 4, 5, 6, -7, 8, 22): 23}
    assert [reason for _, reason in attached.inexact] == ["i (int of 8) isn't read: 8 values are read at most"]


def test_the_upper_half_of_a_register(start: Start) -> None:
    process = start("given", 1)
    halves = tuple(Value(n, "int", Kind.INT, 4, Fetch(C[2], shift=shift)) for n, shift in (("low", 0), ("high", 32)))
    with probing(process, "wide", Signature(halves, ())) as (probe, _):
        process.work()
        assert whole(probe) == {(-1, -1): 7, (0, 2**30): 11}


def test_results_belong_to_their_own_arguments_in_recursion(start: Start) -> None:
    process = start("given", 1)
    with probing(process, "fibonacci", FIBONACCI, WITH_RESULTS) as (probe, _):
        process.work()
        assert whole(probe) == {
            (0, 0): 34, (1, 1): 55, (2, 1): 34, (3, 2): 21, (4, 3): 13, (5, 5): 8, (6, 8): 5, (7, 13): 3, (8, 21): 2,
            (9, 34): 1, (10, 55): 1,
        }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "signature", "condition", "numbers"),
    [
        ("narrow", NARROW, "a == -1", {3}),
        ("narrow", NARROW, "a > -2 && b <= 0", {5}),
        ("narrow", NARROW, "c < -2", {5}),
        ("narrow", NARROW, "d & 0xff00 and b >= 255", {3}),
        ("wide", WIDE, "d > 0x8000000000000000", {7}),
        ("wide", WIDE, "b != 0", {7}),
        ("flagged", FLAGGED, "on == false", {17}),
        ("flagged", FLAGGED, "on != false && rest < 3", {13}),
        ("named", NAMED, 'name == "GET"', {3}),
        ("named", NAMED, 'name == ""', {5}),
        ("named", NAMED, "name == nil", {7}),
        ("named", NAMED, f'name == "{"x" * 63}"', {13}),
        ("named", NAMED, 'name != "GET" && number < 3', {5, 37}),
        ("named", NAMED, "number >= 8 && name != nil", {29}),
        ("fibonacci", FIBONACCI, "n == 1 && n != 2 && n > 0 && n < 3", {55}),
    ],
)
def test_conditions(start: Start, name: str, signature: Signature, condition: str, numbers: set[int]) -> None:
    process = start("given", 1)
    with probing(process, name, signature, where(condition)) as (probe, _):
        truth = process.work()
        sample = probe.read()
        assert sample.calls == truth[name]
        assert (sample.lost, sample.unmatched) == (0, 0)
        assert set(rows(sample).values()) == numbers


def test_conditions_on_results_and_on_what_is_not_shown(start: Start) -> None:
    process = start("given", 1)
    shows = Wanted(("n",), where=conditions.parse("return >= 5 && n != 6"))
    hides = Wanted((), results=True, where=conditions.parse("n < 3"))
    with probing(process, "fibonacci", FIBONACCI, shows) as (shown, _):
        with probing(process, "fibonacci", FIBONACCI, hides) as (hidden, _):
            process.work()
            sample = hidden.read()
            assert (sample.names, rows(sample)) == (("return",), {(0,): 34, (1,): 55 + 34})
        sample = shown.read()
        assert (sample.names, rows(sample)) == (("n",), {(5,): 8, (7,): 3, (8,): 2, (9,): 1, (10,): 1})
        assert (sample.calls, sample.unmatched, sample.lost) == (177, 0, 0)


def test_only_slow_calls(start: Start) -> None:
    process = start("given", 1)
    with probing(process, "slow", SLOW, Wanted(slower_than=15_000_000)) as (probe, _):
        process.work()
        sample = probe.read()
        assert (rows(sample), sample.calls, sample.unmatched) == ({(20000,): 3}, 32, 0)


def test_a_table_that_is_full(start: Start) -> None:
    process = start("given", 2003)
    with probing(process, "hot", HOT, rows=1009) as (probe, _):
        process.work()
        sample = probe.read()
        assert sample.calls == 2003
        assert len(sample.rows) == 1009
        assert sum(row.calls for row in sample.rows) + sample.lost == 2003


def test_calls_that_are_left_by_longjmp(start: Start) -> None:
    process = start("timing")
    leaves = Signature((given("leave", Kind.INT, 4),), (INT,))
    with probing(process, "leaver", leaves, Wanted(("leave",), results=True)) as (probe, _):
        process.work()
        sample = probe.read()
        found = {values[0]: number for values, number in rows(sample).items()}
        assert (sample.calls, found) == (186, {0: 89})
        assert sample.unmatched == 97  # the first call that returned found the last that didn't


def test_threads_that_end_inside_a_call(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.collectors.calls._SWEEP_SECONDS", 0.0)
    process = start("timing")
    with probing(process, "exits", HOT, WITH_RESULTS) as (probe, _):
        process.work()
        sample = probe.read()
        assert (sample.calls, sample.rows, sample.unmatched, sample.lost) == (59, (), 59, 0)
        assert probe.read().unmatched == 59


def test_many_threads_at_once(start: Start, method: Method) -> None:
    process = start("timing")
    with probing(process, "threaded", HOT, WITH_RESULTS) as (probe, _):
        process.work()
        assert {values[0]: number for values, number in whole(probe).items()} == {1: 6464}


@pytest.mark.guest
def test_go(start: Start) -> None:
    process = start("given-go")
    greet = Signature(
        (
            Value("name", "string", Kind.STRING, 8, Fetch(GO[0]), Fetch(GO[1])),
            Value("loud", "bool", Kind.BOOL, 1, Fetch(GO[2])),
        ),
        (Value("return", "int", Kind.INT, 8, Fetch(GO[0])),),
    )
    total = Signature((Value("numbers", "[]int32", Kind.SLICE, 8, Fetch(GO[0]), Fetch(GO[1])),), (LONG,))
    check = Signature(
        (given("number", Kind.INT, 8, GO[0]),),
        (
            Value("return0", "string", Kind.STRING, 8, Fetch(GO[0]), Fetch(GO[1])),
            Value("return1", "error", Kind.ERROR, 8, Fetch(GO[2])),
        ),
    )
    with (
        probing(process, "main.greet", greet, WITH_RESULTS) as (greetings, _),
        probing(process, "main.total", total, WITH_RESULTS) as (totals, _),
        probing(process, "main.check", check, WITH_RESULTS) as (checks, _),
    ):
        process.work()
        assert whole(greetings) == {
            ("Ada", True, 3): 3,
            ("z" * 63 + "… (1,000 bytes)", False, 1000): 5,
            ("", False, 0): 1,
        }
        assert whole(totals) == {(4, 2): 7, (0, 0): 1}
        short = {(number, "é" * number, "nil"): 1 for number in range(0, 32, 3)}
        long = {(number, "é" * 31 + f"… ({2 * number} bytes)", "nil"): 1 for number in (33, 36, 39)}
        assert whole(checks) == {(-3, "", "not nil"): 1} | short | long


def test_goroutines_whose_stacks_grow_and_that_change_threads(start: Start) -> None:
    process = start("given-go")
    values = (given("depth", Kind.INT, 8, GO[0]), given("number", Kind.INT, 8, GO[1]))
    with probing(process, "main.descend", Signature(values, (LONG,)), WITH_RESULTS) as (probe, _):
        process.work()
        assert whole(probe) == {(depth, number, depth * number): 1 for depth in range(1, 51) for number in range(20)}


def test_what_cannot_be_asked_for(start: Start) -> None:
    process = start("given", 1)
    unreadable = Value("x", "double", Kind.UNREADABLE, why="it is in a vector register")
    for signature, wanted, error, words in (
        (Signature((), ()), Wanted(), BpfscopeError, "nothing of slow can be read"),
        (Signature((unreadable,), ()), Wanted(), BpfscopeError, "vector register"),
        (Signature((unreadable,), ()), where("x > 1"), UsageError, "vector register"),
        (SLOW, where("speed > 1"), UsageError, "no value is called speed; there are microseconds"),
        (SLOW, Wanted(("speed",)), UsageError, "there is no speed: this function has microseconds"),
    ):
        with pytest.raises(error, match=words), probing(process, "slow", signature, wanted):
            pass


@pytest.mark.requires("x86-64")  # GCC moves no cold parts out on arm64
def test_results_where_returns_are_not_known(start: Start) -> None:
    process = start("stacks")
    with pytest.raises(BpfscopeError, match="never returns"), probing(process, "_start", HOT, WITH_RESULTS):
        pass
    with pytest.raises(BpfscopeError, match="jumped to"), probing(process, "split.cold", HOT):
        pass


@pytest.mark.preempt_full
def test_hits_that_interrupt_one_another_keep_their_values(start: Start) -> None:
    process = start("realtime", 20_011)
    with probing(process, "contended", HOT, WITH_RESULTS, rows=1 << 15) as (probe, _):
        truth = process.work()
        found = whole(probe)
    assert sum(found.values()) == truth["contended"]
    assert {result for _, result in found} == {number + 1 for number, _ in found}  # type: ignore[operator]
    assert {number: calls for (number, _), calls in found.items() if number not in {0, 1}} == dict.fromkeys(
        range(2, 20_011), 1
    )


def test_the_command(start: Start) -> None:
    process = start("given", 1)
    with Command(process.pid, "fibonacci", "--ret", "--where", "n >= 8", name="args") as command:
        truth = process.work()
        process.end()
        summary = command.finish()
    assert command.attached == {"kind": "attached", "attached": 1, "skipped": []}
    assert [(row["args"], row["count"]) for row in summary["values"]] == [
        ({"n": 8, "return": 21}, 2), ({"n": 9, "return": 34}, 1), ({"n": 10, "return": 55}, 1),
    ]  # fmt: skip
    assert (summary["calls"], summary["unmatched"], summary["lost"]) == (truth["fibonacci"], 0, 0)
    assert summary["function"] == "fibonacci"
    assert all(row["kind"] == "interval" for row in command.rows[:-1])


def test_the_command_wants_one_function(start: Start) -> None:
    process = start("given", 1)
    done = run("args", process.pid, "*a*")
    assert (done.returncode, done.stdout) == (2, "")
    assert "FUNCTION must name one function, not" in done.stderr


def test_the_target_ends(start: Start) -> None:
    process = start("given", 7)
    with probing(process, "hot", HOT) as (probe, _):
        process.work()
        process.end_unreaped()
        sample = probe.read()
        assert sample.ended == "exited 0"
        assert rows(sample) == {(number,): 1 for number in range(7)}
