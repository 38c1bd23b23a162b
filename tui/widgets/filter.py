"""What somebody types after `/`: text, a glob, or /regex/; a leading `!` inverts. Pure: knows no widget."""

import warnings
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from tui.elf.patterns import Matcher, TooSlow, compile_pattern, limited
from tui.errors import UsageError

Row = TypeVar("Row")

__all__ = ["Haystack", "TooSlow", "Unfinished", "finished", "matcher"]


class Unfinished(Exception):
    """What was typed is the beginning of an expression."""


class Haystack(Generic[Row]):
    """Rows with the words by which each can be found, in lower case once for all keystrokes."""

    def __init__(self, rows: Sequence[Row], words: Callable[[Row], str]) -> None:
        """`words` gives a row's words, one per line."""
        self.rows = rows
        self._words = [words(row).lower() for row in rows]

    def matching(self, typed: str) -> Sequence[Row]:
        """The rows that match, in order. Raises Unfinished, TooSlow."""
        matches = matcher(typed)
        if matches is None:
            return self.rows
        with limited():
            return [row for row, words in zip(self.rows, self._words, strict=True) if matches(words)]


def finished(typed: str) -> bool:
    """Whether it isn't half an expression."""
    try:
        matcher(typed)
    except Unfinished:
        return False
    return True


def matcher(typed: str) -> Matcher | None:
    """A test for a row's words in lower case, one per line; None matches everything. Raises Unfinished."""
    inverted = typed.startswith("!")
    wanted = typed[inverted:].strip()
    if not wanted:
        return None
    found = _expression(wanted) if wanted.startswith("/") else _text(wanted.lower())
    return (lambda words: not found(words)) if inverted else found


def _text(wanted: str) -> Matcher:
    if "*" not in wanted and "?" not in wanted:
        return lambda words: wanted in words
    whole = compile_pattern(wanted)
    return lambda words: any(map(whole, words.split("\n"))) if "\n" in words else whole(words)


def _expression(wanted: str) -> Matcher:
    if len(wanted) < 3 or not wanted.endswith("/"):
        raise Unfinished
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return compile_pattern(f"/(?im){wanted[1:]}")
    except UsageError:
        raise Unfinished from None
