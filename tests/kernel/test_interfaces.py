"""Interfaces in a namespace of the tests' own: exact counters, what comes and goes, and only that namespace's."""

import socket
from collections.abc import Iterator

import pytest

from tests.kernel.namespaces import Namespace, namespace
from tests.kernel.probing import wait_until
from tui.collectors.interfaces import Interfaces
from tui.collectors.samples import Interface

PACKETS = 1009
SIZE = 61


@pytest.fixture
def inside() -> Iterator[Namespace]:
    with namespace() as made:
        yield made


@pytest.fixture
def reader(inside: Namespace) -> Iterator[Interfaces]:
    with inside.run(Interfaces) as opened:
        yield opened


def named(reader: Interfaces) -> dict[str, Interface]:
    return {one.name: one for one in reader.read().interfaces}


def send_frames() -> None:
    """Frames of a protocol that nothing answers: their number and size are exact."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind(("here", 0))
        frame = b"\xff" * 6 + b"\2\0\0\0\0\1" + b"\x88\xb5" + b"x" * SIZE
        for _ in range(PACKETS):
            sender.send(frame)


def test_only_what_is_in_our_namespace(reader: Interfaces) -> None:
    found = named(reader)
    assert {"lo", "here", "there"} <= set(found)
    assert "eth0" not in found
    here = found["here"]
    assert (here.kind, here.driver, here.state, here.addresses[0]) == ("veth", "", "up", "192.0.2.1/24")


def test_counters_are_exact(inside: Namespace, reader: Interfaces) -> None:
    before = named(reader)
    inside.run(send_frames)
    wait_until(lambda: named(reader)["there"].rx_packets >= before["there"].rx_packets + PACKETS, "all packets")
    after = named(reader)
    here, there = (
        tuple(now - then for now, then in zip(_counters(after[name]), _counters(before[name]), strict=True))
        for name in ("here", "there")
    )
    assert here == (0, 0, PACKETS, PACKETS * (14 + SIZE))
    assert there == (PACKETS, PACKETS * (14 + SIZE), 0, 0)


def _counters(one: Interface) -> tuple[int, ...]:
    return (one.rx_packets, one.rx_bytes, one.tx_packets, one.tx_bytes)


def test_what_comes_goes_and_changes(inside: Namespace, reader: Interfaces) -> None:
    first = named(reader)["here"]
    inside.ip("link add br0 type veth peer name other")
    assert {"br0", "other"} <= set(named(reader))
    assert named(reader)["br0"].state == "down"
    inside.ip("link set br0 up")
    assert named(reader)["br0"].state == "no carrier"
    inside.ip("link del br0")
    assert not {"br0", "other"} & set(named(reader))
    inside.ip("link set here down")
    assert named(reader)["here"].state == "down"
    inside.ip("link set here name renamed")
    inside.ip("link set renamed mtu 9000")
    inside.ip("addr add 2001:db8::1/64 dev renamed nodad")
    inside.ip("link set renamed up")
    renamed = named(reader)["renamed"]
    assert (renamed.ifindex, renamed.mtu) == (first.ifindex, 9000)
    assert renamed.addresses[:2] == ("192.0.2.1/24", "2001:db8::1/64")
    wait_until(lambda: named(reader)["renamed"].state == "up", "the carrier")


def test_hostile_names(inside: Namespace, reader: Interfaces) -> None:
    inside.ip("link set here down")
    inside.ip("link set here name \x1b[31m\x07")
    assert "␛[31m␇" in named(reader)


def test_hundreds(inside: Namespace, reader: Interfaces) -> None:
    for number in range(100):
        inside.ip(f"link add a{number} type veth peer name b{number}")
    found = named(reader)
    assert len([name for name in found if name[0] in "ab"]) == 200
    assert all(one.kind == "veth" for name, one in found.items() if name[0] in "ab")
