"""Files of packets: read by tcpdump, and byte by byte."""

import os
import stat
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.packet_making import START, ethernet, ipv4, record, udp
from tui.collectors.samples import PacketRecord
from tui.errors import BpfscopeError
from tui.export import pcap, whole

PACKET = ipv4(udp(b"x"), 17)
FRAME = ethernet(PACKET)


def read(path: Path) -> list[str]:
    command = ["tcpdump", "-n", "-e", "-tt", "--nano", "-r", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_tcpdump_reads_times_lengths_and_tags(tmp_path: Path) -> None:
    records = [
        record(FRAME),
        record(FRAME, 1, vlan_tpid=0x8100, vlan_tci=0x2005),
        record(ethernet(PACKET, 0x0800, (0x8100, 7)), 2, vlan_tpid=0x88A8, vlan_tci=100),
        record(FRAME[:40], 3, length=len(FRAME) + 1000, vlan_tpid=0x8100, vlan_tci=0),
    ]
    path = tmp_path / "out.pcap"
    pcap.write(str(path), records)
    ends = "02:fc:00:00:00:02 > 02:fc:00:00:00:01"
    said = "192.0.2.1.40000 > 192.0.2.9.9000: UDP, length 1"
    assert read(path)[:3] == [
        f"1700000000.123456789 {ends}, ethertype IPv4 (0x0800), length 43: {said}",
        (
            f"1700000000.124456792 {ends}, ethertype 802.1Q (0x8100), length 47: vlan 5, p 1,"
            f" ethertype IPv4 (0x0800), {said}"
        ),
        (
            f"1700000000.125456795 {ends}, ethertype 802.1Q-QinQ (0x88a8), length 51: vlan 100, p 0,"
            f" ethertype 802.1Q (0x8100), vlan 7, p 0, ethertype IPv4 (0x0800), {said}"
        ),
    ]
    assert "length 1047: vlan 0, p 0, ethertype IPv4" in read(path)[3]


def test_packets_without_an_ethernet_header(tmp_path: Path) -> None:
    path = tmp_path / "out.pcap"
    bare = record(PACKET, link_type=101)
    pcap.write(str(path), [bare])
    assert read(path) == ["1700000000.123456789 ip: 192.0.2.1.40000 > 192.0.2.9.9000: UDP, length 1"]
    pcap.write(str(path), [bare, record(FRAME, 1)])
    assert "00:00:00:00:00:00 > 00:00:00:00:00:00, ethertype IPv4 (0x0800), length 43: 192.0.2.1" in read(path)[0]
    assert "02:fc:00:00:00:02" in read(path)[1]


def parsed(file: bytes) -> list[tuple[int, int, bytes]]:
    """Time, length on the wire, bytes."""
    assert struct.unpack("<IHHiII", file[:20]) == (0xA1B23C4D, 2, 4, 0, 0, 262_144)
    found, at = [], 24
    while at < len(file):
        seconds, nanoseconds, kept, length = struct.unpack_from("<IIII", file, at)
        found.append((seconds * 1_000_000_000 + nanoseconds, length, file[at + 16 : at + 16 + kept]))
        at += 16 + kept
    assert at == len(file)
    return found


RECORDS = st.builds(
    lambda data, more, number, tpid: record(data, number, length=len(data) + more, vlan_tpid=tpid, vlan_tci=5),
    st.binary(max_size=80),
    st.integers(0, 9000),
    st.integers(0, 1_000_000),
    st.sampled_from([0, 0x8100]),
)


@given(st.lists(RECORDS, max_size=8))
def test_nothing_is_lost_or_added(records: list[PacketRecord]) -> None:
    for one, (time, length, data) in zip(records, parsed(pcap.encode(records)), strict=True):
        tag = 4 * (one.vlan_tpid != 0 and len(one.data) >= 12)
        assert (time, length, len(data)) == (one.time_ns, one.length + tag, len(one.data) + tag)
        assert data[:12] + data[12 + tag :] == one.data


def test_no_packets_and_large_ones(tmp_path: Path) -> None:
    path = tmp_path / "out.pcap"
    pcap.write(str(path), [])
    assert read(path) == []
    pcap.write(str(path), [record(FRAME + b"x" * 300_000)])
    assert len(read(path)) == 1
    assert parsed(path.read_bytes()) == [(START, len(FRAME) + 300_000, (FRAME + b"x" * 300_000)[:262_144])]


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "out.pcap"
    path.write_text("open to all")
    path.chmod(0o644)
    pcap.write(str(path), [record(FRAME)])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.pcap"]


def test_another_users_link_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, link, further = tmp_path / "target", tmp_path / "link", tmp_path / "further"
    target.write_text("precious")
    link.symlink_to(target)
    further.symlink_to("link")
    whole.write(str(further), "mine")
    assert (target.read_text(), link.is_symlink(), further.is_symlink()) == ("mine", True, True)
    user = os.geteuid()
    monkeypatch.setattr(os, "lstat", lambda path: _owned_by(path, user + 1 if str(path) == str(link) else user))
    for path in (link, further):
        with pytest.raises(BpfscopeError, match="another user's symbolic link"):
            pcap.write(str(path), [record(FRAME)])
        with pytest.raises(BpfscopeError, match="another user's symbolic link"):
            whole.check(str(path))
    assert target.read_text() == "mine"


def _owned_by(path: str | Path, user: int, look: object = os.stat) -> os.stat_result:
    assert callable(look)
    found = look(path, follow_symlinks=False)
    return os.stat_result([user if index == 4 else value for index, value in enumerate(found)])


def test_a_link_to_a_file_that_is_not_there_yet_is_followed(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("later")
    whole.check(str(link))
    whole.write(str(link), "there")
    assert (tmp_path / "later").read_text() == "there"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["later", "link"]


@pytest.mark.parametrize("name", ["n" * 255, "é" * 127])
def test_the_longest_names(tmp_path: Path, name: str) -> None:
    whole.check(str(tmp_path / name))
    whole.write(str(tmp_path / name), "there")
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("path", ["", "folder/"])
def test_no_name(path: str) -> None:
    with pytest.raises(BpfscopeError, match="not a regular file"):
        whole.check(path)


def test_links_in_a_circle(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("link")
    with pytest.raises(BpfscopeError, match="cannot write"):
        whole.write(str(link), "x")


def test_only_regular_files_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    with pytest.raises(BpfscopeError, match="not a regular file"):
        pcap.write(str(path), [])
    assert path.is_fifo()
