"""Which values of a call are read, the plan that the kernel follows, and what its records say. Pure.

What a condition is on but nobody wants to see is read too, and stays out of the records.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from tui.bpf.plans import MOST_TEXTS, NO_TEXT, TEXT_BYTES, VALUES, Plan, Reading
from tui.collectors import conditions
from tui.collectors.conditions import Comparison
from tui.collectors.samples import Read, ValuesRow
from tui.elf.values import Fetch, Kind, Signature, Value
from tui.errors import UsageError
from tui.text import sanitise

NOTHING: Final = Signature((), ())
_TEXTS: Final = (Kind.CSTRING, Kind.STRING)
_SIZES: Final = {Kind.INT: (1, 2, 4, 8), Kind.UINT: (1, 2, 4, 8), Kind.FLOAT: (4, 8)}  # bytes that a number can have
_FORMATS: Final = {
    Kind.INT: "q", Kind.UINT: "Q", Kind.BOOL: "?7x", Kind.POINTER: "Q", Kind.CSTRING: "Q64s", Kind.STRING: "Q64s",
    Kind.SLICE: "q", Kind.ERROR: "Q", Kind.FLOAT: "d",
}  # fmt: skip


class Wanted(NamedTuple):
    """What somebody wants to know of calls, and of which."""

    names: tuple[str, ...] | None = None  # of parameters, or of fields behind them; None: as many parameters as fit
    results: bool = False
    where: tuple[Comparison, ...] = ()
    slower_than: int = 0  # nanoseconds


class Reads(NamedTuple):
    """What is read of one function's calls."""

    parameters: tuple[Value, ...]
    results: tuple[Value, ...]
    plan: Plan
    unread: tuple[str, ...] = ()  # what was wanted and can't be read, and why

    @property
    def names(self) -> tuple[str, ...]:
        """Of the values in a record."""
        return tuple(value.name for value in (*self.parameters, *self.results))


def needs_returns(wanted: Wanted, signature: Signature) -> bool:
    """Whether only a call's return tells it. Raises UsageError for a condition on a value that there isn't."""
    late = any(not _at_entry(value, signature) for value in _compared(wanted, signature))
    return wanted.results or wanted.slower_than > 0 or late


def choose(wanted: Wanted, signature: Signature, *, returns: bool) -> Reads:
    """What is read of a function's calls, whose returns are seen or not. Raises UsageError."""
    compared = _compared(wanted, signature)
    early = [value for value in compared if _at_entry(value, signature)]
    late = [value for value in compared if value not in early]
    shown = signature.parameters if wanted.names is None else _named(wanted.names, signature)
    room = MOST_TEXTS - _texts({*compared})
    parameters, unread = _fitting(shown, early, room)
    room -= _texts(value for value in parameters if value not in early)
    results, unread_results = _fitting(signature.results if wanted.results else (), late, room)
    at_entry, at_return = tuple(dict.fromkeys((*parameters, *early))), tuple(dict.fromkeys((*results, *late)))
    plan = Plan(
        tuple(_reading(value, hidden=value not in parameters) for value in at_entry),
        tuple(_reading(value, hidden=value not in results) for value in at_return),
        tuple(
            conditions.condition(
                each, value, at_entry.index(value) if value in early else VALUES + at_return.index(value)
            )
            for each, value in zip(wanted.where, compared, strict=True)
        ),
        wanted.slower_than,
        returns,
    )
    return Reads(parameters, results, plan, (*unread, *unread_results))


def _compared(wanted: Wanted, signature: Signature) -> list[Value]:
    """The value of each condition."""
    every = (*signature.parameters, *signature.results, *signature.fields, *signature.result_fields)
    compared = [every[conditions.find(each, every)] for each in wanted.where]
    for value in compared:
        if why := _unreadable(value):
            raise UsageError(f"--where: {value.name} ({value.type}) can't be read: {why}")
    return compared


def _at_entry(value: Value, signature: Signature) -> bool:
    return value in signature.parameters or value in signature.fields


