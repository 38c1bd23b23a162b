"""What is said of a map on its page. Pure: knows no widget."""

from tui.collectors.entries import MapSample
from tui.widgets.lines import Phrase


def about(sample: MapSample) -> list[Phrase]:
    """The map's type and its entries' types."""
    layout = sample.layout
    types = f"{layout.key_type} → {layout.value_type}" if layout.key_type else layout.value_type
    per_cpu = f" × {len(sample.cpus)} CPUs" if layout.per_cpu else ""
    return [(sample.type, ""), (types + per_cpu, "" if layout.typed else "dim")]


def read_so_far(sample: MapSample, shown: int, pace: Phrase) -> list[Phrase]:
    """How many entries there are, of which so many are shown, and how they were read; `pace`: of a ring buffer."""
    if sample.ring:
        waiting = sample.ring.produced - sample.ring.consumed
        said = f"{sample.ring.produced:,} bytes written, {waiting:,} of {sample.map.entries:,} not read yet"
        return [(said, "strong"), pace]
    read = len(sample.entries)
    number = f"{shown:,} of {read:,} entries" if shown != read else f"{read:,} entr{'y' if read == 1 else 'ies'}"
    most = f"room for {sample.map.entries:,}" if sample.map.entries and sample.map.entries != read else ""
    if sample.scan:
        age = max(0, round(sample.time - sample.scan.time))
        largest = f"the largest {number} of {sample.scan.entries:,}, all read {age:,} s ago"
        return [(largest, "strong"), (most, "")]
    if not sample.complete and not sample.note:
        return [(f"the first {number}", "strong"), ("a reads all", "warn"), (most, "")]
    changed = sum(entry.changed for entry in sample.entries)
    return [
        (number if not sample.note or sample.entries else "", "strong"),
        (most, ""),
        (f"{changed:,} changed" if sample.seconds else "", ""),
        (f"{sample.gone:,} gone" if sample.gone else "", ""),
        (sample.note if sample.entries else "", "dim"),
    ]
