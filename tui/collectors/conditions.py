r"""Conditions on the values of a call: `n > 10 && name == "GET"`. Pure: text in, conditions for the kernel out.

    condition  = comparison { ("&&" | "and") comparison }
    comparison = NAME ("==" | "!=" | "<" | "<=" | ">" | ">=" | "&") constant
    constant   = 10 | -3 | 0x1f | true | false | nil | GREEN | "text, with \" \\ \n \t \x1f"

`n & 4`: one of these bits is set. A value that can't be read fulfils no condition.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from tui.bpf.plans import BITS, EQUAL, LESS, MORE, MOST_CONDITIONS, NO_TEXT, TEXT_BYTES, Condition
from tui.elf.values import Kind, Value
from tui.errors import UsageError
from tui.text import sanitise

_COMPARISON: Final = re.compile(
    r"""\s* (?P<name> (?: -> | [^\s=!<>&"] )++ ) \s* (?P<operator> [=!<>]= | [<>] | &(?!&) ) \s*
    (?P<constant> "(?: [^"\\] | \\. )*" | [^\s&"]+ ) \s*""",
    re.VERBOSE | re.DOTALL,
)
_AND: Final = re.compile(r"&& | and(?=\s)", re.VERBOSE)
_NUMBER: Final = re.compile(r"-?(?:0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20})")
_FRACTION: Final = re.compile(r"-?[0-9]*\.[0-9]+(?:[eE][-+]?[0-9]+)?")
_NAME: Final = re.compile(r"[^\W\d]\w*")
_ESCAPE: Final = re.compile(r"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPED: Final = {"n": b"\n", "t": b"\t", "r": b"\r", "0": b"\0", '"': b'"', "\\": b"\\"}
_WORDS: Final = {"true": True, "false": False, "nil": None, "null": None, "NULL": None}
_ACCEPTS: Final = {
    "==": EQUAL, "!=": LESS | MORE, "<": LESS, "<=": LESS | EQUAL, ">": MORE, ">=": MORE | EQUAL, "&": BITS,
}  # fmt: skip
_NAMED: Final = 20  # names in a message
_EITHER: Final = ("==", "!=")


class Name(str):
    """A constant that is one of an enumeration's names."""

    __slots__ = ()


Constant = int | bool | bytes | Name | None


class Comparison(NamedTuple):
    """One value against one constant; None is nil."""

    name: str
    operator: str
    constant: Constant

    def __str__(self) -> str:
        """The value's name and the operator, for messages."""
        return f"{sanitise(self.name)} {self.operator}"


def parse(*texts: str) -> tuple[Comparison, ...]:
    """The comparisons, all of which must hold. Raises UsageError."""
    found = [comparison for text in texts for comparison in _comparisons(text)]
    if len(found) > MOST_CONDITIONS:
        raise UsageError(f"--where: at most {MOST_CONDITIONS} comparisons, not {len(found)}")
    return tuple(found)


def _comparisons(text: str) -> Iterator[Comparison]:
    at = 0
    while True:
        match = _COMPARISON.match(text, at)
        if not match:
            raise UsageError(
                f"--where: expected a comparison such as n > 10 at {sanitise(text[at:].strip()) or 'the end'}"
            )
        yield Comparison(match["name"], match["operator"], _constant(match["constant"]))
        if match.end() == len(text):
            return
        joined = _AND.match(text, match.end())
        if not joined:
            raise UsageError(f"--where: expected && at {sanitise(text[match.end() :])}")
        at = joined.end()


def _constant(text: str) -> Constant:
    if text in _WORDS:
        return _WORDS[text]
    if _NUMBER.fullmatch(text):
        return int(text, 16 if "x" in text.lower() else 10)
    if _NAME.fullmatch(text):
        return Name(text)
    if _FRACTION.fullmatch(text):
        raise UsageError(f"--where: {text} has a fraction, and the kernel compares whole numbers only")
    if text[0] != '"':
        raise _no_constant(text)
    parts, end = [], 1
    for escape in _ESCAPE.finditer(text, 1, len(text) - 1):
        parts += [text[end : escape.start()].encode("utf-8", "surrogateescape"), _escaped(escape[1])]
        end = escape.end()
    return b"".join([*parts, text[end:-1].encode("utf-8", "surrogateescape")])


