"""Which functions are to be probed, and which already are; the signs beside them say so. Pure: knows no widget."""

from collections import Counter
from collections.abc import Iterable

from tui.elf import packages
from tui.elf.names import Function
from tui.screens.target import Key, function_key

PARTLY = ("◐", "some functions of the module are marked")
ONLY = "is:marked"  # what is typed to see only these


class Marks:
    """The marked functions, in the order in which they were marked, over all modules; and the probed ones."""

    def __init__(self) -> None:
        self._marked: dict[Key, Function] = {}
        self._modules: Counter[str] = Counter()  # how many are marked, by modules' names
        self._there: dict[str, int] = {}  # how many a probe can go to, of modules that were read
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

    def learn(self, module: str, functions: Iterable[Function]) -> None:
        """A module's functions were read."""
        self._there[module] = len({function.address for function in functions if not function.unprobeable})

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
        """The sign beside a module: whether all are marked that can be, or some."""
        marked = self._modules[name]
        left = self._there.get(name, 0) - sum(module == name for module, _ in self._probed)
        return "" if not marked else "●" if marked >= left else PARTLY[0]

    def only(self, functions: Iterable[Function], *, inverted: bool = False) -> list[Function]:
        """The marked ones of these, or the others."""
        return [function for function in functions if (function_key(function) in self._marked) != inverted]

    def _changed(self) -> None:
        self._modules = Counter(module for module, _ in self._marked)
