"""What BPF is attached where, live: one list of all places; enter shows the program there, or the classic filter."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence

from textual.widget import Widget

from tui.collectors.attachment_samples import KINDS, AttachmentsSample
from tui.screens.above import BACK, AboveScreen
from tui.screens.attachment_rows import (
    COLUMNS,
    GONE,
    NAMES,
    NEW,
    OURS,
    AttachmentRow,
    Changes,
    key_of,
    limits,
    plain,
    spelt,
    words,
)
from tui.screens.base import CURSOR, CUT, FASTER, REVERSE, SLOWER, SORT, SORTED, counted, filter_by
from tui.screens.top import PAUSE
from tui.widgets.actions import Action
from tui.widgets.columns import Sort
from tui.widgets.filter import Haystack
from tui.widgets.lines import Detail, Phrase
from tui.widgets.table import Table

READING = "reading what is attached …"
NOTHING = "nothing is attached: what anybody attaches appears here"
MANY = 2_000  # rows, which take some 10 ms
OPEN = Action("enter", "enter", "program", "open", "Go to the program, or to the classic filter's instructions", 0)
KIND = Action("g", "g", "places", "kind", "Only places of one kind: interfaces, cgroups, functions, …; then all", 2)
KIND_BACK = Action("G", "G", "places", "kind_back", "The kind of places before", 10, listed=False)


class AttachmentsScreen(AboveScreen[AttachmentsSample]):
    """The list."""

    CSS_PATH = "attachments.tcss"
    NAME = "Attachments"
    ACTIONS = (
        OPEN,
        filter_by("what has this in hook, place, program, type, details or holders; ours are found by ours", 1),
        KIND,
        KIND_BACK,
        SORT._replace(rank=3),
        REVERSE,
        PAUSE,
        FASTER,
        SLOWER,
        BACK._replace(help="Clear the filter; show all kinds again; then go back"),
    )
    SIGNS = (
        CURSOR,
        (OURS, "held by this console"),
        (f"{NEW} {GONE}", "attached or detached in the last 30 seconds"),
        ("AGE", "since the program was loaded"),
        ("(classic)", "a filter in classic BPF, as tcpdump's: enter shows its instructions"),
        ("1 of 2", "the first of two that run one after the other"),
        SORTED,
        CUT,
    )

    def __init__(self, where: str = "") -> None:
        """`where`: only what is attached there; "" for all."""
        super().__init__()
        self.kind = ""  # of the places that are shown; "" for all
        self._at = where
        self._changes = Changes()
        self._limits: dict[str, int] = {}

    def content(self) -> Iterable[Widget]:
        """The table."""
        table: Table[AttachmentRow] = Table(
            COLUMNS, key_of, Sort("where", False), mark=_sign, shade=lambda row: "dim" if row.sign == GONE else ""
        )
        table.empty = READING
        yield table

    def samples(self) -> AsyncIterator[AttachmentsSample]:
        """All attachments, again and again."""
        return self.sources.attachments(self.interval)

    def every(self) -> float:
        """Seconds from one reading to the next."""
        return max(self.interval, self._latest.every if self._latest else 0.0)

    def take(self, sample: AttachmentsSample) -> None:
        """Note what came and went."""
        self._changes.add(sample)

    def show_latest(self) -> None:
        """Paint the last reading, if it says something else than the one before."""
        before, self._sample = self._sample, self._latest
        shown, now = before and before.placed, self._sample and self._sample.placed
        if now and now is shown and self._changes.still and len(now) > MANY:  # only ages may have changed
            self.show_state()
        else:
            self.filtered()

    def filtered(self) -> None:
        """Show what the filter leaves."""
        if self._sample is not None:
            rows = self._rows()
            table = self.table()
            for key, cells in limits(rows).items():  # never less than before: columns don't jump to and fro
                self._limits[key] = max(cells, self._limits.get(key, 0))
                table.limit(key, self._limits[key])
            table.empty = self._empty()
            table.show(self.leaves(Haystack(rows, words).matching))
        self.show_state()

    def _rows(self) -> list[AttachmentRow]:
        rows = self._changes.rows(self._sample) if self._sample else []
        if self._at:
            rows = [row for row in rows if self._at in (row.placed.where, plain(row.placed))]
        return [row for row in rows if self.kind in ("", row.placed.kind)]

    def _empty(self) -> str:
        if self.prompt.is_open:
            return f"no attachment matches {self.prompt.wanted}; esc clears the filter"
        if self.kind:
            return f"nothing is left of these: {NAMES[self.kind]}; g goes on"
        if self._at:
            return f"nothing is attached to {self._at} now"
        missing = self._sample.missing if self._sample else ()
        return f"nothing that can be read is attached; not read: {', '.join(missing)}" if missing else NOTHING

    def where(self) -> Sequence[str]:
        """Above the programs."""
        return ("BPF", "Attachments", self._at) if self._at else ("BPF", "Attachments")

    def state(self) -> list[Phrase]:
        """How many there are, of which kinds, and what changed."""
        if self._sample is None:
            return [(READING, "dim")]
        rows = self._rows()
        placed = [row.placed for row in rows if row.sign != GONE]
        signs = Counter(row.sign for row in rows)
        shown = sum(row.sign != GONE for row in self.table().rows)
        return [
            (counted(shown, len(placed), "attachment"), "strong"),
            *((f"not read: {missing.partition(':')[0]}", "warn") for missing in self._sample.missing),
            *(self._kinds(Counter(one.kind for one in placed)) if not self.prompt.is_open else ()),
            (f"{NEW} {signs[NEW]:,} new" if signs[NEW] else "", "accent"),
            (f"{GONE} {signs[GONE]:,} gone" if signs[GONE] else "", "accent"),
        ]

    def _kinds(self, numbers: Counter[str]) -> Iterable[Phrase]:
        """Of each kind of places how many; of one, what it is."""
        if self.kind or self._at:
            return [(f"only {NAMES[self.kind]}" if self.kind else "", "accent")]
        return [(f"{NAMES[kind]} {numbers[kind]:,}", "dim") for kind in KINDS if numbers[kind]]

    def can(self, name: str) -> bool:
        """What does something now."""
        row = self.table().row
        if name == "open":
            return row is not None and bool(row.placed.program or row.placed.instructions)
        return super().can(name)

    def on_table_moved(self) -> None:
        """Spell the row out."""
        row = self.table().row
        self.query_one(Detail).show(*(spelt(row) if row else ("",)))
        self.show_keys()

    def on_table_chosen(self) -> None:
        """A double click is enter."""
        if self.can("open"):
            self.action_open()

    def action_open(self) -> None:
        """Show the program, or the instructions of a classic filter."""
        row = self.table().row
        if row is None:
            return
        if row.placed.instructions:
            from tui.screens.classic_filter import ClassicFilterScreen

            self.app.push_screen(ClassicFilterScreen(row.placed))
        elif row.placed.program:
            self.paused = False
            self.console.open_program(row.placed.program)

    def action_back(self) -> None:
        """Clear the filter; show all kinds of places again; then go back."""
        if self.kind and not self.prompt.is_open:
            self.kind = ""
            self.table().release()
            self.filtered()
        else:
            super().action_back()

    def action_kind(self) -> None:
        """The next kind of places that something is attached to, then all."""
        self._turn(1)

    def action_kind_back(self) -> None:
        """The kind before."""
        self._turn(-1)

    def _turn(self, step: int) -> None:
        there = {one.kind for one in self._sample.placed} if self._sample else set()
        kinds = ["", *(kind for kind in KINDS if kind in there or kind == self.kind)]
        self.kind = kinds[(kinds.index(self.kind) + step) % len(kinds)]
        self.table().release()
        self.filtered()


def _sign(row: AttachmentRow) -> str:
    return row.sign or (OURS if row.placed.ours else "")
