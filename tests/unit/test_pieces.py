"""Text that fits its cells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.widgets.pieces import cut_end, cut_middle, cut_start, fit, length, wrap


def plain(pieces: tuple[tuple[str, str], ...]) -> str:
    return "".join(text for text, _ in pieces)


TEXTS = ["", "a", "main.fibonacciRecursive", "日本語の関数の名前です", "e\u0301galite\u0301 e\u0301galite\u0301", "[/]"]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("width", [0, 1, 2, 3, 8, 9, 10, 17, 40])
@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("middle", [False, True])
def test_fits_exactly(text: str, width: int, right: bool, middle: bool) -> None:
    pieces = fit(text, width, right=right, middle=middle)
    assert length(pieces) == width
    assert cell_len(plain(pieces)) == width


def test_says_where_it_was_cut() -> None:
    assert cut_end("fibonacci", 5) == "fibo…"
    assert cut_end("fibonacci", 9) == "fibonacci"
    assert cut_middle("github.com/a/b.Fibonacci", 14) == "github.…onacci"
    assert plain(fit("abc", 5, right=True)) == "  abc"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("shop::Store<int, std::vector<int> >::add(std::vector<int> const&, int)", "shop::Store<…>::add(…)"),
        ("shop::add(int, std::vector<int> const&)", "shop::add(…)"),
        ("(anonymous namespace)::f(int, long, char)", "(anonymous namespace)::f(…)"),
        ("<alloc::Vec<T,A> as Drop>::drop::inner::f", "<alloc::Vec<…> as Drop>::drop::inner::f"),
        ("std::operator<< <std::x<char> >(std::ostream&)", "std::operator<< <std::x<char> >(…)"),
        ("std::foo<int>::operator->()::aaaaaaaaaaaaaa", "std::foo<…>::operator->()::aaaaaaaaaaaaaa"),
    ],
)
def test_parameters_go_first(name: str, shown: str) -> None:
    assert cut_middle(name, max(cell_len(shown), 9)) == shown


@pytest.mark.parametrize(
    ("name", "width", "shown"),
    [
        ("node::Worker<json>::operator bool() const", 30, "node::Wo…operator bool() const"),
        ("a::b::Tree<int>::erase(std::tree_node<int>*)", 36, "a::b::Tree<int>::erase(std::t…e<…>*)"),
        ("a::b::Tree<int>::erase(std::tree_iterator<int>)", 36, "a::b::Tree<int>::erase(std::t…or<…>)"),
        ("std::function<void (int, long)>::call(int)", 38, "std::function<void (…long)>::call(int)"),
    ],
)
def test_what_tells_rows_apart_stays(name: str, width: int, shown: str) -> None:
    assert cut_middle(name, width) == shown


@given(st.text("ab<>()-: ,", max_size=80), st.integers(0, 60))
def test_hostile_names_are_cut_too(name: str, width: int) -> None:
    cut = cut_middle(name, width)
    assert cell_len(cut) <= width or cut == name
    assert "……" not in cut


def test_addresses_keep_their_last_digits() -> None:
    assert cut_start("7f093096a4c0", 9) == "…3096a4c0"
    assert cut_start("4a1d20", 9) == "4a1d20"


def test_pieces_keep_their_roles() -> None:
    assert fit((("malloc", ""), ("  also __libc_malloc", "dim")), 12) == (("malloc", ""), ("  als…", "dim"))


@pytest.mark.parametrize("width", [1, 2, 8, 11, 80])
def test_wraps_everything(width: int) -> None:
    text = "std::vector<std::pair<int, 日本語>>::push_back is a long name"
    lines = wrap(text, width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(cell_len(line) <= max(2, width) for line in lines)
