"""A screen that lists the functions of one module, or of all: which it is, in which order, and what a filter leaves."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from textual import on
from textual.widgets import Static

from tui.elf.names import Function, Module
from tui.errors import BpfscopeError
from tui.screens.function_rows import COLUMNS, MODULE, RAW_NAME, in_order, words
from tui.screens.hotness import ALL, CPU, KERNEL, column
from tui.screens.marking import MarkingScreen
from tui.screens.marks import ONLY
from tui.screens.reading import Failed, Loaded, ModulesRead
from tui.screens.target import Target
from tui.widgets.columns import Sort
from tui.widgets.filter import Haystack, asks_for_files
from tui.widgets.lines import Detail
from tui.widgets.table import Table

if TYPE_CHECKING:
    from textual.timer import Timer

    from tui.elf.lines import Line
    from tui.screens.catalogue import Everything

MORE = 0.3  # seconds between two showings of what has come of all modules, at least,
SHARE = 10  # and so many times what one takes
REST = 0.12  # seconds that the cursor rests on a module before its functions are read


class ListingScreen(MarkingScreen):
    """Two panes, of modules and of functions; the chosen module's functions are in `haystack`."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.module: Module | None = None  # the chosen one
        self.share = column(self.hotness.of)
        self.haystack: Haystack[Function] | Everything = Haystack((), words)
        self._by_file = False  # whether its words have source files
        self._ordered = False  # whether somebody chose an order: else what is hot comes first, once that is known
        self._more: Timer | None = None  # until what came of all modules is shown
        self._pause = MORE

    def on_modules_read(self, event: ModulesRead) -> None:
        """Show them, and choose the executable."""
        self.modules = self.catalogue.modules = event.modules
        if not self.target.name and self.modules:
            self.target = self.target._replace(name=self.modules[0].name)
        self.modules_table.fill(self.modules, self.size.width)
        if self.modules:
            self.choose(self.modules[0])
            self.sample()
        else:
            self.catalogue.failures[""] = f"{self.target.title} maps no ELF file: there is nothing to probe"
            self.show_functions()

    def on_loaded(self, event: Loaded) -> None:
        """Show the functions if their module is still chosen."""
        self.modules_table.repaint()
        if event.module == self.module:
            self._show_module()
        elif self.module == ALL:
            self._show_more()
        self.mark_module()

    def on_failed(self, event: Failed) -> None:
        """Show the reason in the module's place."""
        self.catalogue.failures[event.module.name if event.module else ""] = event.reason
        self.show_functions()

    def choose(self, module: Module) -> None:
        """Show this module's functions; read them where that wasn't done yet."""
        if module == self.module:
            return
        self.module = module
        self.hotness.several = module == ALL
        self._use_columns(raw=self.functions.columns[0] is RAW_NAME)
        if module == ALL and not self._ordered:
            self.functions.sort = Sort(CPU, True)  # else as they come: sorting 300,000 by their names takes too long
        self._show_module()
        if module == ALL:
            self.read_all()
        elif module != KERNEL:
            self.read_module(module)

    @on(Table.Moved, "#modules")
    def rest_on_module(self, event: Table.Moved) -> None:
        """Choose the module when the cursor rests."""
        event.stop()
        row = self.modules_table.row
        if row is not None and row != self.module:
            self.set_timer(REST, lambda: self.choose(row) if self.modules_table.row == row else None)

    @on(Table.Sorted, "#functions")
    def choose_order(self) -> None:
        """The person has chosen an order, which stays."""
        self._ordered = True
        self.sort_anew()

    def sort_anew(self) -> None:
        """Sort the whole module once, not each filtered list."""
        self._sort()
        self.filtered()
        if not self.functions.followed:
            self.functions.action_home()
            self.functions.release()

    def _show_module(self) -> None:
        self._sort()
        self._limit()
        self.query_one(Detail).one_line()
        self.show_functions(anew=True)

    def _use_columns(self, *, raw: bool) -> None:
        """The module stands in a column of its own where there are several."""
        name, where = RAW_NAME if raw else COLUMNS[0], (MODULE,) if self.module == ALL else ()
        columns = (name, self.share, *where, *COLUMNS[1:])
        if self.functions.columns != columns:
            self.functions.use(columns, {"function": self.catalogue.widest(self.module or ALL, raw=raw)})

    def _sort(self) -> None:
        """Sort the whole module once, not each filtered list."""
        self._by_file = asks_for_files(self.prompt.wanted)
        columns, sort = self.functions.columns, self.functions.sort
        self.haystack = self.catalogue.haystack(
            self.module, lambda functions: in_order(functions, columns, sort), self.prompt.wanted
        )

    def _limit(self) -> None:
        if self.module:
            widest = self.catalogue.widest(self.module, raw=self.functions.columns[0] is RAW_NAME)
            self.functions.limit("function", widest)

    def _show_more(self) -> None:
        """Show what has come of all modules: seldom enough that keys act at once, and not while the cursor moves."""
        if self._more is None:
            self._more = self.set_timer(self._pause, self._show_all)

    def _show_all(self) -> None:
        self._more = None
        if self.module != ALL:
            return
        if self.functions.holds:
            self._show_more()
            return
        began = time.monotonic()
        self._sort()
        self._limit()
        self.show_functions()
        self._pause = max(MORE, SHARE * (time.monotonic() - began))

    def filtered(self) -> None:
        """Show what the filter leaves; half an expression leaves what was there."""
        module, typed = self.module, self.prompt.wanted
        if module and self.catalogue.lines_wanted(module, typed):
            self.run_worker(self._read_lines(module))
        if asks_for_files(typed) != self._by_file:
            self._sort()
        self.show_functions(anew=True)

    async def _read_lines(self, module: Module) -> None:
        """Learn the source lines of a module's functions, by which they are filtered then."""
        found: Mapping[Function, Line] = {}
        try:
            found = await self.sources.lines_of(module, self.catalogue.of(module.name))
        except BpfscopeError as error:
            self.say(str(error), bad=True)
        self.catalogue.learn_lines(module, found)
        if self.module == module:
            self._sort()
            self.show_functions(anew=True)

    def show_functions(self, *, anew: bool = False) -> None:
        """Show what the filter leaves of the module, or why there is nothing."""
        functions = self.functions
        failure = self.catalogue.failure(self.module)
        self.query_one("#failure", Static).update(failure)
        self.set_class(bool(failure), "-failed")
        functions.show(self.leaves(self._matching), anew=anew)
        if not functions.rows:
            functions.empty = self.why_empty()
            functions.repaint()
        self.show_state()

    def _matching(self, typed: str) -> Sequence[Function]:
        """What a filter leaves; `is:marked` what is marked now, which stays there while it is unmarked."""
        wanted = typed.removeprefix("!").lstrip()
        if not wanted.startswith(ONLY):
            return self.haystack.matching(typed)
        marked = self.marks.only(self.haystack.rows, inverted=typed.startswith("!"))
        return Haystack(marked, words).matching(wanted.removeprefix(ONLY))

    def why_empty(self) -> str:
        """Why there is nothing, and what to do."""
        if self.module is None:
            return f"reading what {self.target.title} maps …"
        if missing := self.catalogue.missing(self.module, self.prompt.wanted):
            return missing
        if not self.prompt.wanted:
            return ""
        if self.prompt.wanted == ONLY:
            return f"no function of {self.module.name} is marked; space marks one; esc clears the filter"
        near = self.catalogue.nearest(self.module, self.prompt.wanted)
        there = f"no function of {self.module.name} matches {self.prompt.wanted}{near}; esc clears the filter"
        return f"{there}, tab goes to the other modules" if len(self.modules) > 1 and self.module != ALL else there

    def action_raw_names(self) -> None:
        """Show raw names, or readable ones."""
        self._use_columns(raw=self.functions.columns[0] is not RAW_NAME)
        self.sort_anew()

    def show_hot(self) -> None:
        """What CPU sampling has found; rows stand still while the cursor moves."""
        self.modules_table.sampled()
        self._put_hot_first()
        if self.functions.sort.key == CPU and not self.functions.holds:
            self.functions.show(self.functions.rows)
        self.functions.repaint()
        self.show_state()

    def _put_hot_first(self) -> None:
        """Once, as long as nobody has chosen an order, or moves, or types."""
        busy = self.functions.holds or self.prompt.typing or self.module is None
        if not self._ordered and not busy and self.module and self.hotness.of_module(self.module):
            self._ordered = True
            self.functions.sort = Sort(CPU, True)
