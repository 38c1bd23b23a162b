"""Control groups as plain dictionaries, with the field names of the command line."""

from collections.abc import Iterable

from tui.collectors.cgroup_samples import ALLOW, DENY, Cgroup, CgroupProgram, Passed
from tui.export.rows import Row


def cgroup(
    one: Cgroup,
    before: Cgroup | None = None,
    seconds: float = 0.0,
    inherited: Iterable[tuple[Cgroup, CgroupProgram]] = (),
) -> Row:
    """A row of `cgroups`; with an earlier reading also what came in the seconds between. Null is what nobody knows.

    `inherited`: programs further up that it meets too.
    """
    passed = one.passed
    row: Row = {
        "cgroup": one.path,
        "id": one.id,
        "unit": one.unit or None,
        "processes": one.processes,
        "memory_bytes": one.memory,
        "cpu_percent": round((one.cpu_us - before.cpu_us) / seconds / 10_000, 2) if before and seconds > 0 else None,
        **(passed._asdict() if passed else dict.fromkeys(Passed._fields)),
        "counted_by": "bpfscope" if one.counted else "systemd" if one.systemd else None,
        "systemd": one.systemd._asdict() if one.systemd else None,
        "denied_at_least": one.counted.denied._asdict() if one.counted and one.counted.denied else None,
        "allow": [rule.what for rule in one.rules if rule.verdict == ALLOW],
        "deny": [rule.what for rule in one.rules if rule.verdict == DENY],
        "programs": [program(each) for each in one.programs if not each.ours],
        "inherited": [
            {"cgroup": at.path, "hook": each.hook, "id": each.id, "name": each.name} for at, each in inherited
        ],
    }
    if before and before.systemd and one.systemd and seconds > 0:
        row["systemd_grew"] = {
            name: after - earlier
            for name, after, earlier in zip(Passed._fields, one.systemd, before.systemd, strict=True)
        }
    return row


def program(one: CgroupProgram) -> Row:
    """A program at a cgroup."""
    rules = one.rules
    row: Row = {
        "hook": one.hook,
        "id": one.id,
        "type": one.type,
        "name": one.name,
        "flags": one.flags,
        "link": one.link or None,
        "rules": [{name: value or None for name, value in rule._asdict().items()} for rule in rules.rules],
        "otherwise": rules.otherwise or None,
    }
    if rules.cut or rules.unknown:
        row["rules_missing"] = rules.unknown or "there are more than are read"
    return row
