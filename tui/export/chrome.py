"""Events as a trace for Perfetto, chrome://tracing and others: JSON, written as it comes.

The format is Chrome's "Trace Event Format": an array of events, whose end may be missing, so that what an interrupted
run leaves can be loaded. Times are microseconds with three decimals, from the start of the trace. There is a track for
each thread, in Go for each goroutine; calls on it lie one in another as they did.
"""

import json
from collections.abc import Iterable
from typing import Final, TextIO

from tui.collectors.samples import Event
from tui.export import rows

_FIRST_GOROUTINE: Final = 10_000_000  # above every thread's number (PID_MAX_LIMIT: 4,194,304)


class Trace:
    """Writes events to a file that stays the caller's."""

    def __init__(self, file: TextIO, start_ns: int) -> None:
        """`start_ns`: monotonic, before all events. Raises OSError, as all that writes does."""
        self._file, self._start = file, start_ns
        self._tracks: dict[tuple[int, int, int], int] = {}  # of process, goroutine or 0, thread or 0
        self._goroutines = 0
        self._separator = "[\n"

    def write(self, events: Iterable[Event]) -> None:
        """Adds these, and hands them to the system."""
        for event in events:
            self._write(_event(event, self._track(event), self._start))
        self._file.flush()

    def finish(self) -> None:
        """Completes the array; nothing can be added then."""
        self._file.write("[\n]\n" if self._separator == "[\n" else "\n]\n")
        self._file.flush()

    def _track(self, event: Event) -> int:
        """The number of the event's track, which is named when it is first seen."""
        key = (event.pid, event.goroutine, 0 if event.goroutine else event.tid)
        if key not in self._tracks:
            name, number = event.comm, event.tid
            if event.goroutine:
                name, number = f"goroutine {self._goroutines}", _FIRST_GOROUTINE + self._goroutines
                self._goroutines += 1
            self._tracks[key] = number
            about = {"ph": "M", "pid": event.pid, "tid": number, "name": "thread_name", "args": {"name": name}}
            self._write(json.dumps(about, ensure_ascii=False))
        return self._tracks[key]

    def _write(self, line: str) -> None:
        self._file.write(self._separator + line)
        self._separator = ",\n"


def _event(event: Event, track: int, start_ns: int) -> str:
    """A complete event ("X"), or where the end isn't known an instant ("i")."""
    row = rows.event(event)
    arguments = row["args"] | ({"return": row["return"]} if event.results else {})
    about = json.dumps(
        {"name": row["function"], "cat": row["module"], "pid": event.pid, "tid": track, "args": arguments},
        ensure_ascii=False,
    )
    when = f'"ts": {_microseconds(event.start_ns - start_ns)}'
    if event.duration_ns is None:
        return f'{{"ph": "i", "s": "t", {when}, {about[1:]}'
    return f'{{"ph": "X", {when}, "dur": {_microseconds(event.duration_ns)}, {about[1:]}'


def _microseconds(ns: int) -> str:
    """Exactly; a float would round, and calls would no longer lie one in another."""
    return f"{ns // 1000}.{ns % 1000:03}"
