"""What a function was called with: how often each value, or each combination, was there. Pure: knows no widget.

Histograms are by powers of two of either sign: a bar reaches from its number up to the next bar's.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len

from tui import text
from tui.collectors.samples import Address, Read, ValuesSample
from tui.screens.reads import UNREADABLE, spelt
from tui.widgets.columns import Column
from tui.widgets.pieces import Cell, length

LONG = 64  # cells of a value, beyond which the others are worth more
_LONGEST = 1 << 32  # a bar's label, written out
_ROUND, _HUGE = 10_000, 1e15  # means that are written out, without decimal places
WIDE = 32  # cells of the longest bar


class ValueRow(NamedTuple):
    """Calls that had the same values in the places that are looked at."""

    spelt: tuple[str, ...]  # tells rows apart: no two kinds of values look alike
    values: tuple[Read, ...]
    calls: int
    share: float  # of the calls whose values are known, 0–1


def rows(sample: ValuesSample, places: Sequence[int]) -> list[ValueRow]:
    """How often the values in these places (0 is the first) were there together."""
    calls: dict[tuple[str, ...], int] = {}
    values: dict[tuple[str, ...], tuple[Read, ...]] = {}
    for row in sample.rows:
        looked = tuple(row.values[place] for place in places)
        key = tuple(map(spelt, looked))
        calls[key] = calls.get(key, 0) + row.calls
        values[key] = looked
    total = sum(calls.values()) or 1
    return [ValueRow(key, values[key], number, number / total) for key, number in calls.items()]


def is_number(value: Read) -> bool:
    """Whether it can be counted with: true and false can't."""
    return isinstance(value, int | float) and not isinstance(value, bool | Address) and math.isfinite(value)


def numbers(found: Iterable[ValueRow]) -> list[tuple[float, int]]:
    """The numbers among single values, with their calls."""
    return [(row.values[0], row.calls) for row in found if is_number(row.values[0])]  # type: ignore[misc]


def spread(found: Sequence[tuple[float, int]]) -> str:
    """Numbers in a few words: 1 to 93, mean 47.3."""
    if not found:
        return ""
    mean = math.fsum(value * calls for value, calls in found) / sum(calls for _, calls in found)
    least, most = min(found)[0], max(found)[0]
    return f"{_figure(least)} to {_figure(most)}, mean {_figure(mean)}"


def bars(found: Sequence[tuple[float, int]]) -> list[tuple[int, int, int]]:
    """Calls by powers of two: from, up to but without, calls; from the first that has something to the last."""
    calls: dict[int, int] = {}
    for value, number in found:
        at = _power(math.floor(value))
        calls[at] = calls.get(at, 0) + number
    return [(_low(at), _low(at + 1), calls.get(at, 0)) for at in range(min(calls), max(calls) + 1)] if calls else []


def _power(number: int) -> int:
    """Which bar: 0 has nought, 1 has 1, 2 has 2 and 3, 3 has 4 to 7; -1 has -1, -2 has -2, -3 has -4 and -3."""
    return number.bit_length() if number >= 0 else -1 - (-number - 1).bit_length()


def _low(at: int) -> int:
    """The smallest number of a bar."""
    return 1 << (at - 1) if at > 0 else -(1 << (-at - 1)) if at else 0


def power(number: int) -> str:
    """A power of two, or nought, exactly, in at most 14 cells: -512, 65,536; beyond that, by its exponent: 2^40."""
    if abs(number) >= _LONGEST:
        return f"{'-' if number < 0 else ''}2^{abs(number).bit_length() - 1}"
    return f"{number:,}"


def _figure(value: float) -> str:
    """A number with separators; where that has too many digits, in the short form of floating-point numbers."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if _ROUND <= abs(value) < _HUGE else f"{value:.4g}"


def words(row: ValueRow, names: Sequence[str]) -> str:
    """By what a row can be found, and what it says: one n=3 per line."""
    return "\n".join(f"{name}={value}" for name, value in zip(names, row.spelt, strict=True))


# Columns

FIGURES: tuple[Column[ValueRow], ...] = (
    Column(
        "calls",
        "CALLS",
        14,
        lambda row, _: text.count(row.calls),
        lambda row: row.calls,
        descending=True,
        right=True,
        narrow=10,
    ),
    Column("share", "SHARE", 8, lambda row, _: f"{100 * row.share:.1f} %", right=True, narrow=7, priority=2),
    Column("bar", "", 8, lambda row, width: ((text.bar(row.share, min(width, WIDE)), "graph"),), filler=True),
)


def widths(names: Sequence[str], found: Sequence[ValueRow]) -> tuple[int, ...]:
    """Cells of those values that are all numbers, which are never cut; 0 for the others."""
    return tuple(
        0
        if any(isinstance(row.values[at], str | bool) for row in found)
        else max([cell_len(name) + 2, *(len(row.spelt[at]) for row in found)])
        for at, name in enumerate(names)
    )


def columns(names: Sequence[str], cells: Sequence[int]) -> tuple[Column[ValueRow], ...]:
    """A column for each of the values, numbers on the right in so many cells, and the figures."""
    return (*(_value(at, name, cells[at]) for at, name in enumerate(names)), *FIGURES)


def limits(cells: Sequence[int], found: Sequence[ValueRow]) -> dict[str, int]:
    """How many cells the other values can use."""
    return {
        f"value{at}": min(LONG, max((length([(row.spelt[at], "")]) for row in found), default=0))
        for at, number in enumerate(cells)
        if not number
    }


def _value(at: int, name: str, number: int) -> Column[ValueRow]:
    return Column(
        f"value{at}",
        name,
        number or 8,
        lambda row, _: _cell(row.spelt[at]),
        lambda row: _order(row.values[at]),
        right=number > 0,
        middle=True,
        flexible=not number,
        priority=1,
    )


def _cell(shown: str) -> Cell:
    return ((shown, "dim"),) if shown == UNREADABLE else shown


def _order(value: Read) -> tuple[int, float, str]:
    """Kinds one after the other, each in its own order."""
    if isinstance(value, str):
        return 2, 0, value
    if value is None:
        return 0, 0, ""
    return 1, -math.inf if math.isnan(value) else value, ""
