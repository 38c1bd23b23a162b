"""The kernel's own functions by address (/proc/kallsyms; without CAP_SYSLOG all addresses are zero)."""

import contextlib
from collections.abc import Collection
from typing import Final, NamedTuple

from tui.text import sanitise

_BASE: Final = b"__bpf_call_base"  # from which calls in BPF programs count (kernel/bpf/core.c)


class Names(NamedTuple):
    """Those that were found."""

    called: dict[int, str]  # by their distance, as in calls of loaded programs
    there: dict[int, str]  # by address


def read(distances: Collection[int] = (), addresses: Collection[int] = ()) -> Names:
    """The names of functions that calls in loaded programs go to, and of what begins at addresses. Takes 0.1 s."""
    base = 0
    called: dict[int, str] = {}
    there: dict[int, str] = {}
    with contextlib.suppress(OSError), open("/proc/kallsyms", "rb") as file:
        lines = file.read().splitlines()
        for line in lines:
            if line.endswith(_BASE) and line.split()[2] == _BASE:
                base = int(line.split()[0], 16)
        wanted = {_digits(base + distance): (called, distance) for distance in distances} if base else {}
        wanted |= {_digits(address): (there, address) for address in addresses}
        for line in lines:
            if (found := wanted.get(line[:16])) is not None:
                found[0].setdefault(found[1], sanitise(line.split()[2].decode("utf-8", "replace")))
    return Names(called, there)


def _digits(address: int) -> bytes:
    return f"{address:016x}".encode()
