"""What the commands share that read the values of calls: their options, signatures, and values as text."""

import argparse
from collections.abc import Iterable

from tui.collectors import conditions, decoding
from tui.collectors.reading import Wanted, choose, needs_returns
from tui.collectors.samples import Read
from tui.commands import running
from tui.commands.numbers import nanoseconds
from tui.elf.values import Signature, Value
from tui.errors import UsageError

_SHORT = 16  # letters of a text where there is little room


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--arg, --where, --slower-than and --return-probes."""
    parser.add_argument(
        "--arg",
        metavar="NAME[:TYPE]",
        dest="names",
        action="append",
        help="read this parameter, or this field (item->id, s.x, *p) or register; several are several (default: as many"
        " parameters as fit)",
    )
    parser.add_argument(
        "--where",
        metavar="CONDITION",
        action="append",
        default=[],
        help="only calls for which it holds, such as 'n > 10 && name == \"GET\"'; the kernel judges it. Up to four"
        " comparisons, in one or several of these, all of which must hold: == != < <= > >=, and & (one of these bits"
        " is set), of a parameter, field or register with a number, true, false, nil, a text, or a name of an"
        " enumeration; what can't be read fulfils none",
    )
    parser.add_argument(
        "--slower-than", metavar="TIME", type=nanoseconds, default=0, help="only calls that took so long: 5ms, 100us"
    )
    running.add_return_probes(parser)


def wanted(arguments: argparse.Namespace, *, results: bool) -> Wanted:
    """What these options ask for. Raises UsageError."""
    where = conditions.parse(*arguments.where)
    names = tuple(arguments.names) if arguments.names is not None else None
    return Wanted(names, results, where, arguments.slower_than)


def narrate_memory(size: int, wanted: Wanted, signatures: Iterable[Signature]) -> None:
    """Say what the kernel will keep, once it is known that what is wanted is there. Raises UsageError where it isn't
    in any of the functions.
    """
    wrong: UsageError | None = None
    for signature in signatures:
        try:
            choose(wanted, signature, returns=needs_returns(wanted, signature))
        except UsageError as error:
            wrong = wrong or error
        else:
            running.narrate_memory(size)
            return
    if wrong:
        raise wrong


class Words:
    """Writes the values of a function's calls."""

    def __init__(self, values: Iterable[Value]) -> None:
        self._values = {value.name: value for value in values}

    def value(self, name: str, read: Read, *, short: bool = False) -> str:
        """One of them: 3, "GET", NULL, nil; `short`: a long text is cut."""
        if short and isinstance(read, str) and len(read) > _SHORT:
            read = read[: _SHORT - 1].rstrip("…") + "…"
        return decoding.shown(self._values[name], read)

    def named(self, pairs: Iterable[tuple[str, Read]], *, short: bool = False) -> str:
        """n=3, name="GET"."""
        return ", ".join(f"{name}={self.value(name, read, short=short)}" for name, read in pairs)
