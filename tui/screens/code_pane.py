"""The code of the function under the cursor, below the functions: its instructions, and where its probe goes.

It reads when the cursor rests, one function at a time, in a thread; what was wanted meanwhile and isn't any more is
passed over.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.cells import cell_len
from textual.message import Message

from tui import text
from tui.collectors.sources import Sources
from tui.elf.names import Function, Module
from tui.errors import BpfscopeError
from tui.screens.target import sentence
from tui.widgets.actions import Action
from tui.widgets.columns import Column, Sort
from tui.widgets.pieces import Cell, Piece, cut_middle, cut_start, length, pieces_of
from tui.widgets.table import Table

if TYPE_CHECKING:  # the code is loaded when it is looked at
    from textual.timer import Timer

    from tui.collectors.code import Listing, Row
    from tui.elf.lines import Line

REST: Final = 0.1  # seconds that the cursor rests on a function before its code is read
JUMPED_TO: Final = ("▸", "a jump of the same function leads to this instruction")
ACTIONS: Final = (
    Action("d", "d", "disassembly", "code", "Show or hide the instructions of the function under the cursor", 4),
    Action("right_square_bracket", "[ ]", "page of code", "code_page(1)", "Move the instructions by a page", 10),
    Action("left_square_bracket", "[", "page back", "code_page(-1)", "Move them back", 10, listed=False),
)


class CodeRow(NamedTuple):
    """An instruction, with what is said beside it."""

    row: "Row"
    probe: str  # that a probe goes here, and what it is like, or why none can
    file: str  # where a line of the sources begins: its file and number


class Wanted(NamedTuple):
    """A function whose line is to be known, and its code if the pane is open."""

    pid: int
    modules: tuple[Module, ...]
    function: Function
    among: tuple[Function, ...]
    listed: bool = False

    @property
    def module(self) -> Module:
        """The function's."""
        return next(module for module in self.modules if module.name == self.function.module)


def _instruction(row: CodeRow, _: int) -> Cell:
    code = row.row
    pieces: list[Piece] = [(f"{code.mnemonic:<7} ", "strong" if row.probe else ""), (code.operands, "")]
    within = "" if code.leads is None else f"+{code.leads} {'↓' if code.leads > code.offset else '↑'}"
    if target := within or code.elsewhere:
        pieces.append((f"{', ' if code.operands else ''}{target}", "accent"))
    if row.probe:
        pieces.append((f"  {row.probe}", "good"))
    return tuple(pieces)


def _source(row: CodeRow, width: int) -> Cell:
    """The file's name gives way to the line's number."""
    name, colon, line = row.file.rpartition(":")
    if cell_len(row.file) > width > len(line) + 2 and colon:
        return ((f"{cut_middle(name, width - len(line) - 1)}:{line}", "dim"),)
    return ((row.file, "dim"), (f"  {row.row.text}" if row.row.text else "", ""))


COLUMNS: tuple[Column[CodeRow], ...] = (
    Column(
        "address",
        "ADDRESS",
        12,
        lambda row, width: ((cut_start(f"{row.row.address:x}", width), "dim"),),
        right=True,
        priority=2,
        narrow=9,
    ),
    Column("offset", "OFFSET", 7, lambda row, _: f"+{row.row.offset}", right=True),
    Column("instruction", "INSTRUCTION", 30, _instruction, flexible=True),
    Column("source", "SOURCE", 20, _source, priority=1, narrow=12, flexible=True),
)


class CodePane(Table[CodeRow]):
    """Closed until it is asked for; knows each function's line anyway."""

    class Located(Message):
        """A function's line is known."""

    def __init__(self, sources: Sources) -> None:
        super().__init__(
            COLUMNS,
            lambda row: row.row.offset,
            Sort("", False),
            mark=lambda row: JUMPED_TO[0] if row.row.reached else "",
            arrange=lambda rows, _: rows,
            id="code",
        )
        self.can_focus = False
        self.display = False
        self._sources = sources
        self._wanted: Wanted | None = None
        self._done: Wanted | None = None
        self._rest: Timer | None = None
        self._reading = False
        self._located: tuple[Function, Line | None] | None = None

    # What is looked at

    def follow(self, wanted: Wanted | None) -> None:
        """The cursor is on this function now, or on none."""
        wanted = wanted and wanted._replace(listed=self.display)
        if wanted == self._wanted:
            return
        self._wanted = wanted
        self.empty = f"reading the code of {wanted.function.name} …" if wanted else ""
        if wanted is None:
            self.show((), anew=True)
        if self._rest:
            self._rest.stop()
        self._rest = self.set_timer(REST, self._begin)

    def toggle(self) -> None:
        """Open or close."""
        self.display = not self.display
        self.show((), anew=True)
        self.follow(self._wanted)

    def turn(self, pages: int) -> None:
        """Show the next page, or the one before; a line of it stays."""
        step = max(1, self._page - 1)
        top = round(self.scroll_y)
        self.move_to(top + 2 * step if pages > 0 else top - step)

    def source(self, function: Function) -> str:
        """The function's file and line, if they are known by now."""
        if self._located and self._located[0] == function and (line := self._located[1]):
            return f"{line.file}:{line.line}"
        return ""

    def _begin(self) -> None:
        if not self._reading:
            self._reading = True
            self.run_worker(self._read())

    async def _read(self) -> None:
        """Read what is wanted, until that is what was read last."""
        try:
            while (wanted := self._wanted) and wanted != self._done:
                await self._read_one(wanted)
                self._done = wanted
        finally:
            self._reading = False

    async def _read_one(self, wanted: Wanted) -> None:
        try:
            line = await self._sources.line(wanted.module, wanted.function)
            if wanted == self._wanted:
                self._located = wanted.function, line
                self.post_message(self.Located())
            if wanted.listed:
                listing = await self._sources.code(wanted.pid, wanted.modules, wanted.function, wanted.among)
                if wanted == self._wanted:
                    self._show(listing)
        except BpfscopeError as error:
            if wanted == self._wanted:
                self.empty = sentence(error)
                self.show((), anew=True)

    def _show(self, listing: "Listing") -> None:
        self.empty = f"{listing.function.name} has no code in its file"
        self.show((), anew=True)  # another function's rows aren't the same because they have the same offset
        found = tuple(rows(listing))
        self.limit("instruction", max((length(pieces_of(_instruction(row, 0))) for row in found), default=0))
        self.show(found, anew=True)
        self.move_to(next((at for at, row in enumerate(self.rows) if row.row.offset == listing.site), 0))


def rows(listing: "Listing") -> Iterator[CodeRow]:
    """The listing's rows, with what is said of the probe."""
    before = ""
    for row in listing.rows:
        source = f"{row.source.file.rpartition('/')[2]}:{row.source.line}" if row.source else ""
        last = listing.cut and row is listing.rows[-1]
        yield CodeRow(row, _probe(listing, row.offset), "… and more" if last else source if source != before else "")
        before = source


def _probe(listing: "Listing", offset: int) -> str:
    """What is to be said of the probe at an instruction."""
    if offset == 0 and listing.refused:
        return f"– can't be probed: {listing.refused}"
    if offset != listing.site:
        return ""
    how = "emulated" if listing.emulated else "single-stepped"
    note = f"; {listing.note}" if listing.note else ""
    return f"← probe ({how}, {text.duration(listing.cost)}{note})"
