"""The second screen: a process's modules and functions, and which of them to probe."""

from collections.abc import Iterable, Sequence
from typing import Any

from textual import on
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from tui import text
from tui.elf.names import Function, Module
from tui.errors import BpfscopeError
from tui.screens.base import ConsoleScreen
from tui.screens.confirm import ConfirmScreen
from tui.screens.probe import ProbeScreen
from tui.screens.target import Target, function_key
from tui.widgets.actions import Action
from tui.widgets.columns import Column, Sort
from tui.widgets.filter import Haystack, Unfinished
from tui.widgets.lines import Detail, Phrase
from tui.widgets.order import by_column
from tui.widgets.pieces import Cell
from tui.widgets.table import Table

MANY = 2_000  # functions; probing more at once is asked about
REST = 0.12  # seconds that the cursor rests on a module before its functions are read

Key = tuple[str, int]


def _name(function: Function, _: int) -> Cell:
    if not function.aliases:
        return function.name
    return ((function.name, ""), (f"  also {', '.join(function.aliases)}", "dim"))


def _size(function: Function, _: int) -> Cell:
    return text.count(function.size) if function.size else "?"


def _words(function: Function) -> str:
    if function.raw_name == function.name and not function.aliases:
        return function.name
    return "\n".join((function.name, function.raw_name, *function.aliases))


COLUMNS: tuple[Column[Function], ...] = (
    Column("function", "FUNCTION", 16, _name, lambda function: function.name, middle=True, flexible=True),
    Column(
        "address",
        "ADDRESS",
        12,
        lambda function, _: f"{function.address:x}",
        lambda function: function.address,
        right=True,
        priority=2,
        narrow=9,
    ),
    Column("size", "SIZE", 8, _size, lambda function: function.size, descending=True, right=True, priority=1, narrow=7),
    Column(
        "origin",
        "SOURCE",
        8,
        lambda function, _: ((function.origin, "dim"),),
        lambda function: function.origin,
        priority=3,
    ),
)


class Loaded(Message):
    """A module's functions were read."""

    def __init__(self, module: Module, functions: tuple[Function, ...]) -> None:
        super().__init__()
        self.module = module
        self.functions = functions


class Failed(Message):
    """Something can't be read; `module` is None where that is the process itself."""

    def __init__(self, module: Module | None, reason: str) -> None:
        super().__init__()
        self.module = module
        self.reason = reason


