"""Return types are told from the readable names of C++ templates' functions."""

import shutil
import subprocess
import time
from itertools import product
from pathlib import Path

import pytest

from tui.elf import functions, modules
from tui.elf.return_types import parted

ORACLE = ("/usr/lib/*/libstdc++.so.6", "/usr/lib/*/libLLVM-1[4-9].so.1")
ABBREVIATED = "std::basic_"  # by one of them as std::string or std::istream


@pytest.mark.parametrize(
    ("returns", "name"),
    [
        ("unsigned int", "fib<5>()"),
        ("void", "a::(anonymous namespace)::run<int>(int)"),
        ("std::vector<int, std::allocator<int> >", "a::vec<int>(int)"),
        ("std::pair<void (*)(int), bool>&", "a::S<(b)1>::get<&(a::operator<(a::S const&))>() const"),
        ("a::f(int) const::{lambda(int)#1}&&", "std::forward<a::f(int) const::{lambda(int)#1}>(int&)"),
        ("auto", "a::vec<int>(int) const::{lambda(auto:1)#1}::operator()<int>(int) const"),
        ("auto", "main::{lambda(auto:1)#3}::operator()<int>(int) const"),
        ("decltype(auto)", "a::da<int>(int)"),
        ("decltype ({parm#1}->x > {parm#1})", "a::gen<int>(int)"),
        ("std::enable_if<((4)>(3)), unsigned int>::type", "a::en<4>()"),
        ("int a::S::*", "a::S::mp<int>(int)"),
        ("int std::vector<int>::*", "a::S::mp<int>(int)"),
        ("bool", "a::operator< <int>(int, a::S)"),
        ("a::S*", "a::S::operator->*<int>(int)"),
        ("int", "a::S::operator()<int>(int)"),
        ("void*", "a::S::operator new<int>(unsigned long, int)"),
        ("long", 'a::operator"" _x<(char)49>()'),
        ("bool", "operator><int>(a::S, int)"),
        ("void", "a::f<int>(void (*)(int)) [clone .isra.0]"),
    ],
)
def test_what_stands_before_a_name(returns: str, name: str) -> None:
    assert parted(f"{returns} {name}") == (name, returns)


@pytest.mark.parametrize(
    ("text", "returns", "name"),
    [
        ("void (*a::fp<int>(int))(char)", "void (*)(char)", "a::fp<int>(int)"),
        ("int (&a::arr<int>(int)) [3]", "int (&) [3]", "a::arr<int>(int)"),
        ("int (a::S::*a::S::mfp<int>(int))(int)", "int (a::S::*)(int)", "a::S::mfp<int>(int)"),
    ],
)
def test_what_stands_around_a_name(text: str, returns: str, name: str) -> None:
    assert parted(text) == (name, returns)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "main",
        "a::S::S<int>(int)",
        "a::S::~S()",
        "std::vector<int, std::allocator<int> >::push_back(int&&)",
        "a::S<(anonymous namespace)::T, void ()>::f(int)",
        "a::S::operator unsigned long<unsigned long>()",
        "a::S::operator std::vector<int, std::allocator<int> ><std::vector<int, std::allocator<int> > >()",
        "std::istream::operator>>(long&)",
        "a::S<int, int>::operator->() const",
        "a::S<int, int>::operator>(a::S<int, int> const&)",
        "a::f(int)::{lambda(std::vector<int, long>)#1}::operator()(std::vector<int, long>) const",
        "<&T,*const ()>::{{closure}}",
        "(>()",
        "a >(",
        ">()",
        ")>()",
        "a b>()",
    ],
)
def test_names_without_one_stay(name: str) -> None:
    assert parted(name) == (name, "")


def test_nothing_is_lost_or_raised() -> None:
    for parts in product(("a", " ", "<", ">", "(", ")", ">(", "::*", "operator"), repeat=5):
        text = "".join(parts)
        name, returns = parted(text)
        assert sorted((name + returns).replace(" ", "")) == sorted(text.replace(" ", ""))


@pytest.mark.parametrize("piece", ["<", ">", "(", ")", "> ", ") ", "<(", ")>", "{", "}", "operator"])
def test_a_hostile_name_takes_no_time(piece: str) -> None:
    started = time.process_time()
    parted(f"{piece * (16_384 // len(piece))} a<>()")
    assert time.process_time() - started < 0.2


@pytest.mark.skipif(not shutil.which("c++filt"), reason="without binutils")
@pytest.mark.parametrize("glob", ORACLE)
def test_all_of_a_library_as_cppfilt_tells_names(glob: str) -> None:
    """Which prints names without parameters, and so without what is returned."""
    paths = sorted(Path("/").glob(glob[1:]))
    if not paths:
        pytest.skip("it isn't there")
    found = [each for each in functions.read(modules.of_file(str(paths[0]))) if each.raw_name.startswith("_Z")]
    raw_names = "\n".join(each.raw_name for each in found)
    told = subprocess.run(["c++filt", "-p"], input=raw_names, capture_output=True, text=True, check=True).stdout
    wrong = [
        (each.returns, each.name, name)
        for each, name in zip(found, told.splitlines(), strict=True)
        if ABBREVIATED not in name and not each.name.startswith(name.partition(" [")[0])
    ]
    assert not wrong
    assert sum(bool(each.returns) for each in found) > 200
