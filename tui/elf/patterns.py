"""How people name functions: a glob in which only `*` and `?` are special, or /regex/, searched.

`main.Map[...]` matches itself. Readable names, raw names and aliases all count; what a function returns only where its
name is given in full, as a demangler spells it. Several patterns are a union.
"""

import re
import signal
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

from tui.elf.names import UNWIND, Function
from tui.errors import UsageError

Matcher = Callable[[str], bool]
PATIENCE = 1.0  # seconds of CPU time for one expression; 200,000 functions take a tenth of that


class TooSlow(UsageError):
    """An expression that would take for ever, as `(.*)*x` can."""


@contextmanager
def limited() -> Iterator[None]:
    """Raises TooSlow after so much CPU time, in the main thread: `re` looks for nothing but signals while it works."""

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - what a handler takes
        raise TooSlow("the /regex/ takes too long: simplify it, nested repetitions above all")

    try:
        before = signal.signal(signal.SIGVTALRM, stop)
    except ValueError:  # in another thread
        yield
        return
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE)
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def compile_pattern(pattern: str) -> Matcher:
    """A test for whole names. Raises UsageError for a regular expression that doesn't parse."""
    if len(pattern) >= 2 and pattern[0] == pattern[-1] == "/":
        searched = expression(pattern[1:-1])
        return lambda name: searched.search(name) is not None
    if "*" not in pattern and "?" not in pattern:
        return lambda name: name == pattern
    whole = re.compile(of_glob(pattern), re.DOTALL)
    return lambda name: whole.fullmatch(name) is not None


def expression(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """A regular expression. Raises UsageError for one that doesn't parse; never warns."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what re thinks of "[[a]" would land on the screen
            return re.compile(pattern, flags)
    except (re.error, RecursionError, OverflowError) as error:
        raise UsageError(f"/{pattern}/ is not a regular expression: {error}") from None


def of_glob(pattern: str) -> str:
    """The regular expression of a glob.

    What stands between two stars is matched where it first occurs, for good: many stars cost no more than a few.
    """
    first, *between = ("".join("." if c == "?" else re.escape(c) for c in part) for part in pattern.split("*"))
    last = f".*{between.pop()}" if between else ""
    return first + "".join(f"(?>.*?{part})" for part in between if part) + last


def names(function: Function) -> Iterable[str]:
    """Every name by which the function can be asked for."""
    yield function.name
    if function.raw_name != function.name:
        yield function.raw_name
    yield from function.aliases
    if function.origin == UNWIND:
        yield f"0x{function.offset:x}"


def spelt(function: Function) -> str:
    """The name as a demangler gives it, behind what it returns."""
    return f"{function.returns} {function.name}" if function.returns else function.name


def select(functions: Iterable[Function], pattern: str) -> list[Function]:
    """The functions that one pattern names; an exact name wins over what else the pattern could mean.

    Raises UsageError, TooSlow.
    """
    functions = list(functions)
    exact = [function for function in functions if pattern in names(function) or pattern == spelt(function)]
    if exact:
        return exact
    matches = compile_pattern(pattern)
    with limited():
        found = [function for function in functions if any(map(matches, names(function)))]
    return found or [function for function in functions if _without_parameters(function.name, pattern)]


def _without_parameters(name: str, wanted: str) -> bool:
    """Whether that is the name up to its parameters, as C++ has them; brackets within templates belong to the name."""
    if not name.startswith(f"{wanted}(") or wanted.endswith(":"):
        return False
    return wanted.count("<") == wanted.count(">") and wanted.count("{") == wanted.count("}")
