import pytest

from tui.bpf import plans
from tui.bpf.plans import EQUAL, VALUES, Condition, Plan, Reading
from tui.collectors import conditions, reading
from tui.collectors.reading import Wanted
from tui.elf.values import Fetch, Kind, Signature, Value
from tui.errors import UsageError

DI, SI, AX = Fetch("di"), Fetch("si"), Fetch("ax")
N = Value("n", "int", Kind.INT, 4, DI)
NAME = Value("name", "string", Kind.STRING, 8, Fetch("bx"), Fetch("cx"))
GONE = Value("x", "double", Kind.UNREADABLE, why="it is in a vector register")
FIELD = Value("p->id", "short", Kind.INT, 2, Fetch("si", (16,)))
RESULT = Value("return", "long", Kind.INT, 8, AX)
RESULT_FIELD = Value("return->id", "short", Kind.INT, 2, Fetch("ax", (16,)))
SIGNATURE = Signature((N, NAME, GONE), (RESULT,), "", (FIELD,), (RESULT_FIELD,))


def where(text: str) -> tuple[conditions.Comparison, ...]:
    return conditions.parse(text)


def test_every_parameter_that_can_be_read() -> None:
    reads = reading.choose(Wanted(), SIGNATURE, returns=False)
    assert (reads.parameters, reads.results, reads.names) == ((N, NAME), (), ("n", "name"))
    assert reads.unread == ("x (double) isn't read: it is in a vector register",)
    assert reads.plan == Plan(
        (Reading(DI, 4, signed=True), Reading(Fetch("bx"), text=True, length=Fetch("cx"))), returns=False
    )


def test_what_was_named_in_that_order() -> None:
    reads = reading.choose(Wanted(("p->id", "n", "n"), results=True), SIGNATURE, returns=True)
    assert (reads.parameters, reads.results) == ((FIELD, N), (RESULT,))
    with pytest.raises(UsageError, match="there is no m: this function has n, name, x"):
        reading.choose(Wanted(("m",)), SIGNATURE, returns=False)


def test_what_is_compared_is_read_but_not_shown() -> None:
    wanted = Wanted(("n",), where=where('return->id == 7 && name == "a" && n != 3 && p->id > 0'))
    reads = reading.choose(wanted, SIGNATURE, returns=True)
    assert reads.names == ("n",)
    entry, results, found = reads.plan.entry, reads.plan.results, reads.plan.conditions
    assert [each.hidden for each in entry] == [False, True, True]
    assert [each.at for each in entry] == [DI, Fetch("bx"), FIELD.at]
    assert results == (Reading(RESULT_FIELD.at or DI, 2, signed=True, hidden=True),)
    assert [condition.value for condition in found] == [VALUES, 1, 0, 2]
    assert found[0] == Condition(VALUES, EQUAL, 7, signed=True)


@pytest.mark.parametrize(
    ("wanted", "needed"),
    [
        (Wanted(), False),
        (Wanted(results=True), True),
        (Wanted(slower_than=1), True),
        (Wanted(where=where("n == 1 && p->id == 2")), False),
        (Wanted(where=where("n == 1 && return == 2")), True),
    ],
)
def test_what_only_a_return_tells(wanted: Wanted, *, needed: bool) -> None:
    assert reading.needs_returns(wanted, SIGNATURE) is needed


def test_what_was_named_of_another_type_or_of_the_result() -> None:
    wanted = Wanted(("n:uint8", "return->id", "bx", "return:pointer"), results=True, where=where("n == 255"))
    assert reading.needs_returns(wanted._replace(results=False), SIGNATURE)
    reads = reading.choose(wanted, SIGNATURE, returns=True)
    assert [(value.name, value.kind, value.size) for value in reads.parameters] == [
        ("n", Kind.UINT, 1), ("bx", Kind.UINT, 8),
    ]  # fmt: skip
    assert [(value.name, value.kind) for value in reads.results] == [
        ("return->id", Kind.INT), ("return", Kind.POINTER),
    ]  # fmt: skip
    assert reads.plan.conditions == (Condition(0, EQUAL, 255),)


@pytest.mark.parametrize("text", ["x == 1", "y == 1"])
def test_conditions_on_what_is_not_there(text: str) -> None:
    with pytest.raises(UsageError, match="--where"):
        reading.choose(Wanted(where=where(text)), SIGNATURE, returns=True)


def test_no_more_than_there_is_room_for() -> None:
    numbers = tuple(N._replace(name=f"n{number}") for number in range(12))
    texts = tuple(NAME._replace(name=f"t{number}") for number in range(6))
    reads = reading.choose(Wanted(where=where("n11 == 1 && n10 == 1")), Signature(numbers, ()), returns=False)
    assert reads.names == ("n0", "n1", "n2", "n3", "n4", "n5", "n10", "n11")
    assert [line.partition(" isn't read: ")[::2] for line in reads.unread] == [
        (f"n{number} (int)", "8 values are read at most") for number in (6, 7, 8, 9)
    ]
    wanted = Wanted(results=True, where=where('t5 == "a"'))
    reads = reading.choose(wanted, Signature((*texts[:3], N), (*texts[3:], RESULT)), returns=True)
    assert reads.names == ("t0", "t1", "t2", "n", "t5", "return")
    assert all("4 texts are read at most" in line for line in reads.unread)
    plans.pack(reads.plan)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (N._replace(size=3), "it has 3 bytes"),
        (N._replace(kind=Kind.FLOAT, size=10), "it has 10 bytes"),
        (N._replace(at=None), "where it lies isn't known"),
        (NAME._replace(length=None), "where its length lies isn't known"),
    ],
)
def test_what_cannot_be_read(value: Value, why: str) -> None:
    reads = reading.choose(Wanted(), Signature((value,), ()), returns=False)
    assert (reads.names, reads.unread) == ((), (f"{value.name} ({value.type}) isn't read: {why}",))
