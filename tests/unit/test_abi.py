"""Where values lie, by convention: tables. That these are true is shown on real programs by the kernel tests."""

import pytest

from tui.elf import abi
from tui.elf.declarations import Declaration, Language, Member, Parameter, Piece, Shape, Type
from tui.elf.values import Fetch, Kind, Signature, Value

CHAR = Type("char", Kind.INT, size=1, align=1)
SHORT = Type("short", Kind.INT, size=2, align=2)
INT = Type("int", Kind.INT, size=4, align=4)
LONG = Type("long", Kind.INT)
HUGE = Type("__int128", Kind.UNREADABLE, size=16, align=16, why="a number of 128 bits")
FLOAT = Type("float", Kind.FLOAT, Shape.FLOAT, 4, 4)
DOUBLE = Type("double", Kind.FLOAT, Shape.FLOAT)
WIDE = Type("long double", Kind.UNREADABLE, Shape.X87, 16, 16, why="a number of 128 bits")
VECTOR = Type("__m128", Kind.UNREADABLE, Shape.FLOAT, 16, 16, why="a vector")
TEXT = Type("const char *", Kind.CSTRING)
POINTER = Type("void *", Kind.POINTER)


def struct(*types: Type, packed: bool = False, name: str = "struct s", kind: Kind = Kind.UNREADABLE) -> Type:
    """Members a, b, c, …, where a compiler puts them."""
    members, at = [], 0
    for letter, each in zip("abcdefgh", types, strict=False):
        at += 0 if packed else -at % each.align
        members.append(Member(letter, at, each))
        at += each.size
    align = 1 if packed else max((each.align for each in types), default=1)
    return Type(name, kind, Shape.STRUCT, at + -at % align, align, tuple(members))


def array(element: Type, count: int) -> Type:
    elements = tuple(Member(f"[{at}]", at * element.size, element) for at in range(count))
    return Type(f"{element.name}[{count}]", Kind.UNREADABLE, Shape.ARRAY, count * element.size, element.align, elements)


GO_STRING = struct(POINTER, LONG, name="string", kind=Kind.STRING)
GO_SLICE = struct(POINTER, LONG, LONG, name="[]int", kind=Kind.SLICE)
GO_ERROR = struct(POINTER, POINTER, name="error", kind=Kind.ERROR)


def place(at: Fetch | None) -> str:
    """`di`, `di>>32`, `sp[8]`, `di[16,0]`; `-` for nowhere."""
    if at is None:
        return "-"
    offsets = f"[{','.join(map(str, at.offsets))}]" if at.offsets else ""
    return at.register + offsets + (f">>{at.shift}" if at.shift else "")


def places(values: tuple[Value, ...]) -> list[str]:
    return [place(each.at) + (f" {place(each.length)}" if each.length else "") for each in values]


def signature(language: Language, types: list[Type], *results: Type) -> Signature:
    parameters = tuple(
        Parameter(letter, each) for letter, each in zip("pqrstuvwxyzabcdefghijklmno", types, strict=False)
    )
    return abi.signature(Declaration(language, parameters, tuple(Parameter("", each) for each in results)))


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ([], []),
        ([INT] * 9, ["di", "si", "dx", "cx", "r8", "r9", "sp[8]", "sp[16]", "sp[24]"]),
        ([CHAR, DOUBLE, TEXT, FLOAT, LONG], ["di", "-", "si", "-", "dx"]),
        ([DOUBLE] * 8 + [FLOAT, DOUBLE, INT], ["-"] * 8 + ["sp[8]", "sp[16]", "di"]),
        ([struct(INT, INT), INT], ["di", "di>>32", "si"]),
        ([struct(CHAR, SHORT, INT)], ["di", "di>>16", "di>>32"]),
        ([struct(LONG, INT, SHORT)], ["di", "si", "si>>32"]),
        ([struct(DOUBLE, LONG), INT], ["-", "di", "si"]),
        ([struct(INT, FLOAT), INT], ["di", "di>>32", "si"]),  # both in one word: an integer register
        ([struct(FLOAT, FLOAT, FLOAT), INT], ["-", "-", "-", "di"]),
        ([struct(LONG, LONG, LONG), INT], ["sp[8]", "sp[16]", "sp[24]", "di"]),
        ([struct(struct(INT, INT), LONG)], ["di", "di>>32", "si"]),
        ([INT] * 5 + [struct(LONG, LONG), INT], ["di", "si", "dx", "cx", "r8", "sp[8]", "sp[16]", "r9"]),
        ([struct(CHAR, INT, packed=True), INT], ["sp[8]", "sp[9]", "di"]),
        ([array(INT, 2), INT], ["di", "di>>32", "si"]),
        ([struct(), INT], ["-", "di"]),
        ([HUGE, INT], ["-", "dx"]),
        ([INT] * 5 + [HUGE, INT, INT], ["di", "si", "dx", "cx", "r8", "-", "r9", "sp[24]"]),
        ([WIDE, INT] + [INT] * 6, ["-", "di", "si", "dx", "cx", "r8", "r9", "sp[24]"]),
        ([INT] * 7 + [WIDE, INT], ["di", "si", "dx", "cx", "r8", "r9", "sp[8]", "-", "sp[40]"]),
        ([struct(WIDE), LONG] + [LONG] * 6, ["-", "di", "si", "dx", "cx", "r8", "r9", "sp[24]"]),
        ([VECTOR, struct(VECTOR), INT], ["-", "-", "di"]),
    ],
)
def test_parameters_of_c(types: list[Type], expected: list[str]) -> None:
    assert places(signature(Language.C, types).parameters) == expected


