"""One registry of what a screen can do: it feeds the bindings, the key line, the help and the command palette."""

from collections.abc import Iterable
from typing import NamedTuple

from textual.binding import Binding, BindingType


class Action(NamedTuple):
    """Something a person can ask for by a key."""

    keys: str  # as Textual names them, several with commas
    shown: str  # as people read them
    label: str  # a word or two, for the key line
    name: str  # the method is action_<name>
    help: str  # a sentence
    rank: int = 5  # the higher, the sooner it is left out of the key line; above 9 it is never in it
    listed: bool = True  # in the help; not where another entry's line speaks of this key too


def bindings(actions: Iterable[Action]) -> list[BindingType]:
    """What Textual needs."""
    return [Binding(action.keys, action.name, action.label, show=False) for action in actions]
