"""A probe that counts: functions and the batches that attach them; a context manager."""

import select
import time
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from tui.bpf.counting import Batch, Place, main_thread_ended
from tui.bpf.features import Method, attach_method
from tui.collectors import calibration
from tui.collectors.budget import HeldBack
from tui.collectors.files import Files, attached_places, nothing_attached
from tui.collectors.samples import Attached, CountsSample
from tui.collectors.target import Target, Watch
from tui.elf.names import Function, Skipped
from tui.owner import Owner

_LAST_MOMENTS: Final = 200  # milliseconds that a process takes to end, all its threads


class _Member(NamedTuple):
    """Where a probed function's count is."""

    batch: Batch
    cells: tuple[int, ...]  # one for each of its places: only USDT probes have several
    cost: int  # nanoseconds per call


class CountingProbe(Owner):
    """Counts calls of functions of one target. Owns its batches; leaving it detaches everything."""

    def __init__(self, target: Target) -> None:
        """Nothing is attached yet. Raises TargetError, NotPermitted, NotSupported."""
        self._method: Method = attach_method()
        self._target = target
        self._files = Files(target)
        self._members: dict[Function, _Member] = {}
        self._batches: list[Batch] = []
        self._functions: tuple[Function, ...] = ()
        self.started = 0.0  # when the first functions began to be counted: what comes after attaching takes time, too
        self.held_back = HeldBack()
        self.watch = Watch(target.pid) if target.pid is not None else None

    def add(self, functions: Sequence[Function], off: Collection[Function] = ()) -> Attached:
        """Probes these too; those that are probed already stay as they are.

        What is `off` is in `held_back`, and not put on.
        Raises BpfscopeError where not one could be attached that wasn't before.
        """
        wanted = [function for function in dict.fromkeys(functions) if function not in self._members]
        chosen, skipped = self._files.choose(wanted)
        notes = {each.function: each.site.note for each in chosen if each.site.note}
        if not chosen:
            if skipped:
                raise nothing_attached(skipped)
            return Attached((), ())
        places = [Place(self._files.path(each.function.module), each.site.offset, each.semaphore) for each in chosen]
        held = tuple(at for at, each in enumerate(chosen) if each.function in off)
        self.held_back = HeldBack(tuple(dict.fromkeys(chosen[at].function for at in held)), indexes=held)
        batch = Batch(places, self._target.pid, self._method, off=held)
        self.started = self.started or time.monotonic()
        self._batches.append(batch)
        costs = calibration.known()
        on, rejected = attached_places([each.function for each in chosen], batch.rejected)
        for function, cells in on.items():
            self._members[function] = _Member(batch, cells, costs.hit(emulated=chosen[cells[0]].site.emulated))
        skipped += [each for each in rejected if each.function not in on]
        self._functions = tuple(self._members)
        attached = tuple(on)
        if not attached:
            raise nothing_attached(skipped)
        inexact = [Skipped(function, notes[function]) for function in attached if function in notes]
        inexact += [each for each in rejected if each.function in on]
        return Attached(attached, tuple(skipped), tuple(inexact))

    def remove(self, functions: Sequence[Function]) -> None:
        """Detaches these; the counts of the others go on unbroken."""
        by_batch = self._by_batch(functions)
        for function in functions:
            self._members.pop(function, None)
        self._functions = tuple(self._members)
        for batch, indexes in by_batch.items():
            if any(member.batch is batch for member in self._members.values()):
                batch.detach(indexes)
            else:
                self._batches.remove(batch)
                batch.close()

    @property
    def functions(self) -> tuple[Function, ...]:
        """What is probed, also what is suspended."""
        return self._functions

    def spent(self) -> list[int]:
        """Nanoseconds that the target has lost to each function's probe."""
        calls = {batch: batch.calls() for batch in self._batches}
        return [sum(calls[batch][cell] for cell in cells) * cost for batch, cells, cost in self._members.values()]

    def suspend(self, functions: Sequence[Function]) -> None:
        """Takes these out of the target; their counts stay."""
        for batch, cells in self._by_batch(functions).items():
            batch.detach(cells)

    def resume(self, functions: Sequence[Function]) -> None:
        """Puts these back; they count on from where they were."""
        for batch, cells in self._by_batch(functions).items():
            batch.attach(cells)

    def _by_batch(self, functions: Sequence[Function]) -> dict[Batch, list[int]]:
        by_batch: dict[Batch, list[int]] = {}
        for function in functions:
            if member := self._members.get(function):
                by_batch.setdefault(member.batch, []).extend(member.cells)
        return by_batch

    def read(self) -> CountsSample:
        """The counts now; no system call but the clock's, the target's and one per batch for what was lost."""
        calls = {batch: batch.calls() for batch in self._batches}
        now = time.monotonic()
        return CountsSample(
            now,
            now - self.started,
            self._functions,
            tuple(sum(calls[batch][cell] for cell in cells) for batch, cells, _ in self._members.values()),
            sum(batch.misses() for batch in self._batches),
            ended(self.watch, self._method),
        )

    def close(self) -> None:
        """Detaches everything; a second time is harmless."""
        while self._batches:
            self._batches.pop().close()
        self._members.clear()
        self._functions = ()
        self._files.close()
        if self.watch:
            self.watch.close()
            self.watch = None


def ended(watch: Watch | None, method: Method) -> str:
    """Why nothing more is to be expected of the target; empty while there is."""
    if watch is None:
        return ""
    if said := watch.ended():
        return said
    if method is Method.PERF_EVENT and main_thread_ended(watch.pid):
        poll = select.poll()
        poll.register(watch, select.POLLIN)
        if poll.poll(_LAST_MOMENTS) and (said := watch.ended()):  # the others end with it
            return said
        return "lost its main thread: before Linux 6.6 nothing more of it can be seen"
    return ""
