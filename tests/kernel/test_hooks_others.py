"""Other tools' programs keep working before, while and after we are attached, and can't keep packets from us."""

import ctypes
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.kernel.hooking import Counter, Way, holder
from tests.kernel.network import Namespace, Pair
from tui.bpf import kernel
from tui.bpf.hooks import Hook
from tui.errors import BpfscopeError

BPF_OBJ_PIN = 6
TC_OK, XDP_PASS = 0, 2  # the verdicts that end a chain, and let the packet go
N = 101


@pytest.fixture
def theirs() -> Iterator[Counter]:
    """The counter of another tool."""
    with Counter() as counter:
        yield counter


@pytest.fixture
def pins(tmp_path: Path) -> Iterator[Path]:
    """A folder where programs get a name, for tc and ip to take them from."""
    subprocess.run(["mount", "-t", "bpf", "bpf", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def pin(program: int, path: Path) -> Path:
    name = path.as_posix().encode() + b"\0"
    buffer = ctypes.create_string_buffer(name)
    kernel.bpf(BPF_OBJ_PIN, struct.pack("QI", ctypes.addressof(buffer), program))
    return path


def tc_filter(end: Namespace, path: Path, *words: str) -> None:
    end.run("tc", "filter", "add", "dev", end.interface, *words, "bpf", "da", "object-pinned", path)


def before_while_after(way: Way, pair: Pair, ours: Counter, theirs: Counter) -> str:
    """Sends packets in the three phases, and says what place ours had."""
    end = pair.left if way.hook is Hook.TCX_EGRESS else pair.right
    pair.left.send(N)
    assert theirs.reaches(N)
    with way.attach(end, ours.program(way.hook)) as attached:
        pair.left.send(N)
        assert theirs.reaches(2 * N)
        assert ours.reaches(N)
        with end.entered():
            position = attached.position
    pair.left.send(N)
    assert theirs.reaches(3 * N)
    assert ours.count() == N
    return position


@pytest.mark.parametrize("hook", [Hook.TCX_INGRESS, Hook.TCX_EGRESS])
@pytest.mark.requires("tcx")
def test_a_tcx_program_that_ends_the_chain(hook: Hook, pair: Pair, counter: Counter, theirs: Counter) -> None:
    end = pair.left if hook is Hook.TCX_EGRESS else pair.right
    with end.entered():
        kind = kernel.ATTACH_TCX_EGRESS if hook is Hook.TCX_EGRESS else kernel.ATTACH_TCX_INGRESS
        link = kernel.link_create(theirs.program(hook, returns=TC_OK), end.number, kind)
    try:
        assert before_while_after(Way(hook), pair, counter, theirs) == "first of 2 programs"
    finally:
        os.close(link)


@pytest.mark.requires("tcx")
def test_the_place_in_the_chain_is_told(pair: Pair, counter: Counter, theirs: Counter) -> None:
    end, hook = pair.right, Hook.TCX_INGRESS
    with Way(hook).attach(end, counter.program(hook)) as attached, ExitStack() as links:
        last, first = (theirs.program(hook, name=name) for name in ("last", "first"))
        with end.entered():
            for program, flags in ((last, 0), (first, kernel.F_BEFORE)):
                link = kernel.link_create(program, end.number, kernel.ATTACH_TCX_INGRESS, flags)
                links.callback(os.close, link)
            assert attached.position == f"second of 3 programs, behind first (program {kernel.program_id(first)})"
            attached.replace(counter.program(hook))
            assert attached.position.startswith("second of 3 programs")
        pair.left.send(N)
        assert counter.reaches(N)
        assert theirs.reaches(2 * N)


@pytest.mark.parametrize("hook", [Hook.TCX_INGRESS, Hook.TCX_EGRESS])
@pytest.mark.parametrize("clsact", [False, True])
def test_a_clsact_filter_of_tc(
    hook: Hook, clsact: bool, pair: Pair, counter: Counter, theirs: Counter, pins: Path
) -> None:
    end = pair.left if hook is Hook.TCX_EGRESS else pair.right
    end.run("tc", "qdisc", "add", "dev", end.interface, "clsact")
    tc_filter(end, pin(theirs.program(hook, returns=TC_OK), pins / "theirs"), hook.value.removeprefix("tcx-"))
    position = before_while_after(Way(hook, clsact=clsact), pair, counter, theirs)
    if clsact:
        assert position == "first of 2 filters"
    assert "clsact" in end.run("tc", "qdisc", "show", "dev", end.interface)


@pytest.mark.parametrize("way", [Way(Hook.TCX_INGRESS), Way(Hook.TCX_INGRESS, clsact=True), Way(Hook.SOCKET_EBPF)])
@pytest.mark.parametrize("mode", ["xdpgeneric", "xdpdrv"])
def test_an_xdp_program_of_ip(way: Way, mode: str, pair: Pair, counter: Counter, theirs: Counter, pins: Path) -> None:
    path = pin(theirs.program(Hook.XDP), pins / "theirs")
    pair.right.run("ip", "link", "set", "dev", "right", mode, "pinned", path)
    before_while_after(way, pair, counter, theirs)


@pytest.mark.parametrize("mode", ["xdpgeneric", "xdpdrv"])
@pytest.mark.parametrize("native", [None, True, False])
def test_xdp_is_taken(
    mode: str, native: bool | None, pair: Pair, counter: Counter, theirs: Counter, pins: Path
) -> None:
    program = theirs.program(Hook.XDP, name="theirs")
    pair.right.run("ip", "link", "set", "dev", "right", mode, "pinned", pin(program, pins / "theirs"))
    words = rf"taken by theirs \(program {kernel.program_id(program)}\).*detach that one, or use the hook tcx-ingress"
    with pytest.raises(BpfscopeError, match=words):
        Way(Hook.XDP, native=native).attach(pair.right, counter.program(Hook.XDP))
    pair.left.send(N)
    assert theirs.reaches(N)


def test_xdp_is_taken_by_another_of_us(pair: Pair, counter: Counter) -> None:
    with holder(pair.right, Hook.XDP) as other:
        with pytest.raises(BpfscopeError, match=r"taken by counts \(program \d+\)"):
            Way(Hook.XDP).attach(pair.right, counter.program(Hook.XDP))
        pair.left.send(N)
        other.send("")
        assert other.read_line() == str(N)


@pytest.mark.parametrize("way", [Way(Hook.TCX_INGRESS), Way(Hook.TCX_INGRESS, clsact=True)], ids=lambda way: way.name)
def test_two_of_us_at_once(way: Way, pair: Pair, counter: Counter) -> None:
    with holder(pair.right, way.hook, clsact=way.clsact) as other:
        with way.attach(pair.right, counter.program(way.hook)) as attached:
            pair.left.send(N)
            assert counter.reaches(N)
            with pair.right.entered():
                assert attached.position.startswith("first of 2")
        pair.left.send(N)
        other.send("")
        assert other.read_line() == str(2 * N)
        assert other.end() == 0
    assert "clsact" not in pair.right.run("tc", "qdisc", "show")
