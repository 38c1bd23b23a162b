"""What is attached where as plain dictionaries with the field names of the command line."""

from tui.bpf.classic import listing, unpack
from tui.collectors.attachment_samples import Owner, Placed
from tui.export.rows import Row


def placed(one: Placed, uptime: int) -> Row:
    """A row of `attached`; `uptime`: of the machine when it was read, ns."""
    return {
        "hook": one.hook,
        "where": one.where,
        "program": one.program or None,
        "name": one.name,
        "owner": [_owner(each) for each in one.owners],
        "pins": list(one.pins),
        "ours": one.ours,
        "type": one.type or None,
        "place": one.kind,
        "detail": one.detail,
        "links": list(one.links),
        "ifindex": one.ifindex or None,
        "cgroup": one.cgroup or None,
        "pid": one.pid or None,
        "map": one.map or None,
        "file": one.file or None,
        "offset": one.offset if one.file else None,
        "loaded_ago_s": round((uptime - one.loaded) / 1e9, 3) if one.loaded else None,
        "instructions": listing(unpack(one.instructions)) if one.instructions else None,
    }


def _owner(one: Owner) -> Row:
    return {"pid": one.pid, "name": one.name, "unit": one.unit or None}
