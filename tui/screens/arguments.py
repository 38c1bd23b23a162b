"""What one function is called with, and what it gives: how often each value was there, and a histogram of numbers."""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import ClassVar, Final

from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Static

from tui import text
from tui.collectors.samples import ValuesSample
from tui.collectors.sources import Readings
from tui.elf.names import Function
from tui.export import rows
from tui.export.rows import Row
from tui.screens import values
from tui.screens.attached import AttachedScreen
from tui.screens.base import CURSOR, CUT, FASTER, REVERSE, SLOWER, SORT, SORTED, counted, filter_by
from tui.screens.pace import Pace
from tui.screens.session import Attaching
from tui.screens.spending import OFF
from tui.screens.target import function_key
from tui.screens.values import ValueRow
from tui.screens.views import BACK, EXPORT, SKIPPED, Views
from tui.widgets.actions import Action
from tui.widgets.columns import Sort
from tui.widgets.filter import Haystack
from tui.widgets.histogram import Histogram
from tui.widgets.lines import Detail, Line, Phrase
from tui.widgets.pieces import Piece, cut_middle, length
from tui.widgets.table import Table

SLIM: Final = 100  # cells, below which the histogram stands under the table
TOGETHER: Final = "together"
MOST_CALLED: Final = Sort("calls", True)


def wanted(views: Views) -> Function:
    """The function that was under the cursor, if it is probed; else the first."""
    chosen = {function_key(function): function for function in views.functions}
    return chosen.get(function_key(views.chosen), views.functions[0]) if views.chosen else views.functions[0]


