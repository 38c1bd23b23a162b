"""What the screen of attachments gets from the kernel: a part of the console's sources."""

import asyncio
import time
from functools import cached_property
from typing import TYPE_CHECKING, Final

from tui.collectors.threads import in_thread

if TYPE_CHECKING:  # loaded when somebody looks at what is attached
    from collections.abc import AsyncIterator

    from tui.collectors.attachment_samples import AttachmentsSample
    from tui.collectors.attachments import Attachments

_SOON: Final = 0.3  # seconds until the second sample, the first with names of functions
_SHARE: Final = 0.03  # of a CPU that reading takes at most


class AttachmentSources:
    """Readings of all attachments; what was learnt stays for the next who looks."""

    @cached_property
    def _attachments(self) -> "Attachments":
        from tui.collectors.attachments import Attachments

        return Attachments()

    def attachments(self, interval: float) -> "AsyncIterator[AttachmentsSample]":
        """A sample at once and then one every `interval` seconds, for ever. Raises BpfscopeError."""
        return _stream(self._attachments, interval)


async def _stream(reader: "Attachments", interval: float) -> "AsyncIterator[AttachmentsSample]":
    """A sample at once and then one every `interval` seconds, for ever; less often where reading takes long.

    Raises BpfscopeError.
    """
    files = 0
    while True:
        begun = time.monotonic()
        sample = await in_thread(reader.read, files)
        took = time.monotonic() - begun
        yield sample
        await asyncio.sleep(max(interval, took / _SHARE) if files else min(interval, _SOON))
        files = 1
