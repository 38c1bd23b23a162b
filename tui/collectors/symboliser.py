"""From addresses in a target's processes to names: of functions in files, of what a JIT compiler made, or to offsets.

What a process maps is noted when probes are attached, and again in each reading that has new stacks of it; its files
are held open, so that they can be read when it has gone. A process that went before anybody looked is known by the
probe that it hit, around which the probed file lay; its other addresses stay numbers.

A function is only named where it lies, by its size too. A return address belongs to the call before it. Where there is
no code at all the walk has lost its way, among callers that keep no frame pointers: the stack ends before.
"""

import os
from collections.abc import Sequence
from typing import Final, NamedTuple

from tui.collectors.samples import Frame
from tui.collectors.target import Target
from tui.elf import modules
from tui.elf.layout import Layout, mapped
from tui.elf.modules import Region
from tui.elf.names import JIT, Module
from tui.elf.perf_map import PerfMap
from tui.elf.reader import Segment
from tui.elf.tables import Tables, identity
from tui.errors import BpfscopeError
from tui.owner import Owner

_MEMORY: Final = ("/dev/zero", "/memfd:", "/SYSV")  # what the kernel calls memory that is shared (proc(5), maps)
_OF_THE_KERNEL: Final = ("[vdso]", "[vsyscall]", "[uprobes]")  # the last is where return probes of others lead to
_MOST_PROCESSES: Final = 512  # that are known at a time: those that called last
_GENERATIONS: Final = 4  # layouts of a process: code that was unloaded meanwhile still has its name


class Probed(NamedTuple):
    """Where a probe is; by that, a process and a time are told from others."""

    module: Module
    segment: Segment  # of the file, that the probe is in
    offset: int  # in the file


class Spot(NamedTuple):
    """A place in code that a thread was at."""

    frame: Frame  # where the file names no function, its name is the file's and the offset in it
    start: int = -1  # in the file, or in memory if it was made, where the function begins; -1: that isn't known


class Symboliser(Owner):
    """Names addresses of one target. Owns descriptors of what its processes map."""

    def __init__(self, target: Target) -> None:
        """Looks at the process, or at those that run the file now."""
        self._names = {identity(module): module.name for module in target.modules}
        self._tables = Tables()
        self._processes: dict[int, _Process] = {}
        self._reading = 0
        for pid in [target.pid] if target.pid is not None else running(target.modules[0]):
            self._process(pid)

    def begin(self) -> None:
        """A reading begins: processes that have new stacks are looked at again."""
        self._reading += 1

    def callers(self, pid: int | None, probed: Probed, addresses: Sequence[int]) -> list[Frame]:
        """Who called, the direct caller first.

        `addresses` are where the probe was hit and the return addresses; `pid` None: whose they are isn't known.
        """
        process = self._process(pid) if pid is not None else None
        layouts = process.layouts(probed, addresses[0]) if process else []
        known = process if layouts else None
        layouts = layouts or [_around(probed, addresses[0])]
        named = layouts[0].named
        frames = []
        for address in addresses[1:]:
            frame = named.get(address) or self._frame(known, layouts, address)
            if frame is None:
                break
            if frame.module not in ("", JIT):  # what is made may be made anew
                named[address] = frame
            frames.append(frame)
        return frames

    def around(self, module: Module, offset: int) -> Frame:
        """The function that lies at an offset of a file."""
        table = self._tables.of(module)
        return Frame((table and table.at(offset)) or f"{module.name}+0x{offset:x}", module.name)

    def spot(self, pid: int, address: int) -> Spot | None:
        """Where a thread of the process is that is at this address; None where nothing is known of that."""
        process = self._process(pid)
        region = process.region(address)
        if region is None:
            return None
        module = region.module
        table = self._tables.of(module) if module else None
        if not table and (made := process.made(address)):  # also in memory that is shared, which has a file's name
            return Spot(Frame(made, JIT), process.made_at(address))
        if module is None:
            return Spot(Frame(region.label, region.label)) if region.label else None
        if not table and module.path.startswith(_MEMORY):
            return None
        offset = address - region.start + region.offset
        name = self._names.get(identity(module), module.name)
        start = table.start(offset) if table else -1
        return Spot(Frame(table.at(offset) if table and start >= 0 else f"{name}+0x{offset:x}", name), start)

    def nameless(self, pid: int, address: int) -> bool:
        """Whether that is in memory of no file and no kind, where JIT compilers put what they make."""
        region = self._process(pid).region(address)
        if region is None or region.module is None:
            return region is not None and not region.label
        return region.module.path.startswith(_MEMORY) and not self._tables.of(region.module)

    def has_map(self, pid: int) -> bool:
        """Whether the process keeps a map of what its compiler makes."""
        return self._process(pid).has_map

    def close(self) -> None:
        """Closes what it holds open; a second time is harmless."""
        self._tables.close()
        while self._processes:
            self._processes.popitem()[1].close()

    def _process(self, pid: int) -> "_Process":
        """What is known of it now."""
        process = self._processes.pop(pid, None) or _Process(pid)
        self._processes[pid] = process
        if process.looked < self._reading:
            process.looked = self._reading
            process.look(self._tables)
        if len(self._processes) > _MOST_PROCESSES:
            self._processes.pop(next(iter(self._processes))).close()
        return process

    def _frame(self, process: "_Process | None", layouts: Sequence[Layout], address: int) -> Frame | None:
        """What a return address belongs to; None where it can't be one."""
        call = address - 1
        region = next((region for layout in layouts if (region := layout.at(call))), None)
        if process is None and region is None:
            return _unknown(address)
        if region is None:
            return None
        module, offset = region.module, address - region.start + region.offset
        table = self._tables.of(module) if module else None
        if process and not table and (made := process.made(call)):
            return Frame(made, JIT)
        if module:
            name = self._names.get(identity(module), module.name)
            return Frame((table and table.at(offset - 1)) or f"{name}+0x{offset:x}", name)
        return Frame(region.label, region.label) if region.label in _OF_THE_KERNEL else _unknown(address)


