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
from tui.bpf.inventory import contents, info
from tui.bpf.inventory.contents import Ring
from tui.bpf.inventory.info import Map
from tui.bpf.objects import refusal
from tui.collectors.map_layout import Layout, layout
from tui.collectors.map_values import change, field, fields, is_number, summed
from tui.errors import TargetError

KEPT: Final = 1_000  # entries of a full reading that are read again and again


class Entry(NamedTuple):
    """An entry, decoded."""

    raw: bytes  # the key
    key: Value  # None of a queue or stack
    value: Value  # of a per-CPU map all CPUs' together
    cpus: tuple[Value, ...] = ()  # of a per-CPU map each CPU's, in the order of `contents.cpus()`
    delta: Value = None  # how much its numbers grew since the reading before, in the value's shape
    new: bool = False  # it wasn't there at the reading before


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
    ended: str = ""  # the map is no longer there: these are the last entries seen


class _Known(NamedTuple):
    """An entry as it was read last."""

    value: bytes
    entry: Entry


class Entries:
    """Reads one map again and again. Safe to use from several threads."""

    def __init__(self, number: int) -> None:
        """Of the map with this number. Raises TargetError, NotPermitted."""
        self._number = number
        with info.map_of(number) as fd:
            self.map = Map.of(fd)
        self.layout = layout(self.map)
        self._known: dict[bytes, _Known] = {}
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
                blank = MapSample(now, 0.0, self.map, self.layout)
                self._last = (self._last or blank)._replace(time=now, seconds=0.0, ended=ended)
            except OSError as error:
                raise refusal(error, f"read map {self._number}") from None
            return self._last

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
        known = self._known
        whole = before is not None and before.complete and not before.note
        self._known = {key: self._decoded(key, value, known.get(key), new=whole) for key, value in read.entries}
        entries = tuple(one.entry for one in self._known.values())
        gone = sum(key not in self._known for key in known) if read.complete and whole else 0
        return sample._replace(entries=entries, complete=read.complete, note=read.note, gone=gone)

    def _looked_up(self, fd: int) -> list[tuple[bytes, bytes]]:
        """The entries that a full reading kept, those of them that are still there."""
        size = contents.value_bytes(self.map)
        found = ((key, kernel.map_lookup(fd, key, size)) for key in self._keys)
        return [(key, value) for key, value in found if value is not None]

    def _decoded(self, key: bytes, value: bytes, before: _Known | None, *, new: bool) -> _Known:
        """Only what changed is decoded anew."""
        if before is None:
            values = self.layout.values(self.map, value)
            shown = self.layout.key(key) if key else None
            total = summed(values)
            delta = change(total, _nought(total)) if new else None
            return _Known(value, Entry(key, shown, total, values if self.layout.per_cpu else (), delta, new))
        if before.value == value:
            entry = before.entry
            if entry.delta is not None or entry.new:
                entry = entry._replace(delta=None, new=False)
                return _Known(value, entry)
            return before
        values = self.layout.values(self.map, value)
        total = summed(values)
        delta = change(total, before.entry.value)
        entry = Entry(key, before.entry.key, total, values if self.layout.per_cpu else (), delta)
        return _Known(value, entry)


def _nought(value: Value) -> Value:
    """The same with noughts for numbers: what an entry that is new has grown from."""
    if isinstance(value, dict):
        return {name: _nought(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_nought(element) for element in value]
    return 0 if isinstance(value, int) else value


def figures(sample: MapSample) -> tuple[str, ...]:
    """The paths of the numbers that entries of this map have, as far as the first ones show."""
    paths: dict[str, None] = {}
    for entry in sample.entries[:20]:
        paths |= dict.fromkeys(path for path, value in fields(entry.value) if is_number(value))
    return tuple(paths)
