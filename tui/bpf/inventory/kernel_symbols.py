"""The kernel's own functions by address (/proc/kallsyms), for stacks in maps.

Reading its 120,000 lines takes 0.1 s and keeps 5 MB, so that is done when somebody looks at a stack. Without CAP_SYSLOG
the kernel says that everything is at 0 (kernel.kptr_restrict): then there are no names.
"""

from array import array
from bisect import bisect_right
from functools import cache
from typing import Final

from tui.text import sanitise

_PATH: Final = "/proc/kallsyms"
_CODE: Final = b"tTwW"
_FARTHEST: Final = 1 << 20  # bytes from a function's beginning: what lies behind the last one isn't code of it


class KernelSymbols:
    """Names by address."""

    def __init__(self, lines: bytes) -> None:
        """As /proc/kallsyms has them: address, kind, name, and of a module's its name."""
        found = []
        for line in lines.splitlines():
            address, kind, name = line.split(None, 2)
            if kind in _CODE and address.strip(b"0"):
                found.append((int(address, 16), name.split()[0]))
        found.sort()
        self._addresses = array("Q", [address for address, _ in found])
        self._ends = array("I")
        end = 0
        for _, name in found:
            end += len(name)
            self._ends.append(end)
        self._names = b"".join(name for _, name in found)

    def name(self, address: int) -> str:
        """`schedule+0x1a`; "" where nothing is known."""
        at = bisect_right(self._addresses, address) - 1
        if at < 0 or address - self._addresses[at] > _FARTHEST:
            return ""
        start = self._ends[at - 1] if at else 0
        name = sanitise(self._names[start : self._ends[at]].decode("utf-8", "replace"))
        offset = address - self._addresses[at]
        return f"{name}+{offset:#x}" if offset else name


@cache
def kernel_symbols() -> KernelSymbols:
    """Of this kernel, as it was when it was first asked for."""
    try:
        with open(_PATH, "rb") as file:
            return KernelSymbols(file.read())
    except OSError:
        return KernelSymbols(b"")
