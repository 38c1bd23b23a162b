"""What the kernel's records say of a call's values: numbers and texts, and these as people read them. Pure."""

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from tui.bpf.plans import NO_TEXT, TEXT_BYTES, VALUES
from tui.collectors.reading import TEXTS, Reads
from tui.collectors.samples import Address, Read, ValuesRow, Word
from tui.elf.values import Kind, Value
from tui.text import sanitise

_FORMATS: Final = {
    Kind.INT: "q", Kind.UINT: "Q", Kind.BOOL: "?7x", Kind.POINTER: "Q", Kind.CSTRING: "Q64s", Kind.STRING: "Q64s",
    Kind.SLICE: "q", Kind.ERROR: "Q", Kind.FLOAT: "d",
}  # fmt: skip

_LARGE: Final = 1 << 32  # what a register holds is taken for a pointer from here on
_NIL, _NOT_NIL = Word("nil"), Word("not nil")


class Decoder:
    """Makes of a record's cells what a function was given and what it gave."""

    def __init__(self, reads: Reads) -> None:
        """For the records of calls that were read so."""
        values = (*reads.parameters, *reads.results)
        formats = ["f4x" if each.kind is Kind.FLOAT and each.size == 4 else _FORMATS[each.kind] for each in values]
        self._cells = struct.Struct("=" + "".join(formats))
        self._plain = all(each.kind not in _DECODERS and not each.names and not each.raw for each in values)
        self._decoders = [_decoder(each) for each in values]
        self._bits = (*range(len(reads.parameters)), *range(VALUES, VALUES + len(reads.results)))

    def __call__(self, record: bytes, at: int, unreadable: int) -> tuple[Read, ...]:
        """The values, parameters first, of the cells that begin at `at`; None where its bit in `unreadable` is set."""
        values: tuple[Read, ...] = self._cells.unpack_from(record, at)
        if not self._plain:
            fields = iter(values)
            values = tuple(decode(fields) for decode in self._decoders)
        if unreadable:
            pairs = zip(values, self._bits, strict=True)
            return tuple(None if unreadable >> bit & 1 else value for value, bit in pairs)
        return values


def _decoder(value: Value) -> Callable[[Iterator[Any]], Read]:
    """What makes something to read of a value's cells."""
    if value.names:
        return _named(value)
    return _register if value.raw else _DECODERS.get(value.kind, next)


def _named(value: Value) -> Callable[[Iterator[Any]], Read]:
    """A number of an enumeration: its name, if it has one."""
    words = {number: Word(name) for number, name in value.names}

    def decode(fields: Iterator[Any]) -> Read:
        number: int = next(fields)
        return words.get(number, number)

    return decode


def _c_text(fields: Iterator[Any]) -> Read:
    """A text that ends with 0; 0 where there is no text."""
    length, kept = next(fields), next(fields)
    return 0 if length == NO_TEXT else _text(kept, length)


def _counted_text(fields: Iterator[Any]) -> Read:
    """A text that has a length, which is said where it is more than what is kept."""
    length = next(fields)
    text = _text(next(fields), length)
    return text if length <= TEXT_BYTES else f"{text} ({length:,} bytes)"


def _text(kept: bytes, length: int) -> str:
    """What is kept of a text; it ends with … where there is more."""
    text = sanitise(kept[: min(length, TEXT_BYTES)].decode("utf-8", "replace"))
    return text if length <= TEXT_BYTES else text.removesuffix("\ufffd") + "…"


def _error(fields: Iterator[Any]) -> Read:
    return _NOT_NIL if next(fields) else _NIL


def _register(fields: Iterator[Any]) -> Read:
    """What may be a number or a pointer: a large one is hardly a number."""
    number: int = next(fields)
    return Address(number) if number >= _LARGE else number


def _address(fields: Iterator[Any]) -> Read:
    return Address(next(fields))


_DECODERS: Final[dict[Kind, Callable[[Iterator[Any]], Read]]] = {
    Kind.CSTRING: _c_text, Kind.STRING: _counted_text, Kind.ERROR: _error, Kind.POINTER: _address,
}  # fmt: skip


def by_frequency(rows: Iterable[ValuesRow]) -> list[ValuesRow]:
    """The rows, most calls first; of those with as many, small values first, and what could not be read last."""

    def place(read: Read) -> tuple[bool, bool, Read]:
        return read is None, isinstance(read, str), 0 if read is None else read

    return sorted(rows, key=lambda row: (-row.calls, *map(place, row.values)))


def shown(value: Value, read: Read) -> str:
    """What was read of a value, for people: 3, 0x7f01, "GET", NULL, nil; or that it could not be read."""
    if read is None:
        return "(not in memory)" if value.kind in TEXTS else "?"
    if isinstance(read, Address) or (value.kind is Kind.POINTER and isinstance(read, int)):
        return f"{read:#x}"
    if value.kind is Kind.CSTRING and read == 0:
        return "NULL"
    if isinstance(read, bool):
        return "true" if read else "false"
    if value.kind in TEXTS:
        return f'"{read}"'
    return f"{read:g}" if isinstance(read, float) else str(read)
