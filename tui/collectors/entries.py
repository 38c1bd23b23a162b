"""One map's entries, decoded, with what changed since the reading before.

A reading takes at most 10,000 entries. Of a larger map everything is read only on request (`scan`): what is largest by
one figure is kept, and these entries are read from then on. The map is opened anew for each reading, so that looking at
it doesn't keep it alive; once it is gone, the last sample says so.
"""

import threading
import time
from collections.abc import Iterator
from heapq import nlargest
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.bpf.btf.decoder import Value
from tui.bpf.inventory import contents, info, kinds
from tui.bpf.inventory.contents import Ring
from tui.bpf.inventory.holders import Holder
from tui.bpf.inventory.info import Map
from tui.bpf.objects import refusal
from tui.collectors.map_layout import Layout, layout, with_text_keys
from tui.collectors.map_values import change, field, fields, is_number, summed
from tui.collectors.maps import User
from tui.errors import TargetError

_ORDERED: Final = (kernel.MAP_TYPE_LPM_TRIE, kernel.MAP_TYPE_PROG_ARRAY, *contents.ARRAYS)
KEPT: Final = 1_000  # entries of a full reading that are read again and again


class Entry(NamedTuple):
    """An entry, decoded."""

    raw: bytes  # the key
    data: bytes  # the value, of all CPUs
    key: Value  # None of a queue or stack
    value: Value  # of a per-CPU map all CPUs' together
    cpus: tuple[Value, ...] = ()  # of a per-CPU map each CPU's, in the order of `contents.cpus()`
    before: Value = None  # the value at the reading before, if it was another one
    new: bool = False  # it wasn't there at the reading before

    @property
    def changed(self) -> bool:
        """Whether it came or became another since the reading before."""
        return self.new or self.before is not None

    @property
    def delta(self) -> Value:
        """How much its numbers grew since the reading before, in the value's shape; None where nothing changed."""
        if self.before is None:
            return change(self.value, _nought(self.value)) if self.new else None
        return change(self.value, self.before)

    def grown(self, path: str) -> int:
        """The same of the number at a path."""
        if not self.changed:
            return 0
        now, before = field(self.value, path), field(self.before, path)
        if not isinstance(now, int):
            return 0
        return now - before if isinstance(before, int) else now if self.new else 0


class Scan(NamedTuple):
    """What reading all of a map found."""

    time: float  # when it was done, monotonic
    seconds: float  # that it took
    entries: int
    by: str  # the path of the figure by which the largest were kept; "" where the value is it itself


class MapSample(NamedTuple):
    """A reading of one map."""

    time: float  # monotonic
    seconds: float  # since the reading before; 0 of the first
    map: Map
    layout: Layout
    entries: tuple[Entry, ...] = ()
    complete: bool = True  # otherwise the map has more entries than were read
    note: str = ""  # why it can't be read, or what to know of it
    memory: int = 0  # bytes
    ring: Ring | None = None  # of a ring buffer
    scan: Scan | None = None  # of which these entries are the largest
    gone: int = 0  # entries that were there at the reading before, of those that were read whole
    users: tuple[User, ...] = ()  # programs
    holders: tuple[Holder, ...] = ()
    ended: str = ""  # the map is no longer there: these are the last entries seen

    @property
    def type(self) -> str:
        """As bpftool has it: "lpm_trie"."""
        return kinds.map_type(self.map.type)

    @property
    def ordered(self) -> bool:
        """Whether its keys say more than any order by figures: arrays, prefixes."""
        return self.map.type in _ORDERED

    @property
    def cpus(self) -> tuple[int, ...]:
        """The CPUs whose values entries have; () where the map isn't per CPU."""
        return contents.cpus() if self.layout.per_cpu else ()


