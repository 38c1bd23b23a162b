"""What is in maps of this kernel, of each kind: equal to what was put in, to bpftool's, and not changed by looking."""

import contextlib
import ctypes
import io
import json
import os
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.attaching import Attaching
from tests.kernel.making_maps import NO_PREALLOC, Made, bpftool, fill, number_of, shown
from tui import cli
from tui.bpf import kernel
from tui.bpf.inventory import at_cgroups, contents, info
from tui.bpf.inventory.contents import cpus
from tui.bpf.inventory.info import Map
from tui.collectors.entries import Entries, Entry
from tui.collectors.map_layout import layout
from tui.collectors.maps import Maps
from tui.errors import TargetError

PRIME = 1009


@pytest.fixture
def made() -> Iterator[Made]:
    with Made() as made:
        yield made


def read(fd: int, most: int = contents.MOST) -> contents.Contents:
    return contents.contents(fd, Map.of(fd), most)


def decoded(fd: int) -> dict[str, Any]:
    """By key, as text of JSON."""
    sample = Entries(number_of(fd)).read()
    return {json.dumps(entry.key): json.loads(json.dumps(entry.value)) for entry in sample.entries}


def printed(*words: str) -> list[Any]:
    """What the command prints with --json."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        assert cli.main(["maps", *words, "--json"]) == 0
    return [json.loads(line) for line in output.getvalue().splitlines()]


def _figure(entry: Entry) -> int:
    assert isinstance(entry.value, int)
    return entry.value


def flow(number: int, state: int = 1) -> bytes:
    return b"nginx".ljust(16, b"\0") + struct.pack("<II", number, state)


def stats(packets: int) -> bytes:
    flags, mac, numbers = struct.pack("<I", 0b101), bytes([1, 2, 3, 4]), struct.pack("<3I", 5, 6, 7)
    return (
        struct.pack("<QQi", packets, packets << 32 | 3, -packets) + flags + mac + numbers + struct.pack("<Q", 1 << 40)
    )


def unnamed(value: Any) -> Any:  # noqa: ANN401 - JSON
    """As bpftool has it, but for what we do otherwise: anonymous members are their holder's, bit-fields are signed."""
    if isinstance(value, dict):
        flat = {name: unnamed(member) for name, member in value.items() if name}
        for name, member in value.items():
            if not name:
                flat |= unnamed(member)
        return flat
    if isinstance(value, str) and value.startswith("0x"):
        return int(value, 16)
    return value


def test_structs_are_decoded_as_bpftool_does(made: Made) -> None:
    types = made.types
    fd = made.map(kernel.MAP_TYPE_HASH, 24, 48, 2000, key_type=types.key, value_type=types.value)
    fill(fd, ((flow(number), stats(number)) for number in range(PRIME)))
    theirs = {
        json.dumps(entry["formatted"]["key"]): unnamed(entry["formatted"]["value"]) for entry in bpftool(number_of(fd))
    }
    assert len(theirs) == PRIME
    assert decoded(fd) == theirs
    assert len(printed(str(number_of(fd)))) == PRIME


@pytest.mark.parametrize(
    "kind",
    [kernel.MAP_TYPE_HASH, kernel.MAP_TYPE_LRU_HASH, kernel.MAP_TYPE_PERCPU_HASH, kernel.MAP_TYPE_LRU_PERCPU_HASH],
)
@pytest.mark.parametrize("size", [4, 12, 8], ids=str)
def test_hash_maps_have_what_was_put_in(made: Made, kind: int, size: int) -> None:
    """Per-CPU values of 4 and 12 bytes are rounded up to 8 each."""
    fd = made.map(kind, 4, size, 4000)
    per_cpu = kind in contents.PER_CPU
    step = (size + 7) // 8 * 8 if per_cpu else size
    truth = {}
    for number in range(PRIME):
        values = [(number + cpu).to_bytes(size, "little") for cpu in range(len(cpus()) if per_cpu else 1)]
        truth[struct.pack("I", number)] = values
        kernel.map_update(fd, struct.pack("I", number), b"".join(value.ljust(step, b"\0") for value in values))
    one, found = Map.of(fd), read(fd)
    assert found.complete
    assert contents.count(fd, one) == (PRIME, True)
    got = {key: contents.per_cpu(one, value) if per_cpu else [value] for key, value in found.entries}
    assert got == truth
    assert not read(fd, 100).complete
    assert len(read(fd, 100).entries) == 100
    assert sum(len(portion) for portion in contents.portions(fd, one, 64)) == PRIME


