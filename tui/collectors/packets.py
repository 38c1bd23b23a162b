"""Filters on interfaces, live: several at once, each with its hook, on the same traffic; a context manager.

    wish = Wish(interface, Hook.TCX_INGRESS, "tcp port 22", program)
    with PacketsProbe([wish], by=By.FLOW) as probe:
        probe.read().filters

Everything is counted in the kernel, by turns: a reading has exactly the packets of the turns that are over, so that
its figures never disagree, and groups, others and those without a group sum up to what matched.
"""

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from heapq import nlargest
from typing import Any, Final, NamedTuple

from tui.bpf import classic, kernel
from tui.bpf.expressions import for_hook
from tui.bpf.extended.translate import Kind
from tui.bpf.hooks import Attached, ClassicSocket, Direction, Hook, attach
from tui.bpf.hooks.interfaces import exists
from tui.bpf.packets.counter import Amount, PacketCounter, Turns
from tui.bpf.packets.groups import By, bin_name, name
from tui.bpf.packets.headers import Link
from tui.bpf.packets.program import Spec
from tui.collectors.samples import FilterFigures, GroupRow, Interface, PacketRecord, PacketsSample
from tui.errors import NotSupported, UsageError
from tui.owner import Owner

TOP: Final = 256  # groups of a reading; the rest are others
_NAMED: Final = 1_024  # of which names are made: more than TOP, since some may have the same name
KINDS: Final = {
    Hook.SOCKET: Kind.SOCKET,
    Hook.SOCKET_EBPF: Kind.SOCKET,
    Hook.TCX_INGRESS: Kind.TC,
    Hook.TCX_EGRESS: Kind.TC,
    Hook.XDP: Kind.XDP,
    Hook.CGROUP: Kind.CGROUP,
}
_ETHERNET: Final = frozenset((1, 772))  # ARPHRD_…: include/uapi/linux/if_arp.h
_RAW: Final = frozenset((512, 519, 768, 769, 776, 778, 823, 65534))  # PPP, raw IP, tunnels, tun and WireGuard
_OF_LIBPCAP: Final = re.compile(r"any$|nflog|nfqueue")  # all interfaces, and netfilter's (libpcap 1.10)
_LINK_TYPES: Final = {Link.ETHERNET: 1, Link.RAW: 101}  # LINKTYPE_… of pcap
LOOPBACK: Final = 772
_OUTGOING: Final = 4  # PACKET_OUTGOING
_UNSEGMENTED: Final = "generic XDP doesn't tell how many packets of the wire are in one: segments are too few"
_EVERYWHERE: Final = "cgroups see the sockets of all network namespaces: interfaces of the same number count together"


class Wish(NamedTuple):
    """One filter at one hook of one interface."""

    interface: Interface
    hook: Hook
    expression: str
    program: classic.Program
    direction: Direction | None = None  # None: what the hook sees, but what is sent on `lo` only once

    @property
    def link(self) -> Link:
        """What packets begin with there. Raises NotSupported for links that are neither Ethernet nor IP alone."""
        return Link.RAW if self.hook is Hook.CGROUP else link_of(self.interface)


def link_of(interface: Interface) -> Link:
    """What its packets begin with. Raises NotSupported."""
    if interface.hardware in _ETHERNET:
        return Link.ETHERNET
    if interface.hardware in _RAW:
        return Link.RAW
    raise NotSupported(
        f"{interface.name} is neither Ethernet nor IP alone ({interface.kind}): bpfscope doesn't know its headers"
    )


def compiled_for(hook: str, interface: Interface) -> dict[str, Any]:
    """How an expression is compiled for a hook of an interface, as arguments of `Compiler.compile`.

    Without Ethernet headers libpcap captures live in a mode of its own, with headers that no hook sees. Some names
    stand for something else with libpcap.
    """
    if hook != Hook.CGROUP.value and link_of(interface) is Link.RAW:
        return {"link_type": "RAW"}
    return {"link_type": "EN10MB"} if _OF_LIBPCAP.match(interface.name) else for_hook(hook, interface.name)


