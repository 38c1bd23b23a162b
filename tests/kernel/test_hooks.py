"""Every hook sees every packet, exactly, between its attachment and its end; its program is exchanged without a gap."""

import os
import socket
import threading
from pathlib import Path

import pytest

from tests.kernel.hooking import KEEP_ALL, KEEP_NONE, Counter, Way, every_way
from tests.kernel.network import Namespace, Pair
from tests.kernel.probing import link_ids, program_ids, wait_until
from tui.bpf.hooks import ClassicSocket, Direction, Hook, attach
from tui.errors import UsageError

PACKETS = 997
FLOOD = 100_003


def looked_at(way: Way, pair: Pair) -> Namespace:
    """The end of the pair where the way sees what the left one sends."""
    return pair.left if way.hook is Hook.TCX_EGRESS else pair.right


@pytest.mark.guest
@every_way
def test_counts_are_exact(way: Way, pair: Pair, counter: Counter) -> None:
    end = looked_at(way, pair)
    pair.left.send(7)
    with way.attach(end, counter.program(way.hook)) as attached:
        again = pair.left.send(PACKETS)
        assert counter.reaches(PACKETS + again * (end is pair.left))
        with end.entered():
            assert not attached.gone()
        assert attached.native == way.native
        assert attached.direction is way.hook.directions[0]
        seen = counter.count()
    pair.left.send(7)
    assert counter.count() == seen


@every_way
def test_counts_are_exact_at_full_rate(way: Way, pair: Pair, counter: Counter, targets: Path) -> None:
    end = looked_at(way, pair)
    with way.attach(end, counter.program(way.hook)):
        told = pair.left.flood(targets, FLOOD)
        assert told["sent"] == FLOOD
        assert counter.reaches(FLOOD + told["again"] * (end is pair.left))


@every_way
def test_program_is_replaced_without_a_gap(way: Way, pair: Pair, counter: Counter, targets: Path) -> None:
    programs = [counter.program(way.hook) for _ in range(2)]
    end, replaced = looked_at(way, pair), 0
    with way.attach(end, programs[0]) as attached:
        told: dict[str, int] = {}
        sender = threading.Thread(target=lambda: told.update(pair.left.flood(targets, FLOOD)))
        sender.start()
        with end.entered():
            while sender.is_alive():
                replaced += 1
                attached.replace(programs[replaced % 2])
        sender.join()
        assert replaced > 1
        assert counter.reaches(FLOOD + told["again"] * (end is pair.left))


@pytest.mark.guest
def test_classic_socket_counts_what_it_matches(pair: Pair) -> None:
    number = pair.right.number
    with pair.right.entered(), ClassicSocket(number, KEEP_ALL) as every, ClassicSocket(number, KEEP_NONE) as none:
        pair.left.send(PACKETS)
        wait_until(lambda: every.matched() == PACKETS, "all are matched")
        none.replace(KEEP_ALL)
        pair.left.send(101)
        wait_until(lambda: none.matched() == 101, "the other program matches")
        assert every.matched() == PACKETS + 101


def test_classic_socket_counts_at_full_rate(pair: Pair, targets: Path) -> None:
    with pair.right.entered(), ClassicSocket(pair.right.number, KEEP_ALL) as matching:
        pair.left.flood(targets, FLOOD)
        wait_until(lambda: matching.matched() >= FLOOD, "all are matched")
        assert matching.matched() == FLOOD


@pytest.mark.parametrize("where", ["left", "right"])
@pytest.mark.parametrize("direction", Hook.SOCKET.directions)
def test_sockets_see_both_directions_or_one(pair: Pair, counter: Counter, where: str, direction: Direction) -> None:
    end: Namespace = getattr(pair, where)
    program = counter.program(Hook.SOCKET_EBPF)
    with (
        end.entered(),
        attach(Hook.SOCKET_EBPF, end.number, program, direction=direction) as attached,
        ClassicSocket(end.number, KEEP_ALL, direction=direction) as classic,
    ):
        sent, answered = pair.left.send(13), pair.right.send(7)
        refused = sent if where == "left" else answered
        seen, own = (7, 13) if where == "left" else (13, 7)
        total = seen if direction is Direction.IN else seen + own + refused
        assert counter.reaches(total)
        assert classic.matched() == total
        assert attached.direction is direction


