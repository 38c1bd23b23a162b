"""Owns the maps and the program that count packets for one filter at one hook, and reads them.

Nothing is attached here: `hooks.attach` takes `program`. What was counted stays readable until the counter is closed.
"""

import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from operator import add
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.bpf.classic.checker import check
from tui.bpf.counting import possible_cpus
from tui.bpf.extended.translate import expand
from tui.bpf.hooks import Hook, load
from tui.bpf.objects import refusal
from tui.bpf.packets.groups import BINS
from tui.bpf.packets.layout import HITS, KEPT, MATCHED, NONE, OTHERS, SEEN, SEGMENTS, UNKEPT
from tui.bpf.packets.program import HEAD, Spec, program
from tui.bpf.packets.tally import HASHES, NAME, PACKETS, SLOTS, TABLES, cells
from tui.bpf.ring import Ring
from tui.owner import Owner

GROUPS: Final = 16_384  # that find room between two readings, and that the reader keeps
_RING: Final = 1 << 20  # bytes
_FIRST: Final = bytes(4)  # the key of an array's first entry
_PARITIES: Final = 2  # even and odd turns
_FIRST_TURN: Final = 2  # slots are of turn 0 before they are filled
_PAIR: Final = struct.Struct("=2Q")  # packets, bytes
_RECORD: Final = struct.Struct("=Q6I")
_OUTGOING: Final = 4  # PACKET_OUTGOING: include/uapi/linux/if_packet.h


class Amount(NamedTuple):
    """Packets, and their bytes."""

    packets: int = 0
    bytes: int = 0

    def plus(self, packets: int, bytes_: int) -> "Amount":
        """With more."""
        return Amount(self.packets + packets, self.bytes + bytes_)


class Figures(NamedTuple):
    """What was counted since the program began to run."""

    seen: Amount
    matched: Amount
    segments: int
    none: Amount  # of what matched, without what it is grouped by
    others: Amount  # of what matched, whose group found no room
    kept: int  # samples
    unkept: int  # samples for which the ring had no room
    hits: tuple[int, ...]  # per instruction of the classic program


class Sample(NamedTuple):
    """A packet that was kept."""

    time: int  # nanoseconds since the machine was started, without its sleep (CLOCK_MONOTONIC)
    length: int  # bytes of the whole packet
    outgoing: bool
    tpid: int  # of a tag that the kernel took out; 0: it didn't
    tci: int
    data: bytes


class Turns(Owner):
    """Owns what tells programs, of several counters at one instant, in which turn they count."""

    def __init__(self) -> None:
        """Nothing is counted until `begin`. Raises NotPermitted, NotSupported."""
        self._owned = ExitStack()
        self._next = self.ended = 0  # in turn 0 nothing is counted
        try:
            self.fd = kernel.map_create(kernel.MAP_TYPE_ARRAY, 4, 8, 1, kernel.F_MMAPABLE, "turn")
            self._owned.callback(os.close, self.fd)
            self._fences = kernel.map_create(kernel.MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 1, 0, "fences", self.fd)
            self._owned.callback(os.close, self._fences)
            self._turn = _mapped(self.fd, self._owned)
        except OSError as error:
            self.close()
            raise refusal(error, "create a BPF map") from None

    def begin(self) -> None:
        """Packets are counted from now on."""
        self._turn[0] = self._next = _FIRST_TURN

    def end(self, *, last: bool = False) -> None:
        """Packets are counted in the next turn from now on, or after the last one not at all; then the turn is over.

        No program that began in it runs any more when this returns: putting a map into a map of maps takes until then
        (4.20), some milliseconds.
        """
        self.ended = self._next
        if self._turn[0]:
            self._next += 1
            self._turn[0] = 0 if last else self._next
        kernel.map_update(self._fences, _FIRST, self.fd.to_bytes(4, "little"))

    def close(self) -> None:
        """Gives everything back; a second time is harmless."""
        self._owned.close()