class PacketsProbe(Owner):
    """Owns the filters; leaving it takes them off."""

    def __init__(
        self,
        wishes: Sequence[Wish],
        by: By = By.NOTHING,
        *,
        hits: bool = False,
        snapshot: int = 0,
        promiscuous: bool = False,
        native: bool | None = None,
    ) -> None:
        """Attaches all, or raises what `hooks.attach` raises. `snapshot`: bytes that are kept of samples."""
        self._filters: list[_Filter] = []
        self._turns = Turns()
        try:
            for wish in wishes:
                self._filters.append(
                    _Filter(wish, by, self._turns, hits=hits, snapshot=snapshot, promiscuous=promiscuous, native=native)
                )
        except BaseException:
            self.close()
            raise
        self._started = time.monotonic()
        self._turns.begin()
        for each in self._filters:
            each.begin()

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know of how they are attached: down, generic, behind others."""
        return tuple(dict.fromkeys(each.note for each in self._filters if each.note))

    @property
    def positions(self) -> tuple[str, ...]:
        """Each filter's place among the programs at its hook, in words; "" where each sees everything."""
        return tuple(each.position for each in self._filters)

    def read(self, most: int = 1_000) -> PacketsSample:
        """The figures now, and at most so many samples of each filter."""
        now = time.monotonic()
        self._end_turn(last=False)
        filters = tuple(each.figures() for each in self._filters)
        records = sorted(record for each in self._filters for record in each.records(most))
        return PacketsSample(now, now - self._started, filters, tuple(records), self._ended())

    def allow(self, samples: int) -> None:
        """Lets each filter keep so many more samples from now on."""
        for each in self._filters:
            each.counter.allow(samples)

    def stop(self) -> None:
        """Ends counting, of all filters at one instant, and takes them off; what was counted stays to be read."""
        self._end_turn(last=True)
        for each in self._filters:
            each.stop()

    def _end_turn(self, *, last: bool) -> None:
        """Lets the filters count in another turn, or not at all, and adds up what they have counted."""
        for each in self._filters:
            each.end_turn()
        self._turns.end(last=last)
        for each in self._filters:
            each.counter.take()

    def close(self) -> None:
        """Takes them off, and forgets what was counted; a second time is harmless."""
        while self._filters:
            self._filters.pop().close()
        self._turns.close()

    def _ended(self) -> str:
        """Why nothing more is to be expected; empty while something is."""
        if not all(each.gone for each in self._filters):
            return ""
        return ", ".join(dict.fromkeys(each.gone for each in self._filters))


