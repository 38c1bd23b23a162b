"""`bpfscope packets IFACE[,…] [EXPR…]`: packets that a filter sees and matches, counted in the kernel, live.

The expression is pcap-filter(7)'s; without one everything matches. Several interfaces, hooks and filters are compared
on the same traffic. Nothing is done to the packets: they go on to whoever else wants them.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from tui import text
from tui.bpf.classic import listing
from tui.bpf.expressions import HOOKS, Compiler
from tui.bpf.hooks import Hook
from tui.bpf.packets.groups import By
from tui.collectors import live
from tui.collectors.interfaces import Interfaces
from tui.collectors.packets import PacketsProbe, Wish, compiled_for
from tui.collectors.samples import FilterFigures, GroupRow, Interface, PacketRecord, PacketsSample
from tui.commands.running import add_duration, add_interval, narrate
from tui.errors import TargetError, UsageError
from tui.export import pcap, rows, whole
from tui.text import sanitise

_TALKERS: Final = 10  # groups that are printed at the end
_GROWING: Final = 5  # and before
_BINNED: Final = ("size", "hops", "gap")  # all of whose groups are printed
_SAMPLES: Final = 1_000  # per second and filter
_MOST_KEPT: Final = 100_000  # packets in a file
_SNAPSHOT: Final = 1_536  # bytes of each


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `packets`."""
    parser.add_argument("interfaces", metavar="IFACE[,…]", help="one interface or several: eth0,wg0")
    parser.add_argument("expression", metavar="EXPR", nargs="*", help="the words of an expression")
    parser.add_argument(
        "--filter", metavar="EXPR", dest="filters", action="append", default=[], help="another expression; repeatable"
    )
    parser.add_argument(
        "--hook",
        dest="hooks",
        action="append",
        choices=HOOKS,
        help="where to look, repeatable: socket-ebpf (the default: both directions, as tcpdump), tcx-ingress, …",
    )
    parser.add_argument(
        "--by", choices=[by.value for by in list(By)[1:]], default="", metavar="G",
        help=f"group what matched: {', '.join(by.value for by in list(By)[1:])}",
    )  # fmt: skip
    parser.add_argument("--hits", action="store_true", help="count how often each instruction of the filter runs")
    parser.add_argument("--promisc", action="store_true", help="see what is for others, too (promiscuous mode)")
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--native", action="store_true", default=None, help="XDP in the driver, or not at all")
    modes.add_argument("--generic", dest="native", action="store_false", help="XDP behind the driver")
    parser.add_argument(
        "--pcap",
        metavar="FILE",
        help=f"write matched packets too: at most {_SAMPLES:,} a second, {_MOST_KEPT:,} in all",
    )
    parser.add_argument("-O", dest="optimise", action="store_false", help="leave out libpcap's optimiser")
    add_duration(parser)
    add_interval(parser)


def run(arguments: argparse.Namespace) -> int:
    """Counts until the time is up, the interfaces disappear or somebody stops it; the summary is always printed."""
    if arguments.pcap is not None:
        whole.check(arguments.pcap)
    wishes = list(_wishes(arguments))
    snapshot = _SNAPSHOT if arguments.pcap else 0
    records: list[PacketRecord] = []
    with (
        live.stop_signals() as stop,
        PacketsProbe(
            wishes, By(arguments.by), hits=arguments.hits, snapshot=snapshot, promiscuous=arguments.promisc,
            native=arguments.native,
        ) as probe,
    ):  # fmt: skip
        stop.arm()
        probe.allow(_SAMPLES)
        sample = probe.read()

        def read() -> PacketsSample:
            nonlocal sample
            sample = probe.read(_SAMPLES)
            records.extend(sample.records)
            probe.allow(min(round(_SAMPLES * arguments.interval), _MOST_KEPT - len(records)))
            return sample

        samples = live.ticks(read, stop, arguments.interval, arguments.duration)
        try:
            for line in (_json if arguments.json else _text)(probe, wishes, _ended(probe, read, samples)):
                sys.stdout.write(line)
                sys.stdout.flush()
        finally:  # also where nobody reads our output any more
            if arguments.pcap:
                _write(arguments.pcap, records[:_MOST_KEPT], sample)
    return 0


