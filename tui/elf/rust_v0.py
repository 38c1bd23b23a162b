"""Rust's names of its newer kind (v0, `_R…`) made readable: RFC 2603 and rustc's `symbol_names/v0.rs`.

    readable("_RNvNtCs1234_7mycrate3foo3bar")  # "mycrate::foo::bar"

Written as rustc-demangle writes them without hashes. Names are hostile: one that is none, nests too deep, or means more
than it should stays as it is. Knows no other part; runs in the demangler's child.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Final

_MOST_LIFETIMES: Final = 100
_LONGEST: Final = 16_384  # characters of a result
_MOST_AGAIN: Final = 2_000  # parts that are read once more, in one name: each branch writes something, or is one

_NUMBER: Final = re.compile(r"[0-9a-zA-Z]{0,11}_")  # base 62
_WORD: Final = re.compile(r"(u?)(0|[1-9][0-9]{0,4})_?")
_DATA: Final = re.compile(r"((?:[0-9a-f])*)_")  # of a constant
_CLONE: Final = re.compile(r"\.[A-Za-z_]+(?:\.[0-9]+)*|(?:\.[0-9]+)+")
_DIGITS: Final = {digit: value for value, digit in enumerate(
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)}  # fmt: skip
_BASIC: Final = {
    "a": "i8", "b": "bool", "c": "char", "d": "f64", "e": "str", "f": "f32", "h": "u8", "i": "isize", "j": "usize",
    "l": "i32", "m": "u32", "n": "i128", "o": "u128", "p": "_", "s": "i16", "t": "u16", "u": "()", "v": "...",
    "x": "i64", "y": "u64", "z": "!",
}  # fmt: skip
_POINTERS: Final = {"P": "*const ", "O": "*mut "}
_SPECIAL: Final = {"C": "closure", "S": "shim"}
_UNSIGNED, _SIGNED = "htmyoj", "aslxni"
_ESCAPES: Final = {"\t": "\\t", "\n": "\\n", "\r": "\\r", "\\": "\\\\", "\0": "\\0"}


def readable(name: str) -> str:
    """What a name stands for; the name itself where it is no such name, or too much."""
    mangled, dot, rest = name.partition(".llvm.")[0].partition(".")
    clones = _CLONE.findall(dot + rest)
    if not mangled.startswith("_R") or not mangled.isascii() or "".join(clones) != dot + rest:
        return name
    try:
        found = _Reader(mangled[2:]).symbol()
    except (_NoNameError, IndexError, ValueError, OverflowError, RecursionError):
        return name
    return found + "".join(f" [clone {clone}]" for clone in clones)


class _NoNameError(Exception):
    """It isn't what a compiler writes."""


