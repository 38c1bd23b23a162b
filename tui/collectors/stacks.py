"""A probe that counts who calls: functions, their stacks with names, and what attaches them; a context manager."""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from tui.bpf.counting import Place
from tui.bpf.features import Method, attach_method, sees_real_pids
from tui.bpf.stacks import STACKS, Callers, Spot, Walked, parse
from tui.collectors import calibration, returns
from tui.collectors.budget import HeldBack, hold_back
from tui.collectors.files import Chosen, Files, nothing_attached
from tui.collectors.probe import ended
from tui.collectors.samples import Attached, Frame, Stack, StacksSample
from tui.collectors.symboliser import Probed, Symboliser
from tui.collectors.target import Target, Watch
from tui.elf.names import Function, Skipped
from tui.elf.reader import ElfFile, Segment
from tui.owner import Owner

_MOST_SHAPES: Final = 65_536  # different stacks that are kept; calls of others are lost
_MOST_KEYS: Final = 32_768  # of the kernel's, whose shapes are remembered; others are symbolised again
_NO_ENTRY: Final = "a USDT probe lies within a function: who called it is told at functions' entries only"
_LOST: Final = -1  # in place of a shape
_STACK, _CALLER = 1.0, 0.08  # what a stack and each caller in it cost, in emulated hits
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
    """A probed function."""

    frame: Frame
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
        self._indexes: dict[Function, int] = {}  # of what is attached, into `_members`
        self._keys: dict[bytes, _Known] = {}  # by the kernel's key
        self._shapes: dict[_Shape, int] = {}
        self._calls: Counter[int] = Counter()  # by shape
        self._seen: Counter[int] = Counter()  # calls by function,
        self._deep: Counter[int] = Counter()  # and their callers
        self._unit = 0  # nanoseconds of an emulated hit
        self.held_back = HeldBack()
        self._started = 0.0
        self.watch = Watch(target.pid) if target.pid is not None else None

    def add(self, functions: Sequence[Function], limit: float | None = None) -> Attached:
        """Probes these, once. Raises BpfscopeError where not one could be attached.

        Of many, those that would clearly exceed the budget `limit` (percent) are in `held_back`, and not put on.
        """
        chosen, skipped = self._choose(functions)
        self._members = self._described(chosen)
        spots = [_spot(each, self._files.path(each.function.module)) for each in chosen]
        self.held_back = hold_back(
            [each.function for each in chosen],
            [Place(spot.file, spot.offset) for spot in spots],
            list(map(self._cost, range(len(spots)))),
            self._target.pid,
            self._method,
            limit,
        )
        self._symboliser = Symboliser(self._target)
        self._callers = Callers(spots, self._target.pid, self._method, self._most, off=self.held_back.indexes)
        rejected = self._callers.attachment.rejected
        skipped += [Skipped(chosen[index].function, reason) for index, reason in rejected.items()]
        self._indexes = {each.function: index for index, each in enumerate(chosen) if index not in rejected}
        self._started = time.monotonic()
        if not self._indexes:
            raise nothing_attached(skipped)
        notes = {each.function: each.site.note for each in chosen if each.site.note}
        inexact = tuple(Skipped(function, notes[function]) for function in self._indexes if function in notes)
        return Attached(self.functions, tuple(skipped), inexact)

    @property
    def functions(self) -> tuple[Function, ...]:
        """What is probed, also what is suspended."""
        return tuple(self._indexes)

    def spent(self) -> list[int]:
        """Nanoseconds that the target has lost to each function's probe."""
        calls = self._callers.calls() if self._callers else []
        return [calls[index] * self._cost(index) for index in self._indexes.values()] if calls else []

    def suspend(self, functions: Sequence[Function]) -> None:
        """Takes these out of the target; their stacks stay."""
        if self._callers:
            self._callers.attachment.suspend([self._indexes[function] for function in functions])

    def resume(self, functions: Sequence[Function]) -> None:
        """Puts these back."""
        if self._callers:
            self._callers.attachment.resume([self._indexes[function] for function in functions])

    def read(self) -> StacksSample:
        """The stacks now, exactly those of the calls that are given with them.

        Naming new ones may mean to read files' tables of functions, which takes up to a second for the largest.
        """
        now = time.monotonic()
        said = ended(self.watch, self._method)
        calls = lost = 0
        if self._callers and self._symboliser:
            self._take(self._callers, self._symboliser)
            rows = list(map(self._callers.row, self._indexes.values()))
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
        found, skipped = self._files.choose(list(dict.fromkeys(functions)), no_usdt=_NO_ENTRY)
        chosen = []
        for each in found:
            if reason := returns.no_function(each):
                skipped.append(Skipped(each.function, reason))
            else:
                chosen.append(each)
        if not chosen:
            raise nothing_attached(skipped)
        return chosen, skipped

    def _described(self, chosen: Sequence[Chosen]) -> list[_Member]:
        modules = {module.name: module for module in self._target.modules}
        segments: dict[str, list[Segment]] = {}
        for name in {each.function.module for each in chosen}:
            with ElfFile.open(self._files.path(name), modules[name].path) as elf:
                segments[name] = elf.executable
        costs = calibration.costs()
        self._unit = costs.emulated
        members = []
        for function, site, *_ in chosen:
            name = function.module
            segment = next(each for each in segments[name] if 0 <= site.offset - each.offset < each.file_size)
            hit = costs.hit(emulated=site.emulated)
            members.append(_Member(Frame(function.name, name), Probed(modules[name], segment, site.offset), hit))
        return members

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
        return _Shape((*reversed(callers), member.frame), walked.cut and whole)


def _spot(chosen: Chosen, file: str) -> Spot:
    function, offset = chosen.function, chosen.site.offset
    return Spot(file, offset, offset - function.offset, function.size)
