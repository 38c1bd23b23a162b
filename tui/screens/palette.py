"""The command palette's commands: the actions of the screen below it."""

from contextlib import suppress
from functools import partial

from textual import on
from textual.command import CommandList, CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.css.query import NoMatches
from textual.widgets import Input

from tui.screens.base import ConsoleScreen
from tui.widgets.actions import Action


class Actions(Provider):
    """What can be done now, by name."""

    def _available(self) -> list[Action]:
        screen = self.screen
        return [action for action in screen.actions() if action.name] if isinstance(screen, ConsoleScreen) else []

    async def discover(self) -> Hits:
        """All of them, before anything is typed."""
        for action in self._available():
            label = action.label.capitalize()
            yield DiscoveryHit(label, partial(self._run, action), help=f"{action.shown}  {action.help}")

    async def search(self, query: str) -> Hits:
        """Those that match."""
        matcher = self.matcher(query)
        for action in self._available():
            score = max(matcher.match(action.label), matcher.match(action.help) / 2)
            if score > 0:
                shown = matcher.highlight(action.label.capitalize())
                yield Hit(score, shown, partial(self._run, action), help=f"{action.shown}  {action.help}")

    async def _run(self, action: Action) -> None:
        if self.screen is self.app.screen:  # not left meanwhile, by another command
            await self.app.run_action(action.name, self.screen)


class Palette(CommandPalette):
    """Textual's, but patient.

    In 8.2.8 a page up or down before the list has been laid out, or where it is too narrow to show anything, and a
    second enter, end the application.
    """

    @on(Input.Submitted)
    def select_once(self, event: Input.Submitted) -> None:
        """Nothing, once a command has been chosen."""
        if self.app.screen is not self:
            event.stop()
            event.prevent_default()

    async def _watch__show_busy(self) -> None:
        """Nothing, before it is there and when it has gone."""
        with suppress(NoMatches):
            await super()._watch__show_busy()

    def _action_command_list(self, action: str) -> None:
        if self.query_one(CommandList).size.height:
            with suppress(KeyError):  # in a terminal of a few columns it has lines for no option
                super()._action_command_list(action)
