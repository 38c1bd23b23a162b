"""Who calls: a flame graph of the stacks in which functions were called, from either end."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import ClassVar, Final

from textual.widget import Widget
from textual.widgets import Static

from tui import text
from tui.collectors.beginnings import early
from tui.collectors.samples import Stack, StacksSample
from tui.collectors.sources import Readings
from tui.elf.names import Function
from tui.export.flamegraph import flamegraph
from tui.export.folded import folded
from tui.export.speedscope import speedscope
from tui.screens.attached import AttachedScreen
from tui.screens.base import FASTER, FILTERS, MOVE, SLOWER
from tui.screens.pace import Pace
from tui.screens.session import Attaching
from tui.screens.spending import OFF
from tui.screens.views import BACK, SKIPPED, Views
from tui.widgets.actions import Action
from tui.widgets.filter import Haystack
from tui.widgets.flame import Flame
from tui.widgets.lines import Detail, Phrase
from tui.widgets.tree import Frame, Node, Weighted

CUT: Final = ("(more callers, which were not kept)", "")
TOP: Final = ("all", "")
WALK: Final = MOVE._replace(
    shown="↑ ↓ ← →", help="Go to the caller, the widest frame below, or one beside; j k and end too"
)


def weighted(stacks: Iterable[Stack], *, inverted: bool) -> list[Weighted]:
    """The stacks with their calls, from the root or from the called function on; where callers were cut off, it says so
    in their place.
    """
    whole = (((CUT, *stack.frames) if stack.cut else stack.frames, stack.calls) for stack in stacks if stack.calls)
    return [(frames[::-1], calls) for frames, calls in whole] if inverted else list(whole)


class StacksScreen(AttachedScreen[StacksSample]):
    """Looks at who calls functions as long as it lives."""

    VIEW = "stacks"
    CSS_PATH = "stacks.tcss"
    NAME = "Flame"
    ACTIONS = (
        Action("enter", "enter", "zoom in", "zoom_in", "Let this frame span the width; esc zooms out again", 1),
        Action("i", "i", "invert", "invert", "Put the called functions on top, and their callers below", 2),
        Action("slash", "/", "highlight", "filter", f"Highlight functions with this in their name: {FILTERS}", 3),
        Action("p", "p", "pause", "pause", "Stop painting, not counting; on return the numbers are current", 3),
        FASTER,
        SLOWER,
        SKIPPED,
        Action(
            "e", "e", "export", "export", "Write it as SVG, as folded stacks and for speedscope, into this folder", 6
        ),
        BACK,
    )
    ALWAYS = tuple(WALK if action == MOVE else action for action in AttachedScreen.ALWAYS)
    SIGNS: ClassVar[tuple[tuple[str, str], ...]] = (
        ("▌", "the cursor"),
        ("▏", "a frame begins; as wide as its share of the calls"),
        ("▏…", "frames too narrow to show; → and enter lead into them"),
        ("%", "of all calls"),
        ("without all callers", "code above keeps no frame pointers: who called it isn't known"),
        OFF,
    )

    def __init__(self, views: Views) -> None:
        super().__init__(views)
        self.inverted = False
        self.pace = Pace()
        self._root: Node | None = None
        self._merged: tuple[Sequence[Stack], bool] = ((), False)  # what the tree was made of, and which way
        self._matched: frozenset[Frame] = frozenset()
        self._through = 0  # calls through these
        self._early = 0  # calls whose outer callers aren't known

    def attach(self) -> Attaching[Readings[StacksSample]]:
        """Look at who calls them."""
        return self.sources.stacks(self.target.pid, self.modules, self.asked)

    def content(self) -> Iterable[Widget]:
        """The flame graph, or why there is none."""
        flame = Flame()
        flame.empty = self.busy
        yield flame
        yield Static(id="failure", markup=False)

    @property
    def flame(self) -> Flame:
        """The graph."""
        return self.query_one(Flame)

    def focus_content(self) -> None:
        """The graph has the keys first."""
        self.flame.focus()

    @property
    def calls_seen(self) -> int:
        """How many calls were seen."""
        return self.sample.calls if self.sample else 0

    def take(self, sample: StacksSample) -> None:
        """Note how many calls there are; the tree is made when it is looked at."""
        self.pace.take(sample.time, sample.calls, sample.elapsed)

    def under(self) -> Function | None:
        """The probed function of the frame under the cursor."""
        path = self.flame.cursor
        frames = path[-1:]
        return next((one for one in self.views.functions if (one.name, one.module) in frames), None)

    def exports(self) -> Mapping[str, Callable[[], str]]:
        """A picture, and what other programs read."""
        stacks = self.sample.stacks if self.sample else ()
        title = f"{self.target.title}: who calls {text.plural(self.count, 'function')}"
        return {
            "svg": lambda: flamegraph(stacks, title),
            "folded": lambda: "".join(folded(stacks)),
            "speedscope.json": lambda: speedscope(stacks, title),
        }

    # Painting

    def filtered(self) -> None:
        """Show the tree, and in it what matches."""
        if self.sample is not None:
            self._merge(self.sample)
            self._match()
            self.flame.empty = "no call yet: who calls these functions is shown as soon as one is called"
            off = {(function.name, function.module): OFF[0] for function in self.suspended}
            self.flame.show(self._root, self._matched, off)
        self.show_state()

    def _merge(self, sample: StacksSample) -> None:
        """Make the tree, if it isn't the one that is there."""
        if self._merged == (sample.stacks, self.inverted) and self._root is not None:
            return
        self._merged = sample.stacks, self.inverted
        self._early = early(sample.stacks)
        stacks = weighted(sample.stacks, inverted=self.inverted)
        self._root = Node(TOP, stacks) if stacks else None

    def _match(self) -> None:
        """Look for what is highlighted."""
        self._matched, self._through = frozenset(), 0
        if self._root is not None and self.prompt.wanted:
            found = self.leaves(Haystack(list(self._root.frames()), itemgetter(0)).matching)
            if self.prompt.wanted:  # it wasn't refused
                self._matched = frozenset(found)
                self._through = self._root.through(self._matched)

    def figures(self) -> list[Phrase]:
        """What the state line says of the numbers."""
        phrases: list[Phrase] = []
        if self.sample is None:
            return phrases
        if self._root is not None and self.prompt.wanted:
            share = f"{100 * self._through / self._root.calls:.1f} % pass through"
            phrases.append((f"{share} {text.plural(len(self._matched), 'matching function')}", "strong"))
        if not self.ended:
            phrases.append(self.pace.said("calls"))
        phrases.append((text.plural(self.sample.calls, "call"), ""))
        phrases.append((text.plural(len(self.sample.stacks), "stack"), ""))
        if self._early:
            phrases.append((f"{100 * self._early / self.sample.calls:.0f} % without all callers", "warn"))
        if self.inverted:
            phrases.append(("inverted", "accent"))
        return phrases

    def on_flame_moved(self) -> None:
        """Spell the frame out."""
        self.query_one(Detail).show(*spelt(self.flame.spine, inverted=self.inverted))
        self.show_keys()

    def can(self, name: str) -> bool:
        """What does something now."""
        if name in ("zoom_in", "invert", "filter") and self._root is None:
            return False
        return super().can(name) and (name != "zoom_in" or self.flame.cursor != self.flame.zoom)

    def actions(self) -> list[Action]:
        """Labels that depend on the state."""
        labels = {"invert": "root on top"} if self.inverted else {}
        if self.is_mounted and self.flame.zoom and not self.prompt.is_open:
            labels["back"] = "zoom out"
        return [action._replace(label=labels.get(action.name, action.label)) for action in super().actions()]

    # Actions

    def action_leave_filter(self) -> None:
        """Keep what is typed, and go back to the graph."""
        self.prompt.settle()
        self.focus_content()
        self.filtered()

    def action_zoom_in(self) -> None:
        """Let the frame under the cursor span the width."""
        self.flame.zoom_in()

    def on_flame_chosen(self) -> None:
        """A double click is enter."""
        self.action_zoom_in()

    def action_invert(self) -> None:
        """Turn the graph over."""
        self.inverted = not self.inverted
        self.flame.turn()
        self.filtered()

    def action_back(self) -> None:
        """Clear the filter, zoom out; then detach and go back."""
        if self.prompt.is_open or not self.flame.zoom_out():
            super().action_back()


def spelt(spine: Sequence[Node], *, inverted: bool) -> tuple[str, str]:
    """A frame's whole name, and what is known of it; `spine` leads to it from the top."""
    if not spine:
        return "", ""
    top, node = spine[0], spine[-1]
    notes = [node.frame[1], text.plural(node.calls, "call")]
    if len(spine) > 1:
        notes.append(f"{100 * node.calls / top.calls:.1f} % of all")
    if len(spine) > 2:
        notes.append(f"{100 * node.calls / spine[-2].calls:.1f} % of parent")
    if len(spine) > 1 and (own := node.own):
        notes.append(f"{own:,} {'begin' if inverted else 'end'} here")
    return node.frame[0], " · ".join(filter(None, notes))
