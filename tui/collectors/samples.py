"""What collectors yield: immutable readings. Totals only; who shows them computes rates from two samples."""

from collections.abc import Sequence
from typing import Final, NamedTuple

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


LEFT_ALONE: Final = 1.0  # percent of a CPU: where probes take less, nothing is taken off


class Suspended(NamedTuple):
    """A function that the budget took off."""

    function: Function
    reason: str
    after: float = 0.0  # seconds since everything was attached; 0: it was never on


class Cost(NamedTuple):
    """What probes cost their target: of the console all views of it together."""

    percent: float = 0.0  # of the CPU time that the target used in the last second, probes included; predicted
    limit: float | None = None  # the budget, in percent; None: there is none
    suspended: tuple[Suspended, ...] = ()  # functions that were taken off because of it
    cpu_percent: float = 0.0  # the same time, of one CPU

    @property
    def tolerated(self) -> bool:
        """Whether the budget is exceeded, of a target that runs so little that it doesn't matter."""
        return self.limit is not None and self.percent > self.limit and self.cpu_percent < LEFT_ALONE


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
    buckets: Sequence[int]  # calls by duration; `tui.collectors.histogram` knows the bounds
    floor_ns: int = 0  # how long a call seems to take at least, by what its probes take
    probe_ns: int = 0  # of the function's own time, what probes took: its own, and those of what it called

    @property
    def net_ns(self) -> int:
        """The function's own time, without what probes took of it."""
        return max(0, self.self_ns - self.probe_ns)

    @property
    def doubtful(self) -> bool:
        """Whether probes took most of the function's own time: the rest is hardly more than an estimate's error."""
        return 2 * self.probe_ns > self.self_ns


class LatencySample(NamedTuple):
    """Durations since the start, per function."""

    time: float  # seconds, monotonic
    elapsed: float  # seconds since everything was attached
    functions: tuple[Function, ...]  # one for each of the latencies: with groups, a function comes several times
    latencies: tuple[Latency, ...]
    lost: int  # hits that the kernel did not hand to our program
    ended: str = ""
    cost: Cost = Cost()
    groups: tuple[str, ...] = ()  # whose calls each one's are: "811 postgres", a thread's name; "" for all others


class Frame(NamedTuple):
    """A place in code that was called from, or is called; text is sanitised."""

    name: str  # the function; where none is known the module and the offset in its file: "libc.so.6+0x2724a"
    module: str  # "" where no file is mapped there and nothing else is known of it


class Stack(NamedTuple):
    """Who called whom, and how often; the last frame is the probed function."""

    frames: tuple[Frame, ...]  # the root first
    calls: int
    cut: bool = False  # there were more callers than are kept: the root is missing


class StacksSample(NamedTuple):
    """Stacks of calls since the start, those of one sequence of frames as one, in no order."""

    time: float  # seconds, monotonic
    elapsed: float  # seconds since everything was attached
    functions: tuple[Function, ...]
    stacks: tuple[Stack, ...]
    calls: int  # of the probed functions; those that are in no stack were lost
    lost: int  # calls whose stack found no room, and hits that the kernel did not hand to our program
    ended: str = ""
    cost: Cost = Cost()


class Address(int):
    """A pointer: people read it in hexadecimal."""


class Word(str):
    """What stands for a value, as nil: no text of the target's."""

    __slots__ = ()


Read = int | float | bool | str | None  # a value of a call; None: it could not be read


class Event(NamedTuple):
    """One call that is over, or, where returns aren't seen, that began."""

    function: Function
    start_ns: int  # monotonic
    duration_ns: int | None  # None: returns of this function aren't seen
    pid: int
    tid: int
    comm: str  # the thread's name; sanitised
    goroutine: int  # what tells a goroutine from others; 0 outside of Go
    arguments: tuple[tuple[str, Read], ...]
    results: tuple[tuple[str, Read], ...]


class EventsSample(NamedTuple):
    """The calls since the last sample, in the order in which they ended."""

    time: float  # seconds, monotonic
    elapsed: float  # seconds since everything was attached
    functions: tuple[Function, ...]
    events: tuple[Event, ...]
    calls: int  # of the probed functions since the start, also those that a condition left out
    seen: int  # events since the start
    dropped: int  # since the start: there was no room in the ring buffer
    unmatched: int  # since the start: calls whose return wasn't seen, or the other way round
    lost: int  # since the start: hits that the kernel did not hand to our program, calls that found no room
    ended: str = ""
    cost: Cost = Cost()


class ValuesRow(NamedTuple):
    """Calls that had the same values."""

    values: tuple[Read, ...]
    calls: int


class ValuesSample(NamedTuple):
    """What a function was called with since the start, and what it gave."""

    time: float  # seconds, monotonic
    elapsed: float  # seconds since everything was attached
    function: Function
    names: tuple[str, ...]  # of the values
    rows: tuple[ValuesRow, ...]  # no two with the same values; in no order
    calls: int  # also those that a condition left out
    unmatched: int  # calls whose return wasn't seen, where results are read
    lost: int  # calls whose values found no room, and hits that the kernel did not hand to our program
    ended: str = ""
    cost: Cost = Cost()

    @property
    def functions(self) -> tuple[Function, ...]:
        """The one."""
        return (self.function,)


class CountsSample(NamedTuple):
    """Calls since the start, per function. `functions[i]` was called `calls[i]` times."""

    time: float  # seconds, monotonic
    elapsed: float  # seconds since everything was attached
    functions: tuple[Function, ...]  # the same object as in the sample before, unless functions were added or removed
    calls: tuple[int, ...]
    lost: int  # hits that the kernel did not hand to our program
    ended: str = ""  # why the target can't be called any more: "exited 0"; empty while it runs
    cost: Cost = Cost()
