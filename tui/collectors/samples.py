"""What collectors yield: immutable readings. Totals only; who shows them computes rates from two samples."""

from typing import NamedTuple

from tui.elf.names import Function, Skipped


class Process(NamedTuple):
    """A process at one moment; text is sanitised."""

    pid: int
    started: int  # clock ticks after boot; with the pid it names a process for good
    parent: int  # its parent's pid
    name: str
    user: str
    cpu_percent: float  # of one CPU, since the sample before
    rss_bytes: int
    threads: int
    language: str  # "go", "c++", "python", …; "" where unknown, "kernel" for kernel threads
    command: str


class ProcessesSample(NamedTuple):
    """Everything that runs, and the machine's own figures."""

    time: float  # seconds, monotonic
    processes: tuple[Process, ...]
    cpu_percent: float  # of the whole machine, 0–100
    memory_used: int  # bytes
    memory_total: int  # bytes


class Attached(NamedTuple):
    """What became of a request to probe functions."""

    attached: tuple[Function, ...]
    skipped: tuple[Skipped, ...]
    inexact: tuple[Skipped, ...] = ()  # attached; the reason says what is counted besides calls


class Latency(NamedTuple):
    """What is known of one function's calls; times in nanoseconds. Without a return there are no times: all are 0."""

    calls: int
    returns: int  # timed
    in_flight: int
    unmatched: int  # calls that never returned, and returns of calls that were not seen
    untimed: int  # calls that were not timed: no room, or too many return probes one in another
    min_ns: int
    max_ns: int
    total_ns: int
    self_ns: int  # of the total, what no other probed function took
    children: int  # calls of other probed functions
    buckets: tuple[int, ...]  # calls by duration; `tui.collectors.histogram` knows the bounds


class LatencySample(NamedTuple):
    """Durations since the start, per function."""

    time: float  # seconds, monotonic
    elapsed: float  # seconds since everything was attached
    functions: tuple[Function, ...]
    latencies: tuple[Latency, ...]
    lost: int  # hits that the kernel did not hand to our program
    ended: str = ""


class CountsSample(NamedTuple):
    """Calls since the start, per function. `functions[i]` was called `calls[i]` times."""

    time: float  # seconds, monotonic
    elapsed: float  # seconds since everything was attached
    functions: tuple[Function, ...]  # the same object as in the sample before, unless functions were added or removed
    calls: tuple[int, ...]
    lost: int  # hits that the kernel did not hand to our program
    ended: str = ""  # why the target can't be called any more: "exited 0"; empty while it runs
