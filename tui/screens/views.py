"""The views of one probe: what can be measured of its functions, each under a letter. Pure: knows no widget."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tui import text
from tui.elf.names import Function, Module
from tui.screens.off import Kind, Off, merged
from tui.screens.target import Key, Target, function_key
from tui.widgets.actions import Action
from tui.widgets.pieces import Piece

if TYPE_CHECKING:
    from tui.screens.attached import AttachedScreen


class View(NamedTuple):
    """One way to look at functions."""

    key: str
    name: str  # of the view, in code
    title: str
    help: str  # a sentence

    def action(self, rank: int) -> Action:
        """What opens it."""
        return Action(self.key, self.key, self.title.lower(), f"view('{self.name}')", self.help, rank)


VIEWS: Final = (
    View("c", "calls", "Calls", "Count the calls"),
    View("l", "latency", "Latency", "Time the calls: percentiles, total and self time"),
    View("f", "stacks", "Flame", "See who calls: a flame graph of the callers"),
    View("g", "arguments", "Arguments", "See the arguments of the function under the cursor"),
    View("v", "events", "Events", "See each call as it happens"),
)
_TITLES: Final = {view.name: view.title for view in VIEWS}
SWITCHING: Final = tuple(view.action(10) for view in VIEWS)
SKIPPED = Action("x", "x", "skipped", "skipped", "List the functions that are not probed, or not exactly, and why", 6)
UNDO = Action(
    "u", "u", "put back", "undo", "Put back what the budget took off, and keep no budget any more; again: keep it", 3
)
EXPORT = Action("e", "e", "export", "export", "Write the numbers to a JSON file in the current folder", 6)
RESET = Action("r", "r", "reset", "reset", "Count from here", 2)
BPFTRACE = Action("w", "w", "as bpftrace", "bpftrace", "Show the nearest bpftrace program, and what is wrong in it", 9)
BACK = Action(
    "escape",
    "esc",
    "back",
    "back",
    "Clear the filter, or detach everything and go back; asks first where numbers would be lost",
    0,
)


def title_of(name: str) -> str:
    """A view's title, by its name."""
    return _TITLES[name]


class Views:
    """A target's functions, and the screens that show what is measured of them; the person switches between these."""

    def __init__(
        self,
        target: Target,
        modules: Sequence[Module],
        functions: Sequence[Function],
        hot: frozenset[Key] = frozenset(),
    ) -> None:
        """`hot`: those that took CPU time before anything was probed."""
        self.target = target
        self.modules = modules
        self.functions = tuple(functions)
        self.hot = hot
        self.chosen: Function | None = None  # under the cursor when a view was opened
        self.screens: dict[str, AttachedScreen[Any]] = {}

    def add(self, functions: Sequence[Function]) -> None:
        """These are probed too."""
        known = set(map(function_key, self.functions))
        self.functions += tuple(function for function in functions if function_key(function) not in known)

    def remove(self, functions: Sequence[Function]) -> None:
        """These are not probed any more."""
        gone = set(map(function_key, functions))
        self.functions = tuple(function for function in self.functions if function_key(function) not in gone)

    def over(self) -> str:
        """That the target has ended, in a sentence, once a view has seen it."""
        return next((screen.over for screen in self.screens.values() if screen.ended), "")

    def holding(self) -> str:
        """How many functions are attached, or are about to be, in words; where views differ in that, of each."""
        held = [(view.title, self.screens[view.name]) for view in VIEWS if view.name in self.screens]
        counts = {title: screen.count for title, screen in held if screen.holds and screen.count}
        if len(counts) > 1:
            counts.pop(_TITLES["arguments"], None)  # always of one, which others have too
        if len(set(counts.values())) < 2:
            return text.plural(next(iter(counts.values())), "function") if counts else ""
        (first, most), *others = counts.items()
        return ", ".join((f"{text.plural(most, 'function')} in {first}", *(f"{n:,} in {title}" for title, n in others)))

    def off(self) -> tuple[Off, ...]:
        """What the budget took off, what could not be probed, and what not exactly: in any view, with these views."""
        opened = [(view.title, self.screens[view.name]) for view in VIEWS if view.name in self.screens]
        taken = [
            Off(one, why, (title,), Kind.TAKEN) for title, screen in opened for one, why in screen.suspended.items()
        ]
        skipped = [Off(*one, (title,)) for title, screen in opened for one in screen.skipped]
        inexact = [Off(*one, (title,), Kind.INEXACT) for title, screen in opened for one in screen.inexact]
        return merged((*taken, *skipped, *inexact))

    def taken_off(self) -> tuple[Off, ...]:
        """Only what the budget took off."""
        return tuple(one for one in self.off() if one.kind is Kind.TAKEN)

    def tabs(self, shown: str, *, short: bool = False) -> tuple[Piece, ...]:
        """The letters and titles of all views; those that run are not dim, the one that is shown stands out.

        `short`: only the title of that one.
        """
        pieces: list[Piece] = []
        for view in VIEWS:
            role = "title" if view.name == shown else "" if view.name in self.screens else "dim"
            title = f" {view.title}" if view.name == shown or not short else ""
            pieces += [("  " if pieces else "", ""), (view.key, "key"), (title, role)]
        return tuple(pieces)
