"""What probes share that read the values of calls: choosing places, plans, attaching; the base of two of them."""

import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from tui.bpf.events import Events
from tui.bpf.features import Method, attach_method
from tui.bpf.frames import Timed
from tui.collectors import reading, returns
from tui.collectors.files import Chosen, Files, nothing_attached
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
    notes: tuple[str, ...]  # what isn't quite right, or isn't read


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
        self._started = self._swept = 0.0
        self.reads: dict[Function, Reads] = {}  # of what is attached
        self.watch = Watch(target.pid) if target.pid is not None else None

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
        self, signatures: Mapping[Function, Signature], *, ring: int = 0, rows: int = 0
    ) -> tuple[list[Member], Attached]:
        """Attaches once; members in the order of the records' indexes, those that are refused included."""
        needed = self._every_return or any(reading.needs_returns(self._wanted, each) for each in signatures.values())
        chosen, skipped = self._files.choose(list(signatures), returns=needed)
        members: list[Member] = []
        wrong: UsageError | None = None
        for each in chosen:
            try:
                member = self._member(each, signatures[each.function])
            except UsageError as error:
                wrong, member = wrong or error, str(error)
            if isinstance(member, Member):
                members.append(member)
            else:
                skipped.append(Skipped(each.function, member))
        if not members:
            raise wrong or nothing_attached(skipped)
        places, plans = [each.place for each in members], [each.reads.plan for each in members]
        self._events = Events(places, plans, self._target.pid, self._method, ring=ring, rows=rows)
        rejected = self._events.rejected
        skipped += [Skipped(members[index].function, reason) for index, reason in rejected.items()]
        attached = [member for index, member in enumerate(members) if index not in rejected]
        if not attached:
            raise nothing_attached(skipped)
        self._started = time.monotonic()
        self.reads = {each.function: each.reads for each in attached}
        inexact = tuple(Skipped(each.function, note) for each in attached for note in each.notes)
        return members, Attached(tuple(each.function for each in attached), tuple(skipped), inexact)

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
        notes = (note, f"without durations: {unseen}" if self._every_return and unseen else "", signature.note)
        return Member(chosen.function, place, reads, (*filter(None, notes), *reads.unread))

    def _swept_events(self, said: str) -> Events | None:
        """What is attached, after a look for calls of threads that have ended, if it is time for one."""
        now = time.monotonic()
        if self._events and (said or now - self._swept > _SWEEP_SECONDS):
            self._events.sweep()
            self._swept = now
        return self._events

    def _ended(self) -> str:
        return ended(self.watch, self._method)
