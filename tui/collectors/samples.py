"""What collectors yield: immutable readings. Totals only; who shows them computes rates from two samples."""

from collections.abc import Mapping, Sequence
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
    language: str  # "go 1.27", "c++", "python 3.11", …; "" where unknown, "kernel" for kernel threads
    command: str
    unit: str = ""  # "postgresql.service", "docker 3f2a9c1b4d5e"; "" where it is in none
    deleted: bool = False  # the file of its program was deleted or replaced since it was started


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
    acts_in: float | None = None  # seconds until the dearest function is taken off, if it goes on so
    waived: float | None = None  # the budget that there was, in percent, until somebody ended it

    @property
    def tolerated(self) -> bool:
        """Whether the budget is exceeded, of a target that runs so little that it doesn't matter."""
        return self.limit is not None and self.percent > self.limit and self.cpu_percent < LEFT_ALONE


class Latency(NamedTuple):
    """What is known of one function's calls; times in nanoseconds. Without a return there are no times: all are 0."""

    calls: int
    returns: int  # timed
    in_flight: int
    unmatched: int  # calls that never returned, or weren't seen to: their function was taken off meanwhile
    untimed: int  # calls that were not timed: no room, or too many return probes one in another
    min_ns: int
    max_ns: int
    total_ns: int
    self_ns: int  # of the total, what no other probed function took
    children: int  # calls of other probed functions
    buckets: Sequence[int]  # calls by duration; `tui.collectors.histogram` knows the bounds
    floor_ns: int = 0  # how long a call seems to take at least, by what its probes take
    probe_ns: int = 0  # of the function's own time, what probes took: its own, and those of what it called
    mixed: int = 0  # returns whose own time has others' in it: of unmatched calls in between, or that they outlasted
    strays: int = 0  # returns whose calls weren't seen: they began before, or another return was taken for theirs
    total_probe_ns: int = 0  # of the total, what probes took: its own, and those of all that was called in it

    @property
    def net_ns(self) -> int:
        """The function's own time, without what probes took of it."""
        return max(0, self.self_ns - self.probe_ns)

    @property
    def each_probe_ns(self) -> int:
        """What probes took of the mean call."""
        return self.total_probe_ns // self.returns if self.returns else 0

    @property
    def swollen(self) -> bool:
        """Whether the times of calls are in good part what probes took: an estimate, which can be off by half."""
        return 4 * self.total_probe_ns > self.total_ns

    @property
    def doubtful(self) -> bool:
        """Whether the function's own time isn't well known.

        Probes took a good part of it, and the rest may be an estimate's error; or other functions' is in it.
        """
        return 4 * self.probe_ns > self.self_ns or self.mixed > 0


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


class HotSample(NamedTuple):
    """Where the target spent its CPU time since the start, in ticks of a clock; those of `counts` and the three others
    are all of them.
    """

    time: float  # seconds, monotonic
    elapsed: float  # seconds since the start
    total: int
    kernel: int  # in the kernel, for the target
    elsewhere: int  # in memory of which nothing is known
    lost: int  # there was no room
    counts: Mapping[tuple[str, str], int]  # by module and function (or "libc.so.6+0x2724a"); of a JIT compiler's too
    starts: Mapping[tuple[str, int], int]  # by module and `Function.offset`: several functions may have one name
    modules: Mapping[str, int]  # by module
    ended: str = ""
    note: str = ""  # what more is to be said of `elsewhere`, and the remedy

    def ticks(self, function: Function) -> int:
        """Those in a function."""
        return self.starts.get((function.module, function.offset), 0)


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
    unmatched: int  # since the start: calls that never returned, or weren't seen to
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
    unmatched: int  # calls that never returned, or weren't seen to, where results are read
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


class Interface(NamedTuple):
    """A network interface of our network namespace at one moment; text is sanitised, counters are totals."""

    ifindex: int  # what names it while it is there; a name can change, and after sanitising need not be the kernel's
    name: str
    state: str  # "up", "down", "no carrier", "dormant" (up, but not yet allowed to carry anything)
    driver: str  # "virtio_net"; "" where no device is behind it
    addresses: tuple[str, ...]  # "192.0.2.2/24": IPv4 first, those of the link alone last
    mac: str  # "02:fc:00:00:00:01"; "" where there is none
    mtu: int  # bytes
    kind: str  # "ethernet", "loopback", "veth", "bridge", …: what the kernel calls it
    rx_bytes: int
    tx_bytes: int
    rx_packets: int
    tx_packets: int
    rx_errors: int
    tx_errors: int
    rx_dropped: int  # also those for which the device had no room
    tx_dropped: int
    hardware: int = 1  # ARPHRD_…, include/uapi/linux/if_arp.h: 1 Ethernet, 772 loopback (with such a header, too)


class InterfacesSample(NamedTuple):
    """All interfaces, by their numbers."""

    time: float  # seconds, monotonic
    interfaces: tuple[Interface, ...]


class GroupRow(NamedTuple):
    """Matched packets that have something in common."""

    key: str | int | None  # None: they have no such thing, as a port
    packets: int
    bytes: int


class FilterFigures(NamedTuple):
    """What one filter on one hook of one interface saw since the start, counted in the kernel."""

    interface: str
    hook: str  # "socket", "socket-ebpf", "tcx-ingress", "tcx-egress", "xdp", "cgroup"
    direction: str  # "in", "out", "both"
    filter: str  # the expression; "" matches everything
    seen: int  # packets as the hook has them: several of the wire's may have become one
    matched: int
    bytes_seen: int
    bytes_matched: int
    segments: int  # packets on the wire, as far as the kernel knows, of those that matched
    lost: int
    by: str  # what the groups are: "proto", "src", "dst", "sport", "dport", "flow", "size", "hops", "gap"; "" for none
    groups: tuple[GroupRow, ...]  # with the others they sum to matched
    others: GroupRow  # of groups for which there was no room
    hits: tuple[int, ...]  # per instruction of the classic program; () where they aren't counted
    gone: str = ""  # why this one counts no more: its interface disappeared, or somebody took it off
    classic_matched: int | None = None  # by the hook `socket`: what the classic engine itself counted, a moment before


class PacketRecord(NamedTuple):
    """One packet, as far as it was kept. Its bytes are as they came: whoever shows them bounds and sanitises."""

    time_ns: int  # since 1970
    interface: str
    direction: str  # "in", "out", "" where it isn't known
    length: int  # bytes, from the link's header on; without a tag that the kernel keeps aside
    data: bytes  # the first of them
    vlan_tpid: int = 0  # 0x8100 or 0x88a8: the kernel took a VLAN tag out of the header; 0: it didn't
    vlan_tci: int = 0  # that tag's priority and number
    link_type: int = 1  # LINKTYPE_… of pcap: 1 with an Ethernet header, 101 without any, from the IP header on


class PacketsSample(NamedTuple):
    """What the filters saw since the start, and a few of the packets."""

    time: float  # seconds, monotonic
    elapsed: float  # seconds since everything was attached
    filters: tuple[FilterFigures, ...]  # one per interface, hook and expression
    records: tuple[PacketRecord, ...]  # matched ones since the last sample, as many as were asked for
    ended: str = ""  # why nothing comes any more; empty while it does