class ArgumentsScreen(AttachedScreen[ValuesSample]):
    """Reads one function's values as long as it lives; another function, or its results too, are attached anew."""

    VIEW = "arguments"
    DOING = "read"
    CSS_PATH = "arguments.tcss"
    NAME = "Arguments"
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (SLIM, "-wide")]
    ACTIONS = (
        Action(
            "right,tab", "← →", "value", "next_value", "Look at the next value, or the one before; the last: all", 1
        ),
        Action("left", "←", "value before", "previous_value", "Look at the value before", 10, listed=False),
        filter_by("values with this in them", 4),
        SORT,
        REVERSE,
        Action("t", "t", "results", "results", "Read results as well, or arguments alone; starts from nought", 2),
        Action(
            "right_square_bracket", "[ ]", "function", "next_function", "Go to the probe's next function, or back", 3
        ),
        Action("left_square_bracket", "[", "function before", "previous_function", "Go back", 10, listed=False),
        Action("p", "p", "pause", "pause", "Stop painting, not counting; on return the numbers are current", 5),
        FASTER,
        SLOWER,
        SKIPPED,
        EXPORT,
        BACK,
    )
    SIGNS: ClassVar[tuple[tuple[str, str], ...]] = (
        CURSOR,
        OFF,
        SORTED,
        CUT,
        ("▏", "a bar begins with the number beside it, and ends before the next one's"),
        ("◂ ▸", "the value that is looked at"),
    )

    def __init__(self, views: Views) -> None:
        super().__init__(views)
        self.results = False  # whether these are read, too
        self.place = 0  # of the value that is looked at; the one behind the last: all together
        self.pace = Pace()
        self._found: Sequence[ValueRow] = ()  # of what is looked at, before the filter
        self._columns: tuple[tuple[str, ...], tuple[int, ...]] = (), ()  # what the table's columns were made for
        self._choose(wanted(views))

    def _choose(self, function: Function) -> None:
        """Ask for this one."""
        self.function = function
        self.asked = (function,)
        self.attaching, self.busy = 1, "attaching 1 function …"

    def attach(self) -> Attaching[Readings[ValuesSample]]:
        """Read what it is called with."""
        return self.sources.values(self.target.pid, self.modules, self.function, results=self.results)

    @property
    def outdated(self) -> bool:
        """Whether another function was chosen since."""
        if self.ended or not self.views.functions:
            return False
        return function_key(wanted(self.views)) != function_key(self.function)

    def under(self) -> Function:
        """The function."""
        return self.function

    def content(self) -> Iterable[Widget]:
        """The values' names, the table of one, its histogram; or why there is none."""
        table: Table[ValueRow] = Table(values.FIGURES, attrgetter("spelt"), MOST_CALLED)
        table.empty = self.busy
        yield Line(id="places")
        with Horizontal(id="views"):
            yield table
            yield Histogram(values.power, id="bars")
        yield Static(id="failure", markup=False)

    @property
    def calls_seen(self) -> int:
        """How many calls were seen."""
        return self.sample.calls if self.sample else 0

    def take(self, sample: ValuesSample) -> None:
        """Note how many calls there are."""
        self.pace.take(sample.time, sample.calls, sample.elapsed)

    def document(self) -> Row:
        """What an export says."""
        return self.about(1) | (rows.values(self.sample) if self.sample else {})

    # Painting

    @property
    def names(self) -> tuple[str, ...]:
        """Of all values."""
        return self.sample.names if self.sample else ()

    @property
    def places(self) -> tuple[int, ...]:
        """Where the values are that are looked at."""
        return (self.place,) if self.place < len(self.names) else tuple(range(len(self.names)))

    def filtered(self) -> None:
        """Show what the filter leaves of the values that are looked at."""
        if self.sample is not None:
            names = [self.names[place] for place in self.places]
            found = self._found = values.rows(self.sample, self.places) if names else []
            self._shape(names, found)
            numbers = values.numbers(found) if len(names) == 1 else []
            self.set_class(bool(numbers), "-numbers")
            self.query_one(Histogram).show(values.spread(numbers), values.bars(numbers))
            shown: Sequence[ValueRow] = found
            if self.prompt.wanted:
                shown = self.leaves(Haystack(found, lambda row: values.words(row, names)).matching)
            table = self.table()
            table.empty = self._empty()
            table.show(shown)
            self.query_one("#places", Line).show([self._strip()])
        self.show_state()

    def _shape(self, names: Sequence[str], found: Sequence[ValueRow]) -> None:
        """Give the table the columns for these."""
        cells = values.widths(names, found)
        if self._columns != (tuple(names), cells):
            if self._columns[0] != tuple(names):
                self.table().show(())  # the rows that are there have other values
            self._columns = tuple(names), cells
            self.table().use(values.columns(names, cells), {})
        for key, most in values.limits(cells, found).items():
            self.table().limit(key, most)

    def _empty(self) -> str:
        if self.prompt.wanted:
            return f"no value matches {self.prompt.wanted}; esc clears the filter"
        if not self.names:
            return "it takes and gives nothing" if self.results else "it takes nothing; t reads what it gives"
        return "no call yet"

    def _strip(self) -> tuple[Piece, ...]:
        """The values' names, the one that is looked at between signs; where there is no room the first are left out."""
        names = [*self.names, TOGETHER] if len(self.names) > 1 else list(self.names)
        pieces: list[Piece] = []
        for place, name in enumerate(names):
            here = place == self.place
            if here and length([*pieces, (name, "")]) + 10 > self.size.width:
                pieces = [("… ", "dim")]
            pieces += [("  ", ""), (f"◂ {name} ▸", "title") if here else (name, "dim")]
        return tuple(pieces[1:] if pieces and not pieces[0][0].strip() else pieces)

    @property
    def subject(self) -> str:
        """The function, and which of how many it is."""
        among = [function_key(function) for function in self.views.functions]
        key = function_key(self.function)
        which = f" ({among.index(key) + 1} of {len(among)})" if len(among) > 1 and key in among else ""
        tabs = 64 if self.size.width >= SLIM else 12
        return cut_middle(self.function.name, max(16, self.size.width - len(self.target.title + which) - tabs)) + which

    def figures(self) -> list[Phrase]:
        """What the state line says of the numbers."""
        if self.sample is None:
            return []
        phrases: list[Phrase] = []
        if self.suspended:
            phrases.append((f"{OFF[0]} these numbers have stopped", "warn"))
        elif not self.ended:
            phrases.append(self.pace.said("calls"))
        if self.names:
            noun = "combination" if len(self.places) > 1 else "value"
            phrases.append((counted(len(self.table().rows), len(self._found), noun), "strong"))
        phrases.append((text.plural(self.sample.calls, "call"), ""))
        if self.sample.unmatched:
            phrases.append((f"{self.sample.unmatched:,} unmatched", "warn"))
        phrases.append(("with results" if self.results else "", "dim"))
        return phrases

    def on_table_moved(self) -> None:
        """Spell the values out."""
        row: ValueRow | None = self.table().row
        if row is None or len(row.spelt) != len(self.places):
            self.query_one(Detail).show("")
        else:
            said = values.words(row, [self.names[place] for place in self.places]).replace("\n", ", ")
            self.query_one(Detail).show(said, f"{text.plural(row.calls, 'call')} · {100 * row.share:.2f} %")
        self.show_keys()

    def can(self, name: str) -> bool:
        """What does something now."""
        if name.endswith("_function"):
            return len(self.views.functions) > 1 and not self.busy and not self.views.over()
        if name == "results":
            return not self.busy and not self.views.over()
        return super().can(name) and (not name.endswith("_value") or len(self.names) > 1)

    def actions(self) -> list[Action]:
        """One label depends on what is read."""
        label = "arguments alone" if self.results else "results"
        return [action._replace(label=label) if action.name == "results" else action for action in super().actions()]

    # Actions

    def action_next_value(self) -> None:
        """Look at the next value; behind the last at all together."""
        self._look(self.place + 1)

    def action_previous_value(self) -> None:
        """Look at the value before."""
        self._look(self.place - 1)

    def _look(self, place: int) -> None:
        self.place = place % (len(self.names) + 1)
        self.table().sort = MOST_CALLED
        self.table().release()
        self.query_one(Detail).one_line()
        self.filtered()

    def action_next_function(self) -> None:
        """Go to the probe's next function."""
        self._go(1)

    def action_previous_function(self) -> None:
        """Go to the probe's function before."""
        self._go(-1)

    def _go(self, step: int) -> None:
        functions = self.views.functions
        keys = list(map(function_key, functions))
        at = keys.index(function_key(self.function)) if function_key(self.function) in keys else 0
        self.views.chosen = functions[(at + step) % len(functions)]
        self.place = 0
        self._begin_anew(self.views.chosen)

    def action_results(self) -> None:
        """Read results as well, or arguments alone."""
        self.results = not self.results
        self._begin_anew(self.function)

    def _begin_anew(self, function: Function) -> None:
        """Attach to this one instead, or to the same in another way."""
        self.failure = self.gone = ""
        self.pace = Pace()
        self.remove_class("-failed", "-numbers")
        self._choose(function)
        self.table().empty = self.busy
        self.table().show(())
        self.query_one("#places", Line).show([])
        self.reopen()
