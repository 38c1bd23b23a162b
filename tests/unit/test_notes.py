"""Many functions are told in few lines, by reason."""

from tests.unit.test_budget import function
from tui.commands import notes
from tui.elf.names import Skipped


def some(reason: str, number: int, first: int = 0) -> list[Skipped]:
    return [Skipped(function(at), reason) for at in range(first, first + number)]


def test_one() -> None:
    assert list(notes.grouped("skipped", some("too short", 1))) == ["skipped f0: too short"]


def test_several_of_one_reason() -> None:
    assert list(notes.grouped("skipped", some("too short", 3))) == ["skipped 3 functions: too short (f0, f1, f2)"]
    assert list(notes.grouped("skipped", some("too short", 55))) == [
        "skipped 55 functions: too short (f0, f1, f2, … --json names them all)"
    ]


def test_many_reasons_are_few_lines_the_most_frequent_first() -> None:
    rows = [row for at in range(9) for row in some(f"reason {at}", at + 1)]
    lines = list(notes.grouped("skipped", rows))
    assert len(lines) == 5
    assert lines[0].startswith("skipped 9 functions: reason 8 (")
    assert lines[-1] == "skipped 15 more for 5 other reasons (--json names them all)"


def test_values_that_are_not_read_are_grouped_by_why() -> None:
    rows = [Skipped(function(at), f"v{at} (std::map<int, int>) isn't read: it is in memory") for at in range(2)]
    assert list(notes.grouped("inexact:", rows)) == [
        "inexact: 2 functions: isn't read: it is in memory (v0 of f0, v1 of f1)"
    ]


def test_long_names_and_reasons_are_cut() -> None:
    long = function(1)._replace(name="ns::Registry<std::basic_string<char, std::char_traits<char> > >::insert(int)")
    (line,) = notes.grouped("skipped", [Skipped(long, "x" * 900)])
    assert len(line) < 220
    assert line.startswith("skipped ns::Registry<std::b…")
    assert notes.short(long.name).endswith("::insert")
    assert notes.short("a::B<void (*)(int), int>::~B(int)") == "a::B<void (*)(int), int>::~B"
    assert notes.short("(anonymous namespace)::f(int)") == "(anonymous namespace)::f"