@pytest.mark.parametrize(
    ("result", "expected", "first"),
    [
        (INT, ["ax"], "di"),
        (struct(INT, INT), ["ax", "ax>>32"], "di"),
        (struct(LONG, TEXT), ["ax", "dx"], "di"),
        (struct(DOUBLE, LONG), ["-", "ax"], "di"),
        (DOUBLE, ["-"], "di"),
        (WIDE, ["-"], "di"),
        (HUGE, ["-"], "di"),
        (struct(LONG, LONG, LONG), ["ax[0]", "ax[8]", "ax[16]"], "si"),
        (struct(CHAR, INT, packed=True), ["ax[0]", "ax[1]"], "si"),
        (struct(INT)._replace(by_address=True), ["ax[0]"], "si"),
    ],
)
def test_results_of_c(result: Type, expected: list[str], first: str) -> None:
    found = signature(Language.CPP, [INT], result)
    assert places(found.results) == expected
    assert places(found.parameters) == [first]
    assert {each.name.partition(".")[0] for each in found.results} == {"return"}


def test_what_cpp_cannot_copy_is_passed_by_address() -> None:
    counted = struct(LONG, INT)._replace(by_address=True)
    found = signature(Language.CPP, [counted, *[INT] * 5, counted])
    assert places(found.parameters) == ["di[0]", "di[8]", "si", "dx", "cx", "r8", "r9", "sp[8,0]", "sp[8,8]"]


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ([INT] * 11, ["ax", "bx", "cx", "di", "si", "r8", "r9", "r10", "r11", "sp[8]", "sp[12]"]),
        ([GO_STRING, GO_SLICE, GO_ERROR, INT], ["ax bx", "cx di", "r8", "r10"]),
        ([LONG] * 8 + [GO_STRING, INT], ["ax", "bx", "cx", "di", "si", "r8", "r9", "r10", "sp[8] sp[16]", "r11"]),
        ([struct(INT, GO_STRING, CHAR), INT], ["ax", "bx cx", "di", "si"]),
        ([DOUBLE, INT, FLOAT, INT], ["-", "ax", "-", "bx"]),
        ([DOUBLE] * 15 + [FLOAT, INT], ["-"] * 15 + ["sp[8]", "ax"]),
        ([array(INT, 1), array(INT, 2), INT], ["ax", "sp[8]", "sp[12]", "bx"]),
        ([struct(INT, array(INT, 2)), INT], ["sp[8]", "sp[12]", "sp[16]", "ax"]),
        ([struct(), array(INT, 0), INT], ["-", "-", "ax"]),
        ([array(CHAR, 3), array(LONG, 2), INT], ["sp[8]", "sp[9]", "sp[10]", "sp[16]", "sp[24]", "ax"]),
    ],
)
def test_parameters_of_go(types: list[Type], expected: list[str]) -> None:
    assert places(signature(Language.GO, types).parameters) == expected


def test_results_of_go_begin_with_the_first_register_again() -> None:
    found = signature(Language.GO, [LONG, GO_STRING], *[LONG] * 8, GO_STRING, GO_ERROR, INT)
    assert [each.name for each in found.results[:2]] == ["return0", "return1"]
    assert places(found.results) == ["ax", "bx", "cx", "di", "si", "r8", "r9", "r10", "sp[8] sp[16]", "sp[24]", "r11"]


def test_results_of_go_on_the_stack_come_after_the_parameters_there() -> None:
    found = signature(Language.GO, [array(CHAR, 3)], array(LONG, 2), INT)
    assert places(found.results) == ["sp[16]", "sp[24]", "ax"]


def test_before_go_had_registers() -> None:
    found = signature(Language.GO_STACK, [CHAR, LONG, GO_STRING, CHAR], CHAR, DOUBLE)
    assert places(found.parameters) == ["sp[8]", "sp[16]", "sp[24] sp[32]", "sp[40]"]
    assert places(found.results) == ["sp[48]", "sp[56]"]


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ([struct(INT, LONG), INT], ["di", "si", "dx"]),
        ([struct(CHAR, CHAR, SHORT), INT], ["di", "di>>8", "di>>16", "si"]),
        ([struct(INT, INT, INT), INT], ["di[0]", "di[4]", "di[8]", "si"]),
        ([struct(DOUBLE, DOUBLE), INT], ["-", "-", "di"]),
        ([struct(FLOAT, FLOAT, FLOAT), INT], ["di[0]", "di[4]", "di[8]", "si"]),
        ([array(FLOAT, 1), array(CHAR, 3), array(LONG, 2)], ["di", "si", "si>>8", "si>>16", "dx[0]", "dx[8]"]),
        ([LONG] * 5 + [struct(LONG, LONG), INT], ["di", "si", "dx", "cx", "r8", "r9", "sp[8]", "sp[16]"]),
        ([HUGE, INT], ["-", "dx"]),
    ],
)
def test_parameters_of_rust(types: list[Type], expected: list[str]) -> None:
    assert places(signature(Language.RUST, types).parameters) == expected


