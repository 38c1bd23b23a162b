import contextlib
import os
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.captures import ETHERNET, LINKTYPE_RAW, MICROSECONDS, NANOSECONDS, ethernet, ip, pcap, pcapng
from tui.bpf import savefile
from tui.bpf.classic import Instruction
from tui.bpf.expressions import ExpressionError
from tui.bpf.savefile import Captured, Savefile
from tui.errors import BpfscopeError, NotPermitted, TargetError

SSH, WEB, DNS = ethernet(ip(6, 22, 1024, 30)), ethernet(ip(6, 80, 1025)), ethernet(ip(17, 53, 1026, 7), tag=5)
PACKETS = [SSH, WEB, DNS]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


def read(path: Path, data: bytes, expression: str = "tcp port 22") -> tuple[list[Captured], str]:
    path.write_bytes(data)
    with Savefile(str(path)) as file:
        return list(file.packets(file.compile(expression).program)), file.ended


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("magic", [MICROSECONDS, NANOSECONDS])
def test_classic_files_of_either_order_and_precision(path: Path, order: str, magic: int) -> None:
    assert read(path, pcap(PACKETS, order=order, magic=magic)) == (
        [Captured(SSH, len(SSH), True), Captured(WEB, len(WEB), False), Captured(DNS, len(DNS), False)],
        "",
    )


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_newer_format(path: Path, order: str) -> None:
    found, ended = read(path, pcapng(PACKETS, order=order), "vlan 5 and udp")
    assert [packet.data for packet in found] == PACKETS
    assert [packet.passes for packet in found] == [False, False, True]
    assert ended == ""


def test_packets_that_were_cut_keep_their_length(path: Path) -> None:
    found, _ = read(path, pcap(PACKETS, cut=60), "greater 70")
    assert found == [Captured(packet[:60], len(packet), len(packet) >= 70) for packet in PACKETS]


def test_the_files_link_type_decides(path: Path) -> None:
    path.write_bytes(pcap([ip(6, 22, 1)], LINKTYPE_RAW))
    with Savefile(str(path)) as file:
        compiled = file.compile("tcp port 22")
        assert (file.link_type, compiled.link_type) == ("RAW", "RAW")
        assert [packet.passes for packet in file.packets(compiled.program)] == [True]
        assert not file.compile("tcp port 22", optimise=False).optimised


def test_what_a_file_cannot_tell_is_refused_where_it_stands(path: Path) -> None:
    path.write_bytes(pcap(PACKETS))
    with Savefile(str(path)) as file, pytest.raises(ExpressionError, match="when reading savefiles") as caught:
        file.compile("tcp and inbound")
    assert caught.value.column == 8


def test_a_file_is_read_again(path: Path) -> None:
    path.write_bytes(pcap(PACKETS * 1009))
    with Savefile(str(path)) as file:
        program = file.compile("udp").program
        for _ in zip(range(5), file.packets(program), strict=False):
            pass  # and no further
        assert sum(packet.passes for packet in file.packets(program)) == 0
        assert sum(packet.passes for packet in file.packets(file.compile("vlan").program)) == 1009
        assert file.ended == ""


@pytest.mark.parametrize("size", [0, 1, 23])
def test_less_than_a_head_is_no_capture(path: Path, size: int) -> None:
    with pytest.raises(BpfscopeError, match=r"truncated dump file|unknown file format"):
        read(path, pcap(PACKETS)[:size])


@pytest.mark.parametrize("data", [b"\x7fELF" + bytes(200), b"\n" * 100, bytes(100), b"\xff" * 100])
def test_other_files_are_no_capture(path: Path, data: bytes) -> None:
    with pytest.raises(BpfscopeError, match=f"{path}: "):
        read(path, data)


@pytest.mark.parametrize("left", [1, 40, 70])
def test_a_file_that_breaks_off_gives_what_there_was(path: Path, left: int) -> None:
    found, ended = read(path, pcap(PACKETS)[:-left])
    assert [packet.data for packet in found] == PACKETS[:2]
    assert ended.startswith("truncated dump file")


