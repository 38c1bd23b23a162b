"""The modes: what the console looks at, each under a digit. Pure: knows no widget."""

from typing import Final, NamedTuple

from tui.widgets.actions import Action
from tui.widgets.pieces import Piece


class Mode(NamedTuple):
    """One of the screens where everything begins."""

    key: str
    name: str  # in code
    title: str
    help: str  # a sentence

    @property
    def action(self) -> Action:
        """What opens it; the context line has its key."""
        return Action(self.key, self.key, self.title.lower(), f"mode('{self.name}')", self.help, 10)


MODES: Final = (
    Mode("1", "processes", "Processes", "Go to the processes"),
    Mode("2", "network", "Network", "Go to the network interfaces"),
    Mode("3", "bpf", "BPF", "Go to the BPF programs in the kernel"),
    Mode("4", "cgroups", "Cgroups", "Go to the control groups"),
)
SWITCHING: Final = tuple(mode.action for mode in MODES)


def tabs(shown: str) -> tuple[Piece, ...]:
    """The digits and titles of all modes; the one that is shown stands out."""
    pieces: list[Piece] = []
    for mode in MODES:
        role = "title" if mode.name == shown else "dim"
        pieces += [("  " if pieces else "", ""), (mode.key, "key"), (f" {mode.title}", role)]
    return tuple(pieces)
