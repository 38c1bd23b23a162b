"""What is offered instead of a package or file that isn't there."""

import pytest

from tests.screens.fakes import FUNCTIONS, function
from tui.elf.lines import Line
from tui.screens.nearest import nearest

NAMES = (
    "net/http.Get",
    "net/http.(*conn).serve",
    "net/url.Parse",
    "encoding/json.Marshal",
    "acme::core::run(int)",
    "main",
)
LINES = [Line("/go/src/net/http/server.go", 7), Line("/go/src/encode.go", 9), Line("decode.go", 1)]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("pkg:http", "nearest is net/http"),
        ("pkg:encoding/jsno", "nearest is encoding/json"),
        ("pkg:net/htp x", "nearest is net/http"),
        ("pkg:core", "nearest is acme::core"),
        ("pkg:net/", "nearest are net/url, net/http"),
        ("pkg:zzzzzz", ""),
        ("pkg:", ""),
        ("file:servr.go:7", "nearest is server.go"),
        ("file:code.go", "nearest are decode.go, encode.go, server.go"),
        ("servr", ""),
    ],
)
def test_nearest(typed: str, said: str) -> None:
    functions = [function(name, 0x1000 + at) for at, name in enumerate(NAMES)]
    assert nearest(typed, functions, LINES) == said


def test_nothing_there() -> None:
    assert not nearest("pkg:main", (), ())
    assert nearest("pkg:runtim", FUNCTIONS["fibonacci"], ()) == "nearest is runtime"
