"""The second screen: a process's modules and functions, and which of them to probe."""

from collections.abc import Iterable, Sequence
from typing import Any

from textual import on
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Static

from tui.elf.names import Function
from tui.screens.attached import AttachedScreen
from tui.screens.base import CURSOR, CUT, MARKED, REVERSE, SORT, SORTED, counted, filter_by
from tui.screens.catalogue import OF_THE_KERNEL
from tui.screens.code_pane import ACTIONS, JUMPED_TO, CodePane, Wanted
from tui.screens.confirm import ConfirmScreen
from tui.screens.function_rows import COLUMNS, UNNAMED, spelt
from tui.screens.hotness import ALL, KERNEL, SHARES
from tui.screens.listing import ListingScreen
from tui.screens.marks import ONLY, PARTLY
from tui.screens.modules_pane import SLIM, ModulesPane
from tui.screens.probe import ProbeScreen
from tui.screens.target import Target, function_key
from tui.screens.views import VIEWS, Views
from tui.widgets.actions import Action
from tui.widgets.columns import Sort
from tui.widgets.lines import Detail, Phrase
from tui.widgets.table import Table

MANY = 2_000  # functions; probing more at once is asked about
COSTS = "Each of their calls then costs the process 1 to 15 µs."
FURTHER = f"; ~ finds letters in this order, pkg: a package, file: a source file or line, {ONLY} what is marked"
HINT_SECONDS = 15


class FunctionsScreen(ListingScreen):
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
        Action("tab", "tab", "modules", "pane", "Go to the other pane; its first row is all modules in one list", 4),
        Action("n", "n", "raw names", "raw_names", "Show names as the file has them, or readable ones", 6),
        *ACTIONS,
        SORT,
        REVERSE,
        Action("escape", "esc", "back", "back", "Clear the filter, or go back", 0),
    )
    SIGNS = (
        CURSOR,
        MARKED,
        PARTLY,
        ("◉", "probed"),
        ("–", "can't be probed, or read"),
        SHARES,
        UNNAMED,
        JUMPED_TO,
        SORTED,
        CUT,
    )

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.probe: ProbeScreen | None = None  # one that goes on while functions are added to it

    def content(self) -> Iterable[Widget]:
        """Two panes."""
        functions: Table[Function] = Table(
            (COLUMNS[0], self.share, *COLUMNS[1:]),
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
        self.show_functions()
        self.functions.focus()
        self.read_process()

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

    @on(Table.Moved, "#functions")
    def spell_out(self, event: Table.Moved) -> None:
        """Spell the function's name out."""
        event.stop()
        self._show_detail()
        self.show_keys()

    @on(Table.Chosen)
    async def open_chosen(self, event: Table.Chosen) -> None:
        """A double click is enter."""
        event.stop()
        await self.action_probe()

    # Lines

    def action_sort(self) -> None:
        """Sort the pane that has the keys."""
        (self.modules_table if self.among_modules else self.functions).sort_next()

    def show_state(self) -> None:
        """The lines around the panes."""
        left: list[Phrase] = [(("Processes ▸ ", "dim"), (self.target.title, "title"))]
        right: list[Phrase] = [(self.target.language, "dim"), (self.module.path if self.module else "", "dim")]
        order = [(self.functions.sort_title, "dim")] if self.haystack.rows else ()
        self.put_lines((left, right), self._state(), order)
        self._show_detail()

    def _state(self) -> list[Phrase]:
        total, shown = len(self.haystack.rows), len(self.functions.rows)
        phrases: list[Phrase] = [(self.over, "warn")]
        if self.catalogue.has(self.module):
            phrases.append((counted(shown, total, "function"), "strong"))
            phrases.append((self.catalogue.progress() if self.module == ALL else "", "dim"))
        elif not self.catalogue.failure(self.module) and self.module != KERNEL:
            phrases.append((self.why_empty(), "dim"))
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
        return self.catalogue.failure(self.module) or self.why_empty()

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
                self.choose(self.modules_table.row)
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
