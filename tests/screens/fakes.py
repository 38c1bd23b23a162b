"""A world for the screens: frozen processes, modules and functions; probes whose numbers the test sets."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from tests.screens.fake_attachments import FakeAttachments
from tests.screens.fake_cgroups import FakeCgroups
from tests.screens.fake_loading import FakeLoadingSources
from tests.screens.fake_maps import FakeMaps
from tests.screens.fake_programs import FakePrograms
from tests.screens.filtering import CHOICES, FakeFiltering, made
from tests.screens.network import INTERFACES, interfaces_sample
from tui.collectors.code import Listing, Row
from tui.collectors.filters import Filter, HookChoice
from tui.collectors.histogram import BUCKETS, bucket_bounds
from tui.collectors.samples import (
    Attached,
    Cost,
    CountsSample,
    Event,
    EventsSample,
    HotSample,
    Interface,
    InterfacesSample,
    Latency,
    LatencySample,
    Process,
    ProcessesSample,
    Read,
    StacksSample,
    ValuesSample,
)
from tui.collectors.sources import Probing, Reading
from tui.elf.lines import Line
from tui.elf.names import Function, Module, Skipped
from tui.errors import BpfscopeError

MIB = 1024 * 1024
COST = Cost(7.1, 10.0, (), 2.7)
HOSTILE = ("[/]", "[@click=app.quit]x", "[bold]loud[/bold]", "␛[31mred", "日本語の関数", "e\u0301galite\u0301")


def process(pid: int, name: str, **changes: object) -> Process:
    """A process; `changes` replace its fields."""
    plain = Process(pid, pid * 10, 1, name, "root", 0.0, 12 * MIB, 1, "", f"/usr/bin/{name}")
    return plain._replace(**changes)  # type: ignore[arg-type]


PROCESSES = (
    process(1, "systemd", parent=0, unit="init.scope", command="/sbin/init", rss_bytes=13 * MIB, language="c"),
    process(2, "kthreadd", parent=0, language="kernel", command="[kthreadd]", rss_bytes=0),
    process(14, "ksoftirqd/0", parent=2, language="kernel", command="[ksoftirqd/0]", rss_bytes=0),
    process(
        702, "sshd", unit="ssh.service", language="c", command="sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups"
    ),
    process(
        811,
        "postgres",
        user="postgres",
        cpu_percent=4.1,
        unit="postgresql@16-main.service",
        rss_bytes=88 * MIB,
        language="c",
        command="/usr/lib/postgresql/16/bin/postgres -D /var/lib/postgresql/16/main",
    ),
    process(
        840,
        "postgres",
        user="postgres",
        parent=811,
        unit="postgresql@16-main.service",
        cpu_percent=0.4,
        language="c",
        command="postgres: writer",
    ),
    process(
        841,
        "postgres",
        user="postgres",
        parent=811,
        unit="postgresql@16-main.service",
        cpu_percent=1.2,
        language="c",
        command="postgres: walwriter",
    ),
    process(
        1733,
        "node",
        user="app",
        cpu_percent=11.9,
        rss_bytes=301 * MIB,
        threads=11,
        language="node 20",
        unit="docker 3f2a9c1b4d5e",
        command="node /srv/shop/server.js --port 8080",
    ),
    process(2210, "bash", user="eva", parent=702, command="-bash", language="c"),
    process(
        2696,
        "fibonacci",
        cpu_percent=38.2,
        threads=5,
        language="go",
        unit="session-3.scope",
        deleted=True,
        parent=2210,
        command="./fibonacci 10",
    ),
    process(
        3012,
        "ripgrep",
        user="eva",
        cpu_percent=102.7,
        rss_bytes=24 * MIB,
        threads=9,
        language="rust 1.80",
        unit="session-3.scope",
        parent=2210,
        command="rg --threads 8 needle /var/log",
    ),
)
MODULES = tuple(
    Module(name, path, path, 1, inode)
    for inode, (name, path) in enumerate(
        (
            ("fibonacci", "/home/eva/fibonacci"),
            ("libc.so.6", "/usr/lib/x86_64-linux-gnu/libc.so.6"),
            ("libcrypto.so.3", "/usr/lib/x86_64-linux-gnu/libcrypto.so.3"),
        )
    )
)


def function(name: str, address: int, *, module: str = "fibonacci", size: int = 81, **changes: object) -> Function:
    """A function; `changes` replace its fields."""
    plain = Function(module, name, name, address, size, "symtab", address - 0x400000)
    return plain._replace(**changes)  # type: ignore[arg-type]


RECURSIVE = function("main.fibonacciRecursive", 0x4A1D20)
LOOP = function("main.fibonacciLoop", 0x4A1DE0, size=31)
CACHE = function("main.fibonacciCache", 0x4A1E00, size=203)
FUNCTIONS = {
    "fibonacci": (
        function("main.Map[...]", 0x4A1F00, size=644, raw_name="main.Map[go.shape.int]"),
        CACHE,
        LOOP,
        RECURSIVE,
        function("main.main", 0x4A1C00, size=0),
        *(
            function(f"runtime.{verb}{noun}", 0x401000 + 0x140 * index, size=97 + 31 * index)
            for index, (verb, noun) in enumerate(
                (verb, noun)
                for verb in ("alloc", "free", "scan", "mark", "sweep", "park", "wake", "steal")
                for noun in ("Span", "Stack", "Timer", "Bitmap", "Cache", "Goroutine")
            )
        ),
        function("runtime.spin", 0x460000, unprobeable="its first instruction has a lock prefix"),
    ),
    "libc.so.6": (
        function("malloc", 0x9E540, module="libc.so.6", size=498, aliases=("__libc_malloc",), origin="dynsym"),
        function("memcpy", 0xA1800, module="libc.so.6", size=12, origin="dynsym"),
        *(function(name, 0xB0000 + 64 * index, module="libc.so.6") for index, name in enumerate(HOSTILE)),
    ),
    "libcrypto.so.3": (),
}


FIB = "/home/eva/fib.go"
SOURCE = {0: "func fibonacciLoop(n int) int {", 1: "for i := 0; i < n; i++ {", 7: "spin(b)", 12: "}", 16: "return b"}


def listing(function: Function) -> Listing:
    """Code for any function: one jump, one call, one source line after another; the probe is at its second place."""
    texts = (
        ("push", "rbp", None, "", 20),
        ("sub", "rsp, 0x10", None, "", 21),
        ("jge", "", 12, "", 21),
        ("call", "", None, "runtime.spin", 22),
        ("add", "rsp, 0x10", None, "", 23),
        ("ret", "", None, "", 24),
    )
    offsets = (0, 1, 5, 7, 12, 16)
    rows = tuple(
        Row(function.address + at, at, mnemonic, operands, leads, other, Line(FIB, line), at == 12, SOURCE.get(at, ""))
        for at, (mnemonic, operands, leads, other, line) in zip(offsets, texts, strict=True)
    )
    refused = function.unprobeable
    return Listing(function, rows, -1 if refused else 0, refused, not refused, 480, "", cut=False)


@dataclass
class FakeProbing:
    """A probe whose totals are what the test puts into `calls`."""

    functions: tuple[Function, ...]
    calls: dict[str, int] = field(default_factory=dict)
    closed: int = 0
    undone: int = 0
    intervals: list[float] = field(default_factory=list)
    added: list[tuple[Function, ...]] = field(default_factory=list)
    removed: list[tuple[Function, ...]] = field(default_factory=list)
    refuse: str = ""  # why `add` fails
    hold: asyncio.Event | None = None  # closing waits for it
    cost: Cost = COST
    _queue: "asyncio.Queue[CountsSample]" = field(default_factory=asyncio.Queue)

    async def add(self, functions: Sequence[Function]) -> Attached:
        """Note what was added."""
        if self.refuse:
            raise BpfscopeError(self.refuse)
        self.added.append(tuple(functions))
        self.functions += tuple(functions)
        return Attached(tuple(functions), ())

    async def remove(self, functions: Sequence[Function]) -> None:
        """Note what was removed."""
        self.removed.append(tuple(functions))
        self.functions = tuple(one for one in self.functions if one not in functions)

    def tick(self, time: float, calls: dict[str, int], *, lost: int = 0, ended: str = "") -> None:
        """Yield a sample; the clock starts at 1,000."""
        self.calls |= calls
        totals = tuple(self.calls.get(one.name, 0) for one in self.functions)
        self._queue.put_nowait(CountsSample(1000 + time, time, self.functions, totals, lost, ended, self.cost))

    async def readings(self, interval: float) -> AsyncIterator[CountsSample]:
        """What `tick` was given."""
        self.intervals.append(interval)
        while True:
            sample = await self._queue.get()
            yield sample
            if sample.ended:
                return

    async def undo(self) -> None:
        """Count the undoings."""
        self.undone += 1

    async def close(self) -> None:
        """Count the closings."""
        if self.hold is not None:
            await self.hold.wait()
        self.closed += 1


def timed(*durations: int, in_flight: int = 0, unmatched: int = 0, untimed: int = 0, inner: int = 0) -> Latency:
    """What is known of calls that took so long (ns), of which other functions took `inner`."""
    buckets = [0] * BUCKETS
    for duration in durations:
        buckets[next(at for at in range(BUCKETS) if duration < bucket_bounds(at)[1])] += 1
    calls, total = len(durations) + in_flight + untimed, sum(durations)
    least, most = min(durations, default=0), max(durations, default=0)
    return Latency(
        calls, len(durations), in_flight, unmatched, untimed, least, most, total, total - inner, 0, tuple(buckets)
    )


BEGAN = 1_000_000_000_000  # ns: where the probes' clock starts


def event(
    end: float,
    *arguments: tuple[str, Read],
    of: Function = RECURSIVE,
    gave: Read | tuple[()] = (),
    took: int | None = 3_100,
    **changes: object,
) -> Event:
    """A call that ended so many seconds after the probe began; `changes` replace its fields."""
    results = () if isinstance(gave, tuple) else (("return", gave),)
    start = BEGAN + round(end * 1e9) - (took or 0)
    plain = Event(of, start, took, 2696, 2697, "fibonacci", 0, arguments, results)
    return plain._replace(**changes)  # type: ignore[arg-type]


def events_sample(elapsed: float, *events: Event, **changes: object) -> EventsSample:
    """What was seen since the sample before; `changes` replace its fields."""
    plain = EventsSample(
        1000 + elapsed, elapsed, (CACHE, LOOP, RECURSIVE), events, len(events), len(events), 0, 0, 0, "", COST
    )
    return plain._replace(**changes)  # type: ignore[arg-type]


@dataclass
class FakeReadings(Generic[Reading]):
    """A probe whose samples are what the test gives."""

    functions: tuple[Function, ...]
    closed: int = 0
    undone: int = 0
    intervals: list[float] = field(default_factory=list)
    _queue: "asyncio.Queue[Reading]" = field(default_factory=asyncio.Queue)

    def give(self, sample: Reading) -> None:
        """Yield a sample."""
        self._queue.put_nowait(sample)

    async def readings(self, interval: float) -> AsyncIterator[Reading]:
        """What `give` was given."""
        self.intervals.append(interval)
        while True:
            sample = await self._queue.get()
            yield sample
            if sample.ended:
                return

    async def undo(self) -> None:
        """Count the undoings."""
        self.undone += 1

    async def close(self) -> None:
        """Count the closings."""
        self.closed += 1


class FakeTiming(FakeReadings[LatencySample]):
    """A probe whose times are what the test gives."""

    def tick(self, time: float, *latencies: Latency, lost: int = 0, ended: str = "") -> None:
        """Yield a sample; the clock starts at 1,000. Functions that nothing is said of weren't called."""
        rest = (timed(),) * (len(self.functions) - len(latencies))
        self.give(LatencySample(1000 + time, time, self.functions, (*latencies, *rest), lost, ended, COST))


