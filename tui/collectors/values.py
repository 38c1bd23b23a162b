"""A probe that counts calls of one function by what it was given and what it gave; a context manager."""

import time
from collections import Counter
from collections.abc import Callable, Collection
from typing import Final

from tui.bpf.plans import KEY
from tui.collectors.calls import CallsProbe
from tui.collectors.decoding import Decoder
from tui.collectors.reading import Reads, Wanted
from tui.collectors.samples import Attached, Read, ValuesRow, ValuesSample
from tui.collectors.target import Target
from tui.elf.names import USDT, Function
from tui.elf.values import Signature
from tui.errors import BpfscopeError

_Decode = Callable[[bytes, int, int], tuple[Read, ...]]
ROWS: Final = 10_240  # different values that are told apart


class ValuesProbe(CallsProbe):
    """Counts calls of one function by their values. Leaving it detaches everything."""

    def __init__(
        self, target: Target, function: Function, signature: Signature, wanted: Wanted, *,
        rows: int = ROWS, return_probes: bool = False,
    ) -> None:  # fmt: skip
        """Nothing is attached yet. Raises TargetError, NotPermitted, NotSupported."""
        super().__init__(target, wanted, every_return=False, return_probes=return_probes)
        self._function, self._signature, self._rows = function, signature, rows
        self._decoders: list[_Decode] = []  # by the records' indexes
        self._names: tuple[str, ...] = ()

    def add(self, off: Collection[Function] = ()) -> Attached:
        """Attaches, once, unless the function is `off`; `inexact` also says what isn't read, and why.

        Raises UsageError where what is wanted isn't there, BpfscopeError where nothing can be attached or read.
        """
        attached = self._attach({self._function: self._signature}, off=off, rows=self._rows)
        reads = self.reads[self._function]
        _require_values(self._function, reads)
        self._names = reads.names
        self._decoders = [_decoder(member.reads, self._names) for member in self._members]
        return attached

    def read(self) -> ValuesSample:
        """The counts now."""
        said = self._ended()
        events, now = self._swept_events(said), time.monotonic()
        if not events:
            return ValuesSample(now, 0.0, self._function, (), (), 0, 0, 0, said)
        counts: Counter[tuple[Read, ...]] = Counter()
        for key, count in events.table():
            index, unreadable = KEY.unpack_from(key)
            counts[self._decoders[index](key, KEY.size, unreadable)] += count
        totals = events.totals()
        return ValuesSample(
            now,
            now - self._started,
            self._function,
            self._names,
            tuple(ValuesRow(values, count) for values, count in counts.items()),
            totals.calls,
            totals.unmatched,
            totals.lost + totals.dropped + events.misses(),
            said,
        )


def _decoder(reads: Reads, names: tuple[str, ...]) -> _Decode:
    """What gives the values of these names; None for those that one of a USDT probe's places hasn't."""
    decode = Decoder(reads)
    if reads.names == names:
        return decode

    def by_name(record: bytes, at: int, unreadable: int) -> tuple[Read, ...]:
        found = dict(zip(reads.names, decode(record, at, unreadable), strict=True))
        return tuple(map(found.get, names))

    return by_name


def _require_values(function: Function, reads: Reads) -> None:
    if not reads.names:
        nothing = "it has no arguments" if function.origin == USDT else "nothing is known of what it takes"
        why = "; ".join(reads.unread) or nothing
        raise BpfscopeError(f"nothing of {function.name} can be read: {why}")
