"""Maps and their entries as plain dictionaries, with the field names of `bpfscope maps --json`."""

import json
from typing import Any

from tui.bpf.inventory.contents import cpus
from tui.collectors.entries import Entry, MapSample
from tui.collectors.map_layout import Layout
from tui.collectors.maps import MapRow

Row = dict[str, Any]


def listed(row: MapRow) -> Row:
    """A row of `maps`."""
    one = row.map
    return {
        "id": one.id,
        "type": row.type,
        "name": one.name,
        "key_bytes": one.key_size,
        "value_bytes": one.value_size,
        "entries": row.entries,
        "complete": row.complete,
        "max_entries": one.entries,
        "memory_bytes": row.memory,
        "flags": one.flags,
        "btf_id": one.btf_id or None,
        "programs": [{"id": user.id, "name": user.name} for user in row.users],
        "holders": [{"pid": holder.pid, "name": holder.name} for holder in row.holders],
        "ours": row.ours,
    }


def entry(one: Entry, layout: Layout, *, changes: bool = False) -> Row:
    """An entry of `maps ID`: key and value by their types; of a per-CPU map the sum, and each CPU's value."""
    row: Row = {"key": one.key, "value": one.value}
    if layout.per_cpu:
        row["cpus"] = [{"cpu": cpu, "value": value} for cpu, value in zip(cpus(), one.cpus, strict=True)]
    if changes:
        row |= {"change": one.delta, "new": one.new}
    return row


def undecoded(key: bytes, value: bytes) -> Row:
    """The same, as bytes in hexadecimal."""
    return {"key": key.hex(), "value": value.hex()}


def sample(one: MapSample, *, everything: bool) -> Row:
    """An interval or the summary of a map that is watched: `everything`, or only the entries that changed."""
    shown = one.entries if everything else (each for each in one.entries if each.changed)
    ring = {"consumed": one.ring.consumed, "produced": one.ring.produced} if one.ring else None
    return {
        "entries": [entry(each, one.layout, changes=True) for each in shown],
        "complete": one.complete,
        "seconds": round(one.seconds, 3),
        "gone": one.gone,
        "ring": ring,
        "note": one.note or None,
        "ended": one.ended or None,
    }


def document(one: MapSample) -> str:
    """A file of what a reading found."""
    about = {"id": one.map.id, "name": one.map.name, "type": one.type, "key_type": one.layout.key_type or None,
             "value_type": one.layout.value_type}  # fmt: skip
    return json.dumps({"map": about} | sample(one, everything=True), ensure_ascii=False, indent=1) + "\n"
