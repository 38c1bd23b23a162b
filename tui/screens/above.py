"""What lists have in common that are opened above a mode's first screen: esc goes back there, digits to other modes."""

from collections.abc import Sequence
from typing import TypeVar

from tui.screens.top import TopScreen
from tui.widgets.actions import Action
from tui.widgets.lines import Phrase

Sample = TypeVar("Sample")
BACK = Action("escape", "esc", "back", "back", "Clear the filter; then go back", 0)


class AboveScreen(TopScreen[Sample]):
    """A list of what there is, above another one, or a page of something that is live."""

    MODE = "bpf"
    passing = True

    def where(self) -> Sequence[str]:
        """The way here, from the mode's name on."""
        return ()

    def what(self) -> list[Phrase]:
        """What stands on the right of it."""
        return []

    def show_state(self) -> None:
        """The lines around the table."""
        *way, here = self.where()
        context = ([(("".join(f"{word} ▸ " for word in way), "dim"), (here, "title"))], self.what())
        self.put_lines(context, [(self.failure, "bad")] if self.failure else self.state(), self._state_right())

    def can(self, name: str) -> bool:
        """What does something now: the way back does always."""
        return name == "back" or name.startswith("mode(") or super().can(name)

    def action_back(self) -> None:
        """Clear the filter; without one, go back."""
        if not self.clear_filter():
            self.paused = False
            self.dismiss()
