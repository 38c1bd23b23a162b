"""BPF programs for the screens: those of a small cluster's node, and what they do."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

from tui.bpf.inventory.attachment import Attachment
from tui.bpf.inventory.holders import Holder
from tui.bpf.inventory.statistics import Floor
from tui.collectors.program_history import ALL, GAP, Figures, History
from tui.collectors.program_samples import (
    REPLACES,
    TAIL_CALLED,
    CodeLine,
    ProgramFigures,
    ProgramMap,
    ProgramPage,
    ProgramsSample,
)
from tui.errors import TargetError

KIB = 1024
FLOOR = Floor(51.0, 102.0, 28.0)


def program(number: int, name: str, kind: str = "kprobe", **changes: object) -> ProgramFigures:
    """A program that doesn't run; `changes` replace its fields."""
    plain = ProgramFigures(
        id=number,
        type=kind,
        name=name,
        tag=f"{number * 0x9E3779B97F4A7C15 % (1 << 64):016x}",
        uid=0,
        user="root",
        age=11_045.0,
        runs=0,
        run_time_ns=0,
        misses=0,
        seconds=None,
        period_runs=0,
        period_ns=0,
        translated=1_904,
        jited=1_117,
        memory=5_213,
        verified=214,
        maps=(),
        maps_memory=0,
        holders=(),
        units=(),
        attached=(),
        pins=(),
        ours=False,
        uncounted="",
    )
    return plain._replace(**changes)  # type: ignore[arg-type]


PROGRAMS: tuple[ProgramFigures, ...] = (
    program(7, "sd_fw_egress", "cgroup_skb", attached=(Attachment("cgroup-inet-egress", "/system.slice", 7),)),
    program(
        128,
        "cil_from_netdev",
        "sched_cls",
        holders=(Holder(1811, "cilium-agent", 42),),
        units=("kubernetes 3f2a9c1b4d5e",),
        attached=(Attachment("tcx-ingress", "eth0", 128, link=31, detail="first of 2"),),
        pins=("/sys/fs/bpf/tc/globals/cil_from_netdev",),
        maps=(40, 41),
        maps_memory=9_312 * KIB,
        runs=12_345_678,
        run_time_ns=12_345_678 * 402,
    ),
    program(
        129,
        "tail_handle_ipv4",
        "sched_cls",
        uncounted=TAIL_CALLED,
        holders=(Holder(1811, "cilium-agent", 43),),
        units=("",),
    ),
    program(130, "xdp_main_replaced", "ext", uncounted=REPLACES),
    program(
        131,
        "count",
        holders=(Holder(4410, "bpfscope", 14),),
        units=("session-3.scope",),
        attached=tuple(
            Attachment("uprobe", f"/home/eva/fibonacci+0x{0xA1D20 + 32 * at:x}", 131, link=44, ours=True, pid=2696)
            for at in range(3)
        ),
        ours=True,
        maps=(50,),
        maps_memory=64 * KIB,
    ),
    program(140, "", "socket_filter", holders=(Holder(702, "sshd", 5),), units=("ssh.service",), misses=17),
    program(141, "from_tomorrow", "type 99", pins=("/sys/fs/bpf/tomorrow",), jited=0),
)
_PER_SECOND = {7: (7_131, 88), 128: (81_204, 410), 131: (97_331, 38), 140: (3, 61)}  # runs, and ns of each

PAGE = ProgramPage(
    128,
    (
        CodeLine(0, "cil_from_netdev:", source=True),
        CodeLine(0, "struct ethhdr *eth = data;", source=True, place="bpf_host.c:1289"),
        CodeLine(0, "r6 = r1"),
        CodeLine(1, "r1 = map[id:40 cilium_metrics]"),
        CodeLine(3, "if (!validate_ethertype(ctx, &proto))", source=True, place="bpf_host.c:1294"),
        CodeLine(3, "call __htab_map_lookup_elem"),
        CodeLine(4, "if r0 == 0x0 goto pc+1"),
        CodeLine(5, "call pc+3 policy_can_access"),
        CodeLine(6, "r0 = 0"),
        CodeLine(7, "exit"),
        CodeLine(9, "policy_can_access:", source=True),
        CodeLine(9, "r0 = *(u32 *)(r1 +16)"),
        CodeLine(10, "exit"),
    ),
    "",
    (
        ProgramMap(40, "percpu_hash", "cilium_metrics", 8, 16, 1024, 312 * KIB),
        ProgramMap(41, "lpm_trie", "cilium_ipcache", 24, 12, 512_000, 9_000 * KIB),
    ),
    (
        CodeLine(0, "nop dword ptr [rax + rax]"),
        CodeLine(0, "struct ethhdr *eth = data;", source=True, place="bpf_host.c:1289"),
        CodeLine(5, "push rbp"),
        CodeLine(6, "call __htab_map_lookup_elem"),
        CodeLine(11, "ret"),
    ),
)


def ran(programs: Iterable[ProgramFigures], seconds: float) -> tuple[ProgramFigures, ...]:
    """The same after so many seconds of steady work, since the reading before."""
    return tuple(_after(one, seconds) for one in programs)


def _after(one: ProgramFigures, seconds: float) -> ProgramFigures:
    per_second, each = _PER_SECOND.get(one.id, (0, 0))
    runs = int(per_second * seconds)
    return one._replace(
        seconds=seconds,
        period_runs=runs,
        period_ns=runs * each,
        runs=one.runs + runs,
        run_time_ns=one.run_time_ns + runs * each,
    )


class FakePrograms:
    """The part of the sources that knows BPF programs; they are what the test puts into `loaded`."""

    def __init__(self) -> None:
        self.loaded = PROGRAMS
        self.history = History()
        self.program_readings: asyncio.Queue[ProgramsSample] | None = None
        self.looking = 0  # streams that are read
        self.pages = {PAGE.id: PAGE}
        super().__init__()

    def run_programs(self, time: float, programs: tuple[ProgramFigures, ...]) -> None:
        """Yield a reading; the clock starts at 1,000."""
        assert self.program_readings is not None
        self.loaded = programs
        kept = {one.id: _kept(one) for one in programs}
        together = Figures(0.0, GAP, sum(one.cpu_percent for one in kept.values()))
        self.history.add(1000 + time, kept | {ALL: together})
        self.program_readings.put_nowait(self._sample(time))

    def _sample(self, time: float) -> ProgramsSample:
        memory = sum({number: one.maps_memory for one in self.loaded for number in one.maps}.values())
        return ProgramsSample(1000 + time, self.loaded, FLOOR, memory, time > 0, self.history)

    async def programs(self, interval: float) -> AsyncIterator[ProgramsSample]:
        """One reading at once, then what `run_programs` was given."""
        fakes: Any = self
        fakes.intervals.append(interval)
        await fakes._answer("programs")
        self.program_readings = asyncio.Queue()
        self.looking += 1
        try:
            yield self._sample(0)
            while True:
                yield await self.program_readings.get()
        finally:
            self.looking -= 1

    async def program(self, number: int) -> ProgramPage:
        """A page of those that are known."""
        fakes: Any = self
        await fakes._answer("program")
        if number not in self.pages:
            raise TargetError(f"there is no program {number}, or no longer: list what there is")
        return self.pages[number]


def _kept(one: ProgramFigures) -> Figures:
    average = one.period_average
    return Figures(one.per_second or 0.0, GAP if average is None else average, one.cpu_percent or 0.0)
