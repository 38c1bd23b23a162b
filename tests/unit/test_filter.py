"""What is typed after the slash."""

import signal
import time
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.elf import patterns
from tui.widgets.filter import Haystack, TooSlow, Unfinished, finished, matcher

NAMES = ["main.main", "main.Map[...]", "runtime.Main", "std::map<int, int>::at\n_ZNSt3mapIiiE2atE"]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("", NAMES),
        ("!", NAMES),
        ("MAIN", ["main.main", "main.Map[...]", "runtime.Main"]),
        ("main.*", ["main.main", "main.Map[...]"]),
        ("*main", ["main.main", "runtime.Main"]),
        ("?ain.map[...]", ["main.Map[...]"]),
        ("_zn*", [NAMES[3]]),
        ("/^main/", ["main.main", "main.Map[...]"]),
        ("/^_ZN/", [NAMES[3]]),
        ("/\\Sap</", [NAMES[3]]),
        ("!main", [NAMES[3]]),
        ("!/^main/", ["runtime.Main", NAMES[3]]),
        ("[...]", ["main.Map[...]"]),
        ("pkg:main", ["main.main", "main.Map[...]"]),
        ("pkg:MAI", []),
        ("pkg:main map", ["main.Map[...]"]),
        ("pkg:std::", [NAMES[3]]),
        ("pkg:main !/map/", ["main.main"]),
        ("!pkg:main", ["runtime.Main", NAMES[3]]),
        ("~rtMain", ["runtime.Main"]),
        ("~S at", [NAMES[3]]),
        ("!~mainm", ["runtime.Main", NAMES[3]]),
        ("~", NAMES),
    ],
)
def test_finds(typed: str, found: list[str]) -> None:
    assert list(Haystack(NAMES, str).matching(typed)) == found


@pytest.mark.parametrize(
    ("letters", "names"),
    [
        ("run", ["a.run", "runtime.run", "r.u.n", "brunt", "longer.rxxuxxn"]),
        ("hpr", ["http.post.read", "graphprinter"]),
        ("fmap", ["f.map", "foldmap"]),
    ],
)
def test_the_closest_letters_come_first(letters: str, names: list[str]) -> None:
    assert list(Haystack(list(reversed(names)), str).matching(f"~{letters}")) == names


@given(st.lists(st.text("ab.~_/!*?: ", max_size=9), max_size=9), st.text("ab.~ !*?:", max_size=6))
def test_typing_letter_by_letter_finds_what_typing_at_once_finds(names: list[str], typed: str) -> None:
    haystack = Haystack(names, str)
    for end in range(len(typed)):
        haystack.matching(typed[:end])
    assert list(haystack.matching(typed)) == list(Haystack(names, str).matching(typed))


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("file:fib.go", ["main.fib", "main.loop"]),
        ("file:srv/fib.go loop", ["main.loop"]),
        ("file:fib.go:7", ["main.fib"]),
        ("file:fib.go:2", []),
        ("file:FIB", ["main.fib", "main.loop"]),
        ("file:o:7", ["main.fib", "io.read"]),
        ("!file:fib.go", ["io.read", "unknown"]),
        ("file:", ["main.fib", "main.loop", "io.read"]),
    ],
)
def test_source_files_and_lines(typed: str, found: list[str]) -> None:
    lines = {"main.fib": "/srv/fib.go:7", "main.loop": "/srv/fib.go:21", "io.read": "/go/io.go:7"}
    names = ["main.fib", "main.loop", "io.read", "unknown"]
    rows = Haystack(names, lambda name: f"{name}\nfile:{lines[name]}" if name in lines else name)
    assert list(rows.matching(typed)) == found


@pytest.mark.parametrize("rust", ["<alloc::vec::vec<u8> as core::fmt::debug>::fmt", "&mut alloc::x", "alloc::a"])
def test_a_package_is_found_behind_rusts_brackets(rust: str) -> None:
    assert Haystack([rust], str).matching("pkg:alloc") == [rust]


@pytest.mark.parametrize("typed", ["/", "//", "/main", "/(main/", "!/x", "/[/", "/*/", "/a{99999999999}/"])
def test_half_an_expression_is_unfinished(typed: str) -> None:
    assert not finished(typed)
    with pytest.raises(Unfinished):
        matcher(typed)


def test_an_expression_never_warns() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert matcher("/[[a]/") is not None


def test_a_hundred_thousand_names_are_filtered_between_two_keystrokes() -> None:
    names = [f"github.com/some/module.(*Type{index}).Method" for index in range(100_000)]
    haystack = Haystack(names, str)
    started = time.process_time()
    assert len(haystack.matching("type9999")) == 11
    assert time.process_time() - started < 0.1


def test_an_expression_that_would_take_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "PATIENCE", 0.05)
    before = signal.getsignal(signal.SIGVTALRM)
    haystack = Haystack(["a" * 200], str)
    with pytest.raises(TooSlow):
        haystack.matching("/(.*)*(.*)*(.*)*x{1,5}\\1z/")
    assert haystack.matching("/a/") == haystack.rows
    assert signal.getitimer(signal.ITIMER_VIRTUAL)[0] == 0
    assert signal.getsignal(signal.SIGVTALRM) == before
