"""The cgroups mode, in a terminal of its own, on cgroups of its own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import walk
from tests.e2e.conftest import Open
from tests.kernel.control_groups import EGRESS, Groups
from tui.bpf import kernel
from tui.bpf.packets.by_cgroup import NAME


@pytest.fixture
def groups() -> Iterator[Groups]:
    with Groups() as groups:
        yield groups


@pytest.mark.parametrize(
    "options", [{"width": 120, "height": 36}, {"width": 80, "height": 24}], ids=["120x36", "80x24"]
)
def test_rules_and_packets_of_a_service(console: Open, groups: Groups, options: dict[str, object]) -> None:
    service = groups.make("a.slice/web.service")
    groups.firewall(service, ["127.0.0.0/8", "10.0.0.0/8"], ["any"], accounting=True)
    groups.send(service, 997)
    terminal = console(**options)
    terminal.wait_for("4 Cgroups")
    terminal.keys("4")
    terminal.wait_for(r"\d+ cgroups?")
    terminal.keys("/", *f"{groups.name}/a.slice/web", "Enter", "End")
    terminal.wait_for(r"web\.service[\s\S]*systemd: 997 in, 125 KiB ·\s+997\s+out")
    terminal.keys("c")
    terminal.wait_for(r"counting 1")
    groups.send(service, 101)
    terminal.wait_for(r"ours \d+:\d+: 101 in, 13 KiB ·\s+101\s+out")
    terminal.keys("Enter")
    terminal.wait_for(r"sd_fw_ingress[\s\S]*allow +10\.0\.0\.0/8[\s\S]*deny +any[\s\S]*bpfscope_cgroup  ours")
    terminal.keys("Escape")
    terminal.wait_for("counting 1")
    assert ours(service) == 1
    terminal.keys("q")
    terminal.wait_for("Detach 1 cgroup counter and quit")
    terminal.keys("y")
    assert walk.restored(terminal) == 0
    assert ours(service) == 0


def ours(place: Path) -> int:
    """How many programs of ours see what leaves the cgroup."""
    folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        numbers, _ = kernel.attached_programs(folder, EGRESS)
    finally:
        os.close(folder)
    return sum(kernel.program_name(number) == NAME for number in numbers)
