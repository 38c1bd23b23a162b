"""Stacks as a tree, and the tree as blocks side by side."""

import random
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.widgets.icicle import Block, beside, layout
from tui.widgets.tree import Node, Path, Weighted, below, deeper, widest

TOP = ("all", "")


def path(names: str) -> Path:
    return tuple((name, "m") for name in names)


def tree(*stacks: tuple[str, int]) -> Node:
    return Node(TOP, [(path(names), calls) for names, calls in stacks])


STACKS = st.dictionaries(st.text("abcde", min_size=1, max_size=7), st.integers(1, 1_000_000), min_size=1, max_size=40)


def nodes(node: Node, above: Path = ()) -> Iterator[tuple[Path, Node]]:
    """All of a tree, each with its path."""
    yield above, node
    for child in node.children:
        yield from nodes(child, (*above, child.frame))


@given(STACKS)
def test_every_node_has_the_calls_of_the_stacks_through_it(stacks: dict[str, int]) -> None:
    found = dict(nodes(tree(*stacks.items())))
    assert set(found) == {path(names[:length]) for names in stacks for length in range(len(names) + 1)}
    for where, node in found.items():
        through = {names: calls for names, calls in stacks.items() if path(names)[: len(where)] == where}
        assert node.calls == sum(through.values())
        assert node.own == sum(calls for names, calls in through.items() if path(names) == where)
        assert node.height == max(map(len, through)) - len(where)
        assert node.calls == node.own + sum(child.calls for child in node.children)
        heights = [len(names) - len(where) for names in through]
        assert deeper([node]) == [
            sum(calls for names, calls in through.items() if len(names) - len(where) >= height)
            for height in range(max(heights) + 1)
        ]


def test_siblings_stand_by_name_however_often_they_are_called() -> None:
    for calls in (1, 1000):
        assert [child.frame[0] for child in tree(("xc", 5), ("xa", calls), ("xb", 7)).children[0].children] == [*"abc"]


def test_a_stack_that_ends_where_others_go_on() -> None:
    root = tree(("abcde", 3), ("abc", 2), ("abcdx", 1))
    assert [(node.calls, node.own) for node in root.walk(path("abcd"))] == [(6, 0), (6, 0), (6, 0), (6, 2), (4, 0)]
    assert [node.frame[0] for node in root.walk(path("abx"))] == ["all", "a", "b"]


def test_calls_through_frames_count_once() -> None:
    root = tree(("aba", 5), ("cb", 3), ("cd", 1))
    assert root.through(frozenset(path("ab"))) == 8
    assert root.through(frozenset(path("xyz"))) == 0
    assert root.frames() == set(path("abcd"))


def test_the_widest_of_equals_is_the_first() -> None:
    found = widest(tree(("b", 2), ("a", 2), ("c", 1)).children)
    assert found is not None
    assert found.frame[0] == "a"
    assert widest(()) is None


def shown(block: Block, row: int) -> list[Path]:
    """The frames that a block stands for."""
    return below(block.nodes, block.path, row - len(block.path) - 1) if block.gathered else [block.path]


@given(STACKS, st.integers(1, 200))
def test_no_frame_is_lost_and_none_overlaps(stacks: dict[str, int], width: int) -> None:
    root = tree(*stacks.items())
    rows = layout(root, (), width)
    found: dict[Path, Block] = {}
    for row, blocks in enumerate(rows):
        at = 0
        for block in blocks:
            assert block.start >= at
            assert block.width >= 1
            at = block.start + block.width
            found |= dict.fromkeys(shown(block, row), block)
        assert at <= width
    assert sorted(found) == sorted(where for where, _ in nodes(root))
    for where, block in found.items():
        if where:
            above = found[where[:-1]]
            assert above.start <= block.start
            assert block.start + block.width <= above.start + above.width


@given(STACKS, st.integers(20, 200))
def test_widths_are_shares(stacks: dict[str, int], width: int) -> None:
    root = tree(*stacks.items())
    for block in layout(root, (), width)[1]:
        calls = sum(node.calls for node in block.nodes)
        assert block.width == pytest.approx(width * calls / root.calls, abs=2.01)


def test_what_is_zoomed_in_on_spans_the_width() -> None:
    rows = layout(tree(("abc", 1), ("abd", 3), ("xyz", 996)), path("ab"), 40)
    assert [[(block.start, block.width) for block in row] for row in rows] == [[(0, 40)]] * 3 + [[(0, 10), (10, 30)]]
    assert [block.path for block in rows[3]] == [path("abc"), path("abd")]


def test_the_narrow_are_gathered_at_the_end() -> None:
    rows = layout(tree(("ab", 1), ("cde", 60), ("f", 1), ("ghi", 1), ("z", 37)), (), 50)
    assert [(block.start, block.width, block.gathered) for block in rows[1]] == [
        (0, 30, False),
        (30, 18, False),
        (48, 2, True),
    ]
    assert [(block.start, block.width, block.gathered) for block in rows[2]][1:] == [(48, 1, True)]
    assert shown(rows[3][-1], 3) == [path("ghi")]


@given(STACKS, st.integers(1, 60))
def test_every_frame_of_a_line_can_be_walked_to(stacks: dict[str, int], width: int) -> None:
    rows = layout(tree(*stacks.items()), (), width)
    for row, blocks in enumerate(rows):
        line = [where for block in blocks for where in shown(block, row)]
        walked = [line[0]]
        while (after := beside(rows, walked[-1], 1)) != walked[-1]:
            assert beside(rows, after, -1) == walked[-1]
            walked.append(after)
        assert walked == line
    assert beside(rows, path("nowhere at all"), 1) == path("nowhere at all")


def test_ten_thousand_deep_stacks_are_laid_out_in_no_time() -> None:
    chance = random.Random(1)
    frames = [(f"github.com/some/module.(*Type{number}).Method", "server") for number in range(3_000)]
    shared = [chance.choice(frames) for _ in range(12)]
    stacks: list[Weighted] = []
    for _ in range(10_000):
        spread = [frames[int(3_000 * chance.random() ** 6)] for _ in range(28)]
        stacks.append(((*shared, *spread), chance.randrange(1, 1_000)))
    started = time.process_time()
    rows = layout(Node(TOP, stacks), (), 160)
    assert time.process_time() - started < 0.25  # 0.03 s on an idle machine
    assert len(rows) == 41
