"""CPU sampling for the console: what `sampling.py` has, asynchronous."""

import asyncio
from collections.abc import AsyncIterator

from tui.collectors.samples import HotSample
from tui.collectors.sampling import Sampler
from tui.collectors.threads import in_thread


class LiveSampling:
    """A running sampler (`sources.Sampling`). Reading and ending take turns."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler, self._turn, self._closed = sampler, asyncio.Lock(), False

    async def readings(self, interval: float) -> AsyncIterator[HotSample]:
        """A sample every `interval` seconds; ends after the sample that has `ended` set."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + interval, loop.time())
            await asyncio.sleep(due - loop.time())
            async with self._turn:
                if self._closed:
                    return
                sample = await in_thread(self._sampler.read)
            yield sample
            if sample.ended:
                return

    async def close(self) -> None:
        """End it."""
        async with self._turn:
            if not self._closed:
                self._closed = True
                await in_thread(self._sampler.close)
