"""Code as a process has it beside the file's: what is a probe there, and what was changed."""

import pytest

from tui.elf import memory

BRK = bytes.fromhex("a00020d4")  # brk 5, which a uprobe is on arm64
WORDS = bytes.fromhex("fd7bbfa9 fd030091 fd7bc1a8 c0035fd6")


@pytest.mark.parametrize(
    ("there", "same"),
    [
        (WORDS, True),
        (BRK + WORDS[4:], True),
        (WORDS[:12] + BRK, True),
        (WORDS[:12] + b"\0\0\0\xd4", False),
        (b"\xcc" + WORDS[1:], False),  # a breakpoint of x86-64
        (WORDS[:2] + BRK + WORDS[6:], False),  # not where an instruction begins
    ],
)
def test_words_of_arm64(monkeypatch: pytest.MonkeyPatch, there: bytes, *, same: bool) -> None:
    monkeypatch.setattr(memory, "_WORDS", True)
    assert memory._same(there, WORDS) is same


@pytest.mark.parametrize(
    ("there", "same"),
    [("554889e5c3", True), ("cc4889e5c3", True), ("55cc89e5c3", True), ("564889e5c3", False), ("a00020d4c3", False)],
)
def test_bytes_of_x86(monkeypatch: pytest.MonkeyPatch, there: str, *, same: bool) -> None:
    monkeypatch.setattr(memory, "_WORDS", False)
    assert memory._same(bytes.fromhex(there), bytes.fromhex("554889e5c3")) is same
