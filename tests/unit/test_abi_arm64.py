"""Where values lie on arm64: tables, as those of test_abi.py. A guest showed on real programs that these are true."""

import pytest

from tests.unit.test_abi import (
    CHAR,
    DOUBLE,
    FLOAT,
    GO_ERROR,
    GO_SLICE,
    GO_STRING,
    HUGE,
    INT,
    LONG,
    POINTER,
    SHORT,
    TEXT,
    VECTOR,
    WIDE,
    array,
    place,
    places,
    struct,
)  # fmt: skip
from tui.elf import abi
from tui.elf.declarations import Declaration, Language, Parameter, Type
from tui.elf.reader import AARCH64
from tui.elf.values import Kind, Signature

X = [f"x{number}" for number in range(8)]


def signature(language: Language, types: list[Type], *results: Type) -> Signature:
    names = "pqrstuvwxyzabcdefghijklmno"
    parameters = tuple(Parameter(letter, each) for letter, each in zip(names, types, strict=False))
    declared = Declaration(language, parameters, tuple(Parameter("", each) for each in results))
    return abi.signature(declared, AARCH64)


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ([], []),
        ([INT] * 10, [*X, "sp[0]", "sp[8]"]),
        ([CHAR, DOUBLE, TEXT, FLOAT, LONG], ["x0", "-", "x1", "-", "x2"]),
        ([DOUBLE] * 8 + [FLOAT, DOUBLE, INT], ["-"] * 8 + ["sp[0]", "sp[8]", "x0"]),
        ([struct(INT, INT), INT], ["x0", "x0>>32", "x1"]),
        ([struct(CHAR, SHORT, INT)], ["x0", "x0>>16", "x0>>32"]),
        ([struct(LONG, INT, SHORT)], ["x0", "x1", "x1>>32"]),
        ([struct(DOUBLE, LONG), INT], ["x0", "x1", "x2"]),  # not of floats alone
        ([struct(FLOAT, DOUBLE), INT], ["x0", "x1", "x2"]),  # not of one size
        ([struct(FLOAT, FLOAT, FLOAT), INT], ["-", "-", "-", "x0"]),
        ([struct(DOUBLE, DOUBLE, DOUBLE, DOUBLE), INT], ["-", "-", "-", "-", "x0"]),
        ([array(FLOAT, 4), struct(array(DOUBLE, 2)), INT], ["-"] * 6 + ["x0"]),
        ([struct(LONG, LONG, LONG), INT], ["x0[0]", "x0[8]", "x0[16]", "x1"]),  # by address
        ([*[LONG] * 8, struct(LONG, LONG, LONG)], [*X, "sp[0,0]", "sp[0,8]", "sp[0,16]"]),
        ([*[LONG] * 7, struct(LONG, LONG), INT], [*X[:7], "sp[0]", "sp[8]", "sp[16]"]),  # and none is left
        ([INT, HUGE, INT], ["x0", "-", "x4"]),  # in an even one, and the next
        ([*[INT] * 7, HUGE, INT], [*X[:7], "-", "sp[16]"]),
        ([*[INT] * 8, CHAR, HUGE, CHAR], [*X, "sp[0]", "-", "sp[32]"]),
        ([*[DOUBLE] * 7, struct(DOUBLE, DOUBLE), DOUBLE, INT], ["-"] * 7 + ["sp[0]", "sp[8]", "sp[16]", "x0"]),
        ([VECTOR, struct(VECTOR), WIDE, INT], ["-", "-", "-", "x0"]),
        ([struct(), INT], ["-", "x0"]),
        ([struct(CHAR, INT, packed=True), INT], ["x0", "x0>>8", "x1"]),
        ([struct(INT, SHORT, INT, packed=True), INT], ["x0", "x0>>32", "-", "x2"]),
    ],
)
def test_parameters_of_c(types: list[Type], expected: list[str]) -> None:
    assert places(signature(Language.C, types).parameters) == expected


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (INT, ["x0"]),
        (struct(INT, INT), ["x0", "x0>>32"]),
        (struct(LONG, TEXT), ["x0", "x1"]),
        (struct(DOUBLE, LONG), ["x0", "x1"]),
        (struct(FLOAT, FLOAT, FLOAT, FLOAT), ["-"] * 4),
        (DOUBLE, ["-"]),
        (WIDE, ["-"]),
        (HUGE, ["-"]),
        (struct(LONG, LONG, LONG), ["-", "-", "-"]),
        (struct(INT)._replace(by_address=True), ["-"]),
    ],
)
def test_results_of_c(result: Type, expected: list[str]) -> None:
    found = signature(Language.CPP, [INT], result)
    assert places(found.results) == expected
    assert places(found.parameters) == ["x0"]  # x8 says where a large result goes


def test_why_something_cannot_be_read() -> None:
    found = signature(Language.C, [DOUBLE, struct(INT, SHORT, INT, packed=True)], struct(LONG, LONG, LONG))
    assert [each.why for each in found.parameters if not each.at] == [
        "in a vector register, which BPF can't read",
        "in parts of two registers",
    ]
    assert {each.why for each in found.results} == {
        "in memory whose address is only known when the function is entered"
    }


def test_what_cpp_cannot_copy_is_passed_by_address() -> None:
    counted = struct(LONG, INT)._replace(by_address=True)
    found = signature(Language.CPP, [counted, *[INT] * 7, counted])
    assert places(found.parameters) == ["x0[0]", "x0[8]", *X[1:], "sp[0,0]", "sp[0,8]"]


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ([INT] * 18, [f"x{number}" for number in range(16)] + ["sp[8]", "sp[12]"]),
        ([GO_STRING, GO_SLICE, GO_ERROR, INT], ["x0 x1", "x2 x3", "x5", "x7"]),
        ([DOUBLE] * 16 + [FLOAT, INT], ["-"] * 16 + ["sp[8]", "x0"]),
        ([array(INT, 1), array(INT, 2), INT], ["x0", "sp[8]", "sp[12]", "x1"]),
    ],
)
def test_parameters_of_go(types: list[Type], expected: list[str]) -> None:
    assert places(signature(Language.GO, types).parameters) == expected


def test_results_of_go() -> None:
    found = signature(Language.GO, [LONG, GO_STRING], LONG, GO_STRING, GO_ERROR)
    assert places(found.results) == ["x0", "x1 x2", "x3"]
    assert places(signature(Language.GO_STACK, [CHAR, GO_STRING], LONG).results) == ["sp[32]"]


def test_what_is_not_known_is_not_guessed() -> None:
    assert not abi.is_known(Language.RUST, AARCH64)
    assert abi.raw(AARCH64, go=False) == (tuple(X), "x0")
    assert abi.raw("riscv64", go=True) == ((), "")


def test_what_an_address_leads_to() -> None:
    number = POINTER._replace(name="double *", target=DOUBLE)
    found = signature(Language.C, [number])
    assert [(each.name, each.kind, place(each.at)) for each in found.parameters] == [
        ("p", Kind.POINTER, "x0"),
        ("*p", Kind.FLOAT, "x0[0]"),
    ]
