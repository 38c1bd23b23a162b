"""The rows of a map's page: a column per figure with its rate, as the entries' type has them. Pure: knows no widget."""

from collections.abc import Callable, Sequence
from typing import Any

from tui import text
from tui.collectors.entries import Entry
from tui.collectors.map_values import Address, Octets, Value, field, one_line
from tui.screens.entry_view import KEY, LONGEST, RATE, VALUE, WIDEST, View, key_text
from tui.widgets.columns import Column, Sort
from tui.widgets.history import STEPS
from tui.widgets.pieces import Cell, cut_end


def row_key(entry: Entry) -> bytes:
    """The row's key."""
    return entry.raw


def words(entry: Entry) -> str:
    """By what an entry can be found."""
    return f"{one_line(entry.key)}\n{one_line(entry.value)}"


def first_sort(view: View, *, ordered: bool) -> Sort:
    """The largest first; of what has an order of its own that one."""
    if view.figures and not ordered:
        return Sort(f"{VALUE}{view.figures[0]}", True)
    return Sort(f"{KEY}:{view.keys[0]}" if view.keys else KEY, False)


def figure_of(sort: Sort, view: View) -> str:
    """The path of the figure by which the rows are sorted; otherwise of the first one."""
    for prefix in (VALUE, RATE):
        if sort.key.startswith(prefix) and sort.key.removeprefix(prefix) in view.figures:
            return sort.key.removeprefix(prefix)
    return view.figures[0] if view.figures else ""


def columns(view: View, key_title: str) -> list[Column[Entry]]:
    """The key, then what the values have: each number with its rate."""
    if view.raw:
        return _raw_columns(view)
    made = _key_columns(view, key_title)
    titles = _titles((*view.figures, *view.others))
    for rank, path in enumerate(view.figures):
        made += _figure(view, path, titles[path], min(9, 1 + rank))
        if not rank and view.remembers:
            made.append(Column("history", "60 s", STEPS // 2, _graph(view), priority=10))
    for rank, path in enumerate(view.others):
        last = path == view.others[-1]
        cells = max(len(titles[path]) + 2, min(view.widths.get(f"{VALUE}{path}", 0), WIDEST))
        made.append(
            Column(f"{VALUE}{path}", titles[path], min(cells, 20) if last else cells, _other(path), _by_other(path),
                   flexible=last, priority=2 + rank)
        )  # fmt: skip
    return made


def _by_other(path: str) -> Callable[[Entry], tuple[Any, ...]]:
    return lambda entry: _sortable(field(entry.value, path))


def _raw_columns(view: View) -> list[Column[Entry]]:
    """Bytes in hexadecimal, whatever types there are."""
    return [
        Column(KEY, "KEY", min(max(8, view.raw_cells), WIDEST), lambda entry, _: _new(entry.raw.hex(" "), entry),
               lambda entry: entry.raw, middle=True),
        Column("raw", "VALUE", 20, lambda entry, width: cut_end(entry.data.hex(" "), width), flexible=True),
    ]  # fmt: skip


def _new(shown: str, entry: Entry) -> Cell:
    """What is new stands out."""
    return ((shown, "accent" if entry.new else ""),)


def _key_columns(view: View, title: str) -> list[Column[Entry]]:
    """The key; a struct's members each by itself."""
    if not view.keys:
        return [
            Column(
                KEY,
                title,
                12,
                lambda entry, _: _new(key_text(entry), entry),
                lambda entry: _sortable(entry.key),
                middle=True,
                flexible=True,
            )
        ]
    titles = _titles(view.keys)
    made: list[Column[Entry]] = []
    for rank, path in enumerate(view.keys):
        key = f"{KEY}:{path}"
        cells = max(len(titles[path]) + 2, view.widths.get(key, 0))
        made.append(
            Column(key, titles[path], min(cells, WIDEST), _key_member(path), _by_key(path), priority=rank // 2,
                   narrow=cells if path in view.numbers else min(cells, 8), middle=True)
        )  # fmt: skip
    return made


def _key_member(path: str) -> Callable[[Entry, int], Cell]:
    def cell(entry: Entry, _: int) -> Cell:
        return _new(one_line(field(entry.key, path), LONGEST), entry)

    return cell


def _by_key(path: str) -> Callable[[Entry], tuple[Any, ...]]:
    return lambda entry: _sortable(field(entry.key, path))


def _titles(paths: tuple[str, ...]) -> dict[str, str]:
    """Members by their own names, where those are told apart."""
    short = [path.rpartition(".")[2] for path in paths]
    return {
        path: (name if short.count(name) == 1 else path).upper() or "VALUE"
        for path, name in zip(paths, short, strict=True)
    }


def _figure(view: View, path: str, title: str, rank: int) -> tuple[Column[Entry], Column[Entry]]:
    def value(entry: Entry, width: int) -> Cell:
        number = view.figure(entry, path)
        if number is None:
            return ""
        shown = text.count(number)
        if len(shown) > width:  # of an entry far down, which nobody had measured
            shown = f"{'-' if number < 0 else ''}{text.rate(abs(number))}"
        return ((shown, "" if number else "dim"),)

    def rate(entry: Entry, _: int) -> Cell:
        per_second = view.rate(entry, path)
        if per_second is None or (not per_second and not entry.new):
            return "" if per_second is None else (("0", "dim"),)
        return f"{'-' if per_second < 0 else ''}{text.rate(abs(per_second))}"

    def by_value(entry: Entry) -> float:
        number = view.figure(entry, path)
        return float("-inf") if number is None else number

    def by_rate(entry: Entry) -> float:
        return view.rate(entry, path) or 0.0

    cells = max(len(title) + 2, view.widths.get(f"{VALUE}{path}", 0) + 1)
    return (
        Column(f"{VALUE}{path}", title, cells, value, by_value, descending=True, right=True, priority=rank - 1),
        Column(f"{RATE}{path}", "/S", 8, rate, by_rate, descending=True, right=True, priority=rank),
    )


def _sortable(value: Value) -> tuple[Any, ...]:
    """Numbers by size, structs by their members, text by letters."""
    if isinstance(value, int):
        return (0, value)
    if isinstance(value, dict):
        return (2, *(_sortable(member) for member in value.values()))
    return (1, one_line(value))


def _other(path: str) -> Callable[[Entry, int], Cell]:
    def cell(entry: Entry, width: int) -> Cell:
        value = field(entry.value, path)
        role = "dim" if isinstance(value, Address | Octets) and not any(_numbers(value)) else ""
        return ((cut_end(one_line(value, LONGEST), width), role),)

    return cell


def _numbers(value: Value) -> list[Value]:
    return value if isinstance(value, list) else [value]


def _graph(view: View) -> Callable[[Entry, int], Cell]:
    def cell(entry: Entry, width: int) -> Cell:
        if not view.remembers:
            return ""
        return ((text.sparkline(view.history.last(entry.raw, width), width, 1.0), "graph"),)

    return cell


def limits(view: View) -> dict[str, int]:
    """How many cells the key can use, where it has one column."""
    return {KEY: view.widths[KEY]} if KEY in view.widths else {}


def spelt(entry: Entry, cpus: Sequence[int]) -> str:
    """All of an entry; of a per-CPU map each CPU's value."""
    by_cpu = [f"CPU {cpu} {one_line(value)}" for cpu, value in zip(cpus, entry.cpus, strict=False)]
    key = "" if entry.key is None else f"{one_line(entry.key)}  "
    return f"{key}{one_line(entry.value)}{' · '.join(('', *by_cpu))}"
