"""Code as a process has it beside the file's: what is a breakpoint there, and what was changed."""

import pytest

from tui.elf import memory

BRK = bytes.fromhex("a00020d4")  # brk 5, which a uprobe is on arm64
WORDS = bytes.fromhex("fd7bbfa9 fd030091 fd7bc1a8 c0035fd6")
Differences = tuple[set[int], set[int]]


@pytest.mark.parametrize(
    ("there", "differences"),
    [
        (WORDS, (set(), set())),
        (BRK + WORDS[4:], (set(), {0})),
        (WORDS[:12] + BRK, (set(), {12})),
        (WORDS[:12] + b"\0\0\0\xd4", ({12}, set())),
        (b"\xcc" + WORDS[1:], ({0}, set())),  # a breakpoint of x86-64
        (WORDS[:2] + BRK + WORDS[6:], ({0, 4}, set())),  # not where an instruction begins
    ],
)
def test_words_of_arm64(monkeypatch: pytest.MonkeyPatch, there: bytes, differences: Differences) -> None:
    monkeypatch.setattr(memory, "_WORDS", True)
    assert memory.without_breakpoints(there, WORDS) == differences


@pytest.mark.parametrize(
    ("there", "differences"),
    [
        ("554889e5c3", (set(), set())),
        ("cc4889e5c3", (set(), {0})),
        ("55cc89e5c3", (set(), {1})),
        ("564889e5c3", ({0}, set())),
        ("a00020d4c3", ({0, 1, 2, 3}, set())),
    ],
)
def test_bytes_of_x86(monkeypatch: pytest.MonkeyPatch, there: str, differences: Differences) -> None:
    monkeypatch.setattr(memory, "_WORDS", False)
    assert memory.without_breakpoints(bytes.fromhex(there), bytes.fromhex("554889e5c3")) == differences
