"""A probe that counts who calls: functions, their stacks with names, and what attaches them; a context manager."""

import time
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from itertools import chain
from typing import Final, NamedTuple

from tui.bpf.counting import Place
from tui.bpf.features import Method, attach_method, sees_real_pids
from tui.bpf.stacks import STACKS, Callers, Spot, Walked, parse, within
from tui.collectors import calibration, returns
from tui.collectors.budget import HeldBack, hold_back
from tui.collectors.files import Chosen, Files, attached_places, nothing_attached
from tui.collectors.probe import ended
from tui.collectors.samples import Attached, Frame, Stack, StacksSample
from tui.collectors.symboliser import Probed, Symboliser
from tui.collectors.target import Target, Watch
from tui.elf.names import Function, Skipped
from tui.elf.reader import X86_64, ElfFile
from tui.elf.unwinding import Height, Unwinding
from tui.owner import Owner

_MOST_SHAPES: Final = 65_536  # different stacks that are kept; calls of others are lost
_MOST_KEYS: Final = 32_768  # of the kernel's, whose shapes are remembered; others are symbolised again
_LOST: Final = -1  # in place of a shape
_STACK, _CALLER = 1.0, 0.08  # what a stack and each caller in it cost, in emulated hits
_POINTERS: Final = (7, 6)  # RSP and RBP, as unwind records number them
_HIGHEST: Final = 1 << 31
_USUAL: Final = 16  # callers, as long as nobody has called


class _Shape(NamedTuple):
    """A stack but for its calls."""

    frames: tuple[Frame, ...]
    cut: bool


class _Known(NamedTuple):
    """What is known of a stack of the kernel's."""

    shape: int  # or _LOST
    function: int
    callers: int


class _Member(NamedTuple):
    """A probed function, or a place of a USDT probe."""

    frames: tuple[Frame, ...]  # of a USDT probe also that of the function around it, which is the first
    probed: Probed
    hit: int  # nanoseconds that the probe alone costs


