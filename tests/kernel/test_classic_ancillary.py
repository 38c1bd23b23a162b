"""Ancillary data and header areas on real interfaces: a packet socket's filter and our machine see the same numbers."""

import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import pytest

from tests import headers as h
from tests.engines import attach
from tui.bpf.classic import Ancillary, Packet, assemble, steps

ETH_P_ALL = 3
CLONE_NEWNET = 0x40000000
A, B, ELSEWHERE = "02:00:00:00:00:0a", "02:00:00:00:00:0b", "02:00:00:00:00:0c"
MARK = 0xBADCAFE
Result = TypeVar("Result")


class Pair(NamedTuple):
    """Two interfaces, `a` and `b`, joined in a network namespace of the test's own, which says nothing by itself."""

    namespace: str

    def inside(self, work: Callable[[], Result]) -> Result:
        """Does it in the namespace, by a thread that moves there."""
        results = []
        thread = threading.Thread(target=lambda: results.append((self._enter(), work())[1]))
        thread.start()
        thread.join()
        return results[0]

    def _enter(self) -> None:
        with Path(f"/run/netns/{self.namespace}").open() as entry:
            assert ctypes.CDLL(None).setns(entry.fileno(), CLONE_NEWNET) == 0


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    name = f"bpfscope-classic-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        inside = ["ip", "netns", "exec", name]
        subprocess.run([*inside, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"], check=True)
        ends = [
            "name",
            "a",
            "mtu",
            "9000",
            "address",
            A,
            "type",
            "veth",
            "peer",
            "name",
            "b",
            "mtu",
            "9000",
            "address",
            B,
        ]
        subprocess.run(["ip", "-n", name, "link", "add", *ends], check=True)
        for end in "ab":
            subprocess.run(["ip", "-n", name, "link", "set", "dev", end, "up"], check=True)
        yield Pair(name)
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def packet_socket(end: str) -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    made.bind((end, ETH_P_ALL))
    made.settimeout(10)
    return made


def caught(pair: Pair, condition: str, frame: bytes, end: str = "b") -> bytes:
    """What a packet socket at one end gets of a frame that `a` sends, if the condition holds; else it times out."""
    program = assemble(f"{condition} ret #0 yes: ret #262144")
    with ExitStack() as owned:
        sender, receiver = (owned.enter_context(pair.inside(partial(packet_socket, at))) for at in ("a", end))
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)
        attach(receiver, program)
        sender.send(frame)
        return receiver.recv(65536)


DATAGRAM = h.ipv4(h.UDP, h.udp(1000, 53, bytes(18)))
FRAMES = {
    "to b": h.ethernet(h.IP, DATAGRAM, A, B),
    "broadcast": h.ethernet(h.IP, DATAGRAM, A, "ff:ff:ff:ff:ff:ff"),
    "multicast": h.ethernet(h.IP, DATAGRAM, A, "01:00:5e:00:00:01"),
    "elsewhere": h.ethernet(h.IP, DATAGRAM, A, ELSEWHERE),
    "tagged": h.ethernet(h.VLAN, h.vlan(100, h.IP, DATAGRAM, priority=1), A, B),
    "large": h.ethernet(0x88B5, bytes(range(256)) * 35, A, B),
}


@pytest.mark.parametrize(
    ("load", "frame", "end", "known"),
    [
        ("ld proto", "to b", "b", Ancillary(protocol=h.IP)),
        ("ld proto", "large", "b", Ancillary(protocol=0x88B5)),
        ("ld type", "to b", "b", Ancillary(pkttype=0)),
        ("ld type", "broadcast", "b", Ancillary(pkttype=1)),
        ("ld type", "multicast", "b", Ancillary(pkttype=2)),
        ("ld type", "elsewhere", "b", Ancillary(pkttype=3)),
        ("ld type", "to b", "a", Ancillary(pkttype=4)),
        ("ld hatype", "to b", "b", Ancillary(ifindex=1, hatype=1)),
        ("ld mark", "to b", "a", Ancillary(mark=MARK)),
        ("ld queue", "to b", "b", Ancillary(queue=0)),
        ("ldb vlan_tci", "tagged", "b", Ancillary(vlan_tci=1 << 13 | 100)),
        ("ld vlan_avail", "tagged", "b", Ancillary(vlan_present=1)),
        ("ld vlan_avail", "to b", "b", Ancillary(vlan_present=0)),
        ("ld vlan_tpid", "tagged", "b", Ancillary(vlan_tpid=h.VLAN)),
        ("ld proto", "tagged", "b", Ancillary(protocol=h.IP)),
        ("ld poff", "to b", "b", Ancillary(payload_offset=42)),
        ("ldh [0xfff00002]", "to b", "b", Ancillary(network_offset=14)),
        ("ldh [0xffe0000c]", "to b", "b", Ancillary(link_offset=0)),
        ("ldx #0xfff00000 ldh [x + 2]", "to b", "b", Ancillary()),
        ("ld [8970]", "large", "b", Ancillary()),
        ("ld len", "large", "b", Ancillary()),
    ],
)
def test_a_packet_socket_sees_what_the_machine_sees(
    pair: Pair, load: str, frame: str, end: str, known: Ancillary
) -> None:
    sent = FRAMES[frame]
    arriving = sent[:12] + sent[16:] if frame == "tagged" else sent  # the kernel takes the tag off
    *_, state = steps(assemble(f"{load} ret a"), Packet.whole(arriving, known))
    assert caught(pair, f"{load} jeq #{state.a}, yes", sent, end) == arriving


def test_the_number_of_the_interface(pair: Pair) -> None:
    index = pair.inside(lambda: socket.if_nametoindex("b"))
    assert caught(pair, f"ld ifidx jeq #{index}, yes", FRAMES["to b"]) == FRAMES["to b"]
    *_, state = steps(assemble("ld ifidx ret a"), Packet.whole(FRAMES["to b"], Ancillary(ifindex=index)))
    assert state.a == index


def test_the_cpu_is_one_that_is_there(pair: Pair) -> None:
    assert caught(pair, f"ld cpu jlt #{os.cpu_count()}, yes", FRAMES["to b"]) == FRAMES["to b"]


def test_chance_is_not_always_the_same(pair: Pair) -> None:
    assert caught(pair, "ld rand tax ld rand jne x, yes", FRAMES["to b"]) == FRAMES["to b"]
