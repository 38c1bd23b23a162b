"""Maps without a kernel: how values are shown, summed and compared; types that lie; histograms by their shape."""

import struct

import pytest

from tests.screens.fake_maps import bpf_map, entry, sample
from tests.unit.btf_files import Maker
from tui.bpf import kernel
from tui.bpf.btf import index
from tui.bpf.btf.decoder import Address, Octets, Value
from tui.bpf.inventory import contents, info
from tui.bpf.inventory.kernel_symbols import KernelSymbols
from tui.collectors import map_histograms, map_layout
from tui.collectors.map_histograms import LINEAR, POWERS, bars
from tui.collectors.map_layout import layout, with_text_keys
from tui.collectors.map_values import change, field, fields, is_zero, summed


@pytest.mark.parametrize(
    ("kind", "data", "shown"),
    [
        (kernel.MAP_TYPE_HASH, struct.pack("<I", 7), 7),
        (kernel.MAP_TYPE_HASH, struct.pack("<Q", 1 << 40), 1 << 40),
        (kernel.MAP_TYPE_HASH, b"kworker/0:1".ljust(16, b"\0"), "kworker/0:1"),
        (kernel.MAP_TYPE_HASH, b"\1\2\3", [1, 2, 3]),
        (kernel.MAP_TYPE_HASH, b"sh\0\0\0\0\0\0\0\0\0\1", [115, 104, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        (kernel.MAP_TYPE_LPM_TRIE, struct.pack("<I4B", 8, 10, 0, 0, 0), "10.0.0.0/8"),
        (kernel.MAP_TYPE_LPM_TRIE, struct.pack("<I", 64) + bytes(16), "::/64"),
        (kernel.MAP_TYPE_LPM_TRIE, struct.pack("<I", 99) + bytes(4), "00000000/99"),
        (kernel.MAP_TYPE_LPM_TRIE, struct.pack("<I", 16) + b"\xab\xcd", "abcd/16"),
    ],
)
def test_keys_without_types(kind: int, data: bytes, shown: Value) -> None:
    one = bpf_map(1, kind, "m", len(data), 8, 10, btf_id=0)
    assert layout(one).key(data) == shown
    assert not layout(one).note


def test_keys_of_one_letter_are_text_where_the_others_are() -> None:
    found = layout(bpf_map(1, kernel.MAP_TYPE_HASH, "m", 16, 8, 10, btf_id=0))
    texts = [word.ljust(16, b"\0") for word in (b"g", b"bash", b"")]
    assert list(map(with_text_keys(found, texts).key, texts)) == ["g", "bash", ""]
    assert with_text_keys(found, texts[:1]) is found
    assert with_text_keys(found, [*texts, bytes(range(16))]) is found
    assert with_text_keys(found, texts).key(bytes(range(16))) == list(range(16))


def test_stacks_are_names_and_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    kallsyms = b"0 T nothing\nffffffff81000000 T start\nffffffff81000010 t run\x1b\t[ext4]\nffffffff81000020 D data\n"
    symbols = KernelSymbols(kallsyms)
    assert symbols.name(0xFFFFFFFF81000004) == "start+0x4"
    assert symbols.name(0xFFFFFFFF81000010) == "run␛"
    assert symbols.name(0xFFFFFFFF80000000) == symbols.name(0xFFFFFFFFFFFFFFFF) == KernelSymbols(b"").name(1) == ""
    monkeypatch.setattr(map_layout, "kernel_symbols", lambda: symbols)
    one = bpf_map(1, kernel.MAP_TYPE_STACK_TRACE, "stacks", 4, 32, 10, btf_id=0)
    assert layout(one).value(struct.pack("<4Q", 0xFFFFFFFF81000000, 0x401000, 0, 0)) == ["start", 0x401000]
    build_ids = bpf_map(1, kernel.MAP_TYPE_STACK_TRACE, "stacks", 4, 64, 10, btf_id=0, flags=1 << 5)
    data = struct.pack("<i20sQ", 1, bytes(range(20)), 0x10) + struct.pack("<i20sQ", 2, b"", 0x401000)
    assert layout(build_ids).value(data) == [f"{bytes(range(20)).hex()}+0x10", 0x401000]


def test_types_that_lie_about_sizes_are_told_and_left(monkeypatch: pytest.MonkeyPatch) -> None:
    make = Maker()
    number = make.integer("int", 4, index.SIGNED)
    long = make.integer("long", 8)
    monkeypatch.setattr(info, "btf_of", lambda _: ("", make.build()))
    true = bpf_map(1, kernel.MAP_TYPE_HASH, "m", 4, 8, 10, btf_key_type=number, btf_value_type=long)
    assert layout(true).key(struct.pack("<i", -1)) == -1
    lies = true._replace(btf_value_type=number)
    found = layout(lies)
    assert found.note == "shown without types: the BTF says 4 bytes where there are 8"
    assert found.value(struct.pack("<Q", 3)) == 3
    assert not found.typed
    monkeypatch.setattr(info, "btf_of", lambda _: ("", b"rubbish"))
    assert "shown without types" in layout(true).note


def test_values_of_cpus_are_summed() -> None:
    assert summed([1, 2, 3]) == 6
    assert summed([{"a": 1, "b": [1, 2]}, {"a": 2, "b": [3, 4]}]) == {"a": 3, "b": [4, 6]}
    assert summed(["", "sh"]) == "sh"
    assert summed(["bash", "sh"]) is None
    assert summed([Address(0), Address(5)]) == 5
    assert summed([Octets([0, 0]), Octets([1, 2])]) == [1, 2]
    assert summed([False, True]) is True


def test_changes_have_the_values_shape() -> None:
    before: Value = {"n": 5, "comm": "sh", "deep": {"n": 1, "at": Address(1)}, "list": [1, 2]}
    now: Value = {"n": 12, "comm": "sh", "deep": {"n": 0, "at": Address(9)}, "list": [4, 2]}
    grown = {"n": 7, "comm": None, "deep": {"n": -1, "at": None}, "list": [3, 0]}
    assert change(now, before) == grown
    assert change(True, False) is None
    assert fields(now) == [("n", 12), ("comm", "sh"), ("deep.n", 0), ("deep.at", 9), ("list", [4, 2])]
    assert field(now, "deep.at") == 9
    assert field(now, "n.x") is None
    assert field(7, "") == 7
    assert is_zero({"a": 0, "b": [0, ""]})
    assert not is_zero(now)


def test_bccs_histogram_is_told_by_its_shape() -> None:
    """Slot n has what is from 2^(n-1) up to 2^n."""
    one = bpf_map(1, kernel.MAP_TYPE_ARRAY, "whatever", 4, 8, 64)
    slots = [0, 0, 5, 0, 2] + [0] * 59
    reading = sample(1, map=one, entries=tuple(entry(slot, slot, count) for slot, count in enumerate(slots)))
    found = map_histograms.found(reading, None)
    assert found
    assert bars(found.slots, found.first, POWERS) == [(2, 4, 5), (4, 8, 0), (8, 16, 2)]
    assert bars(found.slots, found.first, LINEAR) == [(2, 3, 5), (3, 4, 0), (4, 5, 2)]
    assert bars([0] * 64, 0, POWERS) == []
    other = map_histograms.found(reading._replace(map=one._replace(entries=32)), None)
    assert other is None or not other.sure
    assert map_histograms.found(reading._replace(map=one._replace(entries=32, name="usecs_hist")), None)


def test_slots_in_a_struct_and_keys_with_slots() -> None:
    one = bpf_map(1, kernel.MAP_TYPE_HASH, "hists", 4, 8, 64)
    slots: Value = [4, 0, 1, *[0] * 24]
    here = entry(1, 7, {"comm": "sh", "slots": slots})
    found = map_histograms.found(sample(1, map=one, entries=(here,)), here)
    assert found
    assert bars(found.slots, found.first, POWERS) == [(0, 2, 4), (2, 4, 0), (4, 8, 1)]
    keyed = [entry(at, {"disk": disk, "slot": slot}, count) for at, (disk, slot, count) in enumerate(
        [("sda", 3, 10), ("sdb", 3, 99), ("sda", 5, 1)]
    )]  # fmt: skip
    found = map_histograms.found(sample(1, map=one, entries=tuple(keyed)), keyed[0])
    assert found
    assert (found.title, found.slots) == ("disk sda", [0, 0, 0, 10, 0, 1])


def test_bpftraces_histogram_may_be_one() -> None:
    """Slot 0 has what is negative, 1 what is zero, n what is from 2^(n-2) up to 2^(n-1)."""
    one = bpf_map(1, kernel.MAP_TYPE_PERCPU_HASH, "AT_usecs", 8, 8, 4096)
    entries = tuple(entry(at, slot, count) for at, (slot, count) in enumerate([(1, 7), (2, 5), (4, 9)]))
    found = map_histograms.found(sample(1, map=one, entries=entries), None)
    assert found
    assert not found.sure
    assert bars(found.slots, found.first, POWERS) == [(0, 1, 7), (1, 2, 5), (2, 4, 0), (4, 8, 9)]
    pids = tuple(entry(at, at + 700, 1) for at in range(3))
    assert map_histograms.found(sample(1, map=one, entries=pids), None) is None


def test_possible_cpus_may_have_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A per-CPU map has as many values as there are possible CPUs, whatever their numbers."""
    monkeypatch.setattr(contents, "cpus", lambda: (0, 2, 3))
    one = info.Map(1, kernel.MAP_TYPE_PERCPU_HASH, 4, 12, 10, 0, "m", 0, 0, 0, 0)
    assert contents.value_bytes(one) == 48
    assert contents.per_cpu(one, bytes(range(48)))[1] == bytes(range(16, 28))
