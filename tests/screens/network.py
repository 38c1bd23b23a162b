"""Interfaces for the screens: those of a small server, and what passes them."""

from collections.abc import Iterable

from tui.collectors.samples import Interface, InterfacesSample


def interface(ifindex: int, name: str, **changes: object) -> Interface:
    """An interface that is up; `changes` replace its fields."""
    mac = f"02:fc:00:00:00:{ifindex:02x}"
    plain = Interface(ifindex, name, "up", "", (), mac, 1500, "veth", 0, 0, 0, 0, 0, 0, 0, 0)
    return plain._replace(**changes)  # type: ignore[arg-type]


INTERFACES = (
    interface(
        1,
        "lo",
        kind="loopback",
        hardware=772,
        mac="",
        mtu=65536,
        addresses=("127.0.0.1/8", "::1/128"),
        rx_bytes=1 << 20,
    ),
    interface(
        2,
        "eth0",
        driver="virtio_net",
        kind="ethernet",
        addresses=("192.0.2.17/24", "2001:db8:17::2/64", "fe80::fc:ff:fe00:2/64"),
        rx_bytes=9 << 30,
        tx_bytes=1 << 30,
        rx_dropped=1_204,
    ),
    interface(3, "eth1", driver="ixgbe", kind="ethernet", state="no carrier", mtu=9000),
    interface(4, "wg0", kind="wireguard", hardware=65534, mac="", mtu=1420, addresses=("10.77.0.1/16",), tx_errors=7),
    interface(5, "docker0", kind="bridge", addresses=("172.17.0.1/16",)),
    interface(9, "veth0a1b2c3", rx_dropped=48_000_000),
    interface(12, "dummy0", kind="dummy", state="down"),
)
_PER_SECOND = {  # bytes and packets in, bytes and packets out
    1: (1_200, 9, 1_200, 9),
    2: (9_300_000, 7_131, 412_000, 3_101),
    4: (101_000, 97, 88_000, 89),
    5: (310, 1, 220, 1),
    9: (220, 1, 310, 1),
}


def passed(interfaces: Iterable[Interface], seconds: float, **more: int) -> tuple[Interface, ...]:
    """The same after so many seconds of steady traffic; `more` is added to eth0's totals."""
    return tuple(_after(one, seconds, more if one.name == "eth0" else {}) for one in interfaces)


def _after(one: Interface, seconds: float, more: dict[str, int]) -> Interface:
    rx_bytes, rx_packets, tx_bytes, tx_packets = (
        int(seconds * rate) for rate in _PER_SECOND.get(one.ifindex, (0,) * 4)
    )
    later = one._replace(
        rx_bytes=one.rx_bytes + rx_bytes,
        rx_packets=one.rx_packets + rx_packets,
        tx_bytes=one.tx_bytes + tx_bytes,
        tx_packets=one.tx_packets + tx_packets,
    )
    return later._replace(**{name: getattr(later, name) + value for name, value in more.items()})


def interfaces_sample(time: float, interfaces: Iterable[Interface]) -> InterfacesSample:
    """A reading; the clock starts at 1,000."""
    return InterfacesSample(1000 + time, tuple(interfaces))
