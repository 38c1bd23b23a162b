"""The console's way to packet filters: compiling, attaching and reading, asynchronous. What blocks has a thread."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from tui.collectors.filters import Filter, FilterCompiler, HookChoice, choices
from tui.collectors.samples import Attached, Interface, PacketsSample
from tui.collectors.threads import in_thread

if TYPE_CHECKING:
    from tui.collectors.packets import PacketsProbe

SAMPLES: Final = 200  # packets that are kept between two readings, of each filter
SNAPSHOT: Final = 1_536  # bytes of each
_REMEMBERED: Final = 64  # filters
_PATIENCE: Final = 5.0  # seconds for libpcap's optimiser
_LATER: Final = 0.3  # seconds: the first figures go before libpcap's process
_Key = tuple[str, str, int, str, bool]


class LivePackets:
    """Filters that run (`sources.Filtering`). Reading and taking off take turns."""

    def __init__(self, probe: "PacketsProbe") -> None:
        self._probe = probe
        self.notes, self.positions = probe.notes, probe.positions
        self._turn = asyncio.Lock()
        self._closed = False

    async def readings(self, interval: float) -> AsyncIterator[PacketsSample]:
        """A sample at once and then one every `interval` seconds; ends after the sample that has `ended` set."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            async with self._turn:
                if self._closed:
                    return
                sample = await in_thread(self._read)
            yield sample
            if sample.ended:
                return
            due = max(due + interval, loop.time())
            await asyncio.sleep(due - loop.time())

    def _read(self) -> PacketsSample:
        sample = self._probe.read(SAMPLES)
        self._probe.allow(SAMPLES)
        self.positions = self._probe.positions  # others may have put themselves in front
        return sample

    async def close(self) -> None:
        """Take all filters off."""
        async with self._turn:
            if not self._closed:
                self._closed = True
                await in_thread(self._probe.close)


class Filters:
    """Compiles and attaches. One compiler serves all: who waits for a preview is passed by who comes later."""

    def __init__(self) -> None:
        self._compiler: FilterCompiler | None = None
        self._turn = asyncio.Lock()
        self._previewing = self._started = False
        self._known: dict[_Key, Filter] = {}

    async def compile(
        self, expression: str, hook: str, interface: Interface, *, optimise: bool, preview: bool
    ) -> Filter:
        """The filter (`sources.Sources.filter`). A preview that is still compiled makes room, with whatever it has."""
        key = (expression, hook, interface.ifindex, interface.name, optimise)
        if key in self._known:
            return self._known[key]
        if self._previewing and self._compiler:
            self._compiler.interrupt()
        work = asyncio.create_task(self._in_turn(key, interface, preview=preview))
        work.add_done_callback(_retrieve)
        return await asyncio.shield(work)  # the thread has the compiler until it is done, whoever still waits

    async def _in_turn(self, key: _Key, interface: Interface, *, preview: bool) -> Filter:
        expression, hook, _, _, optimise = key
        async with self._turn:
            self._previewing = preview
            try:
                found = await in_thread(self._compile, expression, hook, interface, optimise)
            finally:
                self._previewing = False
        if not found.note:
            self._known[key] = found
            while len(self._known) > _REMEMBERED:
                del self._known[next(iter(self._known))]
        return found

    def _compile(self, expression: str, hook: str, interface: Interface, optimise: bool) -> Filter:
        if self._compiler is None:
            self._compiler = FilterCompiler()
        return self._compiler.compile(expression, hook, interface, optimise=optimise, seconds=_PATIENCE)

    async def attach(self, filters: Sequence[Filter], by: str) -> tuple[LivePackets, Attached]:
        """Filters that run (`sources.Sources.packets`)."""
        probe = await in_thread(_attached, tuple(filters), by)
        if not self._started:  # who sees the first figures is about to type
            self._started = True
            work = asyncio.create_task(self._start())
            work.add_done_callback(_retrieve)
        return LivePackets(probe), Attached((), ())

    async def _start(self) -> None:
        await asyncio.sleep(_LATER)
        async with self._turn:
            if self._compiler is not None:
                await in_thread(self._compiler.start)

    async def hooks(self) -> tuple[HookChoice, ...]:
        """Where a filter may run."""
        return await in_thread(choices)

    async def close(self) -> None:
        """End the compiler's child."""
        if self._compiler is not None:
            self._compiler.interrupt()
            async with self._turn:
                await in_thread(self._compiler.close)


def _attached(filters: Sequence[Filter], by: str) -> "PacketsProbe":
    from tui.bpf.hooks import Hook
    from tui.bpf.packets.groups import By
    from tui.collectors.packets import PacketsProbe, Wish

    wishes = [Wish(each.interface, Hook(each.hook), each.expression, each.program) for each in filters]
    probe = PacketsProbe(wishes, By(by), hits=True, snapshot=SNAPSHOT)
    probe.allow(SAMPLES)
    return probe


def _retrieve(task: "asyncio.Task[Any]") -> None:
    """Keep asyncio from reporting an error that nobody waited for any more."""
    if not task.cancelled():
        task.exception()
