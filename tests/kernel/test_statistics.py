"""Statistics are on while they are held, and off again whatever ends the holder; the floor; what is pinned."""

import contextlib
import os
import signal
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.probing import BPFSCOPE, wait_until
from tui.bpf import kernel
from tui.bpf.inventory import info
from tui.bpf.inventory.pins import pins
from tui.bpf.inventory.statistics import Statistics, floor

RETURNS_0 = struct.pack("=BBhi", 0xB7, 0, 0, 0) + struct.pack("=BBhi", 0x95, 0, 0, 0)


@pytest.fixture
def program() -> Iterator[int]:
    fd = kernel.program_load(kernel.PROG_TYPE_SOCKET_FILTER, 0, RETURNS_0, "counted")
    yield fd
    os.close(fd)


def runs(program: int, times: int) -> int:
    """By how much its run count grows when it runs so often."""
    before = info.Program.of(program).runs
    kernel.program_test_run(program, bytes(64), times)
    return info.Program.of(program).runs - before


def counting(program: int) -> bool:
    return runs(program, 1) == 1


def test_runs_are_counted_exactly_while_statistics_are_held(program: int) -> None:
    with Statistics() as held:
        assert runs(program, 10_007) == 10_007
        held.close()
    wait_until(lambda: not counting(program), "nobody else has statistics on")


def test_the_run_time_is_that_of_fdinfo(program: int) -> None:
    with Statistics():
        runs(program, 10_007)
        lines = dict(line.split(":") for line in Path(f"/proc/self/fdinfo/{program}").read_text().splitlines())
        described = info.Program.of(program)
    assert (described.runs, described.run_time_ns) == (int(lines["run_cnt"]), int(lines["run_time_ns"]))
    assert described.run_time_ns > 0


@pytest.mark.guest
def test_statistics_are_off_after_kill_9(program: int) -> None:
    wait_until(lambda: not counting(program), "nobody else has statistics on")
    with subprocess.Popen([BPFSCOPE, "programs", "-d", "60"]) as child:
        wait_until(lambda: counting(program), "the command turns them on")
        child.send_signal(signal.SIGKILL)
        child.wait()
    wait_until(lambda: not counting(program), "statistics end")


def test_the_floor_is_measured_and_nothing_is_left_on(program: int) -> None:
    measured = floor()
    assert 0 < measured.reported < measured.on < 10_000
    if measured.off is not None:
        assert measured.costs is not None
        assert 0 < measured.off < measured.on
    with Statistics():
        assert floor().off is None
    wait_until(lambda: not counting(program), "statistics end")
    assert "bpfscope_floor" not in {one.name for one in info.programs()}


def test_what_is_pinned_is_named(program: int, tmp_path: Path) -> None:
    folder = tmp_path / "bpf"
    folder.mkdir()
    subprocess.run(["mount", "-t", "bpf", "bpf", folder], check=True)
    with contextlib.ExitStack() as owned:
        owned.callback(lambda: subprocess.run(["umount", folder], check=True))
        (folder / "deep").mkdir()
        kernel.pin(program, os.fsencode(folder / "deep" / "pro\x1bgram"))
        map_fd = kernel.map_create(kernel.MAP_TYPE_ARRAY, 4, 8, 1, 0, "pinned")
        owned.callback(os.close, map_fd)
        kernel.pin(map_fd, os.fsencode(folder / "map"))
        sampled = kernel.program_load(kernel.PROG_TYPE_PERF_EVENT, 0, RETURNS_0, "pinned")
        owned.callback(os.close, sampled)
        event = kernel.clock_event(0, 1_000_000_000)
        owned.callback(os.close, event)
        link = kernel.link_perf_event(sampled, event, 0)
        owned.callback(os.close, link)
        kernel.pin(link, os.fsencode(folder / "link"))
        found = pins()
        assert found.programs[kernel.program_id(program)] == (f"{folder}/deep/pro␛gram",)
        assert found.maps[info.Map.of(map_fd).id] == (f"{folder}/map",)
        assert found.links[info.Link.of(link).id] == (f"{folder}/link",)
