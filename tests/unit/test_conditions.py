import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.bpf.plans import BITS, EQUAL, LESS, MORE, NO_TEXT, Condition
from tui.collectors import conditions
from tui.collectors.conditions import Comparison, Name
from tui.elf.values import Fetch, Kind, Value
from tui.errors import UsageError


def value(kind: Kind, size: int = 8, why: str = "") -> Value:
    return Value("n", "type", kind, size, Fetch("di"), Fetch("si"), why)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("n > 10", [("n", ">", 10)]),
        ("n>10&&m<=-0x1F", [("n", ">", 10), ("m", "<=", -31)]),
        ("  n & 4 && m != 0 and k >= 3 ", [("n", "&", 4), ("m", "!=", 0), ("k", ">=", 3)]),
        ('name == "GET"', [("name", "==", b"GET")]),
        ('a == "&& b" && b == ""', [("a", "==", b"&& b"), ("b", "==", b"")]),
        (r'a == "\"\\\n\t\r\0\x1f\xFF"', [("a", "==", b'"\\\n\t\r\0\x1f\xff')]),
        ('a == "é\udcff"', [("a", "==", b"\xc3\xa9\xff")]),
        ("p->next->n < 3 && s.x == 1", [("p->next->n", "<", 3), ("s.x", "==", 1)]),
        ("ok == true and err != nil && p == NULL", [("ok", "==", True), ("err", "!=", None), ("p", "==", None)]),
        ("and == 1 and und == 2", [("and", "==", 1), ("und", "==", 2)]),
    ],
)
def test_comparisons(text: str, found: list[tuple[str, str, object]]) -> None:
    assert list(conditions.parse(text)) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected a comparison such as n > 10 at the end"),
        ("n", "expected a comparison"),
        ("n >", "expected a comparison"),
        ("n > 10 &&", "expected a comparison such as n > 10 at the end"),
        ("n = 10", "expected a comparison"),
        ("n > 10 m < 3", "expected && at m < 3"),
        ("n > 10 || m < 3", "expected && at"),
        ("n > 1e3", "1e3 is no number"),
        ("n == 'a'", "'a' is no number"),
        ("d > -1.5", "-1.5 has a fraction, and the kernel compares whole numbers only"),
        (r'n == "\q"', r"\\q means nothing in a text"),
        (r'n == "\x1"', "means nothing in a text"),
        ('n == "open', "expected a comparison"),
        ("n == \x1b[2J", "␛"),
        (" && ".join(["n > 1"] * 5), "at most 4 comparisons, not 5"),
    ],
)
def test_what_is_no_condition(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        conditions.parse(text)


def test_several_texts_add_up() -> None:
    assert conditions.parse("n > 1", "m < 3 && k == 4") == conditions.parse("n > 1 && m < 3 && k == 4")
    with pytest.raises(UsageError, match="at most 4 comparisons, not 6"):
        conditions.parse(*["n > 1 && m > 1"] * 3)


@given(st.text(alphabet='n&>=!<"\\ x10and-', max_size=30))
def test_any_text_is_a_condition_or_wrong_usage(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert 1 <= len(conditions.parse(text)) <= 4


@pytest.mark.parametrize(
    ("kind", "size", "operator", "constant", "condition"),
    [
        (Kind.INT, 1, ">", -128, Condition(3, MORE, -128, signed=True)),
        (Kind.UINT, 8, "<=", 2**64 - 1, Condition(3, LESS | EQUAL, 2**64 - 1)),
        (Kind.UINT, 4, "&", 4, Condition(3, BITS, 4)),
        (Kind.SLICE, 8, ">=", 10, Condition(3, MORE | EQUAL, 10, signed=True)),
        (Kind.POINTER, 8, "!=", None, Condition(3, LESS | MORE, 0)),
        (Kind.POINTER, 8, "==", 0x1000, Condition(3, EQUAL, 0x1000)),
        (Kind.BOOL, 1, "==", True, Condition(3, LESS | MORE, 0)),
        (Kind.BOOL, 1, "!=", True, Condition(3, EQUAL, 0)),
        (Kind.BOOL, 1, "==", False, Condition(3, EQUAL, 0)),
        (Kind.ERROR, 8, "!=", None, Condition(3, LESS | MORE, 0)),
        (Kind.CSTRING, 8, "==", None, Condition(3, EQUAL, NO_TEXT)),
        (Kind.CSTRING, 8, "!=", b"", Condition(3, LESS | MORE, 0, text=b"")),
        (Kind.STRING, 8, "==", b"x" * 63, Condition(3, EQUAL, 0, text=b"x" * 63)),
    ],
)
def test_what_the_kernel_compares(
    kind: Kind, size: int, operator: str, constant: int | bytes | None, condition: Condition
) -> None:
    assert conditions.condition(Comparison("n", operator, constant), value(kind, size), 3) == condition


@pytest.mark.parametrize(
    ("kind", "size", "operator", "constant", "words"),
    [
        (Kind.INT, 1, "==", 128, "is -128 to 127, never 128"),
        (Kind.UINT, 4, ">", -1, "is 0 to 4,294,967,295, never -1"),
        (Kind.UINT, 8, "<", 2**64, "never 18,446,744,073,709,551,616"),
        (Kind.INT, 4, "==", b"3", "is compared with a number"),
        (Kind.INT, 4, "==", None, "is compared with a number"),
        (Kind.INT, 4, ">", Name("ten"), 'ten is no number, true, false or nil; a text is written "ten"$'),
        (Kind.BOOL, 1, ">", False, "is a bool"),
        (Kind.BOOL, 1, "==", 2, "is a bool"),
        (Kind.ERROR, 8, "==", 0, "can be == or != nil"),
        (Kind.STRING, 8, "==", None, "a text in quotes"),
        (Kind.CSTRING, 8, "<", b"a", "a text in quotes"),
        (Kind.CSTRING, 8, "==", 3, "a text in quotes"),
        (Kind.CSTRING, 8, "==", b"x" * 64, "a text of 64 bytes is too long"),
        (Kind.FLOAT, 8, ">", 1, "floating-point numbers can't be compared"),
        (Kind.UNREADABLE, 8, ">", 1, "can't be compared: it went away"),
    ],
)
def test_what_makes_no_sense(kind: Kind, size: int, operator: str, constant: int | bytes | None, words: str) -> None:
    why = "it went away" if kind is Kind.UNREADABLE else ""
    with pytest.raises(UsageError, match=words):
        conditions.condition(Comparison("n", operator, constant), value(kind, size, why), 3)


def test_names_of_an_enumeration() -> None:
    color = value(Kind.INT)._replace(names=((0, "RED"), (-2, "BLUE")))
    (compared,) = conditions.parse("n == BLUE")
    assert conditions.condition(compared, color, 3) == Condition(3, EQUAL, -2, signed=True)
    (wrong,) = conditions.parse("n == PINK")
    with pytest.raises(UsageError, match=r"PINK is no number, .*; names are RED, BLUE"):
        conditions.condition(wrong, color, 3)


def test_a_value_that_is_not_there() -> None:
    values = [value(Kind.INT), value(Kind.UNREADABLE)._replace(name="gone"), value(Kind.INT)._replace(name="m")]
    assert conditions.find(Comparison("m", "==", 1), values) == 2
    with pytest.raises(UsageError, match=r"no value is called k; there are n, m$"):
        conditions.find(Comparison("k", "==", 1), values)
    with pytest.raises(UsageError, match="there are none"):
        conditions.find(Comparison("k", "==", 1), [])
