"""What the views of a probe have in common: each attaches what it measures with, reads it, and every way out detaches.

A view attaches when it is first opened, and goes on measuring while another one is looked at; leaving any of them
detaches all.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, ClassVar, Generic

from textual.message import Message
from textual.widgets import Static

from tui import text
from tui.collectors.samples import Cost
from tui.collectors.sources import Attached, Reading, Readings
from tui.elf.names import Function, Skipped
from tui.errors import BpfscopeError, TargetError
from tui.export import rows
from tui.export.bpftrace import program
from tui.export.rows import Row
from tui.screens.bpftrace import BpftraceScreen
from tui.screens.confirm import ConfirmScreen
from tui.screens.exporting import written
from tui.screens.live import LiveScreen
from tui.screens.session import Attaching, Session
from tui.screens.skipped import SkippedScreen
from tui.screens.spending import explained, spending, taken_off
from tui.screens.target import Key, function_key, sentence
from tui.screens.views import BPFTRACE, SWITCHING, UNDO, Views, title_of
from tui.widgets.actions import Action
from tui.widgets.lines import Phrase

NARROW = 100  # cells
STOPPING = "stopping: what is attached already is detached again …"
LOSING = "All that was measured is lost then; e exports what a view shows."
NEVER = "Nothing was attached here before the target ended, and there is nothing left to attach to"
LEAVE = "esc leads back to the functions, and once more to the processes"


class AttachedScreen(LiveScreen, Generic[Reading]):
    """A view of a probe on functions of one target."""

    VIEW: ClassVar[str]
    DOING: ClassVar[str] = "probed"  # nothing is …
    ALWAYS = (UNDO, BPFTRACE, *SWITCHING, *LiveScreen.ALWAYS)

    class Opened(Message):
        """Functions were attached."""

        def __init__(self, attached: Attached) -> None:
            super().__init__()
            self.attached = attached

    class Refused(Message):
        """A source said no; `fatal` where nothing is attached."""

        def __init__(self, error: BpfscopeError, *, fatal: bool = False) -> None:
            super().__init__()
            self.reason = str(error)
            self.gone = sentence(error) if isinstance(error, TargetError) else ""
            self.fatal = fatal

    class Arrived(Message):
        """There is a new reading; who hasn't painted the one before yet paints only this one."""

        def can_replace(self, message: Message) -> bool:
            """One painting shows all that was read."""
            return isinstance(message, AttachedScreen.Arrived)

    def __init__(self, views: Views) -> None:
        super().__init__()
        self.views = views
        self.target, self.modules, self.asked = views.target, views.modules, views.functions
        self.attaching = len(self.asked)  # so many are being attached
        self.busy = f"attaching {text.plural(len(self.asked), 'function')} …"
        self.skipped: tuple[Skipped, ...] = ()
        self.inexact: tuple[Skipped, ...] = ()
        self.attached: int | None = None  # functions
        self.session: Session[Any] | None = None
        self.sample: Reading | None = None
        self.failure = ""  # why nothing is attached
        self.gone = ""  # that the target wasn't there any more, in a sentence
        self.running: Readings[Reading] | None = None
        self._suspended = 0  # functions that it was said of

    # What a view says of itself

    def attach(self) -> "Attaching[Readings[Reading]]":
        """Attaches: what can be read from then on, and what became of the functions."""
        raise NotImplementedError

    def opened(self, attached: Attached) -> None:
        """These are attached."""

    def take(self, sample: Reading) -> None:
        """Note a reading, whether it will be painted or not."""

    def figures(self) -> list[Phrase]:
        """What the state line says of the numbers."""
        return []

    def document(self) -> Row:
        """What an export says."""
        raise NotImplementedError

    def exports(self) -> Mapping[str, Callable[[], str]]:
        """The files that an export writes, by their endings: what makes them, of what is known now."""
        document = self.document()
        return {"json": lambda: json.dumps(document, ensure_ascii=False, indent=2) + "\n"}

    def about(self, attached: int) -> Row:
        """What every document begins with."""
        about: Row = {"kind": "summary", "pid": self.target.pid, "name": self.target.name}
        return about | {"attached": attached, "skipped": rows.skipped(self.skipped)}

    def focus_content(self) -> None:
        """Give the keys to what has them first."""
        self.table().focus()

    def under(self) -> Function | None:
        """The function under the cursor."""
        row = self.table().row
        return row.function if row else None

    # Attaching and reading

    @property
    def ended(self) -> str:
        """Why the target can't be called any more."""
        return self.sample.ended if self.sample else ""

    @property
    def count(self) -> int:
        """How many functions are probed, or are about to be."""
        return len(self.asked) if self.attaching or self.attached is None else self.attached

    @property
    def holds(self) -> bool:
        """Whether something is attached, or about to be, that nobody detaches yet."""
        return not (self.ended or self.failure or self.closing)

    @property
    def closing(self) -> bool:
        """Whether it is being detached."""
        return self.session is not None and self.session.closing

    @property
    def calls_seen(self) -> int:
        """How many calls were seen, which leaving loses."""
        raise NotImplementedError

    @property
    def holding(self) -> str:
        """What leaving would detach, of all views."""
        return self.views.holding()

    @property
    def over(self) -> str:
        """That there is nothing left to probe, in a sentence."""
        return self.gone or (f"{self.target.title} {self.ended}" if self.ended else "")

    @property
    def suspended(self) -> dict[Function, str]:
        """The functions that the budget took off, with the reason."""
        return {one.function: explained(one) for one in self.sample.cost.suspended} if self.sample else {}

    @property
    def off(self) -> set[Key]:
        """The same functions, by what names them."""
        return {function_key(one.function) for one in self.sample.cost.suspended} if self.sample else set()

    @property
    def _waived(self) -> bool:
        """Whether no budget is kept any more, because somebody ended it."""
        return self.sample is not None and self.sample.cost.waived is not None

    @property
    def outdated(self) -> bool:
        """Whether it was opened before other functions were added to the probe; what has ended stays as it is."""
        return not self.ended and not set(map(function_key, self.views.functions)) <= set(map(function_key, self.asked))

    def begin(self) -> None:
        """Attach; of a target that has ended, say that instead."""
        self.focus_content()
        if over := self.views.over():
            self._give_up(f"{over}: there is nothing left to attach to", over)
            return
        self.work(self.attaching_now())
        self.session = self.console.open_session(self.attach())
        self.show_state()
        self.run_worker(self._open(self.session))

    async def _open(self, session: Session[Any]) -> None:
        try:
            self.running, attached = await session.attached()
        except BpfscopeError as error:
            self.post_message(self.Refused(error, fatal=True))
            return
        self.post_message(self.Opened(attached))

    def on_attached_screen_opened(self, event: Opened) -> None:
        """Read what is attached."""
        self.skipped += event.attached.skipped
        self.inexact += event.attached.inexact
        self.attached = len(event.attached.attached)
        self.opened(event.attached)
        self.done()
        if self.sample is None:
            self.start()

    def on_attached_screen_refused(self, event: Refused) -> None:
        """Say why."""
        if event.fatal:
            self._give_up(event.reason, event.gone)
            return
        self.say(event.gone or event.reason, bad=True)
        self.done()

    def _give_up(self, reason: str, gone: str) -> None:
        """Say why nothing is attached."""
        self.failure, self.gone = reason, gone
        self.query_one("#failure", Static).update(
            f"{NEVER}. {LEAVE}" if self.views.over() else LEAVE if gone else reason
        )
        self.add_class("-failed")
        self.done()

    def attaching_now(self) -> str:
        """What is being attached, and what the kernel keeps for it."""
        kept = self.sources.memory(self.VIEW, len(self.asked))
        tail = f", which take {text.size(kept)} in the kernel" if kept else ""
        return f"attaching {text.plural(len(self.asked), 'function')}{tail} …"

    def reopen(self) -> None:
        """Detach, and attach anew in another way."""
        before, self.running, self.sample = self.session, None, None
        self.workers.cancel_group(self, "samples")
        self.attaching = len(self.asked)
        self.work(self.attaching_now())
        self.run_worker(self._reopen(before), group="reopen")

    async def _reopen(self, before: Session[Any] | None) -> None:
        if before is not None:
            with suppress(BpfscopeError):
                await self.console.close_session(before)
        self.skipped = self.inexact = ()
        self.session = self.console.open_session(self.attach())
        await self._open(self.session)

    def work(self, doing: str) -> None:
        """Say what is done, and take no orders meanwhile."""
        self.busy = doing
        self.show_state()

    def done(self) -> None:
        """Take orders again, unless the probe is on its way out."""
        self.attaching = 0
        if not self.closing:
            self.work("")

    def start(self) -> None:
        """Read, from now on at this interval."""
        if self.running is not None and not self.ended:
            self.run_worker(self._collect(self.running), group="samples", exclusive=True)

    async def _collect(self, running: Readings[Reading]) -> None:
        try:
            async for sample in running.readings(self.interval):
                self.sample = sample
                self.take(sample)
                self.post_message(self.Arrived())
        except BpfscopeError as error:
            self.post_message(self.Refused(error))

    def on_attached_screen_arrived(self) -> None:
        """Show the reading, unless paused, or another view is looked at."""
        if self.ended:
            self.paused = False
        if self.is_current:
            self._say_what_was_taken_off()
            if not self.paused:
                self.show_latest()

    def _say_what_was_taken_off(self) -> None:
        taken = self.sample.cost.suspended if self.sample else ()
        if len(taken) > self._suspended:
            what = text.plural(len(taken) - self._suspended, "function")
            done = "taken off" if taken[-1].after else "not put on"
            self.say(f"{what} {done}: {taken[-1].reason}. u puts them back, x lists them.", bad=True)
        self._suspended = len(taken)

    def on_screen_resume(self) -> None:
        """What came meanwhile."""
        if self.sample is not None and not self.paused:
            self.show_latest()

    # Lines

    @property
    def subject(self) -> str:
        """What is probed."""
        return text.plural(len(self.asked) if self.failure else self.count, "function")

    def show_state(self) -> None:
        """The lines around the content."""
        left: list[Phrase] = [((f"{self.target.title} ▸ ", "dim"), (self.subject, "title"))]
        tabs = self.views.tabs(self.VIEW, short=self.narrow)
        self.put_lines((left, [tabs, *self.clock()]), self._state(), self._state_right())

    @property
    def narrow(self) -> bool:
        """Whether there is room for what matters most only."""
        return self.app.size.width < NARROW

    def on_resize(self) -> None:
        """There is other room."""
        if self.is_mounted:
            self.show_state()

    def clock(self) -> list[Phrase]:
        """How long it has run."""
        return [(text.clock(self.sample.elapsed), "strong")] if self.sample else []

    def _state(self) -> list[Phrase]:
        sample = self.sample
        if self.failure:
            return [(self.gone or f"nothing is {self.DOING}", "bad")]
        if self.busy:
            return [(self.busy, "strong")]
        if sample is None:
            return [("waiting for the first reading …", "dim")]
        phrases: list[Phrase] = []
        if self.ended:
            short = self.ended if self.prompt.is_open else f"{self.target.title} {self.ended}"
            tail = "" if self.prompt.is_open else "; the numbers stay"
            phrases.append((f"{short}; measured for {text.clock(sample.elapsed)}{tail}", "warn"))
        if sample.lost:
            phrases.append((f"lost {sample.lost:,}", "bad"))
        figures = self.figures()
        phrases += [*figures[:1], *self._spending(sample.cost), *figures[1:]]
        if self.skipped:
            phrases.append((f"{len(self.skipped):,} skipped (x)", "warn"))
        if self.inexact:
            phrases.append((f"{len({function_key(one.function) for one in self.inexact}):,} inexact (x)", "warn"))
        return [*phrases, *self._elsewhere()]

    def _spending(self, cost: Cost) -> list[Phrase]:
        taken = taken_off(len(cost.suspended), ended=bool(self.ended))
        return taken if self.ended else [*spending(cost, short=self.narrow), *taken]

    def _elsewhere(self) -> list[Phrase]:
        """What the budget took off in other views."""
        off = [one for one in self.views.taken_off() if title_of(self.VIEW) not in one.views]
        views = ", ".join(dict.fromkeys(view for one in off for view in one.views))
        return [(f"{len(off):,} taken off in {views} (x)", "warn")] if off else []

    def _state_right(self) -> list[Phrase]:
        if self.failure or self.busy or self.sample is None:
            return []
        if self.ended:
            return [("ended ■", "warn")]
        live: Phrase = ("paused ‖", "warn") if self.paused else ("live ●", "good")
        return [live, (f"every {self.interval:g} s", "dim")] if self.count else []

    def can(self, name: str) -> bool:
        """What does something now."""
        if name == "back" or name.startswith("app.") or not name:
            return True
        if name.startswith("view") or name == "bpftrace":
            return bool(self.views.functions)
        if self.failure or self.busy or self.sample is None:
            return False
        if name in ("pause", "faster", "slower", "reset"):
            return not self.ended
        if name == "undo":
            return not self.ended and (self._waived or bool(self.views.taken_off()))
        return True

    def why_not(self, name: str) -> str:
        """Why a key does nothing here."""
        if self.failure or self.busy:
            return self.busy or f"nothing is {self.DOING}"
        if self.sample is None:
            return "the first figures are still to come"
        if self.ended:
            return f"{self.over}: its numbers stay, and nothing can be changed any more"
        return "the budget has taken nothing off" if name == "undo" else super().why_not(name)

    def actions(self) -> list[Action]:
        """Labels that depend on the state."""
        labels = {
            "back": "clear" if self.prompt.is_open else "back" if self.failure or self.ended else "detach",
            "pause": "go on" if self.paused else "pause",
            "undo": "keep budget" if self._waived else "put back",
        }
        listed = self.views.off()
        some = [action for action in super().actions() if listed or action.name != "skipped"]
        return [action._replace(label=labels.get(action.name, action.label)) for action in some]

    # Away from here

    def action_view(self, name: str) -> None:
        """Look at these functions in another way; what is measured goes on."""
        if name != self.VIEW:
            self.views.chosen = self.under() or self.views.chosen
            self.console.open_view(name, self.views)

    def action_undo(self) -> None:
        """Put back what the budget took off, and keep none; or keep it again."""
        if self.running is not None:
            self.work("keeping the budget again …" if self._waived else "putting back …")
            self.run_worker(self._undo(self.running))

    async def _undo(self, running: Readings[Reading]) -> None:
        try:
            await running.undo()
        except BpfscopeError as error:
            self.post_message(self.Refused(error))
        else:
            self.done()

    def action_export(self) -> None:
        """Write what is known to files."""
        self.run_worker(self._export(self.exports()))

    async def _export(self, contents: Mapping[str, Callable[[], str]]) -> None:
        said, bad = await written(self.target.pid, contents)
        self.say(said, bad=bad)

    def action_bpftrace(self) -> None:
        """Show the nearest bpftrace program."""
        paths = {module.name: module.path for module in self.modules}
        probed = [(function, paths[function.module]) for function in self.views.functions]
        found = program(self.VIEW, self.target.pid, probed, go=self.target.of_go)
        self.app.push_screen(BpftraceScreen(f"{self.target.title} ▸ {self.NAME.lower()}", found))

    def action_skipped(self) -> None:
        """List what is not probed in any view, or not exactly."""
        if off := self.views.off():
            several = len(self.views.screens) > 1
            self.app.push_screen(SkippedScreen(self.target, off, several=several, ended=bool(self.ended)))
        else:
            self.say("nothing was skipped: all of these functions are probed, and exactly")

    def action_back(self) -> None:
        """Clear the filter; then detach and go back, after a question where numbers would be lost."""
        if self.clear_filter() or self.closing:
            return
        views = self.views.screens.values()
        if self.holds and not self.attaching and any(view.calls_seen for view in views):
            question = ConfirmScreen(f"Detach {self.holding} and go back?", LOSING)
            self.app.push_screen(question, lambda yes: self._go_back() if yes else None)
        else:
            self._go_back()

    def _go_back(self) -> None:
        if self.closing:
            return
        if self.holds:
            detaching = f"detaching {text.plural(self.count, 'function')} …"
            self.work(STOPPING if self.attaching else detaching)
        self.run_worker(self._leave(), group="leave")

    async def _leave(self) -> None:
        """Detach what all views have attached, then go back."""
        sessions = [screen.session for screen in self.views.screens.values() if screen.session]
        for failed in await asyncio.gather(*map(self.console.close_session, sessions), return_exceptions=True):
            if isinstance(failed, BpfscopeError):
                self.say(str(failed), bad=True)
            elif isinstance(failed, BaseException):
                raise failed
        self.console.leave(self)

    async def on_unmount(self) -> None:
        """Whatever took the screen away, nothing stays attached."""
        if self.session is not None:
            with suppress(BpfscopeError):
                await self.console.close_session(self.session)
