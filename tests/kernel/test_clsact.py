"""clsact filters, for kernels without tcx: they never take a qdisc or a filter of somebody else's with them."""

import fcntl
import os
import signal
import threading
from typing import cast

import pytest

from tests.kernel.hooking import Counter, Way, holder
from tests.kernel.network import Namespace, Pair
from tests.kernel.probing import BPFSCOPE
from tui.bpf.hooks import Hook, clsact, netlink
from tui.bpf.hooks.netlink import Filter
from tui.bpf.hooks.tags import Tag
from tui.errors import NotSupported

INGRESS, EGRESS = Way(Hook.TCX_INGRESS, clsact=True), Way(Hook.TCX_EGRESS, clsact=True)
U32 = ["u32", "match", "u32", "0", "0", "flowid", ":1"]


def qdiscs(end: Namespace) -> str:
    return end.run("tc", "qdisc", "show", "dev", end.interface)


def filters(end: Namespace, where: str = "ingress") -> list[str]:
    """What tc says of the filters, a line each, without the heads of lists."""
    lines = end.run("tc", "filter", "show", "dev", end.interface, where).splitlines()
    return [line for line in lines if " handle " in line or " fh " in line]


def leave_behind(end: Namespace, *hooks: Hook) -> int:
    """A process of ours that is killed while it is attached; its pid."""
    with holder(end, *hooks, clsact=True) as process:
        process.kill(signal.SIGKILL)
    return process.pid


@pytest.mark.guest
def test_qdisc_and_filter_come_and_go(pair: Pair, counter: Counter) -> None:
    with INGRESS.attach(pair.right, counter.program(Hook.TCX_INGRESS)):
        assert "clsact" in qdiscs(pair.right)
        (line,) = filters(pair.right)
        assert "pref 1 " in line
        assert f"bpfscope:{os.getpid()}:" in line
        assert "direct-action" in line
        with EGRESS.attach(pair.right, counter.program(Hook.TCX_EGRESS)):
            assert len(filters(pair.right, "egress")) == 1
        assert len(filters(pair.right)) == 1
    assert "clsact" not in qdiscs(pair.right)


@pytest.mark.guest
def test_the_next_start_removes_what_a_killed_one_left(pair: Pair, counter: Counter) -> None:
    leave_behind(pair.right, Hook.TCX_INGRESS, Hook.TCX_EGRESS)
    assert len(filters(pair.right) + filters(pair.right, "egress")) == 2
    with INGRESS.attach(pair.right, counter.program(Hook.TCX_INGRESS)) as attached:
        assert filters(pair.right, "egress") == []
        (line,) = filters(pair.right)
        assert f"bpfscope:{os.getpid()}:" in line
        with pair.right.entered():
            assert attached.position == "the only filter"
        pair.left.send(97)
        assert counter.reaches(97)
    assert "clsact" not in qdiscs(pair.right)


def test_doctor_removes_it_too_and_says_so(pair: Pair) -> None:
    pid = leave_behind(pair.right, Hook.TCX_INGRESS, Hook.TCX_EGRESS)
    asked = pair.right.run(
        "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", f"{BPFSCOPE} doctor; :"
    )
    assert "less leftovers    2 filters of killed processes" in asked
    assert "as root" in asked
    assert f"leftovers    2 filters of killed processes removed: on right (process {pid})" in pair.right.run(
        BPFSCOPE, "doctor"
    )
    assert "clsact" not in qdiscs(pair.right)
    assert "leftovers    none" in pair.right.run(BPFSCOPE, "doctor")


def test_what_lives_is_no_leftover(pair: Pair) -> None:
    with holder(pair.right, Hook.TCX_INGRESS, clsact=True) as process:
        with pair.right.entered():
            assert clsact.sweep() == []
        assert len(filters(pair.right)) == 1
        assert process.end() == 0
    assert "clsact" not in qdiscs(pair.right)


