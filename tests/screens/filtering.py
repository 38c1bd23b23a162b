"""Filters for the screens: compiled by hand, and figures that the test sets."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from tests.unit.packet_making import ethernet, ipv4, tcp
from tui.bpf.classic.listing import parse
from tui.collectors.filters import ExpressionError, Filter, HookChoice, RejectsAll, TranslatedLine
from tui.collectors.filters import _lines as lines
from tui.collectors.samples import FilterFigures, GroupRow, Interface, PacketRecord, PacketsSample

SSH = """19
40 0 0 12
21 0 6 34525
48 0 0 20
21 0 15 6
40 0 0 54
21 12 0 22
40 0 0 56
21 10 11 22
21 0 10 2048
48 0 0 23
21 0 8 6
40 0 0 20
69 6 0 8191
177 0 0 14
72 0 0 14
21 2 0 22
72 0 0 16
21 0 1 22
6 0 0 262144
"""
PROGRAMS = {
    "": "1\n6 0 0 262144\n",
    "tcp port 22": SSH.replace("19\n", "20\n", 1) + "6 0 0 0\n",
    "udp": "9\n40 0 0 12\n21 0 2 34525\n48 0 0 20\n21 3 4 17\n21 0 3 2048\n48 0 0 23\n21 0 1 17\n"
    "6 0 0 262144\n6 0 0 0\n",
}
CHOICES = (
    HookChoice("socket-ebpf", True, "a packet socket: both directions, as tcpdump sees them", "eBPF, both directions"),
    HookChoice("tcx-ingress", True, "what comes in", "in front of other programs"),
    HookChoice("tcx-egress", True, "what goes out", "in front of other programs"),
    HookChoice("xdp", True, "frames as they come from the wire", "generic everywhere"),
    HookChoice("cgroup", False, "what processes send", "no cgroup v2 is mounted: mount one"),
    HookChoice("socket", True, "classic BPF on a packet socket, as tcpdump has it; it can't group", "classic BPF"),
)


def made(expression: str, hook: str, interface: Interface, *, optimised: bool = True) -> Filter:
    """The filter, if it is among those above. Raises ExpressionError."""
    if expression == "tcp and udp":
        raise RejectsAll("no packet can match: the expression contradicts itself", expression)
    if expression not in PROGRAMS:
        raise ExpressionError("syntax error", expression, len(expression.rstrip()))
    program = parse(PROGRAMS[expression])
    translation = tuple(
        TranslatedLine(3 * index + part, index, f"r{part} = *(u16 *)(r8 +{3 * index + part})")
        for index in range(len(program))
        for part in range(1 + index % 3)
    )
    accepts = expression == ""
    return Filter(
        expression, hook, interface, program, lines(program, ethernet=True), translation, "", optimised, accepts
    )


def figures(one: Filter, seen: int, matched: int, **changes: object) -> FilterFigures:
    """What a filter counted; `changes` replace its fields."""
    hits = tuple(max(0, seen - index * (seen - matched) // len(one.program)) for index in range(len(one.program)))
    plain = FilterFigures(
        one.interface.name, one.hook, "both", one.expression, seen, matched, 700 * seen, 900 * matched, matched, 0,
        "", (), GroupRow(None, 0, 0), hits,
    )  # fmt: skip
    return plain._replace(**changes)  # type: ignore[arg-type]


def grouped(by: str, *groups: tuple[str | int | None, int], others: int = 0) -> dict[str, object]:
    """The groups of figures, of so many packets each."""
    rows = tuple(GroupRow(key, packets, 900 * packets) for key, packets in groups)
    return {"by": by, "groups": rows, "others": GroupRow(None, others, 900 * others)}


@dataclass
class FakeFiltering:
    """Filters whose figures are what the test gives."""

    filters: tuple[Filter, ...]
    by: str
    notes: tuple[str, ...] = ()
    positions: tuple[str, ...] = ()
    closed: int = 0
    began: float = 1_000.0  # its clock when it was attached
    intervals: list[float] = field(default_factory=list)
    hold: asyncio.Event | None = None  # closing waits for it
    _queue: "asyncio.Queue[PacketsSample]" = field(default_factory=asyncio.Queue)

    def tick(
        self, time: float, *counted: FilterFigures, records: tuple[PacketRecord, ...] = (), ended: str = ""
    ) -> None:
        """Yield a sample; the clock starts at 1,000, unless `began` says otherwise."""
        self._queue.put_nowait(PacketsSample(self.began + time, time, counted, records, ended))

    async def readings(self, interval: float) -> AsyncIterator[PacketsSample]:
        """What `tick` was given."""
        self.intervals.append(interval)
        while True:
            sample = await self._queue.get()
            yield sample
            if sample.ended:
                return

    async def close(self) -> None:
        """Count the closings."""
        if self.hold is not None:
            await self.hold.wait()
        self.closed += 1


def asked(filterings: Sequence[FakeFiltering]) -> list[tuple[str, str, str]]:
    """The filters of the last one that was attached."""
    return [(one.interface.name, one.hook, one.expression) for one in filterings[-1].filters]


def packet_records(second: int) -> tuple[PacketRecord, ...]:
    """Some packets of a connection with port 22, one of them with bytes that mean no good."""
    begin = 1_700_000_000_000_000_000 + second * 10**9
    frames = (
        ("in", ethernet(ipv4(tcp(b"\x1b[31mhello[/]" * 3), 6))),
        ("out", ethernet(ipv4(tcp(ports=(22, 51044)), 6, source="192.0.2.9", destination="192.0.2.1"))),
        ("in", ethernet(ipv4(tcp(bytes(1_400)), 6))),
    )
    return tuple(
        PacketRecord(begin + 1_203_000 * number, "eth0", way, len(frame), frame[:1_000])
        for number, (way, frame) in enumerate(frames)
    )
