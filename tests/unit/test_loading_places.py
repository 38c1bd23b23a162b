"""Where programs run, as people write it; how their figures are shown."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.bpf.btf.decoder import Octets
from tui.bpf.inventory.info import Map
from tui.bpf.loading.places import Place, chosen, named, noted, parse
from tui.collectors import library
from tui.collectors.entries import Entry, MapSample
from tui.collectors.hints import Value, hints
from tui.collectors.loaded_maps import distributions, grown, largest, powers, used
from tui.collectors.map_layout import Layout
from tui.errors import BpfscopeError, NotSupported, UsageError

LAYOUT = Layout(str, str, "", "", typed=True)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("uprobe:/usr/bin/bash:readline", Place("uprobe", "/usr/bin/bash", "readline")),
        ("uprobe:811:std::vector<int>::push_back", Place("uprobe", "811", "std::vector<int>::push_back")),
        ("usdt:node:http:request", Place("usdt", "node", "http:request")),
        ("tracepoint:sched:sched_switch", Place("tracepoint", "sched", "sched_switch")),
        ("raw:sched_switch", Place("raw", "", "sched_switch")),
        ("kprobe:vfs_read", Place("kprobe", "", "vfs_read")),
        ("perf:page-faults", Place("perf", "", "page-faults", 1)),
        ("perf:cycles", Place("perf", "", "cycles", 0, 99)),
        ("perf:cycles:100000", Place("perf", "", "cycles", 100_000)),
        ("perf:cpu-clock:49hz", Place("perf", "", "cpu-clock", 0, 49)),
        ("xdp:eth0", Place("xdp", "eth0")),
        ("socket-ebpf:eth0", Place("socket", "eth0")),
        ("cgroup", Place("cgroup")),
    ],
)
def test_hooks(text: str, place: Place) -> None:
    assert parse(text) == place


@pytest.mark.parametrize(
    "text",
    ["", "nothing", "uprobe", "uprobe:/bin/sh", "uprobe::main", "usdt:1:x", "raw:", "raw:a b", "perf:", "perf:x",
     "perf:cycles:", "perf:cycles:0", "perf:cycles:-1", "perf:cycles:99999hz", "xdp", "tracepoint:sched"],
)  # fmt: skip
def test_hooks_that_are_none(text: str) -> None:
    if text == "perf:cycles:":
        assert parse(text).hertz == 99
        return
    with pytest.raises(UsageError):
        parse(text)


@given(st.text(max_size=40), st.text(max_size=10))
def test_whatever_is_written_is_a_hook_or_refused(text: str, target: str) -> None:
    with suppress(UsageError):
        assert parse(text, target).text


def test_places_by_names() -> None:
    assert named("tracepoint__syscalls__sys_enter_read") == Place("tracepoint", "syscalls", "sys_enter_read")
    assert named("raw_tracepoint__sched_switch") == Place("raw", "", "sched_switch")
    assert named("kprobe__vfs_read") == Place("kprobe", "", "vfs_read")
    assert named("count") is None
    with pytest.raises(NotSupported, match="attaches no kfunc programs"):
        named("kfunc__vfs_read")


def test_comments_name_hooks() -> None:
    source = "// hook: perf:page-faults\n * hook other: xdp:lo\n/* hook third: raw:sys_enter */\n// unhook: x\n"
    assert noted(source) == {"": "perf:page-faults", "other": "xdp:lo", "third": "raw:sys_enter"}


def test_which_function_goes_where() -> None:
    faults, clock, packets = parse("perf:page-faults"), parse("perf:cpu-clock"), parse("xdp:lo")
    switch = named("tracepoint__sched__sched_switch")
    both = ["count", "tracepoint__sched__sched_switch"]
    assert chosen(both, "", {"": faults}) == {"count": faults, both[1]: switch}
    assert chosen(["a", "b"], "", {"a": faults, "": clock}) == {"a": faults, "b": clock}
    assert chosen(["a"], "// hook: perf:page-faults\n", {}) == {"a": faults}
    assert chosen(["a"], "// hook: perf:page-faults\n", {"": clock}) == {"a": clock}
    assert chosen(["a"], "// hook: xdp\n", {}, target="lo") == {"a": packets}
    assert chosen(["a", "b"], "// hook a: perf:page-faults\n// hook b: xdp\n", {}, target="lo") == {
        "a": faults,
        "b": packets,
    }
    assert chosen([both[1]], "", {"": clock}, only=both[1]) == {both[1]: clock}
    assert list(chosen(["b", "a"], "", {"a": faults, "b": clock})) == ["b", "a"]
    for functions, source, hooks in (
        ([], "", {}),
        (["a"], "", {}),
        (["a", "b"], "", {"": faults}),
        (["a"], "// hook: xdp\n", {}),
        ([both[1]], "", {"": clock}),
        (["a"], "", {"b": clock}),
    ):
        with pytest.raises(UsageError):
            chosen(functions, source, hooks)


def test_hints_name_and_measure() -> None:
    found = hints(
        "// show from, to: address\n// show took: ns\n * show call: syscall\n// show signal: signal\n"
        "// show disk: device\n"
        "// show result: errno\n// show size: bytes\n// show flags: hex\n// hide a, b\n// show at: time\n"
    )
    assert found.hidden == {"a", "b"}
    assert found.moment == "at"
    v4, v6 = Octets([*[0] * 10, 255, 255, 127, 0, 0, 1]), Octets([*[0] * 15, 1])
    value: Value = {
        "from": v4,
        "to": v6,
        "took": 1_500,
        "signal": 9,
        "disk": (259 << 20) + 3,
        "result": -2,
        "size": 4096,
    }
    assert found.line(value) == (
        "from 127.0.0.1, to ::1, took 1.5 µs, signal SIGKILL, disk 259:3, result -ENOENT, size 4.0 KiB"
    )
    assert found.named({"from": Octets([10, 0, 0, 1]), "result": 3, "signal": 0}) == {
        "from": "10.0.0.1", "result": 3, "signal": 0,
    }  # fmt: skip
    assert found.named(0x0100007F, "from") == "127.0.0.1"
    assert found.shown(255, "flags") == "0xff"
    assert found.shown("plain") == "plain"


def sample(*entries: Entry) -> MapSample:
    return MapSample(1.0, 1.0, Map(7, 1, 8, 8, 1024, 0, "m", 0, 0, 0, 0), LAYOUT, entries)


def test_histograms_from_slots() -> None:
    source = """
