"""The files of a target, held open while something is attached to them, and where probes go in them."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from tui.collectors.others import Others
from tui.collectors.target import Target
from tui.elf import rooted, usdt
from tui.elf.memory import LENGTH, Memory, running
from tui.elf.names import USDT, Function, Module, Skipped
from tui.elf.reader import ElfFile
from tui.elf.sites import Returns, Site, Sites
from tui.elf.usdt import Location
from tui.errors import BpfscopeError, TargetError
from tui.owner import Owner

if TYPE_CHECKING:
    from tui.elf.values import Signature


class Chosen(NamedTuple):
    """A function with its places."""

    function: Function
    site: Site
    returns: Returns = Returns(())
    go: bool = False  # it is one of Go's
    in_go: bool = False  # it is in a program of Go's, as what cgo links in
    usdt: Location | None = None  # it is no function, but one of a USDT probe's places
    semaphore: int = 0  # offset in the file of what is to be above 0 meanwhile, as a probe at that place has it


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

    def choose(
        self, functions: Sequence[Function], *, returns: bool = False, no_usdt: str = ""
    ) -> tuple[list[Chosen], list[Skipped]]:
        """The functions with their places, and those that have none; `returns`: where they return is needed too.

        A USDT probe is chosen once for each of its places; `no_usdt`: why they all are skipped.

        Raises BinaryError, NotPermitted, NotSupported, TargetError.
        """
        chosen: list[Chosen] = []
        skipped = [Skipped(function, function.unprobeable) for function in functions if function.unprobeable]
        skipped += [Skipped(each, no_usdt) for each in functions if no_usdt and each.origin == USDT]
        out = {skip.function for skip in skipped}
        functions = [function for function in functions if function not in out]
        for name in dict.fromkeys(function.module for function in functions):
            module = self._modules[name]
            with ExitStack() as stack:
                elf = stack.enter_context(ElfFile.open(self.path(name), module.path))
                sites = stack.enter_context(Sites(elf))
                memories = self._memories(module)
                for memory in memories:
                    stack.enter_context(memory)
                probes, of_module = _Usdt(elf, sites), list[Chosen]()
                changed = partial(_changed, elf, memories, module)
                for function in functions:
                    if function.module != name:
                        continue
                    if function.origin == USDT:
                        found = probes.places(function)
                    else:
                        site = sites.choose(function)
                        where = sites.returns(function) if returns and not site.refused else Returns(())
                        found = [Chosen(function, site, where, sites.of_go(function), sites.go)]
                    good, refused = _sound(found, changed)
                    of_module += good
                    if not good:
                        skipped.append(Skipped(function, refused))
                chosen += _of_one_mind(of_module)
        return chosen, skipped

    def signature(self, function: Function, location: Location) -> "Signature":
        """What can be read at one of a USDT probe's places. Raises as `choose` does."""
        from tui.elf import usdt_arguments

        with ElfFile.open(self.path(function.module), self._modules[function.module].path) as elf:
            return usdt_arguments.signature(elf, location)

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


class _Usdt:
    """The places of a file's USDT probes; its notes are read once they are needed."""

    def __init__(self, elf: ElfFile, sites: Sites) -> None:
        self._elf, self._sites = elf, sites
        self._probes: dict[str, tuple[Location, ...]] | None = None

    def places(self, function: Function) -> list[Chosen]:
        """One for each."""
        if self._probes is None:
            self._probes = dict(usdt.probes(self._elf))
        return [self._place(function, each) for each in self._probes.get(function.raw_name, ())]

    def _place(self, function: Function, location: Location) -> Chosen:
        site = self._sites.choose(
            function._replace(address=location.address, offset=location.offset, unprobeable=location.refused)
        )
        return Chosen(function, site, in_go=self._sites.go, usdt=location)


def _sound(places: Sequence[Chosen], changed: Callable[[Sequence[int]], str]) -> tuple[list[Chosen], str]:
    """Those that can be probed, the first with a note where some can't; and why not."""
    reasons = [each.site.refused or changed((each.site.offset, *each.returns.offsets)) for each in places]
    good = [each for each, refused in zip(places, reasons, strict=True) if not refused]
    refused = next(filter(None, reasons), "" if places else "its file has changed")
    if good and refused:
        note = left_out(len(places) - len(good), len(places), refused)
        good[0] = good[0]._replace(site=good[0].site._replace(note=note))
    return good, refused


def _of_one_mind(places: Sequence[Chosen]) -> list[Chosen]:
    """The same, with one semaphore for each offset: a function may begin where a USDT probe lies."""
    semaphores = {each.site.offset: each.usdt.semaphore for each in places if each.usdt}
    return [each._replace(semaphore=semaphores.get(each.site.offset, 0)) for each in places]


def left_out(number: int, every: int, reason: str) -> str:
    """That some of a USDT probe's places aren't probed."""
    return f"{number} of its {every} places {'is' if number == 1 else 'are'} left out: {reason}"


def attached_places(
    functions: Sequence[Function], rejected: Mapping[int, str]
) -> tuple[dict[Function, tuple[int, ...]], list[Skipped]]:
    """Of functions, one for each place, those of which not all were rejected (by index, with the reason), with the
    indexes of the others; and for each that had one rejected: why it isn't probed at all, or not everywhere.
    """
    every: dict[Function, list[int]] = {}
    for index, function in enumerate(functions):
        every.setdefault(function, []).append(index)
    on = {function: tuple(at for at in places if at not in rejected) for function, places in every.items()}
    off = [
        Skipped(function, left_out(len(bad), len(every[function]), rejected[bad[0]]) if good else rejected[bad[0]])
        for function, good in on.items()
        if (bad := [at for at in every[function] if at in rejected])
    ]
    return {function: places for function, places in on.items() if places}, off


def _changed(elf: ElfFile, memories: Sequence[Memory], module: Module, offsets: Sequence[int]) -> str:
    """Why no probe may go to one of these offsets, by what processes have there; empty: to all."""
    for memory in memories:
        for offset in offsets:
            if refused := memory.refused(module, offset, elf.bytes_at(offset, LENGTH)):
                return refused
    return ""


def _open(module: Module) -> int:
    try:
        return rooted.opened(module.file)
    except OSError as error:
        raise TargetError(f"cannot open {module.path}: {error.strerror}; the process may have ended") from None


def nothing_attached(skipped: Sequence[Skipped]) -> BpfscopeError:
    """Why nothing is probed, by the first reason."""
    first = skipped[0]
    others = f" (and {len(skipped) - 1} more)" if len(skipped) > 1 else ""
    return BpfscopeError(f"nothing can be probed: {first.function.name}: {first.reason}{others}")
