"""Histograms in maps: told by their shape, turned into bars. Pure.

bcc's BPF_HISTOGRAM is an array of numbers by `bpf_log2l`, where slot n has what is from 2^(n-1) up to 2^n; with keys it
is a hash whose keys end in `slot`. libbpf's tools keep `slots` in a struct, where slot n has 2^n up to 2^(n+1).
bpftrace's `hist()` is a map of numbers by small numbers, where slot 0 has what is negative, 1 what is zero, and slot n
what is from 2^(n-2) up to 2^(n-1): that it is one can't be told from the map, so it is drawn only on request.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.bpf.btf.decoder import Value
from tui.collectors.entries import Entry, MapSample
from tui.collectors.map_values import is_number

Bar = tuple[int, int, int]  # from, up to but without, how many
_ARRAYS: Final = (kernel.MAP_TYPE_ARRAY, kernel.MAP_TYPE_PERCPU_ARRAY)
_BCC: Final = 64  # slots of BPF_HISTOGRAM, unless it says otherwise
_FEWEST, _MOST = 8, 4096  # slots
_NAMES: Final = ("hist", "dist", "slot", "bucket", "latenc")
_MEMBERS: Final = ("slots", "hist", "buckets", "counts", "latency")
_BPFTRACE: Final = "AT_"  # what its names begin with: @
_LEAST: Final = 2  # slots that have something
_SLOT: Final = "slot"
POWERS: Final = "powers of two"
LINEAR: Final = "linear"


class Found(NamedTuple):
    """Slots, and of what."""

    title: str
    slots: Sequence[int]
    first: int  # the power of two at which slot 0 ends
    sure: bool = True  # otherwise it may be something else


def found(sample: MapSample, here: Entry | None) -> Found | None:
    """The histogram that the map is, or that the entry under the cursor has or belongs to."""
    of_entry = (_of_struct(here) or _of_keys(sample, here)) if here else None
    return _of_array(sample) or of_entry or _of_numbers(sample)


def bars(slots: Sequence[int], first: int, scale: str) -> list[Bar]:
    """From the first slot that has something to the last."""
    there = [number for number, count in enumerate(slots) if count > 0]
    if not there:
        return []
    return [(*_bounds(number, first, scale), max(0, slots[number])) for number in range(there[0], there[-1] + 1)]


def _bounds(slot: int, first: int, scale: str) -> tuple[int, int]:
    if scale == LINEAR:
        return slot, slot + 1
    if slot + first < 0:
        return -1, 0  # all that is negative
    power = slot + first
    return (1 << power >> 1) if power > 1 or first < 0 else 0, 1 << power


def _of_array(sample: MapSample) -> Found | None:
    one = sample.map
    if one.type not in _ARRAYS or not _FEWEST <= one.entries <= _MOST or one.value_size not in (4, 8):
        return None
    if one.entries != _BCC and not any(word in one.name.lower() for word in _NAMES):
        return None
    slots = [entry.value if isinstance(entry.value, int) else 0 for entry in sample.entries]
    return Found(one.name, slots, 0) if all(is_number(entry.value) for entry in sample.entries) else None


def _of_struct(entry: Entry) -> Found | None:
    """A member that is an array of numbers, of the entry's value, or that value itself."""
    members: dict[str, Value] = entry.value if isinstance(entry.value, dict) else {_MEMBERS[0]: entry.value}
    for name in _MEMBERS:
        slots = _numbers(members.get(name))
        if len(slots) >= _FEWEST:
            return Found(name, slots, 1)
    return None


def _of_keys(sample: MapSample, here: Entry) -> Found | None:
    """The entries whose keys are the same but for `slot`."""
    group = _group(here.key)
    if group is None or not is_number(here.value):
        return None
    slots: dict[int, int] = {}
    for entry in sample.entries:
        if isinstance(entry.key, dict) and _group(entry.key) == group and isinstance(entry.value, int):
            slot = entry.key[_SLOT]
            if isinstance(slot, int) and 0 <= slot < _MOST:
                slots[slot] = entry.value
    title = ", ".join(f"{name} {value}" for name, value in group.items())
    return Found(title, [slots.get(number, 0) for number in range(max(slots, default=0) + 1)], 0)


def _of_numbers(sample: MapSample) -> Found | None:
    """Numbers by numbers that are as small as slots."""
    slots: dict[int, int] = {}
    for entry in sample.entries[: _BCC + 1]:
        key, value = entry.key, entry.value
        if not (isinstance(key, int) and 0 <= key < _BCC and is_number(value) and isinstance(value, int)):
            return None
        slots[key] = value
    if len(slots) < _LEAST or len(sample.entries) > _BCC:
        return None
    first = -1 if sample.map.name.startswith(_BPFTRACE) else 0
    title = sample.map.name or "this map"
    return Found(title, [slots.get(number, 0) for number in range(max(slots) + 1)], first, sure=False)


def _group(key: Value) -> dict[str, Value] | None:
    """What is left of a key without its slot; None where it has none."""
    if not isinstance(key, dict) or _SLOT not in key:
        return None
    return {name: value for name, value in key.items() if name != _SLOT}


def _numbers(value: Value) -> list[int]:
    if not isinstance(value, list):
        return []
    numbers = [number for number in value if isinstance(number, int) and is_number(number)]
    return numbers if len(numbers) == len(value) else []
