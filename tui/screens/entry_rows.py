"""The rows of a map's page: a column per figure with its rate, as the entries' type has them. Pure: knows no widget."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from rich.cells import cell_len

from tui import text
from tui.collectors.entries import Entry, MapSample
from tui.collectors.map_values import Address, Octets, Value, field, fields, is_number, one_line
from tui.widgets.columns import Column, Sort
from tui.widgets.history import STEPS, History
from tui.widgets.pieces import Cell, cut_end

KEY: Final = "key"  # the column's key; of a struct's members "key:" and the path
_VALUE, _RATE = "value:", "rate:"  # a column's key is that and the figure's path
_MOST_KEYS: Final = 6  # members of a key that get columns of their own
_WIDEST: Final = 40  # cells of one of them
_MOST: Final = 12  # fields that get columns of their own; the line above the keys has all
_LOOKED_AT: Final = 20  # entries whose fields are known to the columns
_REMEMBERED: Final = 1_000  # entries with the last sixty seconds of their first figure
_MEASURED: Final = 300  # entries
_LONGEST: Final = 400  # letters of a value in a cell


class View:
    """What the page keeps from one reading to the next: rates, baseline, the last sixty seconds."""

    def __init__(self) -> None:
        self.seconds = 0.0  # between the last two readings
        self.raw = False  # bytes instead of values
        self.raw_cells = 0  # that a key takes as bytes
        self.figures: tuple[str, ...] = ()  # paths of numbers
        self.others: tuple[str, ...] = ()  # paths of everything else
        self.keys: tuple[str, ...] = ()  # paths of the key's members; () where it has none
        self.widths: dict[str, int] = {}  # cells that a path's values take; they only grow, so that nothing jumps
        self.history = History()  # of the first figure's rate
        self.remembers = False
        self._before: dict[bytes, Value] = {}

    def take(self, sample: MapSample) -> bool:
        """Note a reading; whether there are other columns now."""
        self.seconds = sample.seconds
        self.remembers = len(sample.entries) <= _REMEMBERED
        if self.remembers and self.figures and self.seconds > 0:
            first = self.figures[0]
            self.history.add(sample.time, {entry.raw: self.rate(entry, first) or 0.0 for entry in sample.entries})
        figures, others = _paths(sample)
        keys = _key_paths(sample)
        fresh = (figures, others, keys) != (self.figures, self.others, self.keys) and bool(sample.entries)
        if fresh:
            self.figures, self.others, self.keys = figures, others, keys
        return self._measure(sample) or fresh

    def _measure(self, sample: MapSample) -> bool:
        """How much room values need, as far as a first few hundred entries show; whether it is more than before."""
        before = dict(self.widths)
        self.raw_cells = 3 * sample.map.key_size - 1
        for entry in sample.entries[:_MEASURED]:
            for path in self.figures:
                number = self.figure(entry, path)
                self._grow(f"{_VALUE}{path}", text.count(number) if number is not None else "")
            for path in self.others:
                self._grow(f"{_VALUE}{path}", one_line(field(entry.value, path), _WIDEST))
            for path in self.keys:
                self._grow(f"{KEY}:{path}", one_line(field(entry.key, path), _WIDEST))
            if not self.keys:
                self._grow(KEY, key_text(entry))
        return self.widths != before

    def _grow(self, key: str, shown: str) -> None:
        if cell_len(shown) > self.widths.get(key, 0):
            self.widths[key] = cell_len(shown)

    def reset(self, sample: MapSample) -> None:
        """Count from nought from now on."""
        self._before = {entry.raw: entry.value for entry in sample.entries}

    @property
    def is_reset(self) -> bool:
        """Whether figures count from a reset on."""
        return bool(self._before)

    def undo_reset(self) -> None:
        """Show the map's own figures again."""
        self._before = {}

    def figure(self, entry: Entry, path: str) -> int | None:
        """A number of an entry, since the reset if there was one."""
        value = field(entry.value, path)
        if not isinstance(value, int) or not is_number(value):
            return None
        before = field(self._before.get(entry.raw), path) if self._before else 0
        return value - (before if isinstance(before, int) else 0)

    def rate(self, entry: Entry, path: str) -> float | None:
        """How much it grows a second; None where that isn't known."""
        return entry.grown(path) / self.seconds if self.seconds > 0 else None


