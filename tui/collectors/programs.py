"""The BPF programs of this machine, as samples: what each runs and takes, who holds it, where it is attached.

The kernel's statistics are on while somebody looks, and a second longer, so that going from one screen to another loses
nothing. Figures come anew with each reading. Who holds a program, and where it is attached, is looked up every ten
seconds, or when programs or links come or go: never for more than a fortieth of the time.
"""

import asyncio
import math
import os
import pwd
import threading
import time
from collections.abc import AsyncIterator, Collection
from typing import Final, NamedTuple

from tui.bpf.inventory import info, kinds
from tui.bpf.inventory.statistics import Floor, Statistics, begun
from tui.collectors import program_context
from tui.collectors.place_names import PlaceNames
from tui.collectors.program_history import ALL, GAP, Figures, History
from tui.collectors.program_samples import REPLACES, TAIL_CALLED, ProgramFigures, ProgramsSample
from tui.owner import Owner
from tui.text import sanitise

_FIRST_SECONDS: Final = 0.3  # until the second sample, the first that has rates
_LINGER: Final = 1.0  # seconds
_CONTEXT_SECONDS: Final = 10.0
_CONTEXT_SHARE: Final = 40  # times what the last look-up took, at least, until the next
_SHORTEST: Final = 0.05  # seconds between readings: over less, rates are noise


class _Reading(NamedTuple):
    """Of one program."""

    time: float  # seconds, monotonic
    program: info.Program


class Programs(Owner):
    """Reads all programs again and again; rates are those since the reading before. Statistics are on until `rest`."""

    def __init__(self, files: int = 1) -> None:
        """Functions that are probed get their names by and by, of so many files a look-up."""
        self.history = History()
        self._places, self._files = PlaceNames(), files
        self._statistics: Statistics | None = None
        self._floor = Floor(0.0, 0.0, None)
        self._before: dict[int, _Reading] = {}
        self._began: float | None = None  # when the reading before did; None: there was none, with statistics on since
        self._context = program_context.NOTHING
        self._due = math.inf  # when the context is looked up anew, by the monotonic clock
        self._earliest = 0.0
        self._users: dict[int, str] = {}
        self._last: ProgramsSample | None = None
        self._turn = threading.Lock()

    def close(self) -> None:
        """As `rest`."""
        self.rest()

    def rest(self) -> None:
        """Statistics off, until the next reading; rates begin anew with it."""
        with self._turn:
            if self._statistics:
                self._statistics.close()
            self._statistics = self._last = self._began = None
            self._before = {}

    def read(self) -> ProgramsSample:
        """All programs now. The first reading has no rates, and doesn't know who holds them.

        A reading that is younger than can have rates is given again. Safe to call from several threads. Raises
        NotPermitted, NotSupported.
        """
        with self._turn:
            if not self._last or time.monotonic() - self._last.time >= _SHORTEST:
                self._last = self._read()
            return self._last

    def _read(self) -> ProgramsSample:
        if self._statistics is None:
            if self._floor.off is None:  # not known yet, or it couldn't be
                self._statistics, self._floor = begun()
            else:
                self._statistics = Statistics()
        began = time.monotonic()
        readings = {one.id: _Reading(time.monotonic(), one) for one in info.programs()}
        self._look_around(readings)
        now = time.monotonic()
        boot = now - time.clock_gettime(time.CLOCK_BOOTTIME)  # by the monotonic clock, which sleeps with the machine
        programs = tuple(self._figures(one, boot) for one in readings.values())
        kept = {one.id: _kept(one) for one in programs if one.seconds is not None}
        if kept:
            self.history.add(now, kept | _together(kept.values()))
        self._before, self._began = readings, began
        return ProgramsSample(
            now, programs, self._floor, sum(self._context.memory.values()), self._context.complete, self.history
        )

    def _look_around(self, readings: dict[int, _Reading]) -> None:
        """Bring up to date what isn't counted: at the second reading, so that the first is there at once."""
        now = time.monotonic()
        if self._began is None:
            self._due = now
            return
        changed = readings.keys() != self._before.keys() or program_context.links() != self._context.link_numbers
        if now >= self._due or (changed and now >= self._earliest):
            programs = [one.program for one in readings.values()]
            self._context = program_context.look(programs, self._context, self._places, self._files)
            ended = time.monotonic()
            self._earliest = ended + _CONTEXT_SHARE * (ended - now)
            self._due = max(self._earliest, ended + _CONTEXT_SECONDS)

    def _figures(self, reading: _Reading, boot: float) -> ProgramFigures:
        one, context = reading.program, self._context
        age = max(0.0, reading.time - boot - one.loaded_ns / 1e9)
        before = self._before.get(one.id) or self._unborn(reading, age)
        maps = context.maps.get(one.id, ())
        holders = context.holders.programs.get(one.id, ())
        kind = kinds.program_type(one.type)
        if one.uid not in self._users:
            self._users[one.uid] = _user(one.uid)
        return ProgramFigures(
            id=one.id,
            type=kind,
            name=context.names.get(one.id, one.name),
            tag=one.tag,
            uid=one.uid,
            user=self._users[one.uid],
            age=age,
            runs=one.runs,
            run_time_ns=one.run_time_ns,
            misses=one.misses,
            seconds=reading.time - before.time if before else None,
            period_runs=one.runs - before.program.runs if before else 0,
            period_ns=one.run_time_ns - before.program.run_time_ns if before else 0,
            translated=one.translated,
            jited=one.jited,
            memory=context.charged.get(one.id, one.translated) + one.jited,
            verified=one.verified,
            maps=maps,
            maps_memory=sum(context.memory.get(number, 0) for number in maps),
            holders=holders,
            units=tuple(context.units.get(holder.pid, "") for holder in holders),
            attached=context.attached.get(one.id, ()),
            pins=context.pins.programs.get(one.id, ()),
            ours=any(holder.pid == os.getpid() for holder in holders),
            known=one.id in context.charged,
            uncounted=TAIL_CALLED if one.id in context.jumped_to else REPLACES if kind == "ext" else "",
        )

    def _unborn(self, reading: _Reading, age: float) -> _Reading | None:
        """What to compare one with that was loaded since the reading before: itself when it hadn't run."""
        if self._began is None or reading.time - age < self._began:
            return None
        return _Reading(self._began, reading.program._replace(runs=0, run_time_ns=0))


