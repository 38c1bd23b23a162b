import fnmatch
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.elf import patterns
from tui.elf.names import Function
from tui.errors import UsageError


def function(name: str, raw_name: str = "", aliases: tuple[str, ...] = ()) -> Function:
    return Function("program", name, raw_name or name, 0x1000, 16, "symtab", 0x1000, aliases)


def selected(pattern: str, *names: str) -> list[str]:
    return [found.name for found in patterns.select(map(function, names), pattern)]


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("main.*", "main.run", "domain.run"),
        ("*", "", "-"),
        ("m?in", "main", "min"),
        ("*.run", "a.b.run", "a.run.b"),
        ("a*b*c", "a--b--c", "a--c--b"),
        ("a*a", "aa", "a"),
        ("*ab*b", "abb", "ab"),
        ("ab*?c", "abxc", "abc"),
        ("operator new[]*", "operator new[](unsigned long)", "operator newx"),
        ("main.(*T).Run*", "main.(*T).Run", "main.T.Run"),
        ("std::vector<int, *>::size", "std::vector<int, A>::size", "std::vector<int>::size"),
        ("[ab]*", "[ab]c", "ac"),
        ("a.c*", "a.c", "abc"),
        ("a*\nb", "a1\n2\nb", "a1b"),
    ],
)
def test_only_star_and_question_mark_are_special(pattern: str, matching: str, other: str) -> None:
    matches = patterns.compile_pattern(pattern)
    assert (matches(matching) or pattern == "*", other == "-" or matches(other)) == (True, other == "-")


def test_go_generics_match_themselves() -> None:
    assert selected("main.Map[...]", "main.Map[...]", "main.Map[...].func1", "main.Mapa") == ["main.Map[...]"]


def test_an_exact_name_wins() -> None:
    assert selected("main.(*T).Run", "main.(*T).Run", "main.(xT).Run") == ["main.(*T).Run"]
    assert selected("/usr/", "/usr/", "x/usr/x") == ["/usr/"]
    assert selected("operator*", "operator*", "operator**") == ["operator*"]


def test_raw_names_and_aliases_count() -> None:
    functions = [function("test::run()", "_ZN4test3runEv"), function("malloc", aliases=("__libc_malloc",))]
    assert patterns.select(functions, "_ZN4test*") == functions[:1]
    assert patterns.select(functions, "__libc_malloc") == functions[1:]
    assert patterns.select(functions, "/^(test|__libc)/") == functions


def test_regular_expressions_are_searched() -> None:
    assert selected("/^run[0-9]$/", "run1", "run12", "xrun1") == ["run1"]
    assert selected("/un/", "run", "RUN") == ["run"]
    assert selected("/(?i)un/", "run", "RUN") == ["run", "RUN"]
    assert selected("//", "run", "walk") == ["run", "walk"]


@pytest.mark.parametrize(
    "pattern",
    ["/[/", "/(/", "/a{2,1}/", "/(?P<n>a)(?P<n>b)/", "/" + "(" * 5000 + "/", "/a{99999999999999999999}/", "/*/"],
)
def test_a_bad_regular_expression_is_wrong_usage(pattern: str) -> None:
    with pytest.raises(UsageError, match="is not a regular expression"):
        patterns.compile_pattern(pattern)


def test_what_re_warns_of_stays_off_the_screen() -> None:
    assert patterns.compile_pattern("/[[a]/")("[")  # a FutureWarning, and warnings are errors here


@pytest.mark.parametrize(
    "pattern", ["*" * 40, "a*" * 40 + "b", "*a" * 40 + "*b", "?*" * 40 + "b", "a*?" * 40 + "b", "*a?a" * 20 + "b"]
)
def test_many_stars_take_no_time(pattern: str) -> None:
    matches = patterns.compile_pattern(pattern)
    start = time.process_time()
    for length in (50, 500, 5000):
        matches("a" * length)
    assert time.process_time() - start < 0.5


def _by_hand(pattern: str, name: str) -> bool:
    """Globs, by the book: a table over both."""
    row = [True] + [False] * len(name)
    for char in pattern:
        if char == "*":
            above, row = row, []
            for cell in above:
                row.append(cell or bool(row and row[-1]))
        else:
            row = [False] + [row[at] and char in ("?", letter) for at, letter in enumerate(name)]
    return row[-1]


@given(st.text("ab*?\n[.", max_size=12), st.text("ab*?\n[.", max_size=16))
def test_globs_against_a_table(pattern: str, name: str) -> None:
    assert patterns.compile_pattern(pattern)(name) == _by_hand(pattern, name)


@given(st.text("abc*?", max_size=10), st.text("abc", max_size=14))
def test_globs_against_fnmatch(pattern: str, name: str) -> None:
    assert patterns.compile_pattern(pattern)(name) == fnmatch.fnmatchcase(name, pattern)


@given(st.text(max_size=30))
def test_any_text_is_a_pattern_or_wrong_usage(pattern: str) -> None:
    try:
        matches = patterns.compile_pattern(pattern)
    except UsageError:
        return
    regex = len(pattern) >= 2 and pattern[0] == pattern[-1] == "/"
    assert regex or matches(re.sub(r"[*?]", "x", pattern))


def test_an_expression_that_would_take_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "PATIENCE", 0.05)
    with pytest.raises(UsageError, match="takes too long"):
        selected("/(.*)*(.*)*(.*)*zz/", "a" * 200)


FIB = function("fib<5>(int)", "_Z3fibILi5EEji")._replace(returns="unsigned int")
LAMBDA = function("a::f<main::{lambda(int)#1}>(int)")._replace(returns="void")


@pytest.mark.parametrize("pattern", ["fib<5>", "fib<5>(int)", "fib<*", "/^fib/", "_Z3fib*", "unsigned int fib<5>(int)"])
def test_a_function_is_called_by_its_name_without_what_it_returns(pattern: str) -> None:
    assert patterns.select([FIB, LAMBDA], pattern) == [FIB]


@pytest.mark.parametrize("pattern", ["unsigned*", "/^unsigned/", "a::f<main::{lambda", "void"])
def test_nobody_is_called_by_what_it_returns(pattern: str) -> None:
    assert patterns.select([FIB, LAMBDA], pattern) == []


def test_brackets_of_templates_are_no_parameters() -> None:
    assert patterns.select([FIB, LAMBDA], "a::f<main::{lambda(int)#1}>") == [LAMBDA]
