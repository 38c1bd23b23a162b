"""A source of the user's own as a table: its lines, and under each what is wrong with it. Pure: knows no widget."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from tui.text import sanitise
from tui.widgets.columns import Column
from tui.widgets.pieces import Cell, wrap


class SourceLine(NamedTuple):
    """A line of a source, and what is wrong in it."""

    number: int
    text: str
    problem: str = ""
    error: bool = False


def _number(row: SourceLine, _: int) -> Cell:
    return ((str(row.number) if row.number else "", "bad" if row.error else "dim"),)


def _text(row: SourceLine, _: int) -> Cell:
    if not row.number:
        return ((row.text, "bad" if row.error else "warn"),)
    return ((row.text, "strong" if row.problem else ""),)


SOURCE_COLUMNS: Final[tuple[Column[SourceLine], ...]] = (
    Column("line", "LINE", 4, _number, right=True),
    Column("source", "SOURCE", 20, _text, flexible=True),
)


def source_lines(source: str, problems: Sequence[tuple[int, int, str, bool]], width: int) -> Iterator[SourceLine]:
    """The source's lines; under each that something is wrong with, a mark where it is, and what. Tabs are 4 cells.

    `problems`: line, column (0: the whole line), what, whether it is an error.
    """
    by_line: dict[int, list[tuple[int, str, bool]]] = {}
    for line, column, said, error in problems:
        by_line.setdefault(line, []).append((column, said, error))
    for number, written in enumerate(source.removesuffix("\n").split("\n"), 1):
        here = by_line.get(number, [])
        error = any(bad for *_, bad in here)
        shown = sanitise(written.expandtabs(4))
        yield SourceLine(number, shown, here[0][1] if here else "", error)
        for column, said, bad in here:
            at = len(written[: column - 1].expandtabs(4)) if column else len(shown) - len(shown.lstrip())
            mark = "^" if column else "^" * max(1, len(shown.strip()))
            for part in _wrapped(f"{mark} {said}" if column else said, at, width, None if column else mark):
                yield SourceLine(0, part, said, bad)


def _wrapped(said: str, at: int, width: int, underline: str | None) -> Iterator[str]:
    if underline is not None:
        yield f"{' ' * at}{underline[: max(1, width - at)]}"
    at = min(at, max(0, width - 30))
    yield from (f"{' ' * at}{part}" for part in wrap(said, max(20, width - at)))
