"""The network mode, in a terminal of its own and in a network namespace of its own."""

import re
from collections.abc import Iterator

import pytest

from tests.e2e import walk
from tests.e2e.conftest import Open
from tests.kernel.namespaces import Namespace, namespace


@pytest.fixture
def inside() -> Iterator[Namespace]:
    with namespace() as made:
        yield made


@pytest.mark.parametrize(
    "options", [{"width": 120, "height": 36}, {"width": 80, "height": 24}], ids=["120x36", "80x24"]
)
def test_interfaces_of_the_namespace_and_what_happens_to_them(
    console: Open, inside: Namespace, options: dict[str, object]
) -> None:
    terminal = console(prefix=["nsenter", f"--net=/run/netns/{inside.name}"], **options)
    terminal.wait_for("1 Processes  2 Network")
    terminal.keys("2")
    terminal.wait_for(r"3 interfaces · 3 up[\s\S]*here +up +192\.0\.2\.1/24")
    inside.ip("link set there down")
    terminal.wait_for(r"1 up[\s\S]*here +no carrier[\s\S]*there +down|1 up[\s\S]*there +down[\s\S]*here +no carrier")
    inside.ip("link del here")
    terminal.wait_for(lambda screen: "1 interface" in screen and not re.search(r"\bhere\b", screen))
    terminal.keys("1")
    terminal.wait_for(r"\d+ processes")
    terminal.keys("2")
    terminal.wait_for("1 interface")
    terminal.keys("q")
    assert walk.restored(terminal) == 0