class Entries:
    """Reads one map again and again. Safe to use from several threads."""

    def __init__(self, number: int) -> None:
        """Of the map with this number. Raises TargetError, NotPermitted."""
        self._number = number
        with info.map_of(number) as fd:
            self.map = Map.of(fd)
        self.layout = layout(self.map)
        self._known: dict[bytes, Entry] = {}
        self._last: MapSample | None = None
        self._scan: Scan | None = None
        self._keys: list[bytes] = []  # those that a full reading kept
        self._turn = threading.Lock()

    def read(self, most: int = contents.MOST) -> MapSample:
        """The entries now. Raises NotPermitted, NotSupported."""
        with self._turn:
            now = time.monotonic()
            try:
                with info.map_of(self._number) as fd:
                    self._last = self._read(fd, now, most)
            except TargetError:
                ended = f"map {self._number} is gone: nobody holds it any more"
                last = self._last or MapSample(now, 0.0, self.map, self.layout)
                entries = tuple(entry._replace(before=None, new=False) for entry in last.entries)
                self._last = last._replace(time=now, seconds=0.0, entries=entries, gone=0, ended=ended)
            except OSError as error:
                raise refusal(error, f"read map {self._number}") from None
            return self._last

    def decoded(self, key: bytes, data: bytes) -> Entry:
        """An entry that was read otherwise."""
        return self._decoded(key, data, None, new=False)

    def scan(self, by: str) -> Scan:
        """Reads all of the map, keeps the largest by the figure at this path. Raises TargetError, NotPermitted, …"""
        start, number = time.monotonic(), 0

        def figures() -> Iterator[tuple[float, bytes]]:
            nonlocal number
            try:
                with info.map_of(self._number) as fd:
                    for portion in contents.portions(fd, self.map):
                        number += len(portion)
                        for key, value in portion:
                            figure = field(summed(self.layout.values(self.map, value)), by)
                            yield (figure if isinstance(figure, int | float) else 0), key
            except OSError as error:
                raise refusal(error, f"read map {self._number}") from None

        found = nlargest(KEPT, figures())
        with self._turn:
            end = time.monotonic()
            kept = {key: self._known.get(key) for _, key in found}
            self._known = {key: known for key, known in kept.items() if known}
            self._keys = list(kept)
            self._scan = Scan(end, end - start, number, by)
            return self._scan

    def forget_scan(self) -> None:
        """Read the first entries again."""
        with self._turn:
            self._scan = None

    def _read(self, fd: int, now: float, most: int) -> MapSample:
        before = self._last
        sample = MapSample(now, now - before.time if before else 0.0, self.map, self.layout)
        sample = sample._replace(memory=contents.memory(fd), scan=self._scan)
        if self.map.type in contents.RINGS:
            return sample._replace(ring=contents.ring(fd), note="others' events stay unread: only positions are shown")
        if self._scan:
            found = self._looked_up(fd)
            read = contents.Contents(found, complete=self._scan.entries <= len(found))
        else:
            read = contents.contents(fd, self.map, most)
        sample = sample._replace(layout=self._look(read.entries))
        known = self._known
        whole = before is not None and before.complete and not before.note
        self._known = {key: self._decoded(key, value, known.get(key), new=whole) for key, value in read.entries}
        entries = tuple(self._known.values())
        gone = sum(key not in self._known for key in known) if read.complete and whole else 0
        return sample._replace(entries=entries, complete=read.complete, note=read.note, gone=gone)

    def _look(self, entries: list[tuple[bytes, bytes]]) -> Layout:
        """The layout, which may depend on what keys there are."""
        found = with_text_keys(self.layout, (key for key, _ in entries))
        if found is not self.layout:
            self.layout = found
            self._known = {key: entry._replace(key=found.key(key)) for key, entry in self._known.items()}
        return found

    def _looked_up(self, fd: int) -> list[tuple[bytes, bytes]]:
        """The entries that a full reading kept, those of them that are still there."""
        size = contents.value_bytes(self.map)
        found = ((key, kernel.map_lookup(fd, key, size)) for key in self._keys)
        return [(key, value) for key, value in found if value is not None]

    def _decoded(self, key: bytes, data: bytes, before: Entry | None, *, new: bool) -> Entry:
        """Only what changed is decoded anew. `new`: an entry that wasn't there before was added since."""
        if before is not None and before.data == data:
            return before._replace(before=None, new=False) if before.changed else before
        values = self.layout.values(self.map, data)
        total, cpus = summed(values), values if self.layout.per_cpu else ()
        if before is not None:
            return Entry(key, data, before.key, total, cpus, before.value)
        shown = self.layout.key(key) if key else None
        return Entry(key, data, shown, total, cpus, None, new)


def _nought(value: Value) -> Value:
    """The same with noughts for numbers: what an entry that is new has grown from."""
    if isinstance(value, dict):
        return {name: _nought(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_nought(element) for element in value]
    return 0 if isinstance(value, int) else value


def since(first: MapSample, last: MapSample) -> MapSample:
    """The last reading, with what changed since the first instead of since the one before."""
    known = {entry.raw: entry for entry in first.entries}
    whole = first.complete and not first.note
    entries = tuple(_compared(entry, known.get(entry.raw), new=whole) for entry in last.entries)
    gone = len(known.keys() - {entry.raw for entry in entries}) if whole and last.complete else 0
    return last._replace(seconds=last.time - first.time, entries=entries, gone=gone)


def _compared(entry: Entry, before: Entry | None, *, new: bool) -> Entry:
    if before is None:
        return entry._replace(before=None, new=new)
    return entry._replace(before=None if before.data == entry.data else before.value, new=False)


def figures(sample: MapSample) -> tuple[str, ...]:
    """The paths of the numbers that entries of this map have, as far as the first ones show."""
    paths: dict[str, None] = {}
    for entry in sample.entries[:20]:
        paths |= dict.fromkeys(path for path, value in fields(entry.value) if is_number(value))
    return tuple(paths)
