"""Readable names for mangled ones of C++ and Rust, from libstdc++'s own demangler, in a child process.

Rust's newer mangling (v0, `_R…`) is left as it is: nothing well kept that reads it is on every system.

A name of a hostile file can make any demangler eat memory and time, so the child has little of both; where it gives
up, the raw names stay. Feeding while the symbol table is still being read keeps both CPUs busy.

    with Demangler() as demangler:
        demangler.feed(["_ZN4test3runEv"])
        demangler.results()  # {"_ZN4test3runEv": "test::run()"}
"""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Final

from tui.elf.child import Child
from tui.owner import Owner
from tui.text import sanitise

_SECONDS: Final = 10.0
_SMALLEST_PART: Final = 10_000  # names that are worth a process
_MOST_PARTS: Final = 4
_PRINTABLE: Final = bytes(range(0x20, 0x7F)) + b"\n"
_CHILD: Final = os.path.join(os.path.dirname(__file__), "demangle_child.py")


class _Part:
    """Names given to one child."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.child = Child([sys.executable, "-I", "-S", _CHILD], "\n".join(names).encode("utf-8", "replace"))

    def read(self) -> list[str]:
        """A name for each: readable where the child got that far within its time."""
        data = self.child.result(_SECONDS)
        lines = data.decode("utf-8", "replace").split("\n")[:-1]
        if data.translate(None, _PRINTABLE):
            lines = [sanitise(line) for line in lines]
        return lines + list(self.names[len(lines) :])


class Demangler(Owner):
    """Owns the children; a context manager."""

    def __init__(self) -> None:
        self._parts: list[_Part] = []

    def begin(self, names: Sequence[str]) -> Callable[[], Sequence[str]]:
        """Starts on these names. What it returns waits for them: a name for each, readable or as it was."""
        if not any(name.startswith("_Z") for name in names):
            return lambda: names
        count = min(os.cpu_count() or 1, _MOST_PARTS, -(-len(names) // _SMALLEST_PART))
        step = -(-len(names) // count)
        mine = len(self._parts)
        try:
            for start in range(0, len(names), step):
                self._parts.append(_Part(names[start : start + step]))
        except OSError:  # no room for another process or file: the names stay as they are
            return lambda: names
        parts = self._parts[mine:]
        return lambda: [name for part in parts for name in part.read()]

    def close(self) -> None:
        """Ends the children that are still at work."""
        while self._parts:
            self._parts.pop().child.close()
