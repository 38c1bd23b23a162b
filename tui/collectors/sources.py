"""What a screen needs from the world, as protocols: the real one is `console.py`, tests have fakes."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from tui.collectors.samples import (
    Attached,
    Cost,
    CountsSample,
    EventsSample,
    HotSample,
    Interface,
    InterfacesSample,
    LatencySample,
    PacketsSample,
    ProcessesSample,
    StacksSample,
    ValuesSample,
)
from tui.elf.names import Function, Module

if TYPE_CHECKING:  # they need the instruction sets, which most screens don't
    from tui.collectors.attachment_samples import AttachmentsSample
    from tui.collectors.cgroup_samples import CgroupsSample
    from tui.collectors.code import Listing
    from tui.collectors.entries import MapSample, Scan
    from tui.collectors.filters import Filter, HookChoice
    from tui.collectors.library import Ready
    from tui.collectors.load_request import Request
    from tui.collectors.loaded import LoadedSample
    from tui.collectors.maps import MapsSample
    from tui.collectors.program_samples import ProgramPage, ProgramsSample
    from tui.elf.lines import Line

__all__ = ["Attached", "Filtering", "Loading", "Probing", "Readings", "Sampling", "Sources", "Watching"]


class Sample(Protocol):
    """A reading, whatever of."""

    @property
    def elapsed(self) -> float:
        """Seconds since everything was attached."""

    @property
    def functions(self) -> tuple[Function, ...]:
        """What is probed."""

    @property
    def lost(self) -> int:
        """What was not seen."""

    @property
    def ended(self) -> str:
        """Why the target can't be called any more; empty while it can."""

    @property
    def cost(self) -> Cost:
        """What the probes cost."""


Reading = TypeVar("Reading", bound=Sample)
Reading_co = TypeVar("Reading_co", bound=Sample, covariant=True)


class Readings(Protocol[Reading_co]):
    """A running probe. Whoever opened it closes it; closing detaches everything."""

    def readings(self, interval: float) -> AsyncIterator[Reading_co]:
        """A sample at once and then one every `interval` seconds; ends with `ended`, or when closed."""
        ...

    async def undo(self) -> None:
        """Put back what the budget took off, in all views, and keep none; or keep it again. Raises BpfscopeError."""
        ...

    async def close(self) -> None:
        """Detach everything."""
        ...


class Probing(Readings[CountsSample], Protocol):
    """A running probe that counts."""

    async def add(self, functions: Sequence[Function]) -> Attached:
        """Probe these as well. Raises BpfscopeError."""
        ...

    async def remove(self, functions: Sequence[Function]) -> None:
        """Detach these; the counts of the others go on unbroken."""
        ...


class Sampling(Protocol):
    """CPU sampling that runs. Whoever opened it closes it."""

    def readings(self, interval: float) -> AsyncIterator[HotSample]:
        """A sample every `interval` seconds; ends with `ended`, or when closed."""
        ...

    async def close(self) -> None:
        """End it."""
        ...


class Filtering(Protocol):
    """Packet filters that run. Whoever opened them closes them; closing takes all of them off."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know of how they are attached."""

    @property
    def positions(self) -> tuple[str, ...]:
        """Each one's place among the programs at its hook, as of the last reading; "" where each sees everything."""

    def readings(self, interval: float) -> AsyncIterator[PacketsSample]:
        """A sample at once and then one every `interval` seconds, with a few packets; ends with `ended`, or closed."""
        ...

    async def close(self) -> None:
        """Take them off."""
        ...


class Loading(Protocol):
    """A program of the user's own that runs. Whoever opened it closes it; closing takes it off."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know of how it is attached."""

    def readings(self, interval: float) -> "AsyncIterator[LoadedSample]":
        """A sample at once, then one whenever there are events and at least every `interval` seconds.

        What has the same `time` as the one before has new events only. Ends with `ended`, or when it is closed.
        """
        ...

    async def close(self) -> None:
        """Take it off."""
        ...


class Watching(Protocol):
    """One BPF map that is read; nothing is held between readings."""

    def readings(self, interval: float) -> "AsyncIterator[MapSample]":
        """A sample at once and then one every `interval` seconds; ends with `ended`. Raises BpfscopeError."""
        ...

    async def scan(self, by: str) -> "Scan":
        """Read all entries, keep the largest by the figure at this path. Raises BpfscopeError."""
        ...

    async def forget_scan(self) -> None:
        """Read the first entries again."""
        ...


