"""Calls at many places at once, by their stacks: return addresses as the process's frame pointers lead to them.

    with Callers([Spot("/usr/bin/node", 4096, 0, 64)], pid=811, method=attach_method()) as callers:
        for key, calls in callers.take():
            parse(key), calls

Counting starts everywhere at one instant, when all is attached. What is taken is gone: whoever takes adds it up.
"""

import os
import struct
import time
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from typing import Final, NamedTuple

from tui.bpf import compiler, kernel
from tui.bpf.attachment import HANDED_BYTES, Attachment, Hook
from tui.bpf.counting import possible_cpus
from tui.bpf.features import Method
from tui.bpf.objects import Loaded
from tui.owner import Owner

_FRAMES: Final = 127  # of a stack, the called function among them: programs/stacks.c
STACKS: Final = 8_192  # different ones that find room between two readings
_SLOTS: Final = 8  # per CPU: programs/stacks.c
_HEAD: Final = struct.Struct("=2IQ")  # struct stack before its frames: process, function, cut
_KEY: Final = _HEAD.size + 8 * _FRAMES
_SLOT: Final = 2 + _KEY // 8  # struct slot, in cells: whether it is taken, in which turn, a stack
_ROW: Final = 8  # struct row, in cells: calls and lost of even and odd turns, without a slot, before, size, within
_WITHIN, _BY_FRAME = 1 << 32, 1 << 33  # programs/stacks.c
_BESIDE: Final = 72  # bytes that a hash keeps beside each key
_PATIENCE: Final = 0.05  # seconds that hits which are under way have to end; else the next reading has them


class Spot(NamedTuple):
    """Where a function is probed: a file, as the kernel will open it, an offset in it, and the function around that."""

    file: str
    offset: int
    before: int = 0  # bytes of the function before the offset
    size: int = 0  # bytes of the function; 0: not known
    semaphore: int = 0  # as of links.Site
    within: int = 0  # of a place that isn't the entry: `within` tells where the return address is


def within(distance: int, *, by_frame: bool) -> int:
    """That the return address is so many bytes above the stack pointer, or above the frame pointer."""
    return distance | _WITHIN | (_BY_FRAME if by_frame else 0)


class Row(NamedTuple):
    """What the kernel has added up for one function, until the last reading."""

    calls: int
    lost: int  # of these, whose stack found no room


class Walked(NamedTuple):
    """A stack as the kernel found it."""

    process: int  # as the kernel numbers it, outside of containers
    function: int  # its index
    cut: bool  # there are more callers
    addresses: tuple[int, ...]  # where the probe is, then return addresses, the innermost first


def memory(functions: int, stacks: int = STACKS) -> int:
    """Bytes of kernel memory that counting takes: 18 MB by default."""
    return HANDED_BYTES + 2 * stacks * (_KEY + _BESIDE) + 8 * (possible_cpus() * _SLOTS * _SLOT + functions * _ROW)


def parse(key: bytes) -> Walked:
    """A key that `take` gave."""
    process, function, cut = _HEAD.unpack_from(key)
    number = -(-(len(key) - _HEAD.size) // 8)
    addresses = struct.unpack(f"={number}Q", key[_HEAD.size :].ljust(8 * number, b"\0"))
    return Walked(process, function, bool(cut), addresses)


class Callers(Owner):
    """Owns everything that counts the stacks of one set of functions; leaving it detaches."""

    def __init__(
        self, spots: Sequence[Spot], pid: int | None, method: Method, stacks: int = STACKS, off: Collection[int] = ()
    ) -> None:
        """Attaches all that can be, but for those that are `off` for now; `attachment` knows which, by their indexes.

        Raises what `objects` and `links` raise.
        """
        self._owned = ExitStack()
        rows = max(1, len(spots))
        sizes = {"even": stacks, "odd": stacks, "slots": possible_cpus() * _SLOTS, "rows": rows}
        try:
            self._loaded = self._owned.enter_context(Loaded(compiler.shipped("stacks"), sizes))
            self._turn = self._loaded.mapped("turn", writable=True)
            self._slots = self._loaded.mapped("slots")
            self._rows = self._loaded.mapped("rows", writable=True)
            for index, spot in enumerate(spots):
                for cell, number in enumerate((spot.before, spot.size, spot.within), index * _ROW + 5):
                    self._rows[cell] = number
            self._figures = [[0] * rows * _ROW] * 2  # the rows at the end of the last even and the last odd turn
            self._taken = 0  # turns
            self.attachment = self._owned.enter_context(Attachment(self._loaded, "stacks", pid, method))
            hooks = [Hook(spot.file, spot.offset, index, semaphore=spot.semaphore) for index, spot in enumerate(spots)]
            self.attachment.attach(hooks, off=off)
        except BaseException:
            self.close()
            raise

    def take(self) -> list[tuple[bytes, int]]:
        """Calls per stack since the last time, by a key for `parse`, which is the same for the same stack."""
        if self._turn[0] == self._taken:
            self._turn[0] += 1
        if not self._settled():
            return []
        odd = self._taken & 1
        items = list(kernel.map_items(self._loaded.map("odd" if odd else "even"), _KEY, 8, drain=True))
        self._figures[odd] = self._rows.tolist()
        self._taken += 1
        return [(key.rstrip(b"\0"), int.from_bytes(value, "little")) for key, value in items]

    def row(self, index: int) -> Row:
        """A function's figures: of exactly the calls whose stacks have been taken."""
        even, odd = (figures[index * _ROW : (index + 1) * _ROW] for figures in self._figures)
        slotless = max(even[4], odd[4])
        return Row(even[0] + odd[1] + slotless, even[2] + odd[3] + slotless)

    def calls(self) -> list[int]:
        """Calls of each function now, also those whose stacks haven't been taken."""
        columns = (self._rows[cell::_ROW].tolist() for cell in (0, 1, 4))
        return list(map(sum, zip(*columns, strict=True)))

    def misses(self) -> int:
        """Hits that the kernel kept from the program."""
        return self.attachment.misses()

    def close(self) -> None:
        """Detaches everything; a second time is harmless."""
        self._owned.close()

    def _settled(self) -> bool:
        """Waits for hits that are under way and may belong to the turn before; whether they have ended."""
        due = time.monotonic() + _PATIENCE
        os.sched_yield()  # a system call: hits see the turn, before we see theirs
        while any(
            busy and turn != self._turn[0]
            for busy, turn in zip(self._slots[::_SLOT].tolist(), self._slots[1::_SLOT].tolist(), strict=True)
        ):
            if time.monotonic() > due:
                return False
            time.sleep(0.0001)
        return True
