"""Samples as plain dictionaries with the field names of the command line, and JSON one object a line."""

import json
import math
from collections.abc import Iterable
from typing import Any, TextIO

from tui.collectors.beginnings import is_whole
from tui.collectors.samples import (
    Cost,
    CountsSample,
    Event,
    EventsSample,
    FilterFigures,
    HotSample,
    Latency,
    LatencySample,
    PacketsSample,
    Process,
    Read,
    StacksSample,
    ValuesSample,
)
from tui.elf.names import Function, Skipped

Row = dict[str, Any]


def process(row: Process) -> Row:
    """A row of `ps`."""
    return {
        "pid": row.pid,
        "name": row.name,
        "user": row.user,
        "cpu_percent": round(row.cpu_percent, 2),
        "rss_bytes": row.rss_bytes,
        "language": row.language,
        "unit": row.unit or None,
        "deleted": row.deleted,
        "command": row.command,
    }


def function(row: Function) -> Row:
    """A row of `symbols`."""
    return {
        "module": row.module,
        "function": row.name,
        "raw_name": row.raw_name,
        "address": row.address,
        "size": row.size,
        "origin": row.origin,
        "aliases": row.aliases,
        "unprobeable": row.unprobeable or None,
        "returns": row.returns or None,
    }


def hot(row: Function, sample: HotSample) -> Row:
    """The same, with the samples in it, and their share of all: of the target's CPU time; null where nothing ran."""
    percent = round(100 * sample.ticks(row) / sample.total, 2) if sample.total else None
    return function(row) | {"cpu_percent": percent, "samples": sample.ticks(row)}


def skipped(rows: Iterable[Skipped]) -> list[Row]:
    """Functions that are not probed, with the reason."""
    return [_reasoned(*row) for row in rows]


def _reasoned(function: Function, reason: str) -> Row:
    return {"module": function.module, "function": function.name, "reason": reason}


def counts(sample: CountsSample) -> Row:
    """Totals since the start, of an interval or a summary."""
    functions = [
        _function(function) | {"calls": calls} for function, calls in zip(sample.functions, sample.calls, strict=True)
    ]
    return {
        "elapsed_ns": int(sample.elapsed * 1e9),
        "functions": functions,
        "lost": sample.lost,
        "ended": sample.ended or None,
    } | cost(sample.cost)


def cost(of: Cost) -> Row:
    """What the probes cost, and what was taken off because of that."""
    return {
        "cost_percent": round(of.percent, 2),
        "cost_cpu_percent": round(of.cpu_percent, 2),
        "budget_percent": of.limit,
        "suspended": [_reasoned(one.function, one.reason) | {"after_ns": int(one.after * 1e9)} for one in of.suspended],
    }


def latencies(sample: LatencySample) -> Row:
    """Durations since the start, of an interval or a summary."""
    nothing: list[Row] = [{}] * len(sample.latencies)
    groups = [{"group": group or None} for group in sample.groups] or nothing
    return {
        "elapsed_ns": int(sample.elapsed * 1e9),
        "functions": [
            _function(function) | group | latency(figures)
            for function, group, figures in zip(sample.functions, groups, sample.latencies, strict=True)
        ],
        "lost": sample.lost,
        "ended": sample.ended or None,
    } | cost(sample.cost)


def latency(figures: Latency) -> Row:
    """One function's durations; what can't be known without a return is null."""
    from tui.collectors import histogram  # not on the way to a count

    p50, p90, p99 = histogram.percentiles(figures.buckets, (0.5, 0.9, 0.99), figures.min_ns, figures.max_ns)
    known = figures.returns > 0
    return {
        "calls": figures.calls,
        "returns": figures.returns,
        "unmatched": figures.unmatched,
        "in_flight": figures.in_flight,
        "untimed": figures.untimed,
        "min_ns": figures.min_ns if known else None,
        "max_ns": figures.max_ns if known else None,
        "total_ns": figures.total_ns,
        "self_ns": figures.self_ns,
        "probe_ns": figures.probe_ns,
        "total_probe_ns": figures.total_probe_ns,
        "strays": figures.strays,
        "mixed": figures.mixed,
        "floor_ns": figures.floor_ns,
        "p50_ns": p50 if known else None,
        "p90_ns": p90 if known else None,
        "p99_ns": p99 if known else None,
        "buckets": histogram.filled(figures.buckets),
    }


