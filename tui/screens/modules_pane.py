"""The left pane of the functions' screen: the modules that a process maps."""

from collections.abc import Callable, Sequence

from rich.cells import cell_len

from tui.elf.names import Module
from tui.screens.hotness import ALL, CPU, KERNEL, column
from tui.widgets.columns import Column, Sort
from tui.widgets.table import Table

SLIM = 70  # cells of a terminal; below, one pane is shown at a time
BESIDE = 12  # cells beside the names: cursor, shares, scroll bar, border
COUNTS = 11  # cells of the numbers of functions, where there is room


class ModulesPane(Table[Module]):
    """All of them first, then the executable; the kernel last, once it has a share.

    `count` says how many functions a module has, `sign` whether some are marked, `share` how much of the CPU time was
    in it.
    """

    def __init__(
        self, count: Callable[[Module], str], sign: Callable[[Module], str], share: Callable[[Module], float]
    ) -> None:
        columns = (
            Column[Module]("module", "MODULE", 8, lambda module, _: module.name, flexible=True, middle=True),
            column(share),
            Column[Module]("count", "FUNCTIONS", 9, lambda module, _: count(module), right=True, filler=True),
        )
        super().__init__(columns, lambda module: module.name, Sort("", False), mark=sign, id="modules")
        self.empty = "no module"
        self._share_of = share
        self._given: Sequence[Module] = ()

    def fill(self, modules: Sequence[Module], terminal: int) -> None:
        """Show these, in a terminal of so many cells; the cursor is on the first."""
        several = len(modules) > 1
        self._given = (ALL, *modules) if several else modules
        self.show(self._given, anew=True)
        if several:
            self.move_to(1)
            self.release()
        self.share(terminal)

    def sort_next(self) -> None:
        """By their shares of the CPU time, or the executable first again."""
        self.sort = Sort("", False) if self.sort.key else Sort(CPU, True)
        self.release()
        self.show(self._given)

    def sampled(self) -> None:
        """Shares have changed."""
        if KERNEL not in self._given and self._share_of(KERNEL):
            self._given = (*self._given, KERNEL)
            self.show(self.rows if self.sort.key else self._given)
        if self.sort.key:
            self.show(self.rows)
        else:
            self.repaint()

    def share(self, terminal: int) -> None:
        """Be as wide as the names need, up to two fifths; of one pane at a time the style sheet decides."""
        longest = max((cell_len(module.name) for module in self.rows), default=0)
        self.limit("module", longest)
        if terminal < SLIM:
            self.styles.clear_rule("width")
        else:
            most, needed = 2 * terminal // 5, longest + BESIDE
            self.styles.width = needed + COUNTS if needed + COUNTS <= most else min(most, needed)
