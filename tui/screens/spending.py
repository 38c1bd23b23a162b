"""What probes cost, as the state line says it, and what the budget took off. Pure: knows no widget."""

from tui import text
from tui.collectors.samples import LEFT_ALONE, Cost, Suspended
from tui.widgets.lines import Phrase

OFF = ("×", "taken off by the budget: its numbers stopped; x says why, u puts it back")


def spending(cost: Cost, *, short: bool) -> list[Phrase]:
    """The cost beside the budget, and what was taken off; `short`: without the budget."""
    phrases: list[Phrase] = [_left_alone(cost, short=short) if cost.tolerated else _compared(cost, short=short)]
    if cost.suspended:
        phrases.append((f"{len(cost.suspended):,} taken off (u)", "bad"))
    return phrases


def _compared(cost: Cost, *, short: bool) -> Phrase:
    share = cost.percent / cost.limit if cost.limit else 1.0
    budget = f"budget {cost.limit:g} %" if cost.limit else "no budget"
    said = f"costs {cost.percent:.1f} %" + ("" if short else f" of its time ({budget})")
    return said, "good" if share < 0.5 else "bad" if share >= 1 and cost.limit else "warn"


def _left_alone(cost: Cost, *, short: bool) -> Phrase:
    """Of a target that hardly runs, a share of its time says little."""
    why = "" if short else f" (under {LEFT_ALONE:g} %: left alone)"
    return f"costs {cost.cpu_percent:.1f} % of a CPU{why}", "good"


def explained(one: Suspended) -> str:
    """Why a function isn't on."""
    when = f"{one.after:.1f} s" if one.after < 60 else text.clock(one.after)
    return f"taken off after {when}: {one.reason}" if one.after else f"not put on: {one.reason}"