class _Reader:
    """One name. Raises _NoNameError, IndexError, ValueError for what isn't one."""

    def __init__(self, text: str) -> None:
        self._text = text + "."  # no part of a name: whoever reads on fails
        self._at = 0
        self._out: list[str] = []
        self._size = 0
        self._muted = 0
        self._again_read = 0
        self._bound = 0  # lifetimes that are bound around here

    def symbol(self) -> str:
        """The whole name."""
        if self._text[0].isdigit():  # a later version of the mangling
            raise _NoNameError
        self._path(True)
        if self._text[self._at] != ".":  # the crate that it was made for, which nobody wants to read
            self._muted += 1
            self._path()
        if self._at != len(self._text) - 1:
            raise _NoNameError
        return "".join(self._out)

    # Letters and numbers

    def _next(self) -> str:
        letter = self._text[self._at]
        self._at += 1
        return letter

    def _eat(self, letter: str) -> bool:
        found = self._text[self._at] == letter
        self._at += found
        return found

    def _print(self, text: str) -> None:
        if not self._muted:
            self._size += len(text)
            if self._size > _LONGEST:
                raise _NoNameError
            self._out.append(text)

    def _number(self) -> int:
        """In base 62: `_` is 0, `0_` is 1."""
        found = _NUMBER.match(self._text, self._at)
        if not found:
            raise _NoNameError
        self._at = found.end()
        value = 0
        for digit in found[0][:-1]:
            value = value * 62 + _DIGITS[digit]
        return value + (len(found[0]) > 1)

    def _optional(self, letter: str) -> int:
        """A number after a letter, from 1 on; 0 where the letter isn't there."""
        if self._text[self._at] != letter:
            return 0
        self._at += 1
        return self._number() + 1

    def _word(self) -> str:
        """An identifier; in punycode with `_` for `-` where it has letters beyond ASCII."""
        found = _WORD.match(self._text, self._at)
        if not found:
            raise _NoNameError
        self._at = found.end() + int(found[2])
        text = self._text[found.end() : self._at]
        if self._at >= len(self._text):
            raise _NoNameError
        if not found[1]:
            return text
        plain, _, others = text.rpartition("_")
        return f"{plain}-{others}".encode().decode("punycode") if plain else others.encode().decode("punycode")

    # Structure

    def _again(self, read: Callable[[], object]) -> None:
        """Reads what stands further in front once more; the letter before was `B`."""
        here = self._at - 1
        target = self._number()
        if target >= here:
            raise _NoNameError
        if not self._muted:
            self._again_read += 1
            if self._again_read > _MOST_AGAIN:
                raise _NoNameError
            after, self._at = self._at, target
            read()
            self._at = after

    def _list(self, read: Callable[[], object], between: str = ", ") -> int:
        """Until `E`; how many there were."""
        number = 0
        while not self._eat("E"):
            if number:
                self._print(between)
            read()
            number += 1
        return number

    def _in_binder(self, read: Callable[[], object]) -> None:
        """With the lifetimes that are bound for this part: for<'a, 'b>."""
        number = self._optional("G")
        if number > _MOST_LIFETIMES:
            raise _NoNameError
        if number:
            self._print("for<")
            for index in range(number):
                self._print(", " * (index > 0))
                self._bound += 1
                self._lifetime(1)
            self._print("> ")
        read()
        self._bound -= number

    def _lifetime(self, index: int) -> None:
        """By how many were bound since."""
        level = self._bound - index
        if level < 0:
            raise _NoNameError
        self._print("'_" if not index else f"'{chr(ord('a') + level)}" if level < 26 else f"'_{level}")

    # Paths

    def _path(self, value: bool = False) -> None:
        """`value`: where an expression stands, generic arguments need another `::`."""
        kind = self._next()
        if kind == "C":
            self._optional("s")
            self._print(self._word())
        elif kind == "N":
            self._nested_name(value=value)
        elif kind in "MXY":
            if kind != "Y":  # where the implementation stands
                self._muted += 1
                self._optional("s")
                self._path()
                self._muted -= 1
            self._print("<")
            self._type()
            if kind != "M":
                self._print(" as ")
                self._path()
            self._print(">")
        elif kind == "I":
            self._path(value)
            self._print("::<" if value else "<")
            self._list(self._argument)
            self._print(">")
        elif kind == "B":
            self._again(partial(self._path, value))
        else:
            raise _NoNameError

    def _nested_name(self, *, value: bool) -> None:
        space = self._next()
        if not space.isalpha():
            raise _NoNameError
        self._path(value)
        number = self._optional("s")
        name = self._word()
        if space.isupper():
            named = f":{name}" if name else ""
            self._print(f"::{{{_SPECIAL.get(space, space)}{named}#{number}}}")
        elif name:
            self._print(f"::{name}")

    def _argument(self) -> None:
        if self._eat("L"):
            self._lifetime(self._number())
        elif self._eat("K"):
            self._constant(value=False)
        else:
            self._type()

    # Types

    def _type(self) -> None:
        kind = self._next()
        if kind in _BASIC:
            self._print(_BASIC[kind])
        elif kind in "RQ":
            self._print("&")
            if self._eat("L") and (index := self._number()):
                self._lifetime(index)
                self._print(" ")
            self._print("mut " * (kind == "Q"))
            self._type()
        elif kind in _POINTERS:
            self._print(_POINTERS[kind])
            self._type()
        elif kind in "AS":
            self._print("[")
            self._type()
            if kind == "A":
                self._print("; ")
                self._constant(value=True)
            self._print("]")
        elif kind == "T":
            self._print("(")
            self._print(",)" if self._list(self._type) == 1 else ")")
        elif kind in "FD":
            self._in_binder(self._function) if kind == "F" else self._dynamic()
        elif kind == "B":
            self._again(self._type)
        else:
            self._at -= 1
            self._path()

    def _function(self) -> None:
        self._print("unsafe " * self._eat("U"))
        if self._eat("K"):
            abi = "C" if self._eat("C") else self._word().replace("_", "-")
            self._print(f'extern "{abi}" ')
        self._print("fn(")
        self._list(self._type)
        self._print(")")
        if not self._eat("u"):
            self._print(" -> ")
            self._type()

    def _dynamic(self) -> None:
        self._print("dyn ")
        self._in_binder(partial(self._list, self._bound_trait, " + "))
        if not self._eat("L"):
            raise _NoNameError
        if index := self._number():
            self._print(" + ")
            self._lifetime(index)

    def _bound_trait(self) -> None:
        is_open = self._open_path()
        while self._eat("p"):
            self._print(", " if is_open else "<")
            is_open = True
            self._print(f"{self._word()} = ")
            self._type()
        self._print(">" * is_open)

    def _open_path(self) -> bool:
        """A trait, whose `<` may stay open for what it is bound to; whether it did."""
        if self._eat("B"):
            found = False

            def read() -> None:
                nonlocal found
                found = self._open_path()

            self._again(read)
            return found
        if not self._eat("I"):
            self._path()
            return False
        self._path()
        self._print("<")
        self._list(self._argument)
        return True

    # Constants

    def _constant(self, *, value: bool) -> None:
        """`value`: where an expression stands; elsewhere one that isn't a literal stands in braces."""
        kind = self._next()
        if kind == "p":
            self._print("_")
        elif kind in _UNSIGNED or kind in _SIGNED:
            self._print("-" * (kind in _SIGNED and self._eat("n")))
            number = int(self._data() or "0", 16)
            self._print(str(number) if number < 1 << 64 else f"{number:#x}")
        elif kind == "b":
            self._print(("false", "true")[int(self._data() or "0", 16)])
        elif kind == "c":
            self._print(f"'{_escaped(chr(int(self._data() or '0', 16)), chr(39))}'")
        elif kind == "B":
            self._again(partial(self._constant, value=value))
        elif kind == "R" and self._eat("e"):
            self._string()
        else:
            self._print("{" * (not value))
            self._expression(kind)
            self._print("}" * (not value))

    def _expression(self, kind: str) -> None:
        """A constant that isn't a literal."""
        if kind == "e":
            self._print("*")
            self._string()
        elif kind in "RQ":
            self._print("&mut " if kind == "Q" else "&")
            self._constant(value=True)
        elif kind in "AT":
            self._print("[" if kind == "A" else "(")
            number = self._list(partial(self._constant, value=True))
            self._print("]" if kind == "A" else ",)" if number == 1 else ")")
        elif kind == "V":
            shape = self._next()
            self._path(True)
            if shape == "T":
                self._print("(")
                self._list(partial(self._constant, value=True))
                self._print(")")
            elif shape == "S":
                self._print(" { ")
                self._list(self._field)
                self._print(" }")
            elif shape != "U":
                raise _NoNameError
        else:
            raise _NoNameError

    def _field(self) -> None:
        self._optional("s")
        self._print(f"{self._word()}: ")
        self._constant(value=True)

    def _string(self) -> None:
        self._print(f'"{_escaped(bytes.fromhex(self._data()).decode(), chr(34))}"')

    def _data(self) -> str:
        found = _DATA.match(self._text, self._at)
        if not found:
            raise _NoNameError
        self._at = found.end()
        return found[1]


def _escaped(text: str, quote: str) -> str:
    """As Rust writes it between quotes."""
    return "".join(
        f"\\{letter}" if letter == quote
        else _ESCAPES.get(letter) or (letter if letter.isprintable() else f"\\u{{{ord(letter):x}}}")
        for letter in text
    )  # fmt: skip
