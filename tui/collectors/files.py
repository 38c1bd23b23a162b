"""The files of a target, held open while something is attached to them, and where probes go in them."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from tui.collectors.others import Others
from tui.collectors.target import Target
from tui.elf.memory import LENGTH, Memory, running
from tui.elf.names import Function, Module, Skipped
from tui.elf.reader import ElfFile
from tui.elf.sites import Returns, Site, Sites
from tui.errors import BpfscopeError, TargetError
from tui.owner import Owner


class Chosen(NamedTuple):
    """A function with its places."""

    function: Function
    site: Site
    returns: Returns = Returns(())
    go: bool = False  # it is one of Go's
    in_go: bool = False  # it is in a program of Go's, as what cgo links in


class Files(Owner):
    """Owns a descriptor of each module that is probed: the very file that was read, whatever happens to its name."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._modules = {module.name: module for module in target.modules}
        self._open: dict[str, int] = {}

    def path(self, module: str) -> str:
        """What the kernel can open the module by. Raises TargetError."""
        if module not in self._open:
            self._open[module] = _open(self._modules[module])
        return f"/proc/self/fd/{self._open[module]}"

    def choose(self, functions: Sequence[Function], *, returns: bool = False) -> tuple[list[Chosen], list[Skipped]]:
        """The functions with their places, and those that have none; `returns`: where they return is needed too.

        Raises BinaryError, NotPermitted, NotSupported, TargetError.
        """
        chosen: list[Chosen] = []
        skipped = [Skipped(function, function.unprobeable) for function in functions if function.unprobeable]
        functions = [function for function in functions if not function.unprobeable]
        for name in dict.fromkeys(function.module for function in functions):
            module = self._modules[name]
            with ExitStack() as stack:
                elf = stack.enter_context(ElfFile.open(self.path(name), module.path))
                sites = stack.enter_context(Sites(elf))
                memories = self._memories(module)
                for memory in memories:
                    stack.enter_context(memory)
                for function in functions:
                    if function.module != name:
                        continue
                    site = sites.choose(function)
                    where = sites.returns(function) if returns and not site.refused else Returns(())
                    changed = _changed(elf, memories, module, (site.offset, *where.offsets))
                    if refused := site.refused or changed:
                        skipped.append(Skipped(function, refused))
                    else:
                        chosen.append(Chosen(function, site, where, sites.of_go(function), sites.go))
        return chosen, skipped

    def sites(self, functions: Sequence[Function]) -> Iterator[tuple[Function, Site, str]]:
        """Each function with its site, and the instruction there as text. Raises as `choose` does."""
        for name in dict.fromkeys(function.module for function in functions):
            if not self._modules[name].file:
                made = (function for function in functions if function.module == name)
                yield from ((function, Site(function.offset, function.unprobeable), "") for function in made)
                continue
            with ElfFile.open(self.path(name), self._modules[name].path) as elf, Sites(elf) as sites:
                for function in functions:
                    if function.module == name:
                        site = sites.choose(function)
                        yield (
                            function,
                            site,
                            sites.instruction(site.offset, function.address + site.offset - function.offset),
                        )

    def close(self) -> None:
        """Closes them; a second time is harmless."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _memories(self, module: Module) -> list[Memory]:
        pid, others = self._target.pid, Others()
        return [Memory(pid, others.probe)] if pid is not None else list(running(module, others.probe))


def _changed(elf: ElfFile, memories: Sequence[Memory], module: Module, offsets: Sequence[int]) -> str:
    """Why no probe may go to one of these offsets, by what processes have there; empty: to all."""
    for memory in memories:
        for offset in offsets:
            if refused := memory.refused(module, offset, elf.bytes_at(offset, LENGTH)):
                return refused
    return ""


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