@pytest.mark.parametrize(
    ("captured", "length"), [(0xFFFFFFFF, 60), (0x7FFFFFFF, 0x7FFFFFFF), (300_000, 300_000), (1 << 30, 0)]
)
@pytest.mark.parametrize("link_type", [ETHERNET, 231])  # 231: D-Bus, whose packets may be large
def test_absurd_lengths_are_an_end(path: Path, captured: int, length: int, link_type: int) -> None:
    bad = struct.pack("<IIII", 0, 0, captured, length) + bytes(100)
    path.write_bytes(pcap([SSH], link_type) + bad)
    with Savefile(str(path)) as file:
        found = list(file.packets((Instruction(6, 0, 0, 1),)))
        assert len(found) == 1
        assert file.ended


def test_larger_packets_than_a_networks_are_an_end(path: Path) -> None:
    path.write_bytes(pcap([bytes(2_000_000)], 231, cut=4_000_000))
    with Savefile(str(path)) as file:
        assert list(file.packets((Instruction(6, 0, 0, 1),))) == []
        assert "more than a network's" in file.ended


def test_an_unknown_link_type_has_a_number(path: Path) -> None:
    path.write_bytes(pcap([b"abc"], 50_000))
    with Savefile(str(path)) as file:
        assert file.link_type == "DLT 50000"
        with pytest.raises(ExpressionError, match="unknown data link type 50000") as caught:
            file.compile("len = 3")
        assert caught.value.column is None
        assert len(list(file.packets((Instruction(6, 0, 0, 1),)))) == 1


def test_empty_packets_and_files_without_any(path: Path) -> None:
    assert read(path, pcap([])) == ([], "")
    assert read(path, pcap([b""]), "") == ([Captured(b"", 0, True)], "")


@pytest.mark.parametrize(
    "program",
    [
        (),
        (Instruction(0x20, 0, 0, 12),),  # no return
        (Instruction(0x15, 200, 200, 0), Instruction(6, 0, 0, 0)),  # jumps out
        (Instruction(0x02, 0, 0, 1 << 30), Instruction(6, 0, 0, 0)),  # writes to M[2^30]
    ],
)
def test_programs_that_libpcap_refuses_are_not_run(path: Path, program: tuple[Instruction, ...]) -> None:
    path.write_bytes(pcap(PACKETS))
    with Savefile(str(path)) as file, pytest.raises(BpfscopeError, match="BPF program is not valid"):
        list(file.packets(program))


def test_a_program_that_never_ends_is_ended(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(savefile, "_SECONDS", 3.0)
    path.write_bytes(pcap(PACKETS))
    with Savefile(str(path)) as file:
        assert list(file.packets((Instruction(5, 0, 0, 0xFFFFFFFF), Instruction(6, 0, 0, 0)))) == []
        assert file.ended in {"libpcap gave nothing for 3 s", "libpcap broke off (SIGALRM)"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("/nowhere", "No such file"),
        ("", "an empty name"),
        ("/etc", "not a regular file"),
        ("/dev/zero", "not a regular"),
    ],
)
def test_what_is_no_file_is_said(name: str, said: str) -> None:
    with pytest.raises(TargetError, match=said):
        Savefile(name)


def test_a_zero_byte_or_a_pipe_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(TargetError):
        Savefile("a\0b")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TargetError, match="not a regular file"):
        Savefile(str(tmp_path / "pipe"))


def test_a_file_of_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, flags: int) -> int:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(NotPermitted, match="can't be read"):
        Savefile("/somebodys")


def test_nothing_stays_open(path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    read(path, pcap(PACKETS))
    with pytest.raises(BpfscopeError):
        read(path, b"nonsense")
    assert os.listdir("/proc/self/fd") == before


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([pcap(PACKETS), pcapng(PACKETS), pcap(PACKETS, order=">", magic=NANOSECONDS)]),
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=6),
    st.integers(0, 400),
)
def test_damaged_files_are_never_more_than_a_sentence(
    path: Path, data: bytes, changes: list[tuple[int, int]], size: int
) -> None:
    damaged = bytearray(data)
    for at, value in changes:
        if at < len(damaged):
            damaged[at] = value
    path.write_bytes(damaged[:size] if size > 24 else damaged)
    with contextlib.suppress(BpfscopeError), Savefile(str(path)) as file:
        for packet in file.packets((Instruction(6, 0, 0, 1),)):
            assert len(packet.data) <= 1 << 20
