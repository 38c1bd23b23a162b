"""Readable names for mangled ones of C++ and Rust, in child processes.

A name of a hostile file can make any demangler eat memory and time, so a child has little of both; where it gives up,
the raw names stay. Children that are expected to be needed start while the names are still being read.

    with Demangler() as demangler:
        demangler.expect(strings, number)
        made = demangler.begin(["_ZN4test3runEv"])
        made().names  # ["test::run()"]
"""

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import repeat
from typing import Final, NamedTuple

from tui.elf.child import Child
from tui.owner import Owner
from tui.text import sanitise

_SECONDS: Final = 10.0
_SMALLEST_PART: Final = 10_000  # names that are worth a process
_MOST_PARTS: Final = 4
_SIGNS: Final = ("_Z", "_R")  # that mangled names begin with
_PRINTABLE: Final = bytes(range(0x20, 0x7F)) + b"\n\t"
_PIECE: Final = 1024  # names; what ends the child costs only its piece
_CHILD: Final = os.path.join(os.path.dirname(__file__), "demangle_child.py")


class Readable(NamedTuple):
    """Names, and by their indexes what those functions return of which that is known: template's ones of C++."""

    names: Sequence[str]
    returns: Mapping[int, str]


class _Part:
    """One child, and the names that it is given."""

    def __init__(self) -> None:
        self.names: Sequence[str] = ()
        self.child = Child([sys.executable, "-I", "-S", _CHILD], None)

    def give(self, names: Sequence[str]) -> None:
        self.names = names
        pieces = ("\n".join(names[start : start + _PIECE]) for start in range(0, len(names), _PIECE))
        self.child.give("\0".join(pieces).encode("utf-8", "replace"))

    def read(self) -> Readable:
        """A name for each: readable where the child got that far within its time."""
        data = self.child.result(_SECONDS)
        lines = data.decode("utf-8", "replace").split("\n")[:-1]
        if data.translate(None, _PRINTABLE):
            lines = ["\t".join(map(sanitise, line.split("\t", 1))) for line in lines]
        returns = {}
        for row in [row for row, line in enumerate(lines) if "\t" in line] if b"\t" in data else ():
            lines[row], _, returns[row] = lines[row].partition("\t")
        return Readable(lines + list(self.names[len(lines) :]), returns)


class Demangler(Owner):
    """Owns the children; a context manager."""

    def __init__(self) -> None:
        self._parts: list[_Part] = []
        self._idle: list[_Part] = []

    @property
    def at_work(self) -> bool:
        """Whether some names are mangled."""
        return bool(self._parts)

    def expect(self, strings: bytes, number: int) -> None:
        """Starts the children for so many names of a string table, if some of these are mangled."""
        if any(b"\0" + sign.encode() in strings for sign in _SIGNS):
            with suppress(OSError):  # `begin` will see that there is no room
                self._start(_count(number))

    def begin(self, names: Sequence[str]) -> Callable[[], Readable]:
        """Starts on these names. What it returns waits for them: a name for each, readable or as it was."""
        if not any(map(str.startswith, names, repeat(_SIGNS))):
            return lambda: Readable(names, {})
        count = _count(len(names))
        step = -(-len(names) // count)
        mine = len(self._parts)
        try:
            self._start(count)
            for start in range(0, len(names), step):
                self._parts.append(self._idle.pop())
                self._parts[-1].give(names[start : start + step])
        except OSError:  # no room for another process or file: the names stay as they are
            return lambda: Readable(names, {})
        parts = self._parts[mine:]
        return lambda: _joined(part.read() for part in parts)

    def _start(self, count: int) -> None:
        while len(self._idle) < count:
            self._idle.append(_Part())

    def close(self) -> None:
        """Ends the children that are still at work."""
        for part in (*self._parts, *self._idle):
            part.child.close()
        self._parts, self._idle = [], []


def _joined(parts: Iterable[Readable]) -> Readable:
    names: list[str] = []
    returns: dict[int, str] = {}
    for part in parts:
        returns |= {len(names) + row: text for row, text in part.returns.items()}
        names += part.names
    return Readable(names, returns)


def _count(names: int) -> int:
    """How many children for so many names."""
    return max(1, min(os.cpu_count() or 1, _MOST_PARTS, -(-names // _SMALLEST_PART)))
