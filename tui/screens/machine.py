"""The classic machine on one packet, step by step: A, X, M[], the bytes that are loaded, and why it ended."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import ClassVar, Final, NamedTuple

from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from tui.collectors.filters import ClassicLine, Filter
from tui.collectors.samples import PacketRecord
from tui.collectors.stepping import Step, Stepped, stepped
from tui.screens.base import CUT, ConsoleScreen
from tui.screens.modes import SWITCHING
from tui.widgets.actions import Action
from tui.widgets.bytes import Bytes
from tui.widgets.columns import Column, Sort
from tui.widgets.lines import Detail, Line, Phrase
from tui.widgets.pieces import Cell, Piece
from tui.widgets.table import Table

SLIM: Final = 116


class MachineRow(NamedTuple):
    """An instruction, and whether it was reached until now."""

    number: int
    line: ClassicLine
    reached: bool
    went: str  # of a condition that was passed: "yes" or "no"


def _classic(row: MachineRow, _: int) -> Cell:
    line = row.line
    jumps = f" jt {line.jumps[0]:<3} jf {line.jumps[1]}" if line.jumps else ""
    role = "" if row.reached else "dim"
    operand = f"{line.operand:<12}" if line.jumps else line.operand
    return ((f"{line.operation:<5}", "strong" if row.reached else "dim"), (operand, role), (jumps, "dim"))


COLUMNS: Final[tuple[Column[MachineRow], ...]] = (
    Column("number", "#", 3, lambda row, _: ((f"{row.number:03}", "dim"),), right=True),
    Column("went", "WENT", 4, lambda row, _: ((row.went, "good" if row.went == "yes" else "warn"),)),
    Column("classic", "CLASSIC", 28, _classic, flexible=True),
)


class MachineScreen(ConsoleScreen):
    """One packet and the filters that ran; forwards and back."""

    CSS_PATH = "machine.tcss"
    NAME = "Machine"
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (SLIM, "-wide")]
    ALWAYS = (*SWITCHING, *(action for action in ConsoleScreen.ALWAYS if action.keys or action.name))
    ACTIONS = (
        Action(
            "down,j,right,space,enter", "↓", "step", "step(1)", "One instruction forwards; space, enter, → and j too", 0
        ),
        Action("up,k,left,backspace", "↑", "back", "step(-1)", "One instruction back; ← and k too", 0),
        Action("end,r", "end", "run", "run", "Run to the end; r too", 1),
        Action("home", "home", "restart", "restart", "Begin anew", 2),
        Action("tab", "tab", "filter", "filter_next", "Run the packet through the next filter", 3),
        Action("l", "l", "libpcap", "dialect", "Run as libpcap reads a file, or as Linux filters", 4),
        Action("escape", "esc", "leave", "back", "Back to the packet", 0),
    )
    SIGNS: ClassVar[tuple[tuple[str, str], ...]] = (
        ("▶", "the instruction that runs next"),
        ("●", "it has run"),
        ("yes no", "the condition held, or didn't"),
        CUT,
    )

    def __init__(self, record: PacketRecord, filters: Sequence[Filter]) -> None:
        super().__init__()
        self.record, self.filters = record, tuple(filters)
        names = [one.interface.name for one in self.filters]
        self.which = names.index(record.interface) if record.interface in names else 0
        self.as_libpcap = False
        self.at = 0
        self.stepped = self._run()

    def _run(self) -> Stepped:
        chosen = self.filters[self.which]
        return stepped(chosen.program, self.record, chosen.interface, as_libpcap=self.as_libpcap)

    @property
    def filter(self) -> Filter:
        """What it runs through."""
        return self.filters[self.which]

    @property
    def step(self) -> Step:
        """Where it is."""
        return self.stepped.steps[self.at]

    def content(self) -> Iterable[Widget]:
        """The listing, the registers, the bytes."""
        table: Table[MachineRow] = Table(
            COLUMNS,
            lambda row: row.number,
            Sort("", False),
            mark=lambda row: "▶" if row.number == self.step.pc else "●" if row.reached else "",
            shade=lambda row: "accent" if row.number == self.step.pc else "",
            arrange=lambda rows, _: rows,
        )
        table.can_focus = False
        with Horizontal(id="views"):
            yield table
            with Vertical(id="right"):
                yield Line(id="registers")
                yield Line(id="memory")
                yield Line(id="loads")
                yield Bytes()

    def begin(self) -> None:
        """At the first instruction."""
        self._show()

    # Painting

    def _show(self) -> None:
        step, steps = self.step, self.stepped.steps
        table: Table[MachineRow] = self.query_one(Table)
        went: dict[int, str] = {}
        for one, after in pairwise(steps[: self.at + 1]):
            jumps = self.filter.lines[one.pc].jumps
            went[one.pc] = "" if jumps is None or after.result is not None else "yes" if after.pc == jumps[0] else "no"
        rows = [
            MachineRow(index, line, index in went, went.get(index, "")) for index, line in enumerate(self.filter.lines)
        ]
        table.show(rows)
        table.move_to(step.pc)
        table.repaint()
        before = steps[self.at - 1] if self.at else step
        registers = [_register("A", step.a, before.a), _register("X", step.x, before.x)]
        self.query_one("#registers", Line).show(registers)
        memory = [
            _register(f"M[{at}]", word, before.memory[at])
            for at, word in enumerate(step.memory)
            if word or before.memory[at]
        ]
        self.query_one("#memory", Line).show(memory or [("M[0] to M[15]: 0", "dim")])
        self.query_one("#loads", Line).show([self._loading(step)])
        self.query_one(Bytes).show(self.record.data, step.loads or (0, 0))
        line = self.filter.lines[step.pc]
        said = self.stepped.verdict if step.result is not None else line.words
        self.query_one(Detail).show(f"{line.text} — {said}" if step.result is None else said, self.stepped.note)
        self.show_state()

    def _loading(self, step: Step) -> Piece:
        if step.result is not None:
            return (f"{step.why}: {step.result:,}", "good" if step.result else "warn")
        if step.loads is None:
            return ("loads nothing of the packet", "dim")
        offset, size = step.loads
        taken = self.record.data[offset : offset + size]
        cut = "" if len(taken) == size else ", beyond the packet's end"
        return (f"loads 0x{taken.hex()} at {offset}{cut}", "accent")

    def show_state(self) -> None:
        """The lines around it."""
        chosen, steps = self.filter, self.stepped
        name = chosen.expression or "everything"
        left: list[Phrase] = [((f"Network ▸ {chosen.interface.name} ▸ ", "dim"), ("machine", "title")), (name, "")]
        number = len(steps.steps) - 1
        place: Phrase = (f"{self.at} of {number} done", "strong")
        state: list[Phrase] = [place]
        if self.step.result is not None:
            state = [(steps.verdict, "good" if steps.matched else "warn")]
        else:
            state.append((self.filter.lines[self.step.pc].words, ""))
        self.put_lines((left, [("libpcap" if self.as_libpcap else "Linux", "dim")]), state)

    def can(self, name: str) -> bool:
        """What does something now."""
        last = len(self.stepped.steps) - 1
        if name in ("step(1)", "run"):
            return self.at < last
        if name in ("step(-1)", "restart"):
            return self.at > 0
        return len(self.filters) > 1 if name == "filter_next" else True

    # Keys

    def action_step(self, steps: int) -> None:
        """Forwards, or back."""
        self._to(self.at + steps)

    def action_run(self) -> None:
        """To the end."""
        self._to(len(self.stepped.steps) - 1)

    def action_restart(self) -> None:
        """To the beginning."""
        self._to(0)

    def _to(self, at: int) -> None:
        self.at = max(0, min(at, len(self.stepped.steps) - 1))
        self._show()

    def action_filter_next(self) -> None:
        """The next filter."""
        self.which = (self.which + 1) % len(self.filters)
        self._anew()

    def action_dialect(self) -> None:
        """As libpcap, or as Linux."""
        self.as_libpcap = not self.as_libpcap
        self._anew()

    def _anew(self) -> None:
        self.stepped, self.at = self._run(), 0
        self._show()

    def action_back(self) -> None:
        """Back to the packet."""
        self.app.pop_screen()


def _register(name: str, value: int, before: int) -> tuple[Piece, ...]:
    """A register; one that has just changed stands out."""
    role = "found" if value != before else "strong"
    return ((f"{name} ", "dim"), (f"{value:#x}", role), (f" ({value:,})", "dim"))
