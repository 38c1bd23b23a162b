"""The console's BPF maps (`sources.Sources`): the collectors, made asynchronous. They are loaded when they are used."""

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING

from tui.collectors.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tui.collectors.entries import Entries, MapSample, Scan
    from tui.collectors.maps import Maps, MapsSample


class MapSources:
    """Lists maps, and reads them."""

    @cached_property
    def _maps(self) -> "Maps":
        from tui.collectors.maps import Maps

        return Maps()  # one for all streams, so that a later one knows what was counted

    async def maps(self, interval: float) -> "AsyncIterator[MapsSample]":
        """All BPF maps at once and then every `interval` seconds, for ever. Raises BpfscopeError."""
        while True:
            yield await in_thread(self._maps.read)
            await asyncio.sleep(interval)

    def entries(self, number: int) -> "LiveEntries":
        """What is in the map of this number."""
        return LiveEntries(number, self._maps)


class LiveEntries:
    """One map that is read (`sources.Watching`)."""

    def __init__(self, number: int, maps: "Maps") -> None:
        self._number, self._maps = number, maps
        self._entries: Entries | None = None

    async def readings(self, interval: float) -> "AsyncIterator[MapSample]":
        """A sample at once and then one every `interval` seconds; ends with `ended`. Raises BpfscopeError."""
        while True:
            sample = await in_thread(self._read)
            yield sample
            if sample.ended:
                return
            await asyncio.sleep(interval)

    async def scan(self, by: str) -> "Scan":
        """Read all entries, keep the largest by the figure at this path. Raises BpfscopeError."""
        return await in_thread(lambda: self._opened().scan(by))

    async def forget_scan(self) -> None:
        """Read the first entries again."""
        await in_thread(lambda: self._opened().forget_scan())

    def _opened(self) -> "Entries":
        from tui.collectors.entries import Entries

        if self._entries is None:
            self._entries = Entries(self._number)
        return self._entries

    def _read(self) -> "MapSample":
        sample = self._opened().read()
        if sample.ended:
            return sample
        users, holders = self._maps.about(self._number)
        return sample._replace(users=users, holders=holders)
