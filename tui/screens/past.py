"""The expressions that were entered, from one session to the next, in the cache's folder. Knows no widget."""

from typing import Final

from tui import cache
from tui.text import sanitise

_KIND, _NAME = "expressions", "entered"
_LONGEST: Final = 4_096  # letters of one


def read() -> list[str]:
    """The oldest first; none where nothing can be read."""
    found = cache.read(_KIND, _NAME) or b""
    lines = found.decode(errors="replace").splitlines()
    return [sanitise(line) for line in lines if line.strip() and len(line) <= _LONGEST]


def write(entries: list[str]) -> None:
    """Keeps them, where that is possible."""
    kept = [entry for entry in entries if len(entry) <= _LONGEST and "\n" not in entry]
    cache.write(_KIND, _NAME, "".join(f"{entry}\n" for entry in kept).encode(errors="replace"))
