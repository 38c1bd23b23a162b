"""By what a function is found: its names, what it returns, its source line. Pure: knows no widget."""

from typing import TYPE_CHECKING

from tui.elf import patterns
from tui.elf.names import Function
from tui.widgets.filter import FILE

if TYPE_CHECKING:
    from tui.elf.lines import Line


def words(function: Function, line: "Line | None" = None) -> str:
    """One a line; also its source line, once that is known."""
    source = (f"{FILE}{line.file}:{line.line}",) if line else ()
    if function.raw_name == function.name and not function.aliases and not source:
        return function.name
    returns = (f"returns {patterns.spelt(function)}",) if function.returns else ()  # found, but nothing begins there
    return "\n".join((function.name, function.raw_name, *function.aliases, *returns, *source))
