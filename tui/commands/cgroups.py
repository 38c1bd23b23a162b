"""`bpfscope cgroups [PATH]`: the control groups, what passes them, what is allowed and denied, and their programs.

Packets and bytes are those that systemd has counted since the unit started (IPAccounting=); with --count those that a
program of our own counts meanwhile, which goes with us: those that others deny are among them. PATH is a cgroup's
("/system.slice"), or a name or a glob of names ("ssh.service", "user-*.slice"): then those are listed, with all that
are in them.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial

from tui import text
from tui.collectors import live
from tui.collectors.cgroup_samples import Cgroup, CgroupProgram, CgroupsSample, Passed, denied_in_words, effective
from tui.collectors.cgroups import Cgroups
from tui.commands.numbers import seconds
from tui.commands.running import narrate
from tui.errors import TargetError, UsageError
from tui.export import rows
from tui.export.cgroups import cgroup
from tui.text import sanitise


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `cgroups`."""
    parser.add_argument("path", metavar="PATH", nargs="?", help="a cgroup's path, or a name or glob (default: all)")
    parser.add_argument("-d", metavar="S", dest="duration", type=seconds, help="measure for S seconds first")
    parser.add_argument(
        "--count",
        action="store_true",
        help="count the packets of PATH and of all below it with a program of our own, for -d S or until Ctrl-C; also"
        " those that a program of somebody else denies",
    )


def run(arguments: argparse.Namespace) -> int:
    """Prints a row per cgroup, each after the one that it is in."""
    with live.stop_signals() as stop, Cgroups() as reader:
        before = sample = reader.read()
        chosen = _chosen(sample, arguments.path)
        roots = _roots(chosen) if arguments.count else []
        for one in roots:
            reader.count(one.id)
        before = reader.read() if roots else before
        last = {one.id: one for one in chosen}
        if roots or arguments.duration:
            stop.arm()
            if roots:
                until = "" if arguments.duration else "; Ctrl-C ends it"
                narrate(f"counting the packets of {_names(roots)}, also those that others deny{until}")
            read = partial(_read, reader, last)
            for reading, _ in live.ticks(read, stop, min(1.0, arguments.duration or 1.0), arguments.duration):
                sample = reading
        if sample.lost:
            narrate(f"{text.plural(sample.lost, 'packet')} of too many cgroups lost")
        removed = _removed(reader, last, sample)
    if sample.hidden:
        narrate(f"there are more cgroups: only {len(sample.cgroups):,} are read")
    found = (*_below(sample, {one.id for one in chosen}), *removed)
    earlier = {one.id: one for one in before.cgroups} if sample is not before else {}
    for line in (_json if arguments.json else _text)(found, sample, earlier, sample.time - before.time):
        sys.stdout.write(line)
    return 0


def _read(reader: Cgroups, last: dict[int, Cgroup]) -> CgroupsSample:
    """A reading, which `last` is brought up to date with; it says where none of them is left."""
    sample = reader.read()
    there = {one.id: one for one in sample.cgroups if one.id in last}
    last |= there
    return sample if there else sample._replace(ended="removed")


def _removed(reader: Cgroups, last: dict[int, Cgroup], sample: CgroupsSample) -> list[Cgroup]:
    """Those that went while it was measured, with their last figures; says so."""
    there = {one.id for one in sample.cgroups}
    removed = [
        one._replace(counted=reader.last_counted(one.id) or one.counted) for one in last.values() if one.id not in there
    ]
    if removed:
        were = "was removed meanwhile: its figures are" if len(removed) == 1 else "were removed meanwhile: theirs are"
        narrate(f"{_names(removed)} {were} the last ones")
    return removed


def _chosen(sample: CgroupsSample, path: str | None) -> tuple[Cgroup, ...]:
    """The cgroups that are asked for, with all that are in them. Raises TargetError."""
    if path is None:
        return sample.cgroups
    if not path:
        raise UsageError("PATH is empty: / is the root; without PATH all are listed")
    wanted = sanitise(path)
    bare = "/" + wanted.removeprefix(sample.mount).strip("/")
    exact = {one.id for one in sample.cgroups if one.path == bare}
    named = {one.id for one in sample.cgroups if any(fnmatchcase(name, wanted) for name in (one.name, one.unit))}
    if not exact and not named:
        raise TargetError(f"there is no cgroup of the path or name {wanted}: `bpfscope cgroups` lists all")
    return _below(sample, exact or named)


