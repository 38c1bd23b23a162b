"""Where a target spends its CPU time, by functions, without a probe; a context manager."""

import time
from collections import Counter
from contextlib import ExitStack
from typing import Final

from tui.bpf.sampling import Ticks
from tui.collectors import jit
from tui.collectors.samples import HotSample
from tui.collectors.symboliser import Spot, Symboliser, running
from tui.collectors.target import Target, Watch
from tui.errors import TargetError
from tui.owner import Owner

_KERNEL: Final = 1 << 63  # addresses from here on are the kernel's
_MOST: Final = 65_536  # different functions, or places without one; others are "elsewhere"
_WORTH_SAYING: Final = 0.02  # of all: what has no names


class Sampler(Owner):
    """Samples a process, or all that run a file now. Leaving it ends that."""

    def __init__(self, target: Target) -> None:
        """Raises TargetError where nothing runs, NotPermitted, NotSupported."""
        pids = [target.pid] if target.pid is not None else running(target.modules[0])
        if not pids:
            raise TargetError(f"nothing runs {target.name}: start it, and try again")
        self._spots: Counter[Spot] = Counter()
        self._nameless: Counter[int] = Counter()  # of `elsewhere`, by process: in what a JIT compiler made
        self._advice = ""
        self._kernel = self._elsewhere = 0
        with ExitStack() as owned:
            self.watch = owned.enter_context(Watch(target.pid)) if target.pid is not None else None
            self._symboliser = owned.enter_context(Symboliser(target))
            self._ticks = owned.enter_context(Ticks(pids))
            self._owned = owned.pop_all()
        self._started = time.monotonic()

    def read(self) -> HotSample:
        """What is known now. Naming new functions may mean to read files' tables, up to a second for the largest."""
        now = time.monotonic()
        ended = self.watch.ended() if self.watch else ""
        self._symboliser.begin()
        for (process, address), ticks in Counter(self._ticks.take()).items():
            if address >= _KERNEL:
                self._kernel += ticks
            elif (spot := self._symboliser.spot(process, address)) and self._has_room(spot):
                self._spots[spot] += ticks
            else:
                self._elsewhere += ticks
                if spot is None and self._symboliser.nameless(process, address):
                    self._nameless[process] += ticks
        counts: Counter[tuple[str, str]] = Counter()
        starts: Counter[tuple[str, int]] = Counter()
        modules: Counter[str] = Counter()
        for ((name, module), start), ticks in self._spots.items():
            counts[module, name] += ticks
            modules[module] += ticks
            if start >= 0:
                starts[module, start] += ticks
        lost = self._ticks.lost
        total = self._spots.total() + self._kernel + self._elsewhere + lost
        elapsed = now - self._started
        return HotSample(
            now, elapsed, total, self._kernel, self._elsewhere, lost, counts, starts, modules, ended, self._note(total)
        )

    def close(self) -> None:
        """Ends it; a second time is harmless."""
        self._owned.close()

    def _note(self, total: int) -> str:
        """How much of the time is in code that a JIT compiler made and nothing names, and what to do about it."""
        nameless = self._nameless.total()
        if not nameless or nameless < _WORTH_SAYING * total:
            return ""
        if not self._advice:
            process = self._nameless.most_common(1)[0][0]
            self._advice = jit.advice(process, has_map=self._symboliser.has_map(process))
        return f"{100 * nameless / total:.1f} % in code made at run time that has no names: {self._advice}"

    def _has_room(self, spot: Spot) -> bool:
        return spot in self._spots or len(self._spots) < _MOST
