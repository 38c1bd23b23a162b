"""What somebody may have meant who asked for a package, or a source file, that isn't there. Pure: knows no widget."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from tui.elf import packages
from tui.elf.names import Function
from tui.widgets.filter import FILE, PACKAGE

if TYPE_CHECKING:
    from tui.elf.lines import Line

_MOST_FUNCTIONS: Final = 8_000  # that are looked at: up to ten microseconds each
_MOST_NAMES: Final = 2_000  # that are compared
_SHOWN: Final = 3


def nearest(typed: str, functions: Collection[Function], lines: "Iterable[Line]") -> str:
    """As: nearest are net/http, net/url; empty where nothing is near, or what is typed asks for neither."""
    wanted = typed.lstrip("! ").partition(" ")[0]
    if wanted.startswith(PACKAGE):
        step = max(1, len(functions) // _MOST_FUNCTIONS)
        there = {packages.of(function.name) for function in list(functions)[::step]}
    elif wanted.startswith(FILE):
        there = {line.file.rpartition("/")[2] for line in lines}
    else:
        return ""
    found = _close(wanted.partition(":")[2].partition(":")[0], sorted(there - {""}))
    return f"nearest are {', '.join(found)}" if len(found) > 1 else f"nearest is {found[0]}" if found else ""


def _close(wanted: str, names: list[str]) -> list[str]:
    """Those that have it in them first, the shortest of these; then those that differ little."""
    lower = wanted.lower()
    within = sorted((name for name in names if lower and lower in name.lower()), key=len)
    by_end = {name.rpartition("/")[2].rpartition("::")[2].lower(): name for name in reversed(names)}
    like = get_close_matches(lower.rpartition("/")[2], list(by_end)[:_MOST_NAMES], _SHOWN, 0.5)
    return list(dict.fromkeys([*within, *(by_end[end] for end in like)]))[:_SHOWN]
