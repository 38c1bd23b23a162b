"""Which functions are to be probed, and which already are; the signs beside them say so. Pure: knows no widget."""

from collections.abc import Iterable

from tui.elf import packages
from tui.elf.names import Function
from tui.screens.target import function_key

Key = tuple[str, int]


class Marks:
    """The marked functions, in the order in which they were marked, over all modules; and the probed ones."""

    def __init__(self) -> None:
        self._marked: dict[Key, Function] = {}
        self._modules: set[str] = set()  # names of those with marks
        self._probed: frozenset[Key] = frozenset()

    def __len__(self) -> int:
        """How many are marked."""
        return len(self._marked)

    @property
    def functions(self) -> tuple[Function, ...]:
        """The marked ones."""
        return tuple(self._marked.values())

    @property
    def probed(self) -> int:
        """How many are probed."""
        return len(self._probed)

    def eligible(self, function: Function) -> bool:
        """Whether the function can be marked: a probe can go there, and none is."""
        return not function.unprobeable and function_key(function) not in self._probed

    def toggle(self, function: Function) -> None:
        """Mark or unmark."""
        key = function_key(function)
        if self._marked.pop(key, None) is None and self.eligible(function):
            self._marked[key] = function
        self._changed()

    def toggle_all(self, functions: Iterable[Function]) -> None:
        """Mark all of these; if all are, unmark them."""
        eligible = {function_key(one): one for one in functions if self.eligible(one)}
        if eligible.keys() <= self._marked.keys():
            for key in eligible:
                del self._marked[key]
        else:
            self._marked |= eligible
        self._changed()

    def toggle_package(self, function: Function, functions: Iterable[Function]) -> bool:
        """The same with those of these that belong to the function's package; whether it has one."""
        if package := packages.of(function.name):
            self.toggle_all(one for one in functions if package in one.name and packages.of(one.name) == package)
        return bool(package)

    def start(self, probed: Iterable[Key] = ()) -> None:
        """Unmark everything; `probed` are the functions that a probe has already, to which others are to be added."""
        self._marked.clear()
        self._probed = frozenset(probed)
        self._changed()

    def sign(self, function: Function) -> str:
        """The sign beside the function."""
        key = function_key(function)
        if key in self._probed:
            return "◉"
        return "●" if key in self._marked else "–" if function.unprobeable else ""

    def sign_of_module(self, name: str) -> str:
        """The sign beside a module."""
        return "●" if name in self._modules else ""

    def _changed(self) -> None:
        self._modules = {module for module, _ in self._marked}
