"""What the screen of attachments gets from the kernel: a part of the console's sources."""

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING, Final

from tui.collectors import pacing
from tui.collectors.threads import in_thread

if TYPE_CHECKING:  # loaded when somebody looks at what is attached
    from collections.abc import AsyncIterator

    from tui.collectors.attachment_samples import AttachmentsSample
    from tui.collectors.attachments import Attachments

_SOON: Final = 0.3  # seconds until the second sample, the first with names of functions


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
        sample, taken = await in_thread(pacing.timed, reader.read, files)
        every = pacing.every(interval, taken) if files else min(interval, _SOON)
        yield sample._replace(every=every if files else 0.0)
        await asyncio.sleep(max(0.0, every - taken.wall))
        files = 1
