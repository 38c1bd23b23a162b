"""Stacks as a tree that is built only where it is looked at: of many stacks few branches are wide enough to be seen."""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Final

from tui.collectors.samples import Frame, Stack

CUT: Final = Frame("[cut]", "")  # stands for the callers that are out of reach
ALL: Final = Frame("all", "")
_calls_of: Final = itemgetter(1)

Weighted = tuple[Sequence[Frame], int]  # frames, and how many calls had them


def frames(stack: Stack) -> Sequence[Frame]:
    """The root first; where that is out of reach, CUT in its place."""
    return (CUT, *stack.frames) if stack.cut else stack.frames


class Node:
    """A frame, and the stacks that begin with the frames which lead to it."""

    __slots__ = ("_children", "_depth", "_stacks", "calls", "frame")

    def __init__(self, frame: Frame, stacks: Sequence[Weighted], depth: int = 0) -> None:
        """`depth`: how many frames lead here, this one included."""
        self.frame = frame
        self.calls: int = sum(map(_calls_of, stacks))
        self._stacks = stacks
        self._depth = depth
        self._children: list[Node] | None = None

    @property
    def children(self) -> "list[Node]":
        """The frames that follow, the most frequent first."""
        if self._children is None:
            depth = self._depth
            groups: dict[Frame, list[Weighted]] = {}
            for stack in self._stacks:
                if len(stack[0]) > depth:
                    groups.setdefault(stack[0][depth], []).append(stack)
            nodes = [Node(frame, stacks, depth + 1) for frame, stacks in groups.items()]
            self._children = sorted(nodes, key=lambda node: (-node.calls, node.frame))
        return self._children


def tree(stacks: Iterable[Stack], *, callers: bool = False) -> Node:
    """All stacks below one node; with `callers` the called functions come first, and below each those who call it."""
    step = -1 if callers else 1
    return Node(ALL, [(frames(stack)[::step], stack.calls) for stack in stacks])
