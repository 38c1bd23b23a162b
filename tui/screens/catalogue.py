"""What is known of the functions of a target's modules: of one, or of all that were read. Pure: knows no widget."""

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Final

from tui import text
from tui.elf.names import Function, Module
from tui.screens.function_rows import longest, words
from tui.screens.hotness import ALL, KERNEL
from tui.screens.marks import ONLY
from tui.screens.nearest import nearest
from tui.screens.source_files import SourceFiles
from tui.widgets.filter import FILE, PACKAGE, Haystack, asks_for_files

if TYPE_CHECKING:
    from tui.elf.lines import Line

Order = Callable[[Sequence[Function]], Sequence[Function]]
STRIPPED: Final = "names no functions: it was stripped; install its debug symbols, or choose another module"
OF_THE_KERNEL: Final = (
    "[kernel] can't be opened: probes go into programs. Its share is the time that it worked for the process: "
    "system calls, page faults, interrupts"
)
ONE_MODULE: Final = "file: finds functions of one module; choose it first"


class Everything:
    """The functions of all modules that were read, as a haystack has those of one: nothing is made of them anew."""

    def __init__(self, haystacks: Sequence[Haystack[Function]], order: Order) -> None:
        self._haystacks, self._order = haystacks, order
        self.rows: Sequence[Function] = order(list(chain.from_iterable(one.rows for one in haystacks)))

    def matching(self, typed: str) -> Sequence[Function]:
        """The rows that match, in order; of letters the closest first. Raises Unfinished, TooSlow."""
        if not typed.lstrip("! "):
            return self.rows
        found = list(chain.from_iterable(one.matching(typed) for one in self._haystacks))
        return Haystack(found, words).matching(typed) if typed.startswith("~") else self._order(found)


class Catalogue:
    """The modules, and their functions as they come."""

    def __init__(self) -> None:
        self.modules: tuple[Module, ...] = ()
        self.failures: dict[str, str] = {}  # why a module's functions can't be read; "": why nothing of the process can
        self.files = SourceFiles()
        self._read: dict[str, tuple[Function, ...]] = {}
        self._plain: dict[str, Haystack[Function]] = {}  # in the order in which they came
        self._widest: dict[tuple[str, bool], int] = {}

    def learn(self, module: Module, functions: tuple[Function, ...]) -> None:
        """A module's functions were read."""
        self._read[module.name] = functions

    def has(self, module: Module | None) -> bool:
        """Whether a module's functions were read; of all modules: those of one."""
        return bool(self._read) if module == ALL else module is not None and module.name in self._read

    def of(self, name: str) -> tuple[Function, ...]:
        """A module's functions, as far as they are known."""
        return self._read.get(name, ())

    def next_unread(self, but: Collection[str] = ()) -> Module | None:
        """The next module of which nothing is known; `but` those of these names."""
        known = self._read.keys() | self.failures.keys() | set(but)
        return next((module for module in self.modules if module.name not in known), None)

    def count(self, module: Module) -> str:
        """How many functions a module has, for people."""
        if module == ALL:
            return text.count(sum(map(len, self._read.values()))) if self.next_unread() is None else ""
        if module == KERNEL or module.name in self.failures:
            return "–"
        return text.count(len(self._read[module.name])) if module.name in self._read else ""

    def widest(self, module: Module, *, raw: bool) -> int:
        """Cells of the longest name."""
        if module == ALL:
            return max((self._longest(name, raw=raw) for name in self._read), default=16)
        return self._longest(module.name, raw=raw)

    def _longest(self, name: str, *, raw: bool) -> int:
        key = name, raw
        if key not in self._widest:
            found = longest(self.of(name), raw=raw)
            if name not in self._read:
                return found
            self._widest[key] = found
        return self._widest[key]

    # How they are found

    def haystack(self, module: Module | None, order: Order, typed: str) -> "Haystack[Function] | Everything":
        """A module's functions in an order, by the words that a filter asks for."""
        if module == ALL:
            return Everything(list(map(self._whole, self._read)), order)
        name = module.name if module else ""
        return Haystack(order(self.of(name)), self.files.words(name, typed))

    def _whole(self, name: str) -> Haystack[Function]:
        if name not in self._plain:
            self._plain[name] = Haystack(self._read[name], words)
        return self._plain[name]

    def lines_wanted(self, module: Module | None, typed: str) -> bool:
        """Whether a filter needs the source lines of a module's functions, which is said once."""
        return module is not None and module.name in self._read and self.files.wanted(module.name, typed)

    def learn_lines(self, module: Module, lines: "Mapping[Function, Line]") -> None:
        """They have been read."""
        self.files.learn(module.name, lines)

    # What is said

    def progress(self) -> str:
        """How far reading all modules is; empty when it is done."""
        if (module := self.next_unread()) is None:
            return ""
        done = len(self._read.keys() | self.failures.keys() - {""})
        return f"{done} of {text.plural(len(self.modules), 'module')} read: {module.name} …"

    def failure(self, module: Module | None) -> str:
        """Why a module's functions aren't there."""
        return self.failures.get(module.name if module else "", "")

    def nearest(self, module: Module, typed: str) -> str:
        """What else to look for where nothing was found, as the middle of a sentence."""
        if typed.startswith((PACKAGE, FILE)):
            functions = self.of(module.name) if module != ALL else tuple(chain.from_iterable(self._read.values()))
            found = nearest(typed, functions, self.files.of(module.name).values())
            return f"; {found}" if found else ""
        return "" if typed[:1] in "~!/" or typed.startswith(ONLY) else f", ~{typed} finds these letters apart"

    def missing(self, module: Module | None, typed: str) -> str:
        """Why there is nothing to filter; empty where there is."""
        if module == KERNEL:
            return OF_THE_KERNEL
        if module == ALL:
            return ONE_MODULE if asks_for_files(typed) else "" if self._read else f"reading {self.progress()}"
        if module is None or module.name not in self._read:
            return f"reading {module.name} …" if module else ""
        return self.files.lacking(module.name, typed) or ("" if self.of(module.name) else f"{module.name} {STRIPPED}")