def test_per_cpu_values_are_summed_and_each_is_told_as_bpftool_does(made: Made) -> None:
    types = made.types
    fd = made.map(kernel.MAP_TYPE_PERCPU_ARRAY, 4, 8, 3, key_type=types.u32, value_type=types.u64)
    kernel.map_update(fd, struct.pack("I", 1), struct.pack(f"{len(cpus())}Q", *(100 + cpu for cpu in cpus())))
    ours = printed(str(number_of(fd)))
    assert [row["key"] for row in ours] == [0, 1, 2]
    assert ours[1]["value"] == sum(100 + cpu for cpu in cpus())
    assert ours[1]["cpus"] == bpftool(number_of(fd))[1]["formatted"]["values"]


@pytest.mark.parametrize("typed", [True, False])
def test_lpm_tries_are_addresses(made: Made, typed: bool) -> None:
    types = made.types
    fd = made.map(
        kernel.MAP_TYPE_LPM_TRIE, 8, 4, 10, flags=NO_PREALLOC, types=typed, key_type=types.prefix, value_type=types.u32
    )
    kernel.map_update(fd, struct.pack("<I", 9) + bytes([10, 128, 0, 0]), struct.pack("<I", 5))
    assert decoded(fd) == {'"10.128.0.0/9"': 5}
    wide = made.map(kernel.MAP_TYPE_LPM_TRIE, 20, 8, 10, flags=NO_PREALLOC)
    kernel.map_update(wide, struct.pack("<I", 32) + bytes.fromhex("20010db8") + bytes(12), struct.pack("<Q", 2))
    assert decoded(wide) == {'"2001:db8::/32"': 2}
    assert contents.count(wide, Map.of(wide)) == (1, True)


def test_a_queue_shows_what_comes_next_and_keeps_it(made: Made) -> None:
    for kind, value in ((kernel.MAP_TYPE_QUEUE, 3), (kernel.MAP_TYPE_STACK, 5)):
        fd = made.map(kind, 0, 8, 10)
        assert read(fd) == ([], True, "")
        for number in (3, 4, 5):
            data = ctypes.create_string_buffer(struct.pack("Q", number), 8)
            kernel.bpf(kernel.MAP_UPDATE_ELEM, struct.pack("I4x3Q", fd, 0, ctypes.addressof(data), 0))
        for _ in range(2):
            found = read(fd)
            assert [value for _, value in found.entries] == [struct.pack("Q", value)]
            assert "without taking it out" in found.note
        assert printed(str(number_of(fd)), "--raw") == [{"key": "", "value": struct.pack("Q", value).hex()}]
        assert contents.count(fd, Map.of(fd)) is None


def test_maps_of_maps_and_programs_are_numbers_with_names(made: Made) -> None:
    inner = made.map(kernel.MAP_TYPE_ARRAY, 4, 8, 1, name="within")
    for kind in (kernel.MAP_TYPE_ARRAY_OF_MAPS, kernel.MAP_TYPE_HASH_OF_MAPS):
        outer = made.map(kind, 4, 4, 4, inner=inner)
        kernel.map_update(outer, struct.pack("I", 2), struct.pack("I", inner))
        assert decoded(outer) == {"2": {"map": number_of(inner), "name": "within"}}
    code = struct.pack("=BBhi", 0xB7, 0, 0, 0) + struct.pack("=BBhi", 0x95, 0, 0, 0)
    program = kernel.program_load(kernel.PROG_TYPE_SOCKET_FILTER, 0, code, "called")
    try:
        calls = made.map(kernel.MAP_TYPE_PROG_ARRAY, 4, 4, 4)
        kernel.map_update(calls, struct.pack("I", 1), struct.pack("I", program))
        assert decoded(calls) == {"1": {"program": kernel.program_id(program), "name": "called"}}
        assert contents.count(calls, Map.of(calls)) == (1, True)
    finally:
        os.close(program)


