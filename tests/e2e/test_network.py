"""The network mode, in a terminal of its own and in a network namespace of its own."""

import re
from collections.abc import Iterator

import pytest

from tests.e2e import walk
from tests.e2e.conftest import Open
from tests.kernel.namespaces import Namespace, namespace
from tests.kernel.network import Pair


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


def matched(screen: str) -> tuple[int, int]:
    """Matched and seen, as the state line has them."""
    found = re.search(r"matched ([\d,]+) of ([\d,]+)", screen)
    return tuple(int(number.replace(",", "")) for number in found.groups()) if found else (-1, -1)  # type: ignore[return-value]


def test_a_filter_counts_what_passes_and_a_packet_runs_step_by_step(console: Open) -> None:
    """997 datagrams to port 2 and 499 to another, of which the filter wants the first."""
    with Pair(addresses=True) as pair:
        terminal = console(prefix=["nsenter", f"--net={pair.right.path}"], width=120, height=36)
        terminal.wait_for("1 Processes  2 Network")
        terminal.keys("2")
        terminal.wait_for(r"right +up +10\.0\.0\.2/24")
        terminal.keys("End", "Enter")
        terminal.wait_for(r"matched 0 of 0[\s\S]*live ●|live ●[\s\S]*matched 0 of 0")
        terminal.type("udp prt")
        terminal.wait_for(r"▲ ")
        terminal.keys("BSpace", "BSpace", "BSpace")
        terminal.type("port 2")
        terminal.wait_for("not attached: enter attaches it")
        terminal.keys("Enter")
        terminal.wait_for(r"everything|udp port 2 +0 +0")
        terminal.wait_for(lambda screen: "not attached" not in screen and re.search(r"udp port 2 +0 +0", screen))
        other = pair.left.frame().replace(b"\0\x01\0\x02\0\x1a", b"\0\x01\0\x09\0\x1a")
        pair.left.send(997)
        pair.left.send(499, other)
        terminal.wait_for(lambda screen: matched(screen) == (997, 1_496))
        terminal.wait_for(r"udp 10\.0\.0\.1:1 → 10\.0\.0\.2:2|sum 997 = matched")
        terminal.wait_for(r"000 +ldh +\[12\] +1,496 +100 %")
        terminal.keys("v")
        terminal.wait_for(r"IP 10\.0\.0\.1\.1 > 10\.0\.0\.2\.2: UDP, length 18")
        terminal.keys("Enter")
        terminal.wait_for(r"destination +02:00:00:00:00:02")
        terminal.keys("Enter")
        terminal.wait_for("loads 0x0800 at 12")
        terminal.keys("End")
        terminal.wait_for("it matches after 13 instructions")
        terminal.keys("Escape")
        terminal.wait_for("FIELD")
        terminal.keys("Escape")
        terminal.wait_for("that matched")
        terminal.keys("Escape")
        terminal.wait_for(lambda screen: matched(screen) == (997, 1_496))
        pair.right.run("ip", "link", "delete", "right")
        terminal.wait_for(r"right disappeared after \d\d:\d\d; the numbers stay")
        assert matched(terminal.screen()) == (997, 1_496)
        terminal.keys("q")
        assert walk.restored(terminal) == 0


def test_quitting_takes_the_filters_off(console: Open) -> None:
    with Pair(addresses=True) as pair:
        terminal = console(prefix=["nsenter", f"--net={pair.right.path}"], width=80, height=24)
        terminal.wait_for("1 Processes  2 Network")
        terminal.keys("2")
        terminal.wait_for(r"right +up")
        terminal.keys("End", "Enter")
        terminal.wait_for("matched 0 of 0")
        programs = walk.program_ids(terminal.pid())
        assert programs
        terminal.keys("Escape")
        terminal.wait_for("esc detach")
        terminal.keys("q")
        terminal.wait_for(r"Detach 1 filter and quit\?")
        terminal.keys("y")
        assert walk.restored(terminal) == 0
        walk.wait_gone(programs, set())
