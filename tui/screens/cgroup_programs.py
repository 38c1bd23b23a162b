"""The rows of a cgroup's page: programs as they run, each followed by what it allows and denies. Knows no widget."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from rich.cells import cell_len

from tui.collectors.cgroup_samples import ANY, Cgroup, CgroupProgram, CgroupsSample, Rule, effective
from tui.collectors.program_words import holders
from tui.screens.cgroup_rows import short
from tui.widgets.columns import Column
from tui.widgets.pieces import Cell, Piece

MANNERS: Final = {
    "multi": "with others",
    "override": "gives way to one below",
    "exclusive": "exclusive",
}
_ROLES: Final = {"allow": "good", "deny": "warn"}
BOTH: Final = "what is both allowed and denied passes"


class PageRow(NamedTuple):
    """A program, or one of its rules."""

    program: CgroupProgram
    at: Cgroup  # where it is attached
    here: bool
    rule: Rule | None = None
    number: int = 0  # of the rule


def rows_of(sample: CgroupsSample, number: int) -> list[PageRow]:
    """The programs as they run, each followed by its rules; the same rules once, for the way in and the way out."""
    rows: list[PageRow] = []
    before: dict[int, CgroupProgram] = {}  # by cgroup, a program whose rules stand above
    for at, program in effective(sample, number):
        row = PageRow(program, at, at.id == number)
        rows.append(row)
        found = list(_rules(program))
        if found and at.id in before and before[at.id].rules.rules == program.rules.rules and program.rules.rules:
            found = [Rule("", f"as program {before[at.id].id} above")]
        elif program.rules.rules:
            before[at.id] = program
        rows += [row._replace(rule=rule, number=index) for index, rule in enumerate(found, 1)]
    return rows


def _rules(program: CgroupProgram) -> Iterator[Rule]:
    rules = program.rules
    yield from rules.rules
    if rules.cut:
        yield Rule("", "and more, which aren't read")
    if rules.unknown:
        yield Rule("", f"rules unknown: {rules.unknown}")
    if rules.otherwise and not any(rule.what == ANY for rule in rules.rules):
        yield Rule(rules.otherwise, "everything else" if rules.rules else "everything")


def row_key(row: PageRow) -> tuple[int, str, int, int]:
    """The row's key."""
    return row.at.id, row.program.hook, row.program.id, row.number


def words(row: PageRow) -> str:
    """By what a row can be found."""
    rule = row.rule or ()
    return "\n".join((*rule, short(row.program.hook), row.program.name, str(row.program.id), row.at.path))


def _hook(row: PageRow, _: int) -> Cell:
    if row.rule is None:
        return ((short(row.program.hook), "" if row.here else "dim"),)
    return ((f"  {row.rule.verdict}", _ROLES.get(row.rule.verdict, "dim")),)


def _what(row: PageRow, _: int) -> tuple[Piece, ...]:
    if row.rule:
        return (row.rule.what, "" if row.rule.verdict else "dim"), (f"  {row.rule.name}" * bool(row.rule.name), "dim")
    return (name_of(row.program), ""), ("  ours" * row.program.ours, "accent")


def held_by(row: PageRow) -> str:
    """What keeps the program there: processes, by its link."""
    program = row.program
    return holders(program.holders) or (f"link {program.link}" if program.link else "the cgroup")


def _where(row: PageRow) -> Cell:
    return "here" if row.here else ((row.at.path, "dim"),)


def name_of(program: CgroupProgram) -> str:
    """Its name, or that it has none."""
    return program.name or "(unnamed)"


def _of(shown: Callable[[PageRow], Cell]) -> Callable[[PageRow, int], Cell]:
    """A cell that only programs have."""
    return lambda row, _: shown(row) if row.rule is None else ""


COLUMNS: Final[tuple[Column[PageRow], ...]] = (
    Column("hook", "HOOK", 18, _hook, narrow=12),
    Column("what", "PROGRAM, RULES", 20, _what, flexible=True, middle=True),
    Column("id", "ID", 7, _of(lambda row: str(row.program.id)), right=True, priority=1),
    Column("type", "TYPE", 17, _of(lambda row: row.program.type), priority=4),
    Column("manner", "RUNS", 19, _of(lambda row: MANNERS[row.program.flags]), priority=3, narrow=11),
    Column("held", "HELD BY", 14, _of(held_by), priority=2, flexible=True, middle=True),
    Column("at", "ATTACHED TO", 12, _of(_where), flexible=True, middle=True),
)


def limits(rows: Iterable[PageRow]) -> dict[str, int]:
    """How many cells the flexible columns can use."""
    rows = list(rows)
    return {
        "what": max((sum(cell_len(piece) for piece, _ in _what(row, 0)) for row in rows), default=20),
        "held": max((cell_len(held_by(row)) for row in rows), default=14),
        "at": max((cell_len(row.at.path) for row in rows if not row.here), default=12),
    }


def spelt(row: PageRow) -> tuple[str, str]:
    """What the row says, and what is to be said about it."""
    program = row.program
    held = f"held by {held_by(row)}, link {program.link}" if program.holders else f"link {program.link}"
    held = held if program.link else "no link holds it: it stays until the cgroup ends"
    where = f"attached to {row.at.path}"
    if row.rule:
        firewall = BOTH if program.rules.counters or "ingress" in program.hook or "egress" in program.hook else ""
        said = " ".join(filter(None, row.rule))
        return said, " · ".join(filter(None, (f"{name_of(program)} {program.id}", where, firewall)))
    return f"{program.hook}  {name_of(program)} {program.id}", " · ".join((where, MANNERS[program.flags], held))