def test_devices_are_interface_numbers(made: Made) -> None:
    for kind in (kernel.MAP_TYPE_DEVMAP, kernel.MAP_TYPE_DEVMAP_HASH):
        fd = made.map(kind, 4, 4, 4)
        kernel.map_update(fd, struct.pack("I", 3), struct.pack("I", 1))
        assert decoded(fd) == {"3": 1}
    fd = made.map(kernel.MAP_TYPE_CPUMAP, 4, 8, 4)
    kernel.map_update(fd, struct.pack("I", 0), struct.pack("Ii", 192, -1))
    assert decoded(fd) == {"0": {"queue_size": 192, "program": 0}}


@pytest.mark.parametrize(
    ("kind", "key", "value", "flags", "why"),
    [
        (kernel.MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 0, "which perf events"),
        (kernel.MAP_TYPE_CGROUP_ARRAY, 4, 4, 0, "which cgroups"),
        (kernel.MAP_TYPE_BLOOM_FILTER, 0, 8, 0, "may be in it"),
        (kernel.MAP_TYPE_SOCKMAP, 4, 4, 0, "this map's values have 4"),
    ],
)
def test_what_cannot_be_read_says_why(made: Made, kind: int, key: int, value: int, flags: int, why: str) -> None:
    fd = made.map(kind, key, value, 4, flags=flags)
    assert why in read(fd).note
    assert contents.count(fd, Map.of(fd)) is None


def test_storage_of_threads_is_found_by_their_numbers(made: Made) -> None:
    types = made.types
    fd = made.map(kernel.MAP_TYPE_TASK_STORAGE, 4, 8, 0, flags=NO_PREALLOC, key_type=types.int, value_type=types.u64)
    assert decoded(fd) == {}
    own = os.pidfd_open(os.getpid())
    try:
        kernel.map_update(fd, struct.pack("i", own), struct.pack("Q", 77))
    finally:
        os.close(own)
    name = Path("/proc/self/comm").read_text().strip()
    assert decoded(fd) == {json.dumps({"tid": os.getpid(), "name": name}): 77}
    assert layout(Map.of(fd)).key_type == "thread"


def test_a_ring_buffer_is_not_consumed(made: Made) -> None:
    fd = made.map(kernel.MAP_TYPE_RINGBUF, 0, 0, 4096)
    assert contents.ring(fd) == (0, 0)
    sample = Entries(number_of(fd)).read()
    assert sample.ring == (0, 0)
    assert "positions" in sample.note


def test_looking_does_not_make_lru_entries_recent(made: Made) -> None:
    """What is evicted next is the same, whether somebody looks or not."""

    def evicted(look: bool) -> set[bytes]:
        fd = made.map(kernel.MAP_TYPE_LRU_HASH, 4, 4, 512)
        keys = [struct.pack("I", number) for number in range(512)]
        for key in keys:
            kernel.map_update(fd, key, key)
        if look:
            for _ in range(5):
                contents.contents(fd, Map.of(fd), 200)
                for key in keys[:200]:
                    kernel.map_lookup(fd, key, 4)
        for number in range(1000, 1100):
            kernel.map_update(fd, struct.pack("I", number), bytes(4))
        return set(keys) - {key for key, _ in read(fd).entries}

    affinity = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(affinity)})
    try:
        assert evicted(look=True) == evicted(look=False) != set()
    finally:
        os.sched_setaffinity(0, affinity)


def test_entries_that_come_and_go_while_they_are_read(made: Made) -> None:
    """No error, no endless walk, and what stays is always seen."""
    fd = made.map(kernel.MAP_TYPE_HASH, 4, 4, 8192)
    steady = {struct.pack("I", number) for number in range(PRIME)}
    fill(fd, ((key, key) for key in steady))
    stop = threading.Event()

    def churn() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            key = struct.pack("I", 1 << 20 | number % 4000)
            kernel.map_update(fd, key, key)
            kernel.map_delete(fd, struct.pack("I", 1 << 20 | (number + 2000) % 4000))

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(50):
            assert steady <= {key for key, _ in read(fd).entries}
    finally:
        stop.set()
        thread.join()


