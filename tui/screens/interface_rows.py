"""The rows of the interfaces' list: rates from totals, columns, what is said about one. Pure: knows no widget."""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from rich.cells import cell_len

from tui import text
from tui.collectors.samples import Interface, InterfacesSample
from tui.widgets.columns import Column
from tui.widgets.history import STEPS, History
from tui.widgets.pieces import Cell, cut_end

QUIET: Final = 10_000.0  # bits a second that fill a bar of a sparkline at least: less is to look like less
_LOOPBACK: Final = 772  # ARPHRD_LOOPBACK
_ROLES: Final = {"up": "good", "no carrier": "warn", "dormant": "warn", "down": "dim"}
Figures = tuple[float, ...]


class Rates(NamedTuple):
    """What passes an interface, per second."""

    rx_bits: float
    tx_bits: float
    rx_packets: float
    tx_packets: float


class InterfaceRow(NamedTuple):
    """An interface, and what the list shows with it."""

    interface: Interface
    rates: Rates | None  # None: it was read only once
    traffic: "Traffic"


class Traffic:
    """Rates and their last sixty seconds, from one reading to the next."""

    def __init__(self) -> None:
        self.received, self.sent = History(), History()  # bits a second
        self._errors, self._dropped = History(), History()  # a second
        self._before: dict[int, Interface] = {}
        self._time = 0.0
        self._rates: dict[int, Rates] = {}

    def add(self, sample: InterfacesSample) -> None:
        """Note a reading. A total that is smaller than before was reset: it counts from nought."""
        seconds = sample.time - self._time
        now = {one.ifindex: one for one in sample.interfaces}
        both = (
            [(now[number], self._before[number]) for number in now.keys() & self._before.keys()] if seconds > 0 else []
        )
        self._rates = {one.ifindex: _rates(one, before, seconds) for one, before in both}
        self.received.add(sample.time, {number: rates.rx_bits for number, rates in self._rates.items()})
        self.sent.add(sample.time, {number: rates.tx_bits for number, rates in self._rates.items()})
        self._errors.add(sample.time, {one.ifindex: float(errors(one) - errors(before)) for one, before in both})
        self._dropped.add(sample.time, {one.ifindex: float(dropped(one) - dropped(before)) for one, before in both})
        self._before, self._time = now, sample.time

    def rows(self, interfaces: Iterable[Interface]) -> list[InterfaceRow]:
        """The rows for these interfaces."""
        return [InterfaceRow(one, self._rates.get(one.ifindex), self) for one in interfaces]

    def more_errors(self, number: int) -> bool:
        """Whether the interface had errors in the last sixty seconds."""
        return any(value > 0 for value in self._errors.last(number, STEPS))

    def more_dropped(self, number: int) -> bool:
        """Whether the interface dropped packets in the last sixty seconds."""
        return any(value > 0 for value in self._dropped.last(number, STEPS))


def _rates(now: Interface, before: Interface, seconds: float) -> Rates:
    def per_second(after: int, earlier: int) -> float:
        return (after - earlier if after >= earlier else after) / seconds

    return Rates(
        rx_bits=8 * per_second(now.rx_bytes, before.rx_bytes),
        tx_bits=8 * per_second(now.tx_bytes, before.tx_bytes),
        rx_packets=per_second(now.rx_packets, before.rx_packets),
        tx_packets=per_second(now.tx_packets, before.tx_packets),
    )


def errors(one: Interface) -> int:
    """Packets that could not be received or sent."""
    return one.rx_errors + one.tx_errors


def dropped(one: Interface) -> int:
    """Packets that were thrown away, for want of room or of somebody who wants them."""
    return one.rx_dropped + one.tx_dropped


def row_key(row: InterfaceRow) -> int:
    """The row's key."""
    return row.interface.ifindex


def words(row: InterfaceRow) -> str:
    """By what an interface can be found."""
    one = row.interface
    return "\n".join((one.name, one.state, one.driver, one.kind, one.mac, *one.addresses))


def driver(one: Interface) -> str:
    """The driver; where there is none, what it is instead: veth, virtual."""
    if one.driver:
        return one.driver
    return (
        one.kind if one.hardware == _LOOPBACK else f"{one.kind}, {'no driver' if one.kind == 'ethernet' else 'virtual'}"
    )


def _driver(row: InterfaceRow, _: int) -> Cell:
    return row.interface.driver or ((f"({row.interface.kind})", "dim"),)


