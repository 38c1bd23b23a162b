"""What a program of the user's own shows, as text: events in columns, maps by what grew, histograms as bars."""

import os
import time
from collections.abc import Callable, Iterator
from typing import Final

from tui import text
from tui.collectors.entries import MapSample
from tui.collectors.hints import hints
from tui.collectors.loaded import PRINTK, Event, Loaded, LoadedSample
from tui.collectors.loaded_maps import Distribution, distributions, grown, histograms, largest, powers, used
from tui.commands.running import narrate
from tui.text import sanitise

_LARGEST, _GROWN = 20, 10  # entries of a map that are printed at the end, and before
_BAR: Final = 40  # cells
_HISTOGRAMS: Final = 6  # of a map
_FEW: Final = 8  # cells that a number's column has at least


class LoadedText:
    """Writes it; what isn't data goes to standard error."""

    def __init__(self, loaded: Loaded, source: str) -> None:
        self._loaded, self._hints = loaded, hints(source)
        self._tables, self._powers = histograms(source), powers(source)
        self._columns: dict[str, dict[str, int]] = {}  # widths by member, by map
        self._titled = ""
        self._since = time.time_ns() - time.monotonic_ns()  # of the clock on the wall

    def begin(self) -> Iterator[str]:
        """Say where what runs."""
        for warning in self._loaded.warnings:
            narrate(f"{sanitise(os.path.basename(self._loaded.path))}:{warning.line}: warning: {warning.text}")
        for name, place in self._loaded.places:
            narrate(place if "__" in name else f"{name}: {place}")
        for note in self._loaded.notes:
            narrate(note)
        narrate("Ctrl-C ends it")
        yield ""

    def events(self, events: tuple[Event, ...] | list[Event]) -> Iterator[str]:
        """As they came."""
        for event in events:
            yield self._event(event)

    def _event(self, event: Event) -> str:
        moment = event.time_ns + self._since
        clock = f"{time.strftime('%H:%M:%S', time.localtime(moment // 10**9))}.{moment % 10**9 // 1000:06}"
        if not isinstance(event.value, dict):
            self._titled = ""
            thread = f"{event.tid:>7} " if event.tid else ""
            said = self._hints.line(event.value)
            return f"{clock} {thread}{said}\n" if event.table == PRINTK else f"{clock} {thread}{event.table}: {said}\n"
        widths = self._columns.setdefault(event.table, {})
        shown = {name: self._hints.shown(value, name) for name, value in event.value.items()}
        for name, said in shown.items():
            widths[name] = max(widths.get(name, 0), len(name), min(len(said), 40), _FEW if said.isdecimal() else 0)
        title = ""
        if self._titled != event.table:
            self._titled = event.table
            names = " ".join(f"{name.upper():<{widths[name]}}" for name in shown)
            title = f"{event.table.upper():<15} {names}".rstrip() + "\n"
        cells = " ".join(f"{said:<{widths[name]}}" for name, said in shown.items())
        return f"{title}{clock:<15} {cells}".rstrip() + "\n"

    def interval(self, sample: LoadedSample) -> Iterator[str]:
        """What changed."""
        yield from self._maps(sample, last=False)

    def end(self, sample: LoadedSample) -> Iterator[str]:
        """Everything, and how often the programs ran."""
        yield from self._maps(sample, last=True)
        for program in sample.programs:
            mean = f", {text.duration(program.run_time_ns / program.runs)} each" if program.runs else ""
            missed = f"; {program.misses:,} passed over, since one ran on that CPU already" if program.misses else ""
            narrate(f"{program.name} ran {program.runs:,} time{'' if program.runs == 1 else 's'}{mean}{missed}")
        lost = f", {sample.lost:,} lost" if sample.lost else ""
        if sample.seen or lost:
            narrate(f"{text.plural(sample.seen, 'event')} in {sample.elapsed:.1f} s{lost}")
        if sample.ended:
            narrate(sample.ended)

    def _maps(self, sample: LoadedSample, *, last: bool) -> Iterator[str]:
        parts: list[str] = []
        for name, one in zip(sample.names, sample.maps, strict=True):
            if name in self._hints.hidden:
                continue
            if name in self._tables:
                made = distributions(one, self._hints, self._powers.get(name))
                for each in made[:_HISTOGRAMS]:
                    parts += self._histogram(name, each)
                continue
            entries = largest(used(one), _LARGEST) if last else grown(one.entries, _GROWN)
            more = "" if last else ", what grew most"
            if entries:
                shown = f"{len(entries)} of " if last and len(entries) < len(used(one)) else ""
                parts.append(f"{name}: {shown}{_entries(one)}{more}\n")
            for entry in entries:
                key = "" if entry.key is None else f"{self._hints.line(entry.key)}: "
                change = f"  +{entry.delta:,}" if isinstance(entry.delta, int) and not last and not entry.new else ""
                parts.append(f"  {key}{self._hints.line(entry.value)}{change}\n")
        if parts:
            self._titled = ""
            yield f"{sample.elapsed:.1f} s\n{''.join(parts)}\n"

    def _histogram(self, name: str, one: Distribution) -> Iterator[str]:
        unit = self._hints.unit(name)
        most = max(count for *_, count in one.bars)
        yield f"{name}{f' of {one.label}' if one.label else ''}: {one.total:,}\n"
        bounds = [_bounds(unit, low, high) for low, high, _ in one.bars]
        width = max(map(len, bounds))
        for said, (_, _, count) in zip(bounds, one.bars, strict=True):
            yield f"  {said:>{width}} {count:>10,} {text.bar(count / most, _BAR)}".rstrip() + "\n"


def _bounds(unit: Callable[[int], str], low: int, high: int) -> str:
    """Whole numbers by the first and the last, measures by where they begin and where the next do."""
    return text.span(low, high, unit) if unit is text.count or high - low == 1 else f"{unit(low)} – {unit(high)}"


def _entries(one: MapSample) -> str:
    """12 entries, 10,000 entries and more."""
    number = len(used(one))
    return f"{number:,} entr{'y' if number == 1 else 'ies'}{'' if one.complete else ' and more'}"