def _write(path: str, records: Sequence[PacketRecord], sample: PacketsSample) -> None:
    """The packets that were kept, as a file, and how many of them there were."""
    pcap.write(path, records)
    matched = sum(figures.matched for figures in sample.filters)
    narrate(f"{text.plural(len(records), 'packet')} of {matched:,} that matched written to {sanitise(path)}")


def _ended(probe: PacketsProbe, read: Callable[[], PacketsSample], samples: "Samples") -> "Samples":
    """The last sample is read once nothing is counted any more."""
    for sample, last in samples:
        if last:
            probe.stop()
            sample = read()._replace(ended=sample.ended)
        yield sample, last


def _wishes(arguments: argparse.Namespace) -> Iterator[Wish]:
    """Each filter at each hook of each interface. Raises TargetError, UsageError."""
    with Interfaces() as reader:
        there = {interface.name: interface for interface in reader.read().interfaces}
    whole_name = sanitise(arguments.interfaces) in there  # a comma may be part of it
    names = [arguments.interfaces] if whole_name else arguments.interfaces.split(",")
    if missing := [name for name in names if sanitise(name) not in there]:
        raise TargetError(f"there is no interface {sanitise(missing[0])}; there are {', '.join(there)}")
    expressions = [*([" ".join(arguments.expression)] if arguments.expression else []), *arguments.filters] or [""]
    hooks = list(dict.fromkeys(map(Hook, arguments.hooks or ["socket-ebpf"])))
    if Hook.XDP in hooks and len(expressions) > 1:
        raise UsageError("an interface runs only one XDP program: compare filters at another --hook")
    if arguments.native is not None and Hook.XDP not in hooks:
        raise UsageError("--native and --generic are about --hook xdp")
    with Compiler() as compiler:
        for name in dict.fromkeys(names):
            for hook in hooks:
                for expression in expressions:
                    yield _wish(compiler, there[sanitise(name)], hook, expression, optimise=arguments.optimise)


def _wish(compiler: Compiler, interface: Interface, hook: Hook, expression: str, *, optimise: bool) -> Wish:
    compiled = compiler.compile(expression, optimise=optimise, **compiled_for(hook.value, interface))
    if compiled.note:
        narrate(f"{interface.name}, {hook.value}: {compiled.note}")
    return Wish(interface, hook, sanitise(expression), compiled.program)


Samples = Iterator[tuple[PacketsSample, bool]]


def _json(probe: PacketsProbe, wishes: Sequence[Wish], samples: Samples) -> Iterator[str]:
    positions = list(probe.positions)
    about: rows.Row = {"attached": len(wishes), "skipped": [], "notes": list(probe.notes)}
    yield rows.line({"kind": "attached"} | about | {"positions": positions})
    for sample, last in samples:
        kind = {"kind": "summary"} | about if last else {"kind": "interval"}
        positions = positions if last else list(probe.positions)  # others may have put themselves in front
        yield rows.line(kind | {"positions": positions} | rows.packets(sample))


def _text(probe: PacketsProbe, wishes: Sequence[Wish], samples: Samples) -> Iterator[str]:
    narrate(f"counting at {text.plural(len(wishes), 'place')}")
    for note in probe.notes:
        narrate(note)
    told = _narrate_positions(wishes, [""] * len(wishes), probe.positions)
    before: PacketsSample | None = None
    for sample, last in samples:
        if not last:
            told = _narrate_positions(wishes, told, probe.positions)
        yield from _table(sample, before, everything=last)
        for figures, then in zip(sample.filters, before.filters if before else sample.filters, strict=True):
            if figures.gone != then.gone:
                narrate(figures.gone)
        if last:
            yield from _listings(wishes, sample)
            if sample.ended:
                narrate(sample.ended)
        before = sample


