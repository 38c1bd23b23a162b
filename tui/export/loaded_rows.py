"""What programs of the user's own say, as plain dictionaries, with the field names of `bpfscope load --json`."""

from collections.abc import Mapping
from typing import Any

from tui.collectors.entries import MapSample
from tui.collectors.hints import Hints
from tui.collectors.loaded import Event, LoadedProgram, LoadedSample
from tui.collectors.loaded_maps import distributions
from tui.export import map_rows

Row = dict[str, Any]


def program(one: LoadedProgram) -> Row:
    """A function, where it runs, and how often and how long it ran."""
    return {
        "function": one.name,
        "program": one.id,
        "hook": one.place,
        "instructions": one.instructions,
        "runs": one.runs,
        "run_time_ns": one.run_time_ns,
        "misses": one.misses,
    }


def event(one: Event, hints: Hints) -> Row:
    """Something that a program sent."""
    thread = {"pid": one.pid, "tid": one.tid} if one.tid or one.pid else {}
    return {"time_ns": one.time_ns, "map": one.table, **thread, "value": hints.named(one.value)}


def sample(one: LoadedSample, hints: Hints, shifts: Mapping[str, int | None]) -> Row:
    """An interval or the summary: totals since the start. `shifts`: of each histogram, as `powers` has them."""
    return {
        "elapsed_ns": round(one.elapsed * 1e9),
        "programs": [program(each) for each in one.programs],
        "maps": [
            _map(name, each, hints, shifts)
            for name, each in zip(one.names, one.maps, strict=True)
            if name not in hints.hidden
        ],
        "events": one.seen,
        "lost": one.lost,
        "ended": one.ended or None,
    }


def _map(name: str, one: MapSample, hints: Hints, shifts: Mapping[str, int | None]) -> Row:
    row: Row = {"name": name, "id": one.map.id, "complete": one.complete, "note": one.note or None}
    if name in shifts:
        row["histograms"] = [
            {"key": each.label or None, "buckets": [list(bar) for bar in each.bars]}
            for each in distributions(one, hints, shifts[name])
        ]
        return row
    entries = [map_rows.entry(each, one.layout) for each in one.entries]
    row["entries"] = [each | {"key": hints.named(each["key"]), "value": hints.named(each["value"])} for each in entries]
    return row