class _Filter(Owner):
    """One filter: what counts, and what holds it at its hook."""

    def __init__(
        self, wish: Wish, by: By, turns: Turns, *, hits: bool, snapshot: int, promiscuous: bool, native: bool | None
    ) -> None:
        self.wish, self._by = wish, by
        if wish.hook is Hook.SOCKET and by.value:
            raise UsageError("the hook socket counts with classic BPF, which can't group: use the hook socket-ebpf")
        self._link, self._kind = wish.link, KINDS[wish.hook]
        self._attached: Attached | None = None
        self._classic: ClassicSocket | None = None
        self._classic_matched = self._before = 0  # by the classic socket, and of that before the beginning
        self.gone = self.note = ""
        only = wish.interface.ifindex if self._kind is Kind.CGROUP else 0
        spec = Spec(self._kind, wish.program, by, hits, snapshot, self._link, _constants(wish), only)
        self.counter = PacketCounter(wish.hook, spec, turns)
        try:
            self._attach(promiscuous=promiscuous, native=native)
        except BaseException:
            self.close()
            raise

    def _attach(self, *, promiscuous: bool, native: bool | None) -> None:
        """Beside a classic program, which can't tell what it has seen, its translation counts, and both."""
        wish, direction = self.wish, self.wish.direction
        both = self._kind in (Kind.SOCKET, Kind.CGROUP)
        if direction is None and both and wish.interface.hardware == LOOPBACK:
            direction = Direction.IN
        hook = Hook.SOCKET_EBPF if wish.hook is Hook.SOCKET else wish.hook
        index = wish.interface.ifindex
        self._attached = attach(
            hook, index, self.counter.program, direction=direction, promiscuous=promiscuous, native=native
        )
        self._direction = self._attached.direction
        generic = _UNSEGMENTED if self._attached.native is False else ""
        self.note = "; ".join(filter(None, (self._attached.note, generic, _EVERYWHERE if hook is Hook.CGROUP else "")))
        if wish.hook is Hook.SOCKET:
            code = classic.pack(wish.program)
            self._classic = ClassicSocket(index, code, direction=self._direction, promiscuous=promiscuous)

    @property
    def position(self) -> str:
        """Its place among the programs at its hook; "" where that means nothing."""
        return self._attached.position if self._attached else ""

    def begin(self) -> None:
        """What the classic socket has matched before doesn't count."""
        if self._classic:
            self._before = self._classic.matched()

    def end_turn(self) -> None:
        """Asks the classic socket: the kernel gives no more of it than a number, at another instant than the turn's."""
        if self._classic:
            self._classic_matched = self._classic.matched() - self._before

    def figures(self) -> FilterFigures:
        """What it has counted in the turns that are over."""
        rows, found = self._rows(), self.counter.figures()
        others = _sum(rows[TOP:], found.others)
        groups = rows[:TOP] + ([GroupRow(None, *found.none)] if found.none.packets else [])
        matched = found.matched
        if not self.gone and self._attached and self._attached.gone():
            name = self.wish.interface.name
            taken = f"somebody else took the filter off {name}"
            self.gone = taken if exists(self.wish.interface.ifindex) else f"{name} disappeared"
        return FilterFigures(
            interface=self.wish.interface.name,
            hook=self.wish.hook.value,
            direction=self._direction.value,
            filter=self.wish.expression,
            seen=found.seen.packets,
            matched=matched.packets,
            bytes_seen=found.seen.bytes,
            bytes_matched=matched.bytes,
            segments=found.segments,
            lost=kernel.program_misses(self.counter.program),
            by=self._by.value,
            groups=tuple(groups),
            others=GroupRow(None, *others),
            hits=found.hits,
            gone=self.gone,
            classic_matched=self._classic_matched if self.wish.hook is Hook.SOCKET else None,
        )

    def _rows(self) -> list[GroupRow]:
        """Of bins in their order; of others the largest first, those of one name together.

        Of very many only the largest are named, which takes most of the time; the rest is one row, at the end.
        """
        amounts: dict[str | int, Amount] = {}
        found: list[tuple[bytes | int, Amount]] = [*self.counter.groups().items()]
        rest: list[GroupRow] = []
        if len(found) > _NAMED:
            largest = nlargest(_NAMED, found, key=lambda pair: pair[1].packets)
            packets, size = (sum(column) for column in zip(*(amount for _, amount in found), strict=True))
            for _, amount in largest:
                packets, size = packets - amount.packets, size - amount.bytes
            found, rest = largest, [GroupRow(None, packets, size)]
        for key, amount in found:
            text = bin_name(self._by, key) if isinstance(key, int) else name(self._by, key)
            amounts[text] = amounts.get(text, Amount()).plus(*amount)
        rows = [GroupRow(text, *amount) for text, amount in amounts.items()]
        return rows if self._by.binned else [*sorted(rows, key=lambda row: (-row.packets, str(row.key))), *rest]

    def records(self, most: int) -> Iterator[PacketRecord]:
        """The samples since the last time."""
        since_1970 = time.time_ns() - time.monotonic_ns()
        for sample in self.counter.samples(most):
            yield PacketRecord(
                since_1970 + sample.time,
                self.wish.interface.name,
                self._way(outgoing=sample.outgoing),
                sample.length,
                sample.data,
                sample.tpid,
                sample.tci,
                _LINK_TYPES[self._link],
            )

    def _way(self, *, outgoing: bool) -> str:
        """Of one packet, where that is known."""
        way = self._direction
        if way is Direction.BOTH and self._kind is Kind.SOCKET:
            way = Direction.OUT if outgoing else Direction.IN
        return "" if way is Direction.BOTH else str(way.value)

    def stop(self) -> None:
        """Takes it off; what was counted stays to be read."""
        if self._classic:
            self._classic.close()
            self._classic = None
        if self._attached:
            self._attached.close()
            self._attached = None

    def close(self) -> None:
        """Takes it off, and gives everything back."""
        self.stop()
        self.counter.close()


def _constants(wish: Wish) -> tuple[tuple[str, int], ...]:
    """What is known of packets there. Before tc's egress nobody has written down that they go out."""
    outgoing = (("type", _OUTGOING),) if wish.hook is Hook.TCX_EGRESS else ()
    return (("hatype", wish.interface.hardware), *outgoing)


def _sum(rows: Iterable[GroupRow], amount: Amount) -> Amount:
    """What the rows add up to, and that."""
    for row in rows:
        amount = amount.plus(row.packets, row.bytes)
    return amount