def _narrate_positions(wishes: Sequence[Wish], told: Sequence[str], now: tuple[str, ...]) -> tuple[str, ...]:
    """Say where our programs run among others, if that is new."""
    for wish, was, position in zip(wishes, told, now, strict=True):
        if position not in {was, ""} and not position.startswith("the only"):
            narrate(f"{wish.interface.name}, {wish.hook.value}: ours is the {position}")
    return now


def _table(sample: PacketsSample, before: PacketsSample | None, *, everything: bool) -> Iterator[str]:
    """The filters, with what came since the sample before, and of each the groups that grew most; `everything`: at the
    end, the largest.
    """
    seconds = sample.elapsed - (before.elapsed if before else 0.0)
    earlier: Iterable[FilterFigures | None] = before.filters if before else [None] * len(sample.filters)
    width = max(len(_label(figures)) for figures in sample.filters)
    yield f"{sample.elapsed:.1f} s\n"
    yield f"{'FILTER':<{width}} {'SEEN':>13} {'MATCHED':>13} {'/S':>8} {'BYTES':>9} {'LOST':>6}\n"
    for figures, then in zip(sample.filters, earlier, strict=True):
        rate = text.rate((figures.matched - (then.matched if then else 0)) / seconds) if seconds > 0 else ""
        yield (
            f"{_label(figures):<{width}} {figures.seen:>13,} {figures.matched:>13,} {rate:>8}"
            f" {text.size(figures.bytes_matched):>9} {figures.lost:>6,}\n"
        )
        if everything or not figures.by:
            yield from _groups(figures, figures.groups, "")
        else:
            grown = _grown(figures, then)
            yield from _groups(figures, grown, "what grew most")
    yield "\n"


def _label(figures: FilterFigures) -> str:
    words = (figures.interface, figures.hook, figures.filter or "everything")
    return "  ".join(words)


def _grown(figures: FilterFigures, then: FilterFigures | None) -> list[GroupRow]:
    """The groups to which something was added, what grew most first; of bins, in their order."""
    before = {group.key: group.packets for group in then.groups} if then else {}
    grown = [group for group in figures.groups if group.packets > before.get(group.key, 0)]
    if figures.by not in _BINNED:
        grown.sort(key=lambda group: before.get(group.key, 0) - group.packets)
    return grown[: None if figures.by in _BINNED else _GROWING]


def _groups(figures: FilterFigures, groups: Sequence[GroupRow], what: str) -> Iterator[str]:
    if not figures.by or not groups:
        return
    groups = groups if figures.by in _BINNED else groups[:_TALKERS]
    yield f"{'PACKETS':>15} {'BYTES':>9}  BY {figures.by.upper()}{f', {what}' if what else ''}\n"
    for group in groups:
        yield f"{group.packets:>15,} {text.size(group.bytes):>9}  {_key(figures.by, group.key)}\n"
    if what:
        return
    packets = figures.matched - sum(group.packets for group in groups)
    if packets and figures.by:
        size = figures.bytes_matched - sum(group.bytes for group in groups)
        yield f"{packets:>15,} {text.size(size):>9}  others\n"


def _key(by: str, key: str | int | None) -> str:
    """What the packets of a group have in common, with its unit."""
    if key is None:
        return f"no {by}"
    if by == "size":
        return f"{key} bytes"
    if by == "gap" and isinstance(key, str):
        low, _, high = key.partition("-")
        return f"{text.duration(int(low))} – {text.duration(int(high) + 1)}" if high.isdecimal() else key
    return str(key)


def _listings(wishes: Sequence[Wish], sample: PacketsSample) -> Iterator[str]:
    """The filters' instructions, with how often each ran."""
    for wish, figures in zip(wishes, sample.filters, strict=True):
        if figures.hits:
            yield f"{_label(figures)}\n{'HITS':>13}\n"
            for hits, line in zip(figures.hits, listing(wish.program), strict=True):
                yield f"{hits:>13,}  {line}\n"
            yield "\n"
