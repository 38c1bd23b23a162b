import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.captures import ethernet, ip, pcap
from tui import cli
from tui.bpf import expressions
from tui.bpf.engines import KINDS, lines
from tui.bpf.expressions import HOOKS, compile_expression
from tui.bpf.extended.translate import Kind
from tui.bpf.hooks import Hook
from tui.commands import filter as command

LISTING = """\
(000) ldh      [12]
(001) jeq      #0x800           jt 2\tjf 3
(002) ret      #262144
(003) ret      #0
"""
DECIMAL = "4\n40 0 0 12\n21 0 1 2048\n6 0 0 262144\n6 0 0 0\n"
C = "{ 0x28, 0, 0, 0x0000000c },\n{ 0x15, 0, 1, 0x00000800 },\n{ 0x6, 0, 0, 0x00040000 },\n{ 0x6, 0, 0, 0x00000000 },\n"
ASSEMBLY = "ldh [12] ; EtherType\njne #0x800, drop\nret #262144\ndrop: ret #0\n"

Give = Callable[[str], None]


@pytest.fixture
def give(monkeypatch: pytest.MonkeyPatch) -> Give:
    def standard_input(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    return standard_input


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = cli.main(["filter", *words])
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (["ip"], LISTING),
        (["-d", "ip"], LISTING),
        (["ip", "-d"], LISTING),
        (["-dd", "ip"], C),
        (["-ddd", "ip"], DECIMAL),
        (["-d", "-d", "-d", "ip"], DECIMAL),
        (["-s", "96", "ip"], LISTING.replace("262144", "96")),
        (["-s", "0", "ip"], LISTING),
        (["-y", "ipv4", "ip"], "(000) ret      #262144\n"),
        (["-y", "RAW", "-d", "ip and", "greater", "1"], None),
        (["-O", "tcp", "and", "udp"], None),
        (["--", "-d"], None),
    ],
)
def test_listings_are_tcpdumps(words: list[str], out: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    status, found, _ = run(capsys, *words)
    if words[0] == "--":
        assert status == 2
    else:
        assert status == 0
        assert found == out or (out is None and found.startswith("(000) "))


@pytest.mark.parametrize("dump", ["-d", "-dd", "-ddd"])
@pytest.mark.parametrize("text", ["tcp and port 22", "vlan 5 or ip6 proto 17", "ether[0] & 1 = 0 and ip[16] >= 224"])
def test_tcpdumps_own_programs_are_listed_as_it_does(
    text: str, dump: str, give: Give, capsys: pytest.CaptureFixture[str]
) -> None:
    def tcpdump(option: str) -> str:
        return subprocess.run(
            ["tcpdump", "-y", "EN10MB", option, text], capture_output=True, text=True, check=True
        ).stdout

    give(tcpdump("-ddd"))
    assert run(capsys, "-", dump) == (0, tcpdump(dump), "")


@pytest.mark.parametrize("source", [DECIMAL, C, ASSEMBLY, DECIMAL.replace("\n", ","), "\n  " + C, ASSEMBLY.upper()])
@pytest.mark.parametrize(("option", "out"), [("-d", LISTING), ("-dd", C), ("-ddd", DECIMAL)])
def test_programs_are_read(source: str, option: str, out: str, give: Give, capsys: pytest.CaptureFixture[str]) -> None:
    give(source)
    assert run(capsys, "-", option) == (0, out, "")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "no instructions"),
        ("4\n40 0 0 12\n", "announces 4 instructions, 1 follow"),
        ("{ nonsense }", "no instruction"),
        ("ldh [12", "line 1, column"),
        ("hello", "line 1, column 1"),
        ("\x1b[2J", "␛"),
        ("\0" * 100, "column 1"),
        ("ldh [12]\n" * 200_000, "longer than any program"),
        ("1\n" * 1_000_000, "longer than any program"),
        ("40 0 0 12\n" * 5000, "more than a program may have"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_program_is_said(source: str, said: str, give: Give, capsys: pytest.CaptureFixture[str]) -> None:
    give(source)
    status, out, err = run(capsys, "-")
    assert (status, out) == (2, "")
    assert said in err
    assert err.isprintable() or err.replace("\n", "").isprintable()


def test_an_error_has_a_caret(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "tcp", "and", "prot", "22") == (
        2,
        "",
        "bpfscope: syntax error at 'prot'; did you mean 'proto' or 'port'?\ntcp and prot 22\n        ^\n",
    )


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["tcp and udp"], 2, "no packet can match"),
        (["-y", "nonsense", "ip"], 2, "there is no link type nonsense"),
        (["-i", "nosuch0", "ip"], 1, "nosuch0: there is no such interface"),
        (["-i", "lo", "-y", "RAW", "ip"], 2, "not allowed with"),
        (["-s", "-1", "ip"], 2, "usage:"),
        (["-s", "x", "ip"], 2, "'x' is not a number of bytes"),
        (["--hook", "nowhere", "ip"], 2, "invalid choice"),
        (["--pcap", "/nowhere", "ip"], 1, "/nowhere: No such file"),
        (["--pcap", "/etc/passwd", "ip"], 1, "/etc/passwd: unknown file format"),
        (["--pcap", "/etc/passwd", "--hook", "xdp", "ip"], 2, "leave out --hook"),
        (["host zqzqzq.example"], 2, "unknown host 'zqzqzq.example'"),
    ],
)
def test_what_makes_no_sense_is_said(
    words: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    got, out, err = run(capsys, *words)
    assert (got, out) == (status, "")
    assert said in err


@pytest.mark.parametrize("words", [[], ["1 = 1"]])
def test_every_packet_is_said_to_match(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *words) == (0, "(000) ret      #262144\n", "every packet matches\n")


def test_a_note_is_narrated(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    compiled = compile_expression("ip")._replace(note="not optimised: libpcap didn't finish within 5 s")
    monkeypatch.setattr(expressions, "compile_expression", lambda *_, **__: compiled)
    assert run(capsys, "ip") == (0, LISTING, "not optimised: libpcap didn't finish within 5 s\n")


def test_rows_of_a_listing(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "--json", "ip")
    assert (status, err) == (0, "")
    assert [json.loads(line) for line in out.splitlines()] == [
        {"index": 0, "code": 0x28, "jt": 0, "jf": 0, "k": 12, "text": "ldh      [12]"},
        {"index": 1, "code": 0x15, "jt": 0, "jf": 1, "k": 0x800, "text": "jeq      #0x800           jt 2\tjf 3"},
        {"index": 2, "code": 6, "jt": 0, "jf": 0, "k": 262144, "text": "ret      #262144"},
        {"index": 3, "code": 6, "jt": 0, "jf": 0, "k": 0, "text": "ret      #0"},
    ]


def test_hooks_are_those_that_there_are() -> None:
    assert tuple(hook.value for hook in Hook) == HOOKS
    assert set(KINDS) == set(Hook)


@pytest.mark.parametrize("hook", ["socket-ebpf", "xdp", "cgroup"])
def test_the_translation_is_listed_under_each_instruction(hook: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "--ebpf", "--hook", hook, "tcp")
    assert status == 0
    classic = [line[2:] for line in out.splitlines() if line.startswith("; (")]
    _, listed, _ = run(capsys, "--hook", hook, "tcp")
    assert list(dict.fromkeys(classic)) == listed.splitlines()  # on some hooks parts come twice
    slots = [int(line.split(":")[0]) for line in out.splitlines() if not line.startswith(";")]
    assert slots == sorted(slots)
    assert slots[0] == 0
    assert out.rstrip().endswith("exit")
    status, rows, _ = run(capsys, "--ebpf", "--hook", hook, "--json", "tcp")
    assert [json.loads(line)["slot"] for line in rows.splitlines()] == slots
    assert {json.loads(line)["instruction"] for line in rows.splitlines()} >= set(range(len(listed.splitlines())))


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("text", ["", "1 = 2", "tcp and not port 22"])
def test_a_translation_has_nothing_that_is_not_reached(kind: Kind, text: str) -> None:
    found = lines(compile_expression(text, optimise=False, link_type="RAW").program, kind)
    assert [line.text for line in found].count("exit") <= 2
    assert found[-1].text == "exit"


def test_a_program_that_linux_refuses_is_not_translated(give: Give, capsys: pytest.CaptureFixture[str]) -> None:
    give("2\n6 0 0 1\n5 0 0 4294967295\n")
    status, out, err = run(capsys, "-", "--ebpf")
    assert (status, out) == (2, "")
    assert "instruction 1" in err


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """997 packets, of which 199 are TCP to port 22 and 101 have a tag."""
    packets = [ethernet(ip(6, 1024 + n, 22)) for n in range(199)]
    packets += [ethernet(ip(17, 53, n), tag=5) for n in range(101)]
    packets += [ethernet(ip(17, 53, n, version=6)) for n in range(997 - 300)]
    (tmp_path / "capture").write_bytes(pcap(packets))
    return tmp_path / "capture"


def tallies(out: str) -> dict[str, Any]:
    return {row["engine"]: row for row in map(json.loads, out.splitlines())}


@pytest.mark.parametrize(("text", "matched"), [("tcp port 22", 199), ("vlan 5", 101), ("ip6 and udp", 697), ("", 997)])
def test_engines_that_need_no_permission_agree(
    capture: Path, text: str, matched: int, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(capsys, "--pcap", str(capture), "--json", text)
    found = tallies(out)
    assert status == 0
    assert list(found) == [
        *("libpcap", "machine-libpcap", "machine-linux", "socket", "socket-ebpf", "tcx", "xdp", "cgroup")
    ]
    for engine in ("libpcap", "machine-libpcap", "machine-linux", "socket"):
        assert found[engine] == {"engine": engine, "total": 997, "matched": matched, "left_out": 0, "reason": None}
    assert found["cgroup"]["matched"] is None
    assert "begin with an IP header" in found["cgroup"]["reason"]


def test_the_engines_table(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "--pcap", str(capture), "-d", "vlan and udp")
    assert (status, err) == (0, "")
    assert out.startswith("(000) ldh      [12]\n")
    assert "\nlibpcap                   997          101\n" in out
    assert "\ncgroup                      –            –  its packets begin" in out


def test_a_program_from_elsewhere_over_a_file(capture: Path, give: Give, capsys: pytest.CaptureFixture[str]) -> None:
    give(DECIMAL)
    _, out, _ = run(capsys, "--pcap", str(capture), "--json", "-")
    assert tallies(out)["machine-linux"]["matched"] == 199


def test_loops_run_where_they_can(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "--pcap", str(capture), "--json", "ip6 protochain 17")
    found = tallies(out)
    assert status == 0
    assert found["libpcap"]["matched"] == found["machine-libpcap"]["matched"] == 697
    assert found["socket"]["matched"] is None
    assert found["socket"]["reason"].startswith("Linux refuses the program: instruction ")


def test_a_file_that_breaks_off_is_status_1(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture.write_bytes(capture.read_bytes()[:-1])
    status, out, err = run(capsys, "--pcap", str(capture), "--json", "tcp")
    assert status == 1
    assert tallies(out)["libpcap"]["total"] == 996
    assert f"{capture} breaks off after 996 packets: truncated dump file" in err


def test_packets_that_were_cut_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cut"
    path.write_bytes(pcap([ethernet(ip(6, 1, 2, 500))] * 7, cut=60))
    status, out, err = run(capsys, "--pcap", str(path), "--json", "greater", "500")
    found = tallies(out)
    assert status == 0
    assert [found[name]["matched"] for name in ("libpcap", "machine-libpcap", "machine-linux", "socket")] == [
        7,
        7,
        0,
        0,
    ]
    assert "7 packets of 7 weren't captured to their end" in err
    assert "the engines don't agree" in err


def test_the_command_from_outside() -> None:
    """Words, standard input and statuses as a shell has them."""
    bpfscope = [sys.executable, "-m", "tui.cli", "filter"]
    first = subprocess.run([*bpfscope, "ip", "-ddd"], capture_output=True, check=True)
    assert first.stdout.decode() == DECIMAL
    second = subprocess.run([*bpfscope, "-"], input=first.stdout, capture_output=True, check=True)
    assert second.stdout.decode() == LISTING
    assert command.__doc__
