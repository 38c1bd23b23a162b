"""Where the frames of a flame graph stand: root on top, a line per depth, widths by calls. Pure: knows no widget."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from tui.widgets.tree import Node, Path, below, deeper

NARROW: Final = 2  # cells; siblings that would have less are gathered in one place


class Block(NamedTuple):
    """A frame on its line; or the frames of one parent that are too narrow for that, and all that is below them."""

    start: int
    width: int  # cells
    path: Path  # of the frame; of gathered ones their parent's
    nodes: tuple[Node, ...]  # the frame; the gathered siblings
    gathered: bool = False


def layout(root: Node, zoom: Path, width: int) -> list[list[Block]]:
    """The blocks of each line, from left to right. What is zoomed in on spans the width, as do the frames above it."""
    spine = list(root.walk(zoom))
    rows = [[Block(0, width, zoom[:depth], (node,))] for depth, node in enumerate(spine)]
    rows += [[] for _ in range(spine[-1].height)]
    _fill(rows, *rows[len(spine) - 1])
    return rows


def _fill(rows: list[list[Block]], block: Block) -> None:
    """Put the frames below a block side by side: those that are wide enough by name, then the others together."""
    start, width, path, (node,), _ = block
    wide = [child for child in node.children if child.calls * width >= NARROW * node.calls]
    narrow = tuple(child for child in node.children if child.calls * width < NARROW * node.calls)
    few = sum(child.calls for child in narrow)
    rest = max(1, round(few * width / node.calls)) if narrow else 0
    room, calls = width - rest, node.calls - few
    at, before = start, 0
    for child in wide:
        before += child.calls
        end = start + (2 * before * room + calls) // (2 * calls)
        placed = Block(at, end - at, (*path, child.frame), (child,))
        rows[len(path) + 1].append(placed)
        _fill(rows, placed)
        at = end
    for depth, some in enumerate(deeper(narrow), len(path) + 1):
        rows[depth].append(Block(at, max(1, some * rest // few), path, narrow, gathered=True))


def beside(rows: Sequence[Sequence[Block]], cursor: Path, step: int) -> Path:
    """The frame on the left (-1) or on the right (1), also of another parent; the same where there is none."""
    line: list[Path] = []
    for block in rows[len(cursor)] if len(cursor) < len(rows) else ():
        line += below(block.nodes, block.path, len(cursor) - len(block.path) - 1) if block.gathered else [block.path]
    at = line.index(cursor) + step if cursor in line else 0
    return line[at] if 0 <= at < len(line) else cursor
