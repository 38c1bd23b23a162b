"""The columns of the filter screen's tables: filters, groups, instructions. Pure: knows no widget."""

from collections.abc import Sequence
from itertools import takewhile
from operator import attrgetter
from typing import Final, NamedTuple

from rich.cells import cell_len

from tui import text
from tui.collectors.filters import ClassicLine, Filter, TranslatedLine
from tui.screens.filter_rows import TITLES, FilterRow, TalkerRow
from tui.widgets import order
from tui.widgets.columns import Column, Sort
from tui.widgets.history import STEPS
from tui.widgets.pieces import Cell, cut_end, cut_middle

WAYS: Final = {"in": "in", "out": "out", "both": "in and out"}


def _number(key: str, title: str, width: int, *, priority: int = 0, narrow: int = 0) -> Column[FilterRow]:
    """A total of a filter."""
    return Column(
        key,
        title,
        width,
        lambda row, room: _whole(getattr(row.figures, key), room),
        lambda row: getattr(row.figures, key),
        descending=True,
        right=True,
        priority=priority,
        narrow=narrow,
    )


def _whole(number: int, room: int) -> str:
    """The number as it is; rounded where there is no room for that."""
    shown = text.count(number)
    return shown if len(shown) <= room else text.rate(number)


def with_differences(rows: Sequence[FilterRow]) -> list[FilterRow]:
    """The rows, with where the expression of each differs from all others."""
    expressions = {row.figures.filter for row in rows}
    return [
        row._replace(
            differs=max((_same(row.figures.filter, other) for other in expressions - {row.figures.filter}), default=0)
        )
        for row in rows
    ]


