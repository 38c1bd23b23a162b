"""A network namespace of a test's own, with a pair of interfaces; and work that is done in it."""

import ctypes
import itertools
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, TypeVar

Result = TypeVar("Result")
_CLONE_NEWNET: Final = 0x40000000
_NUMBERS = itertools.count()


class Namespace:
    """Interfaces `here` (192.0.2.1) and `there` (192.0.2.2), joined; both up."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._inside = ThreadPoolExecutor(1, initializer=self._enter)

    def ip(self, words: str) -> None:
        """Runs ip(8) in it."""
        subprocess.run(["ip", "-n", self.name, *words.split(" ")], check=True, capture_output=True)

    def run(self, work: Callable[..., Result], *arguments: object) -> Result:
        """Does this in a thread that is in it: sockets opened there belong to it wherever they are used."""
        return self._inside.submit(work, *arguments).result()

    def close(self) -> None:
        """Ends the thread."""
        self._inside.shutdown()

    def _enter(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/run/netns/{self.name}", "rb") as file:
            if libc.setns(file.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")


@contextmanager
def namespace() -> Iterator[Namespace]:
    """One that is gone afterwards, with all that is in it."""
    name = f"bpfscope-{os.getpid()}-{next(_NUMBERS)}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    made = Namespace(name)
    try:
        made.ip("link set lo up")
        made.ip("link add here type veth peer name there")
        for end, address in (("here", 1), ("there", 2)):
            made.ip(f"link set {end} addrgenmode none")  # no IPv6 of the link's, and so no packets of the kernel's own
            made.ip(f"addr add 192.0.2.{address}/24 dev {end}")
            made.ip(f"link set {end} up")
        yield made
    finally:
        made.close()
        subprocess.run(["ip", "netns", "del", name], check=True)