def _below(sample: CgroupsSample, numbers: set[int]) -> tuple[Cgroup, ...]:
    """Those, and what is in them; each cgroup comes after the one that it is in."""
    kept = set(numbers)
    for one in sample.cgroups:
        if one.parent in kept:
            kept.add(one.id)
    return tuple(one for one in sample.cgroups if one.id in kept)


def _roots(chosen: Sequence[Cgroup]) -> list[Cgroup]:
    """Those that are in none of the others: our program sees what is in them too."""
    numbers = {one.id for one in chosen}
    return [one for one in chosen if one.parent not in numbers]


def _names(cgroups: Sequence[Cgroup]) -> str:
    return cgroups[0].path if len(cgroups) == 1 else text.plural(len(cgroups), "cgroup")


def _inherited(sample: CgroupsSample, one: Cgroup) -> list[tuple[Cgroup, CgroupProgram]]:
    """The programs of others further up that it meets too."""
    return [(at, each) for at, each in effective(sample, one.id) if at.id != one.id and not each.ours]


def _json(
    found: Sequence[Cgroup], sample: CgroupsSample, earlier: Mapping[int, Cgroup], elapsed: float
) -> Iterator[str]:
    for one in found:
        yield rows.line(cgroup(one, earlier.get(one.id), elapsed, _inherited(sample, one)))


def _text(
    found: Sequence[Cgroup], sample: CgroupsSample, earlier: Mapping[int, Cgroup], elapsed: float
) -> Iterator[str]:
    """A line per cgroup, and one below it per program; those from further up only where their cgroup isn't listed."""
    yield (
        f"{'PROCS':>5} {'CPU %':>6} {'IN PACKETS':>13} {'BYTES':>9} {'OUT PACKETS':>13} {'BYTES':>9} {'COUNTED BY':<10}"
        " CGROUP\n"
    )
    listed = {one.id for one in found}
    for one in found:
        row = cgroup(one, earlier.get(one.id), elapsed)
        cpu = "" if row["cpu_percent"] is None else f"{row['cpu_percent']:.1f}"
        yield f"{one.processes:>5} {cpu:>6} {_figures(one.passed)} {_by(one):<10} {one.path}\n"
        if one.counted and (denied := denied_in_words(one.counted.denied)):
            yield f"      {denied}\n"
        for each in one.programs:
            if not each.ours:
                yield f"      {_program(each)}\n"
        if one.parent not in listed:
            for at, each in _inherited(sample, one):
                yield f"      from {at.path}: {_program(each)}\n"


def _by(one: Cgroup) -> str:
    return "ours" if one.counted else "systemd" if one.systemd else ""


def _figures(passed: Passed | None) -> str:
    if passed is None:
        return " " * 47
    return (
        f"{passed.rx_packets:>13,} {text.size(passed.rx_bytes):>9}"
        f" {passed.tx_packets:>13,} {text.size(passed.tx_bytes):>9}"
    )


def _program(one: CgroupProgram) -> str:
    """As in "cgroup-inet-ingress 97 sd_fw_ingress: allow 10.0.0.0/8; deny any"."""
    rules = one.rules
    said = [
        f"{verdict} {', '.join(what)}"
        for verdict in dict.fromkeys(rule.verdict for rule in rules.rules)
        if (what := [rule.what for rule in rules.rules if rule.verdict == verdict])
    ]
    if rules.otherwise and not any(rule.what == "any" for rule in rules.rules):
        said.append(f"{rules.otherwise} everything{' else' if rules.rules else ''}")
    said += [f"rules unknown: {rules.unknown}"] * bool(rules.unknown) + ["more aren't read"] * rules.cut
    alone = "" if one.flags == "multi" else f" ({one.flags})"
    return f"{one.hook} {one.id} {one.name or '(unnamed)'}{alone}" + (f": {'; '.join(said)}" if said else "")