def _no_constant(text: str, names: Iterable[str] = ()) -> UsageError:
    there = ", ".join([*islice(names, _NAMED)])
    return UsageError(
        f'--where: {sanitise(text)} is no number, true, false or nil; a text is written "{sanitise(text)}"'
        + (f"; names are {there}" if there else "")
    )


def _escaped(letters: str) -> bytes:
    if letters in _ESCAPED:
        return _ESCAPED[letters]
    if letters[0] != "x" or len(letters) != 3:
        raise UsageError(
            f"--where: \\{sanitise(letters)} means nothing in a text; there are " + r"\" \\ \n \t \r \0 \xff"
        )
    return bytes.fromhex(letters[1:])


def find(comparison: Comparison, values: Sequence[Value]) -> int:
    """Which of the values is compared. Raises UsageError with the names that there are."""
    names = [value.name for value in values]
    if comparison.name in names:
        return names.index(comparison.name)
    readable = list(dict.fromkeys(value.name for value in values if value.kind is not Kind.UNREADABLE))
    there = ", ".join(readable[:_NAMED]) + (", …" if len(readable) > _NAMED else "")
    raise UsageError(f"--where: no value is called {sanitise(comparison.name)}; there are {there or 'none'}")


def condition(comparison: Comparison, value: Value, index: int) -> Condition:
    """What the kernel compares, of the value with that index in a Plan. Raises UsageError where it makes no sense."""
    if isinstance(comparison.constant, Name):
        numbers = {name: number for number, name in value.names}
        if comparison.constant not in numbers:
            raise _no_constant(comparison.constant, numbers)
        comparison = comparison._replace(constant=numbers[comparison.constant])
    return _OF_KIND[value.kind](comparison, value, index)


def _number(comparison: Comparison, value: Value, index: int) -> Condition:
    constant, signed = comparison.constant, value.kind in (Kind.INT, Kind.SLICE)
    if constant is None and value.kind is Kind.POINTER:
        constant = 0
    if not isinstance(constant, int):
        raise UsageError(f"--where: {value.name} is a number ({value.type}), which is compared with a number")
    bits = 64 if value.kind in (Kind.SLICE, Kind.POINTER) else 8 * value.size
    least, most = (-1 << bits - 1, (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if not least <= constant <= most:
        raise UsageError(f"--where: {value.name} ({value.type}) is {least:,} to {most:,}, never {constant:,}")
    return Condition(index, _ACCEPTS[comparison.operator], int(constant), signed)


def _bool(comparison: Comparison, value: Value, index: int) -> Condition:
    if comparison.operator not in _EITHER or comparison.constant not in (False, True):
        raise UsageError(f"--where: {value.name} is a bool: it can be == or != true or false")
    zero = (comparison.operator == "==") is not bool(comparison.constant)
    return Condition(index, EQUAL if zero else LESS | MORE, 0)


def _error(comparison: Comparison, value: Value, index: int) -> Condition:
    if comparison.operator not in _EITHER or comparison.constant is not None:
        raise UsageError(f"--where: {value.name} is an error: it can be == or != nil")
    return Condition(index, _ACCEPTS[comparison.operator], 0)


def _text(comparison: Comparison, value: Value, index: int) -> Condition:
    constant = comparison.constant
    if constant is None and value.kind is Kind.CSTRING and comparison.operator in _EITHER:
        return Condition(index, _ACCEPTS[comparison.operator], NO_TEXT)
    if comparison.operator not in _EITHER or not isinstance(constant, bytes):
        raise UsageError(f'--where: {value.name} is a text: it can be == or != a text in quotes, such as "GET"')
    if len(constant) > TEXT_BYTES:
        raise UsageError(f"--where: a text of {len(constant)} bytes is too long: {TEXT_BYTES} are compared")
    return Condition(index, _ACCEPTS[comparison.operator], 0, text=constant)


def _never(_comparison: Comparison, value: Value, _index: int) -> Condition:
    why = value.why or "floating-point numbers can't be compared in the kernel"
    raise UsageError(f"--where: {value.name} ({value.type}) can't be compared: {why}")


_OF_KIND: Final[dict[Kind, Callable[[Comparison, Value, int], Condition]]] = {
    Kind.INT: _number, Kind.UINT: _number, Kind.POINTER: _number, Kind.SLICE: _number, Kind.BOOL: _bool,
    Kind.CSTRING: _text, Kind.STRING: _text, Kind.ERROR: _error, Kind.FLOAT: _never, Kind.UNREADABLE: _never,
}  # fmt: skip
