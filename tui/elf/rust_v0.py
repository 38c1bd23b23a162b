"""Rust's names of its newer kind (v0, `_R…`) made readable: RFC 2603 and rustc's `symbol_names/v0.rs`.

    readable("_RNvNtCs1234_7mycrate3foo3bar")  # "mycrate::foo::bar"

Written as rustc-demangle writes them without hashes. Names are hostile: one that is none, nests too deep, or means more
than it should stays as it is. Knows no other part; runs in the demangler's child.
"""

import re
from functools import partial
from typing import Final

from tui.elf.rust_v0_letters import Letters, NoNameError

_CLONE: Final = re.compile(r"\.[A-Za-z_]+(?:\.[0-9]+)*|(?:\.[0-9]+)+")
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
    except (NoNameError, IndexError, ValueError, OverflowError, RecursionError):
        return name
    return found + "".join(f" [clone {clone}]" for clone in clones)


class _Reader(Letters):
    """One name. Raises NoNameError, IndexError, ValueError for what isn't one."""

    def symbol(self) -> str:
        """The whole name."""
        if self.text[0].isdigit():  # a later version of the mangling
            raise NoNameError
        self._path(True)
        if self.text[self.at] != ".":  # the crate that it was made for, which nobody wants to read
            self.muted += 1
            self._path()
        if self.at != len(self.text) - 1:
            raise NoNameError
        return self.meaning

    # Paths

    def _path(self, value: bool = False) -> None:
        """`value`: where an expression stands, generic arguments need another `::`."""
        kind = self.next()
        if kind == "C":
            self.optional("s")
            self.print(self.word())
        elif kind == "N":
            self._nested_name(value=value)
        elif kind in "MXY":
            if kind != "Y":  # where the implementation stands
                self.muted += 1
                self.optional("s")
                self._path()
                self.muted -= 1
            self.print("<")
            self._type()
            if kind != "M":
                self.print(" as ")
                self._path()
            self.print(">")
        elif kind == "I":
            self._path(value)
            self.print("::<" if value else "<")
            self.list(self._argument)
            self.print(">")
        elif kind == "B":
            self.again(partial(self._path, value))
        else:
            raise NoNameError

    def _nested_name(self, *, value: bool) -> None:
        space = self.next()
        if not space.isalpha():
            raise NoNameError
        self._path(value)
        number = self.optional("s")
        name = self.word()
        if space.isupper():
            named = f":{name}" if name else ""
            self.print(f"::{{{_SPECIAL.get(space, space)}{named}#{number}}}")
        elif name:
            self.print(f"::{name}")

    def _argument(self) -> None:
        if self.eat("L"):
            self.lifetime(self.number())
        elif self.eat("K"):
            self._constant(value=False)
        else:
            self._type()

    # Types

    def _type(self) -> None:
        kind = self.next()
        if kind in _BASIC:
            self.print(_BASIC[kind])
        elif kind in "RQ":
            self.print("&")
            if self.eat("L") and (index := self.number()):
                self.lifetime(index)
                self.print(" ")
            self.print("mut " * (kind == "Q"))
            self._type()
        elif kind in _POINTERS:
            self.print(_POINTERS[kind])
            self._type()
        elif kind in "AS":
            self.print("[")
            self._type()
            if kind == "A":
                self.print("; ")
                self._constant(value=True)
            self.print("]")
        elif kind == "T":
            self.print("(")
            self.print(",)" if self.list(self._type) == 1 else ")")
        elif kind in "FD":
            self.in_binder(self._function) if kind == "F" else self._dynamic()
        elif kind == "B":
            self.again(self._type)
        else:
            self.at -= 1
            self._path()

    def _function(self) -> None:
        self.print("unsafe " * self.eat("U"))
        if self.eat("K"):
            abi = "C" if self.eat("C") else self.word().replace("_", "-")
            self.print(f'extern "{abi}" ')
        self.print("fn(")
        self.list(self._type)
        self.print(")")
        if not self.eat("u"):
            self.print(" -> ")
            self._type()

    def _dynamic(self) -> None:
        self.print("dyn ")
        self.in_binder(partial(self.list, self._bound_trait, " + "))
        if not self.eat("L"):
            raise NoNameError
        if index := self.number():
            self.print(" + ")
            self.lifetime(index)

    def _bound_trait(self) -> None:
        is_open = self._open_path()
        while self.eat("p"):
            self.print(", " if is_open else "<")
            is_open = True
            self.print(f"{self.word()} = ")
            self._type()
        self.print(">" * is_open)

    def _open_path(self) -> bool:
        """A trait, whose `<` may stay open for what it is bound to; whether it did."""
        if self.eat("B"):
            found = False

            def read() -> None:
                nonlocal found
                found = self._open_path()

            self.again(read)
            return found
        if not self.eat("I"):
            self._path()
            return False
        self._path()
        self.print("<")
        self.list(self._argument)
        return True

    # Constants

    def _constant(self, *, value: bool) -> None:
        """`value`: where an expression stands; elsewhere one that isn't a literal stands in braces."""
        kind = self.next()
        if kind == "p":
            self.print("_")
        elif kind in _UNSIGNED or kind in _SIGNED:
            self.print("-" * (kind in _SIGNED and self.eat("n")))
            number = int(self.data() or "0", 16)
            self.print(str(number) if number < 1 << 64 else f"{number:#x}")
        elif kind == "b":
            self.print(("false", "true")[int(self.data() or "0", 16)])
        elif kind == "c":
            self.print(f"'{_escaped(chr(int(self.data() or '0', 16)), chr(39))}'")
        elif kind == "B":
            self.again(partial(self._constant, value=value))
        elif kind == "R" and self.eat("e"):
            self._string()
        else:
            self.print("{" * (not value))
            self._expression(kind)
            self.print("}" * (not value))

    def _expression(self, kind: str) -> None:
        """A constant that isn't a literal."""
        if kind == "e":
            self.print("*")
            self._string()
        elif kind in "RQ":
            self.print("&mut " if kind == "Q" else "&")
            self._constant(value=True)
        elif kind in "AT":
            self.print("[" if kind == "A" else "(")
            number = self.list(partial(self._constant, value=True))
            self.print("]" if kind == "A" else ",)" if number == 1 else ")")
        elif kind == "V":
            shape = self.next()
            self._path(True)
            if shape == "T":
                self.print("(")
                self.list(partial(self._constant, value=True))
                self.print(")")
            elif shape == "S":
                self.print(" { ")
                self.list(self._field)
                self.print(" }")
            elif shape != "U":
                raise NoNameError
        else:
            raise NoNameError

    def _field(self) -> None:
        self.optional("s")
        self.print(f"{self.word()}: ")
        self._constant(value=True)

    def _string(self) -> None:
        self.print(f'"{_escaped(bytes.fromhex(self.data()).decode(), chr(34))}"')


def _escaped(text: str, quote: str) -> str:
    """As Rust writes it between quotes."""
    return "".join(
        f"\\{letter}" if letter == quote
        else _ESCAPES.get(letter) or (letter if letter.isprintable() else f"\\u{{{ord(letter):x}}}")
        for letter in text
    )  # fmt: skip
