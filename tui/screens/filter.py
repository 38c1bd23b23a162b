"""Filters on interfaces, live: the expression, its program with hits, what matches, by whom.

Typing shows the program of what is typed; enter attaches it. Everything is counted in the kernel. A change (another
expression, hook, grouping) attaches anew first and takes the old filters off then, so nothing is unwatched for long;
one that fails leaves the old filters where they are. Every way out takes everything off.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from textual.events import Key
from textual.widgets import Input

from tui import text
from tui.collectors.filters import BY, ExpressionError, Filter, RejectsAll
from tui.collectors.samples import Interface
from tui.errors import BpfscopeError
from tui.export import pcap
from tui.screens import past
from tui.screens.confirm import ConfirmScreen
from tui.screens.exporting import Content, written
from tui.screens.filter_run import Spec
from tui.screens.filter_run import document as document_of
from tui.screens.filter_view import BESIDE, FilterView
from tui.screens.hook_choice import XDP_NOTE, HookScreen
from tui.screens.packets import PacketsScreen
from tui.widgets.table import Table

if TYPE_CHECKING:
    from textual.timer import Timer

PAUSE: Final = 0.06  # seconds after the last letter until its program is made
LOOKING: Final = 2.0  # seconds between looks whether the interfaces are up
FILTERS_SHOWN: Final = 5
LOSING: Final = "All that was counted is lost then; e exports it."


class FilterScreen(FilterView):
    """Watches packets of interfaces as long as it lives."""

    def __init__(self, interfaces: Sequence[Interface]) -> None:
        super().__init__(interfaces)
        self._timer: Timer | None = None
        self._typed = 0  # numbers what is typed: an answer to what isn't there any more is passed over
        self._view: PacketsScreen | None = None
        self._checking = False  # whether what was entered can be attached

    # Beginning and ending

    def begin(self) -> None:
        """Watch everything, until something is typed."""
        self.set_focus(self.entry.field)
        self.run.apply()
        self.run_worker(self._watch_links(), group="links")
        self.paint()

    async def _watch_links(self) -> None:
        """Know which of the interfaces are set down. Where that can't be read, the figures say enough."""
        chosen = {one.ifindex for one in self.interfaces}
        with suppress(BpfscopeError):
            async for sample in self.sources.interfaces(LOOKING):
                down = tuple(one.name for one in sample.interfaces if one.ifindex in chosen and one.state == "down")
                if down != self.down:
                    self.down = down
                    self.show_state()

    @property
    def holding(self) -> str:
        """What quitting would take off."""
        return text.plural(self.run.holding, "filter") if self.run.holding else ""

    def start(self) -> None:
        """Read, from now on at this interval."""
        self.run.read()

    def action_back(self) -> None:
        """Take all off and go back, after a question where numbers would be lost."""
        self.leave_for("network")

    def action_mode(self, name: str) -> None:
        """Take all off and go to another mode."""
        self.leave_for(name)

    def leave_for(self, mode: str) -> bool:
        """Take all off and go to that mode, after a question where numbers would be lost."""
        if self.holding and self.run.counted.seen:
            question = ConfirmScreen(f"Detach {self.holding} and go back?", LOSING)
            self.app.push_screen(question, lambda yes: self._go(mode) if yes else None)
        else:
            self._go(mode)
        return True

    def _go(self, mode: str) -> None:
        if not self.run.leaving:
            self.run.leaving = True
            self.run_worker(self._leave(mode), group="leave")
            self.show_state()

    async def _leave(self, mode: str) -> None:
        if why := await self.run.leave():
            self.say(why, bad=True)
        while self in self.app.screen_stack:  # a help or packets may have been opened above
            self.app.pop_screen()
        self.console.open_mode(mode)

    async def on_unmount(self) -> None:
        """Whatever took the screen away, nothing stays attached."""
        await self.run.leave()

    # What happens

    def on_run_changed(self) -> None:
        """Other filters run, or it was refused."""
        if not self.is_mounted or not self.children:
            return
        self._added = self._added and not self.run.failure
        self.filters.styles.height = 1 + min(FILTERS_SHOWN, max(1, len(self.run.slots)))
        self.paint()

    def on_run_anew(self, what: str) -> None:
        """Say that what had been counted is gone."""
        self.say(f"{what}: counting from here" if what != "counted" else "counting from here")

    def on_run_arrived(self) -> None:
        """There is a new reading."""
        if self.run.ended:
            self.paused = False
        if self._view is not None and self._view.is_running:
            self._view.packets_arrived()
        if self.is_current and not self.paused:
            self.paint()

    def on_screen_resume(self) -> None:
        """What came meanwhile."""
        if self.run.counted.sample is not None and not self.paused:
            self.paint()

    def show_latest(self) -> None:
        """Paint the last reading, or that it is paused."""
        self.paint()

    def filtered(self) -> None:
        """The base's word for painting anew."""
        self.paint()

    # The expression

    def types(self, key: Key) -> bool:
        """Type a character of the expression, if it is being typed."""
        return isinstance(self.focused, Input) and self.entry.takes(key)

    def on_entry_changed(self) -> None:
        """Make the program of what is typed, in a moment."""
        self._typed += 1
        if self._timer is not None:
            self._timer.stop()
        if self.entry.typing:
            self._timer = self.set_timer(PAUSE, self._make_preview)
        self.show_state()

    def _make_preview(self) -> None:
        self.run_worker(self._preview(self._typed, self.entry.text), group="preview", exclusive=True)

    async def _preview(self, number: int, typed: str) -> None:
        preview, complaint = await self._made(typed, preview=True)
        if number == self._typed:
            self.preview, self.complaint = preview or self.preview, complaint
            self.paint()

    async def _made(self, typed: str, *, preview: bool) -> tuple[Filter | None, tuple[str, int | None]]:
        """The filter, or what is wrong with it and where."""
        spec, interface = self.run.spec_of(self.chosen)
        try:
            made = self.sources.filter(typed, spec.hook, interface, optimise=self.run.optimise, preview=preview)
            return await made, ("", None)
        except RejectsAll as error:
            return None, (error.reason, None)
        except ExpressionError as error:
            return None, (error.reason, error.column)
        except BpfscopeError as error:
            return None, (str(error).partition("\n")[0], None)

    def action_edit(self) -> None:
        """Type the expression of the filter under the cursor."""
        spec, _ = self.run.spec_of(self.chosen)
        self.entry.put(spec.expression)
        self.set_focus(self.entry.field)
        self.preview, self.complaint = None, ("", None)
        self.paint()

    def action_apply(self) -> None:
        """Attach what is typed, and go to the figures."""
        if not self._checking:
            self._checking = True  # keys wait, since they go to the line or to the figures
            self.run_worker(self._check(self.entry.text.strip()), group="check")

    @property
    def ready(self) -> bool:
        """Whether keys can act; until then they wait."""
        return super().ready and not self._checking

    async def _check(self, typed: str) -> None:
        """Attach it if it is right; else stay in the line, and say what is wrong."""
        self._typed += 1  # what is still made of what was typed before says nothing new
        if self._timer is not None:
            self._timer.stop()
        try:
            made, complaint = await self._made(typed, preview=False)
            if made is None:
                self.complaint = complaint
                self.paint()
            else:
                self._use(typed)
        finally:
            self._checking = False
            self.take_keys()

    def _use(self, typed: str) -> None:
        self.entry.past.add(typed)
        self.run_worker(asyncio.to_thread(past.write, list(self.entry.past.entries)), group="past")
        self._added = self.run.pending is not None
        if not self.run.change(self.chosen, expression=typed):
            self._added = False
            self.say("this filter is there already")
        self._to_figures()

    def action_leave_entry(self) -> None:
        """Keep what runs."""
        if self.run.pending is not None:  # another filter was begun to be added
            self.run.pending = None
        self._typed += 1
        self.entry.put(self.run.spec_of(self.chosen)[0].expression)
        self._to_figures()

    def _to_figures(self) -> None:
        self.preview, self.complaint = None, ("", None)
        self.set_focus(self.listing if self.has_class("-code") and self.has_class("-slim") else self._figures())
        self.paint()

    def _figures(self) -> Table[Any]:
        return self.groups if self.groups.display else self.listing if self.listing.display else self.filters

    def action_older(self) -> None:
        """What was entered before."""
        self.entry.older()

    def action_newer(self) -> None:
        """What was entered after that."""
        self.entry.newer()

    def action_complete(self) -> None:
        """The next word that may stand here."""
        self.entry.complete()

    # Keys

    def action_pane(self) -> None:
        """The next pane; where there is room for one, the other one. Bars have no cursor: nothing has the keys then."""
        panes: list[Table[Any] | None] = [self.groups if self.groups.display else None, self.listing]
        if len(self.run.slots) > 1:
            panes.append(self.filters)
        focused = self.focused if isinstance(self.focused, Table) else None
        if self.has_class("-slim") and focused is None and self.has_class("-code"):
            focused = self.listing
        at = panes.index(focused) if focused in panes else 0
        following = panes[(at + 1) % len(panes)]
        if following is not self.filters:
            self.set_class(following is self.listing, "-code")
        self.set_focus(following)
        self.call_after_refresh(self.paint)

    def action_by(self, step: int) -> None:
        """Group by something else."""
        self.run.by = BY[(BY.index(self.run.by) + step) % len(BY)]
        self.run.apply()

    def action_hook(self) -> None:
        """Choose another hook."""
        spec, _ = self.run.spec_of(self.chosen)
        self.app.push_screen(HookScreen(self.interfaces, spec.hook), self._hook_chosen)

    def _hook_chosen(self, answer: tuple[str, bool] | None) -> None:
        if answer is None:
            return
        hook, add = answer
        act = partial(self._use_hook, hook, add=add)
        if hook == "xdp":
            names = ", ".join(one.name for one in self.interfaces)
            self.app.push_screen(ConfirmScreen(f"Attach XDP to {names}?", XDP_NOTE), lambda yes: act() if yes else None)
        else:
            act()

    def _use_hook(self, hook: str, *, add: bool) -> None:
        if add:
            spec, _ = self.run.spec_of(self.chosen)
            self._added = self.run.add(Spec(hook, spec.expression))
            if not self._added:
                self.say("this filter is there already")
        else:
            self.run.change(self.chosen, hook=hook)

    def action_add(self) -> None:
        """Type another filter, which is compared."""
        spec, _ = self.run.spec_of(self.chosen)
        self.run.pending = Spec(spec.hook, "")
        self.entry.put("")
        self.set_focus(self.entry.field)
        self.preview, self.complaint = None, ("", None)
        self.paint()

    def action_drop(self) -> None:
        """Take the filter under the cursor off, at all interfaces."""
        self.run.drop(self.chosen)

    def action_optimise(self) -> None:
        """With libpcap's optimiser, or without."""
        self.run.optimise = not self.run.optimise
        self.run.apply()

    def action_language(self) -> None:
        """Classic, eBPF, or both."""
        turns: list[tuple[str, ...]] = [("classic", "extended"), ("extended",), ("classic",)]
        if self.listing.size.width < BESIDE:
            turns = turns[:2]
        at = turns.index(self.languages) if self.languages in turns else 0
        self.languages = turns[(at + 1) % len(turns)]
        self.explains = False
        self._show_listing()

    def action_explain(self) -> None:
        """What each instruction does, in words."""
        self.explains = not self.explains
        self._show_listing()

    def _show_listing(self) -> None:
        self.add_class("-code")
        self.set_focus(self.listing)
        self.call_after_refresh(self.paint)

    def action_reset(self) -> None:
        """Count from here."""
        if self.run.counted.resettable:
            self.run.counted.reset()
            self.paint()
        else:
            self.run.apply()

    def action_packets(self) -> None:
        """Look at packets that matched."""
        self._view = PacketsScreen(self.interfaces, self.run)
        self.app.push_screen(self._view)

    def action_export(self) -> None:
        """Write what is known to files."""
        records = [row.record for row in self.run.tail.rows]
        contents: dict[str, Content] = {"json": document_of(self.run)}
        if records:
            contents["pcap"] = lambda: pcap.encode(records)
        self.run_worker(self._export(contents))

    async def _export(self, contents: Mapping[str, Content]) -> None:
        said, bad = await written(self.interfaces[0].name, contents)
        self.say(said, bad=bad)
