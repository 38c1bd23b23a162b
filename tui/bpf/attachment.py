"""A program at the entries and returns of functions, and taking functions off while the others go on.

The program has the constants `tgid` and `generation` and asks RUNNING (bpfscope.h) whether it is its turn: the cell
`control` has the generation that works, times two, plus one once everything is attached. A multi link can't lose a
member, so functions are taken off by attaching the others to a program of the next generation before the old one goes.
Hits that pass between the two at that moment count for neither: their calls become unmatched ones.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.bpf.counting import main_thread_ended
from tui.bpf.features import Method, sees_real_pids
from tui.bpf.links import Links, Rejected, Site
from tui.bpf.objects import Loaded
from tui.errors import TargetError
from tui.owner import Owner

_FUNCTION: Final = 0xFFFFFFFF  # the part of a cookie that is the function's index


class Hook(NamedTuple):
    """Where the program runs: a file, as the kernel will open it, an offset, and what the program gets with a hit."""

    file: str
    offset: int
    cookie: int  # its lower 32 bits are the function's index
    by_return_probe: bool = False  # when the function that was entered there returns, not there

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
    ) -> None:
        """Nothing is attached yet; `loaded`, which stays the caller's, has the program and the map `control`."""
        self.rejected: dict[int, str] = {}
        self._loaded, self._name, self._pid, self._method = loaded, program, pid, method
        self._constants = constants
        self._control = loaded.mapped("control", writable=True)
        self._hooks: list[Hook] = []
        self._off: set[int] = set()  # functions that were taken off
        self._programs: list[int] = []
        self._links = Links()
        self._generation = 0
        self._by_kernel = method is Method.MULTI and not main_thread_ended(pid)

    def attach(self, *groups: Iterable[Hook], off: Collection[int] = ()) -> None:
        """Attaches one group after the other, and then lets the program count from one instant on.

        `off` are functions that are held back until they are resumed.
        What can't be attached of a group is left out of the next: name first what a function can't do without.
        Raises NotPermitted, NotSupported, TargetError.
        """
        self._generation += 1
        self._control[0] = self._generation << 1
        self._off = set(off)
        program = self._program()
        for group in groups:
            hooks = [hook for hook in group if hook.function not in self.rejected]
            on = [hook for hook in hooks if hook.function not in self._off]
            for rejected in self._attach(self._links, program, on):
                self.rejected[rejected.site.cookie & _FUNCTION] = rejected.reason
            self._hooks += hooks
        self._hooks = [hook for hook in self._hooks if hook.function not in self.rejected]
        self._control[0] |= 1

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
        self._links.close()

    def _change(self, off: set[int]) -> None:
        gone = [hook for hook in self._hooks if hook.function in off - self._off]
        back = [hook for hook in self._hooks if hook.function in self._off - off]
        if self._method is Method.PERF_EVENT:
            self._attach(self._links, self._programs[-1], back)
            self._links.detach([hook.cookie for hook in gone])
        elif gone or back:
            self._replace([hook for hook in self._hooks if hook.function not in off])
        self._off = off

    def _replace(self, kept: Sequence[Hook]) -> None:
        self._generation += 1
        links = Links()
        try:
            if kept:
                self._attach(links, self._program(), kept)
        except BaseException:
            links.close()
            self._generation -= 1
            raise
        self._control[0] = self._generation << 1 | 1
        before, self._links = self._links, links
        before.close()

    def _attach(self, links: Links, program: int, hooks: Sequence[Hook]) -> list[Rejected]:
        by_file: dict[tuple[str, bool], list[Site]] = {}
        for hook in hooks:
            by_file.setdefault((hook.file, hook.by_return_probe), []).append(Site(hook.offset, hook.cookie))
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
