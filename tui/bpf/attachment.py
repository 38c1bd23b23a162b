"""A program at the entries and returns of functions, and taking functions off while the others go on.

The program has the constants `tgid` and `generation` and asks RUNNING (include/running.h) whether a hit is for it: the
first cell of `control` has the generation that works, whether it is taking over, and whether it counts. A multi link
can't lose a member, so functions are taken off by attaching the others to a program of the next generation before the
old one goes; both are attached for a moment, and each hit is handled by exactly one.

A return must never be taken for another call's. So everything ends at one instant, before anything is detached; and a
function that is taken off, or put back, stops, or begins, at one instant too: by `next_turn`, which the owner of the
function's row gives. Functions whose turn is odd are off.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.bpf.counting import main_thread_ended
from tui.bpf.features import Method, sees_real_pids
from tui.bpf.links import Links, Rejected, Site, let_hits_finish
from tui.bpf.objects import Loaded
from tui.errors import TargetError
from tui.owner import Owner

_FUNCTION: Final = 0xFFFFFFFF  # the part of a cookie that is the function's index
_COUNTING, _HANDING = 1, 2  # include/running.h
HANDED_BYTES: Final = 8_192 * 80  # of kernel memory that the map `handed` takes there


class Hook(NamedTuple):
    """Where the program runs: a file, as the kernel will open it, an offset, and what the program gets with a hit."""

    file: str
    offset: int
    cookie: int  # its lower 32 bits are the function's index
    by_return_probe: bool = False  # when the function that was entered there returns, not there
    semaphore: int = 0  # as of links.Site

    @property
    def site(self) -> Site:
        """As links take it."""
        return Site(self.offset, self.cookie, self.semaphore)

    @property
    def function(self) -> int:
        """The index of its function."""
        return self.cookie & _FUNCTION


class Attachment(Owner):
    """Owns a program's links. `rejected` has the functions that can't be attached, by index, with reasons."""

    def __init__(
        self,
        loaded: Loaded,
        program: str,
        pid: int | None,
        method: Method,
        constants: Mapping[str, int] = MappingProxyType({}),
        next_turn: Callable[[int], None] = lambda _function: None,
    ) -> None:
        """Nothing is attached yet; `loaded`, which stays the caller's, has the program and the maps of running.h.

        `next_turn` adds one to a function's turn, by its index; all are 0 at first.
        """
        self.rejected: dict[int, str] = {}
        self._loaded, self._name, self._pid, self._method = loaded, program, pid, method
        self._constants, self._next_turn = constants, next_turn
        self._control = loaded.mapped("control", writable=True)
        self._hooks: list[Hook] = []
        self._off: set[int] = set()  # functions that were taken off
        self._programs: list[int] = []
        self._links = Links()
        self._generation = 0
        self._by_kernel = method is Method.MULTI and not main_thread_ended(pid)
        self._closed = False

    @property
    def off(self) -> Collection[int]:
        """The functions that are taken off now, by their indexes."""
        return self._off

    def attach(self, *groups: Iterable[Hook], off: Collection[int] = ()) -> None:
        """Attaches one group after the other, and then lets the program count from one instant on.

        `off` are functions that are held back until they are resumed.
        What can't be attached of a group is left out of the next: name first what a function can't do without.
        Raises NotPermitted, NotSupported, TargetError.
        """
        self._generation += 1
        self._control[0] = self._generation << 2
        self._off = set(off)
        self._begin_turns(self._off)
        program = self._program()
        for group in groups:
            hooks = [hook for hook in group if hook.function not in self.rejected]
            on = [hook for hook in hooks if hook.function not in self._off]
            for rejected in self._attach(self._links, program, on):
                self.rejected[rejected.site.cookie & _FUNCTION] = rejected.reason
            self._hooks += hooks
        self._hooks = [hook for hook in self._hooks if hook.function not in self.rejected]
        self._control[0] |= _COUNTING

    def suspend(self, functions: Collection[int]) -> None:
        """Takes functions off, by their indexes. Raises as `attach` does; then everything is as it was."""
        self._change(self._off | set(functions))

    def resume(self, functions: Collection[int]) -> None:
        """Puts functions back that were taken off. Raises as `attach` does; then everything is as it was."""
        self._change(self._off - set(functions))

    def misses(self) -> int:
        """Hits that the kernel kept from the program."""
        return sum(map(kernel.program_misses, self._programs))

    def close(self) -> None:
        """Detaches everything; a second time is harmless."""
        if not self._closed:
            self._control[0] = 0
        self._closed = True
        self._links.close()

    def _change(self, off: set[int]) -> None:
        gone, back = off - self._off, self._off - off
        self._begin_turns(gone)
        try:
            if self._method is Method.PERF_EVENT:
                back -= self._put_back([hook for hook in self._hooks if hook.function in back])
                self._links.detach([hook.cookie for hook in self._hooks if hook.function in gone])
            elif gone or back:
                back -= self._replace([hook for hook in self._hooks if hook.function not in off])
        except BaseException:
            self._begin_turns(gone)
            raise
        self._off = off
        self._begin_turns(back)

    def _begin_turns(self, functions: Iterable[int]) -> None:
        for function in functions:
            self._next_turn(function)

    def _put_back(self, hooks: Sequence[Hook]) -> set[int]:
        """The functions that can't be attached any more."""
        try:
            return _functions(self._attach(self._links, self._programs[-1], hooks))
        except BaseException:
            self._links.detach([hook.cookie for hook in hooks])
            raise

    def _replace(self, kept: Sequence[Hook]) -> set[int]:
        """Lets a program of the next generation take over, at these. The functions that can't be attached any more."""
        links = Links()
        self._generation += 1
        try:
            rejected = self._attach(links, self._program(), kept) if kept else []
            self._forget_handed()
        except BaseException:
            links.close()
            self._generation -= 1
            raise
        self._control[0] = self._generation << 2 | _HANDING | _COUNTING
        if kept:
            let_hits_finish(kept[0].file, kept[0].site, self._pid if self._by_kernel else None)
        before, self._links = self._links, links
        before.close()
        self._control[0] = self._generation << 2 | _COUNTING
        return _functions(rejected)

    def _forget_handed(self) -> None:
        """Makes room: the last hand-over left a note for each thread that came by meanwhile."""
        handed = self._loaded.map("handed")
        while (thread := kernel.map_first_key(handed, 8)) is not None:
            kernel.map_delete(handed, thread)

    def _attach(self, links: Links, program: int, hooks: Sequence[Hook]) -> list[Rejected]:
        by_file: dict[tuple[str, bool], list[Site]] = {}
        for hook in hooks:
            by_file.setdefault((hook.file, hook.by_return_probe), []).append(hook.site)
        rejected: list[Rejected] = []
        for (file, returns), sites in by_file.items():
            if self._method is Method.PERF_EVENT:
                rejected += links.attach_perf(program, file, sites, self._pid or -1, returns=returns)
            else:
                pid = self._pid or 0 if self._by_kernel else 0
                rejected += links.attach_multi(program, file, sites, pid, returns=returns)
        return rejected

    def _program(self) -> int:
        multi = self._method is not Method.PERF_EVENT
        constants = {**self._constants, "tgid": self._tgid(), "generation": self._generation}
        program = self._loaded.program(self._name, kernel.ATTACH_UPROBE_MULTI if multi else 0, constants)
        self._programs.append(program)
        return program

    def _tgid(self) -> int:
        """The process that the program lets through; 0: the kernel sees to that."""
        if self._by_kernel or not self._pid or self._method is Method.PERF_EVENT:
            return 0
        if not sees_real_pids():
            raise TargetError(
                "the process's main thread has ended, and from within a container its others can't be told"
            )
        return self._pid


def _functions(rejected: Iterable[Rejected]) -> set[int]:
    return {each.site.cookie & _FUNCTION for each in rejected}