def test_results_of_rust() -> None:
    assert places(signature(Language.RUST, [], struct(INT, LONG)).results) == ["ax", "dx"]
    assert places(signature(Language.RUST, [], struct(INT, INT, INT)).results) == ["ax[0]", "ax[4]", "ax[8]"]


def test_what_an_address_leads_to() -> None:
    number = POINTER._replace(name="double *", target=DOUBLE)
    record = POINTER._replace(name="struct s *", target=struct(TEXT, struct(INT, INT)))
    found = signature(Language.C, [number, record])
    assert [(each.name, each.kind, place(each.at)) for each in found.parameters] == [
        ("p", Kind.POINTER, "di"),
        ("*p", Kind.FLOAT, "di[0]"),
        ("q", Kind.POINTER, "si"),
    ]
    assert [(each.name, place(each.at)) for each in found.fields] == [
        ("q->a", "si[0]"),
        ("q->b.a", "si[8]"),
        ("q->b.b", "si[12]"),
    ]


def test_references_are_written_as_what_they_refer_to() -> None:
    string = Type("std::string", Kind.STRING, Shape.STRUCT, 32, by_address=True)
    text = POINTER._replace(name="const std::string &", target=string, reference=True)
    record = POINTER._replace(name="s &", target=struct(INT), reference=True)
    found = signature(Language.CPP, [text, *[INT] * 5, text, record])
    assert found.parameters[0] == Value(
        "p", "const std::string &", Kind.STRING, 8, Fetch("di", (0,)), Fetch("di", (8,))
    )
    assert places(found.parameters[6:]) == ["sp[8,0] sp[8,8]", "sp[16]"]
    assert [(each.name, place(each.at)) for each in found.fields] == [("w.a", "sp[16,0]")]


def test_members_without_a_name_are_their_parents() -> None:
    base = struct(INT, INT)
    derived = Type("d", Kind.UNREADABLE, Shape.STRUCT, 16, 8, (Member("", 0, base), Member("x", 8, LONG)))
    found = signature(Language.CPP, [POINTER._replace(target=derived), derived])
    assert [each.name for each in found.fields] == ["p->a", "p->b", "p->x"]
    assert [each.name for each in found.parameters] == ["p", "q.a", "q.b", "q.x"]


def test_a_struct_of_many_fields_is_shown_by_those_that_are_asked_for() -> None:
    found = signature(Language.C, [struct(*[CHAR] * 5), INT], struct(*[LONG] * 5))
    whole, _ = found.parameters
    assert (whole.name, whole.kind, whole.why) == ("p", Kind.UNREADABLE, "5 bytes: ask for a field, such as p.a")
    assert places(found.fields) == ["si", "si>>8", "si>>16", "si>>24", "si>>32"]
    assert places(found.result_fields) == ["ax[0]", "ax[8]", "ax[16]", "ax[24]", "ax[32]"]


def altered(*pieces: tuple[Piece, ...], is_altered: bool = True) -> Signature:
    parameters = tuple(Parameter(letter, LONG, each) for letter, each in zip("pqr", pieces, strict=False))
    return abi.signature(Declaration(Language.C, parameters, (), altered=is_altered, note="a variant"))


def test_of_a_variant_only_what_is_told_is_known() -> None:
    found = altered((Piece(0, 8, "di"),), (), (Piece(0, 8, "si"),))
    assert places(found.parameters) == ["di", "-", "si"]
    assert found.parameters[1].why == "the compiler took it away, or keeps it elsewhere"
    assert found.note == "a variant"


def test_what_is_told_corrects_the_convention() -> None:
    found = altered((Piece(0, 8, "di"),), (), (Piece(0, 8, "r8"),), is_altered=False)
    assert places(found.parameters) == ["di", "si", "r8"]
    assert places(altered((Piece(0, 8, ""),), is_altered=False).parameters) == ["-"]


def test_why_something_cannot_be_read() -> None:
    found = signature(Language.C, [DOUBLE, HUGE, VECTOR, struct()], WIDE)
    assert [each.why for each in found.parameters] == [
        "in a vector register, which BPF can't read",
        "a number of 128 bits",
        "a vector",
        "",
    ]
    assert found.results[0].why == "a number of 128 bits"


def test_values_that_lie_too_far_away() -> None:
    large = Type("struct s", Kind.UNREADABLE, Shape.STRUCT, (1 << 31) - 1, 8, (Member("a", 0, INT),))
    found = signature(Language.C, [large, large, large, INT])
    assert places(found.parameters) == ["sp[8]", "-", "-", "di"]
    assert found.parameters[2].why == "too far up the stack"
    assert all(each.at is None or max((*each.at.offsets, 0)) < 1 << 31 for each in found.parameters)
