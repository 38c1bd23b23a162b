"""The letters of Rust's newer names (v0): numbers, words, lists, and parts that stand further in front.

What a name consists of is rust_v0's; this reads its text within bounds, and collects what it means.
"""

import re
from collections.abc import Callable
from typing import Final

_MOST_LIFETIMES: Final = 100
_LONGEST: Final = 16_384  # characters of a result
_MOST_AGAIN: Final = 2_000  # parts that are read once more, in one name: each branch writes something, or is one

_NUMBER: Final = re.compile(r"[0-9a-zA-Z]{0,11}_")  # base 62
_WORD: Final = re.compile(r"(u?)(0|[1-9][0-9]{0,4})_?")
_DATA: Final = re.compile(r"([0-9a-f]*)_")  # of a constant
_DIGITS: Final = {
    digit: value for value, digit in enumerate("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
}


class NoNameError(Exception):
    """It isn't what a compiler writes."""


class Letters:
    """One name's text, after `_R`. Raises NoNameError, IndexError, ValueError for what isn't one."""

    def __init__(self, text: str) -> None:
        self.text = text + "."  # no part of a name: whoever reads on fails
        self.at = 0
        self.muted = 0  # above 0, what is read means nothing
        self._out: list[str] = []
        self._size = 0
        self._again_read = 0
        self._bound = 0  # lifetimes that are bound around here

    @property
    def meaning(self) -> str:
        """What was read so far, readable."""
        return "".join(self._out)

    def next(self) -> str:
        """The next letter, which is passed."""
        letter = self.text[self.at]
        self.at += 1
        return letter

    def eat(self, letter: str) -> bool:
        """Whether this is the next letter, which is then passed."""
        found = self.text[self.at] == letter
        self.at += found
        return found

    def print(self, text: str) -> None:
        """What was read means this, behind what it meant before."""
        if not self.muted:
            self._size += len(text)
            if self._size > _LONGEST:
                raise NoNameError
            self._out.append(text)

    def number(self) -> int:
        """In base 62: `_` is 0, `0_` is 1."""
        found = _NUMBER.match(self.text, self.at)
        if not found:
            raise NoNameError
        self.at = found.end()
        value = 0
        for digit in found[0][:-1]:
            value = value * 62 + _DIGITS[digit]
        return value + (len(found[0]) > 1)

    def optional(self, letter: str) -> int:
        """A number after a letter, from 1 on; 0 where the letter isn't there."""
        if self.text[self.at] != letter:
            return 0
        self.at += 1
        return self.number() + 1

    def word(self) -> str:
        """An identifier; in punycode with `_` for `-` where it has letters beyond ASCII."""
        found = _WORD.match(self.text, self.at)
        if not found:
            raise NoNameError
        self.at = found.end() + int(found[2])
        text = self.text[found.end() : self.at]
        if self.at >= len(self.text):
            raise NoNameError
        if not found[1]:
            return text
        plain, _, others = text.rpartition("_")
        return f"{plain}-{others}".encode().decode("punycode") if plain else others.encode().decode("punycode")

    def data(self) -> str:
        """The hexadecimal digits of a constant."""
        found = _DATA.match(self.text, self.at)
        if not found:
            raise NoNameError
        self.at = found.end()
        return found[1]

    # Structure

    def again(self, read: Callable[[], object]) -> None:
        """Reads what stands further in front once more; the letter before was `B`."""
        here = self.at - 1
        target = self.number()
        if target >= here:
            raise NoNameError
        if not self.muted:
            self._again_read += 1
            if self._again_read > _MOST_AGAIN:
                raise NoNameError
            after, self.at = self.at, target
            read()
            self.at = after

    def list(self, read: Callable[[], object], between: str = ", ") -> int:
        """Until `E`; how many there were."""
        number = 0
        while not self.eat("E"):
            if number:
                self.print(between)
            read()
            number += 1
        return number

    def in_binder(self, read: Callable[[], object]) -> None:
        """With the lifetimes that are bound for this part: for<'a, 'b>."""
        number = self.optional("G")
        if number > _MOST_LIFETIMES:
            raise NoNameError
        if number:
            self.print("for<")
            for index in range(number):
                self.print(", " * (index > 0))
                self._bound += 1
                self.lifetime(1)
            self.print("> ")
        read()
        self._bound -= number

    def lifetime(self, index: int) -> None:
        """By how many were bound since."""
        level = self._bound - index
        if level < 0:
            raise NoNameError
        self.print("'_" if not index else f"'{chr(ord('a') + level)}" if level < 26 else f"'_{level}")
