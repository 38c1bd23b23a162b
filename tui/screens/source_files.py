"""The source lines of modules' functions, which are read once a filter asks for them. Pure: knows no widget."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tui.elf.names import Function
from tui.screens.function_rows import words
from tui.widgets.filter import asks_for_files

if TYPE_CHECKING:
    from tui.elf.lines import Line


class SourceFiles:
    """By modules' names."""

    def __init__(self) -> None:
        self._known: dict[str, Mapping[Function, Line] | None] = {}  # None: they are being read

    def wanted(self, module: str, typed: str) -> bool:
        """Whether they are to be read, which is said once."""
        if not asks_for_files(typed) or module in self._known:
            return False
        self._known[module] = None
        return True

    def learn(self, module: str, lines: "Mapping[Function, Line]") -> None:
        """They have been read."""
        self._known[module] = lines

    def of(self, module: str) -> "Mapping[Function, Line]":
        """A module's source lines, as far as they are known."""
        return self._known.get(module) or {}

    def words(self, module: str, typed: str) -> Callable[[Function], str]:
        """What gives the words of a function by which this filter finds it: source files only where they are meant."""
        lines = self._known.get(module) if asks_for_files(typed) else None
        return (lambda function: words(function, lines.get(function))) if lines else words

    def lacking(self, module: str, typed: str) -> str:
        """Why there is nothing to find; empty where there is."""
        if not asks_for_files(typed) or self._known.get(module):
            return ""
        read = self._known.get(module) is not None
        return f"{module} says nothing of its source files" if read else "reading source lines …"
