"""`bpfscope maps ID --hist`: a map, or each of its entries, as a histogram by powers of two."""

import sys
from collections.abc import Iterator
from typing import Final

from tui import text
from tui.bpf.btf.values import one_line
from tui.collectors import map_histograms
from tui.collectors.entries import MapSample
from tui.collectors.map_histograms import Found
from tui.errors import UsageError

_BAR: Final = 50  # cells


def draw(sample: MapSample) -> int:
    """Each histogram that there is, once. Raises UsageError where the map has none."""
    drawn: set[tuple[str, tuple[int, ...]]] = set()
    for entry in sample.entries or (None,):
        found = map_histograms.found(sample, entry)
        if found is None:
            raise UsageError(f"map {sample.map.id} has no histogram: neither slots in values nor small numbers as keys")
        title = one_line(entry.key) if entry and isinstance(entry.value, dict) else found.title
        if (title, tuple(found.slots)) not in drawn:
            drawn.add((title, tuple(found.slots)))
            sys.stdout.writelines(_bars(title, found))
    return 0


def _bars(title: str, found: Found) -> Iterator[str]:
    shown = map_histograms.bars(found.slots, found.first, map_histograms.POWERS)
    most = max((number for *_, number in shown), default=1)
    yield f"{title}  {sum(found.slots):,}\n"
    for low, high, number in shown:
        yield f"{text.span(low, high):>27} {number:>13,} {text.bar(number / most, _BAR)}\n"
