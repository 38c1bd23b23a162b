"""A probe that counts: functions and the batches that attach them; a context manager."""

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

from tui.bpf.counting import Batch, Place
from tui.bpf.features import Method, attach_method
from tui.collectors.samples import Attached, CountsSample
from tui.collectors.target import Target, Watch
from tui.elf.memory import LENGTH, Memory, running
from tui.elf.names import Function, Module, Skipped
from tui.elf.reader import ElfFile
from tui.elf.sites import Site, Sites
from tui.errors import BpfscopeError, TargetError
from tui.owner import Owner


class _Member(NamedTuple):
    """Where a probed function's count is."""

    batch: Batch
    cell: int


class CountingProbe(Owner):
    """Counts calls of functions of one target. Owns its batches; leaving it detaches everything."""

    def __init__(self, target: Target) -> None:
        """Nothing is attached yet. Raises TargetError, NotPermitted, NotSupported."""
        self._method: Method = attach_method()
        self._target = target
        self._modules = {module.name: module for module in target.modules}
        self._files: dict[str, int] = {}
        self._members: dict[Function, _Member] = {}
        self._batches: list[Batch] = []
        self._functions: tuple[Function, ...] = ()
        self._started = 0.0
        self.watch = Watch(target.pid) if target.pid is not None else None

    def add(self, functions: Sequence[Function]) -> Attached:
        """Probes these too; those that are probed already stay as they are.

        Raises BpfscopeError where not one could be attached that wasn't before.
        """
        wanted = [function for function in dict.fromkeys(functions) if function not in self._members]
        chosen, skipped = self._choose(wanted)
        notes = {function: site.note for function, site in chosen if site.note}
        if not chosen:
            if skipped:
                raise nothing_attached(skipped)
            return Attached((), ())
        places = [Place(self._file(function.module), site.offset) for function, site in chosen]
        batch = Batch(places, self._target.pid, self._method)
        self._batches.append(batch)
        for index, (function, _) in enumerate(chosen):
            if index in batch.rejected:
                skipped.append(Skipped(function, batch.rejected[index]))
            else:
                self._members[function] = _Member(batch, index)
        self._started = self._started or time.monotonic()
        self._functions = tuple(self._members)
        attached = tuple(function for function, _ in chosen if function in self._members)
        if not attached:
            raise nothing_attached(skipped)
        inexact = tuple(Skipped(function, notes[function]) for function in attached if function in notes)
        return Attached(attached, tuple(skipped), inexact)

    def remove(self, functions: Sequence[Function]) -> None:
        """Detaches these; the counts of the others go on unbroken."""
        by_batch: dict[Batch, list[int]] = {}
        for function in functions:
            member = self._members.pop(function, None)
            if member:
                by_batch.setdefault(member.batch, []).append(member.cell)
        self._functions = tuple(self._members)
        for batch, indexes in by_batch.items():
            if any(member.batch is batch for member in self._members.values()):
                batch.detach(indexes)
            else:
                self._batches.remove(batch)
                batch.close()

    def read(self) -> CountsSample:
        """The counts now; no system call but the clock's, the target's and one per batch for what was lost."""
        calls = {batch: batch.calls() for batch in self._batches}
        now = time.monotonic()
        return CountsSample(
            now,
            now - self._started,
            self._functions,
            tuple(calls[batch][cell] for batch, cell in self._members.values()),
            sum(batch.misses() for batch in self._batches),
            self.watch.ended() if self.watch else "",
        )

    def close(self) -> None:
        """Detaches everything; a second time is harmless."""
        while self._batches:
            self._batches.pop().close()
        self._members.clear()
        self._functions = ()
        while self._files:
            os.close(self._files.popitem()[1])
        if self.watch:
            self.watch.close()
            self.watch = None

    def _choose(self, functions: Sequence[Function]) -> tuple[list[tuple[Function, Site]], list[Skipped]]:
        """The functions with their sites, and those that have no site."""
        chosen, skipped = [], []
        for name in dict.fromkeys(function.module for function in functions):
            module = self._modules[name]
            with ExitStack() as stack:
                elf = stack.enter_context(ElfFile.open(self._file(name), module.path))
                sites = stack.enter_context(Sites(elf))
                pid = self._target.pid
                memories = [Memory(pid)] if pid is not None else list(running(module))
                for memory in memories:
                    stack.enter_context(memory)
                for function in functions:
                    if function.module != name:
                        continue
                    site = sites.choose(function)
                    code = elf.bytes_at(site.offset, LENGTH)
                    changed = (memory.refused(module, site.offset, code) for memory in memories)
                    if refused := site.refused or next(filter(None, changed), ""):
                        skipped.append(Skipped(function, refused))
                    else:
                        chosen.append((function, site))
        return chosen, skipped

    def _file(self, module: str) -> str:
        """The module's file, held open: the very one that was read, whatever happens to its name."""
        if module not in self._files:
            self._files[module] = _open(self._modules[module])
        return f"/proc/self/fd/{self._files[module]}"


def _open(module: Module) -> int:
    try:
        return os.open(module.file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise TargetError(f"cannot open {module.path}: {error.strerror}; the process may have ended") from None


def nothing_attached(skipped: Sequence[Skipped]) -> BpfscopeError:
    """Why nothing is probed, by the first reason."""
    first = skipped[0]
    others = f" (and {len(skipped) - 1} more)" if len(skipped) > 1 else ""
    return BpfscopeError(f"nothing can be probed: {first.function.name}: {first.reason}{others}")
