"""Packets counted, grouped and sampled over a veth pair, where everything that passes is the test's own."""

import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import packets
from tests.kernel.grouped import group
from tests.kernel.network import Pair
from tui.bpf import classic, kernel
from tui.bpf.hooks import Hook
from tui.bpf.packets.groups import By
from tui.collectors.packets import PacketsProbe, Wish, compiled_for
from tui.collectors.samples import FilterFigures, GroupRow, Interface, PacketsSample
from tui.errors import UsageError

EVERYTHING = classic.assemble("ret #262144")
UDP = classic.assemble("ldh [12]\njne #0x800, no\nldb [23]\njne #17, no\nret #262144\nno: ret #0")
HOOKS = [Hook.SOCKET_EBPF, Hook.TCX_INGRESS, Hook.XDP]


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with Pair() as made:
        yield made


def interface(number: int, name: str = "right") -> Interface:
    return Interface(number, name, "up", "veth", (), "", 1500, "veth", *[0] * 8)


def wish(pair: Pair, hook: Hook, program: classic.Program = EVERYTHING) -> Wish:
    return Wish(interface(pair.right.number), hook, "", program)


def only(sample: PacketsSample) -> FilterFigures:
    (found,) = sample.filters
    return found


@pytest.mark.guest
@pytest.mark.parametrize("hook", [*HOOKS, Hook.SOCKET])
@pytest.mark.parametrize("hits", [False, True])
def test_seen_and_matched(pair: Pair, hook: Hook, *, hits: bool) -> None:
    with pair.right.entered(), PacketsProbe([wish(pair, hook, UDP)], hits=hits) as probe:
        pair.left.send(997, pair.left.frame(200))
        pair.left.send(101, bytes(12) + b"\x08\x06" + bytes(46))
        found = only(probe.read())
        assert (found.seen, found.matched, found.lost) == (1098, 997, 0)
        assert (found.bytes_seen, found.bytes_matched) == (997 * 200 + 101 * 60, 997 * 200)
        assert found.segments == 997
        assert found.classic_matched == (997 if hook is Hook.SOCKET else None)
        assert found.hits == ((1098, 1098, 997, 997, 997, 101) if hits else ())
        probe.stop()
        pair.left.send(7)
        assert only(probe.read())._replace(hits=()) == found._replace(hits=())


def send_each(pair: Pair, frames: list[bytes]) -> None:
    """One after the other, from the left."""
    with pair.left.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as out:
        out.bind((pair.left.interface, 0))
        for each in frames:
            out.send(each)


@pytest.fixture(scope="module")
def frames() -> list[bytes]:
    """What can be sent and is received: the kernel drops what ends within a tag that it would take out."""
    return [each for each in packets.generate(3001, 7) if (20 if tagged(each) else 14) <= len(each) <= 1514]


def tagged(frame: bytes) -> bool:
    return frame[12:14] in (b"\x81\0", b"\x88\xa8")


@pytest.mark.guest
@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("by", [each for each in By if each not in (By.NOTHING, By.GAP)])
def test_groups(pair: Pair, frames: list[bytes], hook: Hook, by: By) -> None:
    with pair.right.entered(), PacketsProbe([wish(pair, hook)], by) as probe:
        send_each(pair, frames)
        probe.stop()
        found = only(probe.read())
    aside = 0 if hook is Hook.XDP else 4  # bytes of an outer tag that aren't the packet's any more
    lengths = [len(each) - aside * tagged(each) for each in frames]
    rows = Counter(group(by, each, length) for each, length in zip(frames, lengths, strict=True))
    told = {row.key: row.packets for row in found.groups}
    assert {key: rows[key] for key in told} == told
    assert found.others.packets == sum(rows.values()) - sum(told.values())
    assert found.matched == found.seen == len(frames)
    assert found.bytes_matched == sum(lengths) == sum(row.bytes for row in (*found.groups, found.others))


@pytest.mark.guest
@pytest.mark.parametrize("hook", HOOKS)
def test_gaps(pair: Pair, hook: Hook) -> None:
    with pair.right.entered(), PacketsProbe([wish(pair, hook)], By.GAP) as probe:
        pair.left.send(211)
        found = only(probe.read())
    assert [row for row in found.groups if row.key is None] == [GroupRow(None, 1, 60)]
    assert sum(row.packets for row in found.groups) == found.matched == 211


