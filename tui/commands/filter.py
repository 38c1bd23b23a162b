"""`bpfscope filter EXPR…`: a filter's program, as tcpdump lists it or as eBPF; or what every engine matches in a file.

The expression is pcap-filter(7)'s. Instead of one, `-` reads what `tcpdump -ddd` or -dd printed, or bpf_asm's language,
from standard input.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from tui import text
from tui.bpf import expressions
from tui.bpf.classic.instructions import Program
from tui.bpf.classic.listing import c_array, decimal, listing, parse
from tui.errors import UsageError

if TYPE_CHECKING:
    from tui.bpf.savefile import Savefile
    from tui.collectors.comparison import Comparison

_LARGEST_INPUT: Final = 1 << 20  # bytes of a program as text: 4,096 instructions and as many comments
_FORMATS: Final[Sequence[Callable[[Program], list[str]]]] = (listing, c_array, decimal)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `filter`."""
    parser.add_argument("expression", metavar="EXPR", nargs="*", help="the words of an expression, or -")
    packets = parser.add_mutually_exclusive_group()
    packets.add_argument("-i", metavar="IFACE", dest="interface", help="as a capture on this interface sees packets")
    packets.add_argument(
        "-y", metavar="DLT", dest="link_type", help="what packets begin with: EN10MB (the default), RAW, LINUX_SLL, …"
    )
    packets.add_argument("--pcap", metavar="F", help="run every engine over this capture file")
    parser.add_argument("-O", dest="optimise", action="store_false", help="leave out libpcap's optimiser")
    parser.add_argument(
        "-s",
        metavar="N",
        dest="snapshot",
        type=_snapshot,
        default=expressions.SNAPSHOT,
        help=f"bytes of a packet that are wanted (default {expressions.SNAPSHOT})",
    )
    parser.add_argument(
        "-d", dest="dump", action="count", default=0, help="list the program (the default); -dd as C, -ddd as numbers"
    )
    parser.add_argument("--ebpf", action="store_true", help="list the translation too, under each instruction")
    parser.add_argument(
        "--hook", choices=expressions.HOOKS, help="as this hook sees packets (with --ebpf: socket-ebpf)"
    )
    parser.add_argument("--resolve", action="store_true", help="look up unknown names over the network")


def run(arguments: argparse.Namespace) -> int:
    """Prints the program, or what every engine matches."""
    if arguments.pcap is not None:
        return _compare(arguments)
    compiled = _assembled() if arguments.expression == ["-"] else _compiled(arguments)
    _narrate(compiled)
    _list(compiled.program, arguments)
    return 0


def _compiled(arguments: argparse.Namespace) -> expressions.Compiled:
    """The expression's program, as the hook or the interface sees packets. Raises as `compile_expression`."""
    where = {"interface": arguments.interface}
    if arguments.link_type:
        where = {"link_type": arguments.link_type}
    elif arguments.hook:
        where = expressions.for_hook(arguments.hook, arguments.interface)
    return expressions.compile_expression(
        " ".join(arguments.expression),
        optimise=arguments.optimise,
        snapshot=arguments.snapshot,
        resolve=arguments.resolve,
        **where,
    )


def _assembled() -> expressions.Compiled:
    """The program that standard input describes. Raises UsageError."""
    data = sys.stdin.buffer.read(_LARGEST_INPUT + 1)
    if len(data) > _LARGEST_INPUT:
        raise UsageError(f"standard input is longer than any program: {text.size(_LARGEST_INPUT)} are the most")
    source = data.decode(errors="replace")
    if source.lstrip()[:1] in "{0123456789":
        return expressions.Compiled(parse(source), optimised=False)
    from tui.bpf.classic.assembler import assemble

    return expressions.Compiled(assemble(source), optimised=False)


def _narrate(compiled: expressions.Compiled) -> None:
    """What the listing alone doesn't tell."""
    if not (compiled.note or compiled.accepts_all):
        return
    from tui.commands.running import narrate

    if compiled.note:
        narrate(compiled.note)
    if compiled.accepts_all:
        narrate("every packet matches")


