"""`bpfscope maps [ID]`: the BPF maps that there are, or what is in one, decoded through its types (BTF).

Reading changes nothing: nothing is deleted or taken out. Without --all at most 10,000 entries are read. With -d, what
changes in that time stands beside the values; with -i, what changed is printed again and again until Ctrl-C.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator

from tui import text
from tui.bpf.btf.values import one_line
from tui.bpf.inventory import contents, info, kinds
from tui.bpf.inventory.info import Map
from tui.bpf.objects import refusal
from tui.collectors import live
from tui.collectors.entries import Entries, Entry, MapSample, since
from tui.collectors.map_layout import Layout
from tui.collectors.map_search import search
from tui.collectors.maps import MapRow, Maps
from tui.commands import map_drawing
from tui.commands.numbers import seconds
from tui.commands.running import narrate
from tui.errors import BpfscopeError, UsageError
from tui.export import map_rows, rows

_LOOKS = 0.5  # seconds between readings while a change is measured: of a map that goes, the last one is printed
_ALL = 1 << 24  # entries that are counted for the list at most: a kernel's largest maps have a few million


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `maps`."""
    parser.add_argument("id", metavar="ID", nargs="?", help="the map whose entries are printed; or its name")
    parser.add_argument("--all", action="store_true", help="read all entries, however many there are")
    parser.add_argument(
        "--key", metavar="KEY",
        help="this entry alone: a number; an address, for prefixes that contain it, longest first; or part of it",
    )  # fmt: skip
    parser.add_argument(
        "--hist", action="store_true", help="draw the map, or each entry, as a histogram by powers of two"
    )
    parser.add_argument("--raw", action="store_true", help="keys and values as bytes, in hexadecimal")
    parser.add_argument("-d", metavar="S", dest="duration", type=seconds, help="show what changes within S seconds")
    parser.add_argument("-i", metavar="S", dest="interval", type=seconds, help="print what changed every S seconds")


def run(arguments: argparse.Namespace) -> int:
    """Prints a row per map, or per entry of one."""
    live_wanted = arguments.duration is not None or arguments.interval is not None
    if arguments.id is None:
        if live_wanted or arguments.raw or arguments.hist or arguments.key is not None:
            raise UsageError(
                "-d, -i, --key, --hist and --raw are about the entries of one map: name it, `bpfscope maps ID`"
            )
        return _list(arguments)
    if sum((live_wanted, arguments.raw or arguments.all, arguments.hist, arguments.key is not None)) > 1:
        raise UsageError(
            "-d and -i watch the map, --key finds entries, --hist draws them, --all and --raw print them: choose"
        )
    number = _number(arguments.id)
    if arguments.all or arguments.raw:
        return _dump(number, arguments)
    entries = Entries(number)
    _introduce(entries)
    if live_wanted:
        return _watch(entries, arguments)
    if arguments.key is not None:
        return _find(entries, arguments.key, as_json=arguments.json)
    sample = entries.read()
    _say(sample)
    if arguments.hist and not arguments.json:
        return map_drawing.draw(sample)
    _print(sample.entries, sample, as_json=arguments.json)
    return 1 if sample.note and not sample.entries and sample.ring is None else 0


def _number(word: str) -> int:
    """A map's number, or that of the only one with this name. Raises UsageError, TargetError, NotPermitted."""
    if word.isascii() and word.isdecimal():
        return int(word)
    found = [one.id for one in info.maps() if one.name == word]
    if len(found) == 1:
        return found[0]
    which = f"several maps have this name: {', '.join(map(str, found))}" if found else "no map has this name"
    raise UsageError(f"{word}: {which}; `bpfscope maps` lists them by number")


def _list(arguments: argparse.Namespace) -> int:
    sample = Maps().read(_ALL if arguments.all else contents.MOST * 10)
    if arguments.json:
        for row in sample.maps:
            sys.stdout.write(rows.line(map_rows.listed(row)))
        return 0
    print(
        f"{'ID':>7} {'TYPE':<16} {'NAME':<16} {'KEY':>6} {'VALUE':>7} {'ENTRIES':>10} {'OF':>10} {'MEMORY':>9}  USED BY"
    )
    for row in sample.maps:
        one = row.map
        entries = "" if row.entries is None else f"{row.entries:,}{'' if row.complete else '+'}"
        print(
            f"{one.id:>7} {row.type:<16} {one.name:<16} {one.key_size:>6,} {one.value_size:>7,} {entries:>10}"
            f" {one.entries:>10,} {text.size(row.memory):>9}  {_users(row)}"
        )
    return 0


def _users(row: MapRow) -> str:
    programs = [user.shown for user in row.users]
    held = [f"{holder.name} {holder.pid}" for holder in row.holders]
    pinned = f"pinned {', '.join(row.pins)}" if row.pins else ""
    by = f"held by {', '.join(held)}" if held else ""
    return " · ".join(filter(None, (", ".join(programs), by, pinned)))


def _introduce(entries: Entries) -> None:
    """Say what map this is."""
    one, layout = entries.map, entries.layout
    types = f"{layout.key_type} → {layout.value_type}" if layout.key_type else layout.value_type
    told = "" if layout.typed or layout.note else " (no types: what is known are their sizes)"
    per_cpu = f" on each of {len(contents.cpus())} CPUs" if layout.per_cpu else ""
    narrate(f"map {one.id} {one.name or '(no name)'}: {kinds.map_type(one.type)}, {types}{per_cpu}{told}")
    if layout.note:
        narrate(layout.note)


