"""Attachments without a kernel: what links of every type say, hostile netlink answers, names of functions, changes."""

import ctypes
import os
import shutil
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.screens.fake_attachments import ATTACHED, TCP_PORT_22, placed
from tui.bpf import kernel
from tui.bpf.inventory import at_interfaces, at_routes, at_sockets, linked, surroundings
from tui.bpf.inventory.at_interfaces import Interface
from tui.bpf.inventory.attachment import Attachment, by_program, position
from tui.bpf.inventory.surroundings import Surroundings, event_text
from tui.bpf.netlink import attributes
from tui.collectors.attachment_samples import KINDS, AttachmentsSample, Placed, kind_of
from tui.collectors.classic_filters import lines
from tui.collectors.place_names import PlaceNames
from tui.elf import functions, modules
from tui.elf.names import Module
from tui.screens.attachment_rows import GONE, NEW, Changes, age, place

HERE = {7: Interface("eth0", "", "ethernet", (("generic", 9),))}
Link = Callable[..., list[Attachment]]


@pytest.fixture
def around(monkeypatch: pytest.MonkeyPatch) -> Surroundings:
    chains = {(7, 46): [(9, 5), (11, 6)], (7, 54): [(9, 5)]}
    monkeypatch.setattr(kernel, "chained_programs", lambda ifindex, kind: chains[ifindex, kind])
    monkeypatch.setattr(surroundings, "_tracepoints", lambda: {"sys_enter": ("raw_syscalls",), "twice": ("a", "b")})
    found = Surroundings({}, HERE, {3: "/system.slice"})
    found.__dict__["_symbols"] = ([0x1000, 0x2000], ["tcp_connect", "nft_do_chain [nf_tables]"])
    return found


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch, around: Surroundings) -> Link:
    """What is told by a link of a type, with this behind its head; texts are written where they are asked for."""

    def told(kind: int, layout: str, *fields: int, text: bytes = b"", at: int = 16) -> list[Attachment]:
        raw = (struct.pack("3I4x", kind, 5, 9) + struct.pack(layout, *fields)).ljust(64, b"\0")

        def info(_fd: int, _size: int, given: bytes = b"") -> bytes:
            if given and text:
                (address,) = struct.unpack_from("Q", given, at)
                ctypes.memmove(address, text + b"\0", len(text) + 1)
            return raw

        monkeypatch.setattr(kernel, "info", info)
        return list(linked._of(0, around))

    return told


def test_links_of_every_type(link: Link) -> None:
    def said(*arguments: object, **more: object) -> list[tuple[str, str, str]]:
        found = link(*arguments, **more)
        assert {(each.link, each.program) for each in found} == {(5, 9)}
        return [(each.hook, each.where, each.detail) for each in found]

    assert said(1, "Q", 0, text=b"sys_enter") == [("raw-tracepoint", "sys_enter", "")]
    assert said(3, "QI", 3, 43) == [("lsm-cgroup", "/system.slice", "")]
    assert said(3, "QI", 0, 0) == [("cgroup-inet-ingress", "a cgroup that was removed", "")]
    assert said(3, "QI", 99, 1) == [
        ("cgroup-inet-egress", "cgroup 99, outside of what is mounted or can be read here", "")
    ]
    assert said(4, "QII", 0, 0, 12, text=b"bpf_map_elem") == [("iter", "bpf_map_elem", "map 12")]
    assert said(4, "QIIQI", 0, 0, 0, 3, 2, text=b"cgroup") == [("iter", "cgroup", "/system.slice, downwards")]
    assert said(4, "QIIII", 0, 0, 0, 8, 0, text=b"task_file") == [("iter", "task_file", "thread 8")]
    assert said(5, "II", os.stat("/proc/self/ns/net").st_ino, 36) == [("sk-lookup", "this network namespace", "")]
    assert said(5, "II", 0, 17) == [("flow-dissector", "a network namespace that has gone", "")]
    assert said(6, "I", 7) == [("xdp", "eth0", "generic")]
    assert said(6, "I", 0) == [("xdp", "an interface that has gone", "")]
    assert said(10, "IIiI", 10, 1, -200, 1) == [("netfilter", "ip6 input", "priority -200, defragmented")]
    assert said(11, "II", 7, 46) == [("tcx-ingress", "eth0", "1 of 2")]
    assert said(13, "II", 7, 54) == [("netkit-primary", "eth0", "")]
    assert said(14, "II", 0, 7) == [("sk-msg-verdict", "map 0", "")]
    assert said(99, "I", 7) == [("type 99", "", "")]