def _named(names: Sequence[str], signature: Signature) -> tuple[Value, ...]:
    every = {value.name: value for value in (*signature.fields, *signature.parameters)}
    for name in names:
        if name not in every:
            there = ", ".join(value.name for value in signature.parameters) or "none"
            raise UsageError(f"--arg: no parameter is called {sanitise(name)}; there are {there}")
    return tuple(dict.fromkeys(every[name] for name in names))


def _texts(values: Iterable[Value]) -> int:
    return sum(value.kind in _TEXTS for value in values)


def _fitting(values: Sequence[Value], compared: Sequence[Value], texts: int) -> tuple[tuple[Value, ...], list[str]]:
    """Those that can be read and for which there is room beside what is compared; of the others, why not."""
    kept: list[Value] = []
    unread: list[str] = []
    room = VALUES - len({*compared})
    for value in values:
        why = _unreadable(value)
        if not why and value not in compared:
            if not room:
                why = f"{VALUES} values are read at most"
            elif value.kind in _TEXTS and not texts:
                why = f"{MOST_TEXTS} texts are read at most"
            else:
                room, texts = room - 1, texts - _texts([value])
        if why:
            unread.append(f"{value.name} ({value.type}) isn't read: {why}")
        else:
            kept.append(value)
    return tuple(kept), unread


def _unreadable(value: Value) -> str:
    if value.kind is Kind.UNREADABLE or (value.at is None and value.kind is not Kind.SLICE):
        return value.why or "where it lies isn't known"
    if value.length is None and value.kind in (Kind.STRING, Kind.SLICE):
        return "where its length lies isn't known"
    if value.kind in _SIZES and value.size not in _SIZES[value.kind]:
        return f"it has {value.size} bytes"
    return ""


def _reading(value: Value, *, hidden: bool) -> Reading:
    at = value.at or Fetch("sp")
    if value.kind is Kind.CSTRING:
        return Reading(at, text=True, hidden=hidden)
    if value.kind is Kind.STRING:
        return Reading(at, text=True, length=value.length, hidden=hidden)
    if value.kind is Kind.SLICE and value.length:
        return Reading(value.length, signed=True, hidden=hidden)
    size = {Kind.BOOL: 1, Kind.POINTER: 8, Kind.ERROR: 8}.get(value.kind, value.size)
    return Reading(at, size, signed=value.kind is Kind.INT, hidden=hidden)


def by_frequency(rows: Iterable[ValuesRow]) -> list[ValuesRow]:
    """The rows, most calls first; of those with as many, small values first, and what could not be read last."""

    def place(read: Read) -> tuple[bool, bool, Read]:
        return read is None, isinstance(read, str), 0 if read is None else read

    return sorted(rows, key=lambda row: (-row.calls, *map(place, row.values)))


def shown(value: Value, read: Read) -> str:
    """What was read of a value, for people: 3, 0x7f01, "GET", NULL, nil; ? where it could not be read."""
    if read is None:
        return "?"
    if value.kind is Kind.POINTER and isinstance(read, int):
        return f"{read:#x}"
    if value.kind is Kind.CSTRING and read == 0:
        return "NULL"
    if isinstance(read, bool):
        return "true" if read else "false"
    if value.kind in _TEXTS:
        return f'"{read}"'
    return f"{read:g}" if isinstance(read, float) else str(read)


class Decoder:
    """Makes of a record's cells what a function was given and what it gave."""

    def __init__(self, reads: Reads) -> None:
        """For the records of calls that were read so."""
        values = (*reads.parameters, *reads.results)
        formats = ["f4x" if each.kind is Kind.FLOAT and each.size == 4 else _FORMATS[each.kind] for each in values]
        self._cells = struct.Struct("=" + "".join(formats))
        self._plain = all(each.kind not in _DECODERS for each in values)
        self._decoders = [_DECODERS.get(each.kind, next) for each in values]
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
    return "not nil" if next(fields) else "nil"


_DECODERS: Final[dict[Kind, Callable[[Iterator[Any]], Read]]] = {
    Kind.CSTRING: _c_text, Kind.STRING: _counted_text, Kind.ERROR: _error,
}  # fmt: skip
