"""What hooks say and decide, without a kernel: names of filters, places in chains, refusals, priorities."""

import errno
import os
from pathlib import Path

import pytest

from tui.bpf import kernel
from tui.bpf.features import Feature
from tui.bpf.hooks import Direction, Hook, cgroup, clsact, load, support
from tui.bpf.hooks.attached import placed, placed_among
from tui.bpf.hooks.clsact import Leftover
from tui.bpf.hooks.netlink import PARENT_INGRESS, PROTOCOL_ALL, Filter
from tui.bpf.hooks.refusals import refusal
from tui.bpf.hooks.sockets import check_direction
from tui.bpf.hooks.tags import Tag, start_of
from tui.errors import BpfscopeError, NotPermitted, NotSupported, TargetError, UsageError


def test_every_hook_is_complete() -> None:
    for hook in Hook:
        assert hook.directions
        assert hook.program_type in {1, 3, 6, 8}
        assert hook.passes in {-1, 0, 1, 2}
        check_direction(hook, hook.directions[0])
    with pytest.raises(UsageError, match="tcx-ingress sees packets of the direction in, not both"):
        check_direction(Hook.TCX_INGRESS, Direction.BOTH)


def test_name_of_a_filter_tells_whose_it_is() -> None:
    tag = Tag.own(7, made=True)
    assert tag.pid == os.getpid()
    assert tag.text().endswith(":7:made")
    assert Tag.parse(tag.text()) == tag
    assert Tag.parse(tag._replace(made=False).text()) == tag._replace(made=False)
    assert len(tag.text()) < 256


@pytest.mark.parametrize(
    "name",
    [
        "",
        "bpfscope",
        "cil_from_netdev",
        "bpfscope:1:2:3",
        "bpfscope:1:2:3:4:5",
        "bpfscope:-1:2:3:4",
        "xbpfscope:1:2:3:4",
        "bpfscope:1:2:3:4\n",
        "bpfscope:١:2:3:4",
        f"bpfscope:{'9' * 400}:2:3:4",
    ],
)
def test_names_of_others_filters(name: str) -> None:
    assert Tag.parse(name) is None


def test_processes_that_live_and_that_do_not() -> None:
    tag = Tag.own(1, made=False)
    assert tag.alive()
    assert not tag._replace(started=tag.started + 1).alive()
    child = os.fork()
    if child == 0:
        os._exit(0)
    started = None
    while started != 0:  # until it is dead but not buried
        started = start_of(child)
    assert not tag._replace(pid=child, started=1).alive()
    os.waitpid(child, 0)
    assert start_of(child) is None
    assert not tag._replace(pid=child).alive()
    assert not tag._replace(pid=9_999_999_999).alive()


def test_process_of_another_pid_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = Tag.own(1, made=False)._replace(namespace=1)
    monkeypatch.setattr("tui.bpf.hooks.tags.sees_real_pids", lambda: False)
    assert elsewhere.alive()  # it can't be known
    monkeypatch.setattr("tui.bpf.hooks.tags.sees_real_pids", lambda: True)
    monkeypatch.setattr("tui.bpf.hooks.tags._namespace", lambda process: 4 if process == "self" else 2)
    assert not elsewhere.alive()
    monkeypatch.setattr("tui.bpf.hooks.tags._namespace", lambda process: 4 if process == "self" else 1)
    assert elsewhere.alive()
    monkeypatch.setattr("tui.bpf.hooks.tags._namespace", lambda process: 4 if process == "self" else -1)
    assert elsewhere.alive()


def test_process_that_proc_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    tag = Tag.own(1, made=False)
    monkeypatch.setattr("tui.bpf.hooks.tags.start_of", lambda _pid: None)
    assert tag.alive()


