"""A screen that samples its target's CPU time as long as somebody looks at it."""

from contextlib import suppress
from typing import Any

from textual.message import Message

from tui.collectors.samples import HotSample
from tui.collectors.sources import Sampling
from tui.elf.names import Module
from tui.errors import BpfscopeError
from tui.screens.attached import AttachedScreen
from tui.screens.base import ConsoleScreen
from tui.screens.hotness import Hotness
from tui.screens.session import Session
from tui.screens.target import Target, sentence

SECONDS = 1.0  # between two readings


class SampledScreen(ConsoleScreen):
    """Sampling begins when the target's modules are known, and pauses while a probe's views are looked at."""

    target: Target
    modules: tuple[Module, ...]

    class Sampled(Message):
        """There is a sample."""

        def __init__(self, sample: HotSample) -> None:
            super().__init__()
            self.sample = sample

        def can_replace(self, message: Message) -> bool:
            """Only the last one is worth painting."""
            return isinstance(message, SampledScreen.Sampled)

    class NotSampled(Message):
        """There won't be any."""

        def __init__(self, reason: str) -> None:
            super().__init__()
            self.reason = reason

    def __init__(self) -> None:
        super().__init__()
        self.hotness = Hotness()
        self.over = ""  # that there is no such process any more, in a sentence
        self._sampling: Session[Any] | None = None

    def show_hot(self) -> None:
        """Show what sampling has found."""

    def sample(self) -> None:
        """Begin, unless that is done, or the target has ended, or it was refused."""
        if self._sampling is None and self.modules and not self.over and not self.hotness.refused:
            self._sampling = self.console.open_session(self.sources.sampling(self.target.pid, self.modules))
            self.hotness.running = True
            self.run_worker(self._follow(self._sampling), group="sampling", exclusive=True)

    async def _follow(self, session: Session[Sampling]) -> None:
        try:
            sampling, _ = await session.attached()
            async for sample in sampling.readings(SECONDS):
                self.post_message(self.Sampled(sample))
        except BpfscopeError as error:
            self.post_message(self.NotSampled(sentence(error)))

    def on_sampled_screen_sampled(self, event: Sampled) -> None:
        """Show it."""
        self.hotness.take(event.sample)
        if event.sample.ended:
            self.over = f"{self.target.title} {event.sample.ended}"
            self._end()
        self.show_hot()

    def on_sampled_screen_not_sampled(self, event: NotSampled) -> None:
        """Go on without, and say so."""
        self._end()
        self.hotness.refused = True
        self.say(f"no CPU sampling: {event.reason}", bad=True)
        self.show_hot()

    def on_screen_suspend(self) -> None:
        """Probes cost the target CPU time that isn't its own; a help text doesn't."""
        if isinstance(self.app.screen, AttachedScreen):
            self._end()

    def on_screen_resume(self) -> None:
        """Go on, with new samples."""
        if self.is_mounted:
            self.sample()

    def on_unmount(self) -> None:
        """Whatever took the screen away."""
        self._end()

    def _end(self) -> None:
        """Without waiting: the screen may be on its way out."""
        self.workers.cancel_group(self, "sampling")
        self.hotness.running = False
        if self._sampling is not None:
            self.console.run_worker(self._close(self._sampling))
            self._sampling = None

    async def _close(self, session: Session[Any]) -> None:
        with suppress(BpfscopeError):
            await self.console.close_session(session)
