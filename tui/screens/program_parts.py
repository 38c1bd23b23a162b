"""What a program's page says: its code, what belongs to it, and its figures as phrases. Pure: knows no widget."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from tui import text
from tui.collectors.program_samples import CodeLine, ProgramFigures, ProgramPage
from tui.collectors.program_words import UNCOUNTED, share
from tui.widgets.columns import Column
from tui.widgets.lines import Phrase
from tui.widgets.pieces import Cell


class CodeRow(NamedTuple):
    """A line of the listing."""

    number: int  # in the list
    line: CodeLine


def _slot(row: CodeRow, _: int) -> Cell:
    return "" if row.line.source else ((str(row.line.slot), "dim"),)


def _code(row: CodeRow, _: int) -> Cell:
    line = row.line
    if line.source:
        return ((line.text, "accent"), (f"  {line.place}" if line.place else "", "dim"))
    operation, blank, rest = line.text.partition(" ")
    if operation in ("call", "goto", "exit", "if"):
        return (("  ", ""), (operation, "strong"), (blank + rest, ""))
    return (("  ", ""), (line.text, ""))


CODE: Final[tuple[Column[CodeRow], ...]] = (
    Column("slot", "#", 5, _slot, right=True),
    Column("code", "INSTRUCTIONS", 20, _code, flexible=True),
)


MACHINE: Final = (CODE[0]._replace(title="BYTE"), CODE[1]._replace(title="MACHINE CODE"))


class PartRow(NamedTuple):
    """A map, a place, a process or a name."""

    kind: str  # "map", "attached", "held by", "pinned"
    number: int  # of the map, the link or the process; 0: none
    what: str
    detail: str = ""
    more: str = ""  # for which there is no room in a list
    where: str = ""  # it is attached


PARTS: Final[tuple[Column[PartRow], ...]] = (
    Column("kind", "", 8, lambda row, _: ((row.kind, "dim"),)),
    Column("number", "ID", 7, lambda row, _: str(row.number or ""), right=True),
    Column("what", "BELONGS TO IT", 15, lambda row, _: row.what, flexible=True, middle=True),
    Column("detail", "", 10, lambda row, _: ((row.detail, "dim"),), flexible=True, priority=1),
)


def parts(one: ProgramFigures | None, page: ProgramPage | None) -> Iterator[PartRow]:
    """All that belongs to the program, as far as it is known already."""
    for each in page.maps if page else ():
        sizes = f"key {each.key_size} B, value {each.value_size} B, {each.entries:,} at most"
        yield PartRow("map", each.id, each.name or "(unnamed)", f"{each.type}, {text.size(each.memory)}", sizes)
    if one is not None:
        for place in one.attached:
            link = f"link {place.link}" if place.link else ""
            what = f"{place.hook} {place.where}".rstrip()
            yield PartRow("attached", place.link, what, place.detail, link, place.where)
        for holder, unit in zip(one.holders, one.units, strict=True):
            yield PartRow("held by", holder.pid, holder.name, unit, f"file descriptor {holder.fd}")
        for path in one.pins:
            yield PartRow("pinned", 0, path)


def state(one: ProgramFigures) -> list[Phrase]:
    """What it does now."""
    counted = one.per_second is not None and not (one.uncounted and not one.runs)
    said: list[Phrase] = []
    if counted and one.per_second is not None:
        said.append((f"{text.rate(one.per_second)} events/s", "strong"))
    if one.period_average is not None:
        said.append((f"{text.duration(one.period_average)} now", ""))
    if one.total_average is not None:
        said.append((f"{text.duration(one.total_average)} in all", ""))
    if counted and one.cpu_percent is not None:
        said.append((f"{share(one.cpu_percent)} % of one CPU", ""))
    said.append((text.plural(one.runs, "run"), ""))
    if one.misses:
        said.append((f"{one.misses:,} missed", "warn"))
    return [*said, (UNCOUNTED.get(one.uncounted, ""), "warn")]


def about(one: ProgramFigures) -> str:
    """What doesn't change."""
    sizes = f"{text.size(one.translated)} translated, {text.size(one.jited)} machine code"
    maps = f"maps {text.size(one.maps_memory)}" if one.maps else ""
    parts = (f"tag {one.tag}", sizes, f"{one.verified:,} instructions verified", maps)
    return " · ".join(filter(None, parts))
