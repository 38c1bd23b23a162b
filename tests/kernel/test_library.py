"""Each program of the library, for real, on something whose truth is known. Others use the machine meanwhile."""

import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.kernel.loading import collected, library, table
from tests.kernel.network import Pair
from tests.kernel.probing import wait_until
from tui.collectors import library as ready_made
from tui.collectors.hints import hints
from tui.collectors.loaded_maps import distributions, powers

OURS = os.getpid()
pytestmark = pytest.mark.requires("compiling")


def test_all_of_them_are_tested_and_described() -> None:
    tests = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    for one in ready_made.ready():
        assert one.name in tests
        assert one.about.endswith((".", ").", "?"))
        assert one.hooks


def test_opens(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.touch()
    with library("opens") as loaded:
        for _ in range(499):
            os.close(os.open(there, os.O_RDONLY))
        for number in range(13):
            with pytest.raises(FileNotFoundError):
                os.open(tmp_path / f"missing {number}", os.O_RDONLY)
        found = collected(loaded, lambda event: event["path"].startswith(str(tmp_path)), 512)
    assert len(found) == 512
    assert {event["pid"] for event in found} == {OURS}
    assert sum(event["result"] >= 0 for event in found) == 499
    assert [event["path"] for event in found if event["result"] == -2] == [
        f"{tmp_path}/missing {number}" for number in range(13)
    ]


def test_execs() -> None:
    with library("execs") as loaded:
        for _ in range(13):
            subprocess.run(["/bin/true"], check=True)
        found = collected(loaded, lambda event: event["parent"] == OURS and event["file"] == "/bin/true", 13)
    assert len(found) == 13
    assert {event["comm"] for event in found} == {"true"}


def test_exits() -> None:
    with library("exits") as loaded:
        for _ in range(7):
            subprocess.run(["/bin/sh", "-c", "exit 41"], check=False)
        killed = subprocess.Popen(["/bin/sleep", "60"])
        killed.kill()
        killed.wait()
        found = collected(loaded, lambda event: event["parent"] == OURS, 8)
    assert [event["status"] for event in found if not event["signal"]] == [41] * 7
    assert [event["pid"] for event in found if event["signal"] == signal.SIGKILL] == [killed.pid]
    assert all(0 < event["lived_ns"] < 60_000_000_000 for event in found)


def test_syscalls() -> None:
    call = {"x86_64": 110, "aarch64": 173}[os.uname().machine]  # getppid
    with library("syscalls") as loaded:
        before = table(loaded, "syscalls")
        assert not [key for key in before if key[:2] == (OURS, call)]
        for _ in range(7919):
            os.getppid()
        (value,) = [value for key, value in table(loaded, "syscalls").items() if key[:2] == (OURS, call)]
    assert (value["calls"], value["failed"]) == (7919, 0)
    assert value["ns"] > 7919


def test_tcp_connects() -> None:
    with library("tcp_connects") as loaded, socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for _ in range(7):
            socket.create_connection(("127.0.0.1", port)).close()
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            refusing = unused.getsockname()[1]
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", refusing))
        found = collected(loaded, lambda event: event["to_port"] in (port, refusing), 8)
    assert [event["connected"] for event in found] == [1] * 7 + [0]
    assert {event["pid"] for event in found} == {OURS}
    shown = hints(loaded.source).named(found[0])
    assert isinstance(shown, dict)
    assert (shown["from"], shown["to"]) == ("127.0.0.1", "127.0.0.1")


def test_tcp_lives() -> None:
    with library("tcp_lives") as loaded, socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", port)) as client:
                accepted, _ = server.accept()
                client.sendall(bytes(99_991))
                client.shutdown(socket.SHUT_WR)
                while accepted.recv(1 << 20):
                    pass
                accepted.close()
                assert client.recv(1) == b""
        found = collected(loaded, lambda event: port in (event["to_port"], event["from_port"]), 10)
    assert len(found) == 10
    clients = [event for event in found if event["to_port"] == port]
    servers = [event for event in found if event["from_port"] == port]
    assert [event["received"] for event in servers] == [99_991 + 1] * 5  # and the end, which counts as a byte
    assert {event["received"] for event in clients} <= {0, 1}
    assert all(event["lived_ns"] > 0 for event in found)


def test_tcp_retransmits() -> None:
    with Pair(addresses=True) as pair, library("tcp_retransmits") as loaded:
        pair.left.run("ip", "link", "set", "dev", "left", "down")
        with pair.right.entered(), socket.socket() as client:
            client.setblocking(False)
            assert client.connect_ex(("10.0.0.1", 4_242)) != 0
            wait_until(lambda: any(key[3] == 4_242 for key in table(loaded, "retransmits")), "a retransmission")


def test_run_queue() -> None:
    """Two threads that wake one another: each time the other one has waited."""
    with library("run_queue") as loaded:
        there, back = os.pipe(), os.pipe()
        echo = threading.Thread(target=lambda: [os.write(back[1], os.read(there[0], 1)) for _ in range(1_009)])
        echo.start()
        for _ in range(1_009):
            os.write(there[1], b"x")
            os.read(back[0], 1)
        echo.join()
        sample = loaded.read()
        (one,) = distributions(
            sample.maps[sample.names.index("waited")], hints(loaded.source), powers(loaded.source)["waited"]
        )
        for fd in (*there, *back):
            os.close(fd)
    assert one.total >= 1_009
    assert one.bars[0][0] >= 0


def test_block_io(tmp_path: Path) -> None:
    if os.major(tmp_path.stat().st_dev) == 0:
        pytest.skip("a folder on a disk")
    with library("block_io") as loaded, (tmp_path / "file").open("wb") as file:
        for _ in range(11):
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
        written = {key: number for key, number in table(loaded, "took").items() if key[1] == "W"}
    assert sum(written.values()) >= 11


def test_page_faults() -> None:
    touches = (
        "import mmap; m = mmap.mmap(-1, 997 * mmap.PAGESIZE);"
        "m.madvise(mmap.MADV_NOHUGEPAGE);"
        "[m.__setitem__(at * mmap.PAGESIZE, 1) for at in range(997)]"
    )
    assert mmap.PAGESIZE
    with library("page_faults") as loaded:
        pid = os.posix_spawn(sys.executable, [sys.executable, "-I", "-S", "-c", touches], os.environ)
        usage = os.wait4(pid, 0)[2]
        faults = sum(number for key, number in table(loaded, "faults").items() if key[0] == pid)
    expected = usage.ru_minflt + usage.ru_majflt
    assert faults >= 997
    assert abs(faults - expected) < expected * 0.05, f"{faults} counted, {expected} the process's own"


def test_signals() -> None:
    with library("signals") as loaded:
        victim = subprocess.Popen(["/bin/sleep", "60"])
        victim.send_signal(signal.SIGUSR1)
        victim.wait()
        found = collected(loaded, lambda event: event["to"] == victim.pid, 1)
    assert [(event["pid"], event["signal"]) for event in found] == [(OURS, signal.SIGUSR1)]


@pytest.mark.requires("tcx")
def test_tc_example() -> None:
    with Pair() as pair:
        with pair.right.entered():
            loaded = library("tc_example", "right")
        with loaded:
            pair.left.send(499)
            found = collected(loaded, lambda event: event["protocol"] == 17, 499)
            assert len(found) == 499
            assert table(loaded, "ttls") == {64: 499}
    assert hints(loaded.source).line(found[0]).startswith("from 10.0.0.1, to 10.0.0.2, protocol 17, ttl 64")
