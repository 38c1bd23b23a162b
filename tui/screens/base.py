"""What all screens have in common: context, state, rule, content, detail, keys; the filter line; help and quit."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.events import Key
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from tui import text
from tui.collectors.sources import Sources
from tui.widgets.actions import Action, bindings
from tui.widgets.filter import TooSlow
from tui.widgets.lines import Detail, KeyLine, Line, Rule
from tui.widgets.prompt import Prompt
from tui.widgets.table import Table

if TYPE_CHECKING:
    from tui.app import Bpfscope

FILTERS = "text, a glob with * and ?, or a /regex/; ! in front inverts"
SORT = Action("s", "s", "sort", "sort", "Sort by the next column; a click on a title does it too", 5)
REVERSE = Action("S", "S", "reverse", "sort_reverse", "Sort the other way round", 10)
FASTER = Action("plus,equals_sign", "+ -", "rate", "faster", "Read more often, or less often", 9)
SLOWER = Action("minus", "-", "slower", "slower", "Read less often", 10, listed=False)
HELP = Action("question_mark", "?", "help", "app.help", "Show all keys of this screen", 1)
QUIT = Action("q", "q", "quit", "app.quit", "Quit; asks first while a probe is attached", 2)
PALETTE = Action("", "ctrl+p", "commands", "app.command_palette", "Find any of these commands by name", 10)
MOVE = Action("", "↑ ↓ j k", "move", "", "Move the cursor; home, end, page up and page down too", 10)
TYPING = (
    Action("", "enter", "to the list", "", "Keep the filter and go back to the list", 0),
    Action("", "esc", "clear", "", "Clear the filter; once more: close it", 1),
)
CURSOR = ("▌", "the cursor")
MARKED = ("●", "marked")
SORTED = ("↓ ↑", "sorted by this column")
CUT = ("…", "cut; the line above the keys has it whole")
Row = TypeVar("Row")
INTERVALS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0)


class ConsoleScreen(Screen[Any]):
    """One line of context, one of state, a rule, the content, the whole text of the row, the keys."""

    ACTIONS: ClassVar[tuple[Action, ...]] = ()
    ALWAYS: ClassVar[tuple[Action, ...]] = (HELP, QUIT, PALETTE, MOVE)  # what others can do, too
    NAME: ClassVar[str] = ""
    SIGNS: ClassVar[tuple[tuple[str, str], ...]] = (CURSOR, SORTED, CUT)  # what the screen shows, and what it means
    ESCAPE_TO_MINIMIZE = False
    passing: ClassVar[bool] = False  # it stands above a mode's first screen and holds nothing: another mode closes it
    AUTO_FOCUS = ""

    def __init_subclass__(cls) -> None:
        """Make the bindings from the registry."""
        cls.BINDINGS = bindings(action for action in (*cls.ACTIONS, *cls.ALWAYS) if action.keys)
        super().__init_subclass__()

    def compose(self) -> ComposeResult:
        """The lines around the content."""
        yield Line(id="context")
        with Horizontal(id="status"):
            yield Prompt()
            yield Line(id="state")
        yield Rule()
        yield from self.content()
        yield Detail()
        yield KeyLine()

    def on_mount(self) -> None:
        """Begin, unless the console has ended while the screen was made: nothing is in it then."""
        if self.children:
            self.begin()
            self.call_next(self.take_keys)

    @property
    def ready(self) -> bool:
        """Whether keys can act; until then they wait."""
        return self.is_mounted and bool(self.children)

    def take_keys(self) -> None:
        """Let the keys act that have waited for this screen."""
        self.app.call_next(self.console.catch_up)

    def begin(self) -> None:
        """The screen is there: fill it."""

    def content(self) -> Iterable[Widget]:
        """The screen's own widgets."""
        return ()

    @property
    def console(self) -> "Bpfscope":
        """The application."""
        return cast("Bpfscope", self.app)

    @property
    def sources(self) -> Sources:
        """Where data comes from."""
        return self.console.sources

    @property
    def prompt(self) -> Prompt:
        """The filter line."""
        return self.query_one(Prompt)

    def leave_for(self, mode: str) -> bool:  # noqa: ARG002 - for screens that hold something
        """Whether the screen goes to that mode itself, since it takes something off first."""
        return False

    def action_mode(self, name: str) -> None:
        """Go to another mode."""
        self.console.open_mode(name)

    def can(self, name: str) -> bool:  # noqa: ARG002 - for screens that know better
        """Whether an action does something now."""
        return True

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Textual asks this before it runs a binding."""
        if action in ("leave_filter", "empty_filter"):
            return True
        named = f"{action}({', '.join(map(repr, parameters))})" if parameters else action
        return self.can(action) and self.can(named)

    @property
    def holding(self) -> tuple[int, str]:
        """How many of what are attached by this screen, or are about to be."""
        return 0, ""

    def actions(self) -> list[Action]:
        """What can be done now, the screen's own first."""
        return [action for action in (*self.ACTIONS, *self.ALWAYS) if self.can(action.name)]

    def show_keys(self) -> None:
        """Bring the key line up to date."""
        if not self.is_mounted:
            return
        shown = TYPING if self.prompt.typing else [action for action in self.actions() if action.rank < 10]
        self.query_one(KeyLine).show(shown)

    def say(self, text: str, *, bad: bool = False) -> None:
        """A notice for a few seconds; never markup."""
        self.notify(text, markup=False, severity="error" if bad else "information")

    def put_lines(self, context: Sequence[Any], state: Sequence[Any], right: Sequence[Any] = ()) -> None:
        """Fill the context line (left, right) and the state line."""
        self.query_one("#context", Line).show(*context)
        line = self.query_one("#state", Line)
        if complaint := self.prompt.complaint:
            first = 1 if state and state[0][1:] == ("warn",) else 0  # that the target has ended matters more
            state = [*state[:first], (complaint, "warn"), *state[first:]]
        line.show(*(((), (*state, *right)) if self.prompt.is_open else (state, right)))
        self.show_keys()

    def show_state(self) -> None:
        """Bring the lines around the content up to date."""

    def table(self) -> Table[Any]:
        """The table that has the keys."""
        return self.query_one(Table)

    # The filter line

    def action_filter(self) -> None:
        """Type a filter."""
        self.prompt.open()
        self.filtered()

    def filtered(self) -> None:
        """The filter changed: show what it leaves."""

    def leaves(self, match: Callable[[str], Sequence[Row]]) -> Sequence[Row]:
        """What the filter leaves, of something that matches; all, where the filter takes too long."""
        try:
            return match(self.prompt.wanted)
        except TooSlow:
            self.prompt.refuse()
            return match(self.prompt.wanted)

    def on_prompt_changed(self, event: Prompt.Changed) -> None:
        """As one types."""
        event.stop()
        self.filtered()

    def types(self, key: Key) -> bool:
        """Type a character of the filter, if one is being typed."""
        return isinstance(self.focused, Input) and self.prompt.takes(key)

    def action_leave_filter(self) -> None:
        """Keep what is typed, and go back to the list."""
        self.prompt.settle()
        self.set_focus(self.table())
        self.filtered()

    def action_empty_filter(self) -> None:
        """Clear what is typed; where nothing is, go back to the list."""
        if self.prompt.empty():
            self.filtered()
        else:
            self.action_leave_filter()

    def on_descendant_focus(self) -> None:
        """Other keys apply."""
        self.call_next(self.show_keys)

    def clear_filter(self) -> bool:
        """Whether there was a filter to clear."""
        if not self.prompt.is_open:
            return False
        self.prompt.clear()
        self.filtered()
        return True

    # Keys that all lists have

    def action_sort(self) -> None:
        """Sort by the next column."""
        self.table().sort_next()

    def action_sort_reverse(self) -> None:
        """Sort the other way round."""
        self.table().sort_reverse()

    async def on_key_line_pressed(self, event: KeyLine.Pressed) -> None:
        """A key was clicked."""
        if event.action.name:
            await self.app.run_action(event.action.name, self)


def filter_by(what: str, rank: int, more: str = "") -> Action:
    """The filter: the same language on every screen; `more` of it makes sense on this one."""
    return Action("slash", "/", "filter", "filter", f"Keep {what}: {FILTERS}{more}", rank)


def counted(shown: int, total: int, noun: str) -> str:
    """54 functions; or, if the filter hides some, 3 of 54 functions."""
    whole = text.plural(total, noun)
    return whole if shown == total else f"{shown:,} of {whole}"


def quicker(interval: float) -> float:
    """The next shorter interval."""
    return max((one for one in INTERVALS if one < interval), default=INTERVALS[0])


def slower(interval: float) -> float:
    """The next longer interval."""
    return min((one for one in INTERVALS if one > interval), default=INTERVALS[-1])
