"""What probes cost, as the state line says it. Pure: knows no widget."""

from tui.collectors.samples import Cost
from tui.widgets.lines import Phrase


def spending(cost: Cost, *, short: bool) -> list[Phrase]:
    """The cost beside the budget, and what was taken off; `short`: without the budget."""
    share = cost.percent / cost.limit if cost.limit else 1.0
    budget = f"budget {cost.limit:g} %" if cost.limit else "no budget"
    said = f"costs {cost.percent:.1f} %" + ("" if short else f" of its time ({budget})")
    role = "good" if share < 0.5 else "bad" if share >= 1 and cost.limit else "warn"
    phrases: list[Phrase] = [(said, role)]
    if cost.suspended:
        phrases.append((f"{len(cost.suspended):,} taken off (u)", "bad"))
    return phrases