def _addresses(row: InterfaceRow, width: int) -> Cell:
    """The first address, and how many more there are; where there is little room, without its network's length."""
    first, *others = row.interface.addresses or ("",)
    more = f" +{len(others)}" if others else ""
    room = max(1, width - len(more))
    shown = first if cell_len(first) <= room else first.partition("/")[0]
    return ((cut_end(shown, room), ""), (more, "dim"))


def _rate(of: Callable[[Rates], float]) -> tuple[Callable[[InterfaceRow, int], Cell], Callable[[InterfaceRow], float]]:
    """The cell, and what it is sorted by."""
    return (
        lambda row, _: text.rate(of(row.rates)) if row.rates else "",
        lambda row: of(row.rates) if row.rates else -1.0,
    )


def _graph(of: Callable[["Traffic"], History]) -> Callable[[InterfaceRow, int], Cell]:
    return lambda row, width: ((text.sparkline(of(row.traffic).last(row_key(row), width), width, QUIET), "graph"),)


def _trouble(number: int, *, lately: bool) -> Cell:
    """A total; with a sign where it grew lately."""
    shown = text.count(number) if number < 10_000 else text.rate(number)
    return ((f"▲{shown}", "warn"),) if lately else ((shown, "" if number else "dim"),)


_RX_BITS, _TX_BITS = _rate(lambda rates: rates.rx_bits), _rate(lambda rates: rates.tx_bits)
_RX_PACKETS, _TX_PACKETS = _rate(lambda rates: rates.rx_packets), _rate(lambda rates: rates.tx_packets)

COLUMNS: Final[tuple[Column[InterfaceRow], ...]] = (
    Column(
        "name",
        "NAME",
        15,
        lambda row, _: row.interface.name,
        lambda row: row.interface.name,
        middle=True,
        flexible=True,
    ),
    Column(
        "state",
        "STATE",
        10,
        lambda row, _: ((row.interface.state, _ROLES.get(row.interface.state, "")),),
        lambda row: row.interface.state,
    ),
    Column(
        "addresses",
        "ADDRESSES",
        15,
        _addresses,
        lambda row: row.interface.addresses,
        flexible=True,
        priority=2,
    ),
    Column("driver", "DRIVER", 11, _driver, lambda row: driver(row.interface), flexible=True, priority=7),
    Column("rx", "IN b/s", 8, *_RX_BITS, descending=True, right=True),
    Column("rx-packets", "IN p/s", 7, *_RX_PACKETS, descending=True, right=True, priority=9),
    Column("rx-history", "60 s", STEPS // 2, _graph(lambda traffic: traffic.received), priority=3),
    Column("tx", "OUT b/s", 8, *_TX_BITS, descending=True, right=True),
    Column("tx-packets", "OUT p/s", 7, *_TX_PACKETS, descending=True, right=True, priority=9),
    Column("tx-history", "60 s", STEPS // 2, _graph(lambda traffic: traffic.sent), priority=6),
    Column(
        "errors",
        "ERRORS",
        7,
        lambda row, _: _trouble(errors(row.interface), lately=row.traffic.more_errors(row_key(row))),
        lambda row: errors(row.interface),
        descending=True,
        right=True,
        priority=5,
    ),
    Column(
        "dropped",
        "DROPS",
        7,
        lambda row, _: _trouble(dropped(row.interface), lately=row.traffic.more_dropped(row_key(row))),
        lambda row: dropped(row.interface),
        descending=True,
        right=True,
        priority=4,
    ),
)


def limits(rows: Iterable[InterfaceRow]) -> dict[str, int]:
    """How many cells the flexible columns can use."""
    rows = list(rows)
    return {
        "name": max((cell_len(row.interface.name) for row in rows), default=4),
        "driver": max((cell_len(row.interface.driver or f"({row.interface.kind})") for row in rows), default=11),
    }


def spelt(row: InterfaceRow) -> str:
    """All that is known of the interface."""
    one, rates = row.interface, row.rates
    parts = [
        driver(one),
        one.mac,
        f"MTU {one.mtu:,}",
        ", ".join(one.addresses),
        f"{text.rate(rates.rx_packets)} packets/s in, {text.rate(rates.tx_packets)} out" if rates else "",
        f"{one.rx_errors:,} errors in, {one.tx_errors:,} out" if errors(one) else "",
        f"{one.rx_dropped:,} dropped in, {one.tx_dropped:,} out" if dropped(one) else "",
    ]
    return f"{one.name}  {' · '.join(filter(None, parts))}"
