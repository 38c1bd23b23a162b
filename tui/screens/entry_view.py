"""What a map's page keeps from one reading to the next: rates, the reset, and the shape that its columns have. Pure."""

from typing import Final

from rich.cells import cell_len

from tui import text
from tui.collectors.entries import Entry, MapSample
from tui.collectors.map_values import Value, field, fields, is_number, one_line
from tui.widgets.history import History

KEY: Final = "key"  # a column's key; of a struct's members "key:" and the path
VALUE, RATE = "value:", "rate:"  # the same of figures: that and the path
WIDEST: Final = 40  # cells of a member of a key, or of what isn't a figure
LONGEST: Final = 400  # letters of a value in a cell
_MOST_KEYS: Final = 6  # members of a key that get columns of their own
_MOST: Final = 12  # fields that get columns of their own; the line above the keys has all
_LOOKED_AT: Final = 20  # entries whose fields are known to the columns
_REMEMBERED: Final = 1_000  # entries with the last sixty seconds of their first figure
_MEASURED: Final = 300  # entries


class View:
    """What the page keeps from one reading to the next: rates, baseline, the last sixty seconds."""

    def __init__(self) -> None:
        self.seconds = 0.0  # between the last two readings
        self.raw = False  # bytes instead of values
        self.raw_cells = 0  # that a key takes as bytes
        self.figures: tuple[str, ...] = ()  # paths of numbers
        self.others: tuple[str, ...] = ()  # paths of everything else
        self.keys: tuple[str, ...] = ()  # paths of the key's members; () where it has none
        self.numbers: set[str] = set()  # those of them that are numbers, which are never cut
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
                self._grow(f"{VALUE}{path}", text.count(number) if number is not None else "")
            for path in self.others:
                self._grow(f"{VALUE}{path}", one_line(field(entry.value, path), WIDEST))
            for path in self.keys:
                part = field(entry.key, path)
                self._grow(f"{KEY}:{path}", one_line(part, WIDEST))
                if isinstance(part, int):
                    self.numbers.add(path)
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


def key_text(entry: Entry) -> str:
    """The key in few letters: a struct's members without its braces."""
    shown = "next" if entry.key is None else one_line(entry.key, LONGEST)
    return shown[1:-1] if isinstance(entry.key, dict) and shown.endswith("}") else shown
