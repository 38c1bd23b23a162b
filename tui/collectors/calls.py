"""What probes share that read the values of calls: choosing places, plans, attaching; the base of two of them."""

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from tui.bpf.counting import Place
from tui.bpf.events import Events
from tui.bpf.features import Method, attach_method
from tui.bpf.frames import Timed
from tui.collectors import calibration, reading, returns
from tui.collectors.budget import HeldBack, hold_back
from tui.collectors.files import Chosen, Files, attached_places, nothing_attached
from tui.collectors.probe import ended
from tui.collectors.reading import Reads, Wanted
from tui.collectors.samples import Attached
from tui.collectors.target import Target, Watch
from tui.elf.names import Function, Skipped
from tui.elf.values import Signature
from tui.errors import UsageError
from tui.owner import Owner

_SWEEP_SECONDS: Final = 1.0  # between looks for calls of threads that have ended


class Member(NamedTuple):
    """A function whose calls are read."""

    function: Function
    place: Timed
    reads: Reads
    emulated: bool  # its entry
    notes: tuple[str, ...]  # what isn't quite right, or isn't read

    def costs(self, costs: calibration.Costs) -> tuple[int, int]:
        """Nanoseconds that a hit of its entry takes, and a whole call."""
        hit = costs.hit(emulated=self.emulated)
        if self.place.returns is None:
            return hit, hit
        return hit, costs.call(emulated=self.emulated, return_probe=not self.place.returns).cost


class CallsProbe(Owner):
    """Reads calls of functions of one target. Leaving it detaches everything."""

    def __init__(self, target: Target, wanted: Wanted, *, every_return: bool, return_probes: bool) -> None:
        """Nothing is attached yet. `every_return`: returns are seen wherever they can be, not only where they must.

        Raises TargetError, NotPermitted, NotSupported.
        """
        self._method: Method = attach_method()
        self._target, self._wanted = target, wanted
        self._every_return, self._return_probes = every_return, return_probes
        self._files = Files(target)
        self._events: Events | None = None
        self._members: list[Member] = []  # by the records' indexes, those that are refused included
        self._indexes: dict[Function, tuple[int, ...]] = {}  # of what is attached; only USDT probes have several places
        self._started = self._swept = 0.0
        self.held_back = HeldBack()
        self.watch = Watch(target.pid) if target.pid is not None else None

    @property
    def functions(self) -> tuple[Function, ...]:
        """What is read, also what is suspended."""
        return tuple(self._indexes)

    @property
    def reads(self) -> dict[Function, Reads]:
        """What is read of each function's calls."""
        return {
            function: reading.together([self._members[index].reads for index in indexes])
            for function, indexes in self._indexes.items()
        }

    def stop(self) -> None:
        """Detaches everything; what was read stays to be told."""
        if self._events is not None:
            self._events.attachment.close()

    def spent(self) -> list[int]:
        """Nanoseconds that the target has lost to each function's probes."""
        if self._events is None:
            return []
        calls, back = self._events.hits()
        known = calibration.known()
        costs = [each.costs(known) for each in self._members]
        spent = [calls[at] * hit + back[at] * (call - hit) for at, (hit, call) in enumerate(costs)]
        return [sum(spent[index] for index in indexes) for indexes in self._indexes.values()]

    def suspend(self, functions: Sequence[Function]) -> None:
        """Takes these out of the target; what was seen of them stays."""
        if self._events:
            self._events.attachment.suspend(self._at(functions))

    def resume(self, functions: Sequence[Function]) -> None:
        """Puts these back."""
        if self._events:
            self._events.attachment.resume(self._at(functions))

    def _at(self, functions: Sequence[Function]) -> list[int]:
        return [index for function in functions for index in self._indexes.get(function, ())]

    def close(self) -> None:
        """Detaches everything; a second time is harmless."""
        if self._events:
            self._events.close()
            self._events = None
        self._files.close()
        if self.watch:
            self.watch.close()
            self.watch = None

    def _attach(
        self,
        signatures: Mapping[Function, Signature],
        limit: float | None = None,
        off: Collection[Function] = (),
        *,
        ring: int = 0,
        rows: int = 0,
    ) -> Attached:
        """Attaches once; what is `off`, and of many functions what clearly exceeds the budget `limit`, is held back."""
        skipped = self._choose(signatures)
        costs = calibration.costs()
        self.held_back = hold_back(
            [each.function for each in self._members],
            [Place(each.place.file, each.place.entry, each.place.semaphore) for each in self._members],
            [each.costs(costs)[1] for each in self._members],
            self._target.pid,
            self._method,
            limit,
            off,
        )
        self._events = Events(
            [each.place for each in self._members],
            [each.reads.plan for each in self._members],
            self._target.pid,
            self._method,
            ring=ring,
            rows=rows,
            off=self.held_back.indexes,
        )
        functions = [each.function for each in self._members]
        self._indexes, rejected = attached_places(functions, self._events.attachment.rejected)
        left_out = dict.fromkeys((*skipped, *rejected))
        skipped = [each for each in left_out if each.function not in self._indexes]
        if not self._indexes:
            raise nothing_attached(skipped)
        self._started = time.monotonic()
        attached = (self._members[index] for indexes in self._indexes.values() for index in indexes)
        notes = dict.fromkeys(Skipped(each.function, note) for each in attached for note in each.notes)
        partly = (each for each in left_out if each.function in self._indexes)
        return Attached(self.functions, tuple(skipped), (*notes, *partly))

    def _choose(self, signatures: Mapping[Function, Signature]) -> list[Skipped]:
        """Finds out what to attach; returns what can't be. Raises where that is everything."""
        needed = self._every_return or any(reading.needs_returns(self._wanted, each) for each in signatures.values())
        chosen, skipped = self._files.choose(list(signatures), returns=needed)
        wrong: UsageError | None = None
        for each in chosen:
            try:
                known = signatures[each.function]
                member = self._member(each, self._files.signature(each.function, each.usdt) if each.usdt else known)
            except UsageError as error:
                wrong, member = wrong or error, str(error)
            if isinstance(member, Member):
                self._members.append(member)
            else:
                skipped.append(Skipped(each.function, member))
        if not self._members:
            raise wrong or nothing_attached(skipped)
        return skipped

    def _member(self, chosen: Chosen, signature: Signature) -> Member | str:
        """What to attach, or why nothing. Raises UsageError where what is wanted isn't there."""
        if reason := returns.no_function(chosen):
            return reason
        unseen = returns.unseen(chosen, return_probes=self._return_probes)
        wanted = self._wanted._replace(results=not unseen) if self._every_return else self._wanted
        needed = reading.needs_returns(wanted, signature)
        if unseen and needed:
            return unseen
        seen = needed or (self._every_return and not unseen)
        reads = reading.choose(wanted, signature, returns=seen)
        path = self._files.path(chosen.function.module)
        place = returns.place(path, chosen, seen=seen, return_probes=self._return_probes)
        note = returns.note(chosen, return_probes=self._return_probes) if seen else chosen.site.note
        untimed = self._every_return and unseen and not chosen.usdt
        notes = (note, f"without durations: {unseen}" if untimed else "", signature.note)
        return Member(chosen.function, place, reads, chosen.site.emulated, (*filter(None, notes), *reads.unread))

    def _swept_events(self, said: str) -> Events | None:
        """What is attached, after a look for calls of threads that have ended, if it is time for one."""
        now = time.monotonic()
        if self._events and (said or now - self._swept > _SWEEP_SECONDS):
            self._events.sweep()
            self._swept = now
        return self._events

    def _ended(self) -> str:
        return ended(self.watch, self._method)
