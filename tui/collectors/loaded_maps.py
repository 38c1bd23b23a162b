"""Maps of the user's own programs as they are shown: entries by size, and bcc's histograms as such. Pure.

BPF_HISTOGRAM is an array of counts, or a hash whose key has a `slot`: what else the key has tells histograms apart. A
slot is a power of two where the source calculates it with bpf_log2l or bpf_log2, otherwise a number.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from tui.bpf.btf.decoder import Value
from tui.bpf.inventory.contents import ARRAYS
from tui.bpf.loading.declarations import bare
from tui.collectors.entries import Entry, MapSample
from tui.collectors.hints import Hints
from tui.collectors.map_values import fields, is_number, is_zero

_HISTOGRAM: Final = re.compile(r"\bBPF_HISTOGRAM\s*\(\s*(\w+)")
_NAME: Final = re.compile(r"\b[A-Za-z_]\w*")
_DEPTH: Final = 3  # variables that are calculated from others
_MOST_BITS: Final = 64
_MOST_BARS: Final = 4_096
Bar = tuple[int, int, int]  # from, up to but without, how often


class Distribution(NamedTuple):
    """One histogram of a map."""

    label: str  # what else its key has; "" where there is nothing
    bars: tuple[Bar, ...]
    total: int


def histograms(source: str) -> frozenset[str]:
    """The maps that a source declares as histograms."""
    return frozenset(_HISTOGRAM.findall(source))


def powers(source: str) -> dict[str, int | None]:
    """What slots of each histogram are. 0: as bpf_log2l has them (2 for 2 and 3); 1: one less, as bpf_log2 does; None:
    plain numbers. By what the map is called with, and what was last put into the variables in it.
    """
    text = bare(source)
    return {name: _powers(text, name) for name in histograms(source)}


def _powers(text: str, name: str) -> int | None:
    found = re.finditer(rf"\b{name}\s*\.\s*\w+\s*\(", text)
    calls = [(text[: one.start()], _expression(text, one.end(), ";")) for one in found]
    said = " ".join(_put(before, given, _DEPTH) for before, given in calls) or text
    if re.search(r"\bbpf_log2l\s*\(", said):
        return 0
    return 1 if re.search(r"\bbpf_log2\s*\(", said) else None


def _put(before: str, expression: str, depth: int) -> str:
    """The expression, and those that variables in it were last given."""
    parts = [expression]
    for name in sorted(set(_NAME.findall(expression))) if depth else ():
        pattern = rf"\b{name}\b(?:\s*\.\s*(\w+))?\s*=(?!=)"
        last = {one[1]: one for one in re.finditer(pattern, before)}
        parts += [_put(before[: one.start()], _expression(before, one.end(), ";,"), depth - 1) for one in last.values()]
    return " ".join(parts)


def _expression(text: str, start: int, ends: str) -> str:
    """Up to one of these characters outside of brackets, or to the bracket that closes what is around."""
    depth = 0
    for at in range(start, len(text)):
        depth += (text[at] in "([{") - (text[at] in ")]}")
        if depth < 0 or (depth == 0 and text[at] in ends):
            return text[start:at]
    return text[start:]


def distributions(sample: MapSample, hints: Hints, shift: int | None) -> tuple[Distribution, ...]:
    """The histograms of a map that is one, the largest first."""
    found: dict[str, dict[int, int]] = {}
    for entry in sample.entries:
        slot, label = _slot(entry.key, hints)
        if slot is not None and isinstance(entry.value, int) and entry.value > 0:
            slots = found.setdefault(label, {})
            slots[slot] = slots.get(slot, 0) + entry.value
    made = [Distribution(label, _bars(slots, shift), sum(slots.values())) for label, slots in found.items()]
    return tuple(sorted(made, key=lambda one: -one.total))


def _slot(key: Value, hints: Hints) -> tuple[int | None, str]:
    if isinstance(key, int):
        return key, ""
    if not isinstance(key, dict) or not key:
        return None, ""
    name = "slot" if "slot" in key else next((each for each in reversed(key) if is_number(key[each])), "")
    slot = key.get(name)
    rest: Value = {each: value for each, value in key.items() if each != name}
    return (slot if isinstance(slot, int) else None), hints.line(rest)


def _bars(slots: dict[int, int], shift: int | None) -> tuple[Bar, ...]:
    """From the first to the last that isn't empty, also what is empty between; `shift` as `powers` gives it."""
    span = range(min(slots), min(max(slots), min(slots) + _MOST_BARS) + 1)
    if shift is None or max(slots) + shift > _MOST_BITS or min(slots) < 0:
        return tuple((slot, slot + 1, slots.get(slot, 0)) for slot in span)
    return tuple((_lower(slot + shift), _lower(slot + shift + 1), slots.get(slot, 0)) for slot in span)


def _lower(slot: int) -> int:
    """Where a slot of bpf_log2l begins."""
    return 1 << slot - 1 if slot > 1 else 0


def weight(value: Value) -> int:
    """By what entries are sorted: the first number in the value."""
    return next((number for _, number in fields(value) if is_number(number) and isinstance(number, int)), 0)


def used(sample: MapSample) -> list[Entry]:
    """The entries that somebody has made; of arrays, which have all of theirs always, those that aren't noughts."""
    if sample.map.type not in ARRAYS:
        return list(sample.entries)
    return [entry for entry in sample.entries if not is_zero(entry.value)]


def largest(entries: Sequence[Entry], most: int) -> list[Entry]:
    """The entries with the largest first number."""
    return sorted(entries, key=lambda entry: -weight(entry.value))[:most]


def grown(entries: Sequence[Entry], most: int) -> list[Entry]:
    """The entries that changed since the reading before, what grew most first."""
    changed = [entry for entry in entries if entry.changed]
    return sorted(changed, key=lambda entry: -weight(entry.delta if entry.delta is not None else entry.value))[:most]
