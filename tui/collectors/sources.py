"""What a screen needs from the world, as protocols: the real one is `console.py`, tests have fakes."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from tui.collectors.samples import Attached, CountsSample, LatencySample, ProcessesSample
from tui.elf.names import Function, Module

__all__ = ["Attached", "Probing", "Sources", "Timing"]


class Probing(Protocol):
    """A running probe. Whoever opened it closes it; closing detaches everything."""

    async def add(self, functions: Sequence[Function]) -> Attached:
        """Probe these as well. Raises BpfscopeError."""
        ...

    async def remove(self, functions: Sequence[Function]) -> None:
        """Detach these; the counts of the others go on unbroken."""
        ...

    def counts(self, interval: float) -> AsyncIterator[CountsSample]:
        """A sample at once and then one every `interval` seconds; ends with `ended`, or when closed."""
        ...

    async def close(self) -> None:
        """Detach everything."""
        ...


class Timing(Protocol):
    """A running probe that times. Whoever opened it closes it; closing detaches everything."""

    def latencies(self, interval: float) -> AsyncIterator[LatencySample]:
        """A sample at once and then one every `interval` seconds; ends with `ended`, or when closed."""
        ...

    async def close(self) -> None:
        """Detach everything."""
        ...


class Sources(Protocol):
    """Where the console's screens get everything from."""

    host: str  # "web-07 · Linux 6.18 · 2 CPUs · root"

    def processes(self, interval: float) -> AsyncIterator[ProcessesSample]:
        """A sample at once and then one every `interval` seconds, for ever."""
        ...

    async def modules(self, pid: int) -> tuple[Module, ...]:
        """The ELF files that the process maps, its executable first. Raises TargetError, NotPermitted."""
        ...

    async def functions(self, module: Module) -> tuple[Function, ...]:
        """The module's functions by name. Raises BinaryError, NotPermitted, TargetError."""
        ...

    async def probe(
        self, pid: int, modules: Sequence[Module], functions: Sequence[Function]
    ) -> tuple[Probing, Attached]:
        """Attach to these functions of the process. Raises BpfscopeError when none could be attached."""
        ...

    async def latency(
        self, pid: int, modules: Sequence[Module], functions: Sequence[Function]
    ) -> tuple[Timing, Attached]:
        """Time these functions of the process. Raises BpfscopeError when none could be attached."""
        ...
