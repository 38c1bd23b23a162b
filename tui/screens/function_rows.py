"""The rows of the functions' list: columns, by what a function is found, what is said about one. Knows no widget."""

import re
from collections.abc import Iterable, Sequence
from itertools import compress
from operator import attrgetter
from typing import Final

from rich.cells import cell_len

from tui import text
from tui.elf.names import UNWIND, USDT, Function
from tui.screens.hotness import CPU, INVERSE
from tui.widgets.columns import Column, Sort
from tui.widgets.order import by_column
from tui.widgets.pieces import Cell, cut_start
from tui.widgets.words import words

__all__ = ["COLUMNS", "RAW_NAME", "UNNAMED", "longest", "spelt", "words"]


UNNAMED: Final = (UNWIND, "the origin of code without a name, told by its place: a function, or a part of one")


def _also(function: Function) -> str:
    return f"also {', '.join(function.aliases)}" if function.aliases else ""


def _name(function: Function, _: int) -> Cell:
    return ((function.name, ""), (f"  {_also(function)}", "dim")) if function.aliases else function.name


def _size(function: Function, _: int) -> Cell:
    return text.count(function.size) if function.size else "–" if function.origin == USDT else "?"


COLUMNS: tuple[Column[Function], ...] = (
    Column("function", "FUNCTION", 28, _name, lambda function: function.name, middle=True, flexible=True),
    Column(
        "address",
        "ADDRESS",
        12,
        lambda function, width: cut_start(f"{function.address:x}", width),
        lambda function: function.address,
        right=True,
        priority=2,
        narrow=9,
    ),
    Column("size", "SIZE", 8, _size, lambda function: function.size, descending=True, right=True, priority=1, narrow=7),
    Column(
        "origin",
        "ORIGIN",
        13,
        lambda function, _: ((function.origin, "dim"),),
        lambda function: function.origin,
        priority=3,
        narrow=10,
    ),
)


_COPY = "a copy that the compiler made for some of its callers"
_PARTS = {
    "cold": "the part that seldom runs: jumped to, not called",
    "part": "a part that the compiler split off",
    "isra": _COPY,
    "constprop": _COPY,
}
_PART = re.compile(rf"\.({'|'.join(_PARTS)})(?:\.\d+)*$")
_RAW_NAME = attrgetter("raw_name")
_LINKED = frozenset(  # crt1.o, crti.o, crtbegin.o
    (
        "_start", "_init", "_fini", "_dl_relocate_static_pie", "__libc_csu_init", "__libc_csu_fini", "frame_dummy",
        "__do_global_dtors_aux", "register_tm_clones", "deregister_tm_clones", "call_weak_fn",
    )
)  # fmt: skip
MODULE: Column[Function] = Column(
    "module",
    "MODULE",
    18,
    lambda function, _: function.module,
    attrgetter("module"),
    priority=1,
    narrow=10,
    middle=True,
)
RAW_NAME: Column[Function] = COLUMNS[0]._replace(  # in place of the first
    cell=lambda function, _: function.raw_name, sort=lambda function: function.raw_name
)


def in_order(functions: Sequence[Function], columns: Sequence[Column[Function]], sort: Sort) -> Sequence[Function]:
    """Sorted by a column; by names, what compilers link into every program comes last. Shares are the table's part."""
    if sort.key == CPU:
        return functions
    rows = by_column(functions, columns, sort)
    if sort != Sort("function", False):
        return rows
    linked = bytes(map(_LINKED.__contains__, map(_RAW_NAME, rows)))
    return [*compress(rows, linked.translate(INVERSE)), *compress(rows, linked)] if 1 in linked else rows


def longest(functions: Iterable[Function], *, raw: bool) -> int:
    """Cells that the longest name takes, with its other names where these are shown."""
    if raw:
        return max((cell_len(one.raw_name) for one in functions), default=16)
    return max((cell_len(one.name) + (2 + cell_len(_also(one)) if one.aliases else 0) for one in functions), default=16)


def _part(raw_name: str) -> str:
    """What GCC's and LLVM's endings say of a function."""
    found = _PART.search(raw_name)
    return _PARTS[found[1]] if found else ""


def spelt(function: Function, source: str = "") -> tuple[str, str]:
    """The function's whole name, and what is to be said about it; `source`: its file and line."""
    notes = [
        source,
        f"returns {function.returns}" if function.returns else "",
        "a function without a name, or a part of one" if function.origin == UNWIND else "",
        f"– can't be probed: {function.unprobeable}" if function.unprobeable else "",
        _part(function.raw_name),
        function.raw_name if function.raw_name != function.name else "",
        _also(function),
    ]
    return function.name, " · ".join(filter(None, notes))
