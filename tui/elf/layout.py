"""Where a process has its code: what lies at an address, as it was when one looked."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from tui.elf import modules
from tui.elf.modules import Region
from tui.elf.names import Module
from tui.elf.tables import identity


class Layout:
    """Executable memory at one moment."""

    def __init__(self, regions: Sequence[Region]) -> None:
        """Regions in the order of their addresses."""
        self.regions: Final = regions
        self._starts = [region.start for region in regions]

    def at(self, address: int) -> Region | None:
        """What lies there."""
        index = bisect_right(self._starts, address) - 1
        return self.regions[index] if index >= 0 and address < self.regions[index].end else None

    def has(self, module: Module, offset: int, address: int) -> bool:
        """Whether that offset of the module's file lies at the address."""
        region = self.at(address)
        if not region or not region.module or identity(region.module) != identity(module):
            return False
        return address - region.start + region.offset == offset


def mapped(pid: int) -> tuple[int, list[bytes]]:
    """What a process maps executable, as lines, and the thread that says so: its main thread may have ended.

    Nothing where the process has ended. Raises TargetError, NotPermitted.
    """
    thread = modules.teller(pid)
    return thread, modules.executable_lines(thread)
