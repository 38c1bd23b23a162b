"""What the screens have in common that hold a probe: it lives as long as the screen, and every way out closes it."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from tui.elf.names import Function, Module, Skipped
from tui.errors import BpfscopeError
from tui.screens.live import LiveScreen
from tui.screens.session import Session
from tui.screens.skipped import SkippedScreen
from tui.screens.target import Target


class AttachedScreen(LiveScreen):
    """A probe on functions of one target."""

    def __init__(self, target: Target, modules: Sequence[Module], functions: Sequence[Function]) -> None:
        super().__init__()
        self.target = target
        self.modules = modules
        self.asked = functions
        self.skipped: tuple[Skipped, ...] = ()
        self.session: Session[Any] | None = None
        self.failure = ""  # why nothing is attached
        self.gone = ""  # that the target wasn't there any more, in a sentence

    @property
    def ended(self) -> str:
        """Why the target can't be called any more."""
        raise NotImplementedError

    @property
    def count(self) -> int:
        """How many functions are probed, or are about to be."""
        raise NotImplementedError

    @property
    def holds(self) -> bool:
        """Whether something is attached, or about to be, that nobody detaches yet."""
        closing = self.session is not None and self.session.closing
        return not (self.ended or self.failure or closing)

    @property
    def over(self) -> str:
        """That there is nothing left to probe, in a sentence."""
        return self.gone or (f"{self.target.title} {self.ended}" if self.ended else "")

    def action_skipped(self) -> None:
        """List what could not be probed."""
        self.app.push_screen(SkippedScreen(self.target, self.skipped))

    def leave(self, session: Session[Any]) -> None:
        """Detach, then go back."""
        self.run_worker(self._leave(session), group="leave")

    async def _leave(self, session: Session[Any]) -> None:
        try:
            await self.console.close_session(session)
        except BpfscopeError as error:
            self.say(str(error), bad=True)
        self.console.leave(self)

    async def on_unmount(self) -> None:
        """Whatever took the screen away, nothing stays attached."""
        if self.session is not None:
            with suppress(BpfscopeError):
                await self.console.close_session(self.session)
