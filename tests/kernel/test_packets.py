"""Packets counted, grouped and sampled over a veth pair, where everything that passes is the test's own."""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests import packets
from tests.kernel.grouped import group
from tests.kernel.network import Pair
from tui.bpf import classic
from tui.bpf.hooks import Hook
from tui.bpf.packets.groups import By
from tui.collectors.packets import PacketsProbe, Wish
from tui.collectors.samples import FilterFigures, Interface, PacketsSample

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
        assert found.hits == ((1098, 1098, 997, 997, 997, 101) if hits else ())
        probe.stop()
        pair.left.send(7)
        assert only(probe.read())._replace(hits=()) == found._replace(hits=())


@pytest.fixture(scope="module")
def frames() -> list[bytes]:
    """What can be sent: no shorter than a header, no longer than the interface takes."""
    return [each for each in packets.generate(3001, 7) if 14 <= len(each) <= 1514]


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("by", [each for each in By if each not in (By.NOTHING, By.GAP)])
def test_groups(pair: Pair, frames: list[bytes], hook: Hook, by: By) -> None:
    with pair.right.entered(), PacketsProbe([wish(pair, hook)], by) as probe:
        for each in frames:
            pair.left.send(1, each)
        probe.stop()
        found = only(probe.read())
    truth = Counter(group(by, each) for each in frames)
    rows = dict(truth.most_common())
    told = {row.key: row.packets for row in found.groups}
    assert {key: rows.get(key, 0) for key in told} == told
    assert found.others.packets == sum(rows.values()) - sum(told.values())
    assert found.matched == found.seen == len(frames)
    assert found.bytes_matched == sum(map(len, frames)) == sum(row.bytes for row in (*found.groups, found.others))
