"""The cgroups mode's first screen: the tree, what passes each, what is allowed and denied, and who counts it."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

from textual.widget import Widget

from tui import text
from tui.collectors.cgroup_samples import Cgroup, CgroupsSample
from tui.errors import BpfscopeError
from tui.screens.base import CURSOR, CUT, FASTER, MARKED, REVERSE, SLOWER, SORT, SORTED, counted, filter_by
from tui.screens.cgroup_columns import COLUMNS, columns_for, limits, spelt
from tui.screens.cgroup_rows import CgroupRow, Traffic, row_key, tree, visible
from tui.screens.top import CLEAR, PAUSE, TopScreen
from tui.widgets.actions import Action
from tui.widgets.columns import Sort
from tui.widgets.lines import Detail, Phrase
from tui.widgets.order import by_column
from tui.widgets.table import Table

READING = "reading cgroups …"
SIGNS = (
    CURSOR,
    MARKED,
    ("IN OUT", "bytes and packets of IP that came to, or were sent by, its processes and those of all cgroups in it"),
    ("ours", "counted by us since that time, where c was pressed, and in all cgroups below; also what others deny"),
    ("systemd", "counted by systemd since the unit started (IPAccounting=); without what was denied"),
    ("ALLOW DENY", "addresses, by systemd's firewall; what is both allowed and denied passes"),
    ("in out dev", "programs of others for packets that come and go, and for devices; more have their hook's name"),
    ("+3", "so many below are folded up"),
    SORTED,
    CUT,
)


class CgroupsScreen(TopScreen[CgroupsSample]):
    """All control groups; enter shows what is attached to one, c counts its packets."""

    CSS_PATH = "cgroups.tcss"
    NAME = "Cgroups"
    MODE = "cgroups"
    ACTIONS = (
        Action("enter", "enter", "programs", "open", "Show its programs and rules, with those it inherits", 0),
        Action("c", "c", "count", "count", "Count the packets of the marked cgroups, or of this one; or no longer", 1),
        Action("space", "space", "mark", "mark", "Mark the cgroup, to count several; or unmark it", 4),
        filter_by("what has this in path, unit, programs or rules", 2),
        Action("left", "← →", "fold", "fold", "Fold up what is below it, else go to the one it is in; or unfold it", 3),
        Action("right", "→", "unfold", "unfold", "Unfold what is below it", 10, listed=False),
        Action("t", "t", "tree", "tree", "Tree or plain list", 6),
        SORT,
        REVERSE,
        PAUSE._replace(rank=7),
        FASTER,
        SLOWER,
        CLEAR,
    )
    SIGNS = SIGNS

    def __init__(self) -> None:
        super().__init__()
        self.as_tree = True
        self.marked: set[int] = set()
        self._folded: set[int] = set()
        self._counting: set[int] = set()  # where our counters are
        self.traffic = Traffic()
        self._limits: dict[str, int] = {}
        self._typed = ""
        self._limited: object = None  # for what they were made

    def content(self) -> Iterable[Widget]:
        """The table."""
        table: Table[CgroupRow] = Table(
            COLUMNS,
            row_key,
            Sort("path", False),
            mark=lambda row: "●" if row.cgroup.id in self.marked else "",
            shade=lambda row: "" if row.matches else "dim",
            arrange=self._arrange,
        )
        table.empty = READING
        yield table

    def samples(self) -> AsyncIterator[CgroupsSample]:
        """All cgroups, again and again."""
        return self.sources.cgroups(self.interval)

    def every(self) -> float:
        """Seconds from one reading to the next."""
        return max(self.interval, self._latest.every if self._latest else 0.0)

    def take(self, sample: CgroupsSample) -> None:
        """Note the totals; marks and folds of what has ended go, too."""
        self.traffic.add(sample)
        there = {one.id for one in sample.cgroups}
        self.marked &= there
        self._folded &= there
        self._counting &= there

    def filtered(self) -> None:
        """Show what the filter leaves."""
        if self._sample is not None:
            rows, table, folded = self.traffic.rows(self._sample.cgroups), self.table(), frozenset(self._folded)
            shown = self.leaves(lambda wanted: visible(rows, wanted, folded, tree=self.as_tree))
            before = table.row
            table.empty = f"no cgroup matches {self.prompt.wanted}; esc clears the filter"
            table.show(self._held(shown) if self.as_tree else shown)
            self._go_to_match(before, {row.cgroup.id: row.cgroup.parent for row in rows})
            self._limit(self._sample)
        self.show_state()

    def _go_to_match(self, before: CgroupRow | None, parents: Mapping[int, int]) -> None:
        """What only stands there for those in it isn't what was looked for: the cursor goes to the first that is. From
        one that is no longer shown since something above is folded up, it goes there.
        """
        table, typed = self.table(), self.prompt.wanted
        fresh, self._typed = typed != self._typed, typed
        if fresh and not typed and self.as_tree and before:
            shown, number = {row_key(row): at for at, row in enumerate(table.rows)}, row_key(before)
            while number in parents and number not in shown:
                number = parents[number]
            if number in shown:
                table.move_to(shown[number])
        elif typed and table.row and not table.row.matches and (fresh or not table.followed):
            table.move_to(next((index for index, row in enumerate(table.rows) if row.matches), 0))

    def _held(self, rows: Sequence[CgroupRow]) -> Sequence[CgroupRow]:
        """In a tree whose order is held each row keeps its branch; it isn't held where cgroups come or go."""
        branches = {row_key(row): row.branch for row in self.table().rows}
        if branches.keys() != {row_key(row) for row in rows}:
            self.table().release()
        return [row._replace(branch=branches.get(row_key(row), "")) for row in rows]

    def _limit(self, sample: CgroupsSample) -> None:
        """Give the columns room for what is shown; never less than before: they don't jump to and fro."""
        table = self.table()
        shown = (sample.looks, len(table.rows), self.as_tree)
        if shown == self._limited:
            return
        self._limited = shown
        for key, cells in limits(table.rows).items():
            self._limits[key] = max(cells, self._limits.get(key, 0))
            table.limit(key, self._limits[key])
        columns = columns_for(sample.cgroups)
        if table.columns != columns:
            table.use(columns, dict(self._limits))

    def _arrange(self, rows: Sequence[CgroupRow], sort: Sort) -> Sequence[CgroupRow]:
        if self.as_tree:
            return tree(rows, COLUMNS, sort)
        return by_column([row._replace(branch="") for row in rows], COLUMNS, sort)

    def state(self) -> list[Phrase]:
        """How many there are, and what is attached."""
        sample = self._sample
        if sample is None:
            return [(READING, "dim")]
        matching = sum(row.matches for row in self.table().rows) if self.prompt.is_open else len(sample.cgroups)
        having = sum(any(not program.ours for program in one.programs) for one in sample.cgroups)
        counting = sum(one.counted is not None and one.counted.here for one in sample.cgroups)
        return [
            (counted(matching, len(sample.cgroups), "cgroup"), "strong"),
            (f"● {len(self.marked):,} marked" if self.marked else "", "accent"),
            (f"counting {counting:,}" if counting else "", "accent"),
            (f"{text.plural(sample.lost, 'packet')} lost" if sample.lost else "", "bad"),
            ("more are hidden" if sample.hidden else "", "warn"),
            (f"{having:,} with programs" if having else "no programs: c counts packets", ""),
        ]

    # Keys

    @property
    def chosen(self) -> tuple[Cgroup, ...]:
        """The marked ones; where none is, the one under the cursor."""
        everywhere = self._latest.cgroups if self._latest else ()
        marked = tuple(one for one in everywhere if one.id in self.marked)
        row = self.table().row
        return marked or ((row.cgroup,) if row else ())

    @property
    def holding(self) -> str:
        """Our counters."""
        return text.plural(len(self._counting), "cgroup counter") if self._counting else ""

    def can(self, name: str) -> bool:
        """What does something now."""
        if name in ("fold", "unfold"):
            return self.as_tree and self.table().row is not None
        return self.table().row is not None if name in ("open", "mark", "count") else super().can(name)

    def on_table_moved(self) -> None:
        """Spell the row out."""
        row = self.table().row
        self.query_one(Detail).show(*(spelt(row.cgroup) if row else ("",)))
        self.show_keys()

    def on_table_chosen(self) -> None:
        """A double click is enter."""
        self.action_open()

    def action_open(self) -> None:
        """Go to what is attached to the cgroup under the cursor."""
        row = self.table().row
        if row is not None:
            self.paused = False
            self.console.open_cgroup(row.cgroup, self)

    def action_mark(self) -> None:
        """Mark or unmark, and go on to the next."""
        row = self.table().row
        if row is not None:
            self.marked ^= {row_key(row)}
            self.table().action_move(1)
            self.table().repaint()
            self.show_state()

    def action_tree(self) -> None:
        """Tree or list."""
        self.as_tree = not self.as_tree
        self._limits.clear()
        self.table().release()
        self.filtered()

    def action_fold(self) -> None:
        """Fold up what is below; where nothing is to be seen there, go to the cgroup that it is in."""
        row, rows = self.table().row, self.table().rows
        if row is None:
            return
        if any(one.cgroup.parent == row.cgroup.id for one in rows):
            self._folded.add(row.cgroup.id)
            self.filtered()
        else:
            parents = (index for index, one in enumerate(rows) if one.cgroup.id == row.cgroup.parent)
            self.table().move_to(next(parents, self.table().cursor))

    def action_unfold(self) -> None:
        """Show what is below."""
        row = self.table().row
        if row is not None:
            self._folded.discard(row.cgroup.id)
            self.filtered()

    # Counting

    def action_count(self) -> None:
        """Count, or no longer, if all that is chosen is counted already."""
        self.count(self.chosen)

    def count(self, chosen: Sequence[Cgroup]) -> None:
        """The same, of these."""
        on = not all(one.id in self._counting for one in chosen)
        self.run_worker(self._count([one for one in chosen if (one.id in self._counting) != on], on=on))

    async def _count(self, cgroups: Sequence[Cgroup], *, on: bool) -> None:
        for one in cgroups:
            try:
                await self.sources.count_cgroup(one.id, on=on)
            except BpfscopeError as error:
                self.say(str(error), bad=True)
                continue
            self._counting = self._counting | {one.id} if on else self._counting - {one.id}
        self.marked.clear()
        if self.app.screen is self:
            self.start()

    def leave_for(self, mode: str) -> bool:
        """Our counters don't stay behind, also where somebody leaves from a page above."""
        self.paused = False
        if mode != self.MODE and self._counting:
            self.say(f"no longer counting {text.plural(len(self._counting), 'cgroup')}")
            cgroups = [one for one in (self._latest.cgroups if self._latest else ()) if one.id in self._counting]
            self.run_worker(self._count(cgroups, on=False))
        return False
