"""The interfaces of this machine, beside what psutil says of them; and answers that the kernel wouldn't give."""

import errno
import re
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.bpf import netlink
from tui.collectors import interfaces, rtnetlink
from tui.collectors.interfaces import Interfaces
from tui.collectors.rtnetlink import Link, Route
from tui.collectors.samples import Interface
from tui.errors import BpfscopeError, NotSupported


def described(**changes: object) -> Interface:
    link = Link(7, b"eth7", 1, 0x1 | 0x40 | 0x10000, 1500, bytes.fromhex("02fc00000001"), "", False)
    return interfaces._interface(link._replace(**changes), "", [])  # type: ignore[arg-type]


def test_the_same_as_psutil_says() -> None:
    with Interfaces() as reader:
        found = {one.name: one for one in reader.read().interfaces}
    statistics = psutil.net_if_stats()
    assert set(found) == set(statistics)
    for name, addresses in psutil.net_if_addrs().items():
        ours = found[name]
        assert ours.mtu == statistics[name].mtu
        assert (ours.state == "up") == statistics[name].isup
        inet = {one.address.partition("%")[0] for one in addresses if one.family in (socket.AF_INET, socket.AF_INET6)}
        assert {one.partition("/")[0] for one in ours.addresses} == inet
        macs = {one.address for one in addresses if one.family == psutil.AF_LINK}
        assert {ours.mac or "00:00:00:00:00:00"} == macs


def test_counters_lie_between_two_readings_of_psutil() -> None:
    with Interfaces() as reader:
        before = psutil.net_io_counters(pernic=True, nowrap=False)
        found = reader.read().interfaces
        after = psutil.net_io_counters(pernic=True, nowrap=False)
    for one in found:
        low, high = before[one.name], after[one.name]
        assert low.bytes_recv <= one.rx_bytes <= high.bytes_recv
        assert low.bytes_sent <= one.tx_bytes <= high.bytes_sent
        assert low.packets_recv <= one.rx_packets <= high.packets_recv
        assert low.packets_sent <= one.tx_packets <= high.packets_sent
        assert (low.errin, low.errout) <= (one.rx_errors, one.tx_errors) <= (high.errin, high.errout)
        assert low.dropin <= one.rx_dropped <= high.dropin
        assert low.dropout <= one.tx_dropped <= high.dropout


def test_a_driver_where_a_device_is_behind_it() -> None:
    with Interfaces() as reader:
        found = reader.read().interfaces
    for one in found:
        driver = Path(f"/sys/class/net/{one.name}/device/driver")
        assert one.driver == (driver.resolve().name if driver.exists() else "")
    loopback = next(one for one in found if one.hardware == 772)
    assert (loopback.kind, loopback.state, loopback.mac) == ("loopback", "up", "")


@pytest.mark.parametrize(
    ("flags", "state"),
    [
        (0, "down"),
        (0x10000 | 0x40, "down"),
        (0x1, "no carrier"),
        (0x1 | 0x10000, "dormant"),
        (0x1 | 0x10000 | 0x40, "up"),
    ],
)
def test_states(flags: int, state: str) -> None:
    assert described(flags=flags).state == state


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"kind": "veth"}, "veth"),
        ({"kind": "\x1b[31m"}, "␛[31m"),
        ({"hardware": 772}, "loopback"),
        ({"hardware": 65534}, "no header"),
        ({"hardware": 4242}, "type 4242"),
        ({}, "ethernet"),
    ],
)
def test_kinds(changes: dict[str, object], kind: str) -> None:
    assert described(**changes).kind == kind


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (bytes(6), ""),
        (bytes((192, 0, 2, 1)), ""),
        (bytes(range(1, 21)), "01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10:11:12:13:14"),
        (bytes.fromhex("02fc00000001"), "02:fc:00:00:00:01"),
    ],
)
def test_hardware_addresses(raw: bytes, shown: str) -> None:
    assert described(mac=raw).mac == shown


def test_names_are_sanitised() -> None:
    assert described(name=b"\x1b]0;x\x07\xff").name == "␛]0;x␇\ufffd"


def test_what_hardly_changes_is_read_when_the_kernel_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Route] = []
    links = Route.links

    def noted(route: Route) -> list[Link]:
        asked.append(route)
        return links(route)

    monkeypatch.setattr(Route, "links", noted)
    with Interfaces() as reader:
        reader.read()
        monkeypatch.setattr(Route, "news", lambda self: False)
        reader.read()
        assert len(asked) == 1
        monkeypatch.setattr(Route, "news", lambda self: True)
        reader.read()
        assert len(asked) == 2


def test_more_news_than_there_is_room_for_is_news(monkeypatch: pytest.MonkeyPatch) -> None:
    with Route() as route:
        assert not route.news()
        route._news.close()
        answers = iter([OSError(errno.ENOBUFS, "No buffer space available"), BlockingIOError()])
        monkeypatch.setattr(route, "_news", Raising(lambda: next(answers)))
        assert route.news()


class Raising:
    """A socket that only fails."""

    def __init__(self, error: Callable[[], OSError]) -> None:
        self.error = error

    def recv(self, size: int) -> bytes:
        del size
        raise self.error()

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.EAFNOSUPPORT, NotSupported), (errno.EPERM, NotSupported), (errno.ENOMEM, BpfscopeError)]
)
def test_what_the_system_refuses_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, number: int, kind: type[BpfscopeError]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, "refused")

    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(BpfscopeError, match="network interfaces: refused; ") as raised:
        Interfaces()
    assert type(raised.value) is kind


def test_closing_twice_and_from_another_thread() -> None:
    reader = Interfaces()
    reader.read()
    thread = threading.Thread(target=reader.close)
    thread.start()
    thread.join()
    reader.close()
    with pytest.raises(BpfscopeError):
        reader.read()


@given(st.binary(max_size=300))
def test_answers_of_any_bytes_are_read_in_bounds(data: bytes) -> None:
    for _, _, _, body in netlink._messages(data):
        assert len(body) <= len(data)
    assert all(len(value) <= len(data) for value in netlink.attributes(data).values())
    rtnetlink._link(data.ljust(rtnetlink._LINK.size, b"\0"))
    rtnetlink._address(data.ljust(rtnetlink._ADDRESS.size, b"\0"))


def test_addresses_of_both_families_and_no_others() -> None:
    def answer(family: int, *attributes: bytes) -> rtnetlink.Address | None:
        return rtnetlink._address(struct.pack("=BBBBI", family, 24, 0, 253, 7) + b"".join(attributes))

    peer, own = netlink.attribute(1, bytes((10, 0, 0, 9))), netlink.attribute(2, bytes((10, 0, 0, 1)))
    assert answer(socket.AF_INET, peer, own) == (7, "10.0.0.1/24", socket.AF_INET, 253)
    six = netlink.attribute(1, bytes.fromhex("fe80000000000000000000000000beef"))
    assert answer(socket.AF_INET6, six) == (7, "fe80::beef/24", socket.AF_INET6, 253)
    assert answer(socket.AF_INET, six) is None
    assert answer(99, peer) is None


async def test_a_stream_yields_rates_soon_and_gives_its_sockets_back() -> None:
    before = _sockets()
    stream = interfaces.stream(60.0)
    first, second = await anext(stream), await anext(stream)
    assert 0 < second.time - first.time < 10
    assert _sockets() == before + 2
    await stream.aclose()  # type: ignore[attr-defined]
    assert _sockets() == before


def _sockets() -> int:
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(bool(re.match("socket:", str(link.readlink()))) for link in links)
