"""Network namespaces for tests: two, joined by a veth pair, in which nothing passes but what the test sends.

    with Pair() as pair:
        with pair.right.entered():                     # this thread is inside; what it opens stays there
            attached = attach(Hook.TCX_INGRESS, pair.right.number, program)
        pair.left.send(997)                            # frames to the right, exactly so many
        pair.right.run("tc", "filter", "show", …)      # a command inside

No IPv6, no ARP, no addresses: give some by `Pair(addresses=True)` (10.0.0.1 and .2, with fixed neighbours). Names hold
the pid and a number, and both namespaces go with the `with`, in whatever way. Commands run by nsenter: `ip netns exec`
would hide /sys/fs/cgroup and tracefs. /sys/class/net shows the namespace in which /sys was mounted, not this one.
"""

import contextlib
import ctypes
import errno
import itertools
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from tests.kernel.probing import wait_until
from tests.targets.running import SECONDS

CLONE_NEWNET = 0x40000000
_ETH_P_IP = 0x0800
_FIRST = 1_000_000 + os.getpid() * 64
_pairs, _interfaces = itertools.count(1), itertools.count()
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """One end: a namespace with one interface besides `lo`."""

    def __init__(self, name: str, interface: str, mac: str, address: str) -> None:
        self.name, self.interface, self.mac, self.address = name, interface, mac, address
        self.number = _FIRST + next(_interfaces)  # ifindex; no other interface on the machine has it
        self.path = Path("/run/netns") / name
        self.peer_mac = mac  # until there is a peer

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """This thread is in the namespace, and then in the one it came from."""
        with open("/proc/thread-self/ns/net") as before, self.path.open() as inside:
            _set_namespace(inside.fileno())
            try:
                yield
            finally:
                _set_namespace(before.fileno())

    def command(self, *words: str | Path | int) -> list[str]:
        """The words of a command that runs inside, for subprocess."""
        return ["nsenter", f"--net={self.path}", *map(str, words)]

    def run(self, *words: str | Path | int) -> str:
        """What a command inside prints; it must succeed."""
        done = subprocess.run(self.command(*words), capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def link(self) -> dict[str, Any]:
        """What `ip` tells of the interface."""
        found: list[dict[str, Any]] = json.loads(self.run("ip", "-j", "-d", "link", "show", "dev", self.interface))
        return found[0]

    def up(self) -> bool:
        """Whether the interface sends what it is given."""
        link = self.link()
        return bool(link["operstate"] == "UP" and link["qdisc"] != "noop")

    def frame(self, size: int = 60, payload: bytes = b"") -> bytes:
        """An Ethernet frame to the other end, with IPv4 and UDP from port 1 to port 2."""
        return frame(self.mac, self.peer_mac, size, payload)

    def send(self, number: int, data: bytes | None = None) -> int:
        """Sends a frame so many times; how often one had to be sent again, because a queue was full.

        Hooks of the sending end have seen those too, hooks of the other end have not.
        """
        data = self.frame() if data is None else data
        again = 0
        with self.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as out:
            out.bind((self.interface, 0))
            while number:
                try:
                    out.send(data)
                except OSError as error:
                    if error.errno != errno.ENOBUFS:
                        raise
                    again += 1
                else:
                    number -= 1
        return again

    def flood(self, targets: Path, number: int, data: bytes | None = None) -> dict[str, int]:
        """The same at full rate, by tests/targets/sender.c: {"sent": …, "again": …, "ns": …}."""
        data = self.frame() if data is None else data
        told: dict[str, int] = json.loads(self.run(targets / "sender", self.interface, number, data.hex()))
        return told


class Pair:
    """Two namespaces, `left` and `right`, whose interfaces are the ends of a veth pair; a context manager."""

    def __init__(self, *, addresses: bool = False) -> None:
        """Returns when frames pass."""
        name = f"bpfscope-{os.getpid()}-{next(_pairs)}"
        self.left = Namespace(f"{name}-left", "left", "02:00:00:00:00:01", "10.0.0.1")
        self.right = Namespace(f"{name}-right", "right", "02:00:00:00:00:02", "10.0.0.2")
        self.left.peer_mac, self.right.peer_mac = self.right.mac, self.left.mac
        try:
            self._make(addresses=addresses)
        except BaseException:
            self.close()
            raise

    def _make(self, *, addresses: bool) -> None:
        for end in (self.left, self.right):
            _ip("netns", "add", end.name)
            with end.entered():
                for which in ("all", "default"):
                    setting = Path(f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6")
                    if setting.exists():
                        setting.write_text("1")
        left, right = self.left, self.right
        here = ["link", "add", left.interface, "address", left.mac, "netns", left.name, "index", str(left.number)]
        there = ["name", right.interface, "address", right.mac, "netns", right.name, "index", str(right.number)]
        _ip(*here, "type", "veth", "peer", *there)
        for end, other in ((left, right), (right, left)):
            end.run("ip", "link", "set", "dev", "lo", "up")
            end.run("ip", "link", "set", "dev", end.interface, "arp", "off", "up")
            if addresses:
                end.run("ip", "address", "add", f"{end.address}/24", "dev", end.interface)
                neighbour = ["ip", "neighbour", "replace", other.address, "lladdr", other.mac]
                end.run(*neighbour, "dev", end.interface, "nud", "permanent")
        # Until the kernel has seen the carrier, it gives what is sent to a queue that drops everything (noop).
        for end in (left, right):
            wait_until(end.up, "the veth pair is up")

    def close(self) -> None:
        """Deletes both namespaces, and the veth pair with them; a second time is harmless."""
        for end in (self.left, self.right):
            if end.path.exists():
                _ip("netns", "delete", end.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def frame(source: str, destination: str, size: int = 60, payload: bytes = b"") -> bytes:
    """An Ethernet frame of `size` bytes with IPv4 and UDP from port 1 to port 2, checksums left out."""
    length = max(size - 14, 28 + len(payload))
    ethernet = bytes.fromhex((destination + source).replace(":", "")) + _ETH_P_IP.to_bytes(2, "big")
    ip = bytes([0x45, 0]) + length.to_bytes(2, "big") + bytes([0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2])
    udp = bytes([0, 1, 0, 2]) + (length - 20).to_bytes(2, "big") + b"\0\0"
    return (ethernet + ip + udp + payload).ljust(size, b"\0")


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, f"ip {words}: {done.stderr}"


def _set_namespace(fd: int) -> None:
    if _libc.setns(fd, CLONE_NEWNET) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
