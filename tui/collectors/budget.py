"""What probes cost the target, and taking the dearest ones off when that exceeds a budget.

The cost is predicted: hits, times what a hit takes on this machine (`calibration`). It is compared with the CPU time
that the target uses, probes included. What is tolerated depends on how much was asked for. Few functions were chosen
one by one: they may exceed the budget for ten seconds, then the dearest one goes. Of many the dearest are hardly what
somebody looks for: over the budget a debt grows, and they go at once, until it is paid back. Where probes take less
than a hundredth of a CPU, as in a target that hardly runs, nothing is taken off.
"""

import math
import time
from collections import deque
from collections.abc import Sequence
from itertools import starmap
from operator import sub
from typing import Final, NamedTuple, Protocol

from tui.bpf.counting import Batch, Place
from tui.bpf.features import Method
from tui.collectors import calibration
from tui.collectors.samples import Cost
from tui.elf.names import Function, Skipped

DEFAULT: Final = 10.0  # percent of the target's CPU time
FEW: Final = 32  # functions
_PATIENCE: Final = 10.0  # seconds that the budget may be exceeded
_CREDIT: Final = 0.02  # seconds of debt that are tolerated
_NEGLIGIBLE: Final = 0.01  # of a CPU
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


class Guard:
    """Watches what a probe costs its target; `limit` in percent, None for no limit."""

    def __init__(self, probe: Probe, pid: int | None, limit: float | None, held_back: HeldBack = _NOTHING) -> None:
        """`held_back`: what isn't on from the beginning."""
        self.limit = limit
        self._probe, self._pid = probe, pid
        self._many = len(probe.functions) > FEW
        self._debt = 0.0
        self._over = math.inf  # since when the budget is exceeded
        expected = f"the probes would take {held_back.percent:.0f} % of the target's time, and the budget is {limit} %"
        self._suspended = dict.fromkeys(held_back.functions, expected)
        self._percent = 0.0
        self._looks: deque[_Look] = deque()
        self._pauses = iter(_PAUSES)
        self.due = time.monotonic() + next(self._pauses)  # when to look next

    @property
    def cost(self) -> Cost:
        """What is to be said of it now."""
        return Cost(self._percent, self.limit, tuple(starmap(Skipped, self._suspended.items())))

    def look(self) -> list[Function]:
        """What is to be taken off now, the dearest first; mostly nothing."""
        now = _Look(time.monotonic(), cpu_time(self._pid), tuple(self._probe.spent()))
        self.due = now.time + next(self._pauses, _PAUSE)
        before = self._looks[-1] if self._looks else now
        if len(before.spent) != len(now.spent):  # others are probed: begin anew
            self._looks.clear()
            before = now
        self._looks.append(now)
        while len(self._looks) > 2 and now.time - self._looks[1].time >= _WINDOW:
            self._looks.popleft()
        first = self._looks[0]
        if now.cpu > first.cpu:
            self._percent = min(100.0, 100 * (sum(now.spent) - sum(first.spent)) / (now.cpu - first.cpu))
        if self.limit is None:
            return []
        share = self.limit / 100
        spent = sum(now.spent) - sum(before.spent)
        self._debt = max(0.0, self._debt + (spent - share * max(now.cpu - before.cpu, spent)) / 1e9)
        took = list(map(sub, now.spent, first.spent))
        exceeded = self._percent > self.limit and sum(took) > _NEGLIGIBLE * (now.time - first.time) * 1e9
        self._over = min(self._over, now.time) if exceeded else math.inf
        functions = self._probe.functions
        if now.time - self._over > _PATIENCE:
            self._over = now.time
            return [functions[took.index(max(took))]]
        if not self._many or self._debt <= _CREDIT or (self._suspended and now.time - first.time < _SHORTEST):
            return []
        wanted = dearest(took, now.cpu - first.cpu, _AIM * share)
        return [functions[index] for index in wanted if functions[index] not in self._suspended]

    def suspend(self, functions: Sequence[Function]) -> None:
        """Takes them off. Raises BpfscopeError."""
        percent = f"the probes took {self._percent:.0f} % of the target's time, and the budget is {self.limit:g} %"
        self._probe.suspend(functions)
        self._suspended |= dict.fromkeys(functions, percent)
        self._looks.clear()

    def undo(self) -> None:
        """Puts everything back, and watches no budget any more. Raises BpfscopeError."""
        self._probe.resume(list(self._suspended))
        self._suspended.clear()
        self.limit = None


def dearest(spent: Sequence[int], cpu: int, share: float) -> list[int]:
    """Which to take off, by index, so that the others take no more than the share of the time that is left.

    `spent`: what each took; `cpu`: what the target had, both together. Taking probes off makes the target faster, and
    the others are hit more often then: what counts is what they take beside the target's own time.
    """
    own = max(cpu - sum(spent), _LEAST_OWN * cpu, 1.0)
    left = sum(spent)
    taken = []
    for index in sorted(range(len(spent)), key=lambda index: -spent[index]):
        if left <= share * (own + left):
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
) -> HeldBack:
    """Which of many functions not to put on; of few, or without a limit (percent), none.

    Told by counting the calls at these places for a moment, which costs the target a tenth of what else is done there;
    `costs` are the nanoseconds that a call would take then. Raises what `Batch` raises.
    """
    if limit is None or len(functions) <= FEW:
        return HeldBack()
    hit = calibration.known().emulated
    with Batch(places, pid, method) as batch:
        before = cpu_time(pid)
        time.sleep(_TRIAL)
        calls, used = batch.calls(), cpu_time(pid) - before
    spent = [number * cost for number, cost in zip(calls, costs, strict=True)]
    cpu = max(0, used - hit * sum(calls)) + sum(spent)
    indexes = dearest(spent, cpu, _AIM * limit / 100)
    percent = 100 * sum(spent) / cpu if cpu else 0.0
    return HeldBack(tuple(functions[index] for index in indexes), percent, tuple(indexes))


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
