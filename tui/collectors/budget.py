"""What probes cost the target, and taking the dearest ones off when that exceeds a budget.

The cost is predicted: hits, times what a hit takes on this machine (`calibration`). It is compared with the CPU time
that the target uses, probes included. What is tolerated depends on how much was asked for. Few functions were chosen
one by one: they may exceed the budget for ten seconds, then the dearest one goes. Of many the dearest are hardly what
somebody looks for: over the budget a debt grows, and they go at once, until it is paid back. Where probes take less
than a hundredth of a CPU, as in a target that hardly runs, nothing is taken off. Probes on one target share one budget:
what was taken off of one of them isn't put on by the next.
"""

import math
import time
from collections import deque
from collections.abc import Collection, Sequence
from itertools import compress
from operator import sub
from typing import Final, NamedTuple, Protocol

from tui.bpf.counting import Batch, Place
from tui.bpf.features import Method
from tui.collectors import calibration
from tui.collectors.samples import LEFT_ALONE, Cost, Suspended
from tui.elf.names import Function

DEFAULT: Final = 10.0  # percent of the target's CPU time
FEW: Final = 32  # functions
_PATIENCE: Final = 10.0  # seconds that the budget may be exceeded
_CREDIT: Final = 0.02  # seconds of debt that are tolerated
_NEGLIGIBLE: Final = LEFT_ALONE / 100 * 1e9  # nanoseconds per second: a hundredth of a CPU
_WINDOW: Final = 1.0  # seconds that the shown percentage is about
_TRIAL: Final = 0.05  # seconds
_PAUSES: Final = (0.02, 0.03, 0.05, 0.1, 0.1, 0.1)  # between the first looks; soon after attaching most is to be seen
_PAUSE: Final = 0.25
_AIM: Final = 0.5  # of the budget, that what is left on may take: the rest pays the debt back
_SHORTEST: Final = 0.09  # seconds that must have been seen before more is taken off
_LEAST_OWN: Final = 0.01  # of its CPU time, that the target is thought to have for itself: costs are estimates


class Probe(Protocol):
    """What costs something, and can be told to cost less."""

    @property
    def functions(self) -> Sequence[Function]:
        """What was attached, also what is suspended now."""

    def spent(self) -> Sequence[int]:
        """Nanoseconds that the target has lost to each of them since the start."""

    def suspend(self, functions: Sequence[Function]) -> None:
        """Takes these out of the target; their figures stay. Raises BpfscopeError."""

    def resume(self, functions: Sequence[Function]) -> None:
        """Puts them back. Raises BpfscopeError."""


class _Look(NamedTuple):
    """What was seen at a time; seconds and nanoseconds."""

    time: float
    cpu: int
    spent: tuple[int, ...]


class HeldBack(NamedTuple):
    """Functions that would exceed the budget by so much that they were not put on at all."""

    functions: tuple[Function, ...] = ()
    percent: float = 0.0  # of the target's time, that all of them would take
    indexes: tuple[int, ...] = ()  # of the functions, among those that were looked at


_NOTHING: Final = HeldBack()


class _Joined(NamedTuple):
    """A probe that keeps the budget with others."""

    probe: Probe
    since: float  # seconds, monotonic
    suspended: dict[Function, Suspended]


class Dear(NamedTuple):
    """A probe's function that is to be taken off."""

    of: _Joined
    function: Function


