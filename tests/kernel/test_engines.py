"""Every engine over a capture file, where this user may load BPF."""

import json
import os
from pathlib import Path

import pytest

from tests.kernel.probing import BPFSCOPE, gone, program_ids, run, run_as_nobody, wait_until
from tests.unit.captures import LINKTYPE_RAW, ethernet, ip, pcap
from tui.bpf.classic import Instruction
from tui.bpf.classic import instructions as ops
from tui.bpf.engines import RunEngine, SocketEngine
from tui.bpf.expressions import compile_expression
from tui.bpf.extended.translate import Kind
from tui.bpf.savefile import Captured, Savefile
from tui.collectors.comparison import Comparison, compare
from tui.errors import NotSupported

PACKETS = [
    *(ip(6, 1024 + n, 22, 40) for n in range(199)),
    *(ip(17, 53, n, 50, version=6) for n in range(101)),
    *(ip(132, n, 80, n) for n in range(307)),
    *(ip(1, 0, 0, 20) for n in range(390)),
]
EXPRESSIONS = {
    "": 997,
    "tcp": 199,
    "tcp dst port 22": 199,
    "tcp src portrange 1024-1124": 101,
    "ip6 and udp port 53": 101,
    "sctp and not port 13": 306,
    "greater 200 and port 80": 161,
    "icmp or (tcp[2:2] = 22 and ip[8] > 5)": 589,
    "len > 1000000": 0,
}


def captured(data: bytes) -> Captured:
    return Captured(data, len(data), passes=False)


def compared(path: Path, data: bytes, text: str) -> Comparison:
    path.write_bytes(data)
    with Savefile(str(path)) as file:
        return compare(file, file.compile(text).program)


@pytest.mark.guest
@pytest.mark.parametrize("text", EXPRESSIONS)
def test_every_engine_counts_the_same(tmp_path: Path, text: str) -> None:
    found = compared(tmp_path / "capture", pcap([ethernet(packet) for packet in PACKETS]), text)
    assert (found.packets, found.cut, found.ended, found.agree) == (997, 0, "", True)
    truth = EXPRESSIONS[text]
    for tally in found.tallies:
        if tally.engine == "cgroup":
            assert not tally.ran
        else:
            assert (tally.engine, tally.total, tally.matched, tally.reason) == (tally.engine, 997, truth, "")


@pytest.mark.parametrize("text", [text for text in EXPRESSIONS if "greater" not in text])
def test_without_a_link_header_cgroups_count_too(tmp_path: Path, text: str) -> None:
    found = compared(tmp_path / "capture", pcap(PACKETS, LINKTYPE_RAW), text)
    cgroup = found.tallies[-1]
    assert (cgroup.engine, cgroup.total, cgroup.matched) == ("cgroup", 997, EXPRESSIONS[text])
    assert found.tallies[0].matched == EXPRESSIONS[text]
    assert found.agree


def test_packets_that_an_engine_does_not_take_are_left_out(tmp_path: Path) -> None:
    sizes = [0, 1, 13, 14, 60, 1500, 9000, 60_000, 200_000]
    found = compared(tmp_path / "capture", pcap([bytes(size) for size in sizes]), "")
    tallies = {tally.engine: tally for tally in found.tallies}
    for engine in ("libpcap", "machine-libpcap", "machine-linux", "socket", "socket-ebpf"):
        assert (tallies[engine].total, tallies[engine].matched, tallies[engine].left_out) == (9, 9, 0), engine
    for engine in ("tcx", "xdp"):
        assert tallies[engine].total + tallies[engine].left_out == 9
        assert tallies[engine].total == tallies[engine].matched >= 3
    assert found.agree


def test_nothing_is_left_loaded() -> None:
    program = compile_expression("tcp").program
    before = program_ids(os.getpid())
    with SocketEngine.extended(program), RunEngine(program, Kind.TC), RunEngine(program, Kind.XDP):
        loaded = program_ids(os.getpid()) - before
        assert len(loaded) == 2  # a socket holds its own
    assert program_ids(os.getpid()) == before
    wait_until(lambda: gone(loaded, set()), "programs are gone")


def test_without_permission_the_kernels_classic_engine_still_runs(tmp_path: Path) -> None:
    if run_as_nobody(BPFSCOPE, "--version").returncode:
        pytest.skip("an installation that other users can run")
    path = Path("/dev/shm") / f"bpfscope-{tmp_path.name}"  # pytest's folders are root's alone
    path.write_bytes(pcap([ethernet(packet) for packet in PACKETS]))
    try:
        done = run_as_nobody(BPFSCOPE, "filter", "--pcap", path, "--json", "tcp")
    finally:
        path.unlink()
    rows = {row["engine"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert (done.returncode, done.stderr) == (0, "")
    assert [rows[name]["matched"] for name in ("libpcap", "machine-linux", "socket")] == [199] * 3
    assert "CAP_BPF" in rows["xdp"]["reason"]
    assert rows["xdp"]["matched"] is None


def test_the_command_with_every_engine(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(pcap([ethernet(packet) for packet in PACKETS]))
    done = run("filter", "--pcap", path, "tcp", "or", "sctp")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[2] for line in done.stdout.splitlines()[1:]] == ["506"] * 7 + ["–"]


def test_a_program_that_is_too_long_for_a_socket_is_said() -> None:
    loads = (Instruction(ops.LD | ops.W | ops.IND, k=4),) * 4095
    with pytest.raises(NotSupported, match="too long for a socket"):
        SocketEngine.classic((*loads, Instruction(ops.RET | ops.K, k=1)))


def test_what_a_hook_does_not_have_is_said() -> None:
    program = (Instruction(ops.LD | ops.W | ops.ABS, k=ops.AD_OFF), Instruction(ops.RET | ops.A))
    with pytest.raises(NotSupported, match="the protocol is found out after XDP"):
        RunEngine(program, Kind.XDP)
    with RunEngine(program, Kind.TC) as engine:
        assert engine.matches(captured(ethernet(PACKETS[0]))) is True


def test_cgroups_take_ip_only() -> None:
    with RunEngine(compile_expression("ip", link_type="RAW").program, Kind.CGROUP) as engine:
        assert engine.matches(captured(PACKETS[0])) is True
        assert engine.matches(captured(PACKETS[200])) is False
        assert engine.matches(captured(b"")) is None
        assert engine.matches(captured(b"\x50" + bytes(60))) is None
    engine.close()