def test_deltas_new_and_gone_entries(made: Made) -> None:
    types = made.types
    fd = made.map(kernel.MAP_TYPE_HASH, 4, 8, 100, key_type=types.u32, value_type=types.u64)
    kernel.map_update(fd, struct.pack("I", 1), struct.pack("Q", 10))
    kernel.map_update(fd, struct.pack("I", 2), struct.pack("Q", 20))
    entries = Entries(number_of(fd))
    assert {entry.key: entry.delta for entry in entries.read().entries} == {1: None, 2: None}
    kernel.map_update(fd, struct.pack("I", 1), struct.pack("Q", 10 + PRIME))
    kernel.map_update(fd, struct.pack("I", 3), struct.pack("Q", 5))
    kernel.map_delete(fd, struct.pack("I", 2))
    sample = entries.read()
    assert {entry.key: (entry.value, entry.delta, entry.new) for entry in sample.entries} == {
        1: (10 + PRIME, PRIME, False),
        3: (5, 5, True),
    }
    assert sample.gone == 1
    assert all(entry.delta is None for entry in entries.read().entries)


def test_a_large_map_is_read_in_portions_and_whole_on_request(made: Made) -> None:
    types, number = made.types, 30_011
    fd = made.map(kernel.MAP_TYPE_HASH, 8, 8, 40_000, key_type=types.u64, value_type=types.u64)
    fill(fd, ((struct.pack("Q", key), struct.pack("Q", key * 7919 % number)) for key in range(number)))
    entries = Entries(number_of(fd))
    first = entries.read()
    assert (len(first.entries), first.complete) == (contents.MOST, False)
    scan = entries.scan("")
    assert (scan.entries, scan.by) == (number, "")
    largest = entries.read()
    assert sorted((_figure(entry) for entry in largest.entries), reverse=True) == list(
        range(number - 1, number - 1001, -1)
    )
    most = max(largest.entries, key=_figure)
    kernel.map_update(fd, most.raw, struct.pack("Q", 1 << 40))
    assert [entry.delta for entry in entries.read().entries if entry.delta is not None] == [(1 << 40) - number + 1]
    entries.forget_scan()
    assert len(entries.read().entries) == contents.MOST
    assert len(printed(str(number_of(fd)), "--all")) == number


def test_a_map_that_goes_ends_its_readings(made: Made) -> None:
    with Made() as other:
        fd = other.map(kernel.MAP_TYPE_HASH, 4, 8, 100)
        kernel.map_update(fd, struct.pack("I", 1), struct.pack("Q", 10))
        number = number_of(fd)
        entries = Entries(number)
        assert len(entries.read().entries) == 1
    sample = entries.read()
    assert sample.ended == f"map {number} is gone: nobody holds it any more"
    assert [entry.value for entry in sample.entries] == [10]
    with pytest.raises(TargetError, match=f"there is no map {number}"):
        entries.scan("")
    with pytest.raises(TargetError):
        Entries(number)


def test_the_list_has_entries_memory_and_holders_as_bpftool(made: Made) -> None:
    fd = made.map(kernel.MAP_TYPE_HASH, 4, 8, 5000, name="listed")
    fill(fd, ((struct.pack("I", number), bytes(8)) for number in range(PRIME)))
    maps = Maps()
    row = next(row for row in maps.read(1 << 20).maps if row.map.id == number_of(fd))
    theirs = shown(number_of(fd))
    assert (row.entries, row.complete) == (PRIME, True)
    assert row.memory == theirs["bytes_memlock"]
    assert (row.type, row.map.name, row.map.entries) == (theirs["type"], theirs["name"], theirs["max_entries"])
    assert row.ours
    assert os.getpid() in [holder.pid for holder in row.holders]
    assert row.full == PRIME / 5000