class Guard:
    """Watches what probes cost their target; `limit` in percent, None for no limit."""

    def __init__(
        self, probe: Probe | None, pid: int | None, limit: float | None, held_back: HeldBack = _NOTHING
    ) -> None:
        """`held_back`: what isn't on from the beginning. Without a probe: they join later."""
        self.limit = self._asked = limit
        self._pid = pid
        self._joined: list[_Joined] = []
        self._off: dict[Function, Suspended] = {}  # of all probes, also of those that have left
        self._percent = self._cpu_percent = 0.0
        self._exceeding = 0.0  # percent of the target's time, because of which something is to be taken off
        if probe is not None:
            self.join(probe, held_back)
        self._begin_anew()

    def _begin_anew(self) -> None:
        """What was seen before tells nothing any more: other functions are probed."""
        self._debt = 0.0
        self._paid: _Look | None = None  # when there was no debt yet
        self._over = math.inf  # since when the budget is exceeded
        self._looks: deque[_Look] = deque()
        self._pauses = iter(_PAUSES)
        self.due = time.monotonic() + next(self._pauses)  # when to look next

    def join(self, probe: Probe, held_back: HeldBack = _NOTHING) -> None:
        """Let a probe keep the budget, too; `held_back`: what isn't on from the beginning."""
        reason = said("the probes would take", held_back.percent, self.limit)
        suspended = {
            function: self._off.get(function, Suspended(function, reason))._replace(after=0.0)
            for function in held_back.functions
        }
        self._off = suspended | self._off
        self._joined.append(_Joined(probe, time.monotonic(), suspended))
        self._begin_anew()

    def leave(self, probe: Probe) -> None:
        """Let it go."""
        self._joined = [each for each in self._joined if each.probe is not probe]
        self._begin_anew()

    @property
    def off(self) -> frozenset[Function]:
        """What was taken off, of any probe, and not put back: the next probe does without it."""
        return frozenset(self._off)

    @property
    def cost(self) -> Cost:
        """What is to be said of all probes now."""
        return self._cost(self._joined)

    def cost_of(self, probe: Probe) -> Cost:
        """The same, but only with what this probe's functions were taken off."""
        return self._cost([each for each in self._joined if each.probe is probe])

    def _cost(self, joined: Sequence[_Joined]) -> Cost:
        suspended = tuple(one for each in joined for one in _still(each))
        waived = self._asked if self.limit is None else None
        return Cost(self._percent, self.limit, suspended, self._cpu_percent, self._acts_in, waived)

    @property
    def _acts_in(self) -> float | None:
        """Seconds until the patience with what exceeds the budget ends."""
        if self.limit is None or self._over == math.inf:
            return None
        return max(0.0, self._over + _PATIENCE - time.monotonic())

    def look(self) -> list[Dear]:
        """What is to be taken off now, the dearest first; mostly nothing."""
        spent = tuple(number for each in self._joined for number in each.probe.spent())
        now = _Look(time.monotonic(), cpu_time(self._pid), spent)
        self.due = now.time + next(self._pauses, _PAUSE)
        if self._looks and len(self._looks[-1].spent) != len(now.spent):
            self._begin_anew()
        before = self._looks[-1] if self._looks else now
        self._looks.append(now)
        while len(self._looks) > 2 and now.time - self._looks[1].time >= _WINDOW:
            self._looks.popleft()
        first = self._looks[0]
        self._measure(first, now)
        if self.limit is None:
            return []
        self._owe(before, now, self.limit / 100)
        took = list(map(sub, now.spent, first.spent))
        there = min(sum(took), now.cpu - first.cpu)  # a prediction can be more than there was
        exceeded = self._percent > self.limit and there > _NEGLIGIBLE * (now.time - first.time)
        self._over = min(self._over, now.time) if exceeded else math.inf
        if now.time - self._over > _PATIENCE:
            self._over, self._exceeding = now.time, self._percent
            return [self._functions()[took.index(max(took))]]
        return self._too_many(first, now, took) if self._debt > _CREDIT else []

    def _measure(self, first: _Look, now: _Look) -> None:
        """What probes took meanwhile, which is a prediction: never more than there was."""
        spent, cpu = sum(now.spent) - sum(first.spent), now.cpu - first.cpu
        if cpu > 0:
            self._percent = min(100.0, 100 * spent / cpu)
            self._cpu_percent = 100 * min(spent, cpu) / (1e9 * (now.time - first.time))

    def _owe(self, before: _Look, now: _Look, share: float) -> None:
        """What exceeds the budget, and a hundredth of a CPU, is a debt."""
        if self._debt == 0 or self._paid is None:
            self._paid = before
        cpu = now.cpu - before.cpu
        spent = min(sum(now.spent) - sum(before.spent), cpu)  # a prediction can be more than there was
        may = max(share * cpu, _NEGLIGIBLE * (now.time - before.time))
        self._debt = max(0.0, self._debt + (spent - may) / 1e9)

    def _too_many(self, first: _Look, now: _Look, took: Sequence[int]) -> list[Dear]:
        """Of many functions those that go, until what is left pays the debt back."""
        suspended = any(each.suspended for each in self._joined)
        seconds = now.time - first.time
        many = any(len(each.probe.functions) > FEW for each in self._joined)
        if not many or self.limit is None or self._paid is None or (suspended and seconds < _SHORTEST):
            return []
        spent = sum(now.spent) - sum(self._paid.spent)
        self._exceeding = 100 * spent / max(now.cpu - self._paid.cpu, spent)
        wanted = dearest(took, now.cpu - first.cpu, _AIM * self.limit / 100, _AIM * _NEGLIGIBLE * seconds)
        functions = self._functions()
        return [dear for dear in map(functions.__getitem__, wanted) if dear.function not in dear.of.suspended]

    def _functions(self) -> list[Dear]:
        return [Dear(each, function) for each in self._joined for function in each.probe.functions]

    def suspend(self, dear: Sequence[Dear]) -> None:
        """Takes them off. Raises BpfscopeError."""
        reason, now = said("the probes took", self._exceeding, self.limit), time.monotonic()
        for each in self._joined:
            if functions := [one.function for one in dear if one.of is each]:
                each.probe.suspend(functions)
                taken = {one: Suspended(one, reason, now - each.since) for one in functions}
                each.suspended.update(taken)
                self._off = self._off | taken  # another dictionary: `off` may be asked for meanwhile
        self._looks.clear()

    def undo(self) -> None:
        """Puts everything back, and watches no budget any more; or watches it again. Raises BpfscopeError."""
        if self.limit is None:
            self.limit = self._asked
            self._begin_anew()
            return
        self.limit, self._off = None, {}
        for each in self._joined:
            each.probe.resume(list(each.suspended))
            each.suspended.clear()


