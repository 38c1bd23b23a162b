"""Work that can block, out of the event loop's thread."""

import asyncio
import os
from collections.abc import Callable
from typing import TypeVar

from tui.errors import BpfscopeError
from tui.text import sanitise

Result = TypeVar("Result")


async def in_thread(work: Callable[..., Result], *arguments: object) -> Result:
    """What the work gives. Raises BpfscopeError also for what the system refuses, as descriptors."""
    try:
        return await asyncio.to_thread(work, *arguments)
    except OSError as error:
        where = f"{sanitise(os.fsdecode(error.filename))}: " if error.filename else ""
        raise BpfscopeError(f"the system refuses: {where}{error.strerror}") from None
