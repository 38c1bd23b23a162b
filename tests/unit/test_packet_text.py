"""What is said of packets: beside tcpdump on the same file, and on bytes that nobody would send."""

import random
import re
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.packet_making import (
    TCP_OPTIONS,
    arp,
    dns,
    echo,
    ethernet,
    ipv4,
    ipv6,
    record,
    some_frame,
    tcp,
    udp,
)
from tui.collectors.packet_text import layers, summary
from tui.collectors.samples import PacketRecord
from tui.export import pcap
from tui.text import sanitise

NAME = b"\x07example\x03com\x00"
TARGET = bytes.fromhex("20010db8000000000000000000000077")
ANSWER = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes((192, 0, 2, 5))
ALIAS = b"\xc0\x0c" + struct.pack(">HHIH", 5, 1, 60, 6) + b"\x03www\xc0\x0c"
QUOTED = ipv4(udp(b"x" * 9, ports=(1000, 53)), 17)
QUOTED6 = ipv6(udp(b"x" * 9, ports=(1000, 53)), 17)


def icmp(kind: int, code: int, rest: int = 0) -> bytes:
    return ethernet(ipv4(struct.pack(">BBHI", kind, code, 0, rest) + QUOTED, 1))


def icmp6(kind: int, code: int, rest: int = 0, carried: bytes = QUOTED6) -> bytes:
    return ethernet(ipv6(struct.pack(">BBHI", kind, code, 0, rest) + carried, 58), 0x86DD)


def tcpdump(folder: Path, records: list[PacketRecord], *options: str) -> list[str]:
    path = str(folder / "packets.pcap")
    pcap.write(path, records)
    command = ["tcpdump", "-n", "-S", "-t", *options, "-r", path]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize("seed", range(5))
