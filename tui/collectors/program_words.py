"""What is said of BPF programs, on the screen and on the command line: pure."""

from typing import TYPE_CHECKING

from tui import text
from tui.collectors.program_samples import REPLACES, TAIL_CALLED, ProgramFigures, ProgramsSample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.bpf.inventory.attachment import Attachment
    from tui.bpf.inventory.holders import Holder

UNCOUNTED = {
    TAIL_CALLED: "other programs jump to it by a map (tail calls): such runs aren't counted, their time is the other's",
    REPLACES: "it replaces a function of another program: its runs aren't counted, their time is the other's",
}
NOBODY = "nobody"
UNSEEN = "not seen from this network namespace"  # where it may be attached in another one
_NETWORK = ("xdp", "sched_", "lwt_")  # types of programs that interfaces and routes hold
CUT = 15  # characters that the kernel keeps of a name


def is_cut(name: str, whole: str) -> bool:
    """Whether the kernel cuts the second to the first; bcc leaves the first word of `tracepoint__…` out before."""
    return len(name) == CUT and (whole.startswith(name) or whole.partition("__")[2].startswith(name))


def holders(held: "Sequence[Holder]") -> str:
    """cilium-agent 1811, bpftrace 811."""
    return ", ".join(f"{one.name} {one.pid}" for one in held)


def held_by(one: ProgramFigures) -> str:
    """Who keeps it, at least one way: processes, a name in a BPF file system, the kernel itself.

    "" where it hasn't been looked up yet.
    """
    if one.holders:
        return holders(one.holders)
    if one.pins:
        return f"pinned {one.pins[0]}"
    if not one.known:
        return ""
    if one.attached:
        return "its attachment"
    return UNSEEN if one.type.startswith(_NETWORK) and not one.uncounted else NOBODY


def places(attached: "Sequence[Attachment]", *, short: bool = False) -> str:
    """tcx-ingress eth0; uprobe /usr/bin/bash:readline and 15 more; where it is to be short, without a file's folder."""
    if not attached:
        return ""
    first = attached[0]
    where = first.where.rpartition("/")[2] if short and first.file else first.where
    said = f"{first.hook} {where}".rstrip()
    return said if len(attached) == 1 else f"{said} and {len(attached) - 1:,} more"


def floor(sample: ProgramsSample) -> str:
    """What the statistics can't tell, and what they cost."""
    found = sample.floor
    said = f"an empty run reports {text.duration(found.reported)}"
    if found.costs is None:
        return f"{said}; somebody else has statistics on as well"
    return f"{said}; statistics add {text.duration(found.costs)} to each"


def watching(sample: ProgramsSample) -> str:
    """What the statistics take now."""
    percent = sample.watching_percent
    return "others watch, too" if percent is None else f"watching {share(percent)} %"


def share(percent: float) -> str:
    """Percent, as exact as it is small: 37.1, 3.33, 0.042, 0."""
    if percent < 0.0005:
        return "0"
    return f"{percent:.{3 if percent < 0.1 else 2 if percent < 10 else 1}f}"
