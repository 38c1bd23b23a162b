"""The console's sources: the collectors, made asynchronous. Whatever can block runs in a thread."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from tui.bpf.timing import By
from tui.collectors import budget, interfaces, live, processes
from tui.collectors.budget import Guard, HeldBack
from tui.collectors.console_attachments import AttachmentSources
from tui.collectors.console_maps import MapSources
from tui.collectors.latency import LatencyProbe
from tui.collectors.live import Reading_co
from tui.collectors.loading_sources import LoadingSources
from tui.collectors.probe import CountingProbe
from tui.collectors.program_sources import ProgramSources
from tui.collectors.samples import (
    Attached,
    CountsSample,
    EventsSample,
    Interface,
    InterfacesSample,
    LatencySample,
    ProcessesSample,
    StacksSample,
    ValuesSample,
)
from tui.collectors.target import Target
from tui.collectors.threads import in_thread
from tui.elf import functions, modules
from tui.elf.names import Function, Module
from tui.errors import BpfscopeError, TargetError
from tui.text import sanitise

if TYPE_CHECKING:  # loaded when code is looked at, packets are filtered, or CPU time is sampled
    from tui.collectors.cgroup_samples import CgroupsSample
    from tui.collectors.code import Codes, Listing
    from tui.collectors.filtering import Filters, LivePackets
    from tui.collectors.filters import Filter, HookChoice
    from tui.collectors.live_cgroups import LiveCgroups
    from tui.collectors.live_sampling import LiveSampling
    from tui.elf.lines import Line

_NOTHING: Final = HeldBack()
Reading = TypeVar("Reading", bound=live.Sample)
Held = TypeVar("Held", bound="Limited[Any]")


class Running(live.Probe[Reading_co], budget.Probe, Protocol[Reading_co]):
    """A probe that has something attached."""

    def close(self) -> None:
        """Detach everything."""


class Limited(Running[Reading_co], Protocol[Reading_co]):
    """One that holds back what would clearly exceed the budget."""

    held_back: HeldBack


class Adding(Limited[Reading_co], Protocol[Reading_co]):
    """One to which functions are added alone."""

    def add(self, functions: Sequence[Function], limit: float | None, off: Collection[Function]) -> Attached:
        """Attaches to these, once. Raises BpfscopeError where not one could be attached."""


class Budget:
    """One budget for all that is attached to a process: whoever attaches joins. They take turns."""

    def __init__(self, pid: int, limit: float | None) -> None:
        self.guard = Guard(None, pid, limit)
        self.turn = asyncio.Lock()
        self._joined = 0
        self._keeping: asyncio.Task[None] | None = None

    def join(self, probe: budget.Probe, held_back: HeldBack) -> None:
        """Let a probe keep it too."""
        self.guard.join(probe, held_back)
        self._joined += 1
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep())

    def leave(self, probe: budget.Probe) -> None:
        """Let it go."""
        self.guard.leave(probe)
        self._joined -= 1
        if self._keeping is not None and not self._joined:
            self._keeping.cancel()  # it takes nothing off now: it would have the turn
            self._keeping = None

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(max(0.0, self.guard.due - time.monotonic()))
            async with self.turn:
                if dear := self.guard.look():
                    with suppress(BpfscopeError):  # the target has ended, which the next reading says
                        await in_thread(self.guard.suspend, dear)


class Live(Generic[Reading_co]):
    """A running probe (`sources.Readings`). Attaching, detaching and reading take turns; the budget is kept."""

    def __init__(self, probe: Running[Reading_co], shared: Budget, held_back: HeldBack = _NOTHING) -> None:
        self._running, self._budget, self._turn = probe, shared, shared.turn
        self._closed = False
        shared.join(probe, held_back)

    async def readings(self, interval: float) -> AsyncIterator[Reading_co]:
        """A sample at once and then one every `interval` seconds; ends after the sample that has `ended` set."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            async with self._turn:
                if self._closed:
                    return
                cost = self._budget.guard.cost_of(self._running)
                sample = (await in_thread(self._running.read))._replace(cost=cost)
            yield sample
            if sample.ended:
                return
            due = max(due + interval, loop.time())
            await asyncio.sleep(due - loop.time())

    async def undo(self) -> None:
        """Put back what the budget took off, of all probes, and keep none; or keep it again. Raises BpfscopeError."""
        async with self._turn:
            await in_thread(self._budget.guard.undo)

    async def close(self) -> None:
        """Detach everything."""
        async with self._turn:
            if not self._closed:
                self._closed = True
                self._budget.leave(self._running)
                await in_thread(self._running.close)


class LiveProbing(Live[CountsSample]):
    """A running probe that counts (`sources.Probing`)."""

    def __init__(self, probe: CountingProbe, shared: Budget, held_back: HeldBack) -> None:
        super().__init__(probe, shared, held_back)
        self._probe = probe

    async def add(self, functions: Sequence[Function]) -> Attached:
        """Probe these as well. Raises BpfscopeError."""
        async with self._turn:
            return await in_thread(self._probe.add, functions)

    async def remove(self, functions: Sequence[Function]) -> None:
        """Detach these; the counts of the others go on unbroken."""
        async with self._turn:
            await in_thread(self._probe.remove, functions)


