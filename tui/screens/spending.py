"""What probes cost, as the state line says it, and what the budget took off. Pure: knows no widget."""

from tui import text
from tui.collectors.samples import LEFT_ALONE, Cost, Suspended
from tui.widgets.lines import Phrase

OFF = ("×", "taken off by the budget: its numbers stopped; x says why, u puts it back")


def spending(cost: Cost, *, short: bool) -> list[Phrase]:
    """The cost, and the budget; `short`: of a CPU alone, and when something is done about it."""
    share = cost.percent / cost.limit if cost.limit else 1.0
    role = "bad" if share >= 1 and cost.limit else "good" if share < 0.5 else "warn"
    if cost.tolerated:
        role = "good"
    of_cpu = f"costs {_digits(cost.cpu_percent)} % of a CPU"
    if short:
        return [(f"{of_cpu} ({_acting(cost)})" if _acts(cost) else of_cpu, role)]
    return [(of_cpu, role), (f"{_digits(cost.percent)} % of its time ({_budget(cost)})", role)]


def _digits(percent: float) -> str:
    return f"{percent:.1f}" if percent < 20 else f"{percent:.0f}"


def _budget(cost: Cost) -> str:
    """What is done about it: of a target that hardly runs, a share of its time says little."""
    if cost.limit is None:
        return "no budget" if cost.waived is None else f"no budget: u keeps {cost.waived:g} %"
    if cost.tolerated:
        return f"left alone: under {LEFT_ALONE:g} % of a CPU"
    return f"budget {cost.limit:g} %" + (f": {_acting(cost)}" if _acts(cost) else "")


def _acts(cost: Cost) -> bool:
    return cost.acts_in is not None and not cost.tolerated


def _acting(cost: Cost) -> str:
    return f"acts in {cost.acts_in or 0:.0f} s"


def taken_off(number: int, *, ended: bool) -> list[Phrase]:
    """How many functions the budget took off; of a target that has ended none is put back."""
    return [(f"{number:,} taken off ({'x' if ended else 'u'})", "bad")] if number else []


def explained(one: Suspended) -> str:
    """Why a function isn't on."""
    when = f"{one.after:.1f} s" if one.after < 60 else text.clock(one.after)
    return f"taken off after {when}: {one.reason}" if one.after else f"not put on: {one.reason}"