class FakeSampling(FakeReadings[Any]):
    """Sampling whose samples are what the test gives."""

    def tick(
        self, time: float, ticks: dict[Function, int], *, kernel: int = 0, elsewhere: int = 0, ended: str = ""
    ) -> None:
        """Yield a sample."""
        counts: Counter[tuple[str, str]] = Counter()
        modules: Counter[str] = Counter()
        for one, number in ticks.items():
            counts[one.module, one.name] += number
            modules[one.module] += number
        starts = {(one.module, one.offset): number for one, number in ticks.items()}
        total = sum(ticks.values()) + kernel + elsewhere
        self.give(HotSample(1000 + time, time, total, kernel, elsewhere, 0, counts, starts, modules, ended))


class FakeSources(FakeCgroups, FakeAttachments, FakeLoadingSources, FakePrograms, FakeMaps):
    """Sources that know what the constants above say, unless the test changes them."""

    host = "web-07 · Linux 6.18 · 2 CPUs · root"

    def __init__(self) -> None:
        super().__init__()
        self.listed: tuple[Process, ...] = PROCESSES
        self.mapped: tuple[Module, ...] = MODULES
        self.functions_of: dict[str, tuple[Function, ...]] = dict(FUNCTIONS)
        self.skipped: tuple[Skipped, ...] = ()
        self.inexact: tuple[Skipped, ...] = ()
        self.refusals: dict[str, str | BpfscopeError] = {}  # method, or module's name → why it fails
        self.holds: dict[str, asyncio.Event] = {}  # method, or module's name → what it waits for
        self.probings: list[FakeProbing] = []
        self.samplings: list[FakeSampling] = []
        self.timings: list[FakeTiming] = []
        self.by: list[str] = []  # of the timings
        self.stackings: list[FakeReadings[StacksSample]] = []
        self.valuations: list[FakeReadings[ValuesSample]] = []
        self.with_results: list[bool] = []  # of the valuations
        self.tracings: list[FakeReadings[EventsSample]] = []
        self.asked: list[tuple[Function, ...]] = []
        self.intervals: list[float] = []
        self.readings: asyncio.Queue[ProcessesSample] | None = None
        self.over: list[int] = []  # of whose probes all views are closed
        self.watched = 0  # how many iterators over processes or interfaces are alive
        self.network: tuple[Interface, ...] = INTERFACES
        self.filterings: list[FakeFiltering] = []
        self.compiled: list[tuple[str, str, str, bool, bool]] = []
        self.choices = CHOICES
        self.closed = 0
        self.lines: dict[str, Line] = {"main.fibonacciLoop": Line("/home/eva/fib.go", 21)}
        self.located: list[str] = []
        self.disassembled: list[str] = []
        self.network_readings: asyncio.Queue[InterfacesSample] | None = None

    @property
    def probing(self) -> FakeProbing:
        """The last probe."""
        return self.probings[-1]

    def sample(self, time: float = 0.0, processes: tuple[Process, ...] | None = None) -> ProcessesSample:
        """What runs at a time; the clock starts at 1,000."""
        return ProcessesSample(1000 + time, processes or self.listed, 37.0, int(3.1 * 1024) * MIB, 24 * 1024 * MIB)

    def tick(self, time: float, processes: tuple[Process, ...]) -> None:
        """Yield a reading."""
        assert self.readings is not None
        self.readings.put_nowait(self.sample(time, processes))

    async def processes(self, interval: float) -> AsyncIterator[ProcessesSample]:
        """One reading at once, then what `tick` was given."""
        self.intervals.append(interval)
        if "processes" in self.refusals:
            raise BpfscopeError(str(self.refusals["processes"]))
        self.readings = asyncio.Queue()
        self.watched += 1
        try:
            yield self.sample()
            while True:
                yield await self.readings.get()
        finally:
            self.watched -= 1

    def pass_time(self, time: float, interfaces: tuple[Interface, ...]) -> None:
        """Yield a reading of interfaces."""
        assert self.network_readings is not None
        self.network_readings.put_nowait(interfaces_sample(time, interfaces))

    async def interfaces(self, interval: float) -> AsyncIterator[InterfacesSample]:
        """One reading at once, then what `pass_time` was given."""
        self.intervals.append(interval)
        await self._answer("interfaces")
        self.network_readings = asyncio.Queue()
        self.watched += 1
        try:
            yield interfaces_sample(0, self.network)
            while True:
                yield await self.network_readings.get()
        finally:
            self.watched -= 1

    async def filter(
        self, expression: str, hook: str, interface: Interface, *, optimise: bool = True, preview: bool = False
    ) -> Filter:
        """One of those that are known; what was asked for is noted."""
        self.compiled.append((expression, hook, interface.name, optimise, preview))
        await self._answer(f"filter {expression}")
        return made(expression, hook, interface, optimised=optimise)

    async def hooks(self) -> tuple[HookChoice, ...]:
        """All hooks."""
        await self._answer("hooks")
        return self.choices

    async def packets(self, filters: Sequence[Filter], by: str) -> tuple[FakeFiltering, Attached]:
        """Filters, unless they are refused."""
        await self._answer("packets")
        self.filterings.append(FakeFiltering(tuple(filters), by))
        return self.filterings[-1], Attached((), ())

    async def close(self) -> None:
        """Note that it is over."""
        self.closed += 1

    def memory(self, view: str, functions: int) -> int:
        """A round number for what isn't counting."""
        return 0 if view == "calls" else 11 * MIB + functions * 2_700

    def left(self, pid: int) -> None:
        """Note that a probe is over."""
        self.over.append(pid)

    async def modules(self, pid: int) -> tuple[Module, ...]:
        """The same for every process."""
        del pid
        await self._answer("modules")
        return self.mapped

    async def functions(self, module: Module) -> tuple[Function, ...]:
        """The module's functions."""
        await self._answer(module.name)
        return self.functions_of[module.name]

    async def line(self, module: Module, function: Function) -> Line | None:
        """Of some functions it is known."""
        await self._answer("line")
        self.located.append(function.name)
        return self.lines.get(function.name)

    async def lines_of(self, module: Module, functions: Sequence[Function]) -> Mapping[Function, Line]:
        """Of those of which it is known."""
        await self._answer("lines")
        del module
        return {one: self.lines[one.name] for one in functions if one.name in self.lines}

    async def code(self, pid: int, modules: Sequence[Module], function: Function, among: Sequence[Function]) -> Listing:
        """A few instructions that are the same for every function."""
        del pid, modules, among
        await self._answer("code")
        self.disassembled.append(function.name)
        return listing(function)

    async def probe(
        self, pid: int, modules: Sequence[Module], functions: Sequence[Function]
    ) -> tuple[Probing, Attached]:
        """Attach to everything but what is to be skipped."""
        attached = await self._attach("probe", functions)
        self.probings.append(FakeProbing(attached.attached))
        return self.probing, attached

    async def sampling(self, pid: int, modules: Sequence[Module]) -> tuple[FakeSampling, Attached]:
        """Sampling, unless it is refused."""
        await self._answer("sampling")
        self.samplings.append(FakeSampling(()))
        return self.samplings[-1], Attached((), ())

    async def latency(
        self, pid: int, modules: Sequence[Module], functions: Sequence[Function], by: str
    ) -> tuple[FakeTiming, Attached]:
        """Time everything but what is to be skipped; how calls are told apart is noted."""
        self.by.append(by)
        attached = await self._attach("latency", functions)
        self.timings.append(FakeTiming(attached.attached))
        return self.timings[-1], attached

    async def stacks(
        self, pid: int, modules: Sequence[Module], functions: Sequence[Function]
    ) -> tuple[FakeReadings[StacksSample], Attached]:
        """See who calls everything but what is to be skipped."""
        attached = await self._attach("stacks", functions)
        self.stackings.append(FakeReadings(attached.attached))
        return self.stackings[-1], attached

    async def values(
        self, pid: int, modules: Sequence[Module], function: Function, *, results: bool = False
    ) -> tuple[FakeReadings[ValuesSample], Attached]:
        """Read the function's values; `results` is noted."""
        attached = await self._attach("values", (function,))
        self.with_results.append(results)
        self.valuations.append(FakeReadings(attached.attached))
        return self.valuations[-1], attached

    async def events(
        self, pid: int, modules: Sequence[Module], functions: Sequence[Function]
    ) -> tuple[FakeReadings[EventsSample], Attached]:
        """See each call of everything but what is to be skipped."""
        attached = await self._attach("events", functions)
        self.tracings.append(FakeReadings(attached.attached))
        return self.tracings[-1], attached

    async def _attach(self, what: str, functions: Sequence[Function]) -> Attached:
        self.asked.append(tuple(functions))
        await self._answer(what)
        skipped = tuple(one for one in self.skipped if one.function in functions)
        attached = tuple(one for one in functions if one not in {skip.function for skip in skipped})
        return Attached(attached, skipped, tuple(one for one in self.inexact if one.function in attached))

    async def _answer(self, what: str) -> None:
        if what in self.holds:
            await self.holds[what].wait()
        if what in self.refusals:
            why = self.refusals[what]
            raise why if isinstance(why, BpfscopeError) else BpfscopeError(why)