class LiveSources(AttachmentSources, LoadingSources, MapSources, ProgramSources):
    """Everything for real (`sources.Sources`)."""

    def __init__(self, limit: float | None = budget.DEFAULT) -> None:
        """`limit`: the budget of all views of a probe, in percent of its target's time; None for none."""
        self._limit = limit
        self._budgets: dict[int, Budget] = {}  # by pid
        system = os.uname()
        release = ".".join(system.release.split("-")[0].split(".")[:2])
        user = "root" if os.geteuid() == 0 else f"uid {os.geteuid()}"
        self._processes = processes.Processes()  # one for all streams, so that a later one has rates at once
        self.host = f"{sanitise(system.nodename)} · Linux {release} · {os.cpu_count()} CPUs · {user}"

    def processes(self, interval: float) -> AsyncIterator[ProcessesSample]:
        """A sample at once and then one every `interval` seconds, for ever."""
        return processes.stream(self._processes, interval)

    def interfaces(self, interval: float) -> AsyncIterator[InterfacesSample]:
        """A sample at once and then one every `interval` seconds, for ever. Raises BpfscopeError."""
        return interfaces.stream(interval)

    @cached_property
    def _cgroups(self) -> "LiveCgroups":
        from tui.collectors.live_cgroups import LiveCgroups

        return LiveCgroups()

    def cgroups(self, interval: float) -> "AsyncIterator[CgroupsSample]":
        """A sample at once and then one every `interval` seconds, for ever. Raises BpfscopeError."""
        return self._cgroups.samples(interval)

    async def count_cgroup(self, number: int, *, on: bool) -> None:
        """Count a cgroup's packets with a program of our own, or no longer. Raises BpfscopeError."""
        await self._cgroups.count(number, on=on)

    def left(self, pid: int) -> None:
        """All views of a probe on this process are closed: the next one has a budget of its own."""
        self._budgets.pop(pid, None)

    def _budget(self, pid: int) -> Budget:
        if pid not in self._budgets:
            self._budgets[pid] = Budget(pid, self._limit)
        return self._budgets[pid]

    @cached_property
    def _filters(self) -> "Filters":
        from tui.collectors.filtering import Filters

        return Filters()

    async def filter(
        self, expression: str, hook: str, interface: Interface, *, optimise: bool = True, preview: bool = False
    ) -> "Filter":
        """The expression's program. Raises ExpressionError, TargetError, NotSupported."""
        return await self._filters.compile(expression, hook, interface, optimise=optimise, preview=preview)

    async def hooks(self) -> "tuple[HookChoice, ...]":
        """Where filters may run."""
        return await self._filters.hooks()

    async def packets(self, filters: "Sequence[Filter]", by: str) -> "tuple[LivePackets, Attached]":
        """Attach all of these filters. Raises BpfscopeError where one can't be attached: then none is."""
        return await self._filters.attach(filters, by)

    async def close(self) -> None:
        """End what serves the screens."""
        if "_filters" in vars(self):
            await self._filters.close()
        if "_cgroups" in vars(self):
            await self._cgroups.close()
        if "_codes" in vars(self):
            self._codes.close()
        self.close_programs()

    def memory(self, view: str, functions: int) -> int:
        """Bytes that the kernel will keep for a view of so many functions; of counting, hardly any."""
        from tui.bpf import events, stacks, timing
        from tui.collectors.events import SIZE
        from tui.collectors.values import ROWS

        kept: dict[str, Callable[[], int]] = {
            "latency": lambda: timing.memory(functions),
            "stacks": lambda: stacks.memory(functions),
            "arguments": lambda: events.memory(1, rows=ROWS),
            "events": lambda: events.memory(functions, ring=SIZE),
        }
        return kept[view]() if view in kept else 0

    async def modules(self, pid: int) -> tuple[Module, ...]:
        """The ELF files that the process maps, its executable first. Raises TargetError, NotPermitted."""
        return await in_thread(modules.of_process, pid)

    async def functions(self, module: Module) -> tuple[Function, ...]:
        """The module's functions by name. Raises BinaryError, NotPermitted, TargetError."""
        return await in_thread(functions.read, module)

    @cached_property
    def _codes(self) -> "Codes":
        from tui.collectors.code import Codes

        return Codes()

    async def line(self, module: Module, function: Function) -> "Line | None":
        """Where the function begins in its sources. Raises BinaryError, NotPermitted, TargetError."""
        return await in_thread(lambda: self._codes.line(module, function))

    async def lines_of(self, module: Module, functions: Sequence[Function]) -> "Mapping[Function, Line]":
        """Where functions of the module begin in its sources, of those that are known. Raises BpfscopeError."""
        from tui.elf import lines

        return await in_thread(lines.of_functions, module, functions)

    async def code(
        self, pid: int, modules: Sequence[Module], function: Function, among: Sequence[Function]
    ) -> "Listing":
        """The function's instructions. Raises BpfscopeError."""
        return await in_thread(lambda: self._codes.listing(Target(pid, "", tuple(modules)), function, among))

    async def probe(
        self, pid: int, modules: Sequence[Module], functions: Sequence[Function]
    ) -> tuple[LiveProbing, Attached]:
        """Attach to these functions of the process. Raises BpfscopeError when none could be attached."""
        off = self._budget(pid).guard.off

        def made(target: Target) -> tuple[CountingProbe, Attached]:
            probe = CountingProbe(target)
            return probe, _added(probe, lambda: probe.add(functions, off))

        probe, attached, held_back = await self._begun(pid, modules, made)
        return LiveProbing(probe, self._budget(pid), held_back), attached

    async def sampling(self, pid: int, modules: Sequence[Module]) -> "tuple[LiveSampling, Attached]":
        """Sample the process's CPU time, without a probe. Raises BpfscopeError."""
        from tui.collectors.live_sampling import LiveSampling
        from tui.collectors.sampling import Sampler

        return LiveSampling(await in_thread(Sampler, Target(pid, "", tuple(modules)))), Attached((), ())

    async def latency(
        self, pid: int, modules: Sequence[Module], functions: Sequence[Function], by: str
    ) -> tuple[Live[LatencySample], Attached]:
        """Time these functions of the process. Raises BpfscopeError when none could be attached."""
        return await self._attach(pid, modules, functions, lambda target: LatencyProbe(target, by=By[by.upper()]))

    async def stacks(
        self, pid: int, modules: Sequence[Module], functions: Sequence[Function]
    ) -> tuple[Live[StacksSample], Attached]:
        """See who calls these functions of the process. Raises BpfscopeError when none could be attached."""
        from tui.collectors.stacks import StacksProbe

        return await self._attach(pid, modules, functions, StacksProbe)

    async def values(
        self, pid: int, modules: Sequence[Module], function: Function, *, results: bool = False
    ) -> tuple[Live[ValuesSample], Attached]:
        """Read what this function is called with, and `results`: what it gives. Raises BpfscopeError."""
        from tui.collectors import signatures
        from tui.collectors.reading import Wanted
        from tui.collectors.values import ValuesProbe

        off = self._budget(pid).guard.off

        def make(target: Target) -> tuple[ValuesProbe, Attached]:
            signature = signatures.read(target, [function])[function]
            probe = ValuesProbe(target, function, signature, Wanted(results=results))
            return probe, _added(probe, lambda: probe.add(off))

        return await self._live(pid, modules, make)

    async def events(
        self, pid: int, modules: Sequence[Module], functions: Sequence[Function]
    ) -> tuple[Live[EventsSample], Attached]:
        """See each call of these functions. Raises BpfscopeError when none could be attached."""
        from tui.collectors import signatures
        from tui.collectors.events import EventsProbe
        from tui.collectors.reading import Wanted

        guard = self._budget(pid).guard
        limit, off = guard.limit, guard.off

        def make(target: Target) -> tuple[EventsProbe, Attached]:
            found = signatures.read(target, functions)
            if len(functions) > 1:
                found = {function: signatures.described(signature) for function, signature in found.items()}
            probe = EventsProbe(target, Wanted(results=True))
            return probe, _added(probe, lambda: probe.add(functions, found, limit, off))

        return await self._live(pid, modules, make)

    async def _attach(
        self,
        pid: int,
        modules: Sequence[Module],
        functions: Sequence[Function],
        make: Callable[[Target], Adding[Reading]],
    ) -> tuple[Live[Reading], Attached]:
        """A probe on these functions, within the budget."""
        guard = self._budget(pid).guard
        limit, off = guard.limit, guard.off

        def made(target: Target) -> tuple[Limited[Reading], Attached]:
            probe = make(target)
            return probe, _added(probe, lambda: probe.add(functions, limit, off))

        return await self._live(pid, modules, made)

    async def _live(
        self, pid: int, modules: Sequence[Module], make: Callable[[Target], tuple[Limited[Reading], Attached]]
    ) -> tuple[Live[Reading], Attached]:
        """What is made and attached in a thread."""
        probe, attached, held_back = await self._begun(pid, modules, make)
        return Live(probe, self._budget(pid), held_back), attached

    async def _begun(
        self, pid: int, modules: Sequence[Module], make: Callable[[Target], tuple[Held, Attached]]
    ) -> tuple[Held, Attached, HeldBack]:
        """What is made and attached in a thread, and what is held back of it; nothing, if the budget was given up."""
        _refuse_itself(pid)
        probe, attached = await in_thread(make, Target(pid, "", tuple(modules)))
        if probe.held_back.functions and self._budget(pid).guard.limit is None:
            await in_thread(probe.resume, probe.held_back.functions)
            return probe, attached, _NOTHING
        return probe, attached, probe.held_back


def _added(probe: Running[Reading], add: Callable[[], Attached]) -> Attached:
    """What is attached; where that fails, the probe is closed."""
    try:
        return add()
    except BaseException:
        probe.close()
        raise


def _refuse_itself(pid: int) -> None:
    if pid == os.getpid():  # each drawing of the counts would be counted, and drawn
        raise TargetError("this is bpfscope itself, which would count its own drawing: look at it from another one")