def _same(one: str, other: str) -> int:
    """With how many letters both begin."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def differing(expression: str, differs: int, width: int) -> str:
    """The expression in at most `width` cells, with the word that tells it from others; both ends where none does."""
    if cell_len(expression) <= width or width < 9:
        return cut_end(expression, width)
    if not differs:
        return cut_middle(expression, width)
    word = expression.rfind(" ", 0, differs) + 1
    end = expression.find(" ", differs)
    end = len(expression) if end < 0 else end
    if end < width:
        return cut_end(expression, width)
    begin = word if end - word < width - 1 else differs - 2  # a word that is too long for that: from the letter on
    begin = max(0, min(begin, len(expression) - (width - 1)))
    return cut_end(f"…{expression[begin:]}", width)


def _lost(row: FilterRow, _: int) -> Cell:
    lost = row.figures.lost
    return ((text.count(lost), "bad" if lost else "dim"),)


def _rate(row: FilterRow) -> Cell:
    return (("gone", "warn"),) if row.figures.gone else text.rate(row.per_second)


FILTERS: Final[tuple[Column[FilterRow], ...]] = (
    Column("interface", "INTERFACE", 9, lambda row, _: row.figures.interface, flexible=True, middle=True),
    Column("hook", "HOOK", 11, lambda row, _: row.figures.hook, priority=1),
    Column("direction", "WAY", 10, lambda row, _: WAYS.get(row.figures.direction, ""), priority=6),
    Column(
        "filter",
        "FILTER",
        24,
        lambda row, width: differing(row.figures.filter, row.differs, width) or (("everything", "dim"),),
        flexible=True,
    ),
    _number("seen", "SEEN", 13, narrow=11),
    _number("matched", "MATCHED", 13, narrow=11),
    Column("share", "SHARE", 7, lambda row, _: f"{100 * row.share:.1f} %", right=True, priority=5),
    Column("rate", "/S", 7, lambda row, _: _rate(row), right=True, priority=1),
    Column(
        "history",
        "60 s",
        STEPS // 2,
        lambda row, width: ((text.sparkline(row.history.last(row.number, width), width), "graph"),),
        priority=3,
    ),
    Column("bytes", "BYTES", 8, lambda row, _: text.size(row.figures.bytes_matched), right=True, priority=4),
    _number("segments", "SEGMENTS", 12, priority=7),
    Column("lost", "LOST", 6, _lost, right=True, priority=2),
)


def talker_columns(by: str) -> tuple[Column[TalkerRow], ...]:
    """The groups."""
    return (
        Column(
            "name",
            TITLES[by],
            36 if by == "flow" else 18,
            lambda row, _: ((row.name, "dim"),) if row.last else row.name,
            lambda row: (str(type(row.key)), row.name),
            flexible=True,
            middle=True,
        ),
        Column(
            "packets",
            "PACKETS",
            12,
            lambda row, _: text.count(row.packets),
            attrgetter("packets"),
            descending=True,
            right=True,
            narrow=10,
        ),
        Column("bytes", "BYTES", 8, lambda row, _: text.size(row.bytes), attrgetter("bytes"), True, True, priority=2),
        Column(
            "rate",
            "/S",
            7,
            lambda row, _: text.rate(row.per_second),
            attrgetter("per_second"),
            True,
            True,
            priority=4,
        ),
        Column(
            "history",
            "60 s",
            STEPS // 2,
            lambda row, width: ((text.sparkline(row.history.last(row.key, width), width), "graph"),),
            priority=3,
        ),
        Column("share", "SHARE", 7, lambda row, _: f"{100 * row.share:.1f} %", right=True, priority=1),
        Column("bar", "", 6, lambda row, width: ((text.bar(row.share, width), "graph"),), filler=True),
    )


def arrange(by: str, rows: Sequence[TalkerRow], sort: Sort) -> Sequence[TalkerRow]:
    """Sorted, but those without a group and the others behind all the rest."""
    return sorted(order.by_column(rows, talker_columns(by), sort), key=attrgetter("last"))


class ListingRow(NamedTuple):
    """A line of the listing: a classic instruction, an eBPF one, or both beside each other."""

    number: int  # of the classic instruction
    part: int  # of its lines, from 0
    classic: ClassicLine | None  # on the first of its lines
    extended: TranslatedLine | None
    hits: int | None  # None where they aren't counted
    share: float  # of what was seen, 0–1


listing_key = attrgetter("number", "part")


def listing_rows(shown: Filter, hits: Sequence[int], seen: int, *, classic: bool, extended: bool) -> list[ListingRow]:
    """The program, with as many lines for an instruction as it needs."""
    parts: dict[int | None, list[TranslatedLine]] = {}
    for translated in shown.translation if extended else ():
        parts.setdefault(translated.instruction, []).append(translated)
    counts: Sequence[int | None] = hits if len(hits) == len(shown.lines) else [None] * len(shown.lines)
    rows = []
    for number, (line, count) in enumerate(zip(shown.lines, counts, strict=True)):
        there = parts.get(number, [])
        share = min(1.0, count / seen) if count and seen else 0.0
        if classic or there:
            rows.append(ListingRow(number, 0, line, there[0] if there else None, count, share))
        rows += [ListingRow(number, part, None, there[part], None, 0.0) for part in range(1, len(there))]
    return rows


def _jumps(line: ClassicLine) -> str:
    return f"jt {line.jumps[0]:<3} jf {line.jumps[1]}" if line.jumps else ""


def _classic(row: ListingRow, _: int) -> Cell:
    if row.classic is None:
        return ""
    line = row.classic
    operand = f"{line.operand:<12} " if line.jumps else line.operand
    return ((f"{line.operation:<5}", "strong"), (f"{operand}", ""), (_jumps(line), "dim"))


def _hits(row: ListingRow, width: int) -> Cell:
    if row.hits is None:
        return ""
    return ((_whole(row.hits, width), "" if row.hits else "dim"),)


def _part(row: ListingRow, width: int) -> Cell:
    if row.hits is None:
        return ""
    return ((text.bar(row.share, width), "graph"),)


def _percent(row: ListingRow, _: int) -> Cell:
    return "" if row.hits is None else ((f"{100 * row.share:.0f} %", "" if row.hits else "dim"),)


def _extended(row: ListingRow, _: int) -> Cell:
    return "" if row.extended is None else ((f"{row.extended.slot:>4} ", "faint"), (row.extended.text, ""))


NUMBER: Final[Column[ListingRow]] = Column(
    "number", "#", 3, lambda row, _: ((f"{row.number:03}" if row.part == 0 else "", "dim"),), right=True
)
CLASSIC: Final[Column[ListingRow]] = Column("classic", "CLASSIC", 32, _classic, narrow=30, priority=1)
HITS: Final[Column[ListingRow]] = Column("hits", "HITS", 13, _hits, right=True, priority=2, narrow=11)
PERCENT: Final[Column[ListingRow]] = Column("percent", "SHARE", 5, _percent, right=True, priority=3)
BAR: Final[Column[ListingRow]] = Column("bar", "", 8, _part, priority=4)
EXTENDED: Final[Column[ListingRow]] = Column("extended", "eBPF", 26, _extended, flexible=True)
WORDS: Final[Column[ListingRow]] = Column(
    "words", "WHAT IT DOES", 40, lambda row, _: row.classic.words if row.classic else "", flexible=True
)


def listing_columns(*, classic: bool, extended: bool, words: bool) -> tuple[Column[ListingRow], ...]:
    """What is shown of the program."""
    if words:
        return (NUMBER, CLASSIC, HITS, PERCENT, WORDS)
    columns = (NUMBER, *((CLASSIC,) if classic else ()), *((EXTENDED,) if extended and not classic else ()))
    return (*columns, HITS, PERCENT, BAR, *((EXTENDED,) if extended and classic else ()))
