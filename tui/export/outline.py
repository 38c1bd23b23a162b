"""Who calls, as an indented text: each called function, below it its callers, the most frequent first.

       496   15.8%  leaf
       289    9.2%  ├ both
                    │ main
       207    6.6%  └ self × 5
                      main

A caller without a number stands below what has no other. What is rarer than some share is left out; the share is raised
until the text has few enough lines.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from tui.collectors.samples import Stack
from tui.export.calltree import Node, tree
from tui.text import plural

_SHARES: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_BLANK: Final = " " * 20


class _Limits(NamedTuple):
    total: int  # calls that are the whole
    least: float  # calls that are worth a line
    chain: int  # lines of callers that have no others beside them

    def numbers(self, calls: int) -> str:
        """The columns of a line."""
        return f"{calls:>10,} {100 * calls / self.total:>6.1f}%  "


def outline(stacks: Iterable[Stack], rows: int, chain: int) -> list[str]:
    """At most `rows` lines, and one above the other at most `chain` for callers that have no others beside them."""
    root = tree(stacks, callers=True)
    lines: list[str] = []
    for share in _SHARES:
        lines = list(_below(root, _Limits(root.calls, max(1.0, share * root.calls), chain)))
        if len(lines) <= rows:
            return lines
    return [*lines[: rows - 1], f"{_BLANK}…\n"]


def _below(node: Node, limits: _Limits, indent: str | None = None) -> Iterator[str]:
    """What branches off from a node; without an indent what stands first."""
    branches = _worth(node, limits)
    others = node.children[len(branches) :]
    hidden = sum(other.calls for other in others)
    for branch in branches:
        last = branch is branches[-1] and hidden < limits.least
        first, rest = ("", "") if indent is None else ("└ ", "  ") if last else ("├ ", "│ ")
        yield from _lines(branch, limits, (indent or "") + first, (indent or "") + rest)
    if hidden >= limits.least:
        mark = "" if indent is None else f"{indent}└ "
        yield f"{limits.numbers(hidden)}{mark}… {plural(len(others), 'other')}\n"


def _lines(node: Node, limits: _Limits, first: str, rest: str) -> Iterator[str]:
    """A node, its callers as long as each has no other beside it, and what branches off from the last of them."""
    alone = [node]
    while len(following := _worth(alone[-1], limits)) == 1 and following[0].calls == node.calls:
        alone += following
    names = list(_named(alone))
    if len(names) > limits.chain:
        left_out = f"… {len(names) - limits.chain + 1:,} more"
        names = [*names[: limits.chain - 2], left_out, names[-1]]
    yield f"{limits.numbers(node.calls)}{first}{names[0]}\n"
    for name in names[1:]:
        yield f"{_BLANK}{rest}{name}\n"
    yield from _below(alone[-1], limits, rest)


def _worth(node: Node, limits: _Limits) -> list[Node]:
    """The children that are worth a line."""
    return [child for child in node.children if child.calls >= limits.least]


def _named(nodes: Sequence[Node]) -> Iterator[str]:
    """Their names; of one and the same again and again, how often."""
    for name, same in groupby(node.frame.name for node in nodes):
        times = len(list(same))
        yield f"{name} × {times}" if times > 1 else name
