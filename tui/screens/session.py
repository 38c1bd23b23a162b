"""A running probe, and the promise that it is closed: by any way out, at any time, once."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Generic, Protocol, TypeVar

from tui.collectors.sources import Attached
from tui.errors import BpfscopeError


class Closes(Protocol):
    """A running probe, of whatever kind."""

    async def close(self) -> None:
        """Detach everything."""


Running = TypeVar("Running", bound=Closes)
Attaching = Coroutine[Any, Any, tuple[Running, Attached]]


class Session(Generic[Running]):
    """Attaches in a task of its own: who waits for it may be cancelled, the links are closed all the same."""

    def __init__(self, attaching: Attaching[Running], *, cancels: bool = False) -> None:
        """`cancels`: closing doesn't wait until it is attached, but cancels that; what attaches sees to the rest."""
        self._cancels = cancels
        self._attaching = asyncio.create_task(attaching)
        self._attaching.add_done_callback(_retrieve)
        self._closing: asyncio.Task[None] | None = None

    async def attached(self) -> tuple[Running, Attached]:
        """The probe, when everything is attached. Raises BpfscopeError."""
        return await asyncio.shield(self._attaching)

    @property
    def closing(self) -> bool:
        """Whether it is over."""
        return self._closing is not None

    async def close(self) -> None:
        """Detach everything; returns when that is done. Raises BpfscopeError."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
            self._closing.add_done_callback(_retrieve)
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        if self._cancels:
            self._attaching.cancel()  # nothing happens where it is done
        try:
            probing, _ = await self._attaching
        except BpfscopeError:
            return
        except asyncio.CancelledError:
            if self._attaching.cancelled():
                return
            raise
        await probing.close()


def _retrieve(task: "asyncio.Task[Any]") -> None:
    """Keep asyncio from reporting, on the screen, an error that nobody waited for any more."""
    if not task.cancelled():
        task.exception()