def test_perf_events(link: Link) -> None:
    def said(*arguments: object, **more: object) -> list[tuple[str, str, str]]:
        return [(each.hook, each.where, each.detail) for each in link(7, *arguments, at=24, **more)]

    assert said("I4xQII", 1, 0, 0, 0x40, text=b"/bin/x\033") == [("uprobe", "/bin/x␛+0x40", "")]
    assert said("I4xQIIQ", 2, 0, 0, 0x40, 8, text=b"/bin/x") == [("uretprobe", "/bin/x+0x40", "cookie 8")]
    assert said("I4xQIIQQQ", 3, 0, 0, 4, 0, 0, 7, text=b"tcp_connect") == [("kprobe", "tcp_connect+4", "cookie 7")]
    assert said("I4xQII", 4, 0, 0, 0, text=b"tcp_connect") == [("kretprobe", "tcp_connect", "")]
    assert said("I4xQII", 5, 0, 0, 0, text=b"sys_enter") == [("tracepoint", "raw_syscalls:sys_enter", "")]
    assert said("I4xQII", 5, 0, 0, 0, text=b"twice") == [("tracepoint", "twice", "")]
    assert said("I4xQI4xQ", 6, 1, 1, 0) == [("perf-event", "software:task-clock", "")]
    assert said("I", 0) == [("perf-event", "", "the kernel tells where since Linux 6.6")]
    assert said("I", 77) == [("perf-event type 77", "+0x0", "")]


def test_events_by_their_numbers() -> None:
    assert event_text(0, 0) == "hardware:cycles"
    assert event_text(1, 99) == "software:0x63"
    assert event_text(4, 0x1C2) == "raw:0x1c2"
    assert event_text(99, 0) == "software:cpu-clock"  # a unit that /sys doesn't list
    assert event_text(99, 7) == "type 99:0x7"


def test_kprobes_of_many_functions(monkeypatch: pytest.MonkeyPatch, link: Link) -> None:
    assert [each.detail for each in link(8, "QIIQQ", 0, 0, 0, 0, 0)] == ["the kernel tells where since Linux 6.6"]
    assert [each.where for each in link(8, "QIIQQ", 0, 2, 0, 0, 0)] == ["0x0", "0x0"]  # kernel.kptr_restrict
    found = link(8, "QIIQQ", 0, 5_000, 1, 0, 0)
    assert {each.hook for each in found} == {"kretprobe"}
    assert found[-1].detail == "904 more functions"


def test_symbols(around: Surroundings) -> None:
    assert [around.symbol(at) for at in (0xFFF, 0x1004, 0x2000)] == ["0xfff", "tcp_connect", "nft_do_chain [nf_tables]"]


def test_of_several_links_of_xdp_with_one_program_none_is_named_as_ours() -> None:
    from tui.bpf.inventory.attachments import _settled

    rows = [Attachment("xdp", "eth0", 9, link=each, ifindex=7) for each in (1, 2)]
    assert {each.where for each in _settled(rows, HERE)} == {"eth0, or interface 7 of another network namespace"}
    assert _settled(rows[:1], HERE) == rows[:1]


def test_by_program_and_positions() -> None:
    rows = [Attachment("xdp", "a", 9), Attachment("socket", "b", 0), Attachment("tc", "c", 9)]
    assert by_program(rows) == {9: (rows[0], rows[2])}
    assert [position(0, 1), position(1, 3)] == ["", "2 of 3"]


@given(st.binary(max_size=200))
def test_answers_of_any_bytes(data: bytes) -> None:
    around = Surroundings({}, HERE, {})
    at_interfaces._interface(data.ljust(16, b"\0"))
    at_interfaces._filter(attributes(data), 1, 0)
    at_sockets._packet(data.ljust(20, b"\0"))
    has = attributes(data)
    for _, hop in at_routes._hops(has):
        list(at_routes._programs(hop, around))
    at_routes._destination(2, 24, data)


def test_what_hooks_are_hooks_of() -> None:
    hooks = "tcx-ingress tc xdp cgroup-device lsm-cgroup lsm uprobe kretprobe socket sk-skb-verdict sk-lookup lwt-in"
    assert [kind_of(hook) for hook in hooks.split()] == [
        *("interface", "interface", "interface", "cgroup", "cgroup", "kernel", "function", "kernel", "socket", "map"),
        *("namespace", "route"),
    ]
    assert kind_of("socket", 7) == "interface"
    assert kind_of("type 99") == KINDS[-1]