def _paths(sample: MapSample) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The paths of the entries' numbers, and of everything else."""
    figures: dict[str, bool] = {}
    for entry in sample.entries[:_LOOKED_AT]:
        for path, value in fields(entry.value, _MOST):
            figures[path] = figures.get(path, True) and is_number(value)
    return (
        tuple(path for path, number in figures.items() if number),
        tuple(path for path, number in figures.items() if not number),
    )


def _key_paths(sample: MapSample) -> tuple[str, ...]:
    """The paths of the keys' members, where they are few."""
    if not sample.entries or not isinstance(sample.entries[0].key, dict):
        return ()
    paths = tuple(path for path, _ in fields(sample.entries[0].key, _MOST_KEYS + 1))
    return paths if len(paths) <= _MOST_KEYS else ()


def row_key(entry: Entry) -> bytes:
    """The row's key."""
    return entry.raw


def words(entry: Entry) -> str:
    """By what an entry can be found."""
    return f"{one_line(entry.key)}\n{one_line(entry.value)}"


def key_text(entry: Entry) -> str:
    """The key in few letters: a struct's members without its braces."""
    shown = "next" if entry.key is None else one_line(entry.key, _LONGEST)
    return shown[1:-1] if isinstance(entry.key, dict) and shown.endswith("}") else shown


def first_sort(view: View, *, ordered: bool) -> Sort:
    """The largest first; of what has an order of its own that one."""
    if view.figures and not ordered:
        return Sort(f"{_VALUE}{view.figures[0]}", True)
    return Sort(f"{KEY}:{view.keys[0]}" if view.keys else KEY, False)


def figure_of(sort: Sort, view: View) -> str:
    """The path of the figure by which the rows are sorted; otherwise of the first one."""
    for prefix in (_VALUE, _RATE):
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
        cells = max(len(titles[path]) + 2, min(view.widths.get(f"{_VALUE}{path}", 0), _WIDEST))
        made.append(
            Column(f"{_VALUE}{path}", titles[path], min(cells, 20) if last else cells, _other(path), _by_other(path),
                   flexible=last, priority=2 + rank)
        )  # fmt: skip
    return made


def _by_other(path: str) -> Callable[[Entry], tuple[Any, ...]]:
    return lambda entry: _sortable(field(entry.value, path))


def _raw_columns(view: View) -> list[Column[Entry]]:
    """Bytes in hexadecimal, whatever types there are."""
    return [
        Column(KEY, "KEY", min(max(8, view.raw_cells), _WIDEST), lambda entry, _: _new(entry.raw.hex(" "), entry),
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
            Column(key, titles[path], min(cells, _WIDEST), _key_member(path), _by_key(path), priority=rank // 2,
                   narrow=min(cells, 8), middle=True)
        )  # fmt: skip
    return made


def _key_member(path: str) -> Callable[[Entry, int], Cell]:
    def cell(entry: Entry, _: int) -> Cell:
        return _new(one_line(field(entry.key, path), _LONGEST), entry)

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
    def value(entry: Entry, _: int) -> Cell:
        number = view.figure(entry, path)
        return "" if number is None else ((text.count(number), "" if number else "dim"),)

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

    cells = max(len(title) + 2, view.widths.get(f"{_VALUE}{path}", 0) + 1)
    return (
        Column(f"{_VALUE}{path}", title, cells, value, by_value, descending=True, right=True, priority=rank - 1),
        Column(f"{_RATE}{path}", "/S", 8, rate, by_rate, descending=True, right=True, priority=rank),
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
        return ((cut_end(one_line(value, _LONGEST), width), role),)

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