class PacketCounter(Owner):
    """Owns one program and its maps. Read it from one thread: whenever a turn has ended, `take` what was counted."""

    def __init__(self, hook: Hook, spec: Spec, turns: Turns) -> None:
        """The turns stay the caller's. Raises NotPermitted, NotSupported; CheckError for what is no classic program."""
        check(spec.filter)
        self.spec = spec
        self._groups, self._cpus = GROUPS, possible_cpus()
        self._owned = ExitStack()
        self._turns, self._maps = turns, {"turn": turns.fd}
        self._amounts: dict[bytes, Amount] = {}
        self._dropped = Amount()  # groups that the reader keeps no more
        self._size = HITS + (8 * len(spec.filter) if spec.hits else 0)
        self._cells, self._bins = [0] * (self._size // 8), [0] * (2 * BINS)
        try:
            self._make("figures", kernel.MAP_TYPE_PERCPU_ARRAY, self._size, entries=_PARITIES)
            self._make_groups()
            self._ring = self._make_ring(_RING) if spec.snapshot else None
            assembled = program(spec)
            self.program = load(hook, assembled.bytecode(self._maps), "bpfscope")
            self._owned.callback(os.close, self.program)
        except OSError as error:
            self.close()
            raise refusal(error, "create a BPF map") from None
        except BaseException:
            self.close()
            raise

    def take(self) -> None:
        """Adds up what was counted in the turn that has ended; no program that began in it may still run."""
        turn = self._turns.ended
        self._cells = list(map(add, self._cells, self._taken("figures", self._size, turn)))
        if self.spec.by.binned:
            self._bins = list(map(add, self._bins, self._taken("bins", 16 * BINS, turn)))
        elif self.spec.by.value:
            self._take_groups(turn)

    def figures(self) -> Figures:
        """All that was taken since the start."""
        cells = self._cells

        def amount(offset: int) -> Amount:
            return Amount(*cells[offset // 8 : offset // 8 + 2])

        hits = expand(self.spec.filter, self.spec.kind, cells[HITS // 8 :]) if self.spec.hits else ()
        others = amount(OTHERS).plus(*self._dropped)
        rest = (cells[SEGMENTS // 8], amount(NONE), others, cells[KEPT // 8], cells[UNKEPT // 8])
        return Figures(amount(SEEN), amount(MATCHED), *rest, tuple(hits))

    def groups(self) -> dict[bytes, Amount] | dict[int, Amount]:
        """All groups since the start, by their keys or bins: of the same packets as the figures."""
        if not self.spec.by.binned:
            return self._amounts
        pairs = zip(self._bins[::2], self._bins[1::2], strict=True)
        return {number: Amount(*pair) for number, pair in enumerate(pairs) if pair[0]}

    def samples(self, most: int) -> Iterator[Sample]:
        """Packets that were kept since the last time, at most so many."""
        if self._ring is not None:
            for record in self._ring.records(most):
                time, length, here, tci, tpid, tagged, kind = _RECORD.unpack_from(record)
                swapped = int.from_bytes(tpid.to_bytes(4, "little")[:2], "big") if tagged else 0
                data = record[HEAD : HEAD + here]
                yield Sample(time, length, kind == _OUTGOING, swapped, tci if tagged else 0, data)

    def allow(self, samples: int) -> None:
        """Lets the program keep so many more packets from now on, and no others."""
        if self._ring is not None:
            self._quota[0] = self._quota[1] + max(0, samples)

    def close(self) -> None:
        """Gives everything back; a second time is harmless."""
        self._owned.close()

    def _make(
        self, name: str, kind: int, value: int, *, key: int = 4, entries: int = 1, flags: int = 0, inner: int = 0
    ) -> int:
        fd = kernel.map_create(kind, key, value, entries, flags, name, inner)
        self._owned.callback(os.close, fd)
        self._maps[name] = fd
        return fd

    def _make_groups(self) -> None:
        by = self.spec.by
        if by.binned:
            self._make("bins", kernel.MAP_TYPE_PERCPU_ARRAY, 16 * BINS, entries=_PARITIES)
            self._make("moment", kernel.MAP_TYPE_ARRAY, 8)
        elif by.value:
            for name, table in zip(HASHES, TABLES, strict=True):
                self._make(name, kernel.MAP_TYPE_HASH, _PAIR.size, key=by.key_size, entries=self._groups)
                slot = NAME + 8 * cells(by.key_size)
                self._make(table, kernel.MAP_TYPE_PERCPU_ARRAY, slot, entries=SLOTS)

    def _take_groups(self, turn: int) -> None:
        """What finds no room any more becomes others."""
        amounts = self._amounts
        for key, value in kernel.map_items(self._maps[HASHES[turn & 1]], self.spec.by.key_size, _PAIR.size, drain=True):
            amounts[key] = amounts.get(key, Amount()).plus(*_PAIR.unpack(value))
        for key, packets, size in self._in_slots(turn):
            amounts[key] = amounts.get(key, Amount()).plus(packets, size)
        if len(amounts) > self._groups:
            kept = sorted(amounts.items(), key=lambda item: -item[1].packets)
            self._amounts = dict(kept[: self._groups])
            for _, amount in kept[self._groups :]:
                self._dropped = self._dropped.plus(*amount)

    def _in_slots(self, turn: int) -> Iterator[tuple[bytes, int, int]]:
        """What the tables of all CPUs still hold of a turn that is over."""
        size = self.spec.by.key_size
        slot = NAME + 8 * cells(size)
        filled = turn.to_bytes(8, "little")
        for _, values in kernel.map_items(self._maps[TABLES[turn & 1]], 4, slot * self._cpus):
            for at in range(0, len(values), slot):
                if values[at : at + 8] == filled:
                    yield values[at + NAME : at + NAME + size], *_PAIR.unpack_from(values, at + PACKETS)

    def _make_ring(self, size: int) -> Ring:
        fd = self._make("samples", kernel.MAP_TYPE_RINGBUF, 0, key=0, entries=size)
        self._quota = _mapped(self._make("quota", kernel.MAP_TYPE_ARRAY, 16, flags=kernel.F_MMAPABLE), self._owned)
        return self._owned.enter_context(Ring(fd, size))

    def _taken(self, name: str, size: int, turn: int) -> list[int]:
        """The cells of an array's entry for a turn that is over, added up over the CPUs; they are 0 afterwards."""
        key, whole = (turn & 1).to_bytes(4, "little"), size * self._cpus
        value = kernel.map_lookup(self._maps[name], key, whole) or bytes(whole)
        kernel.map_update(self._maps[name], key, bytes(whole))
        cells, number = memoryview(value).cast("Q"), size // 8
        return _added(cells[at : at + number].tolist() for at in range(0, number * self._cpus, number))


def _mapped(fd: int, owned: ExitStack) -> "memoryview[int]":
    """The cells of an array of one entry, as the kernel sees them."""
    mapping = mmap.mmap(fd, mmap.PAGESIZE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    owned.callback(mapping.close)
    whole = memoryview(mapping)
    cells = whole.cast("Q")
    for view in (whole, cells):
        owned.callback(view.release)
    return cells


def _added(rows: Iterator[list[int]]) -> list[int]:
    total = next(rows)
    for row in rows:
        total = list(map(add, total, row))
    return total
