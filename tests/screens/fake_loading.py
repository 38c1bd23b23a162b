"""Programs of the user's own for the screens: a small library, and one that runs, whose samples the test gives."""

import asyncio
from collections.abc import AsyncIterator

from tui.bpf.inventory.info import Map
from tui.bpf.loading.problems import Problem, SourceError
from tui.collectors.entries import Entry, MapSample
from tui.collectors.library import Ready
from tui.collectors.load_request import Request
from tui.collectors.loaded import Event, LoadedProgram, LoadedSample
from tui.collectors.map_layout import Layout
from tui.collectors.samples import Attached
from tui.errors import BpfscopeError, UsageError

OPENS = """/* Files that processes open, and how long requests to disks took. */
// show result: errno
// show took: us
// show call: syscall
struct open {
	u32 pid;
	char comm[16];
	s32 result;
	char path[64];
};
BPF_RINGBUF_OUTPUT(opens, 64);
BPF_HASH(calls, struct key, u64);
BPF_HISTOGRAM(took, struct disk);

TRACEPOINT_PROBE(syscalls, sys_enter_openat)
{
	u64 *calls = lookup(&key);
	*calls += bpf_log2l(1);
	return 0;
}
"""
LIBRARY = (
    Ready("block_io", "How long requests to disks took: a histogram for each.", "", ("tracepoint:block:block_rq",)),
    Ready("opens", "Files that processes open, and what came of it.", "", ("tracepoint:syscalls:sys_enter_openat",)),
    Ready("tc_example", "The talk's example: each IP packet's header.", "", ("tcx-ingress",), "IFACE"),
)  # fmt: skip
PATH = "/home/eva/opens.c"
_LAYOUT = Layout(str, str, "struct key", "u64", typed=True)
_REFUSED = SourceError(
    PATH,
    "it doesn't load",
    (
        Problem(
            18,
            0,
            "the verifier refuses tracepoint__syscalls__sys_enter_openat: R0 invalid mem access 'map_value_or_null'",
            "a lookup may find nothing: test the pointer before its first use",
        ),
    ),
)
_WRONG = SourceError(PATH, "it doesn't compile", (Problem(17, 15, "use of undeclared identifier 'lookup'"),))
REFUSALS: dict[str, BpfscopeError] = {"refused": _REFUSED, "wrong": _WRONG}


def map_sample(name: str, *entries: Entry) -> MapSample:
    """A reading of a map with these entries."""
    return MapSample(1.0, 1.0, Map(7, 1, 8, 8, 1024, 0, name, 0, 0, 0, 0), _LAYOUT, entries)


def loaded_sample(seconds: float, events: int = 0, calls: int = 0, ended: str = "") -> LoadedSample:
    """A reading after so many seconds: events since the one before, calls in the map so far."""
    programs = (
        LoadedProgram("tracepoint__syscalls__sys_enter_openat", 128, "tracepoint:syscalls:sys_enter_openat", 41,
                      1_009 * round(seconds), 1_009 * 412 * round(seconds)),
    )  # fmt: skip
    entries = tuple(
        Entry(
            bytes([pid]),
            b"",
            {"pid": 800 + pid, "call": pid, "comm": comm},
            calls * (4 - pid),
            before=0 if calls else None,
        )
        for pid, comm in enumerate(("postgres", "node", "[/]", "日本語"))
    )
    bars = tuple(
        Entry(
            bytes([disk, slot]), b"", {"disk": f"259:{disk}", "slot": slot}, 1 + 97 * (8 - abs(slot - 7)) // (1 + disk)
        )
        for disk in (0, 1)
        for slot in range(3, 12)
    )
    sent = tuple(
        Event(
            round((1000 + seconds) * 1e9) + 7_000_000 * at,
            "opens",
            {
                "pid": 811 + at % 3,
                "comm": "postgres",
                "result": -2 if at % 5 == 4 else 3 + at,
                "path": f"/etc/{at}/hosts",
            },
        )
        for at in range(events)
    )
    maps = (map_sample("calls", *entries), map_sample("took", *bars))
    return LoadedSample(1000 + seconds, seconds, programs, ("calls", "took"), maps, sent, events, 0, ended)


class FakeLoading:
    """One that runs."""

    notes = ("tracepoint__syscalls__sys_enter_openat: attached",)

    def __init__(self) -> None:
        self.closed = 0
        self._queue: asyncio.Queue[LoadedSample] = asyncio.Queue()

    def give(self, sample: LoadedSample) -> None:
        """Yield a sample."""
        self._queue.put_nowait(sample)

    async def readings(self, interval: float) -> AsyncIterator[LoadedSample]:
        """What `give` was given."""
        while True:
            sample = await self._queue.get()
            yield sample
            if sample.ended:
                return

    async def close(self) -> None:
        """Count the closings."""
        self.closed += 1


class FakeLoadingSources:
    """The part of the fake sources that is about programs of the user's own."""

    def __init__(self) -> None:
        super().__init__()
        self.loadings: list[FakeLoading] = []
        self.requested: list[str] = []
        self.source = OPENS

    async def library(self) -> tuple[Ready, ...]:
        """The library above."""
        return LIBRARY

    async def tracepoints(self) -> tuple[str, ...]:
        """Two."""
        return ("sched:sched_switch", "sched:sched_wakeup")

    async def request(self, line: str) -> Request:
        """A request for what is typed, with the same source for all."""
        self.requested.append(line)
        if line.startswith("nothing"):
            raise UsageError("there is no nothing in the library; it has block_io, opens, tc_example")
        return Request(PATH, self.source, {}, "", line)

    async def load(self, request: Request) -> tuple[FakeLoading, Attached]:
        """One that runs, unless the name says that it is refused."""
        if refusal := REFUSALS.get(request.target):
            raise refusal
        self.loadings.append(FakeLoading())
        return self.loadings[-1], Attached((), ())