BPF_HISTOGRAM(direct); BPF_HISTOGRAM(less); BPF_HISTOGRAM(linear); BPF_HISTOGRAM(keyed, struct key); BPF_HISTOGRAM(by);
void a(void) { u64 n = 7, slot = bpf_log2l(n); direct.increment(bpf_log2l(n)); less.atomic_increment(bpf_log2(n)); }
void b(void) { struct key key = {}; key.slot = slot; keyed.increment(key); }
void c(void) { u64 slot = n / 10; linear.increment(slot); by.increment(n % 3); /* bpf_log2l(n) */ }
"""
    assert powers(source) == {"direct": 0, "less": 1, "linear": None, "keyed": 0, "by": None}
    plain = sample(*(Entry(b"", b"", slot, number) for slot, number in ((1, 5), (2, 18), (4, 13), (9, 0))))
    (one,) = distributions(plain, hints(""), 0)
    assert (one.label, one.total, one.bars) == ("", 36, ((0, 2, 5), (2, 4, 18), (4, 8, 0), (8, 16, 13)))
    (one,) = distributions(plain, hints(""), 1)
    assert one.bars[0] == (2, 4, 5)
    (one,) = distributions(plain, hints(""), None)
    assert one.bars == ((1, 2, 5), (2, 3, 18), (3, 4, 0), (4, 5, 13))


def test_histograms_by_what_else_their_key_has() -> None:
    keyed = sample(
        Entry(b"", b"", {"disk": 1, "slot": 3}, 5),
        Entry(b"", b"", {"disk": 2, "slot": 3}, 7),
        Entry(b"", b"", {"disk": 1, "slot": 4}, 1),
        Entry(b"", b"", "odd", 1),
        Entry(b"", b"", {"disk": 1, "slot": 1 << 40}, 1),
    )
    assert [(one.label, one.total) for one in distributions(keyed, hints(""), 0)] == [("disk 1", 7), ("disk 2", 7)]


def test_entries_by_size_and_growth() -> None:
    entries = [
        Entry(b"a", b"", "a", {"calls": 5, "ns": 1}, before={"calls": 4, "ns": 1}),
        Entry(b"b", b"", "b", {"calls": 9, "ns": 1}),
        Entry(b"c", b"", "c", {"calls": 2, "ns": 1}, new=True),
        Entry(b"d", b"", "d", {"calls": 0, "ns": 0}),
    ]
    assert [one.key for one in largest(entries, 10)] == ["b", "a", "c", "d"]
    array = sample(*entries)._replace(map=Map(7, 2, 4, 16, 4, 0, "array", 0, 0, 0, 0))
    assert [one.key for one in used(array)] == ["a", "b", "c"]
    assert used(sample(*entries)) == entries
    assert [one.key for one in grown(entries, 10)] == ["c", "a"]


def test_the_library_by_name_and_by_path() -> None:
    assert library.path_of("opens").endswith("/library/opens.c")
    assert library.path_of("./opens.c").endswith("/opens.c")
    with pytest.raises(BpfscopeError, match="it has block_io"):
        library.path_of("nothing_like_it")
    needs = {one.name: one.needs for one in library.ready()}
    assert {name for name, need in needs.items() if need} == {"tc_example"}
    assert len(needs) >= 12