class StacksProbe(Owner):
    """Counts stacks of calls of functions of one target. Leaving it detaches everything."""

    def __init__(self, target: Target, *, most: int = STACKS) -> None:
        """Nothing is attached yet; the kernel has room for `most` different stacks between two readings.

        Raises TargetError, NotPermitted, NotSupported.
        """
        self._method: Method = attach_method()
        self._target, self._most = target, most
        self._files = Files(target)
        self._symboliser: Symboliser | None = None
        self._callers: Callers | None = None
        self._members: list[_Member] = []
        self._indexes: dict[Function, tuple[int, ...]] = {}  # of what is attached, into `_members`
        self._keys: dict[bytes, _Known] = {}  # by the kernel's key
        self._shapes: dict[_Shape, int] = {}
        self._calls: Counter[int] = Counter()  # by shape
        self._seen: Counter[int] = Counter()  # calls by function,
        self._deep: Counter[int] = Counter()  # and their callers
        self._unit = 0  # nanoseconds of an emulated hit
        self.held_back = HeldBack()
        self._started = 0.0
        self.watch = Watch(target.pid) if target.pid is not None else None

    def add(
        self, functions: Sequence[Function], limit: float | None = None, off: Collection[Function] = ()
    ) -> Attached:
        """Probes these, once. Raises BpfscopeError where not one could be attached.

        What is `off`, and of many what would clearly exceed the budget `limit` (percent), is in `held_back`, and
        not put on.
        """
        chosen, skipped = self._choose(functions)
        self._symboliser = Symboliser(self._target)
        spots = self._described(chosen, self._symboliser)
        self.held_back = hold_back(
            [each.function for each in chosen],
            [Place(spot.file, spot.offset, spot.semaphore) for spot in spots],
            list(map(self._cost, range(len(spots)))),
            self._target.pid,
            self._method,
            limit,
            off,
        )
        self._callers = Callers(spots, self._target.pid, self._method, self._most, off=self.held_back.indexes)
        wanted = [each.function for each in chosen]
        self._indexes, rejected = attached_places(wanted, self._callers.attachment.rejected)
        skipped += [each for each in rejected if each.function not in self._indexes]
        self._started = time.monotonic()
        if not self._indexes:
            raise nothing_attached(skipped)
        notes = {each.function: each.site.note for each in chosen if each.site.note}
        inexact = [Skipped(function, notes[function]) for function in self._indexes if function in notes]
        inexact += [each for each in rejected if each.function in self._indexes]
        return Attached(self.functions, tuple(skipped), tuple(inexact))

    @property
    def functions(self) -> tuple[Function, ...]:
        """What is probed, also what is suspended."""
        return tuple(self._indexes)

    def spent(self) -> list[int]:
        """Nanoseconds that the target has lost to each function's probe."""
        calls = self._callers.calls() if self._callers else []
        spent = [number * self._cost(index) for index, number in enumerate(calls)]
        return [sum(spent[index] for index in indexes) for indexes in self._indexes.values()] if calls else []

    def suspend(self, functions: Sequence[Function]) -> None:
        """Takes these out of the target; their stacks stay."""
        if self._callers:
            self._callers.attachment.suspend(self._at(functions))

    def resume(self, functions: Sequence[Function]) -> None:
        """Puts these back."""
        if self._callers:
            self._callers.attachment.resume(self._at(functions))

    def _at(self, functions: Sequence[Function]) -> list[int]:
        return [index for function in functions for index in self._indexes[function]]

    def read(self) -> StacksSample:
        """The stacks now, exactly those of the calls that are given with them.

        Naming new ones may mean to read files' tables of functions, which takes up to a second for the largest.
        """
        now = time.monotonic()
        said = ended(self.watch, self._method)
        calls = lost = 0
        if self._callers and self._symboliser:
            self._take(self._callers, self._symboliser)
            rows = list(map(self._callers.row, chain.from_iterable(self._indexes.values())))
            calls = sum(row.calls for row in rows)
            lost = sum(row.lost for row in rows) + self._calls[_LOST] + self._callers.misses()
        counted = ((shape, self._calls[number]) for shape, number in self._shapes.items())
        stacks = tuple(Stack(frames, number, cut) for (frames, cut), number in counted)
        return StacksSample(now, now - self._started, self.functions, stacks, calls, lost, said)

    def close(self) -> None:
        """Detaches everything; a second time is harmless."""
        if self._callers:
            self._callers.close()
            self._callers = None
        if self._symboliser:
            self._symboliser.close()
            self._symboliser = None
        self._files.close()
        if self.watch:
            self.watch.close()
            self.watch = None

    def _choose(self, functions: Sequence[Function]) -> tuple[list[Chosen], list[Skipped]]:
        """Those that can be probed, and the others. Raises BpfscopeError where there are none."""
        found, skipped = self._files.choose(list(dict.fromkeys(functions)))
        chosen = []
        for each in found:
            if reason := returns.no_function(each):
                skipped.append(Skipped(each.function, reason))
            else:
                chosen.append(each)
        if not chosen:
            raise nothing_attached(skipped)
        return chosen, skipped

    def _described(self, chosen: Sequence[Chosen], symboliser: Symboliser) -> list[Spot]:
        """Where each is probed; `_members` has the rest of it from then on."""
        modules = {module.name: module for module in self._target.modules}
        costs = calibration.costs()
        self._unit = costs.emulated
        spots = []
        with ExitStack() as opened:
            files = {
                name: opened.enter_context(ElfFile.open(self._files.path(name), modules[name].path))
                for name in {each.function.module for each in chosen}
            }
            unwinding = {each.function.module: Unwinding(files[each.function.module]) for each in chosen if each.usdt}
            for each in chosen:
                function, offset, name = each.function, each.site.offset, each.function.module
                spot = Spot(self._files.path(name), offset, offset - function.offset, function.size, each.semaphore)
                frames: tuple[Frame, ...] = (Frame(function.name, name),)
                if each.usdt:
                    place = _within(unwinding[name].height(each.usdt.address), files[name].machine)
                    spot = spot._replace(before=0, within=place)
                    frames = (symboliser.around(modules[name], offset), *frames)
                spots.append(spot)
                segment = next(one for one in files[name].executable if 0 <= offset - one.offset < one.file_size)
                hit = costs.hit(emulated=each.site.emulated)
                self._members.append(_Member(frames, Probed(modules[name], segment, offset), hit))
        return spots

    def _cost(self, index: int) -> int:
        """Nanoseconds that a call costs, by how deep those were that have been seen."""
        callers = self._deep[index] / self._seen[index] if self._seen[index] else _USUAL
        return self._members[index].hit + int(self._unit * (_STACK + _CALLER * callers))

    def _take(self, callers: Callers, symboliser: Symboliser) -> None:
        """Adds up what came since the last time."""
        symboliser.begin()
        if len(self._keys) > _MOST_KEYS:
            self._keys.clear()
        for key, calls in callers.take():
            if (known := self._keys.get(key)) is None:
                known = self._keys[key] = self._known(symboliser, parse(key))
            self._calls[known.shape] += calls
            self._seen[known.function] += calls
            self._deep[known.function] += calls * known.callers

    def _known(self, symboliser: Symboliser, walked: Walked) -> _Known:
        """What a stack is that wasn't seen before, or was forgotten."""
        shape = self._named(symboliser, walked)
        there = shape in self._shapes or len(self._shapes) < _MOST_SHAPES
        number = self._shapes.setdefault(shape, len(self._shapes)) if there else _LOST
        return _Known(number, walked.function, len(walked.addresses) - 1)

    def _named(self, symboliser: Symboliser, walked: Walked) -> _Shape:
        member = self._members[walked.function]
        pid = self._target.pid
        if pid is None and sees_real_pids():
            pid = walked.process
        callers = symboliser.callers(pid, member.probed, walked.addresses)
        whole = len(callers) == len(walked.addresses) - 1
        return _Shape((*reversed(callers), *member.frames), walked.cut and whole)


def _within(height: Height | None, machine: str) -> int:
    """Where the return address is, seen from within a function; if that isn't known, where frame pointers lead."""
    if machine == X86_64 and height and height.register in _POINTERS and 8 <= height.offset < _HIGHEST:
        return within(height.offset - 8, by_frame=height.register == _POINTERS[1])
    return within(8, by_frame=True)