def _list(program: Program, arguments: argparse.Namespace) -> None:
    """As -d, -dd or -ddd; or the translation."""
    if arguments.ebpf:
        _list_translation(program, arguments.hook or "socket-ebpf", as_json=arguments.json)
    elif arguments.json:
        from tui.export import rows

        for index, (instruction, line) in enumerate(zip(program, listing(program), strict=True)):
            row = {"index": index} | instruction._asdict() | {"text": line.split(" ", 1)[1]}
            sys.stdout.write(rows.line(row))
    else:
        lines = _FORMATS[min(max(arguments.dump, 1), len(_FORMATS)) - 1](program)
        sys.stdout.write("".join(f"{line}\n" for line in lines))


def _list_translation(program: Program, hook: str, *, as_json: bool) -> None:
    """The translation as the kernel lists it, after a line for the classic instruction that it does."""
    from tui.bpf import engines
    from tui.bpf.classic.checker import check
    from tui.bpf.hooks.kinds import Hook
    from tui.export import rows

    check(program)
    classic = listing(program)
    before: int | None = -1
    for line in engines.lines(program, engines.KINDS[Hook(hook)]):
        if as_json:
            sys.stdout.write(rows.line(line._asdict()))
            continue
        if line.instruction != before and line.instruction is not None:
            sys.stdout.write(f"; {classic[line.instruction]}\n")
        elif line.instruction != before:
            sys.stdout.write("; around the filter\n")
        before = line.instruction
        sys.stdout.write(f"{line.slot:>6}: {line.text}\n")


def _compare(arguments: argparse.Namespace) -> int:
    """Runs every engine over the file; status 1 where it breaks off."""
    from tui.bpf.savefile import Savefile
    from tui.collectors.comparison import compare
    from tui.commands.running import narrate

    if arguments.hook or arguments.ebpf:
        raise UsageError("--pcap runs every engine over the file: leave out --hook and --ebpf")
    with Savefile(arguments.pcap, resolve=arguments.resolve) as file:
        compiled = _assembled() if arguments.expression == ["-"] else _compiled_for(file, arguments)
        _narrate(compiled)
        if arguments.dump:
            _list(compiled.program, arguments)
        found = compare(file, compiled.program)
    for line in _json(found) if arguments.json else _table(found):
        sys.stdout.write(line)
    if found.cut:
        narrate(
            f"{text.plural(found.cut, 'packet')} of {found.packets:,} weren't captured to their end: for the engines of"
            " Linux `len` is what was captured"
        )
    if not found.agree:
        narrate("the engines don't agree")
    if found.ended:
        narrate(f"{file.name} breaks off after {text.plural(found.packets, 'packet')}: {found.ended}")
    return 1 if found.ended else 0


def _compiled_for(file: "Savefile", arguments: argparse.Namespace) -> expressions.Compiled:
    return file.compile(" ".join(arguments.expression), optimise=arguments.optimise, snapshot=arguments.snapshot)


def _json(found: "Comparison") -> Iterator[str]:
    from tui.export import rows

    for tally in found.tallies:
        row = tally._asdict() | {"reason": tally.reason or None}
        yield rows.line(row if tally.ran else row | {"total": None, "matched": None})


def _table(found: "Comparison") -> Iterator[str]:
    yield f"{'ENGINE':<16} {'TOTAL':>12} {'MATCHED':>12}\n"
    for tally in found.tallies:
        if not tally.ran:
            yield f"{tally.engine:<16} {'–':>12} {'–':>12}  {tally.reason}\n"
        else:
            left_out = (
                f"  without {text.plural(tally.left_out, 'packet')} that it doesn't take" if tally.left_out else ""
            )
            yield f"{tally.engine:<16} {tally.total:>12,} {tally.matched:>12,}{left_out}\n"


def _snapshot(word: str) -> int:
    """A number of bytes; 0 stands for the default, as tcpdump has it."""
    number = int(word) if word.isascii() and word.isdecimal() else -1
    if not 0 <= number < 1 << 31:
        raise argparse.ArgumentTypeError(f"{word!r} is not a number of bytes")
    return number or expressions.SNAPSHOT
