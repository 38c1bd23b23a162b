"""The second screen: a process's modules and functions, and which of them to probe."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from textual import on
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Static

from tui.elf.names import Function, Module
from tui.errors import BpfscopeError
from tui.screens.attached import AttachedScreen
from tui.screens.base import CURSOR, CUT, MARKED, REVERSE, SORT, SORTED, counted, filter_by
from tui.screens.catalogue import OF_THE_KERNEL, Everything
from tui.screens.code_pane import ACTIONS, JUMPED_TO, CodePane, Wanted
from tui.screens.confirm import ConfirmScreen
from tui.screens.function_rows import COLUMNS, MODULE, RAW_NAME, in_order, spelt, words
from tui.screens.hotness import ALL, CPU, KERNEL, SHARES, column
from tui.screens.marking import MarkingScreen
from tui.screens.marks import ONLY, PARTLY
from tui.screens.modules_pane import SLIM, ModulesPane
from tui.screens.probe import ProbeScreen
from tui.screens.reading import Failed, Loaded, ModulesRead
from tui.screens.target import Target, function_key
from tui.screens.views import VIEWS, Views
from tui.widgets.actions import Action
from tui.widgets.columns import Sort
from tui.widgets.filter import Haystack, asks_for_files
from tui.widgets.lines import Detail, Phrase
from tui.widgets.table import Table

if TYPE_CHECKING:
    from textual.timer import Timer

    from tui.elf.lines import Line

MORE = 0.3  # seconds between two showings of what has come of all modules, at least,
SHARE = 10  # and so many times what one takes
MANY = 2_000  # functions; probing more at once is asked about
COSTS = "Each of their calls then costs the process 1 to 15 µs."
REST = 0.12  # seconds that the cursor rests on a module before its functions are read


FURTHER = (
    f"; ~ finds letters in this order, pkg: a package, file: a source file, or a line of it; {ONLY} what is marked"
)


HINT_SECONDS = 15


class FunctionsScreen(MarkingScreen):
    """Modules on the left, functions on the right."""

    CSS_PATH = "functions.tcss"
    NAME = "Functions"
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (SLIM, "-wide")]
    ACTIONS = (
        Action(
            "enter", "enter", "probe", "probe", "Count calls of the marked functions, or of the one under the cursor", 0
        ),
        *(view.action(10) for view in VIEWS),
        Action(
            "", " ".join(view.key for view in VIEWS), "views", "", "Look at them in one of five ways", 1, listed=False
        ),
        Action("space", "space", "mark", "mark", "Mark the function, or the module, for probing, or unmark it", 1),
        Action(
            "m", "m", "mark package", "mark_package", "Mark the function's package, namespace or class, or unmark it", 6
        ),
        Action("a", "a", "mark all", "mark_all", "Mark all functions that the filter leaves; again: unmark them", 3),
        filter_by("functions with this in their name", 1, FURTHER),
        Action("tab", "tab", "modules", "pane", "Go to the other pane", 4),
        Action("n", "n", "raw names", "raw_names", "Show names as the file has them, or readable ones", 6),
        *ACTIONS,
        SORT,
        REVERSE,
        Action("escape", "esc", "back", "back", "Clear the filter, or go back", 0),
    )
    SIGNS = (CURSOR, MARKED, PARTLY, ("◉", "probed"), ("–", "can't be probed, or read"), SHARES, JUMPED_TO, SORTED, CUT)

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.module: Module | None = None  # the chosen one
        self.probe: ProbeScreen | None = None  # one that goes on while functions are added to it
        self._share = column(self.hotness.of)
        self._haystack: Haystack[Function] | Everything = Haystack((), words)
        self._by_file = False  # whether its words have source files
        self._ordered = False  # whether somebody chose an order: else what is hot comes first, once that is known
        self._more: Timer | None = None  # until what came of all modules is shown
        self._pause = MORE

    def content(self) -> Iterable[Widget]:
        """Two panes."""
        functions: Table[Function] = Table(
            (COLUMNS[0], self._share, *COLUMNS[1:]),
            function_key,
            Sort("function", False),
            mark=self.marks.sign,
            shade=lambda function: "dim" if function.unprobeable else "",
            arrange=self.hotness.arranged,
            id="functions",
        )
        with Horizontal(id="panes"):
            yield ModulesPane(
                self.catalogue.count, lambda module: self.marks.sign_of_module(module.name), self.hotness.of_module
            )
            yield functions
            yield Static(id="failure", markup=False)
        yield CodePane(self.sources)

    def begin(self) -> None:
        """Read the modules."""
        if self.console.hint:
            self.notify(self.console.hint, markup=False, timeout=HINT_SECONDS)
        self._show_functions()
        self.functions.focus()
        self.read_process()

    def on_modules_read(self, event: ModulesRead) -> None:
        """Show them, and choose the executable."""
        self.modules = self.catalogue.modules = event.modules
        if not self.target.name and self.modules:
            self.target = self.target._replace(name=self.modules[0].name)
        self.modules_table.fill(self.modules, self.size.width)
        if self.modules:
            self._choose(self.modules[0])
            self.sample()
        else:
            self.catalogue.failures[""] = f"{self.target.title} maps no ELF file: there is nothing to probe"
            self._show_functions()

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
        self._show_functions()

    # Panes

    def table(self) -> Table[Any]:
        """What `/` and `s` work on."""
        return self.functions

    def action_pane(self) -> None:
        """Go to the other pane."""
        target = self.functions if self.among_modules else self.modules_table
        self.set_class(target is self.modules_table, "-modules")
        self.set_focus(target)

    def on_descendant_focus(self) -> None:
        """Whichever way the focus went."""
        self.set_class(self.among_modules, "-modules")
        self.call_next(self.show_state)

    def on_resize(self) -> None:
        """Share the width anew."""
        self.modules_table.share(self.size.width)

    def _choose(self, module: Module) -> None:
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
            self.set_timer(REST, lambda: self._choose(row) if self.modules_table.row == row else None)

    @on(Table.Moved, "#functions")
    def spell_out(self, event: Table.Moved) -> None:
        """Spell the function's name out."""
        event.stop()
        self._show_detail()
        self.show_keys()

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

    @on(Table.Chosen)
    async def open_chosen(self, event: Table.Chosen) -> None:
        """A double click is enter."""
        event.stop()
        await self.action_probe()

    # Functions

    def _show_module(self) -> None:
        self._sort()
        self._limit()
        self.query_one(Detail).one_line()
        self._show_functions(anew=True)

    def _use_columns(self, *, raw: bool) -> None:
        """The module stands in a column of its own where there are several."""
        name, where = RAW_NAME if raw else COLUMNS[0], (MODULE,) if self.module == ALL else ()
        columns = (name, self._share, *where, *COLUMNS[1:])
        if self.functions.columns != columns:
            self.functions.use(columns, {"function": self.catalogue.widest(self.module or ALL, raw=raw)})

    def _sort(self) -> None:
        """Sort the whole module once, not each filtered list."""
        self._by_file = asks_for_files(self.prompt.wanted)
        columns, sort = self.functions.columns, self.functions.sort
        self._haystack = self.catalogue.haystack(
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
        self._show_functions()
        self._pause = max(MORE, SHARE * (time.monotonic() - began))

    def filtered(self) -> None:
        """Show what the filter leaves; half an expression leaves what was there."""
        module, typed = self.module, self.prompt.wanted
        if module and self.catalogue.lines_wanted(module, typed):
            self.run_worker(self._read_lines(module))
        if asks_for_files(typed) != self._by_file:
            self._sort()
        self._show_functions(anew=True)

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
            self._show_functions(anew=True)

    def _show_functions(self, *, anew: bool = False) -> None:
        functions = self.functions
        failure = self.catalogue.failure(self.module)
        self.query_one("#failure", Static).update(failure)
        self.set_class(bool(failure), "-failed")
        functions.show(self.leaves(self._matching), anew=anew)
        if not functions.rows:
            functions.empty = self._empty()
            functions.repaint()
        self.show_state()

    def _matching(self, typed: str) -> Sequence[Function]:
        """What a filter leaves; `is:marked` what is marked now, which stays there while it is unmarked."""
        wanted = typed.removeprefix("!").lstrip()
        if not wanted.startswith(ONLY):
            return self._haystack.matching(typed)
        marked = self.marks.only(self._haystack.rows, inverted=typed.startswith("!"))
        return Haystack(marked, words).matching(wanted.removeprefix(ONLY))

    def _empty(self) -> str:
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

    # Lines

    def action_sort(self) -> None:
        """Sort the pane that has the keys."""
        (self.modules_table if self.among_modules else self.functions).sort_next()

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

    def show_state(self) -> None:
        """The lines around the panes."""
        left: list[Phrase] = [(("Processes ▸ ", "dim"), (self.target.title, "title"))]
        right: list[Phrase] = [(self.target.language, "dim"), (self.module.path if self.module else "", "dim")]
        order = [(self.functions.sort_title, "dim")] if self._haystack.rows else ()
        self.put_lines((left, right), self._state(), order)
        self._show_detail()

    def _state(self) -> list[Phrase]:
        total, shown = len(self._haystack.rows), len(self.functions.rows)
        phrases: list[Phrase] = [(self.over, "warn")]
        if self.catalogue.has(self.module):
            phrases.append((counted(shown, total, "function"), "strong"))
            phrases.append((self.catalogue.progress() if self.module == ALL else "", "dim"))
        elif not self.catalogue.failure(self.module) and self.module != KERNEL:
            phrases.append((self._empty(), "dim"))
        phrases.append((f"● {len(self.marks):,} marked" if self.marks else "", "accent"))
        phrases.append((f"◉ {self.marks.probed:,} probed" if self.probe else "", "good"))
        return [*phrases, *self.hotness.phrases()]

    def _show_detail(self) -> None:
        module, function, code = self.modules_table.row, self.functions.row, self.query_one(CodePane)
        code.follow(Wanted(self.target.pid, self.modules, function, self.among(function)) if function else None)
        if self.among_modules:
            self.query_one(Detail).show(module.path if module else "")
        else:
            self.query_one(Detail).show(*(spelt(function, code.source(function)) if function else ("",)))

    def on_code_pane_located(self) -> None:
        """Say where the function is in its sources."""
        self._show_detail()

    def action_code(self) -> None:
        """Show or hide the code of the function under the cursor."""
        self.query_one(CodePane).toggle()

    def action_code_page(self, pages: int) -> None:
        """Move the code."""
        self.query_one(CodePane).turn(pages)

    def can(self, name: str) -> bool:
        """What does something now."""
        if name.startswith("view"):
            under = self.functions.row is not None and not self.among_modules
            return (under or bool(self.marks)) and not self.probe
        if name in ("mark_package", "raw_names", "sort_reverse"):
            return self.functions.row is not None and not self.among_modules
        if name == "sort" and self.among_modules:
            return True
        if name in ("mark", "probe"):
            return (self.modules_table if self.among_modules else self.functions).row is not None
        if name == "code":
            return self.functions.row is not None
        return name != "mark_all" or bool(self.functions.rows)

    def why_not(self, name: str) -> str:
        """Why a key does nothing here."""
        if name.startswith("view") and self.probe:
            return "a probe goes on: enter adds functions to it, and its views open from there"
        if self.among_modules and self.functions.row is not None:
            return f"this is for functions: tab goes to those of {self.module.name if self.module else 'a module'}"
        return self.catalogue.failure(self.module) or self._empty()

    def actions(self) -> list[Action]:
        """Two labels depend on where the person is."""
        labels = {"pane": "functions" if self.among_modules else "modules"}
        if self.among_modules:
            labels["probe"] = "functions"
        elif self.probe:
            labels |= {"probe": "add to the probe", "back": "back to the probe"}
        if self.prompt.is_open:
            labels["back"] = "clear"
        some = [action for action in super().actions() if action.label != "views" or self.can("view")]
        return [action._replace(label=labels.get(action.name, action.label)) for action in some]

    # Away from here

    async def action_probe(self) -> None:
        """Probe what is marked, or the function under the cursor; among modules, go to the module's functions."""
        if self.among_modules:
            if self.modules_table.row == KERNEL:
                self.say(OF_THE_KERNEL)
                return
            if self.modules_table.row:
                self._choose(self.modules_table.row)
            self.action_pane()
        else:
            self.action_view(VIEWS[0].name)

    def action_view(self, name: str) -> None:
        """Look at what is marked, or at the function under the cursor, in this way."""
        under, functions = self.functions.row, self.marks.functions
        if not functions and under is not None and self.marks.eligible(under):
            functions = (under,)
        if not functions and not self.probe:
            if under is not None:
                self.say(f"{under.name} can't be probed: {under.unprobeable}", bad=True)
        elif len(functions) > MANY:
            question = ConfirmScreen(f"Probe {len(functions):,} functions at once?", COSTS)
            self.app.push_screen(question, lambda yes: self._go(functions, name) if yes else None)
        else:
            self._go(functions, name)

    def _go(self, functions: Sequence[Function], name: str = VIEWS[0].name) -> None:
        probe, self.probe = self.probe, None
        self.marks.start()
        self.show_marks()
        if probe is None:
            views = Views(self.target, self.modules, functions, self.hotness.hot(functions))
            views.chosen = self.functions.row
            self.console.open_view(name, views)
            return
        if functions and not probe.ended:
            probe.add(functions)
        self.app.push_screen(probe)

    def choose_more(self, probe: ProbeScreen) -> None:
        """The person comes back from a running probe to add functions to it."""
        self.probe = probe
        self.marks.start(probe.probed)
        self.show_marks()

    def left(self, probe: AttachedScreen[Any]) -> None:
        """The person comes back from a probe that is over."""
        self.over = probe.over
        if len(probe.views.functions) > 1:
            self.marks.toggle_all(probe.views.functions)
        self.show_marks()

    def action_back(self) -> None:
        """Clear the filter; then back to the running probe, or to the processes."""
        if self.clear_filter():
            return
        if self.probe:
            self._go(())
        elif len(self.app.screen_stack) > 2:
            self.app.pop_screen()
        else:
            self.console.open_mode("processes")
