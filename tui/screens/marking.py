"""A screen whose functions are marked: one by one, by packages, by modules, or all that a filter leaves."""

from tui import text
from tui.elf.names import Function
from tui.screens.hotness import ALL, KERNEL
from tui.screens.modules_pane import ModulesPane
from tui.screens.reading import ReadingScreen
from tui.screens.target import Target
from tui.widgets.table import Table


class MarkingScreen(ReadingScreen):
    """What is marked is in `marks`."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._to_mark = ""  # a module, when its functions are read

    @property
    def modules_table(self) -> ModulesPane:
        """The left pane."""
        return self.query_one(ModulesPane)

    @property
    def functions(self) -> Table[Function]:
        """The right pane."""
        return self.query_one("#functions", Table)

    @property
    def among_modules(self) -> bool:
        """Whether the left pane has the keys."""
        return self.focused is self.modules_table

    def action_mark(self) -> None:
        """Mark or unmark, and go on to the next; among modules all functions of one, when they are read."""
        if self.among_modules and (module := self.modules_table.row):
            if module in (ALL, KERNEL):
                self.say("mark modules one by one; or filter all functions, and mark what is left with a")
                return
            self.read_module(module)
            self._to_mark = module.name
            self.mark_module()
        elif self.functions.row is not None:
            self.marks.toggle(self.functions.row)
            self.functions.action_move(1)
            self.show_marks()

    def mark_module(self) -> None:
        """Mark the module that is to be marked, if it is read by now."""
        if functions := self.catalogue.of(self._to_mark):
            self._to_mark = ""
            self.marks.toggle_all(functions)
            self.show_marks()

    def action_mark_package(self) -> None:
        """Mark all of the module that belongs to the same as the function under the cursor; if all are, unmark them."""
        function = self.functions.row
        if function is not None and not self.marks.toggle_package(function, self.among(function)):
            self.say(f"{function.name} belongs to no package, namespace or class that its name would tell")
        self.show_marks()

    def action_mark_all(self) -> None:
        """Mark all that the filter leaves; if all are, unmark them."""
        before = len(self.marks)
        self.marks.toggle_all(self.functions.rows)
        if len(self.marks) < before:
            self.say(f"{text.plural(before - len(self.marks), 'function')} unmarked: all of these were marked")
        self.show_marks()

    def among(self, function: Function) -> tuple[Function, ...]:
        """The functions of the same module."""
        return self.catalogue.of(function.module)

    def show_marks(self) -> None:
        """Marks have changed."""
        self.functions.repaint()
        self.modules_table.repaint()
        self.show_state()