def test_places_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def name(number: int) -> str:
        if number == 8:
            raise PermissionError
        return {5: "", 6: "\x1b[31m"}.get(number, f"n{number}")

    monkeypatch.setattr(kernel, "program_name", name)
    assert placed([3], 3) == "the only program"
    assert placed([3, 4, 5], 3) == "first of 3 programs"
    assert placed([9, 3], 3) == "second of 2 programs, behind n9 (program 9)"
    assert placed([5, 6, 8, 3], 3) == "fourth of 4 programs, behind program 5, ␛[31m (program 6), program 8"
    assert placed([1], 3) == ""
    assert placed_among(11, 12, "filter", []) == "number 12 of 12 filters"


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.EPERM, NotPermitted, "CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON"),
        (errno.ENODEV, TargetError, "eth7 has gone"),
        (errno.ERANGE, BpfscopeError, "detach some"),
        (errno.ENOMEM, BpfscopeError, "attach fewer filters"),
        (errno.EDOM, NotSupported, "cannot attach a filter of incoming packets to eth7"),
    ],
)
def test_refusals_name_the_remedy(number: int, kind: type[BpfscopeError], words: str) -> None:
    error = refusal(OSError(number, os.strerror(number)), Hook.TCX_INGRESS, "eth7")
    assert type(error) is kind
    assert words in str(error)


def test_load_names_the_capability_or_what_the_verifier_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(number: int, log: str = "") -> None:
        def program_load(*_: object) -> int:
            raise OSError(number, os.strerror(number), log)

        monkeypatch.setattr(kernel, "program_load", program_load)

    refuse(errno.EPERM)
    with pytest.raises(NotPermitted, match="CAP_NET_ADMIN"):
        load(Hook.XDP, bytes(8), "n")
    refuse(errno.EACCES, "first\nR1 is bad\nprocessed 1 insns")
    with pytest.raises(NotSupported, match="the verifier says: R1 is bad"):
        load(Hook.XDP, bytes(8), "n")
    refuse(errno.E2BIG)
    with pytest.raises(NotSupported, match="use a shorter filter"):
        load(Hook.XDP, bytes(8), "n")


def _filter(kind: str, priority: int, protocol: int = PROTOCOL_ALL) -> Filter:
    return Filter(1, PARENT_INGRESS, kind, priority, protocol, 1, "")


def test_the_front_is_the_first_priority_that_can_be_shared() -> None:
    assert clsact._front([]) == 1
    assert clsact._front([_filter("bpf", 1), _filter("u32", 2)]) == 1
    assert clsact._front([_filter("bpf", 1, 0x800)]) == 2
    assert clsact._front([_filter("u32", 1), _filter("bpf", 2, 0x800), _filter("flower", 49152)]) == 3


def _mountinfo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    file = tmp_path / "mountinfo"
    file.write_text(text)
    monkeypatch.setattr("builtins.open", lambda *_, **__: file.open())


def test_where_cgroups_are_mounted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = "25 20 0:22 / /sys/fs/cgroup rw,nosuid - tmpfs tmpfs rw\n"
    part = "26 20 0:23 /system.slice /mnt/part rw - cgroup2 cgroup2 rw\n"
    root = "27 20 0:23 / /sys/fs/my\\040ünified rw,nosuid shared:7 - cgroup2 cgroup2 rw\n"
    _mountinfo(monkeypatch, tmp_path, first + part + root)
    assert cgroup.root() == "/sys/fs/my ünified"
    _mountinfo(monkeypatch, tmp_path, first + part)
    with pytest.raises(NotSupported, match="mount -t cgroup2"):
        cgroup.root()


def test_cgroup_that_tolerates_no_other_program(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(cgroup, "root", lambda: "/")
    monkeypatch.setattr(kernel, "link_create", refuse)
    monkeypatch.setattr(kernel, "attached_programs", lambda *_: ([77], 0))
    with pytest.raises(BpfscopeError, match="program 77 is attached to / and tolerates no other"):
        cgroup.CgroupLinks(0, Direction.BOTH)
    monkeypatch.setattr(kernel, "attached_programs", lambda *_: ([77], 2))
    with pytest.raises(NotPermitted, match="CAP_NET_ADMIN"):
        cgroup.CgroupLinks(0, Direction.BOTH)


def test_leftovers_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(*found: Leftover) -> Feature:
        monkeypatch.setattr(clsact, "sweep", lambda: list(found))
        return support.leftovers()

    assert told() == Feature("leftovers", True, "none in tc", needed=False)
    assert told(Leftover("eth7", 9, True)).detail == "1 filter of killed processes removed: on eth7 (process 9)"
    left = told(Leftover("eth7", 9, True), Leftover("eth8", 9, False))
    assert (left.works, left.detail) == (False, "1 filter of killed processes on eth8 (process 9)")
    assert "CAP_NET_ADMIN" in left.remedy
