"""BPF maps for the screens: a few of a busy server, and what one of them holds."""

import asyncio
from collections.abc import AsyncIterator

from tui.bpf import kernel
from tui.bpf.btf.decoder import Address, Octets, Reference, Value, Word
from tui.bpf.inventory.contents import Ring
from tui.bpf.inventory.holders import Holder
from tui.bpf.inventory.info import Map
from tui.collectors.entries import Entry, MapSample, Scan
from tui.collectors.map_layout import Layout
from tui.collectors.maps import MapRow, MapsSample, User
from tui.errors import BpfscopeError, TargetError

TIME = 1000.0
HELD = (Holder(1811, "cilium-agent", 9),)


def bpf_map(number: int, kind: int, name: str, key: int, value: int, entries: int, **changes: object) -> Map:
    """A map; `changes` replace its fields."""
    return Map(number, kind, key, value, entries, 0, name, 7, 1, 2, 0)._replace(**changes)  # type: ignore[arg-type]


def row(one: Map, entries: int | None, memory: int, **changes: object) -> MapRow:
    """A map in the list; `changes` replace the row's fields."""
    return MapRow(one, memory, entries, True, TIME)._replace(**changes)  # type: ignore[arg-type]


FLOWS = bpf_map(31, kernel.MAP_TYPE_HASH, "flows", 24, 16, 10_240)
MAPS = (
    row(FLOWS, 10_112, 3_407_872, users=(User(128, "cil_from_netdev", 3), User(131, "cil_to_netdev", 3)), holders=HELD),
    row(
        bpf_map(32, kernel.MAP_TYPE_LRU_HASH, "cilium_ct4_global", 14, 56, 524_288), 9_041, 75 << 20, complete=False,
        users=(User(128, "cil_from_netdev", 3),), holders=HELD,
    ),
    row(bpf_map(33, kernel.MAP_TYPE_LPM_TRIE, "allow", 8, 4, 1_000), 3, 224, users=(User(12, "sd_fw_ingress", 8),)),
    row(bpf_map(34, kernel.MAP_TYPE_PERCPU_ARRAY, "stats", 4, 8, 2), 2, 4_096, users=(User(12, "", 8),)),
    row(bpf_map(35, kernel.MAP_TYPE_RINGBUF, "events", 0, 0, 4 << 20), None, 4_223_304, holders=(Holder(7, "x", 3),)),
    row(bpf_map(36, kernel.MAP_TYPE_ARRAY, "lost", 4, 8, 1), 1, 320, ours=True, holders=(Holder(44, "bpfscope", 3),)),
    row(bpf_map(37, kernel.MAP_TYPE_PROG_ARRAY, "", 4, 4, 8), 2, 376),
    row(bpf_map(38, 99, "of_tomorrow", 4, 4, 8), None, 4_096),
)  # fmt: skip
COMMS = ("sshd", "nginx", "postgres", "日本語", "[bold]x[/]", "node-exporter")


def layout(key: str = "struct flow", value: str = "struct stats", **changes: object) -> Layout:
    """How a map's types are named; entries come decoded."""
    plain = Layout(Octets, Octets, key, value, typed=True)
    return plain._replace(**changes)  # type: ignore[arg-type]


def entry(number: int, key: Value, value: Value, **changes: object) -> Entry:
    """An entry."""
    raw = number.to_bytes(4, "little")
    return Entry(raw, raw, key, value)._replace(**changes)  # type: ignore[arg-type]


def flows(second: int, number: int = 40) -> tuple[Entry, ...]:
    """What the map of flows holds; each grows at its own pace."""
    made = []
    for index in range(number):
        key: Value = {"comm": COMMS[index % len(COMMS)], "port": 1000 + index, "state": Word("OPEN")}
        pace = index * index % 97
        before = _figures(index, pace, second - 1) if second and pace else None
        made.append(entry(index, key, _figures(index, pace, second), before=before))
    return tuple(made)


def _figures(index: int, pace: int, second: int) -> Value:
    packets = 17 * index + pace * second
    return {"packets": packets, "bytes": 1500 * pace * second, "seen": Address(0xFFFF888000001000)}


def sample(second: int, **changes: object) -> MapSample:
    """A reading of the flows, so many seconds after the first; `changes` replace its fields."""
    plain = MapSample(TIME + second, 1.0 if second else 0.0, FLOWS, layout(), flows(second), memory=3_407_872)
    users = (User(128, "cil_from_netdev", 3),)
    return plain._replace(users=users, holders=HELD)._replace(**changes)  # type: ignore[arg-type]


