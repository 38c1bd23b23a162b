"""Programs of the user's own at functions and USDT probes of processes: where they go is decided as for our own.

A uretprobe's program runs at the function's RET instructions: a return probe of the kernel's ends programs that throw,
switch stacks or filter system calls. In Go it is refused: Go moves stacks, and what a program keeps by their addresses,
as C for return probes does, is wrong after that; `bpfscope latency` times Go's functions.
"""

from collections.abc import Sequence
from contextlib import suppress

from tui.bpf import kernel
from tui.bpf.features import Method, attach_method
from tui.bpf.links import Links, Rejected, Site
from tui.bpf.loading.attaching import Placed
from tui.bpf.loading.places import Place
from tui.collectors import target as targets
from tui.collectors.files import Chosen, Files, nothing_attached
from tui.collectors.target import Target, Watch
from tui.elf import functions, languages, patterns
from tui.elf.names import USDT, Function, Module
from tui.errors import BinaryError, BpfscopeError, NotSupported, TargetError, UsageError
from tui.text import plural, sanitise

_NAMED = 5


def attach_type() -> int:
    """What programs for uprobes are loaded for here. Raises NotPermitted, NotSupported."""
    return 0 if attach_method() is Method.PERF_EVENT else kernel.ATTACH_UPROBE_MULTI


class UserProbe(Placed):
    """Owns what attaches a program to functions of a target."""

    def __init__(self, place: Place) -> None:
        """Resolves it; nothing is attached yet. Raises BpfscopeError."""
        super().__init__(place)
        self._returns = place.kind == "uretprobe"
        self._target = targets.resolve(place.target)
        self._method = attach_method()
        if self._target.pid is not None and self._method is not Method.MULTI:
            raise NotSupported(
                f"{sanitise(place.text)}: before Linux 6.10 the kernel can't keep a program to one process: name its"
                f" file ({self._target.modules[0].path}), which means all processes that run it"
            )
        self._functions = _named(self._target, place)
        if self._returns:
            self._refuse_go()

    def _refuse_go(self) -> None:
        modules = {module.name: module for module in self._target.modules}
        for name in dict.fromkeys(function.module for function in self._functions):
            if languages.of_file(modules[name].file) == "go":
                raise NotSupported(
                    f"{sanitise(self.place.text)}: {name} is written in Go, which moves stacks: a uretprobe crashes it;"
                    " use uprobe, or `bpfscope latency`, which times Go's functions safely"
                )

    def attach(self, program: int) -> None:
        """Lets the program run there. Raises BpfscopeError where it can run nowhere."""
        files = Files(self._target)
        self.owned.callback(files.close)
        links = self.owned.enter_context(Links())
        chosen, skipped = files.choose(self._functions, returns=self._returns)
        good = [each for each in chosen if not self._returns or each.returns.offsets]
        if not good and skipped:
            raise nothing_attached(skipped)
        if not good:
            raise BpfscopeError(f"{chosen[0].function.name}: where it returns isn't known: {chosen[0].returns.note}")
        rejected: list[Rejected] = []
        for module in dict.fromkeys(each.function.module for each in good):
            sites = [site for each in good if each.function.module == module for site in self._sites(each)]
            if self._method is Method.PERF_EVENT:
                rejected += links.attach_perf(program, files.path(module), sites, -1)
            else:
                rejected += links.attach_multi(program, files.path(module), sites, self._target.pid or 0)
        if self._target.pid is not None:
            watch = self.owned.enter_context(Watch(self._target.pid))
            self.watch(lambda: bool(watch.ended()))
        if len(rejected) == sum(len(self._sites(each)) for each in good):
            raise BpfscopeError(f"nothing can be probed: {good[0].function.name}: {rejected[0].reason}")
        reasons = [*(each.reason for each in skipped), *(each.reason for each in rejected)]
        self.notes += _notes(good, len(self._functions), reasons)

    def _sites(self, chosen: Chosen) -> list[Site]:
        offsets = chosen.returns.offsets if self._returns else (chosen.site.offset,)
        return [Site(offset, offset, chosen.semaphore) for offset in offsets]


def _notes(good: Sequence[Chosen], wanted: int, reasons: Sequence[str]) -> list[str]:
    said = [f"{plural(wanted, 'function')} attached"] if wanted > 1 else []
    said += [f"{each.function.name}: {each.site.note}" for each in good[:_NAMED] if each.site.note]
    said += [f"{each.function.name}: {each.returns.note}" for each in good[:_NAMED] if each.returns.note]
    if reasons:
        said.append(f"{plural(len(reasons), 'place')} left out: {reasons[0]}")
    return said


def _named(target: Target, place: Place) -> list[Function]:
    """The functions of that name, in the executable or else in the libraries. Raises TargetError."""
    wanted = f"{USDT}:{place.name}" if place.kind == "usdt" else place.name
    if not wanted.strip("*?/"):
        raise UsageError(f"{sanitise(place.text)}: name a function; a program of yours at all of them helps nobody")
    searched: list[Module] = []
    for module in target.modules:
        with suppress(BinaryError):
            there = functions.read(module)
            among = [each for each in there if (each.origin == USDT) == (place.kind == "usdt")]
            if found := patterns.select(among, wanted):
                return list(found)
            searched.append(module)
    what = "USDT probe" if place.kind == "usdt" else "function"
    of = searched[0].name if searched else target.name
    raise TargetError(
        f"{of} has no {what} {sanitise(place.name)}: `bpfscope symbols {sanitise(place.target)}` lists what it has"
    )
