"""What isn't probed in some view, or not exactly, and why. Pure."""

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from tui.elf.names import Function
from tui.screens.target import Key, function_key


class Kind(Enum):
    """What is wrong with a function."""

    SKIPPED = "it could not be probed"
    TAKEN = "the budget took it off"
    INEXACT = "it is probed, but something is not known of it, or counted besides"


class Off(NamedTuple):
    """A function that isn't probed, or not exactly."""

    function: Function
    reason: str
    views: tuple[str, ...]  # in these, by their titles
    kind: Kind = Kind.SKIPPED


def off_key(one: Off) -> tuple[Key, str]:
    """What tells rows apart: a function can be off for one reason here, and for another there."""
    return function_key(one.function), one.reason


def merged(every: Iterable[Off]) -> tuple[Off, ...]:
    """Once for each function and reason, with all views; in the order in which they come first."""
    found: dict[tuple[Key, str], Off] = {}
    for one in every:
        before = found.setdefault(off_key(one), one)
        if one.views[0] not in before.views:
            found[off_key(one)] = before._replace(views=before.views + one.views)
    return tuple(found.values())
