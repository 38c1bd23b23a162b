"""What functions belong to, by their names."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.elf import packages


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("main.main", "main"),
        ("main.main.func1", "main"),
        ("main.Map[...]", "main"),
        ("main.Map[go.shape.int,net/http.Header]", "main"),
        ("net/http.(*conn).serve", "net/http"),
        ("net/http.(*http2Server).ServeConn.func1.2", "net/http"),
        ("github.com/acme/shop/cart.Add", "github.com/acme/shop/cart"),
        ("gopkg.in/yaml%2ev3.Unmarshal", "gopkg.in/yaml%2ev3"),
        ("runtime.memmove.abi0", "runtime"),
        ("main.init.0", "main"),
        ("malloc", ""),
        ("memcpy.part.0", ""),
        ("main.cold", ""),
        ("helper.constprop.0", ""),
        ("counter.7", ""),
        ("_start", ""),
        ("render::draw(Canvas&)", "render"),
        ("void render::Scene::draw(std::vector<int> const&) const", "render::Scene"),
        ("std::vector<std::pair<int, A::B> >::push_back(A::B&&)", "std::vector<std::pair<int, A::B> >"),
        ("(anonymous namespace)::helper(int)", "(anonymous namespace)"),
        ("llvm::(anonymous namespace)::Pass::run(llvm::Function&)", "llvm::(anonymous namespace)::Pass"),
        ("std::ostream& std::operator<< <char>(std::ostream&, char const*)", "std"),
        ("render::Scene::operator()(int) const", "render::Scene"),
        ("render::Scene::draw() [clone .cold]", "render::Scene"),
        ("render::Scene::~Scene()", "render::Scene"),
        ("main(A::B)", ""),
        ("core::fmt::Formatter::pad", "core::fmt::Formatter"),
        ("tokio::runtime::block_on::{{closure}}", "tokio::runtime::block_on"),
        ("<alloc::vec::Vec<T> as core::ops::Drop>::drop", "<alloc::vec::Vec<T> as core::ops::Drop>"),
        ("<fn(A) -> B as core::ops::FnOnce>::call_once", "<fn(A) -> B as core::ops::FnOnce>"),
    ],
)  # fmt: skip
def test_packages(name: str, package: str) -> None:
    assert packages.of(name) == package


@given(st.text(alphabet="ab:.<>()[]{}/ -operator", max_size=200))
def test_of_any_name_it_is_a_part(name: str) -> None:
    assert packages.of(name) in name


@pytest.mark.parametrize("part", ["a::", "<", "a.", "a/", "[", "operator", ".part", "(anonymous namespace)::"])
def test_long_names_take_no_time(part: str) -> None:
    start = time.process_time()
    packages.of(part * 4_000)
    assert time.process_time() - start < 0.2
