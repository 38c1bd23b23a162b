"""What filters have counted, as rows: rates, baselines, groups, bars. Pure: knows no widget."""

from collections.abc import Hashable, Iterable
from operator import attrgetter
from typing import Final, NamedTuple

from tui import text
from tui.collectors.samples import FilterFigures, GroupRow, PacketsSample
from tui.screens.pace import SHORTEST
from tui.widgets.history import History

OTHERS: Final = "others"
_NAMES: Final = {
    "proto": "protocol",
    "src": "address",
    "dst": "address",
    "sport": "port",
    "dport": "port",
    "flow": "addresses",
    "size": "size",
    "hops": "hop count",
    "gap": "packet before",
}
TITLES: Final = {
    "proto": "PROTOCOL",
    "src": "SOURCE",
    "dst": "DESTINATION",
    "sport": "SOURCE PORT",
    "dport": "DESTINATION PORT",
    "flow": "FLOW",
    "size": "SIZE",
    "hops": "HOPS",
    "gap": "GAP",
    "": "",
}
PLURALS: Final = {
    "proto": "protocols",
    "src": "source addresses",
    "dst": "destination addresses",
    "sport": "source ports",
    "dport": "destination ports",
    "flow": "flows",
    "size": "sizes: bytes of a packet",
    "hops": "hops that packets had made, by their TTL",
    "gap": "gaps: time since the packet before",
    "": "",
}


class FilterRow(NamedTuple):
    """One filter at one hook of one interface."""

    number: int
    figures: FilterFigures  # since the start, or since the reset
    per_second: float  # matched packets
    bits: float  # matched, a second
    history: History
    differs: int = 0  # from which letter on its expression differs from all others

    @property
    def share(self) -> float:
        """Of what was seen, 0–1."""
        return self.figures.matched / self.figures.seen if self.figures.seen else 0.0


class TalkerRow(NamedTuple):
    """Matched packets that have something in common."""

    key: Hashable
    name: str
    packets: int
    bytes: int
    per_second: float
    share: float  # of all that matched, 0–1
    history: History
    last: int = 0  # 1 and 2 go behind all others: those without, and the rest


filter_key, talker_key = attrgetter("number"), attrgetter("key")


class Counted:
    """What is known of running filters."""

    def __init__(self) -> None:
        self.sample: PacketsSample | None = None
        self.since = 0.0  # seconds after the start: the last reset
        self._baseline: tuple[FilterFigures, ...] = ()
        self._rates: dict[Hashable, float] = {}
        self._bits: dict[Hashable, float] = {}
        self._rated, self._earlier = 0.0, dict[Hashable, tuple[int, int]]()
        self._history = History()

    def take(self, sample: PacketsSample) -> None:
        """Note the next sample."""
        first = self.sample is None
        self.sample = sample
        now = dict(_totals(sample.filters))
        seconds = sample.time - self._rated
        if first:
            self._rated, self._earlier = sample.time, now
        elif sample.ended and sample.elapsed > self.since:  # what stays is the mean of all that is shown
            shown = sample.elapsed - self.since
            totals = dict(_totals(self.figures))
            self._rates = {key: packets / shown for key, (packets, _) in totals.items()}
            self._bits = {key: 8 * size / shown for key, (_, size) in totals.items()}
        elif seconds >= SHORTEST:
            before = self._earlier
            pairs = {key: (both, before.get(key, (0, 0))) for key, both in now.items()}
            self._rates = {key: max(0, both[0] - then[0]) / seconds for key, (both, then) in pairs.items()}
            self._bits = {key: 8 * max(0, both[1] - then[1]) / seconds for key, (both, then) in pairs.items()}
            self._history.add(sample.time, self._rates)
            self._rated, self._earlier = sample.time, now

    @property
    def seen(self) -> int:
        """Packets that any filter has seen since the start."""
        return sum(one.seen for one in self.sample.filters) if self.sample else 0

    @property
    def resettable(self) -> bool:
        """Whether a baseline can be subtracted; not where some groups' figures are only known together."""
        return self.sample is not None and not any(one.others.packets for one in self.sample.filters)

    def reset(self) -> None:
        """Count from here."""
        if self.sample is not None:
            self._baseline, self.since = self.sample.filters, self.sample.elapsed
            self._history.clear()

    @property
    def was_reset(self) -> bool:
        """Whether the figures are not those since the start."""
        return bool(self._baseline)

    @property
    def figures(self) -> tuple[FilterFigures, ...]:
        """Of each filter, since the start or since the reset."""
        now = self.sample.filters if self.sample else ()
        if len(self._baseline) != len(now):
            return now
        return tuple(_minus(one, before) for one, before in zip(now, self._baseline, strict=True))

    @property
    def shown(self) -> PacketsSample | None:
        """The sample, with these figures."""
        if self.sample is None:
            return None
        return self.sample._replace(elapsed=self.sample.elapsed - self.since, filters=self.figures, records=())

    def rows(self) -> list[FilterRow]:
        """The filters, in their order."""
        return [
            FilterRow(number, one, self._rates.get(number, 0.0), self._bits.get(number, 0.0), self._history)
            for number, one in enumerate(self.figures)
        ]

    def talkers(self, number: int) -> list[TalkerRow]:
        """The groups of one filter; with those without any, and the others, they are all that matched."""
        if number >= len(self.figures):
            return []
        one = self.figures[number]
        total = one.matched or 1
        rows = []
        for group in [*one.groups, *([one.others] if one.others.packets else [])]:
            other = group is one.others
            key = (number, OTHERS) if other else (number, group.key)
            name = OTHERS if other else _named(group.key, one.by)
            last = 2 if other else int(group.key is None)
            rate = self._rates.get(key, 0.0)
            rows.append(
                TalkerRow(key, name, group.packets, group.bytes, rate, group.packets / total, self._history, last)
            )
        return rows


