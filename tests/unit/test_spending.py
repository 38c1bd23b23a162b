"""What probes cost, in words: always of a CPU, and where there is room of the target's time, beside the budget."""

import pytest

from tui.collectors.samples import Cost
from tui.screens.spending import spending

SAID = [
    (Cost(7.1, 10.0, (), 2.7), "costs 2.7 % of a CPU · 7.1 % of its time (budget 10 %)", "costs 2.7 % of a CPU"),
    (
        Cost(76.3, 10.0, (), 0.8),
        "costs 0.8 % of a CPU · 76 % of its time (left alone: under 1 % of a CPU)",
        "costs 0.8 % of a CPU",
    ),
    (
        Cost(76.3, 10.0, (), 41.2, 6.8),
        "costs 41 % of a CPU · 76 % of its time (budget 10 %: acts in 7 s)",
        "costs 41 % of a CPU (acts in 7 s)",
    ),
    (
        Cost(33.0, None, (), 12.0, waived=10.0),
        "costs 12.0 % of a CPU · 33 % of its time (no budget: u keeps 10 %)",
        "costs 12.0 % of a CPU",
    ),
    (Cost(33.0, None, (), 12.0), "costs 12.0 % of a CPU · 33 % of its time (no budget)", "costs 12.0 % of a CPU"),
]


@pytest.mark.parametrize(("cost", "long", "short"), SAID)
def test_the_share_of_a_cpu_is_always_said(cost: Cost, long: str, short: str) -> None:
    assert " · ".join(str(said) for said, _ in spending(cost, short=False)) == long
    assert [said for said, _ in spending(cost, short=True)] == [short]
