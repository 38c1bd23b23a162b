"""The hop-distance program: every TTL is counted, whatever lies around it, and none is lost."""

import os
import socket
import struct
from collections.abc import Callable, Iterator

import pytest

from tests.kernel.network import Pair
from tests.kernel.probing import wait_until
from tui.bpf import kernel
from tui.bpf.extended import hops
from tui.bpf.extended.assembler import assemble
from tui.bpf.hooks import Hook, attach

ETHERNET = bytes(12)
ADDRESSES = bytes([10, 0, 0, 1, 10, 0, 0, 2])


def ipv4(ttl: int, options: int = 0) -> bytes:
    """An IPv4 packet with so many words of options."""
    return bytes([0x45 + options, 0, 0, 28, 0, 0, 0, 0, ttl, 17, 0, 0]) + ADDRESSES + bytes(4 * options + 8)


def ipv6(ttl: int) -> bytes:
    return bytes([0x60, 0, 0, 0, 0, 8, 17, ttl]) + bytes(40)


def tagged(inner: bytes, *types: int) -> bytes:
    """What follows the first EtherType: tags, then the packet."""
    return b"".join(struct.pack(">HH", 5, kind) for kind in types) + inner


FRAMES: dict[str, Callable[[int], bytes]] = {
    "ipv4": lambda ttl: b"\x08\x00" + ipv4(ttl),
    "ipv4 with options": lambda ttl: b"\x08\x00" + ipv4(ttl, 10),
    "ipv6": lambda ttl: b"\x86\xdd" + ipv6(ttl),
    "vlan": lambda ttl: b"\x81\x00" + tagged(ipv4(ttl), 0x0800),
    "qinq": lambda ttl: b"\x88\xa8" + tagged(ipv6(ttl), 0x8100, 0x86DD),
}


@pytest.fixture
def counts() -> Iterator[int]:
    fd = kernel.map_create(*hops.TTLS)
    yield fd
    os.close(fd)


@pytest.fixture
def program(counts: int) -> Iterator[int]:
    code = assemble(hops.code()).bytecode({"ttls": counts})
    fd = kernel.program_load(kernel.PROG_TYPE_SOCKET_FILTER, 0, code, "hops")
    yield fd
    os.close(fd)


def totals(counts: int) -> list[int]:
    values = (kernel.map_lookup(counts, struct.pack("=I", ttl), 8) for ttl in range(256))
    return [int.from_bytes(value or b"", "little") for value in values]


@pytest.mark.guest
@pytest.mark.parametrize("kind", FRAMES)
def test_every_ttl_is_counted(program: int, counts: int, kind: str) -> None:
    for ttl in range(256):
        kernel.program_test_run(program, ETHERNET + FRAMES[kind](ttl), repeat=ttl + 1)
    assert totals(counts) == list(range(1, 257))


@pytest.mark.parametrize(
    "frame",
    [b"\x08\x06" + bytes(60), b"\x81\x00" + tagged(bytes(60), 0x0806), b"\x81\x00" + tagged(b"", 0x0800, 0x86DD)],
    ids=["arp", "tagged arp", "cut off"],
)
def test_what_has_no_ttl_is_passed_over(program: int, counts: int, frame: bytes) -> None:
    assert kernel.program_test_run(program, ETHERNET + frame).result == 0
    assert sum(totals(counts)) == 0


def test_over_an_interface_none_is_lost(program: int, counts: int) -> None:
    with Pair() as pair:
        ends = bytes.fromhex((pair.right.mac + pair.left.mac).replace(":", ""))
        with pair.left.entered():
            sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        with sender, pair.right.entered(), attach(Hook.SOCKET_EBPF, pair.right.number, program):
            sender.bind((pair.left.interface, 0))
            for ttl in range(256):
                for frame in FRAMES.values():
                    sender.send(ends + frame(ttl))
            wait_until(lambda: sum(totals(counts)) == 256 * len(FRAMES), "all have been counted")
    assert totals(counts) == [len(FRAMES)] * 256
    distances = hops.by_distance(totals(counts))
    assert sum(distances.values()) == 256 * len(FRAMES)
    assert (min(distances), max(distances)) == (0, 126)
