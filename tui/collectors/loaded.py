"""A C program of the user's own while it runs: its maps, decoded, and the events that it sends.

    with Loaded(request) as loaded:
        loaded.notes, loaded.read()

Events come through BPF_PERF_OUTPUT and BPF_RINGBUF_OUTPUT, decoded by the types that the source sends; and as text
through bpf_trace_printk, which all programs of the machine share.
"""

import os
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, NamedTuple

from tui.bpf import kernel
from tui.bpf.btf.decoder import Octets, Value
from tui.bpf.inventory.info import Map, Program
from tui.bpf.inventory.statistics import Statistics
from tui.bpf.loading import attaching
from tui.bpf.loading.module import Ending, LoadedMap, Module
from tui.bpf.loading.places import UPROBES, Place, chosen
from tui.bpf.loading.preparing import ready
from tui.bpf.loading.problems import SourceError
from tui.bpf.loading.source import LOST, PRINTED, PRINTER, TYPE_OF, has_floats
from tui.bpf.objects import refusal
from tui.bpf.perf_ring import OUTPUT, SOFTWARE, PerfRings
from tui.bpf.ring import Ring
from tui.collectors.entries import Entries, MapSample
from tui.collectors.hints import hints
from tui.collectors.load_request import Request
from tui.collectors.map_layout import Decode, layout
from tui.collectors.usdt_readers import readers
from tui.collectors.user_probes import UserProbe, attach_type
from tui.errors import BpfscopeError, UsageError
from tui.owner import Owner
from tui.text import sanitise

if TYPE_CHECKING:
    from tui.bpf.loading.attaching import Placed
    from tui.bpf.loading.problems import Problem

PRINTK: Final = "bpf_trace_printk"
MOST: Final = 10_000  # events taken at a reading, of each map (and of each CPU)
_EVENTS: Final = (kernel.MAP_TYPE_PERF_EVENT_ARRAY, kernel.MAP_TYPE_RINGBUF)
_LINE: Final = struct.Struct("=QII240s")  # what the program of ours that sees bpf_trace_printk puts out


class Event(NamedTuple):
    """Something that a program has sent."""

    time_ns: int  # of CLOCK_MONOTONIC; of ring buffers whose events don't tell, when it was read
    table: str  # the map through which it came; bpf_trace_printk
    value: Value
    pid: int = 0  # the process and thread that ran; 0 where that isn't known
    tid: int = 0


class LoadedProgram(NamedTuple):
    """One of the source's functions."""

    name: str
    id: int  # the program's number
    place: str  # tracepoint:sched:sched_switch
    instructions: int
    runs: int = 0  # since it was attached
    run_time_ns: int = 0
    misses: int = 0  # runs that were passed over, since one ran on that CPU already


class LoadedSample(NamedTuple):
    """A reading."""

    time: float  # monotonic
    elapsed: float  # seconds since everything was attached
    programs: tuple[LoadedProgram, ...]
    names: tuple[str, ...]  # of the maps, as the source has them
    maps: tuple[MapSample, ...]
    events: tuple[Event, ...] = ()  # since the reading before
    seen: int = 0  # events since the start
    lost: int = 0  # events that found no room in a buffer
    ended: str = ""  # why nothing more is to be expected


class _Sizes(NamedTuple):
    """How to decode events of a map, by their sizes."""

    decode: Mapping[int, Mapping[str, Decode]]  # by the names of types

    def read(self, data: bytes) -> Value:
        """Of the type that fits; of several as all of them. perf pads samples, so that they may be longer."""
        size = max((each for each in self.decode if each <= len(data) < each + 8), default=-1)
        if size < 0:
            return _plain(data)
        types = self.decode[size]
        if len(types) > 1:
            return {f"{name}?": decode(data[:size]) for name, decode in types.items()}
        (decode,) = types.values()
        return decode(data[:size])


def _sizes(types: Sequence[LoadedMap]) -> _Sizes:
    """Of maps whose values are of the events' types."""
    found: dict[int, dict[str, Decode]] = {}
    for each in types:
        made = layout(Map.of(each.fd))
        found.setdefault(each.value_size, {})[made.value_type] = made.value
    return _Sizes(found)