@pytest.mark.guest
@pytest.mark.parametrize("hook", HOOKS)
def test_a_scan_leaves_the_talkers_and_exact_others(pair: Pair, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.bpf.packets.counter.GROUPS", 64)
    head, tail = (pair.left.frame()[:26], pair.left.frame()[30:])
    talkers = [head + bytes([192, 0, 2, number]) + tail for number in range(3)]
    scan = [head + number.to_bytes(4, "big") + tail for number in range(0x0A000000, 0x0A000000 + 1009)]
    with pair.right.entered(), PacketsProbe([wish(pair, hook)], By.SRC) as probe:
        for part in range(0, len(scan), 50):
            send_each(pair, [*talkers, *talkers, *scan[part : part + 50]])
            found = only(probe.read())
            assert sum(row.packets for row in (*found.groups, found.others)) == found.matched == found.seen
        found = only(probe.read())
    rounds = -(-len(scan) // 50)
    assert [(row.key, row.packets) for row in found.groups[:3]] == [(f"192.0.2.{n}", 2 * rounds) for n in range(3)]
    assert found.seen == 6 * rounds + 1009
    assert len(found.groups) <= 64


@pytest.mark.parametrize("hook", HOOKS)
def test_readings_under_a_flood_agree_with_themselves(pair: Pair, targets: Path, hook: Hook) -> None:
    number = 200_003
    with pair.right.entered(), PacketsProbe([wish(pair, hook, UDP)], By.FLOW) as probe:
        with ThreadPoolExecutor(1) as executor:
            flood = executor.submit(pair.left.flood, targets, number)
            while not flood.done():
                found = only(probe.read())
                assert sum(row.packets for row in (*found.groups, found.others)) == found.matched
                assert found.seen == found.matched == found.segments  # nothing else comes
            assert flood.result()["sent"] == number
        found = only(probe.read())
    assert [(row.key, row.packets) for row in found.groups] == [("udp 10.0.0.1:1 → 10.0.0.2:2", number)]
    assert found.seen == found.matched == number


@pytest.mark.guest
@pytest.mark.parametrize("hook", HOOKS)
def test_samples(pair: Pair, hook: Hook) -> None:
    frame = pair.left.frame(400, b"payload")
    with pair.right.entered(), PacketsProbe([wish(pair, hook, UDP)], snapshot=96) as probe:
        pair.left.send(5, frame)
        assert probe.read().records == ()
        probe.allow(7)
        pair.left.send(11, frame)
        sample = probe.read()
        assert [(record.length, record.data, record.direction) for record in sample.records] == [
            (400, frame[:96], "in")
        ] * 7
        times = [record.time_ns for record in sample.records]
        assert times == sorted(times)
        assert abs(times[-1] - time.time_ns()) < 10e9
        probe.allow(100)
        pair.left.send(3, frame[:50])
        sample = probe.read()
        assert [(record.length, len(record.data)) for record in sample.records] == [(50, 50)] * 3
        assert only(sample).matched == 19


def test_a_sample_of_a_tagged_packet(pair: Pair) -> None:
    frame = pair.left.frame()
    tagged_frame = frame[:12] + bytes.fromhex("8100 2005") + frame[12:]
    with pair.right.entered(), PacketsProbe([wish(pair, each) for each in HOOKS], snapshot=96) as probe:
        probe.allow(1)
        pair.left.send(1, tagged_frame)
        records = probe.read().records
    assert sorted((record.vlan_tpid, record.vlan_tci, record.data) for record in records) == [
        (0, 0, tagged_frame),
        (0x8100, 0x2005, frame),
        (0x8100, 0x2005, frame),
    ]


def test_several_filters_on_the_same_traffic(pair: Pair) -> None:
    wishes = [wish(pair, hook, program) for hook in HOOKS for program in (EVERYTHING, UDP) if hook is not Hook.XDP]
    wishes.append(wish(pair, Hook.XDP, UDP))
    with pair.right.entered(), PacketsProbe(wishes) as probe:
        assert sum("first of 2 " in each for each in probe.positions) == 1
        pair.left.send(31)
        pair.left.send(17, bytes(12) + b"\x08\x06" + bytes(46))
        found = probe.read().filters
    assert {one.seen for one in found} == {48}
    assert [one.matched for one in found] == [48, 31, 48, 31, 31]


def test_what_goes_out_and_what_comes_back(pair: Pair) -> None:
    egress = wish(pair, Hook.TCX_EGRESS)
    with pair.right.entered(), PacketsProbe([egress, wish(pair, Hook.SOCKET_EBPF)], snapshot=64) as probe:
        probe.allow(10)
        pair.right.send(3)
        pair.left.send(2)
        sample = probe.read()
    out, both = sample.filters
    assert (out.direction, out.matched, both.direction, both.matched) == ("out", 3, "both", 5)
    ways = Counter((record.direction, record.interface) for record in sample.records)
    assert ways == {("out", "right"): 6, ("in", "right"): 2}


def test_the_interface_disappears() -> None:
    with Pair() as pair, pair.right.entered(), PacketsProbe([wish(pair, hook) for hook in HOOKS]) as probe:
        pair.left.send(13)
        assert probe.read().ended == ""
        pair.right.run("ip", "link", "delete", "right")
        sample = probe.read()
    assert sample.ended == "right disappeared"
    assert {one.seen for one in sample.filters} == {13}


def test_the_interface_moves_to_another_namespace() -> None:
    with Pair() as pair, pair.right.entered(), PacketsProbe([wish(pair, hook) for hook in HOOKS]) as probe:
        pair.left.send(13)
        assert probe.read().ended == ""
        pair.right.run("ip", "link", "set", "right", "netns", pair.left.path)
        sample = probe.read()
    assert sample.ended == "right disappeared"
    assert {one.seen for one in sample.filters} == {13}


def test_beside_a_classic_socket_figures_are_of_the_same_packets(pair: Pair, targets: Path) -> None:
    with pair.right.entered(), ThreadPoolExecutor(1) as executor:
        flood = executor.submit(pair.left.flood, targets, 300_007)
        with PacketsProbe([wish(pair, Hook.SOCKET)]) as probe:
            for _ in range(5):
                found = only(probe.read())
                assert found.seen == found.matched
                assert found.bytes_seen == found.bytes_matched
        flood.result()


@pytest.mark.parametrize("name", ["any", "nflog", "nfqueue", "nfqueue:1"])
def test_a_name_that_libpcap_takes_for_something_else(name: str) -> None:
    assert compiled_for("socket-ebpf", interface(1, name)) == {"link_type": "EN10MB"}
    assert compiled_for("socket-ebpf", interface(1, f"x{name}")) != {"link_type": "EN10MB"}


def test_grouping_with_classic_bpf_is_refused(pair: Pair) -> None:
    with pair.right.entered(), pytest.raises(UsageError, match="socket-ebpf"):
        PacketsProbe([wish(pair, Hook.SOCKET)], By.SRC)


@pytest.mark.parametrize("hook", [Hook.SOCKET_EBPF, Hook.TCX_INGRESS])
def test_filters_begin_and_end_at_one_instant(pair: Pair, targets: Path, hook: Hook) -> None:
    with pair.right.entered(), ThreadPoolExecutor(1) as executor:
        flood = executor.submit(pair.left.flood, targets, 300_007)
        with PacketsProbe([wish(pair, hook) for _ in range(5)], hits=True) as probe:
            for _ in range(3):
                seen = [one.seen for one in probe.read().filters]
                assert max(seen) - min(seen) <= 8  # one packet for each CPU may be on its way through them
            probe.stop()
            ended = probe.read().filters
            assert max(one.seen for one in ended) - min(one.seen for one in ended) <= 8
            assert all(one.hits == (one.seen,) for one in ended)
        flood.result()


def test_cgroups_count_only_the_interface() -> None:
    with PacketsProbe([Wish(interface(99_999, "none"), Hook.CGROUP, "", EVERYTHING)]) as probe:
        assert "all network namespaces" in probe.notes[0]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind(("127.0.0.1", 0))
            receiver.sendto(b"", receiver.getsockname())
            receiver.recv(1)
        assert only(probe.read()).seen == 0


def test_somebody_takes_a_filter_off(pair: Pair) -> None:
    with pair.right.entered(), PacketsProbe([wish(pair, Hook.XDP), wish(pair, Hook.TCX_INGRESS)]) as probe:
        number = kernel.info(probe._filters[0]._attached._links[0], 8)  # type: ignore[union-attr]
        subprocess.run(["bpftool", "link", "detach", "id", str(int.from_bytes(number[4:8], "little"))], check=True)
        pair.left.send(3)
        sample = probe.read()
    assert [(one.seen, one.gone) for one in sample.filters] == [(0, "somebody else took the filter off right"), (3, "")]
    assert sample.ended == ""
