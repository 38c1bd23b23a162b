"""What the screens have in common where everything begins, one per mode: a live list, read while it is seen."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, ClassVar, Generic, TypeVar

from textual.message import Message

from tui.errors import BpfscopeError, TargetError
from tui.screens.live import LiveScreen
from tui.screens.modes import SWITCHING, tabs
from tui.widgets.actions import Action
from tui.widgets.lines import Phrase

Sample = TypeVar("Sample")
PAUSE = Action("p", "p", "pause", "pause", "Stop painting, and go on", 5)
CLEAR = Action("escape", "esc", "clear", "back", "Clear the filter", 0)


class TopScreen(LiveScreen, Generic[Sample]):
    """A list of what there is. Nothing is below it: esc only clears the filter."""

    MODE: ClassVar[str]  # the name in `modes.MODES`
    ALWAYS = (*SWITCHING, *LiveScreen.ALWAYS)

    class Arrived(Message):
        """A new reading; an older one that still waits is dropped."""

        def __init__(self, sample: Any) -> None:  # noqa: ANN401 - a screen knows its own samples
            super().__init__()
            self.sample = sample

        def can_replace(self, message: Message) -> bool:
            """Only the last reading matters."""
            return isinstance(message, TopScreen.Arrived)

    class Failed(Message):
        """Nothing can be read now; it is tried again, unless what it is about has ended."""

        def __init__(self, reason: str) -> None:
            super().__init__()
            self.reason = reason

    def __init__(self) -> None:
        super().__init__()
        self.failure = ""
        self._latest: Sample | None = None
        self._sample: Sample | None = None  # what is shown

    def samples(self) -> AsyncIterator[Sample]:
        """Where the readings come from. Raises BpfscopeError."""
        raise NotImplementedError

    def take(self, sample: Sample) -> None:
        """Note a reading, whether it will be painted or not."""

    def state(self) -> list[Phrase]:
        """What the state line says of the list."""
        return []

    def begin(self) -> None:
        """Say where we are."""
        self.show_state()
        self.table().focus()

    def on_screen_resume(self) -> None:
        """Read while the screen is seen."""
        self.start()

    def on_screen_suspend(self) -> None:
        """Cost nothing while it isn't."""
        self.workers.cancel_group(self, "samples")

    def start(self) -> None:
        """Read, from now on at this interval."""
        self.run_worker(self._collect(), group="samples", exclusive=True)

    async def _collect(self) -> None:
        while True:
            try:
                async for sample in self.samples():
                    self.post_message(self.Arrived(sample))
                return
            except TargetError as error:  # what has ended doesn't come again
                self.post_message(self.Failed(str(error)))
                return
            except BpfscopeError as error:
                self.post_message(self.Failed(str(error)))
                await asyncio.sleep(self.interval)

    def on_top_screen_arrived(self, event: Arrived) -> None:
        """Take the reading, and show it unless paused."""
        self.failure = ""
        self.take(event.sample)
        self._latest = event.sample
        if not self.paused or self._sample is None:
            self.show_latest()

    def on_top_screen_failed(self, event: Failed) -> None:
        """Say it, with room for all of it where there is nothing else to see; the console goes on."""
        self.failure = self.table().empty = event.reason
        self.table().repaint()
        self.show_state()

    def show_latest(self) -> None:
        """Paint the last reading, or that it is paused."""
        self._sample = self._latest
        self.filtered()

    def show_state(self) -> None:
        """The lines around the table."""
        host = [(part, "") for part in self.sources.host.split(" · ")]  # the last ones go first where there is no room
        context = ([("bpfscope", "title"), *host], [tabs(self.MODE)])
        self.put_lines(context, [(self.failure, "bad")] if self.failure else self.state(), self._state_right())

    def _state_right(self) -> list[Phrase]:
        if self._sample is None:
            return []
        if self.paused:
            return [("paused ‖", "warn")]
        return [(self.table().sort_title, "dim"), self.pace()]

    def every(self) -> float:
        """Seconds from one reading to the next: more than asked for where reading takes long."""
        return self.interval

    def pace(self) -> Phrase:
        """How often is read, in words."""
        if (every := self.every()) > 1.05 * self.interval:
            return (f"every {every:.{1 if every < 9.95 else 0}f} s: reading takes long", "warn")
        return (f"every {self.interval:g} s", "dim")

    def can(self, name: str) -> bool:
        """What does something now."""
        if name == "back":
            return self.prompt.is_open
        return name != f"mode('{self.MODE}')"

    def on_table_sorted(self) -> None:
        """Say by what."""
        self.show_state()

    def action_back(self) -> None:
        """Clear the filter; never quit."""
        self.clear_filter()
