"""Stacks merged from their first frames on: a tree that is built only where it is looked at. Pure: knows no widget.

Of 10,000 stacks of 40 frames few branches are wide enough to be seen; grouping those alone takes a tenth of the time
that the whole tree would.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from operator import attrgetter, itemgetter
from typing import Final

Frame = tuple[str, str]  # name, module; what stands above and below tells it from others of that name
Path = tuple[Frame, ...]  # frames from the top of the tree on
Weighted = tuple[Path, int]  # a stack, and how many calls had it

_calls_of: Final = itemgetter(1)


class Node:
    """A frame, and the stacks that begin with the frames which lead to it."""

    __slots__ = ("_children", "_common", "_depth", "_stacks", "calls", "frame")

    def __init__(self, frame: Frame, stacks: Sequence[Weighted], depth: int = 0, common: int = 0) -> None:
        """`depth`: how many frames lead here, this one included, 0 for the top of a tree; `common`: how many frames the
        stacks are known to have in common.
        """
        self.frame = frame
        self.calls: int = sum(map(_calls_of, stacks))
        self._stacks = stacks
        self._depth = depth
        self._common = common
        self._children: tuple[Node, ...] | None = None

    @property
    def own(self) -> int:
        """Calls whose stacks end here."""
        return sum(calls for path, calls in self._stacks if len(path) == self._depth)

    @property
    def height(self) -> int:
        """How many frames the longest stack has below this one."""
        return max((len(path) for path, _ in self._stacks), default=self._depth) - self._depth

    @property
    def children(self) -> "tuple[Node, ...]":
        """The frames that follow, by name: where they stand doesn't depend on how often they are called."""
        if self._children is None:
            depth = self._depth + 1
            groups = self._groups()
            common = _common([path for path, _ in self._stacks]) if depth > self._common and len(groups) == 1 else 0
            common = max(common, self._common)
            self._children = tuple(Node(frame, stacks, depth, common) for frame, stacks in sorted(groups.items()))
        return self._children

    def _groups(self) -> Mapping[Frame, Sequence[Weighted]]:
        """The stacks by the frame that follows."""
        depth = self._depth
        if depth < self._common:
            return {self._stacks[0][0][depth]: self._stacks}
        groups: dict[Frame, list[Weighted]] = {}
        for stack in self._stacks:
            path = stack[0]
            if len(path) > depth:
                frame = path[depth]
                if frame in groups:
                    groups[frame].append(stack)
                else:
                    groups[frame] = [stack]
        return groups

    def walk(self, path: Path) -> "Iterator[Node]":
        """Itself, then the nodes along a path, as far as there are any."""
        node: Node | None = self
        yield self
        for frame in path:
            node = next((child for child in node.children if child.frame == frame), None) if node else None
            if node is None:
                return
            yield node

    def through(self, frames: frozenset[Frame]) -> int:
        """Calls whose stacks have any of these frames."""
        return sum(calls for path, calls in self._stacks if not frames.isdisjoint(path))

    def frames(self) -> set[Frame]:
        """All frames of its stacks."""
        return {frame for path, _ in self._stacks for frame in path}

    def __repr__(self) -> str:
        return f"Node({self.frame[0]!r}, {self.calls})"


def deeper(nodes: Iterable[Node]) -> list[int]:
    """Of siblings, how many calls have at least 0, 1, 2 … frames below them."""
    ends: Counter[int] = Counter()
    for node in nodes:
        for path, calls in node._stacks:  # noqa: SLF001 - its own class
            ends[len(path) - node._depth] += calls  # noqa: SLF001
    return list(accumulate(ends[height] for height in range(max(ends, default=-1), -1, -1)))[::-1]


def below(nodes: Iterable[Node], path: Path, levels: int) -> list[Path]:
    """The paths of what stands so many levels below siblings whose parent has this path, in order."""
    found: list[tuple[Path, Node]] = [((*path, node.frame), node) for node in nodes]
    for _ in range(levels):
        found = [((*above, child.frame), child) for above, node in found for child in node.children]
    return [path for path, _ in found]


def _common(paths: Sequence[Path]) -> int:
    """How many first frames all paths share: as many as the first and the last in order do."""
    first, last = min(paths), max(paths)
    return next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))


def widest(nodes: Sequence[Node]) -> Node | None:
    """The one with the most calls; of equals the first."""
    return max(nodes, key=attrgetter("calls"), default=None)
