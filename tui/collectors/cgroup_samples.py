"""Control groups as plain data. Text is sanitised."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from tui.bpf.inventory.cgroup_types import ALLOW, ANY, DENY, Passed, Rule, Rules

if TYPE_CHECKING:  # it knows the kernel, which the console's start doesn't need
    from tui.bpf.inventory.holders import Holder

__all__ = [
    "ALLOW", "ANY", "DENY", "Cgroup", "CgroupProgram", "CgroupsSample", "Counted", "Passed", "Rule", "Rules",
    "denied_in_words", "effective",
]  # fmt: skip


class CgroupProgram(NamedTuple):
    """A program that is attached to a cgroup."""

    hook: str  # "cgroup-inet-ingress", "cgroup-device", …
    id: int
    type: str
    name: str  # "" where whoever loaded it gave none, or it ended meanwhile
    flags: str  # "multi": all run; "override": one below takes its place; "exclusive": there is no other here or below
    link: int  # 0: none holds it, it stays until the cgroup ends
    ours: bool
    rules: Rules = Rules()
    holders: "tuple[Holder, ...]" = ()  # of its link; none where no process has that open, or there is none


class Counted(NamedTuple):
    """What our own counter has seen of a cgroup and those in it."""

    passed: Passed
    seconds: float  # since it was attached
    here: bool  # attached to this cgroup, not to one above
    denied: Passed | None = None  # at least so much of it, by systemd's firewall here; None: none that counts


class Cgroup(NamedTuple):
    """A control group, and what passed it and all that are in it."""

    id: int
    parent: int  # 0: it is the root
    level: int
    path: str  # from the root: "/", "/system.slice/ssh.service"
    unit: str  # systemd's unit or the container: "ssh.service", "docker 3f2a9c1b4d5e"
    processes: int  # in it, not in those below; as of the last look around
    cpu_us: int  # that its processes took, and those below, microseconds
    memory: int | None  # bytes; None where nobody counts them
    systemd: Passed | None  # by systemd's accounting, since the unit started; None: there is none
    counted: Counted | None
    programs: tuple[CgroupProgram, ...]  # attached here, in the order in which they run at each hook

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2] or "/"

    @property
    def passed(self) -> Passed | None:
        """What is known of its packets: our own count, else systemd's."""
        return self.counted.passed if self.counted else self.systemd

    @property
    def rules(self) -> tuple[Rule, ...]:
        """What its own programs allow and deny of addresses, each once."""
        own = (one.rules.rules for one in self.programs if one.hook in ("cgroup-inet-ingress", "cgroup-inet-egress"))
        return tuple(dict.fromkeys(rule for rules in own for rule in rules))


class CgroupsSample(NamedTuple):
    """All cgroups at a time, each after the one that it is in."""

    time: float  # seconds, monotonic
    mount: str  # where cgroup v2 is mounted
    cgroups: tuple[Cgroup, ...]
    hidden: bool = False  # there are more than are shown
    lost: int = 0  # packets that our counters had no room for
    looks: int = 0  # how often it was looked which cgroups and programs there are; all but figures is as of the last
    ended: str = ""
    every: float = 0.0  # seconds until the next at least, as reading takes long


def effective(sample: CgroupsSample, number: int) -> Iterator[tuple[Cgroup, CgroupProgram]]:
    """The programs that packets, sockets and devices of a cgroup meet, each with the cgroup that it is attached to.

    The nearest ones first, as they run. One further up that gives way to others isn't met where there is one below.
    """
    by_id: Mapping[int, Cgroup] = {one.id: one for one in sample.cgroups}
    met: set[str] = set()  # hooks at which there was one further down
    one = by_id.get(number)
    while one is not None:
        here = [program for program in one.programs if program.flags == "multi" or program.hook not in met]
        yield from ((one, program) for program in here)
        met.update(program.hook for program in here)
        one = by_id.get(one.parent)


def denied_in_words(packets: Passed | None) -> str:
    """As in "at least 7 in and 1 out denied by systemd"."""
    if packets is None or not packets.rx_packets + packets.tx_packets:
        return ""
    ways = ((packets.rx_packets, "in"), (packets.tx_packets, "out"))
    return f"at least {' and '.join(f'{number:,} {way}' for number, way in ways if number)} denied by systemd"