def test_a_large_map_is_counted_over_several_readings(made: Made) -> None:
    number = 30_011
    fd = made.map(kernel.MAP_TYPE_HASH, 8, 8, 40_000)
    fill(fd, ((struct.pack("Q", key), bytes(8)) for key in range(number)))
    counter = contents.Counter(Map.of(fd))
    seen = []
    while not counter.rounds:
        assert contents.MOST <= counter.count(fd, contents.MOST) <= contents.MOST + 1000 or counter.rounds
        seen.append((counter.entries, counter.complete))
    assert seen[-1] == (number, True)
    assert seen == sorted(seen)
    counter.count(fd, contents.MOST)  # the next round begins, and the last one's figure stays
    assert (counter.entries, counter.complete) == (number, True)


def test_names_and_wrong_words(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    made.map(kernel.MAP_TYPE_ARRAY, 4, 8, 1, name="twice_there")
    made.map(kernel.MAP_TYPE_ARRAY, 4, 8, 1, name="twice_there")
    made.map(kernel.MAP_TYPE_ARRAY, 4, 8, 1, name="once_there")
    assert cli.main(["maps", "once_there"]) == 0
    assert cli.main(["maps", "twice_there"]) == 2
    assert "several maps have this name" in capsys.readouterr().err
    assert cli.main(["maps", "-d", "1"]) == 2
    assert cli.main(["maps", "4294967295"]) == 1
    assert cli.main(["maps", "99999999999"]) == 1
    assert "there is no map 99999999999" in capsys.readouterr().err


def test_measured_and_watched(made: Made) -> None:
    types = made.types
    fd = made.map(kernel.MAP_TYPE_HASH, 4, 8, 100, key_type=types.u32, value_type=types.u64)
    kernel.map_update(fd, struct.pack("I", 1), struct.pack("Q", 10))
    kernel.map_update(fd, struct.pack("I", 2), struct.pack("Q", 20))
    later = threading.Timer(0.3, kernel.map_update, (fd, struct.pack("I", 1), struct.pack("Q", 10 + PRIME)))
    later.start()
    rows = printed(str(number_of(fd)), "-d", "0.8")
    later.join()
    assert {row["key"]: (row["value"], row["change"]) for row in rows} == {1: (10 + PRIME, PRIME), 2: (20, None)}
    *intervals, last = printed(str(number_of(fd)), "-i", "0.1", "-d", "0.35")
    assert {row["kind"] for row in intervals} == {"interval"}  # a busy machine skips some
    assert all(row["entries"] == [] for row in intervals)
    assert (last["kind"], len(last["entries"])) == ("summary", 2)


def test_what_was_last_seen_in_a_map_that_goes(capsys: pytest.CaptureFixture[str]) -> None:
    with Made() as made:
        fd = made.map(kernel.MAP_TYPE_HASH, 4, 8, 100)
        number = number_of(fd)
        kernel.map_update(fd, struct.pack("I", 1), struct.pack("Q", 0))
        changed = threading.Timer(0.2, kernel.map_update, (fd, struct.pack("I", 1), struct.pack("Q", 5)))
        gone = threading.Timer(1.3, made.close)
        changed.start()
        gone.start()
        assert cli.main(["maps", str(number), "-d", "60"]) == 0
        gone.join()
    shown = capsys.readouterr()
    assert shown.out == "1: 5  +5\n"
    assert f"map {number} is gone" in shown.err


def test_entries_are_found_by_their_keys(made: Made) -> None:
    trie = made.map(kernel.MAP_TYPE_LPM_TRIE, 8, 4, 10, flags=NO_PREALLOC)
    for length, address in ((8, (10, 0, 0, 0)), (24, (10, 1, 2, 0)), (16, (10, 9, 0, 0)), (0, (0, 0, 0, 0))):
        kernel.map_update(trie, struct.pack("<I4B", length, *address), struct.pack("<I", length))
    assert [row["key"] for row in printed(str(number_of(trie)), "--key", "10.1.2.3")] == [
        "10.1.2.0/24", "10.0.0.0/8", "0.0.0.0/0"
    ]  # fmt: skip
    assert printed(str(number_of(trie)), "--key", "10.9.0.0/16")[0]["key"] == "10.9.0.0/16"
    numbers = made.map(kernel.MAP_TYPE_HASH, 4, 8, 20_000)
    fill(numbers, ((struct.pack("I", number), struct.pack("Q", number)) for number in range(15_000)))
    assert printed(str(number_of(numbers)), "--key", "14999") == [{"key": 14999, "value": 14999}]
    assert printed(str(number_of(numbers)), "--key", "0x10") == [{"key": 16, "value": 16}]
    assert cli.main(["maps", str(number_of(numbers)), "--key", "15000"]) == 1
    assert cli.main(["maps", str(number_of(numbers)), "--key", str(1 << 32)]) == 2
    assert cli.main(["maps", str(number_of(numbers)), "--key=-1"]) == 2
    types = made.types
    signed = made.map(kernel.MAP_TYPE_HASH, 4, 8, 100, key_type=types.int, value_type=types.u64)
    kernel.map_update(signed, struct.pack("i", -7), struct.pack("Q", 7))
    assert printed(str(number_of(signed)), "--key=-7") == [{"key": -7, "value": 7}]
    assert cli.main(["maps", str(number_of(signed)), "--key", str(1 << 31)]) == 2
    flows = made.map(kernel.MAP_TYPE_HASH, 24, 48, 2000, key_type=types.key, value_type=types.value)
    fill(flows, ((flow(number), stats(number)) for number in range(PRIME)))
    assert [row["key"]["port"] for row in printed(str(number_of(flows)), "--key", "port 1007,")] == [1007]


def test_histograms_are_drawn(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    types = made.types
    fd = made.map(kernel.MAP_TYPE_ARRAY, 4, 8, 64, name="dist", key_type=types.u32, value_type=types.u64)
    for slot, number in ((1, 3), (4, PRIME), (5, 500)):
        kernel.map_update(fd, struct.pack("I", slot), struct.pack("Q", number))
    assert cli.main(["maps", str(number_of(fd)), "--hist"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"dist  {PRIME + 503:,}"
    assert lines[4].split()[:4] == ["8", "–", "15", "1,009"]
    assert cli.main(["maps", str(number_of(made.map(kernel.MAP_TYPE_QUEUE, 0, 8, 10))), "--hist"]) == 2


def test_the_kernels_maps_are_all_read_without_an_error() -> None:
    """Whatever else is in this kernel."""
    for one in info.maps():
        with contextlib.suppress(TargetError):
            Entries(one.id).read(100)


def test_struct_ops_are_decoded_by_the_kernels_types_with_programs_as_numbers() -> None:
    with Attaching() as attaching:
        try:
            fd = attaching.struct_ops("bpfscope_ops", linked=False)
        except OSError:
            pytest.skip("this kernel takes no struct_ops of that kind")
        try:
            (value,) = decoded(fd).values()
            (theirs,) = bpftool(number_of(fd))
        finally:
            kernel.map_delete(fd, bytes(4))
    assert value["data"]["name"] == "bpfscope_ops"
    ours = {name: value["data"][name] for name in ("ssthresh", "undo_cwnd", "cong_avoid", "init", "key", "flags")}
    data = unnamed(theirs["formatted"]["value"])["data"] if "formatted" in theirs else unnamed(theirs["value"])["data"]
    assert ours == {name: data[name] for name in ours}
    assert ours["ssthresh"] > 0
    assert ours["init"] == 0


def test_storage_of_cgroups_is_found_by_their_paths(made: Made) -> None:
    types = made.types
    try:
        fd = made.map(
            kernel.MAP_TYPE_CGRP_STORAGE, 4, 8, 0, flags=NO_PREALLOC, key_type=types.int, value_type=types.u64
        )
    except OSError:
        pytest.skip("storage of cgroups (Linux 6.2)")
    where = at_cgroups.tree().root
    if not where:
        pytest.skip("cgroup v2")
    root = os.open(where, os.O_RDONLY | os.O_DIRECTORY)
    try:
        kernel.map_update(fd, struct.pack("i", root), struct.pack("Q", 78))
    finally:
        os.close(root)
    assert decoded(fd) == {'"/"': 78}
