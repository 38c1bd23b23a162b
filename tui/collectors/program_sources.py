"""What the screens of BPF programs get from the kernel: a part of the console's sources."""

from functools import cached_property
from typing import TYPE_CHECKING

from tui.collectors.threads import in_thread

if TYPE_CHECKING:  # loaded when somebody looks at BPF
    from collections.abc import AsyncIterator

    from tui.collectors.program_samples import ProgramPage, ProgramsSample
    from tui.collectors.programs import Watched


class ProgramSources:
    """Readings of all programs, and the page of one."""

    @cached_property
    def _watched(self) -> "Watched":
        from tui.collectors.programs import Watched

        return Watched()

    def close_programs(self) -> None:
        """End what readings need, if there were some."""
        if "_watched" in vars(self):
            self._watched.close()

    def programs(self, interval: float) -> "AsyncIterator[ProgramsSample]":
        """A sample at once, one as soon as there are rates, then one every `interval` seconds. Raises BpfscopeError."""
        return self._watched.stream(interval)

    async def program(self, number: int) -> "ProgramPage":
        """What doesn't change of a program. Raises TargetError where it has ended, NotPermitted."""
        from tui.collectors import program_pages

        return await in_thread(program_pages.read, number)