def test_functions_get_their_names(tmp_path: Path) -> None:
    program = shutil.copy(os.path.realpath(sys.executable), tmp_path / "program")
    function = next(each for each in functions.read(modules.of_file(str(program))) if each.name == "Py_Main")
    rows = [
        Attachment("uprobe", f"{program}+0x1", file=str(program), offset=function.offset + behind) for behind in (0, 4)
    ]
    rows += [Attachment("xdp", "eth0"), Attachment("uprobe", "gone+0x1", file=f"{program} (deleted)", offset=1)]
    names = PlaceNames()
    assert names.named(rows, 0) == [f"{program}+0x1", f"{program}+0x1", "eth0", "gone+0x1"]
    assert names.named(rows, 1) == [f"{program}:Py_Main", f"{program}:Py_Main+4", "eth0", "gone+0x1"]


def test_a_file_without_names_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "text"
    file.write_text("no program")
    read: list[object] = []

    def places(module: Module) -> object:
        read.append(module)
        return functions._read(module)

    monkeypatch.setattr(functions, "places", places)
    row = Attachment("uprobe", "text+0x1", file=str(file), offset=1)
    names = PlaceNames()
    assert [names.named([row], 5) for _ in range(3)] == [["text+0x1"]] * 3
    assert len(read) == 1


def test_a_classic_filter_in_words() -> None:
    shown = lines(placed("socket", "eth0", instructions=TCP_PORT_22, header="ethernet"))
    assert shown[1] == (1, "jeq", "#0x800", (2, 11), "if A is 0x800 (IPv4), go to 002, else to 011")
    assert {each.words for each in lines(placed("socket", "?", instructions=TCP_PORT_22))} == {""}


def signs_of(changes: Changes, *rows: Placed) -> list[str]:
    return [row.sign for row in changes.rows(AttachmentsSample(0.0, rows)) if row.sign]


def test_changes() -> None:
    changes = Changes()
    changes.add(AttachmentsSample(0.0, ATTACHED))
    assert {row.sign for row in changes.rows(AttachmentsSample(0.0, ATTACHED))} == {""}
    moved = ATTACHED[2]._replace(detail="2 of 3")
    changes.add(AttachmentsSample(1.0, (moved, *ATTACHED[3:], placed("xdp", "eth9"))))
    signs = {
        row.placed.where: row.sign
        for row in changes.rows(AttachmentsSample(1.0, (moved, placed("xdp", "eth9"))))
        if row.sign
    }
    assert signs == {"eth9": NEW, "cilium_host": GONE, "eth0": GONE}
    changes.add(AttachmentsSample(40.0, (moved,)))
    assert signs_of(changes, moved) == [GONE] * (len(ATTACHED) - 3 + 1)
    assert not changes.still
    changes.add(AttachmentsSample(80.0, (moved,)))
    assert signs_of(changes, moved) == []
    changes.add(AttachmentsSample(81.0, (moved,)))
    assert changes.still


def test_ages() -> None:
    both = placed("xdp", "eth0", loaded=5 * 10**9), placed("socket", "lo")
    sample = AttachmentsSample(1.0, both, uptime=65 * 10**9)
    assert [row.age for row in Changes().rows(sample)] == [60.0, None]
    assert [age(seconds) for seconds in (-1, 59, 90, 7_300, 900_000)] == ["0 s", "59 s", "1 min", "2 h", "10 d"]


@pytest.mark.parametrize(
    ("where", "width", "shown"),
    [
        ("/system.slice/nginx.service", 40, "/system.slice/nginx.service"),
        ("/system.slice/nginx.service", 20, "…/nginx.service"),
        ("/a/b", 2, "…/b"),
        ("/usr/bin/bash:readline", 16, "…/bash:readline"),
        ("sched:sched_switch", 5, "sched:sched_switch"),
    ],
)
def test_places_keep_their_ends(where: str, width: int, shown: str) -> None:
    assert place(where, width) == shown


def test_links_that_only_begin_or_have_ended_are_passed_over(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(_command: int, number: int) -> int:
        if number < 3:
            raise (BlockingIOError if number == 1 else FileNotFoundError)
        return os.open(os.devnull, os.O_RDONLY)

    monkeypatch.setattr(kernel, "ids", lambda _: iter((1, 2, 3)))
    monkeypatch.setattr(kernel, "by_id", opened)
    monkeypatch.setattr(kernel, "info", lambda *_: struct.pack("3I", 999, 3, 17).ljust(kernel.LINK_INFO, b"\0"))
    assert [(each.link, each.program) for each in linked.linked(around)] == [(3, 17)]