def _totals(filters: Iterable[FilterFigures]) -> Iterable[tuple[Hashable, tuple[int, int]]]:
    """Packets and bytes of each filter by its number, and of its groups."""
    for number, one in enumerate(filters):
        yield number, (one.matched, one.bytes_matched)
        for group in one.groups:
            yield (number, group.key), (group.packets, group.bytes)
        yield (number, OTHERS), (one.others.packets, one.others.bytes)


def _named(key: str | int | None, by: str) -> str:
    if key is None:
        return f"no {_NAMES.get(by, 'group')}"
    return str(key)


def _minus(now: FilterFigures, before: FilterFigures) -> FilterFigures:
    """What came since."""
    then = {group.key: group for group in before.groups}
    nothing = GroupRow(None, 0, 0)
    pairs = [(group, then.get(group.key, nothing)) for group in now.groups]
    groups = tuple(
        GroupRow(group.key, group.packets - old.packets, group.bytes - old.bytes)
        for group, old in pairs
        if group.packets > old.packets
    )
    shown = GroupRow(None, sum(group.packets for group in groups), sum(group.bytes for group in groups))
    matched, size = now.matched - before.matched, now.bytes_matched - before.bytes_matched
    others = GroupRow(None, max(0, matched - shown.packets), max(0, size - shown.bytes)) if now.by else now.others
    hits = now.hits
    if len(hits) == len(before.hits):
        hits = tuple(max(0, one - old) for one, old in zip(hits, before.hits, strict=True))
    return now._replace(
        seen=now.seen - before.seen,
        matched=matched,
        bytes_seen=now.bytes_seen - before.bytes_seen,
        bytes_matched=size,
        segments=now.segments - before.segments,
        lost=now.lost - before.lost,
        groups=groups,
        others=others,
        hits=hits,
    )


# Histograms


def bars(groups: Iterable[GroupRow]) -> list[tuple[int, int, int]]:
    """From, up to but without, packets; without the packets that have no such thing."""
    found = []
    for group in groups:
        if not group.packets:
            continue
        if isinstance(group.key, int):
            found.append((group.key, group.key + 1, group.packets))
        elif group.key is not None:
            low, _, high = group.key.partition("-")
            if low.isdecimal() and high.isdecimal():
                found.append((int(low), int(high) + 1, group.packets))
    return sorted(found)


def label(by: str, low: int) -> str:
    """Where a bar begins, in at most 7 cells."""
    return text.duration(low) if by == "gap" else text.size(low) if by == "size" and low >= 10_000 else f"{low:,}"


def without(figures: FilterFigures) -> int:
    """Packets that have nothing to be grouped by."""
    return sum(group.packets for group in figures.groups if group.key is None)


def summed(figures: FilterFigures) -> int:
    """What the groups, those without one and the others sum up to."""
    return sum(group.packets for group in figures.groups) + figures.others.packets