class FunctionsScreen(ConsoleScreen):
    """Modules on the left, functions on the right."""

    CSS_PATH = "functions.tcss"
    NAME = "Functions"
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (70, "-narrow"), (100, "-wide")]
    ACTIONS = (
        Action(
            "enter",
            "enter",
            "probe",
            "probe",
            "Count the calls of the marked functions, or of the one under the cursor",
            0,
        ),
        Action("c", "c", "calls", "probe", "The same", 10),
        Action("space", "space", "mark", "mark", "Mark the function for probing, or unmark it", 2),
        Action("a", "a", "mark all", "mark_all", "Mark all functions that the filter leaves; again: unmark them", 3),
        Action(
            "slash",
            "/",
            "filter",
            "filter",
            "Keep names with this text, a glob with * and ?, or a /regex/; ! in front inverts",
            1,
        ),
        Action("tab", "tab", "modules", "pane", "Go to the other pane", 2),
        Action("s", "s", "sort", "sort", "Sort by the next column; a click on a title does it too", 5),
        Action("S", "S", "reverse", "sort_reverse", "Sort the other way round", 10),
        Action("escape", "esc", "back", "back", "Clear the filter, or go back", 4),
    )

    class ModulesRead(Message):
        """The process's modules are known."""

        def __init__(self, modules: tuple[Module, ...]) -> None:
            super().__init__()
            self.modules = modules

    def __init__(self, target: Target) -> None:
        super().__init__()
        self.target = target
        self.modules: tuple[Module, ...] = ()
        self.module: Module | None = None  # the chosen one
        self.marked: dict[Key, Function] = {}
        self.probe: ProbeScreen | None = None  # one that goes on while functions are added to it
        self._read: dict[str, tuple[Function, ...]] = {}
        self._failures: dict[str, str] = {}
        self._sorted: Sequence[Function] = ()
        self._haystack: Haystack[Function] = Haystack((), _words)
        self._unfinished = False

    def content(self) -> Iterable[Widget]:
        """Two panes."""
        modules: Table[Module] = Table(
            (
                Column("module", "MODULE", 8, lambda module, _: module.name, flexible=True, middle=True),
                Column("count", "FUNCTIONS", 9, self._count, right=True, priority=1),
            ),
            lambda module: module.name,
            Sort("", False),
            id="modules",
        )
        functions: Table[Function] = Table(
            COLUMNS,
            function_key,
            Sort("function", False),
            mark=self._mark_of,
            shade=lambda function: "dim" if function.unprobeable else "",
            arrange=lambda rows, _: rows,
            id="functions",
        )
        with Horizontal(id="panes"):
            yield modules
            yield functions
            yield Static(id="failure", markup=False)

    def on_mount(self) -> None:
        """Read the modules."""
        self._show_functions()
        self.functions.focus()
        self.run_worker(self._read_modules())

    async def _read_modules(self) -> None:
        try:
            self.post_message(self.ModulesRead(await self.sources.modules(self.target.pid)))
        except BpfscopeError as error:
            self.post_message(Failed(None, str(error)))

    async def _read_functions(self, module: Module) -> None:
        try:
            self.post_message(Loaded(module, await self.sources.functions(module)))
        except BpfscopeError as error:
            self.post_message(Failed(module, str(error)))

    def on_functions_screen_modules_read(self, event: ModulesRead) -> None:
        """Show them, and choose the executable."""
        self.modules = event.modules
        if not self.target.name and self.modules:
            self.target = self.target._replace(name=self.modules[0].name)
        table = self.modules_table
        table.empty = "no module"
        table.show(self.modules, anew=True)
        if self.modules:
            self._choose(self.modules[0])
        else:
            self._failures[""] = f"{self.target.title} maps no ELF file: there is nothing to probe"
            self._show_functions()

    def on_loaded(self, event: Loaded) -> None:
        """Show the functions if their module is still chosen."""
        self._read[event.module.name] = event.functions
        self.modules_table.repaint()
        if event.module == self.module:
            self._show_module()

    def on_failed(self, event: Failed) -> None:
        """Show the reason in the module's place."""
        self._failures[event.module.name if event.module else ""] = event.reason
        self._show_functions()

    # Panes

    @property
    def modules_table(self) -> Table[Module]:
        """The left pane."""
        return self.query_one("#modules", Table)

    @property
    def functions(self) -> Table[Function]:
        """The right pane."""
        return self.query_one("#functions", Table)

    def table(self) -> Table[Any]:
        """What `/` and `s` work on."""
        return self.functions

    @property
    def _among_modules(self) -> bool:
        return self.focused is self.modules_table

    def action_pane(self) -> None:
        """Go to the other pane."""
        target = self.functions if self._among_modules else self.modules_table
        self.set_class(target is self.modules_table, "-modules")
        self.set_focus(target)

    def on_descendant_focus(self) -> None:
        """Whichever way the focus went."""
        self.set_class(self._among_modules, "-modules")
        self.call_next(self.show_state)

    def _choose(self, module: Module) -> None:
        """Show this module's functions; read them where that wasn't done yet."""
        if module == self.module:
            return
        self.module = module
        self._show_module()
        if module.name not in self._read and module.name not in self._failures:
            self.run_worker(self._read_functions(module), group="functions")

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
    def sort_anew(self) -> None:
        """Sort the whole module once, not each filtered list."""
        self._sort()
        self.filtered()

    @on(Table.Chosen)
    async def open_chosen(self, event: Table.Chosen) -> None:
        """A double click is enter."""
        event.stop()
        await self.action_probe()

    # Functions

    def _show_module(self) -> None:
        self._sorted = self._read.get(self.module.name, ()) if self.module else ()
        self._sort()
        functions = self.functions
        functions.limit(
            "function",
            max(
                (len(f.name) + (len(f"  also {', '.join(f.aliases)}") if f.aliases else 0) for f in self._sorted),
                default=16,
            ),
        )
        self.query_one(Detail).one_line()
        self._show_functions(anew=True)

    def _sort(self) -> None:
        self._sorted = by_column(self._sorted, COLUMNS, self.functions.sort)
        self._haystack = Haystack(self._sorted, _words)

    def filtered(self) -> None:
        """Show what the filter leaves; half an expression leaves what was there."""
        self._show_functions(anew=True)

    def _show_functions(self, *, anew: bool = False) -> None:
        try:
            shown = self._haystack.matching(self.prompt.text)
            self._unfinished = False
        except Unfinished:
            self._unfinished = True
            self.show_state()
            return
        functions = self.functions
        failure = self._failures.get(self.module.name if self.module else "", "")
        self.query_one("#failure", Static).update(failure)
        self.set_class(bool(failure), "-failed")
        functions.empty = self._empty()
        functions.show(shown, anew=anew)
        self.show_state()

    def _empty(self) -> str:
        if self.module is None:
            return f"reading what {self.target.title} maps …"
        if self.module.name not in self._read:
            return f"reading {self.module.name} …"
        if self.prompt.text:
            return f"no function matches {self.prompt.text}; esc clears the filter"
        return f"{self.module.name} names no functions: it is stripped"

    def _count(self, module: Module, _: int) -> Cell:
        if module.name in self._failures:
            return "–"
        functions = self._read.get(module.name)
        return text.count(len(functions)) if functions is not None else ""

    def _probed(self) -> set[Key]:
        return self.probe.probed if self.probe else set()

    def _mark_of(self, function: Function) -> str:
        key = function_key(function)
        if self.probe and key in self.probe.probed:
            return "◉"
        return "●" if key in self.marked else "–" if function.unprobeable else ""

    # Lines

    def show_state(self) -> None:
        """The lines around the panes."""
        left: list[Phrase] = [(("Processes ▸ ", "dim"), (self.target.title, "title"))]
        right: list[Phrase] = [(self.target.language, "dim"), (self.module.path if self.module else "", "dim")]
        self.put_lines((left, right), self._state(), [(self.functions.sort_title, "dim")] if self._sorted else ())
        self._show_detail()

    def _state(self) -> list[Phrase]:
        total, shown = len(self._sorted), len(self.functions.rows)
        counted = text.plural(total, "function") if shown == total else f"{shown:,} of {text.plural(total, 'function')}"
        phrases: list[Phrase] = [("unfinished expression", "warn")] if self._unfinished else []
        if self.module and self.module.name in self._read:
            phrases.append((counted, "strong"))
        elif not self._failures.get(self.module.name if self.module else ""):
            phrases.append((self._empty(), "dim"))
        if self.marked:
            phrases.append((f"● {len(self.marked):,} marked", "accent"))
        if self.probe:
            phrases.append((f"◉ {len(self._probed()):,} probed", "good"))
        return phrases

    def _show_detail(self) -> None:
        if self._among_modules:
            module = self.modules_table.row
            self.query_one(Detail).show(module.path if module else "")
            return
        function = self.functions.row
        self.query_one(Detail).show(*(_spelt(function) if function else ("",)))

    def can(self, name: str) -> bool:
        """What does something now."""
        if name in ("mark", "probe", "sort", "sort_reverse"):
            return self.functions.row is not None and (name == "probe" or not self._among_modules)
        return name != "mark_all" or bool(self.functions.rows)

    def actions(self) -> list[Action]:
        """Two labels depend on where the person is."""
        labels = {"pane": "functions" if self._among_modules else "modules"}
        if self._among_modules:
            labels["probe"] = "functions"
        elif self.probe:
            labels |= {"probe": "add to the probe", "back": "back to the probe"}
        if self.prompt.is_open:
            labels["back"] = "clear"
        return [action._replace(label=labels.get(action.name, action.label)) for action in super().actions()]

    # Marks

    def action_mark(self) -> None:
        """Mark or unmark, and go on to the next."""
        function = self.functions.row
        if function is None:
            return
        key = function_key(function)
        if self.marked.pop(key, None) is None and self._eligible(function):
            self.marked[key] = function
        self.functions.action_move(1)
        self.functions.repaint()
        self.show_state()

    def action_mark_all(self) -> None:
        """Mark all that the filter leaves; if all are, unmark them."""
        eligible = {function_key(one): one for one in self.functions.rows if self._eligible(one)}
        if eligible.keys() <= self.marked.keys():
            for key in eligible:
                del self.marked[key]
        else:
            self.marked |= eligible
        self.functions.repaint()
        self.show_state()

    def _eligible(self, function: Function) -> bool:
        return not function.unprobeable and function_key(function) not in self._probed()

    # Away from here

    async def action_probe(self) -> None:
        """Probe what is marked, or the function under the cursor."""
        if self._among_modules:
            if self.modules_table.row:
                self._choose(self.modules_table.row)
            self.action_pane()
            return
        under = self.functions.row
        functions = tuple(self.marked.values())
        if not functions and under is not None and self._eligible(under):
            functions = (under,)
        if not functions and not self.probe:
            if under is not None:
                self.say(f"{under.name} can't be probed: {under.unprobeable}", bad=True)
            return
        if len(functions) > MANY:
            question = (
                f"Probe {len(functions):,} functions at once?",
                "Each of their calls costs the process about a microsecond, some ten.",
            )
            self.app.push_screen(ConfirmScreen(*question), lambda yes: self._go(functions) if yes else None)
        else:
            self._go(functions)

    def _go(self, functions: Sequence[Function]) -> None:
        self.marked.clear()
        self.functions.repaint()
        if self.probe is None:
            self.app.push_screen(ProbeScreen(self.target, self.modules, functions))
            self.show_state()
            return
        probe, self.probe = self.probe, None
        if functions:
            probe.add(functions)
        self.app.push_screen(probe)

    def choose_more(self, probe: ProbeScreen) -> None:
        """The person comes back from a running probe to add functions to it."""
        self.probe = probe
        self.functions.repaint()
        self.show_state()

    def action_back(self) -> None:
        """Clear the filter; then back to the running probe, or to the processes."""
        if self.clear_filter():
            return
        if self.probe:
            self.marked.clear()
            self._go(())
        elif len(self.app.screen_stack) > 2:
            self.app.pop_screen()
        else:
            self.console.show_processes()


def _spelt(function: Function) -> tuple[str, str]:
    """The function's whole name, and what is to be said about it."""
    notes = []
    if function.unprobeable:
        notes.append(f"– can't be probed: {function.unprobeable}")
    if function.raw_name != function.name:
        notes.append(function.raw_name)
    if function.aliases:
        notes.append(f"also {', '.join(function.aliases)}")
    return function.name, " · ".join(notes)