class _Layout(Layout):
    """Where code was, and the frames that were found there."""

    def __init__(self, regions: Sequence[Region]) -> None:
        super().__init__(regions)
        self.named: dict[int, Frame] = {}


class _Process(Owner):
    """What is known of one process."""

    def __init__(self, pid: int) -> None:
        self.looked = -1  # in which reading
        self._pid = pid
        self._lines: list[bytes] = []
        self._layouts: list[_Layout] = []  # the newest first
        self._map: PerfMap | None = None
        self._map_read = False

    def look(self, tables: Tables) -> None:
        """Notes what it maps now; of one that has gone, what was known stays."""
        self._map_read = False
        try:
            thread, lines = mapped(self._pid)
        except BpfscopeError:
            return
        if lines and lines != self._lines:
            self._lines = lines
            self._layouts = [_Layout(modules.regions(thread, lines)), *self._layouts[: _GENERATIONS - 1]]
            for region in self._layouts[0].regions:
                if region.module:
                    tables.hold(region.module)
        if self._map is None:
            self._map = PerfMap(thread)
            self._map.refresh()

    def layouts(self, probed: Probed, address: int) -> list[_Layout]:
        """Those in which this probe lies there: others are of a program that the process was before, or is now."""
        return [layout for layout in self._layouts if layout.has(probed.module, probed.offset, address)]

    def region(self, address: int) -> Region | None:
        """What lies there, or lay there last."""
        return next((region for layout in self._layouts if (region := layout.at(address))), None)

    def made(self, address: int) -> str:
        """The name of what a JIT compiler made there; empty where that isn't known."""
        if self._map is None:
            return ""
        if not self._map_read:
            self._map_read = True
            self._map.refresh()
        return self._map.name(address)

    @property
    def has_map(self) -> bool:
        """Whether it keeps a map of what its compiler makes."""
        return self._map is not None and self._map.status() is not None

    def made_at(self, address: int) -> int:
        """Where that begins which was found there."""
        return self._map.start(address) if self._map else -1

    def close(self) -> None:
        """Closes its map of names; a second time is harmless."""
        if self._map:
            self._map.close()


def _unknown(address: int) -> Frame:
    return Frame(f"0x{address:x}", "")


def _around(probed: Probed, address: int) -> _Layout:
    """What can be told by a hit alone: the part of the file that the probe is in lay around it."""
    module, segment, offset = probed
    start = address - (offset - segment.offset)
    return _Layout([Region(start, start + segment.file_size, segment.offset, module)])


def running(module: Module) -> list[int]:
    """The processes that run a file now, as many as can be known."""
    found = []
    for entry in filter(str.isdecimal, os.listdir("/proc")):
        try:
            status = os.stat(f"/proc/{modules.teller(int(entry))}/exe")
        except OSError:
            continue
        if (status.st_dev, status.st_ino) == identity(module):
            found.append(int(entry))
    return found[:_MOST_PROCESSES]
