"""Stacks as a tree, as text and as files; names are hostile everywhere."""

import json
import re
import stat
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.collectors.samples import Frame, Stack, StacksSample
from tui.errors import BpfscopeError
from tui.export import rows, whole
from tui.export.calltree import CUT, Node, tree
from tui.export.flamegraph import flamegraph
from tui.export.folded import folded
from tui.export.outline import outline
from tui.export.speedscope import speedscope

SVG = "{http://www.w3.org/2000/svg}"


def stack(calls: int, *names: str, cut: bool = False) -> Stack:
    return Stack(tuple(Frame(name, "app") for name in names), calls, cut)


STACKS = [
    stack(211, "main", "direct", "leaf"),
    stack(446, "main", "both", "leaf"),
    stack(227, "main", *["self"] * 5, "leaf"),
    stack(496, *["deep"] * 3, "leaf", cut=True),
    stack(7, "main", "rare", "leaf"),
]
frames = st.builds(Frame, st.text(max_size=8), st.sampled_from(["app", "libc.so.6", ""]))
stacks = st.lists(
    st.builds(Stack, st.lists(frames, min_size=1, max_size=6).map(tuple), st.integers(1, 10**9), st.booleans()),
    max_size=12,
)


def every(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from every(child)


def test_the_tree_from_either_end() -> None:
    root = tree(STACKS)
    assert [(node.frame.name, node.calls) for node in root.children] == [("main", 891), ("[cut]", 496)]
    leaf = tree(STACKS, callers=True).children[0]
    assert (leaf.frame.name, leaf.calls) == ("leaf", 1387)
    assert [node.frame.name for node in leaf.children] == ["deep", "both", "self", "direct", "rare"]


@given(stacks)
def test_calls_are_those_of_the_children_and_of_what_ends_there(some: list[Stack]) -> None:
    for callers in (False, True):
        root = tree(some, callers=callers)
        assert root.calls == sum(stack.calls for stack in some)
        assert all(node.calls >= sum(child.calls for child in node.children) for node in every(root))


def test_folded() -> None:
    some = [*STACKS, stack(5, "main", "std::map<int;char>", "a\nb", "leaf"), stack(2, "main", "direct", "leaf")]
    assert list(folded(some)) == [
        "[cut];deep;deep;deep;leaf 496\n",
        "main;both;leaf 446\n",
        "main;direct;leaf 213\n",
        "main;rare;leaf 7\n",
        "main;self;self;self;self;self;leaf 227\n",
        "main;std::map<int:char>;a b;leaf 5\n",
    ]


@given(stacks)
def test_folded_lines_are_whole(some: list[Stack]) -> None:
    text = "".join(folded(some))
    lines = text.split("\n")[:-1]
    assert sum(int(line.rpartition(" ")[2]) for line in lines) == sum(stack.calls for stack in some)
    depths = Counter(line.count(";") for line in lines)
    assert set(depths) == {len(stack.frames) - 1 + stack.cut for stack in some}


@given(stacks)
def test_speedscope(some: list[Stack]) -> None:
    """What its schema asks for: file-format-schema.json of speedscope 1.22."""
    file = json.loads(speedscope(some, "server: calls of leaf"))
    assert file["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    names = file["shared"]["frames"]
    assert all(isinstance(frame["name"], str) and set(frame) <= {"name", "file"} for frame in names)
    (profile,) = file["profiles"]
    assert (profile["type"], profile["unit"], profile["startValue"]) == ("sampled", "none", 0)
    assert set(profile) == {"type", "name", "unit", "startValue", "endValue", "samples", "weights"}
    assert len(profile["samples"]) == len(profile["weights"]) == len(some)
    assert sum(profile["weights"]) == profile["endValue"] == sum(stack.calls for stack in some)
    assert file["activeProfileIndex"] == 0
    found = Counter(
        (tuple((names[index]["name"], names[index].get("file", "")) for index in sample), weight)
        for sample, weight in zip(profile["samples"], profile["weights"], strict=True)
    )
    assert found == Counter((((CUT,) * stack.cut + stack.frames), stack.calls) for stack in some)
    assert speedscope(some[::-1], "server: calls of leaf") == json.dumps(file, ensure_ascii=False) + "\n" or len(
        {(stack.frames, stack.cut) for stack in some}
    ) < len(some)


def drawn(text: str) -> list[tuple[str, float, float, float]]:
    """Of each frame its name, where it begins, how wide it is, and how far down."""
    found = []
    for group in ET.fromstring(text).iter(f"{SVG}g"):
        title, rect, _ = group
        x, width, y = (float(rect.attrib[name]) for name in ("x", "width", "y"))
        found.append(((title.text or "").split("\n")[0], x, width, y))
    return found


def test_the_flame_graph_has_the_root_on_top() -> None:
    text = flamegraph(STACKS, "server: calls of leaf", "1,387 calls")
    found = drawn(text)
    assert found[0] == ("all", 0.0, 1200.0, 44.0)
    by_name = {name: (x, width, y) for name, x, width, y in found}
    assert by_name["main"][1] == pytest.approx(1200 * 891 / 1387, abs=0.01)
    assert by_name["both"][0] == by_name["main"][0]
    assert found[0][3] < by_name["main"][2] < by_name["both"][2]
    assert text == flamegraph(STACKS[::-1], "server: calls of leaf", "1,387 calls")


@settings(deadline=None)
@given(stacks)
def test_children_lie_within_their_parents(some: list[Stack]) -> None:
    levels: dict[float, list[tuple[float, float]]] = {}
    for _, x, width, y in drawn(flamegraph(some, "", "")):
        levels.setdefault(y, []).append((x, x + width))
    for y, spans in levels.items():
        spans.sort()
        assert all(one[1] <= other[0] + 0.002 for one, other in pairwise(spans))
        for start, end in spans if y - 18 in levels else ():
            assert any(low - 0.002 <= start and end <= high + 0.002 for low, high in levels[y - 18])


@pytest.mark.parametrize(
    "name",
    ["</text><script>alert(1)</script>", "]]>", "&amp;<", "\ufffe\uffff\x01", '"onclick="alert(1)', "{}%s%(width)s"],
)
def test_names_stay_text(name: str) -> None:
    text = flamegraph([Stack((Frame("main", name), Frame(name, "app")), 7)], name, name)
    root = ET.fromstring(text)
    assert len(list(root.iter(f"{SVG}script"))) == 1
    shown = "".join(letter if letter.isprintable() and letter < "\ufffe" else "\ufffd" for letter in name)
    assert shown in [title.text.split("\n")[0] for title in root.iter(f"{SVG}title") if title.text]
    assert not re.search(r"""(?:href|src|url\(|@import)""", text.replace(name, ""))


def test_too_narrow_frames_are_counted() -> None:
    some = [stack(1_000_000, "main", "often"), *(stack(1, "main", f"rare{number}", "leaf") for number in range(50))]
    text = flamegraph(some, "", "")
    assert "50 frames too narrow to be seen are left out, with what they call" in text
    assert [name for name, *_ in drawn(text)] == ["all", "main", "often"]
    assert "left out" not in flamegraph(some[:1], "", "")


def test_no_calls_at_all() -> None:
    assert drawn(flamegraph([], "server", "")) == [("all", 0, 1200, 44)]
    assert list(folded([])) == outline([], 10, 5) == []
    assert json.loads(speedscope([], "server"))["profiles"][0]["samples"] == []


def test_the_outline() -> None:
    assert (
        "".join(outline(STACKS, 20, 5))
        == """\
     1,387  100.0%  leaf
       496   35.8%  ├ deep × 3
                    │ [cut]
       446   32.2%  ├ both
                    │ main
       227   16.4%  ├ self × 5
                    │ main
       211   15.2%  ├ direct
                    │ main
         7    0.5%  └ rare
                      main
"""
    )


def test_the_outline_leaves_out_what_is_rare_when_there_is_no_room() -> None:
    some = [stack(1000, "main", "often", "leaf"), *(stack(9, f"r{number}", "leaf") for number in range(30))]
    assert (
        "".join(outline(some, 6, 5))
        == """\
     1,270  100.0%  leaf
     1,000   78.7%  ├ often
                    │ main
       270   21.3%  └ … 30 others
"""
    )
    long = outline([stack(5, *(f"f{number}" for number in range(40)), "leaf")], 60, 6)
    assert [line.split(None, 2)[-1].strip() for line in long[:4]] == ["leaf", "f39", "f38", "f37"]
    assert [line.strip() for line in long[4:]] == ["… 36 more", "f0"]


@given(stacks, st.integers(2, 12), st.integers(3, 6))
def test_the_outline_has_room(some: list[Stack], most: int, chain: int) -> None:
    lines = outline(some, most, chain)
    assert len(lines) <= most
    assert bool(lines) == bool(some)


def test_rows() -> None:
    sample = StacksSample(1.0, 1.5, (), tuple(STACKS[2:4]), 730, 7, "exited 0")
    row = rows.stacks(sample)
    assert row["stacks"] == [
        {"frames": ["deep", "deep", "deep", "leaf"], "modules": ["app"] * 4, "count": 496, "cut": True},
        {"frames": ["main", *["self"] * 5, "leaf"], "modules": ["app"] * 7, "count": 227},
    ]
    assert (row["calls"], row["lost"], row["ended"], row["elapsed_ns"]) == (730, 7, "exited 0", 1_500_000_000)


def test_files_are_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.svg"
    whole.check(str(path))
    assert list(tmp_path.iterdir()) == []
    whole.write(str(path), "first")
    link = tmp_path / "link"
    link.symlink_to(path)
    whole.check(str(link))
    whole.write(str(link), "second \ud800")
    assert (path.read_text(), link.is_symlink()) == ("second ?", True)
    assert stat.S_IMODE(path.stat().st_mode) & 0o111 == 0

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(BpfscopeError, match=r"cannot write .*: No space left on device"):
        whole.write(str(path), "third")
    assert path.read_text() == "second ?"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["link", "out.svg"]


@pytest.mark.parametrize("path", ["/dev/null", ".", "none/out.svg", ""])
def test_what_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BpfscopeError, match="cannot write"):
        whole.check(path)
    assert list(tmp_path.iterdir()) == []
