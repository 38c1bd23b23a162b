"""What the screen of attachments gets from the kernel: a part of the console's sources."""

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # loaded when somebody looks at what is attached
    from collections.abc import AsyncIterator

    from tui.collectors.attachment_samples import AttachmentsSample
    from tui.collectors.attachments import Attachments


class AttachmentSources:
    """Readings of all attachments; what was learnt stays for the next who looks."""

    @cached_property
    def _attachments(self) -> "Attachments":
        from tui.collectors.attachments import Attachments

        return Attachments()

    def attachments(self, interval: float) -> "AsyncIterator[AttachmentsSample]":
        """A sample at once and then one every `interval` seconds, for ever. Raises BpfscopeError."""
        from tui.collectors import attachments

        return attachments.stream(self._attachments, interval)