def test_loopback_passes_twice_unless_only_what_comes_in_counts(pair: Pair, counter: Counter) -> None:
    hook, loopback = Hook.SOCKET_EBPF, 1
    with (
        pair.left.entered(),
        attach(hook, loopback, counter.program(hook)),
        Counter() as other,
        attach(hook, loopback, other.program(hook), direction=Direction.IN),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out,
    ):
        out.bind(("127.0.0.1", 0))
        for _ in range(97):
            out.sendto(b"x", out.getsockname())
        assert counter.reaches(194)
        assert other.reaches(97)


@pytest.mark.guest
@pytest.mark.parametrize("direction", Direction)
def test_cgroup_sees_what_sockets_send_and_receive(direction: Direction, counter: Counter) -> None:
    with Pair(addresses=True) as pair:
        end = pair.right if direction is Direction.IN else pair.left
        program = counter.program(Hook.CGROUP, only=end.number)
        with (
            pair.left.entered(),
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out,
            attach(Hook.CGROUP, 0, program, direction=direction) as attached,
        ):
            with pair.right.entered():
                incoming = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            with incoming:
                incoming.bind((pair.right.address, 9))
                for _ in range(97):
                    out.sendto(b"x", (pair.right.address, 9))
                assert counter.reaches(97)
                attached.replace(counter.program(Hook.CGROUP, only=end.number))
                out.sendto(b"x", (pair.right.address, 9))
                assert counter.reaches(98)
            assert (attached.position, attached.gone()) == ("", False)


@every_way
def test_promiscuous_while_it_is_attached(way: Way, pair: Pair, counter: Counter) -> None:
    with way.attach(pair.right, counter.program(way.hook), promiscuous=True):
        assert pair.right.link()["promiscuity"] == 1
    assert pair.right.link()["promiscuity"] == 0


def test_attached_while_the_interface_is_down(pair: Pair, counter: Counter) -> None:
    pair.right.run("ip", "link", "set", "dev", "right", "down")
    with Way(Hook.SOCKET_EBPF).attach(pair.right, counter.program(Hook.SOCKET_EBPF)) as attached:
        assert "ip link set right up" in attached.note
        assert not attached.gone()
        pair.right.run("ip", "link", "set", "dev", "right", "up")
        wait_until(lambda: pair.left.up() and pair.right.up(), "the pair is up again")
        pair.left.send(PACKETS)
        assert counter.reaches(PACKETS)


@every_way
def test_nothing_stays(way: Way, pair: Pair, counter: Counter) -> None:
    program = counter.program(way.hook)
    files, links, programs = len(os.listdir("/proc/self/fd")), link_ids(os.getpid()), program_ids(os.getpid())
    with way.attach(pair.right, program, promiscuous=True) as attached:
        pass
    with pair.right.entered():
        attached.close()
        assert attached.gone()
    assert (link_ids(os.getpid()), program_ids(os.getpid())) == (links, programs)
    assert len(os.listdir("/proc/self/fd")) == files
    assert "clsact" not in pair.right.run("tc", "qdisc", "show")


def test_direction_that_a_hook_cannot_tell(pair: Pair, counter: Counter) -> None:
    with pytest.raises(UsageError, match="sees packets of the direction in, not out"):
        attach(Hook.XDP, 1, counter.program(Hook.XDP), direction=Direction.OUT)
    with pytest.raises(UsageError, match="both or in, not out"):
        ClassicSocket(1, KEEP_ALL, direction=Direction.OUT)
    with pytest.raises(UsageError, match="promiscuous"):
        attach(Hook.CGROUP, 0, counter.program(Hook.CGROUP), promiscuous=True)
    with pytest.raises(UsageError, match="ClassicSocket"):
        attach(Hook.SOCKET, 1, counter.program(Hook.SOCKET))