def test_thousands_of_packets_read_as_tcpdump_reads_them(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    records = [record(some_frame(chance), number) for number in range(1009)]
    said = [re.sub(r"^(vlan \d+, (p \d, )?)*", "", summary(one)) for one in records]
    assert said == tcpdump(tmp_path, records)


SPECIAL = {
    "icmp-net": icmp(3, 0),
    "icmp-host": icmp(3, 1),
    "icmp-protocol": icmp(3, 2),
    "icmp-port": icmp(3, 3),
    "icmp-too-big": icmp(3, 4, 1400),
    "icmp-prohibited": icmp(3, 13),
    "icmp-exceeded": icmp(11, 0),
    "icmp-reassembly": icmp(11, 1),
    "icmp-redirect": icmp(5, 1, 0x0A000001),
    "icmp-parameter": icmp(12, 0, 0x09000000),
    "icmp-unknown": icmp(77, 0),
    "icmp6-route": icmp6(1, 0),
    "icmp6-port": icmp6(1, 4),
    "icmp6-too-big": icmp6(2, 0, 1280),
    "icmp6-exceeded": icmp6(3, 0),
    "icmp6-solicitation": icmp6(135, 0, 0, TARGET),
    "icmp6-advertisement": icmp6(136, 0, 0x60000000, TARGET),
    "fragment6-first": ethernet(ipv6(struct.pack(">BBHI", 17, 0, 1, 77) + udp(b"a" * 90), 44), 0x86DD),
    "fragment6-later": ethernet(ipv6(struct.pack(">BBHI", 17, 0, 1448, 77) + b"a" * 90, 44), 0x86DD),
    "ah": ethernet(ipv4(struct.pack(">BBHII", 6, 4, 0, 0x1234, 9) + b"\xaa" * 12 + tcp(), 51)),
    "esp": ethernet(ipv4(struct.pack(">II", 0x1234, 9) + b"q" * 40, 50)),
    "geneve": ethernet(
        ipv4(udp(struct.pack(">BBHI", 0, 0, 0x6558, 0xA00) + ethernet(ipv4(echo(), 1)), ports=(40000, 6081)), 17)
    ),
    "gre-key": ethernet(ipv4(struct.pack(">HHII", 0x3000, 0x0800, 7, 9) + ipv4(tcp(), 6), 47)),
    "gre-ethernet": ethernet(ipv4(struct.pack(">HH", 0, 0x6558) + ethernet(ipv4(tcp(), 6)), 47)),
    "gre-unknown": ethernet(ipv4(struct.pack(">HH", 0, 0x1234) + b"q" * 9, 47)),
    "ipip": ethernet(ipv4(ipv4(tcp(), 6), 4)),
    "6in4": ethernet(ipv4(ipv6(tcp(), 6), 41)),
    "4in6": ethernet(ipv6(ipv4(udp(b"x"), 17), 4), 0x86DD),
    "dns-question": ethernet(ipv4(udp(dns(NAME, 28), ports=(40000, 53)), 17)),
    "dns-answers": ethernet(ipv4(udp(dns(NAME, answers=[ALIAS, ANSWER], flags=0x8180), ports=(53, 40000)), 17)),
    "dns-no-such-name": ethernet(ipv4(udp(dns(NAME, answers=[ANSWER], flags=0x8183), ports=(53, 40000)), 17)),
    "arp-known": ethernet(arp(1, b"\2" * 6), 0x0806),
    "arp-padded": ethernet(arp() + b"\0" * 18, 0x0806),
    "udp-bad-length": ethernet(ipv4(udp(b"x" * 9, length=99), 17)),
    "udp-short-length": ethernet(ipv4(udp(b"x" * 9, length=3), 17)),
    "ip-bad-header": ethernet(b"\x41" + ipv4(tcp(), 6)[1:]),
    "tcp-all-options": ethernet(ipv4(tcp(options=b"".join(TCP_OPTIONS[:4] + TCP_OPTIONS[5:])), 6)),
}


@pytest.mark.parametrize("name", SPECIAL)
def test_what_is_rarer_reads_so_too(tmp_path: Path, name: str) -> None:
    assert [summary(record(SPECIAL[name]))] == tcpdump(tmp_path, [record(SPECIAL[name])])


def wireguard(kind: int, size: int) -> bytes:
    return ethernet(ipv4(udp(bytes((kind, 0, 0, 0)) + b"\x77" * (size - 4), ports=(51820, 40000)), 17))


IPV4 = "IP 192.0.2.1.40000 > 192.0.2.9.9000: UDP, length 1"


@pytest.mark.parametrize(
    ("data", "changes", "said"),
    [
        (ethernet(ipv4(udp(b"x"), 17)), {}, IPV4),
        (ipv4(udp(b"x"), 17), {"link_type": 101}, IPV4),
        (ipv6(tcp(), 6)[:24], {"link_type": 101}, "[|ip6]"),
        (b"\x20", {"link_type": 101}, "no IP packet, length 1"),
        (b"abc", {"link_type": 113}, "link type 113, length 3"),
        (ethernet(ipv4(udp(b"x"), 17)), {"vlan_tpid": 0x8100, "vlan_tci": 0x2005}, f"vlan 5, p 1, {IPV4}"),
        (
            ethernet(ipv4(udp(b"x"), 17), 0x0800, (0x8100, 7)),
            {"vlan_tpid": 0x88A8, "vlan_tci": 100},
            f"vlan 100, vlan 7, {IPV4}",
        ),
        (
            ethernet(b"payload", 0x1234),
            {},
            "02:fc:00:00:00:02 > 02:fc:00:00:00:01, ethertype Unknown (0x1234), length 21",
        ),
        (ethernet(b"\x42\x42\3" + b"\0" * 35, 38), {}, "02:fc:00:00:00:02 > 02:fc:00:00:00:01, 802.3 LLC, length 38"),
        (ethernet(ipv4(b"x" * 20, 89)), {}, "IP 192.0.2.1 > 192.0.2.9: OSPF, length 20"),
        (ethernet(ipv4(b"x" * 20, 253)), {}, "IP 192.0.2.1 > 192.0.2.9: ip-proto-253, length 20"),
        (
            ethernet(ipv4(udp(b"\x08\0\0\0\0\0\x64\0" + ethernet(ipv4(udp(b"x"), 17)), ports=(40000, 4789)), 17)),
            {},
            f"IP 192.0.2.1.40000 > 192.0.2.9.4789: VXLAN, flags [I] (0x08), vni 100: {IPV4}",
        ),
        (wireguard(1, 148), {}, "IP 192.0.2.1.51820 > 192.0.2.9.40000: WireGuard, handshake initiation, length 148"),
        (wireguard(4, 96), {}, "IP 192.0.2.1.51820 > 192.0.2.9.40000: WireGuard, data, length 96"),
        (wireguard(1, 147), {}, "IP 192.0.2.1.51820 > 192.0.2.9.40000: UDP, length 147"),
        (wireguard(4, 97), {}, "IP 192.0.2.1.51820 > 192.0.2.9.40000: UDP, length 97"),
        (
            ethernet(ipv4(tcp(b"x", flags=0), 6, total=0)),
            {},
            "IP 192.0.2.1.51044 > 192.0.2.9.22: Flags [none], seq 1000000007:1000000008, win 501, length 1",
        ),
        (ethernet(ipv4(tcp(b"x"), 6, total=10)), {}, "IP 192.0.2.1 > 192.0.2.9: bad-len 10"),
        (ethernet(ipv4(tcp()[:12], 6)), {}, "IP 192.0.2.1.51044 > 192.0.2.9.22: [|tcp]"),
        (b"", {}, "[|ether]"),
    ],
)
def test_summaries(data: bytes, changes: dict[str, object], said: str) -> None:
    assert summary(record(data)._replace(**changes)) == said  # type: ignore[arg-type]


def test_what_was_not_kept_still_counts() -> None:
    whole = ethernet(ipv4(tcp(b"x" * 1000, options=TCP_OPTIONS[0]), 6))
    kept = record(whole[:58], length=len(whole))
    assert summary(kept) == summary(record(whole))
    assert summary(kept).endswith("length 1000")


def test_fields_lie_where_their_bytes_are() -> None:
    data = ethernet(ipv4(tcp(b"payload", options=TCP_OPTIONS[0]), 6), 0x0800, (0x8100, 5)) + b"\0" * 9
    found = {layer.name: layer for layer in layers(record(data))}
    assert list(found) == ["Ethernet", "VLAN", "IPv4", "TCP", "Data", "Padding"]
    assert [(layer.offset, layer.size) for layer in found.values()] == [
        (0, 14),
        (14, 4),
        (18, 20),
        (38, 24),
        (62, 7),
        (69, 9),
    ]
    fields = {(layer.name, field.name): field for layer in found.values() for field in layer.fields}
    assert data[slice_of(fields["IPv4", "source"])] == bytes((192, 0, 2, 1))
    assert data[slice_of(fields["TCP", "destination port"])] == b"\0\x16"
    assert fields["TCP", "destination port"].value == "22"
    assert data[slice_of(fields["TCP", "option mss"])] == TCP_OPTIONS[0]
    assert fields["TCP", "flags"].value == "ACK PSH"
    assert data[slice_of(fields["VLAN", "VLAN"])] == b"\0\5"


def slice_of(field: object) -> slice:
    offset, size = getattr(field, "offset"), getattr(field, "size")  # noqa: B009 - a field's, of any layer
    return slice(offset, offset + size)


def test_a_tag_kept_aside_is_a_layer_without_bytes() -> None:
    tagged = record(ethernet(ipv4(udp(), 17)), vlan_tpid=0x8100, vlan_tci=0x7005)
    first = layers(tagged)[0]
    assert (first.offset, first.size) == (0, 0)
    assert [(field.name, field.value) for field in first.fields] == [
        ("type", "0x8100 (802.1Q)"),
        ("VLAN", "5"),
        ("priority", "3"),
        ("may be dropped", "yes"),
    ]


def test_a_quoted_packet_is_layers_but_no_part_of_the_line() -> None:
    names = [layer.name for layer in layers(record(icmp(3, 3)))]
    assert names == ["Ethernet", "IPv4", "ICMP", "IPv4, quoted", "UDP, quoted", "Data"]
    assert summary(record(icmp(3, 3))).count("IP ") == 1


@pytest.mark.parametrize(
    "name",
    [
        b"\xc0\x0c",  # itself
        b"\xc0\x20" + b"\0" * 20,  # forward
        b"\x3f" * 400,  # longer than a name may be
        b"\x80abc\0",  # a kind of label that there is not
        b"\x07exam",  # not all there
    ],
)
def test_names_that_are_none(name: bytes) -> None:
    said = summary(record(ethernet(ipv4(udp(dns(name)[: 12 + len(name)], ports=(40000, 53)), 17))))
    assert "[|domain]" in said


def test_names_are_sanitised() -> None:
    label = b"\x1b[31m.\xff\n"
    name = bytes((len(label),)) + label + b"\0"
    said = summary(record(ethernet(ipv4(udp(dns(name), ports=(40000, 53)), 17))))
    assert "4242+ A? ␛[31m\\.�␊. (" in said


def test_packets_in_packets_in_packets() -> None:
    packet = tcp()
    for depth in range(300):
        packet = ipv4(packet, 4 if depth else 6, total=0)
    found = layers(record(ethernet(packet)))
    assert len(found) < 50
    assert sum(layer.size for layer in found) == len(packet) + 14
    chain = tcp()
    for depth in range(1000):
        chain = bytes((60 if depth else 6, 0, 1, 4, 0, 0, 0, 0)) + chain
    assert len(layers(record(ethernet(ipv6(chain, 60), 0x86DD)))) < 50


def holds(packet: PacketRecord) -> None:
    """What is true of whatever is given."""
    said, found = summary(packet), layers(packet)
    assert said == sanitise(said)
    assert "\n" not in said
    at = 0
    for layer in found:
        assert layer.offset == at
        at += layer.size
        for field in layer.fields:
            assert 0 <= field.offset <= field.offset + field.size <= len(packet.data)
            assert sanitise(field.value) == field.value
    assert at == len(packet.data)


LINKS = st.sampled_from([1, 1, 101, 228, 229, 113])


@given(st.binary(max_size=200), LINKS, st.integers(0, 5000), st.sampled_from([0, 0x8100]))
def test_any_bytes(data: bytes, link: int, more: int, tpid: int) -> None:
    holds(record(data, link_type=link, length=len(data) + more, vlan_tpid=tpid, vlan_tci=5))


WHOLE = [*SPECIAL.values(), *(some_frame(random.Random(seed)) for seed in range(200))]


@given(st.sampled_from(WHOLE), st.data())
def test_packets_with_a_few_bytes_changed(whole: bytes, data: st.DataObject) -> None:
    changed = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 8))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    holds(record(bytes(changed), length=data.draw(st.sampled_from([len(changed), 10_000]))))


@pytest.mark.parametrize("name", SPECIAL)
def test_packets_cut_at_every_byte(name: str) -> None:
    whole = SPECIAL[name]
    for size in range(len(whole)):
        holds(record(whole[:size], length=len(whole)))
        holds(record(whole[:size]))
