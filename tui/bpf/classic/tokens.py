"""The words, numbers and signs of bpf_asm's language, each with its place; knows no instruction."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from tui.bpf.classic.items import AssemblyError, Place
from tui.text import sanitise

_TOKEN: Final = re.compile(
    r"""(?P<space>\s+ | ;[^\n]* | ^\#[^\n]* | /\*.*?\*/)
    | (?P<number>(?:0x[0-9a-f]+|0b[01]+|0[0-7]*|[1-9][0-9]*)(?![0-9a-z_]))
    | (?P<word>[a-z_][a-z0-9_]*)
    | (?P<sign>[][:,\#%()+*&-])
    | (?P<wrong>/\* | [0-9][0-9a-z_]* | .)""",
    re.IGNORECASE | re.ASCII | re.VERBOSE | re.MULTILINE | re.DOTALL,
)
_SHOWN: Final = 30  # so many characters of a word stand in a message
_DIGITS: Final = 40  # no number that fits has more


class Token(NamedTuple):
    """One of them: `kind` is "word", "number", "sign" or "end"."""

    kind: str
    text: str
    place: Place

    @property
    def word(self) -> str:
        """The text in small letters: the language tells them apart in labels only."""
        return self.text.lower()

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else f"“{sanitise(self.text[:_SHOWN])}”"


class Tokens:
    """Those of a text, one after the other, with a look at the next one. Raises AssemblyError for what is none."""

    def __init__(self, text: str) -> None:
        self._rest = _tokens(text)
        self.next = next(self._rest)

    def take(self) -> Token:
        """The next one, and goes on; at the end it stays."""
        token = self.next
        self.next = next(self._rest, token)
        return token

    def accept(self, sign: str) -> bool:
        """Takes the next one if it is this sign or word."""
        return self.next.word == sign and self.take() is not None

    def expect(self, sign: str) -> None:
        """Takes the next one, which must be this sign or word."""
        if not self.accept(sign):
            raise AssemblyError(f"“{sign}” comes here, not {self.next}", self.next.place)

    def number(self) -> int:
        """Takes a number of at most 32 bits, with a sign or without; as unsigned."""
        place = self.next.place
        negative = not self.accept("+") and self.accept("-")
        token = self.take()
        if token.kind != "number":
            raise AssemblyError(f"a number comes here, not {token}", token.place)
        value = _value(token.word) * (-1 if negative else 1)
        if not -0x80000000 <= value <= 0xFFFFFFFF:
            raise AssemblyError(f"{'-' if negative else ''}{token.text[:_SHOWN]} doesn't fit in 32 bits", place)
        return value & 0xFFFFFFFF


def _value(digits: str) -> int:
    base = {"0x": 16, "0b": 2}.get(digits[:2], 8 if digits[0] == "0" else 10)
    significant = digits[2:] if base in {16, 2} else digits
    return int(significant, base) if len(significant.lstrip("0")) <= _DIGITS else 1 << 64


def _tokens(text: str) -> Iterator[Token]:
    line, start = 1, 0  # of this line: its number, and where it begins
    for found in _TOKEN.finditer(text):
        kind, part = found.lastgroup or "", found.group()
        place = Place(line, found.start() - start + 1)
        if kind == "wrong":
            raise AssemblyError(_what_is_wrong(part), place)
        if kind != "space":
            yield Token(kind, part, place)
        elif "\n" in part:
            line += part.count("\n")
            start = found.start() + part.rindex("\n") + 1
    yield Token("end", "", Place(line, len(text) - start + 1))


def _what_is_wrong(part: str) -> str:
    if part == "/*":
        return "the comment that begins here has no end"
    shown = f"“{sanitise(part[:_SHOWN])}”"
    return f"{shown} is no number" if part[0].isdigit() else f"{shown} has no meaning here"
