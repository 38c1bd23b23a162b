"""What somebody types after `/`. Pure: knows no widget.

Text is looked for in all words of a row; a glob with * and ? is a whole word; a /regex/ is searched. `~` stands before
letters that a name has in this order, with others between: the closest names come first. `pkg:net/http` is in this
package, namespace or crate, or below; `file:fib.go` comes from a source file with this in its path, `file:fib.go:7`
begins at that line of it; another filter may follow. A leading `!` inverts.
"""

import re
from collections.abc import Callable, Sequence
from itertools import compress
from operator import methodcaller, not_
from typing import Final, Generic, TypeVar

from tui.elf.patterns import TooSlow, expression, limited, of_glob
from tui.errors import UsageError

Row = TypeVar("Row")
Matcher = Callable[[str], object]  # a test for a row's words in lower case, one per line
PACKAGE: Final = "pkg:"
FILE: Final = "file:"  # also in front of a source file and line, where they are among a row's words
_BEFORE_PACKAGE: Final = r"(?:[<&*\[(]|mut |dyn )*"  # <crate::Type as Trait>::function
_MOST_ORDERED: Final = 8_000  # rows; more aren't worth the 3 µs that ordering one takes

__all__ = ["FILE", "PACKAGE", "Haystack", "TooSlow", "Unfinished", "asks_for_files", "finished", "is_search", "matcher"]


class Unfinished(Exception):
    """What was typed is the beginning of an expression."""


class Haystack(Generic[Row]):
    """Rows with the words by which each can be found, in lower case once for all keystrokes."""

    def __init__(self, rows: Sequence[Row], words: Callable[[Row], str]) -> None:
        """`words` gives a row's words, one per line."""
        self.rows = rows
        self._words = [words(row).lower() for row in rows]
        self._narrowed = "", rows, self._words  # what was typed last, and what it left

    def matching(self, typed: str) -> Sequence[Row]:
        """The rows that match, in order; of letters the closest first. Raises Unfinished, TooSlow."""
        matches = matcher(typed)
        if matches is None:
            return self.rows
        before, rows, words = self._narrowed
        if not _narrows(before, typed):
            rows, words = self.rows, self._words
        with limited():
            found = list(map(bool, map(matches, words)))
        rows, words = list(compress(rows, found)), list(compress(words, found))
        self._narrowed = typed, rows, words
        letters = _letters(typed[1:]) if typed.startswith("~") else ""
        if not letters or len(rows) > _MOST_ORDERED:
            return rows
        distances = [_distance(each, letters) for each in words]
        return [rows[index] for index in sorted(range(len(rows)), key=distances.__getitem__)]


def finished(typed: str) -> bool:
    """Whether it isn't half an expression."""
    try:
        matcher(typed)
    except Unfinished:
        return False
    return True


def matcher(typed: str) -> Matcher | None:
    """A test; None matches everything. Raises Unfinished."""
    inverted = typed.startswith("!")
    wanted = typed[inverted:].strip()
    if not wanted:
        return None
    found = _wanted(wanted)
    return (lambda words: not_(found(words))) if inverted else found


def _narrows(before: str, typed: str) -> bool:
    """Whether what is typed now leaves nothing that what was typed before didn't: more text, or more letters."""
    return before.strip("~ ") != "" and typed.startswith(before) and not re.search(r"^\s*[!/]|[*?:]", typed)


def _wanted(wanted: str) -> Matcher:
    if wanted.startswith("/"):
        return _expression(wanted)
    wanted = wanted.lower()
    if wanted.startswith("~"):
        between = "".join(f"[^{re.escape(letter)}\n]*+{re.escape(letter)}" for letter in _letters(wanted[1:]))
        return re.compile(between).match
    if wanted.startswith(PACKAGE):
        package, _, rest = wanted.removeprefix(PACKAGE).partition(" ")
        return _package(package, matcher(rest))
    if wanted.startswith(FILE):
        file, _, rest = wanted.removeprefix(FILE).partition(" ")
        return _file(file, matcher(rest))
    if "*" in wanted or "?" in wanted:
        return _glob(wanted)
    return methodcaller("__contains__", wanted)


def _glob(wanted: str) -> Matcher:
    match = re.compile(rf"(?:.*\n)*?{of_glob(wanted)}$", re.MULTILINE).match
    literal = max(re.split(r"[*?]", wanted), key=len)  # most words don't have it, which is seen sooner
    return lambda words: literal in words and match(words)


def _package(package: str, others: Matcher | None) -> Matcher:
    within = re.compile(_BEFORE_PACKAGE + re.escape(package) + (r"\b" if package[-1:].isalnum() else "")).match
    return (lambda words: within(words) and others(words)) if others else within


def _file(file: str, others: Matcher | None) -> Matcher:
    name, _, line = file.rpartition(":")
    exact = bool(name) and line.isdecimal()
    end = f"{re.escape(name)}:{line}$" if exact else re.escape(file)
    within = re.compile(rf"^{FILE}.*{end}", re.MULTILINE).search
    return (lambda words: within(words) and others(words)) if others else within


def is_search(typed: str) -> bool:
    """Whether only this module can look for it: letters in their order, a package, or a source file."""
    return typed.startswith(("~", PACKAGE, FILE))


def asks_for_files(typed: str) -> bool:
    """Whether source files are needed to judge by what is typed."""
    return typed.lstrip("! ").lower().startswith(FILE)


def _expression(wanted: str) -> Matcher:
    if len(wanted) < 3 or not wanted.endswith("/"):
        raise Unfinished
    try:
        ignored = re.NOFLAG if wanted.islower() else re.IGNORECASE  # `re` is twice as fast without it
        return expression(wanted[1:-1], ignored | re.MULTILINE).search
    except UsageError:
        raise Unfinished from None


def _letters(typed: str) -> str:
    return "".join(typed.lower().split())


def _distance(words: str, letters: str) -> tuple[int, int]:
    """How far a name is from letters that it has: what lies between them counts, beginnings of words make up for it.

    Looked for forwards, then backwards from where that ends, which finds the shortest stretch that ends there (as fzf).
    """
    name = words.partition("\n")[0]
    end = -1
    for letter in letters:
        end = name.find(letter, end + 1)
    at = end + 1
    places = [at := name.rfind(letter, 0, at) for letter in reversed(letters)]
    last, good, goods = -2, False, 0
    for at in reversed(places):
        good = (good and at == last + 1) or at == 0 or not name[at - 1].isalnum()
        goods, last = goods + good, at
    return end + 1 - places[-1] - 4 * goods, len(name)
