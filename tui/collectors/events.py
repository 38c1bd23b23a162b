"""A probe that hands over each call with its values; a context manager."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from tui.bpf.plans import HEADER
from tui.collectors.calls import CallsProbe, Member
from tui.collectors.decoding import Decoder
from tui.collectors.reading import NOTHING, Wanted
from tui.collectors.samples import Attached, Event, EventsSample
from tui.collectors.target import Target
from tui.elf.names import Function
from tui.elf.values import Signature
from tui.errors import BpfscopeError
from tui.text import sanitise

SIZE: Final = 4 << 20  # bytes of the ring buffer: some 50,000 calls with two numbers each
MOST: Final = 2_000  # functions
_MOST_READ: Final = 100_000  # records at a time
_Header = tuple[int, int, int, int, bytes, int, int]


class EventsProbe(CallsProbe):
    """Traces calls of functions of one target. Leaving it detaches everything."""

    def __init__(
        self, target: Target, wanted: Wanted | None = None, *, size: int = SIZE, return_probes: bool = False
    ) -> None:
        """Nothing is attached yet. Durations and results are read wherever returns can be seen.

        Raises TargetError, NotPermitted, NotSupported.
        """
        super().__init__(target, wanted or Wanted(), every_return=True, return_probes=return_probes)
        self._size = size
        self._makers: list[Callable[[_Header, bytes], Event]] = []
        self._seen = 0

    def fileno(self) -> int:
        """Readable when there are events; -1 before functions were added."""
        return self._events.fileno() if self._events else -1

    def add(
        self,
        functions: Sequence[Function],
        signatures: Mapping[Function, Signature] = MappingProxyType({}),
        limit: float | None = None,
        off: Collection[Function] = (),
    ) -> Attached:
        """Traces these, once, with the values that their signatures name; without a signature, without values.

        What is `off`, and of many what would clearly exceed the budget `limit` (percent), is in `held_back`, and
        not put on.
        `inexact` also says what isn't read, and why. Raises UsageError where what is wanted is nowhere, BpfscopeError
        where not one function could be attached.
        """
        if len(functions) > MOST:
            raise BpfscopeError(
                f"at most {MOST:,} functions can be traced at once, not {len(functions):,}: count first, then trace few"
            )
        known = {function: signatures.get(function, NOTHING) for function in functions}
        attached = self._attach(known, limit, off, ring=self._size)
        self._makers = [_maker(member) for member in self._members]
        return attached

    def remove(self, functions: Sequence[Function]) -> None:
        """Detaches these; the others go on."""
        self.suspend(functions)
        for function in functions:
            self._indexes.pop(function, None)

    def read(self) -> EventsSample:
        """The calls since the last time."""
        said = self._ended()
        bpf, now = self._swept_events(said), time.monotonic()
        if not bpf:
            return EventsSample(now, 0.0, (), (), 0, 0, 0, 0, 0, said)
        events: list[Event] = []
        for record in bpf.records(_MOST_READ):
            header: _Header = HEADER.unpack_from(record)
            events.append(self._makers[header[5]](header, record))
        self._seen += len(events)
        totals = bpf.totals()
        lost = totals.lost + bpf.misses()
        counts = (totals.calls, self._seen, totals.dropped, totals.unmatched, lost)
        return EventsSample(now, now - self._started, self.functions, tuple(events), *counts, said)


def _maker(member: Member) -> Callable[[_Header, bytes], Event]:
    """What makes events of a function's records."""
    function, reads, returns = member.function, member.reads, member.reads.plan.returns
    decode, split = Decoder(reads), len(reads.parameters)
    parameters, results = reads.names[:split], reads.names[split:]

    def event(header: _Header, record: bytes) -> Event:
        start, took, thread, goroutine, comm, _, unreadable = header
        values = decode(record, HEADER.size, unreadable)
        return Event(
            function,
            start,
            took if returns else None,
            thread >> 32,
            thread & 0xFFFFFFFF,
            _readable(comm),
            goroutine,
            tuple(zip(parameters, values)),  # noqa: B905 - the keyword would take as long again
            tuple(zip(results, values[split:])),  # noqa: B905
        )

    return event


@lru_cache(1024)
def _readable(comm: bytes) -> str:
    return sanitise(comm.partition(b"\0")[0].decode("utf-8", "surrogateescape"))