def histogram() -> MapSample:
    """A map as bcc's BPF_HISTOGRAM makes it."""
    one = bpf_map(40, kernel.MAP_TYPE_ARRAY, "dist", 4, 8, 64)
    slots = [0, 3, 17, 240, 1_911, 9_320, 4_004, 350, 41, 0, 2]
    entries = tuple(entry(slot, slot, slots[slot] if slot < len(slots) else 0) for slot in range(64))
    return sample(1, map=one, layout=layout("int", "unsigned long long"), entries=entries, memory=824)


def prefixes() -> MapSample:
    """The addresses that a unit lets in."""
    one = bpf_map(33, kernel.MAP_TYPE_LPM_TRIE, "allow", 8, 4, 1_000)
    keys = ("10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32")
    return sample(1, map=one, layout=layout("prefix", "4 bytes", typed=False),
                  entries=tuple(entry(index, key, 1) for index, key in enumerate(keys)))  # fmt: skip


def programs() -> MapSample:
    """Where tail calls go."""
    one = bpf_map(37, kernel.MAP_TYPE_PROG_ARRAY, "calls", 4, 4, 8)
    values: tuple[Value, ...] = (
        {"program": Reference(41), "name": "parse_ipv4"},
        {"program": Reference(42), "name": ""},
    )
    return sample(1, map=one, layout=layout("4 bytes", "program", typed=False),
                  entries=tuple(entry(3 * index, 3 * index, value) for index, value in enumerate(values)))  # fmt: skip


def ring() -> MapSample:
    """A ring buffer that somebody reads."""
    one = bpf_map(35, kernel.MAP_TYPE_RINGBUF, "events", 0, 0, 4 << 20)
    note = "others' events stay unread: only positions are shown"
    return sample(1, map=one, layout=layout("", "events"), entries=(), ring=Ring(91_000_000, 91_200_000), note=note)


class FakeEntries:
    """One map (`sources.Watching`)."""

    def __init__(self, sources: "FakeMaps") -> None:
        self._sources = sources

    async def readings(self, interval: float) -> AsyncIterator[MapSample]:
        """What the test says."""
        self._sources.map_intervals.append(interval)
        if self._sources.map_sample is None:
            raise TargetError("there is no map 31, or no longer: list what there is")
        while True:
            told = self._sources.map_sample
            yield told
            if told.ended:
                return
            await self._sources.told(told)

    async def scan(self, by: str) -> Scan:
        """As if all had been read."""
        self._sources.map_scans.append(by)
        if self._sources.map_scan_fails:
            raise BpfscopeError(self._sources.map_scan_fails)
        before = self._sources.map_sample
        assert before
        found = Scan(before.time, 0.8, 10_112, by)
        self._sources.map_sample = before._replace(scan=found, complete=False)
        return found

    async def forget_scan(self) -> None:
        """The first entries again."""
        assert self._sources.map_sample
        self._sources.map_sample = self._sources.map_sample._replace(scan=None)


class FakeMaps:
    """The maps of a `sources.Sources`."""

    def __init__(self) -> None:
        self.maps_sample = MapsSample(TIME, MAPS)
        self.map_sample: MapSample | None = sample(0)
        self.map_intervals: list[float] = []
        self.opened_maps: list[int] = []
        self.map_scans: list[str] = []
        self.map_scan_fails = ""
        self.maps_refused = ""
        self.maps_hold: asyncio.Event | None = None
        super().__init__()

    async def told(self, before: object) -> None:
        """Until the test says something else."""
        while before is self.map_sample or before is self.maps_sample:  # noqa: ASYNC110 - tests set plain attributes
            await asyncio.sleep(0.002)

    async def maps(self, interval: float) -> AsyncIterator[MapsSample]:
        """All maps."""
        self.map_intervals.append(interval)
        if self.maps_hold:
            await self.maps_hold.wait()
        if self.maps_refused:
            raise BpfscopeError(self.maps_refused)
        while True:
            told = self.maps_sample
            yield told
            await self.told(told)

    def entries(self, number: int) -> FakeEntries:
        """One of them."""
        self.opened_maps.append(number)
        return FakeEntries(self)
