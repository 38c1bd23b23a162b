"""The cgroups for the console: the collector, made asynchronous."""

import asyncio
from collections.abc import AsyncIterator

from tui.collectors import pacing
from tui.collectors.cgroup_samples import CgroupsSample
from tui.collectors.cgroups import Cgroups
from tui.collectors.threads import in_thread


class LiveCgroups:
    """Part of `console.LiveSources`. One reader for all screens, so that what is counted goes on between them."""

    def __init__(self) -> None:
        self._reader: Cgroups | None = None

    async def samples(self, interval: float) -> AsyncIterator[CgroupsSample]:
        """A sample at once and then one every `interval` seconds, for ever; less often where reading takes long.

        Raises BpfscopeError.
        """
        while True:
            self._reader = self._reader or Cgroups()
            sample, taken = await in_thread(pacing.timed, self._reader.read)
            every = pacing.every(interval, taken)
            yield sample._replace(every=every)
            await asyncio.sleep(max(0.0, every - taken.wall))

    async def count(self, number: int, *, on: bool) -> None:
        """Count a cgroup's packets, or no longer. Raises BpfscopeError."""
        if self._reader:
            await in_thread(self._reader.count if on else self._reader.stop, number)

    async def close(self) -> None:
        """Takes all counters off."""
        if self._reader:
            await in_thread(self._reader.close)
