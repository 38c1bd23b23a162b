"""The kernel's own functions by address (/proc/kallsyms; without CAP_SYSLOG all addresses are zero)."""

import contextlib
from collections.abc import Collection
from typing import Final

from tui.text import sanitise

_BASE: Final = b"__bpf_call_base"  # from which calls in BPF programs count (kernel/bpf/core.c)


def called(offsets: Collection[int]) -> dict[int, str]:
    """The names of the functions that calls in loaded programs go to, by their distance (the instruction's constant).

    Those that the kernel doesn't tell are missing. Takes about 0.1 s.
    """
    base = 0
    wanted: dict[int, str] = {}
    with contextlib.suppress(OSError), open("/proc/kallsyms", "rb") as file:
        content = file.read()
        for line in content.splitlines():
            if line.endswith(_BASE) and line.split()[2] == _BASE:
                base = int(line.split()[0], 16)
        addresses = {f"{base + offset:016x}".encode(): offset for offset in offsets} if base else {}
        for line in content.splitlines():
            if (offset := addresses.get(line[:16])) is not None:
                wanted.setdefault(offset, sanitise(line.split()[2].decode("utf-8", "replace")))
    return wanted