class Loaded(Owner):
    """Owns everything of one source; leaving it takes its programs off, and the kernel forgets them."""

    def __init__(self, request: Request, ending: Ending | None = None) -> None:
        """Compiles, loads and attaches. Raises SourceError and whatever else BpfscopeError is.

        `ending` lets another thread end the compilation.
        """
        self.path, self.source = request.path, request.source
        self.notes: list[str] = []
        self._owned = ExitStack()
        self._printed: Ring | None = None
        self._placed: list[Placed] = []
        self._seen = 0
        self._moment = hints(self.source).moment
        for place in request.hooks.values():
            attaching.check(place)
        try:
            self._module = self._owned.enter_context(self._compiled(readers(self.source, request.hooks), ending))
            self.warnings: tuple[Problem, ...] = self._module.warnings
            functions = [name for name in self._module.functions if name != PRINTER or not self._prints]
            self._places = chosen(functions, self.source, request.hooks, request.only, request.target)
            if request.target and not any(place.target == request.target for place in self._places.values()):
                raise UsageError(
                    f"nothing here runs at {sanitise(request.target)}: an interface or a cgroup is named for hooks that"
                    " see packets (socket, tcx-ingress, tcx-egress, xdp, cgroup)"
                )
            self._load()
            self._open_events()
            self._owned.enter_context(Statistics())
            self._entries = [(each.name, Entries(Map.of(each.fd).id)) for each in self._tables()]
            self._attach()
        except OSError as error:
            self.close()
            raise refusal(error, f"run {sanitise(os.path.basename(self.path))}") from None
        except BaseException:
            self.close()
            raise
        self._started = time.monotonic()

    def _compiled(self, more: Sequence[str], ending: Ending | None) -> Module:
        if not has_floats(self.source):
            return Module(ready(self.source, self.path, more), ending)
        try:
            return Module(ready(self.source, self.path, more, floats=True), ending)
        except SourceError:  # it calculates with them: what is wrong then is said of the source as it stands
            module = Module(ready(self.source, self.path, more), ending)
        self.notes.append(
            "no map and no event can be shown by its types: libbcc describes none where a source calculates with float"
            " or double"
        )
        return module

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """The functions, and where they run."""
        return tuple((name, sanitise(place.text)) for name, place in self._places.items())

    @property
    def elapsed(self) -> float:
        """Seconds since everything was attached."""
        return time.monotonic() - self._started

    def _load(self) -> None:
        self._probes: dict[str, UserProbe] = {}
        kinds: dict[str, tuple[int, int]] = {}
        for name, place in self._places.items():
            attaching.check(place)
            if place.kind in UPROBES:
                self._probes[name] = self._owned.enter_context(UserProbe(place))
                kinds[name] = place.program_type, attach_type()
            else:
                kinds[name] = place.program_type, kernel.ATTACH_XDP if place.kind == "xdp" else 0
        if self._prints:
            kinds[PRINTER] = kernel.PROG_TYPE_RAW_TRACEPOINT, 0
        self._module.load(kinds)

    @property
    def _prints(self) -> bool:
        """Whether a program of ours is among them, which sees what the others print."""
        return PRINTED in self._module.tables and PRINTER in self._module.functions

    def _tables(self) -> Iterator[LoadedMap]:
        """The maps that hold something to look at."""
        for each in self._module.maps:
            if each.kind not in _EVENTS and each.name != LOST and not each.name.startswith(TYPE_OF):
                yield each

    def _open_events(self) -> None:
        """Before anything is attached, so that nothing is missed."""
        maps = {each.name: each for each in self._module.maps}
        self._perf: list[tuple[str, PerfRings, _Sizes]] = []
        self._rings: list[tuple[str, Ring, _Sizes]] = []
        for each in maps.values():
            types = [maps[name] for name in self._module.prepared.events.get(each.name, ()) if name in maps]
            sizes = _sizes(types)
            if each.kind == kernel.MAP_TYPE_PERF_EVENT_ARRAY:
                rings = self._owned.enter_context(PerfRings(SOFTWARE, OUTPUT, table=each.fd))
                self._perf.append((each.name, rings, sizes))
            elif each.kind == kernel.MAP_TYPE_RINGBUF:
                ring = self._owned.enter_context(Ring(each.fd, each.entries))
                if each.name == PRINTED:
                    self._printed = ring
                else:
                    self._rings.append((each.name, ring, sizes))

    def _attach(self) -> None:
        if self._prints:
            try:
                place = Place("raw", "", PRINTK)
                self._owned.enter_context(attaching.attach(place, self._module.programs[PRINTER]))
            except BpfscopeError:
                self.notes.append(f"what {PRINTK} says is only in /sys/kernel/tracing/trace_pipe before Linux 5.9")
        for name, place in self._places.items():
            program = self._module.programs[name]
            if name in self._probes:
                self._probes[name].attach(program)
                placed: Placed = self._probes[name]
            else:
                placed = self._owned.enter_context(attaching.attach(place, program))
            self._placed.append(placed)
            self.notes += [f"{name}: {note}" for note in placed.notes]

    def read(self, most: int = MOST) -> LoadedSample:
        """Everything now. Raises NotPermitted, NotSupported."""
        events = self.events(most)
        now = time.monotonic()
        maps = tuple(entries.read() for _, entries in self._entries)
        ended = next((f"{each.place.text} has gone" for each in self._placed if each.gone()), "")
        return LoadedSample(
            now,
            self.elapsed,
            tuple(self._programs()),
            tuple(name for name, _ in self._entries),
            maps,
            tuple(events),
            self._seen,
            self._lost(),
            sanitise(ended),
        )

    def _lost(self) -> int:
        """Events that found no room in any buffer, and lines that the program of ours wasn't run for."""
        number = sum(rings.lost for _, rings, _ in self._perf)
        for each in self._module.maps:
            if each.name == LOST:
                found = kernel.map_lookup(each.fd, bytes(each.key_size), each.value_size)
                number += int.from_bytes(found or b"", "little")
        return number + (Program.of(self._module.programs[PRINTER]).misses if self._prints else 0)

    def rest(self) -> Iterator[list[Event]]:
        """What is still in the buffers, once the programs have been taken off: that ends."""
        while events := self.events():
            yield events

    def events(self, most: int = MOST) -> list[Event]:
        """What has been sent since the last time, in the order of time."""
        found = [*self._perf_events(most), *self._ring_events(most), *self._lines(most)]
        self._seen += len(found)
        if self._moment:
            found = [self._timed(each) for each in found]
        return sorted(found, key=lambda each: each.time_ns)

    def _timed(self, event: Event) -> Event:
        """With the time that the event itself tells."""
        if not isinstance(event.value, dict) or not isinstance(moment := event.value.get(self._moment), int):
            return event
        rest: Value = {name: value for name, value in event.value.items() if name != self._moment}
        return event._replace(time_ns=moment, value=rest)

    def _perf_events(self, most: int) -> Iterator[Event]:
        for name, rings, sizes in self._perf:
            for sample in rings.samples(most):
                yield Event(sample.time, name, sizes.read(sample.data), sample.pid, sample.tid)

    def _ring_events(self, most: int) -> Iterator[Event]:
        for name, ring, sizes in self._rings:
            for record in ring.records(most):
                yield Event(time.monotonic_ns(), name, sizes.read(record))

    def _lines(self, most: int) -> Iterator[Event]:
        for record in self._printed.records(most) if self._printed else ():
            moment, tid, pid, line = _LINE.unpack(record[: _LINE.size])
            said = line.split(b"\0")[0].rstrip(b"\n").decode("utf-8", "replace")
            yield Event(moment, PRINTK, sanitise(said), pid, tid)

    def _programs(self) -> Iterator[LoadedProgram]:
        for name, place in self._places.items():
            program = Program.of(self._module.programs[name])
            size = self._module.sizes[name]
            where, misses = sanitise(place.text), program.misses
            yield LoadedProgram(name, program.id, where, size, program.runs, program.run_time_ns, misses)

    def detach(self) -> None:
        """Takes the programs off; maps and events can still be read."""
        while self._placed:
            self._placed.pop().close()

    def close(self) -> None:
        """Gives everything back; a second time is harmless."""
        self.detach()
        self._owned.close()


def _plain(data: bytes) -> Value:
    """An event of a type that the source doesn't say plainly: a text if it looks like one, otherwise bytes."""
    said = data.split(b"\0")[0]
    if len(said) > 1 and said.isascii() and said.decode("ascii").isprintable():
        return said.decode("ascii")
    return Octets(data)
