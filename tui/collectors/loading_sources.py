"""The part of the console's sources that is about programs of the user's own; what it needs is loaded late."""

from typing import TYPE_CHECKING

from tui.collectors.threads import in_thread

if TYPE_CHECKING:
    from tui.collectors.library import Ready
    from tui.collectors.live_loaded import LiveLoaded
    from tui.collectors.load_request import Request
    from tui.collectors.samples import Attached


class LoadingSources:
    """As `sources.Sources` has it."""

    async def library(self) -> "tuple[Ready, ...]":
        """The C programs that come ready-made."""
        from tui.collectors import library

        return await in_thread(library.ready)

    async def tracepoints(self) -> "tuple[str, ...]":
        """Names of tracepoints: "sched:sched_switch". Raises NotPermitted, NotSupported."""
        from tui.bpf.loading import formats

        return tuple(":".join(each) for each in await in_thread(formats.names))

    async def request(self, line: str) -> "Request":
        """What somebody types to be loaded, with the source. Raises UsageError, BpfscopeError."""
        from tui.collectors import load_request

        return await in_thread(load_request.parsed, line)

    async def load(self, request: "Request") -> "tuple[LiveLoaded, Attached]":
        """Compile, load and attach. Raises SourceError, BpfscopeError."""
        from tui.collectors import live_loaded

        return await live_loaded.load(request)
