"""What the filter screen can be asked for, and what its signs mean. Pure: knows no widget."""

from typing import Final

from tui.screens.base import CURSOR, CUT, FASTER, REVERSE, SLOWER, SORT, SORTED
from tui.widgets.actions import Action

ENTRY_KEYS: Final = (
    Action("", "enter", "attach", "", "Attach this filter", 0),
    Action("", "tab", "complete", "", "The next word that may stand here", 1),
    Action("", "↑ ↓", "history", "", "What was entered before", 2),
    Action("", "esc", "leave", "", "Keep the filter that runs, and go to the figures", 1),
)
TYPE = Action(
    "slash", "/", "filter", "edit", "Type the filter: tab completes, ↑ ↓ give earlier ones, enter attaches", 1
)
ACTIONS: Final = (
    TYPE,
    Action("enter,v", "enter", "packets", "packets", "See the packets that match, a few of them, decoded; v too", 1),
    Action("tab", "tab", "pane", "pane", "Go to the listing, the figures, the filters", 1),
    Action("b", "b", "by", "by(1)", "Group by something else in turn: flow, protocol, …, size, hops, gap; B: back", 2),
    Action("B", "B", "by", "by(-1)", "Group by what came before", 10, listed=False),
    Action("h", "h", "hook", "hook", "Choose where the filter runs; the list says what each sees, and what works", 2),
    Action("a", "a", "add", "add", "Compare another filter on the same traffic", 4),
    Action("D", "D", "drop", "drop", "Take the filter under the cursor off", 6),
    Action("o", "o", "optimise", "optimise", "Leave out libpcap's optimiser, or put it in again", 5),
    Action("d", "d", "eBPF", "language", "Show the program as classic BPF, as eBPF, or both", 5),
    Action("x", "x", "explain", "explain", "Say in words what each instruction does", 3),
    SORT._replace(rank=10),
    REVERSE,
    Action("p", "p", "pause", "pause", "Stop painting, not counting; on return the numbers are current", 5),
    Action("r", "r", "reset", "reset", "Count from here", 5),
    FASTER,
    SLOWER,
    Action(
        "e",
        "e",
        "export",
        "export",
        "Write figures to a JSON file, and the packets that are kept to a pcap file",
        6,
    ),
    Action("escape", "esc", "back", "back", "Take all filters off and go back", 0),
)
SIGNS: Final = (
    CURSOR,
    SORTED,
    CUT,
    ("SHARE", "of the packets that were seen, how many reached the instruction"),
    ("others", "groups that found no room, or are too many to show: with them all adds up to what matched"),
    ("SEGMENTS", "packets on the wire: the kernel joins several before the hook sees them"),
)