def test_a_pid_that_somebody_else_has_now(pair: Pair, counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    own = Tag.own

    def earlier(number: int, *, made: bool) -> Tag:
        tag = own(number, made=made)
        return tag._replace(started=tag.started - 1)

    monkeypatch.setattr("tui.bpf.hooks.clsact.Tag.own", earlier)
    with INGRESS.attach(pair.right, counter.program(Hook.TCX_INGRESS)) as attached:
        with pair.right.entered():
            assert [left.pid for left in clsact.sweep()] == [os.getpid()]
            assert attached.gone()
        assert "clsact" not in qdiscs(pair.right)


def test_a_clsact_of_somebody_else_stays(pair: Pair, counter: Counter) -> None:
    pair.right.run("tc", "qdisc", "add", "dev", "right", "clsact")
    with INGRESS.attach(pair.right, counter.program(Hook.TCX_INGRESS)):
        pass
    assert "clsact" in qdiscs(pair.right)
    leave_behind(pair.right, Hook.TCX_INGRESS)
    with pair.right.entered():
        assert len(clsact.sweep()) == 1
    assert filters(pair.right) == []
    assert "clsact" in qdiscs(pair.right)


@pytest.mark.parametrize("where", ["ingress", "egress"])
def test_our_clsact_that_somebody_uses_stays(where: str, pair: Pair, counter: Counter) -> None:
    with INGRESS.attach(pair.right, counter.program(Hook.TCX_INGRESS)):
        pair.right.run("tc", "filter", "add", "dev", "right", where, "protocol", "ip", "prio", 7, *U32)
    assert all(" pref 7 u32 " in line for line in filters(pair.right, where))
    assert filters(pair.right, where)


def test_the_last_of_us_takes_our_clsact_with_it(pair: Pair, counter: Counter) -> None:
    program = counter.program(Hook.TCX_INGRESS)
    first = INGRESS.attach(pair.right, program)
    with INGRESS.attach(pair.right, program), EGRESS.attach(pair.right, counter.program(Hook.TCX_EGRESS)):
        first.close()
        pair.left.send(97)
        assert counter.reaches(97)
    assert "clsact" not in qdiscs(pair.right)


def test_somebody_takes_our_qdisc_away_and_makes_another(pair: Pair, counter: Counter) -> None:
    with INGRESS.attach(pair.right, counter.program(Hook.TCX_INGRESS)) as attached:
        pair.right.run("tc", "qdisc", "del", "dev", "right", "clsact")
        with pair.right.entered():
            assert attached.gone()
        pair.right.run("tc", "qdisc", "add", "dev", "right", "clsact")
    assert "clsact" in qdiscs(pair.right)


def test_an_ingress_qdisc_of_somebody_else(pair: Pair, counter: Counter) -> None:
    pair.right.run("tc", "qdisc", "add", "dev", "right", "ingress")
    with INGRESS.attach(pair.right, counter.program(Hook.TCX_INGRESS)):
        pair.left.send(97)
        assert counter.reaches(97)
    assert filters(pair.right) == []
    with pytest.raises(NotSupported, match=r"an ingress qdisc of another tool.*socket-ebpf"):
        EGRESS.attach(pair.right, counter.program(Hook.TCX_EGRESS))
    assert "ingress" in qdiscs(pair.right)


@pytest.mark.parametrize("protocol", ["all", "ip"])
def test_the_front_is_taken_by_filters_of_another_kind(protocol: str, pair: Pair, counter: Counter) -> None:
    pair.right.run("tc", "qdisc", "add", "dev", "right", "clsact")
    pair.right.run("tc", "filter", "add", "dev", "right", "ingress", "protocol", protocol, "prio", 1, *U32)
    with INGRESS.attach(pair.right, counter.program(Hook.TCX_INGRESS)) as attached, pair.right.entered():
        assert attached.position == "second of 2 filters, behind a u32 filter"
    assert all(" pref 1 u32 " in line for line in filters(pair.right))


@pytest.mark.parametrize("name", ["\x1b]0;title\x07", b"caf\xe9", "bpfscope:9999999999:1:1:1"])
def test_odd_names_of_others_filters(name: str | bytes, pair: Pair, counter: Counter) -> None:
    program = counter.program(Hook.TCX_INGRESS)
    pair.right.run("tc", "qdisc", "add", "dev", "right", "clsact")
    there = Filter(pair.right.number, netlink.PARENT_INGRESS, "bpf", 1, netlink.PROTOCOL_ALL, 1, cast("str", name))
    with pair.right.entered(), netlink.open_socket() as opened, netlink.traffic_control(opened) as control:
        control.add(there, program)
        with INGRESS.attach(pair.right, program) as attached:
            assert attached.position.startswith(("first of 2", "the only"))
            control.add(there._replace(handle=7), program)
            assert attached.position.isprintable()


def test_somebody_holds_the_lock(pair: Pair, counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock of a network namespace can be held by anybody in it: it is waited for, but not for ever."""
    with pair.right.path.open() as namespace:
        fcntl.flock(namespace, fcntl.LOCK_EX)
        monkeypatch.setattr(clsact, "_PATIENCE", 0.05)
        with INGRESS.attach(pair.right, counter.program(Hook.TCX_INGRESS)):
            assert len(filters(pair.right)) == 1


def test_many_of_us_at_once(pair: Pair, counter: Counter) -> None:
    """Each finds the qdisc made, or makes it; nobody's filter goes with another's qdisc."""
    program = counter.program(Hook.TCX_INGRESS)
    lost: list[bool] = []

    def attach_often() -> None:
        with pair.right.entered():
            for _ in range(7):
                with INGRESS.attach(pair.right, program) as attached:
                    lost.append(attached.gone())

    threads = [threading.Thread(target=attach_often) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost == [False] * 35
    assert "clsact" not in qdiscs(pair.right)


def test_closing_from_another_namespace_and_thread(pair: Pair, counter: Counter) -> None:
    attached = INGRESS.attach(pair.right, counter.program(Hook.TCX_INGRESS))
    thread = threading.Thread(target=attached.close)
    thread.start()
    thread.join()
    assert "clsact" not in qdiscs(pair.right)
    assert attached.gone()
