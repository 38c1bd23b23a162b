"""Calls at many places with their values: as records in a ring buffer, or counted by their values.

    with Events([Timed("/usr/bin/node", 4096, None)], [Plan(())], pid, method, ring=1 << 22) as events:
        events.attachment.rejected, list(events.records(1000)), events.totals()

Counting starts everywhere at one instant, when all is attached; calls that are under way then are not seen, and their
returns are no news.
"""

import mmap
import struct
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from typing import Final, NamedTuple

from tui.bpf import compiler, kernel, plans
from tui.bpf.attachment import HANDED_BYTES, Attachment
from tui.bpf.counting import possible_cpus
from tui.bpf.features import Method, sees_real_pids
from tui.bpf.frames import Ended, Kept, Timed, hooks, swept
from tui.bpf.objects import Loaded, ObjectSpec, refusal
from tui.bpf.plans import KEY, Plan
from tui.bpf.ring import Ring
from tui.owner import Owner

_ROW: Final = 8  # cells of struct row
_RETURNS, _TURN = 6, 7  # two of them
_SLOTS: Final = 4  # per CPU
_FRAMES: Final = 65_536  # calls under way, where their memory allows
_FRAME_MEMORY: Final = 16 << 20
_BESIDE: Final = 72  # bytes that a hash keeps beside a value, its key included
_TOOK_AT: Final = 8  # in a frame: its lowest bit says whether it is to become a record
_THREAD_AT: Final = 16  # and there the thread, the lower half of its number in Linux


class Totals(NamedTuple):
    """What became of the calls."""

    calls: int
    filtered: int  # that a condition left out
    unmatched: int  # calls that never returned, or weren't seen to: their function was taken off meanwhile
    strays: int  # returns of calls that were not seen: they began before counting did, or found no room
    lost: int  # calls that found no room to wait for their return, or to be looked at
    dropped: int  # calls that found no room in the ring buffer or table


def memory(functions: int, *, ring: int = 0, rows: int = 0) -> int:
    """Bytes of kernel memory that reading calls takes at most."""
    maps = {spec.name: spec for spec in compiler.shipped("events").maps}
    each = sum(maps[name].value_size for name in ("stats", "plans"))
    slots = _SLOTS * possible_cpus() * maps["slots"].value_size
    return functions * each + slots + _FRAME_MEMORY + HANDED_BYTES + ring + rows * (maps["counts"].key_size + _BESIDE)


class Events(Owner):
    """Owns everything that sees the calls of one set of functions; leaving it detaches."""

    def __init__(
        self, places: Sequence[Timed], wanted: Sequence[Plan], pid: int | None, method: Method, *,
        ring: int = 0, rows: int = 0, off: Collection[int] = (),
    ) -> None:  # fmt: skip
        """Attaches all that can be; `attachment` has the rest. A plan for each place. `off` are held back for now.

        Calls become records in a ring buffer of at least `ring` bytes, or are counted in a table of `rows` rows.

        Raises what `objects` and `links` raise.
        """
        self._places, self._pid = places, pid
        self._swept = self._away = 0  # calls that were taken out; and those of threads that have ended
        self._returns = any(plan.returns for plan in wanted)
        self._frame = max(plan.kept for plan in wanted)
        self._key = KEY.size + 8 * max(plan.cells for plan in wanted)
        ring = max(mmap.PAGESIZE, 1 << (ring - 1).bit_length() if ring else 0)
        self._room = min(_FRAMES, _FRAME_MEMORY // (self._frame + _BESIDE)) if self._returns else 1
        self._owned = ExitStack()
        sizes = {
            "stats": len(places), "plans": len(places), "slots": _SLOTS * possible_cpus(),
            "frames": self._room, "counts": max(1, rows), "ring": ring,
        }  # fmt: skip
        try:
            self._loaded = self._owned.enter_context(Loaded(self._spec(), sizes))
            self._cells = self._loaded.mapped("stats", writable=True)
            self._write(wanted)
            self._ring = self._owned.enter_context(_ring(self._loaded.map("ring"), ring))
            program = "table" if rows else "trace"
            self._attachment = self._owned.enter_context(
                Attachment(self._loaded, program, pid, method, next_turn=self._next_turn)
            )
            self._attachment.attach(*hooks(places), off=off)
        except BaseException:
            self.close()
            raise

    @property
    def attachment(self) -> Attachment:
        """What takes functions off and puts them back, by their indexes."""
        return self._attachment

    def fileno(self) -> int:
        """Readable when there are records."""
        return self._loaded.map("ring")

    def totals(self) -> Totals:
        """All functions' totals now."""
        cells = (self._cells[at::_ROW].tolist() for at in range(_RETURNS))
        calls, filtered, left, strays, lost, dropped = map(sum, cells)
        return Totals(calls, filtered, left + self._swept + self._away, strays, lost, dropped)

    def hits(self) -> tuple[list[int], list[int]]:
        """Calls, and returns, of each function now: what the target pays for."""
        return self._cells[::_ROW].tolist(), self._cells[_RETURNS::_ROW].tolist()

    def records(self, most: int) -> Iterator[bytes]:
        """Records (plans.HEADER and cells) since the last time, at most so many, in the order in which they came."""
        return self._ring.records(most)

    def table(self) -> list[tuple[bytes, int]]:
        """The rows now: plans.KEY and cells, and calls."""
        rows = kernel.map_items(self._loaded.map("counts"), self._key, 8)
        return [(key, struct.unpack("=Q", value)[0]) for key, value in rows]

    def sweep(self) -> None:
        """Finds the calls that never return: they count as unmatched from then on, unless they return all the same.

        Of functions that are taken off; of threads that have ended, where threads can be told by their numbers: of one
        process, seen from outside of containers, not in Go; and where there are many, those that were outlived.
        """
        if not self._returns:
            return
        ended = Ended(self._pid) if self._pid is not None and sees_real_pids() else None
        off = self._attachment.off
        kept = Kept(self._frame, _THREAD_AT, self._room)
        gone, away = swept(ended, self._loaded.map("frames"), kept, self._places, off)
        self._swept += sum(frame[_TOOK_AT] & 1 for _, frame in gone)
        self._away = sum(frame[_TOOK_AT] & 1 for _, frame in away)

    def misses(self) -> int:
        """Hits that the kernel kept from the program."""
        return self._attachment.misses()

    def close(self) -> None:
        """Detaches everything; a second time is harmless."""
        self._owned.close()

    def _next_turn(self, function: int) -> None:
        self._cells[function * _ROW + _TURN] += 1

    def _spec(self) -> ObjectSpec:
        """The program, with frames and keys as long as these plans need them."""
        spec = compiler.shipped("events")
        maps = {each.name: each for each in spec.maps}
        maps["frames"] = maps["frames"]._replace(value_size=self._frame)
        maps["counts"] = maps["counts"]._replace(key_size=self._key)
        return spec._replace(maps=tuple(maps.values()))

    def _write(self, wanted: Sequence[Plan]) -> None:
        packed = b"".join(map(plans.pack, wanted))
        self._loaded.mapped("plans", writable=True)[:] = memoryview(packed).cast("Q")


def _ring(fd: int, size: int) -> Ring:
    try:
        return Ring(fd, size)
    except OSError as error:
        raise refusal(error, "map a ring buffer") from None
