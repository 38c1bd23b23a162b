"""Counting calls at many places at once: a batch of sites with its map, its program and its links.

    with Batch({"/usr/bin/node": [4096, 8192]}, pid=811, method=attach_method()) as batch:
        batch.rejected, batch.calls()

Counting starts everywhere at one instant, when all is attached. `detach` takes sites off while the others count on.
"""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from tui.bpf import compiler, kernel
from tui.bpf.features import Method, sees_real_pids
from tui.bpf.links import Links, Rejected, Site, let_hits_finish
from tui.bpf.objects import Loaded
from tui.errors import TargetError
from tui.owner import Owner

_CACHE_LINE_CELLS: Final = 8


class Place(NamedTuple):
    """A file, as the kernel will open it, and an offset in it."""

    file: str
    offset: int
    semaphore: int = 0  # as of links.Site


class Batch(Owner):
    """Owns everything that counts one set of places; leaving it detaches."""

    def __init__(self, places: Sequence[Place], pid: int | None, method: Method, *, off: Collection[int] = ()) -> None:
        """Attaches all that can be, but for what is `off` until `attach`, by index; `rejected` has what can't be.

        Raises what `objects` and `links` raise.
        """
        self.rejected: dict[int, str] = {}
        self._places, self._pid, self._method = places, pid, method
        self._live = set(range(len(places))).difference(off)
        self._row = -(-len(places) // _CACHE_LINE_CELLS) * _CACHE_LINE_CELLS
        self._cpus = possible_cpus()
        self._generation = 0
        self._by_kernel = True  # whether the link tells processes apart, not the program
        self._links = Links()
        self._programs: list[int] = []
        self._loaded = Loaded(compiler.shipped("count"), {"calls": self._cpus * self._row})
        try:
            self._cells = self._loaded.mapped("calls")
            self._control = self._loaded.mapped("control", writable=True)
            self._handed = self._loaded.map("handed")
            self._attach_next()
            self._control[0] = self._generation << 1
        except BaseException:
            self.close()
            raise

    def calls(self) -> list[int]:
        """Calls since the start, per place."""
        rows = [
            self._cells[cpu * self._row : cpu * self._row + len(self._places)].tolist() for cpu in range(self._cpus)
        ]
        return list(map(sum, zip(*rows, strict=True)))

    def misses(self) -> int:
        """Hits that the kernel kept from the program."""
        return sum(map(kernel.program_misses, self._programs))

    def detach(self, indexes: Collection[int]) -> None:
        """Takes places off; the others count on without losing a call."""
        if self._method is Method.PERF_EVENT:
            self._live -= set(indexes)
            self._links.detach(indexes)
        else:
            self._change(self._live - set(indexes))

    def attach(self, indexes: Collection[int]) -> None:
        """Puts places back that were taken off; the others count on without losing a call."""
        back = set(indexes) - self._live - set(self.rejected)
        if self._method is Method.PERF_EVENT:
            self._live |= back
            for index in back:
                place = self._places[index]
                self._attach(self._links, self._programs[-1], place.file, [_site(place, index)])
        else:
            self._change(self._live | back)

    def _change(self, live: set[int]) -> None:
        self._forget_handed()
        (before, self._links), (old, self._live) = (self._links, Links()), (self._live, live)
        try:
            self._attach_next()
        except BaseException:
            self._links.close()
            self._links, self._live = before, old
            raise
        self._control[0] = self._generation << 1 | 1  # from here on the new one counts, and tells the old one so
        place = self._places[min(self._live, default=0)]
        let_hits_finish(place.file, _site(place, 0), self._pid if self._by_kernel else None)
        before.close()
        self._control[0] = self._generation << 1

    def close(self) -> None:
        """Detaches everything."""
        self._links.close()
        self._loaded.close()

    def _attach_next(self) -> None:
        """Attaches what is live to a program of the next generation, which doesn't count yet."""
        self._generation += 1
        self._by_kernel = self._method is Method.MULTI and not main_thread_ended(self._pid)
        program = self._program(self._generation)
        self._programs.append(program)
        by_file: dict[str, list[Site]] = {}
        for index in sorted(self._live):
            place = self._places[index]
            by_file.setdefault(place.file, []).append(_site(place, index))
        for file, sites in by_file.items():
            for rejected in self._attach(self._links, program, file, sites):
                self.rejected[rejected.site.cookie] = rejected.reason
                self._live.discard(rejected.site.cookie)

    def _program(self, generation: int) -> int:
        """The program, loaded with what this batch sets."""
        tgid = self._pid if self._pid and not self._by_kernel and sees_real_pids() else 0
        if self._method is Method.MULTI and not self._by_kernel and not tgid and self._pid:
            raise TargetError(
                "the process's main thread has ended, and from within a container its others can't be told"
            )
        constants = {"tgid": tgid, "row": self._row, "generation": generation}
        multi = self._method is not Method.PERF_EVENT
        return self._loaded.program("count", kernel.ATTACH_UPROBE_MULTI if multi else 0, constants)

    def _attach(self, links: Links, program: int, file: str, sites: list[Site]) -> list[Rejected]:
        if self._method is Method.PERF_EVENT:
            return links.attach_perf(program, file, sites, self._pid or -1)
        return links.attach_multi(program, file, sites, self._pid or 0 if self._by_kernel else 0)

    def _forget_handed(self) -> None:
        """Makes room: the last hand-over left a note for each thread that called meanwhile."""
        while (thread := kernel.map_first_key(self._handed, 8)) is not None:
            kernel.map_delete(self._handed, thread)


def _site(place: Place, index: int) -> Site:
    return Site(place.offset, index, place.semaphore)


def main_thread_ended(pid: int | None) -> bool:
    """Whether only other threads of the process go on: the kernel's filter by process then lets nothing through."""
    if pid is None:
        return False
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2][:1] == b"Z"
    except OSError:
        return False


def possible_cpus() -> int:
    """One more than the highest number that a CPU of this machine can get (cpu/possible: 0-3, 0,2-5)."""
    with open("/sys/devices/system/cpu/possible", encoding="ascii") as file:
        return int(file.read().strip().replace(",", "-").split("-")[-1]) + 1