class Sources(Protocol):
    """Where the console's screens get everything from."""

    host: str  # "web-07 · Linux 6.18 · 2 CPUs · root"

    def processes(self, interval: float) -> AsyncIterator[ProcessesSample]:
        """A sample at once and then one every `interval` seconds, for ever."""
        ...

    def interfaces(self, interval: float) -> AsyncIterator[InterfacesSample]:
        """A sample at once and then one every `interval` seconds, for ever. Raises BpfscopeError."""
        ...

    def programs(self, interval: float) -> "AsyncIterator[ProgramsSample]":
        """BPF programs: a sample at once and then one every `interval` seconds, for ever. Raises BpfscopeError."""
        ...

    async def program(self, number: int) -> "ProgramPage":
        """A BPF program's instructions and maps. Raises TargetError where it has ended, NotPermitted."""
        ...

    def attachments(self, interval: float) -> "AsyncIterator[AttachmentsSample]":
        """What BPF is attached where, as often: at once and then every `interval` seconds. Raises BpfscopeError."""
        ...

    def cgroups(self, interval: float) -> "AsyncIterator[CgroupsSample]":
        """A sample at once and then one every `interval` seconds, for ever. Raises BpfscopeError."""
        ...

    async def count_cgroup(self, number: int, *, on: bool) -> None:
        """Count a cgroup's packets with a program of our own, or no longer. Raises BpfscopeError."""
        ...

    def maps(self, interval: float) -> "AsyncIterator[MapsSample]":
        """All BPF maps at once and then every `interval` seconds, for ever. Raises BpfscopeError."""
        ...

    def entries(self, number: int) -> Watching:
        """What is in the map of this number."""
        ...

    async def filter(
        self, expression: str, hook: str, interface: Interface, *, optimise: bool = True, preview: bool = False
    ) -> "Filter":
        """The expression's program for a hook of an interface. Raises ExpressionError, TargetError, NotSupported.

        `preview`: it is still being typed; another one asked for meanwhile ends the work on it.
        """
        ...

    async def hooks(self) -> "tuple[HookChoice, ...]":
        """Where filters may run, with the reasons where they can't."""
        ...

    async def packets(self, filters: "Sequence[Filter]", by: str) -> tuple[Filtering, Attached]:
        """Attach all of these. Raises BpfscopeError where one can't be attached: then none is.

        `by`: what matched packets are grouped by: "flow", "proto", …; "" for nothing.
        """
        ...

    async def library(self) -> "tuple[Ready, ...]":
        """The C programs that come ready-made."""
        ...

    async def tracepoints(self) -> tuple[str, ...]:
        """Names of this kernel's tracepoints: "sched:sched_switch". Raises BpfscopeError."""
        ...

    async def request(self, line: str) -> "Request":
        """What somebody types to be loaded, with the source. Raises UsageError, BpfscopeError."""
        ...

    async def load(self, request: "Request") -> tuple[Loading, Attached]:
        """Compile, load and attach a C program. Raises BpfscopeError; of what is wrong in the source, SourceError."""
        ...

    async def close(self) -> None:
        """End what serves the screens, as processes that were kept; what is attached is closed by who opened it."""
        ...

    def memory(self, view: str, functions: int) -> int:
        """Bytes that the kernel will keep for a view of so many functions ("latency", "stacks", …); 0: hardly any."""
        ...

    def left(self, pid: int) -> None:
        """All views of a probe on this process are closed: the next one has a budget of its own."""
        ...

    async def modules(self, pid: int) -> tuple[Module, ...]:
        """The ELF files that the process maps, its executable first. Raises TargetError, NotPermitted."""
        ...

    async def functions(self, module: Module) -> tuple[Function, ...]:
        """The module's functions by name. Raises BinaryError, NotPermitted, TargetError."""
        ...

    async def line(self, module: Module, function: Function) -> "Line | None":
        """Where the function begins in its sources, if its file says so. Raises BpfscopeError."""
        ...

    async def lines_of(self, module: Module, functions: Sequence[Function]) -> "Mapping[Function, Line]":
        """Where functions of the module begin in its sources, of those that are known. Raises BpfscopeError."""
        ...

    async def code(
        self, pid: int, modules: Sequence[Module], function: Function, among: Sequence[Function]
    ) -> "Listing":
        """The function's instructions; `among`: its module's functions, to name those that it calls.

        Raises BpfscopeError.
        """
        ...

    async def probe(
        self, pid: int, modules: Sequence[Module], functions: Sequence[Function]
    ) -> tuple[Probing, Attached]:
        """Attach to these functions of the process. Raises BpfscopeError when none could be attached."""
        ...

    async def sampling(self, pid: int, modules: Sequence[Module]) -> tuple[Sampling, Attached]:
        """Sample the process's CPU time, without a probe. Raises BpfscopeError."""
        ...

    async def latency(
        self, pid: int, modules: Sequence[Module], functions: Sequence[Function], by: str
    ) -> tuple[Readings[LatencySample], Attached]:
        """Time these functions of the process. Raises BpfscopeError when none could be attached.

        `by`: what calls are told apart by: "function" alone, or also "process", "thread" or "comm".
        """
        ...

    async def stacks(
        self, pid: int, modules: Sequence[Module], functions: Sequence[Function]
    ) -> tuple[Readings[StacksSample], Attached]:
        """See who calls these functions of the process. Raises BpfscopeError when none could be attached."""
        ...

    async def values(
        self, pid: int, modules: Sequence[Module], function: Function, *, results: bool = False
    ) -> tuple[Readings[ValuesSample], Attached]:
        """Read what this function is called with, and `results`: what it gives. Raises BpfscopeError."""
        ...

    async def events(
        self, pid: int, modules: Sequence[Module], functions: Sequence[Function]
    ) -> tuple[Readings[EventsSample], Attached]:
        """See each call of these functions. Raises BpfscopeError when none could be attached."""
        ...