def _kept(one: ProgramFigures) -> Figures:
    average = one.period_average
    return Figures(one.per_second or 0.0, GAP if average is None else average, one.cpu_percent or 0.0)


def _together(kept: Collection[Figures]) -> dict[int, Figures]:
    if not kept:
        return {}
    return {ALL: Figures(sum(one.per_second for one in kept), GAP, sum(one.cpu_percent for one in kept))}


def _user(uid: int) -> str:
    try:
        return sanitise(pwd.getpwuid(uid).pw_name)
    except KeyError:  # of a container
        return str(uid)


class Watched:
    """The readings, for as many as look at once; when the last is gone, statistics go off."""

    def __init__(self) -> None:
        self._programs = Programs()
        self._looking = 0

    def close(self) -> None:
        """Statistics off at once."""
        self._programs.close()

    async def stream(self, interval: float) -> AsyncIterator[ProgramsSample]:
        """A sample at once, one as soon as there are rates, then one every `interval` seconds, for ever.

        Raises NotPermitted, NotSupported.
        """
        self._looking += 1
        try:
            yield await asyncio.to_thread(self._programs.read)
            await asyncio.sleep(min(_FIRST_SECONDS, interval))
            while True:
                yield await asyncio.to_thread(self._programs.read)
                await asyncio.sleep(interval)
        finally:
            self._looking -= 1
            asyncio.get_running_loop().call_later(_LINGER, self._leave)

    def _leave(self) -> None:
        if not self._looking:
            self._programs.rest()
