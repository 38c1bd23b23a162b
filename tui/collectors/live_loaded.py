"""A C program of the user's own, for the console: compiled and attached in a thread, its events read often."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from tui.bpf.loading.module import Ending
from tui.collectors.load_request import Request
from tui.collectors.loaded import Event, Loaded, LoadedSample
from tui.collectors.samples import Attached
from tui.collectors.threads import in_thread
from tui.errors import BpfscopeError

_LOOKS: Final = 0.2  # seconds between looks for events; in between no map is read


class LiveLoaded:
    """One that runs (`sources.Loading`). Whoever opened it closes it."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded, self._turn, self._closed = loaded, asyncio.Lock(), False
        self.notes = tuple(loaded.notes)
        self.warnings = loaded.warnings

    async def readings(self, interval: float) -> AsyncIterator[LoadedSample]:
        """A sample at once, then one whenever there are events and at least every `interval` seconds.

        Ends after the sample that has `ended` set, or when it is closed.
        """
        loop = asyncio.get_running_loop()
        due, sample = loop.time(), None
        while True:
            async with self._turn:
                if self._closed:
                    return
                if sample is None or loop.time() >= due:
                    sample = await in_thread(self._loaded.read)
                    if sample.ended:  # what is still in the buffers comes with it
                        rest = await in_thread(self._rest)
                        sample = sample._replace(events=(*sample.events, *rest), seen=sample.seen + len(rest))
                    due = max(due + interval, loop.time())
                    fresh = True
                else:
                    events = await in_thread(self._loaded.events)
                    sample = sample._replace(events=tuple(events), seen=sample.seen + len(events))
                    fresh = bool(events)
            if fresh:
                yield sample
            if sample.ended:
                return
            await asyncio.sleep(min(_LOOKS, max(0.0, due - loop.time())))

    def _rest(self) -> list[Event]:
        return [event for events in self._loaded.rest() for event in events]

    async def close(self) -> None:
        """Takes everything off."""
        async with self._turn:
            self._closed = True
            await in_thread(self._loaded.close)


async def load(request: Request) -> tuple[LiveLoaded, Attached]:
    """Compile, load and attach. Raises SourceError, BpfscopeError."""
    ending = Ending()
    work = asyncio.ensure_future(in_thread(Loaded, request, ending))
    try:
        return LiveLoaded(await asyncio.shield(work)), Attached((), ())
    except asyncio.CancelledError:  # the thread goes on: what it loads must not stay
        ending.now()
        with suppress(BpfscopeError):
            (await work).close()
        raise
