"""The control groups of this machine with what passes them, as samples.

What systemd's programs have counted is read from their maps; our own counters are attached on request, one to each
cgroup that is asked for, and count for all below it. Which programs there are is looked at anew when programs, links or
cgroups come or go, and every ten seconds, since what is attached without a link tells nobody.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.bpf.hooks import cgroup
from tui.bpf.inventory import cgroups, holders, info, kinds, rules
from tui.bpf.inventory.cgroup_types import Passed, Rules
from tui.bpf.inventory.cgroups import Group
from tui.bpf.objects import refusal
from tui.bpf.packets.by_cgroup import CgroupCounter
from tui.collectors import units
from tui.collectors.cgroup_samples import Cgroup, CgroupProgram, CgroupsSample, Counted
from tui.errors import TargetError
from tui.owner import Owner
from tui.text import sanitise

_SECONDS: Final = 10.0  # until it is looked around anew
_YOUNG: Final = 5.0  # seconds in which processes come into a new cgroup
_PATIENCE: Final = 40.0  # times what looking around took, until it is done again: programs may come and go all the time
_READ_ANEW: Final = 100  # programs whose rules are read again then
_LARGEST: Final = 1 << 20  # bytes of a file
_FLAGS: Final = {kernel.F_ALLOW_MULTI: "multi", kernel.F_ALLOW_OVERRIDE: "override", 0: "exclusive"}
_INGRESS: Final = "cgroup-inet-ingress"
_EGRESS: Final = "cgroup-inet-egress"


class _Counting(NamedTuple):
    """One of our counters."""

    counter: CgroupCounter
    since: float
    systemd: dict[int, Passed | None]  # by cgroup, what systemd had counted before


class Cgroups(Owner):
    """Reads all cgroups again and again; owns our counters."""

    def __init__(self, patience: float = _PATIENCE) -> None:
        """Raises NotSupported where no cgroup v2 is mounted."""
        self._patience = patience
        self._tree = cgroups.Tree(cgroup.mounted())
        self._turn = threading.Lock()
        self._counters: dict[int, _Counting] = {}  # by cgroup
        self._nearest: dict[int, _Counting] = {}  # by cgroup, whichever counts it
        self._parents: dict[int, int] = {}  # also of cgroups that ended while somebody counts
        self._places: dict[int, str] = {}
        self._seen: object = None
        self._due = self._earliest = 0.0  # when it is looked around, and when if something changed
        self._programs: dict[int, tuple[CgroupProgram, ...]] = {}  # by cgroup
        self._rules: dict[int, Rules] = {}  # by program, those read longest ago first
        self._processes: dict[int, int] = {}
        self._born: dict[int, float] = {}  # cgroups, and when they were first seen
        self._units: dict[int, str] = {}
        self._remembering: set[int] = set()  # cgroups whose memory somebody counts
        self._looks = 0
        self._figures: dict[int, Counted] = {}  # by cgroup, the last that our counters have seen; also of ended ones

    def close(self) -> None:
        """Takes our counters off; a second time is harmless."""
        with self._turn, ExitStack() as closing:
            while self._counters:
                closing.callback(self._counters.popitem()[1].counter.close)

    def count(self, number: int) -> None:
        """Count its packets from now on. Raises BpfscopeError, also where a program tolerates none beside it."""
        with self._turn:
            if number in self._counters:
                return
            if number not in self._places:
                raise TargetError("this cgroup has ended: choose another")
            before = {one: _accounted(programs) for one, programs in self._programs.items()}
            counter = CgroupCounter(self._places[number])
            if not self._counters:
                self._figures.clear()
            self._counters[number] = _Counting(counter, time.monotonic(), before)

    def stop(self, number: int) -> None:
        """Count them no longer; a second time is harmless."""
        with self._turn:
            self._forget(number)

    def _forget(self, number: int) -> None:
        if counter := self._counters.pop(number, None):
            counter.counter.close()

    def read(self) -> CgroupsSample:
        """All cgroups now. Safe to call from several threads. Raises NotPermitted, NotSupported."""
        with self._turn:
            groups = self._tree.read()
            self._places = {group.id: group.place for group in groups}
            self._parents = (self._parents if self._counters else {}) | {one.id: one.parent for one in groups}
            now = time.monotonic()
            for number in self._counters.keys() - self._places.keys():  # the kernel took it off with the cgroup
                self._note(number, self._with_those_below(number, self._counters[number].counter), now)
                self._forget(number)
            self._look_around(groups)
            now = time.monotonic()
            self._born = {group.id: self._born.get(group.id, now) for group in groups}
            self._processes |= {one.id: _processes(one) for one in groups if now - self._born[one.id] < _YOUNG}
            counted = self._counted(groups, now)
            found = tuple(self._cgroup(group, counted.get(group.id)) for group in groups)
            lost = sum(each.counter.lost for each in self._counters.values())
            return CgroupsSample(now, sanitise(self._tree.mount), found, self._tree.hidden, lost, self._looks)

    def last_counted(self, number: int) -> Counted | None:
        """What our counters have seen of a cgroup, also of one that has ended since."""
        return self._figures.get(number)

    def _note(self, root: int, figures: dict[int, Passed], now: float) -> None:
        seconds = now - self._counters[root].since
        self._figures |= {number: Counted(passed, seconds, root == number) for number, passed in figures.items()}

    def _cgroup(self, group: Group, counted: Counted | None) -> Cgroup:
        programs = self._programs.get(group.id, ())
        systemd = _accounted(programs)
        return Cgroup(
            id=group.id,
            parent=group.parent,
            level=group.level,
            path=group.path,
            unit=self._units[group.id] if group.id in self._units else units.of_path(group.path),
            processes=self._processes.get(group.id, 0),
            cpu_us=_number(group, "cpu.stat", _usage) or 0,
            memory=_number(group, "memory.current", int) if group.id in self._remembering else None,
            systemd=systemd,
            counted=self._with_denied(group, counted, systemd),
            programs=programs,
        )

    # What is attached

    def _look_around(self, groups: tuple[Group, ...]) -> None:
        """Find out which programs are where, if that may have changed."""
        try:
            seen = (
                list(kernel.ids(kernel.PROG_GET_NEXT_ID)),
                list(kernel.ids(kernel.LINK_GET_NEXT_ID)),
                [group.id for group in groups],
            )
        except OSError as error:
            raise refusal(error, "list what BPF there is") from None
        now = time.monotonic()
        if now < (self._due if seen == self._seen else self._earliest):
            return
        programs = {one.id: one for one in info.programs()}
        types, linked = cgroups.attach_types(programs.values()), cgroups.links()
        held = holders.holders().links if linked else {}
        attached = {group.id: list(cgroups.attached(group, types, linked)) for group in groups} if types else {}
        self._read_rules(programs, {one.program for found in attached.values() for one in found}, anew=now >= self._due)
        ours = {number for each in self._counters.values() for number in each.counter.programs}
        self._programs = {
            number: tuple(
                CgroupProgram(
                    hook=kinds.attach_type(one.attach_type).replace("_", "-"),
                    id=one.program,
                    type=kinds.program_type(programs[one.program].type) if one.program in programs else "",
                    name=programs[one.program].name if one.program in programs else "",
                    flags=_FLAGS[one.flags & (kernel.F_ALLOW_MULTI | kernel.F_ALLOW_OVERRIDE)],
                    link=one.link,
                    ours=one.program in ours,
                    rules=self._rules.get(one.program, Rules()),
                    holders=held.get(one.link, ()),
                )
                for one in found
            )
            for number, found in attached.items()
        }
        self._processes = {group.id: _processes(group) for group in groups}
        self._units = {group.id: units.of_path(group.path) for group in groups}
        self._remembering = {group.id for group in groups if os.path.exists(f"{group.place}/memory.current")}
        self._looks += 1
        took = time.monotonic() - now
        self._seen, self._due, self._earliest = seen, now + _SECONDS, now + self._patience * took

    def _read_rules(self, programs: dict[int, info.Program], attached: set[int], *, anew: bool) -> None:
        """Of programs that are new; `anew`: also of some whose maps somebody may have changed."""
        known = [number for number in self._rules if number in attached]
        kept = {number: self._rules[number] for number in (known[_READ_ANEW:] if anew else known)}
        fresh = [number for number in sorted(attached) if number not in kept and number in programs]
        self._rules = kept | {number: rules.of_program(programs[number]) for number in fresh}

    # What was counted

    def _counted(self, groups: tuple[Group, ...], now: float) -> dict[int, Counted]:
        """By cgroup what our counters have seen of it and those in it: of the nearest counter above."""
        figures = {root: self._with_those_below(root, each.counter) for root, each in self._counters.items()}
        for root, below in figures.items():
            self._note(root, below, now)
        nearest: dict[int, int] = {}
        found: dict[int, Counted] = {}
        self._nearest.clear()
        for group in groups:
            root = group.id if group.id in figures else nearest.get(group.parent, -1)
            if root in figures:
                nearest[group.id] = root
                self._nearest[group.id] = self._counters[root]
                seconds = now - self._counters[root].since
                found[group.id] = Counted(figures[root].get(group.id, Passed()), seconds, root == group.id)
        return found

    def _with_denied(self, group: Group, counted: Counted | None, systemd: Passed | None) -> Counted | None:
        """All programs see a packet, whatever one of them says: what ours counts and systemd's doesn't, that denied.

        Its figures are read before ours begins and after ours is read: what comes in between makes it less, never more.
        """
        if counted is None or systemd is None:
            return counted
        before = self._nearest[group.id].systemd.get(group.id) or Passed()
        return counted._replace(denied=counted.passed.less(systemd.less(before)))

    def _with_those_below(self, root: int, counter: CgroupCounter) -> dict[int, Passed]:
        """Each cgroup's sum; what belongs to none that is known, as to one that ended at once, is in the root's."""
        sums: dict[int, Passed] = {}
        for number, passed in counter.read().items():
            way = [number]
            while way[-1] != root and self._parents.get(way[-1]):
                way.append(self._parents[way[-1]])
            for one in way if way[-1] == root else (root,):
                sums[one] = sums.get(one, Passed()).plus(passed)
        return sums


def _accounted(programs: tuple[CgroupProgram, ...]) -> Passed | None:
    """What systemd's programs have counted: packets and bytes, in and out."""
    maps = {one.hook: one.rules.counters for one in programs if one.rules.counters}
    if not maps:
        return None
    figures = []
    for hook in (_INGRESS, _EGRESS):
        try:
            with info.map_of(maps.get(hook, 0)) as fd:
                figures += [_figure(fd, key) for key in (0, 1)]
        except (TargetError, OSError):  # there is none, or it ended with its unit
            figures += [0, 0]
    return Passed(*figures)


def _figure(fd: int, key: int) -> int:
    return int.from_bytes(kernel.map_lookup(fd, key.to_bytes(4, "little"), 8) or b"", "little")


def _number(group: Group, name: str, of: Callable[..., int], *more: object) -> int | None:
    """A figure of a cgroup's files (Documentation/admin-guide/cgroup-v2.rst); None where there is no such file."""
    with contextlib.suppress(OSError, ValueError):
        fd = os.open(f"{group.place}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return of(os.read(fd, _LARGEST).decode(), *more)
        finally:
            os.close(fd)
    return None


def _processes(group: Group) -> int:
    """How many are in it; cgroups of threads don't say."""
    return _number(group, "cgroup.procs", str.count, "\n") or 0


def _usage(text: str) -> int:
    """Of cpu.stat, whose first line is usage_usec."""
    return int(text.split(maxsplit=2)[1])