def stacks(sample: StacksSample) -> Row:
    """Stacks since the start, of an interval or a summary: the most frequent first, in each the root."""
    ordered = sorted(sample.stacks, key=lambda stack: (-stack.calls, stack.frames, stack.cut))
    return {
        "elapsed_ns": int(sample.elapsed * 1e9),
        "stacks": [
            {
                "frames": [frame.name for frame in stack.frames],
                "modules": [frame.module for frame in stack.frames],
                "count": stack.calls,
            }
            | ({"cut": True} if stack.cut else {} if is_whole(stack) else {"early": True})
            for stack in ordered
        ],
        "calls": sample.calls,
        "lost": sample.lost,
        "ended": sample.ended or None,
    } | cost(sample.cost)


def values(sample: ValuesSample) -> Row:
    """What a function was called with since the start, most often first, of an interval or a summary."""
    from tui.collectors.decoding import by_frequency  # not on the way to a count

    return {
        "elapsed_ns": int(sample.elapsed * 1e9),
        **_function(sample.function),
        "values": [
            {"args": _named(zip(sample.names, row.values, strict=True)), "count": row.calls}
            for row in by_frequency(sample.rows)
        ],
        "calls": sample.calls,
        "unmatched": sample.unmatched,
        "lost": sample.lost,
        "ended": sample.ended or None,
    } | cost(sample.cost)


def event(event: Event) -> Row:
    """A call; what isn't known of it is null. Several results are an object by their names."""
    results = _named(event.results)
    return {
        "time_ns": event.start_ns,
        "pid": event.pid,
        "tid": event.tid,
        "comm": event.comm,
        "goroutine": event.goroutine or None,
        "function": event.function.name,
        "module": event.function.module,
        "args": _named(event.arguments),
        "return": results if len(results) > 1 else next(iter(results.values()), None),
        "duration_ns": event.duration_ns,
    }


def events(sample: EventsSample) -> Row:
    """What became of the calls since the start."""
    return {
        "elapsed_ns": int(sample.elapsed * 1e9),
        "events": sample.seen,
        "dropped": sample.dropped,
        "unmatched": sample.unmatched,
        "lost": sample.lost,
        "calls": sample.calls,
        "ended": sample.ended or None,
    } | cost(sample.cost)


def packets(sample: PacketsSample) -> Row:
    """What the filters saw since the start, of an interval or a summary."""
    return {
        "elapsed_ns": int(sample.elapsed * 1e9),
        "filters": [_filter(figures) for figures in sample.filters],
        "ended": sample.ended or None,
    }


def _filter(figures: FilterFigures) -> Row:
    row = figures._asdict() | {"groups": [group._asdict() for group in figures.groups]}
    others = {"packets": figures.others.packets, "bytes": figures.others.bytes}
    return row | {"others": others, "by": figures.by or None, "hits": list(figures.hits)}


def _named(pairs: Iterable[tuple[str, Read]]) -> Row:
    """Values by name; JSON has no word for what isn't finite, so that is text."""
    return {name: str(read) if isinstance(read, float) and not math.isfinite(read) else read for name, read in pairs}


def _function(function: Function) -> Row:
    return {
        "module": function.module,
        "function": function.name,
        "raw_name": function.raw_name,
        "address": function.address,
    }


def line(row: Row) -> str:
    """One object on a line of its own."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def write(row: Row, file: TextIO) -> None:
    """One line, at once."""
    file.write(line(row))
    file.flush()
