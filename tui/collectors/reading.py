"""Which values of a call are read, and the plan that the kernel follows. Pure.

What a condition is on but nobody wants to see is read too, and stays out of the records.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from tui.bpf.plans import MOST_TEXTS, VALUES, Plan, Reading
from tui.collectors import conditions
from tui.collectors.conditions import Comparison
from tui.elf import signatures
from tui.elf.values import Fetch, Kind, Signature, Value
from tui.errors import UsageError

NOTHING: Final = Signature((), ())
TEXTS: Final = (Kind.CSTRING, Kind.STRING)
_SIZES: Final = {Kind.INT: (1, 2, 4, 8), Kind.UINT: (1, 2, 4, 8), Kind.FLOAT: (4, 8)}  # bytes that a number can have


class Wanted(NamedTuple):
    """What somebody wants to know of calls, and of which."""

    names: tuple[str, ...] | None = None  # NAME or NAME:TYPE (signatures.asked); None: as many parameters as fit
    results: bool = False  # all of them
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


def together(reads: Sequence[Reads]) -> Reads:
    """What is read at several places as if it were one; of values with one name, the first place's."""
    if len(reads) == 1:
        return reads[0]
    parameters: dict[str, Value] = {}
    for each in reads:
        for value in each.parameters:
            parameters.setdefault(value.name, value)
    unread = dict.fromkeys(text for each in reads for text in each.unread)
    return reads[0]._replace(parameters=tuple(parameters.values()), unread=tuple(unread))


def needs_returns(wanted: Wanted, signature: Signature) -> bool:
    """Whether only a call's return tells it. Raises UsageError where something is wanted that there isn't."""
    named = _named(wanted, signature)
    late = _late(signature)
    read = (*named, *_compared(wanted, signature, named))
    return wanted.results or wanted.slower_than > 0 or any(value.name in late for value in read)


def choose(wanted: Wanted, signature: Signature, *, returns: bool) -> Reads:
    """What is read of a function's calls, whose returns are seen or not. Raises UsageError."""
    named, late = _named(wanted, signature), _late(signature)
    compared = _compared(wanted, signature, named)
    early_named, late_named = _split(named, late)
    early_compared, late_compared = _split(compared, late)
    if wanted.results:
        late_named += [value for value in signature.results if value.name not in {each.name for each in late_named}]
    room = MOST_TEXTS - _texts({*compared})
    shown = signature.parameters if wanted.names is None else early_named
    parameters, unread = _fitting(shown, early_compared, room)
    room -= _texts(value for value in parameters if value not in early_compared)
    results, unread_results = _fitting(late_named, late_compared, room)
    entry = {value: index for index, value in enumerate(dict.fromkeys((*parameters, *early_compared)))}
    after = {value: index for index, value in enumerate(dict.fromkeys((*results, *late_compared)), VALUES)}
    plan = Plan(
        tuple(_reading(value, hidden=value not in parameters) for value in entry),
        tuple(_reading(value, hidden=value not in results) for value in after),
        tuple(map(conditions.condition, wanted.where, compared, ((entry | after)[value] for value in compared))),
        wanted.slower_than,
        returns,
    )
    return Reads(parameters, results, plan, (*unread, *unread_results))


def _named(wanted: Wanted, signature: Signature) -> tuple[Value, ...]:
    """What is asked for by name."""
    every = (*signature.parameters, *signature.results, *signature.fields, *signature.result_fields)
    return tuple(dict.fromkeys(signatures.asked(name, every) for name in wanted.names or ()))


def _compared(wanted: Wanted, signature: Signature, named: Sequence[Value]) -> list[Value]:
    """The value of each condition; of the type that was asked for, if one was."""
    every = (*named, *signature.parameters, *signature.results, *signature.fields, *signature.result_fields)
    compared = [every[conditions.find(each, every)] for each in wanted.where]
    for value in compared:
        if why := _unreadable(value):
            raise UsageError(f"--where: {value.name} ({value.type}) can't be read: {why}")
    return compared


def _split(values: Iterable[Value], late: Collection[str]) -> tuple[list[Value], list[Value]]:
    """Those that are read at the entry, and at the return."""
    some = list(values)
    return [value for value in some if value.name not in late], [value for value in some if value.name in late]


def _late(signature: Signature) -> frozenset[str]:
    """The names of what is read at the return."""
    early = {value.name for value in (*signature.parameters, *signature.fields)}
    return frozenset(value.name for value in (*signature.results, *signature.result_fields)) - early


def _texts(values: Iterable[Value]) -> int:
    return sum(value.kind in TEXTS for value in values)


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
            elif value.kind in TEXTS and not texts:
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
