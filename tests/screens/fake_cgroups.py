"""Control groups for the screens: those of a small server with systemd, and what passes them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from tui.collectors.cgroup_samples import (
    ALLOW,
    ANY,
    DENY,
    Cgroup,
    CgroupProgram,
    CgroupsSample,
    Counted,
    Passed,
    Rule,
    Rules,
)
from tui.errors import BpfscopeError

FIREWALL: Final = Rules(
    (Rule(ALLOW, "10.0.0.0/8"), Rule(ALLOW, "127.0.0.0/8"), Rule(ALLOW, "2001:db8:17::/64"), Rule(DENY, ANY)), ALLOW, 31
)
BLOCKED: Final = Rules((Rule(DENY, "192.168.0.0/16"),), ALLOW, 33)
DEVICES: Final = Rules(
    (Rule(ALLOW, "char 1:3 rw", "/dev/null"), Rule(ALLOW, "char 136:* rwm", "pts"), Rule(ALLOW, "block *:* m")), DENY
)
PORTS: Final = Rules((Rule(ALLOW, "tcp 8000-8010"), Rule(DENY, ANY)), ALLOW)


def program(number: int, hook: str, name: str, rules: Rules = Rules(), **changes: object) -> CgroupProgram:  # noqa: B008
    """A program at a cgroup; `changes` replace its fields."""
    kind = "cgroup_device" if hook == "device" else "cgroup_sock_addr" if "bind" in hook else "cgroup_skb"
    plain = CgroupProgram(f"cgroup-{hook}", number, kind, name, "multi", 0, ours=False, rules=rules)
    return plain._replace(**changes)  # type: ignore[arg-type]


def firewall(number: int, rules: Rules) -> tuple[CgroupProgram, ...]:
    """systemd's, for both directions."""
    return (
        program(number, "inet-ingress", "sd_fw_ingress", rules),
        program(number + 1, "inet-egress", "sd_fw_egress", rules),
    )


OURS: Final = tuple(
    program(200 + at, hook, "bpfscope_cgroup", ours=True, link=60 + at)
    for at, hook in enumerate(("inet-ingress", "inet-egress"))
)


def cgroup(number: int, parent: int, path: str, **changes: object) -> Cgroup:
    """A cgroup that nobody counts; `changes` replace its fields."""
    name = path.rpartition("/")[2]
    unit = name if "." in name and not name.endswith(".slice") else ""
    plain = Cgroup(number, parent, path.count("/") if path != "/" else 0, path, unit, 1, 0, None, None, None, ())
    return plain._replace(**changes)  # type: ignore[arg-type]


CONTAINER: Final = "3f2a9c1b4d5e" + "0" * 52
CGROUPS: Final = (
    cgroup(1, 0, "/", processes=61),
    cgroup(20, 1, "/init.scope"),
    cgroup(
        30, 1, "/system.slice", processes=0, programs=(program(90, "inet-ingress", "cil_cgroup", link=7),),
        systemd=Passed(91_000, 82_000_000, 70_000, 9_000_000),
    ),
    cgroup(
        31, 30, f"/system.slice/docker-{CONTAINER}.scope", processes=7, unit="docker 3f2a9c1b4d5e",
        memory=301 << 20, programs=(program(104, "device", ""), program(105, "inet-egress", "")),
    ),
    cgroup(
        32, 30, "/system.slice/postgresql@16-main.service", processes=9, memory=88 << 20,
        systemd=Passed(12_003_411, 9 << 30, 8_120_777, 3 << 30),
        programs=(
            *firewall(97, FIREWALL), program(99, "device", "sd_devices", DEVICES),
            program(100, "inet4-bind", "sd_bind4", PORTS),
        ),
    ),
    cgroup(
        33, 30, "/system.slice/ssh.service", memory=5 << 20, systemd=Passed(1_204, 97_000, 997, 120_000),
        programs=firewall(101, BLOCKED),
    ),
    cgroup(40, 1, "/user.slice", processes=0),
    cgroup(41, 40, "/user.slice/user-1000.slice", processes=0),
    cgroup(42, 41, "/user.slice/user-1000.slice/session-3.scope", processes=4),
)  # fmt: skip
_PER_SECOND: Final = {  # packets and bytes in, packets and bytes out; microseconds of CPU time
    1: ((0, 0, 0, 0), 412_000),
    30: ((8_131, 9_400_000, 3_410, 512_000), 161_000),
    31: ((0, 0, 0, 0), 119_000),
    32: ((7_131, 9_300_000, 3_101, 412_000), 41_000),
    33: ((9, 1_200, 9, 5_100), 300),
    42: ((97, 101_000, 89, 88_000), 4_000),
}


def passed(seconds: float) -> tuple[Cgroup, ...]:
    """The same after so many seconds of steady traffic."""
    return tuple(_after(one, seconds) for one in CGROUPS)


def _after(one: Cgroup, seconds: float) -> Cgroup:
    rates, cpu = _PER_SECOND.get(one.id, ((0, 0, 0, 0), 0))
    more = Passed(*(int(rate * seconds) for rate in rates))
    return one._replace(systemd=one.systemd.plus(more) if one.systemd else None, cpu_us=int(cpu * seconds))


class FakeCgroups:
    """Part of the fake sources: cgroups of which the test says what passes."""

    intervals: list[float]
    _answer: Callable[[str], Awaitable[None]]

    def __init__(self) -> None:
        super().__init__()
        self.groups: tuple[Cgroup, ...] = CGROUPS
        self.counting: dict[int, float] = {}  # cgroups by number, and since when
        self.asked_to_count: list[tuple[int, bool]] = []
        self.cgroup_readings: asyncio.Queue[CgroupsSample] | None = None
        self._at = 0.0

    def pass_cgroups(self, time: float, cgroups: tuple[Cgroup, ...]) -> None:
        """Yield a reading."""
        assert self.cgroup_readings is not None
        self.groups, self._at = cgroups, time
        self.cgroup_readings.put_nowait(self._reading())

    def _reading(self) -> CgroupsSample:
        nearest: dict[int, int] = {}
        found = []
        for one in self.groups:
            root = one.id if one.id in self.counting else nearest.get(one.parent, 0)
            if root:
                nearest[one.id] = root
                seconds = self._at - self.counting[root]
                seen = Passed(*(int(rate * seconds) for rate in _PER_SECOND.get(one.id, ((0, 0, 0, 0), 0))[0]))
                one = one._replace(counted=Counted(seen, seconds, root == one.id))
            if one.id in self.counting:
                one = one._replace(programs=(*one.programs, *OURS))
            found.append(one)
        return CgroupsSample(1000 + self._at, "/sys/fs/cgroup", tuple(found))

    async def cgroups(self, interval: float) -> AsyncIterator[CgroupsSample]:
        """One reading at once, then what `pass_cgroups` was given."""
        self.intervals.append(interval)
        await self._answer("cgroups")
        self.cgroup_readings = asyncio.Queue()
        yield self._reading()
        while True:
            yield await self.cgroup_readings.get()

    async def count_cgroup(self, number: int, *, on: bool) -> None:
        """Note it."""
        await self._answer("count_cgroup")
        self.asked_to_count.append((number, on))
        if on and any(one.id == number and "exclusive" in {each.flags for each in one.programs} for one in self.groups):
            raise BpfscopeError("program 98 is attached there and tolerates no other: detach it")
        if on:
            self.counting[number] = self._at
        else:
            self.counting.pop(number, None)
