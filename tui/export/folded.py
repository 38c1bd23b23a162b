"""Stacks as folded lines, `root;…;leaf count`: what flamegraph.pl, speedscope and others read."""

from collections import Counter
from collections.abc import Iterable, Iterator

from tui.collectors.samples import Stack
from tui.export.calltree import frames

_SEPARATORS = str.maketrans({";": ":", "\n": " ", "\r": " "})


def folded(stacks: Iterable[Stack]) -> Iterator[str]:
    """A line for each stack, sorted; a semicolon in a name becomes a colon. Stacks of the same names are one line."""
    lines: Counter[str] = Counter()
    for stack in stacks:
        lines[";".join(frame.name.translate(_SEPARATORS) for frame in frames(stack))] += stack.calls
    for line in sorted(lines):
        yield f"{line} {lines[line]}\n"