def _say(sample: MapSample) -> None:
    """What to know of a reading."""
    if sample.note:
        narrate(sample.note)
    elif not sample.complete:
        narrate(f"the first {len(sample.entries):,} entries; --all reads all")
    if sample.ended:
        narrate(sample.ended)


def _print(entries: Iterable[Entry], sample: MapSample, *, as_json: bool, changes: bool = False) -> None:
    """A row per entry."""
    if sample.ring and as_json:
        sys.stdout.write(rows.line(sample.ring._asdict() | {"size": sample.map.entries}))
    elif sample.ring:
        waiting = sample.ring.produced - sample.ring.consumed
        print(f"{sample.ring.produced:,} bytes written, {waiting:,} of {sample.map.entries:,} not read yet")
    for entry in entries:
        sys.stdout.write(_line(entry, sample.layout, as_json=as_json, changes=changes))
    sys.stdout.flush()


def _line(entry: Entry, layout: Layout, *, as_json: bool, changes: bool = False) -> str:
    """An entry: key: value, and how much it grew."""
    if as_json:
        return rows.line(map_rows.entry(entry, layout, changes=changes))
    key = "" if entry.key is None else f"{one_line(entry.key)}: "
    grown = f"  {_grown(entry)}" if changes and entry.changed else ""
    cpus = f"  by CPU {', '.join(map(one_line, entry.cpus))}" if len(entry.cpus) > 1 and not changes else ""
    return f"{key}{one_line(entry.value)}{cpus}{grown}\n"


def _grown(entry: Entry) -> str:
    if entry.new:
        return "new"
    return f"{entry.delta:+,}" if isinstance(entry.delta, int) else f"change {one_line(entry.delta)}"


def _find(entries: Entries, word: str, *, as_json: bool) -> int:
    """The entries that somebody asks for; status 1 where there is none."""
    found = search(entries, word)
    for entry in found:
        sys.stdout.write(_line(entry, entries.layout, as_json=as_json))
    if not found:
        narrate(f"no entry has the key {word}")
    return 0 if found else 1


def _dump(number: int, arguments: argparse.Namespace) -> int:
    """All entries as they come, or bytes; a key may come twice where entries are deleted meanwhile."""
    entries = Entries(number)
    _introduce(entries)
    printed = 0
    try:
        with info.map_of(number) as fd:
            sample = entries.read()  # it tells, too, what keys look like
            if sample.note or entries.map.type in contents.RINGS:
                _say(sample)
                if arguments.raw and not sample.ring:
                    for entry in sample.entries:
                        _print_bytes(entry.raw, entry.data, as_json=arguments.json)
                    return 0 if sample.entries else 1
                _print(sample.entries, sample, as_json=arguments.json)
                return 0 if sample.entries or sample.ring else 1
            for key, value in _all(fd, entries.map, everything=arguments.all):
                printed += 1
                if arguments.raw:
                    _print_bytes(key, value, as_json=arguments.json)
                else:
                    sys.stdout.write(_line(entries.decoded(key, value), entries.layout, as_json=arguments.json))
    except OSError as error:
        raise refusal(error, f"read map {number}") from None
    narrate(f"{printed:,} entr{'y' if printed == 1 else 'ies'}")
    return 0


def _print_bytes(key: bytes, value: bytes, *, as_json: bool) -> None:
    row = map_rows.undecoded(key, value)
    sys.stdout.write(rows.line(row) if as_json else f"{row['key']}: {row['value']}\n")


def _all(fd: int, one: Map, *, everything: bool) -> Iterator[tuple[bytes, bytes]]:
    if not everything:
        yield from contents.contents(fd, one).entries
        return
    for portion in contents.portions(fd, one):
        yield from portion


def _watch(entries: Entries, arguments: argparse.Namespace) -> int:
    """With -i what changed, again and again; at the end, or with -d alone only there, everything."""
    first = entries.read()
    _say(first)
    if first.note and not first.entries and first.ring is None:
        raise BpfscopeError(f"map {entries.map.id} can't be watched: {first.note}")
    if arguments.interval is None:
        return _measured(entries, first, arguments)
    with live.stop_signals() as stop:
        stop.arm()
        for sample, last in live.ticks(entries.read, stop, arguments.interval, arguments.duration):
            if arguments.json:
                kind = "summary" if last else "interval"
                sys.stdout.write(rows.line({"kind": kind} | map_rows.sample(sample, everything=last)))
            else:
                changed = [one for one in sample.entries if one.changed]
                print(f"{len(changed):,} changed, {sample.gone:,} gone")
                _print(changed, sample, as_json=False, changes=True)
            sys.stdout.flush()
            if sample.ended:
                narrate(sample.ended)
    return 0


def _measured(entries: Entries, first: MapSample, arguments: argparse.Namespace) -> int:
    """All entries, with what changed in the meantime."""
    with live.stop_signals() as stop:
        stop.arm()
        interval = min(_LOOKS, arguments.duration)
        *_, (last, _) = live.ticks(entries.read, stop, interval, arguments.duration)
    sample = since(first, last)
    if sample.ring and first.ring and not arguments.json:
        narrate(f"{sample.ring.produced - first.ring.produced:,} bytes written in {sample.seconds:.1f} s")
    if sample.ended:
        narrate(f"{sample.ended}; what was last seen in it:")
    _print(sample.entries, sample, as_json=arguments.json, changes=True)
    return 0
