"""The TARGET PATTERN… --module GLOB part that commands share: from words to functions."""

import argparse
import shlex
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from tui import text
from tui.collectors.target import Target
from tui.elf import functions, patterns
from tui.elf.names import UNWIND, USDT, Function, Module
from tui.errors import BinaryError, BpfscopeError, TargetError, UsageError
from tui.text import sanitise

if TYPE_CHECKING:
    from tui.elf.lines import Line

Row = TypeVar("Row")
TableRow = tuple[int, int, str, str]

_LOOKING = 0.3  # seconds, after which no further module is looked into
_NAMED = 5  # names in "did you mean"
_LOADER = "ld-"  # has functions of libc's names for itself, which nobody else calls
_PLACE = "0x"  # in the name of what has no name
_USDT = f"{USDT}:"  # how their names begin
_COMPARED = 5_000  # names that are worth comparing letter by letter


def add_arguments(parser: argparse.ArgumentParser, how_many: str) -> None:
    """TARGET, PATTERN and --module."""
    add_target(parser)
    parser.add_argument(
        "patterns",
        metavar="PATTERN",
        nargs=how_many,
        help="functions: a name, a glob with * and ?, or /regex/; several add up. As in the console also pkg:PACKAGE"
        " (namespace, class), file:NAME or file:NAME:LINE (of the sources), ~LETTERS (with others between). USDT probes"
        " are usdt:PROVIDER:NAME",
    )


def add_target(parser: argparse.ArgumentParser) -> None:
    """TARGET and --module."""
    parser.add_argument("target", metavar="TARGET", help="a pid, a path, or the name of one process")
    parser.add_argument(
        "--module",
        metavar="GLOB",
        action="append",
        help="the modules to look in, by name or path; several add up (default: the executable)",
    )


def pick_modules(target: Target, globs: Sequence[str] | None) -> list[Module]:
    """The executable, or the modules that the globs name. Raises TargetError with the modules that there are."""
    if globs is None:
        return [target.modules[0]]
    found: dict[Module, None] = {}
    for glob in globs:
        matches = patterns.compile_pattern(glob)
        with patterns.limited():
            matching = [module for module in target.modules if matches(module.name) or matches(module.path)]
        if not matching:
            there = ", ".join(module.name for module in target.modules[:20])
            raise TargetError(f"no module of {target.name} is called {sanitise(glob)}; it has {there}")
        found.update(dict.fromkeys(matching))
    return list(found)


def pick_functions(target: Target, globs: Sequence[str] | None, wanted: Sequence[str]) -> list[Function]:
    """The functions that the patterns name in these modules; all of them without a pattern.

    USDT probes are named only by patterns with "usdt:" in them: looking at them may change what the program does.

    Raises BpfscopeError: a pattern that matches nothing is told the nearest names.
    """
    modules = pick_modules(target, globs)
    read = partial(functions.read, every=any(_PLACE in pattern for pattern in wanted))
    there = [function for _, found in _each(modules, read) for function in found]
    if not wanted:
        return there
    without_usdt = [function for function in there if function.origin != USDT]
    found: dict[Function, None] = {}
    for pattern in wanted:
        if not pattern:
            raise UsageError("a PATTERN is empty: name a function, or '*' for all")
        among = there if _USDT in pattern else without_usdt
        matching = patterns.select(among, pattern) or _searched(among, modules, pattern)
        if not matching:
            others = [] if globs else target.modules[1:]
            raise BpfscopeError(_nothing(pattern, there, modules) + _elsewhere(pattern, others))
        found.update(dict.fromkeys(matching))
    return list(found)


def whole_modules(
    target: Target, globs: Sequence[str] | None, *, raw: bool = False
) -> list[tuple[str, list[TableRow]]]:
    """The picked modules' names and tables, as `functions.table` gives them, or `raw_table`.

    Raises as `pick_functions` does.
    """
    return _each(pick_modules(target, globs), functions.raw_table if raw else functions.table)


def _each(modules: Sequence[Module], read: Callable[[Module], Iterable[Row]]) -> list[tuple[str, list[Row]]]:
    """What is read of each; of several, one that can't be read (a font mapped executable) is passed over."""
    found = []
    for module in modules:
        try:
            rows = list(read(module))
        except BinaryError:
            if len(modules) == 1:
                raise
            continue
        if rows:
            found.append((module.name, rows))
    if not found:
        names = ", ".join(module.name for module in modules)
        raise BinaryError(
            f"{names} has no function symbols: it was stripped; install its debug symbols or name another --module"
        )
    return found


def _searched(functions: Sequence[Function], modules: Iterable[Module], pattern: str) -> Sequence[Function]:
    """What the console finds by this, where that is more than a name or a glob. Raises UsageError."""
    from tui.widgets import filter as filters
    from tui.widgets.words import words

    if not filters.is_search(pattern):
        return ()
    located: dict[Function, Line] = {}
    if filters.asks_for_files(pattern):
        from tui.elf import lines

        for module in modules:
            located |= lines.of_functions(module, (each for each in functions if each.module == module.name))
        if not located:
            names = ", ".join(module.name for module in modules)
            raise BinaryError(f"{names} says nothing of its source files: {sanitise(pattern)} finds none")
    try:
        return filters.Haystack(functions, lambda each: words(each, located.get(each))).matching(pattern)
    except filters.Unfinished:
        raise UsageError(f"{sanitise(pattern)} ends too soon: what follows isn't a whole /regex/") from None


def _nothing(pattern: str, there: Sequence[Function], modules: Sequence[Module]) -> str:
    names = ", ".join(module.name for module in modules[:3]) + (", …" if len(modules) > 3 else "")
    near = nearest(pattern, (function.name for function in there))
    hint = f"; the nearest names are {', '.join(near)}" if near else ""
    stripped, exported = "", sum(function.origin == "dynsym" for function in there)
    if all(function.origin in ("dynsym", UNWIND, USDT) for function in there):
        whose, their = ("it is", "its") if len(modules) == 1 else ("they are", "their")
        known = f"only names of {their} {text.plural(exported, 'exported function')} are known"
        stripped = f"; {whose} stripped: {known if exported else 'no names are known'}"
    return f"no function of {names} matches {sanitise(pattern)}{stripped}{hint}"


def _elsewhere(pattern: str, others: Iterable[Module]) -> str:
    """Where else the target has what the pattern names; looked for no longer than a moment."""
    until = time.monotonic() + _LOOKING
    for module in sorted(others, key=lambda module: module.name.startswith(_LOADER)):
        if time.monotonic() > until:
            break
        with suppress(BpfscopeError):
            if patterns.select(functions.read(module), pattern):
                return f"; {module.name} has it: give --module {shlex.quote(module.name)}"
    return ""


def nearest(pattern: str, names: Iterable[str]) -> list[str]:
    """A few names that the pattern may have meant: those that contain its letters, else those that are spelt alike."""
    import difflib

    core = pattern.strip("/*?^$").lower()
    every = list(names)
    inside = [name for name in every if core in name.lower()] if core else []
    if inside:
        return sorted(inside, key=len)[:_NAMED]
    alike = [name for name in every if abs(len(name) - len(core)) <= 1 + len(core) // 2]
    alike.sort(key=lambda name: name[:1].lower() != core[:1])
    return difflib.get_close_matches(core, alike[:_COMPARED], _NAMED)