def _still(each: _Joined) -> list[Suspended]:
    """What is off, of what is still to be probed."""
    probed = set(each.probe.functions) if each.suspended else ()
    return [one for one in each.suspended.values() if one.function in probed]


def said(what: str, percent: float, limit: float | None) -> str:
    """What exceeds the budget, in so many digits that it is seen to exceed it."""
    digits = next((digits for digits in (0, 1, 2) if limit and float(f"{percent:.{digits}f}") > limit), 2)
    return f"{what} {percent:.{digits}f} % of the target's time, and the budget is {limit or 0:g} %"


def dearest(spent: Sequence[int], cpu: int, share: float, least: float = 0.0) -> list[int]:
    """Which to take off, by index, so that the others take no more than the share of the time that is left, or `least`.

    `spent`: what each took; `cpu`: what the target had, both together; nanoseconds. Taking probes off makes the
    target faster, and the others are hit more often then: what counts is what they take beside the target's own time.
    """
    own = max(cpu - sum(spent), _LEAST_OWN * cpu, 1.0)
    left = sum(spent)
    taken = []
    for index in sorted(range(len(spent)), key=lambda index: -spent[index]):
        if left <= max(share * (own + left), least):
            break
        left -= spent[index]
        taken.append(index)
    return taken


def hold_back(
    functions: Sequence[Function],
    places: Sequence[Place],
    costs: Sequence[int],
    pid: int | None,
    method: Method,
    limit: float | None,
    off: Collection[Function] = (),
) -> HeldBack:
    """Which functions not to put on: those that are `off` already, and of many the dearest.

    Of few, or without a limit (percent), there are no dearest. None either where all of them keep within the budget, or
    take less than a hundredth of a CPU.

    Told by counting the calls at these places for a moment, which costs the target a tenth of what else is done there;
    `costs` are the nanoseconds that a call would take then. Raises what `Batch` raises.
    """
    tried = [function not in off for function in functions]
    indexes = list(compress(range(len(functions)), tried))
    percent, dear = 0.0, list[int]()
    if limit is not None and len(functions) > FEW and indexes:
        percent, dear = _tried(list(compress(places, tried)), list(compress(costs, tried)), pid, method, limit)
    wanted = {function for function in functions if function in off} | {functions[indexes[at]] for at in dear}
    held = tuple(dict.fromkeys(filter(wanted.__contains__, functions)))  # with all places: USDT probes may have several
    return HeldBack(held, percent, tuple(at for at, function in enumerate(functions) if function in wanted))


def _tried(
    places: Sequence[Place], costs: Sequence[int], pid: int | None, method: Method, limit: float
) -> tuple[float, list[int]]:
    """What all would take of the target's time (percent), if that is too much, and the dearest, by index."""
    hit = calibration.known().emulated
    with Batch(places, pid, method) as batch:
        before, began = cpu_time(pid), time.monotonic()
        time.sleep(_TRIAL)
        calls, used, seconds = batch.calls(), cpu_time(pid) - before, time.monotonic() - began
    spent = [number * cost for number, cost in zip(calls, costs, strict=True)]
    cpu = max(0, used - hit * sum(calls)) + sum(spent)
    percent = 100 * sum(spent) / cpu if cpu else 0.0
    if percent <= limit or sum(spent) <= _NEGLIGIBLE * seconds:
        return 0.0, []
    return percent, dearest(spent, cpu, _AIM * limit / 100, _AIM * _NEGLIGIBLE * seconds)


def cpu_time(pid: int | None) -> int:
    """Nanoseconds that a process has run, all its threads; of no process in particular, the time of one CPU.

    A process that is gone has stopped: 0.
    """
    if pid is None:
        return time.monotonic_ns()
    try:
        return time.clock_gettime_ns(~pid << 3 | 2)  # CPUCLOCK_SCHED: include/linux/posix-timers.h
    except OSError:
        return 0
