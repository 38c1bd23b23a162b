"""Programs as a live capture has them: ancillary loads, link types of interfaces, and names."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.network import Pair
from tests.kernel.probing import BPFSCOPE, run, run_as_nobody
from tests.targets.running import SECONDS
from tui.bpf.classic import instructions as ops
from tui.bpf.classic.instructions import AD_OFF, Program
from tui.bpf.expressions import Compiler, ExpressionError, compile_expression, for_hook

PLAIN = [
    "tcp and port 22",
    "ip6",
    "",
    "host 1.2.3.4",
    "inbound",
    "ifindex 3 or arp",
    "ip[8] < 5",
    "mpls 5",
    "greater 90",
]
TAGS = ["vlan", "vlan 5 and tcp", "not vlan"]


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with Pair(addresses=True) as made:
        yield made


def ancillary(program: Program) -> set[int]:
    absolute = {ops.LD | size | ops.ABS for size in (ops.W, ops.H, ops.B)}
    return {each.k - AD_OFF for each in program if each.code in absolute and each.k >= AD_OFF}


@pytest.mark.guest
def test_only_tags_are_seen_otherwise_on_an_interface(pair: Pair) -> None:
    with pair.right.entered(), Compiler() as compiler:
        for text in PLAIN:
            live, kept = (compiler.compile(text, interface="lo") for _ in range(2))
            assert live == kept == compiler.compile(text), text
            assert compile_expression(text, interface="lo") == live, text
        for text in TAGS:
            live = compiler.compile(text, interface="lo")
            assert live == compile_expression(text, interface="lo")
            assert ancillary(live.program) >= {ops.ANCILLARY["vlan_avail"]}, text
            assert ancillary(compiler.compile(text).program) == set()
            assert live.note == ""


def test_the_networks_mask_is_known_on_an_interface(pair: Pair) -> None:
    with pair.right.entered(), Compiler() as compiler:
        with pytest.raises(ExpressionError, match="needs the network mask of an interface"):
            compiler.compile("ip broadcast")
        for _ in range(2):
            program = compiler.compile("ip broadcast", interface="right").program
            assert ops.Instruction(ops.ALU | ops.AND | ops.K, k=0xFF) in program  # the host's part of a /24


@pytest.mark.requires("speed")
def test_a_kept_compiler_is_quick(pair: Pair) -> None:
    """Within 10 ms of a key; what it takes is a fraction of one."""
    texts = ["tcp and port 22"[:end] for end in range(16)]
    with pair.right.entered(), Compiler() as compiler:
        compiler.compile("", interface="lo")
        times = []
        for text in texts * 5:
            before = time.perf_counter()
            with contextlib.suppress(ExpressionError):
                compiler.compile(text, interface="lo")
            times.append(time.perf_counter() - before)
    assert sorted(times)[len(times) // 2] < 0.010


def test_no_interface_is_left_promiscuous_or_tapped(pair: Pair) -> None:
    with pair.right.entered(), Compiler() as compiler:
        compiler.compile("vlan 5", interface="right")
        compiler.compile("tcp")  # the handle of the one before is closed by now
        assert pair.right.link().get("promiscuity") == 0
        assert len(Path("/proc/thread-self/net/packet").read_text().splitlines()) == 1


@pytest.mark.requires("tun")
def test_an_interface_that_goes_and_comes_is_another(pair: Pair) -> None:
    with pair.right.entered(), Compiler() as compiler:
        pair.right.run("ip", "tuntap", "add", "mode", "tun", "name", "changes")
        assert compiler.compile("ip", interface="changes").link_type == "RAW"
        pair.right.run("ip", "tuntap", "del", "mode", "tun", "name", "changes")
        with pytest.raises(Exception, match="no such interface"):
            compiler.compile("ip", interface="changes")
        pair.right.run("ip", "tuntap", "add", "mode", "tap", "name", "changes")
        assert compiler.compile("ip", interface="changes").link_type == "EN10MB"
        pair.right.run("ip", "tuntap", "del", "mode", "tap", "name", "changes")


@pytest.mark.requires("tun")
def test_an_interface_that_is_down_has_a_program(pair: Pair) -> None:
    pair.right.run("ip", "tuntap", "add", "mode", "tap", "name", "down0")
    with pair.right.entered(), Compiler() as compiler:
        compiled = compiler.compile("vlan", interface="down0")
        assert compiled.link_type == "EN10MB"
        assert compiled.program
    pair.right.run("ip", "tuntap", "del", "mode", "tap", "name", "down0")


@pytest.mark.parametrize("hook", ["socket", "socket-ebpf", "tcx-ingress", "tcx-egress"])
def test_hooks_on_socket_buffers_see_tags_as_metadata(pair: Pair, hook: str) -> None:
    with pair.right.entered():
        assert ancillary(compile_expression("vlan 5", **for_hook(hook, None)).program)
        assert ancillary(compile_expression("vlan 5", **for_hook(hook, "right")).program)
    assert not ancillary(compile_expression("vlan 5", **for_hook("xdp", "right")).program)


def test_without_permission_there_is_a_program_and_a_note() -> None:
    if run_as_nobody(BPFSCOPE, "--version").returncode:
        pytest.skip("an installation that other users can run")
    done = run_as_nobody(BPFSCOPE, "filter", "-i", "lo", "vlan", "5")
    assert done.returncode == 0
    assert done.stdout == run("filter", "vlan", "5").stdout
    assert "made as for a file, not as for lo: " in done.stderr
    assert "CAP_NET_RAW" in done.stderr
    assert run_as_nobody(BPFSCOPE, "filter", "-i", "lo", "tcp").stderr == ""  # the same program as with permission
    assert "`vlan` doesn't see tags that the kernel took off" in done.stderr


def asked_for_names(folder: Path, *resolve: str) -> tuple[list[str], str]:
    command = ["unshare", "--net", "--mount", sys.executable, "-m", "tests.kernel.name_server", str(folder), *resolve]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    asked, found = json.loads(done.stdout)
    return asked, found


def test_names_are_not_asked_for_over_the_network(tmp_path: Path) -> None:
    asked, found = asked_for_names(tmp_path)
    assert asked == []
    assert found.startswith("unknown host 'named.example': names are looked up in this machine's files only")


def test_names_are_asked_for_if_one_wants_it(tmp_path: Path) -> None:
    asked, found = asked_for_names(tmp_path, "resolve")
    assert set(asked) == {"named.example"}
    assert "#0xa090807" in found
