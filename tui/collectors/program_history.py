"""The last ten minutes of what programs did, in steps, for graphs. Gaps, where nobody looked, stay gaps."""

import math
from array import array
from collections.abc import Mapping
from typing import Final, NamedTuple

STEP: Final = 3.0  # seconds
STEPS: Final = 200
GAP: Final = math.nan
ALL: Final = 0  # in place of a program's number: all of them together


class Figures(NamedTuple):
    """What is kept of a program, of one reading."""

    per_second: float
    average: float  # ns a run; GAP where there was none
    cpu_percent: float


class _Series(NamedTuple):
    """The steps up to the present one, of each figure."""

    values: tuple["array[float]", "array[float]", "array[float]"]
    peaks: tuple["array[float]", "array[float]", "array[float]"]  # the highest reading of each step


class History:
    """Means per step of three seconds. Steps lie on the clock, so that bars don't wobble as time goes on."""

    def __init__(self) -> None:
        self._series: dict[int, _Series] = {}
        self._step: int | None = None
        self._readings = 0  # in the present step

    def add(self, time: float, programs: Mapping[int, Figures]) -> None:
        """Note the figures at a time (seconds, monotonic); programs that are missing are forgotten."""
        step = int(time // STEP)
        fresh = min(STEPS, step - self._step) if self._step is not None else 1
        self._step = step
        self._readings = 1 if fresh > 0 else self._readings + 1
        before = self._series
        self._series = {number: before.get(number) or _empty() for number in programs}
        for number, figures in programs.items():
            for values, peaks, figure in zip(*self._series[number], figures, strict=True):
                self._note(values, peaks, figure, fresh)

    def _note(self, values: "array[float]", peaks: "array[float]", figure: float, fresh: int) -> None:
        if fresh > 0 or not values:
            for each in (values, peaks):
                each.extend([GAP] * (fresh - 1 if each else 0))
                each.append(figure)
                del each[:-STEPS]
            return
        if math.isnan(peaks[-1]) or figure > peaks[-1]:
            peaks[-1] = figure
        if math.isnan(values[-1]):
            values[-1] = figure
        elif not math.isnan(figure):
            values[-1] += (figure - values[-1]) / self._readings

    def most(self, number: int, figure: int, steps: int = STEPS) -> float | None:
        """The highest reading of a figure in the last `steps` steps; None where there was none."""
        series = self._series.get(number)
        known = [value for value in series.peaks[figure][-steps:] if not math.isnan(value)] if series else []
        return max(known, default=None)

    def last(self, number: int, figure: int, width: int, steps: int = STEPS) -> list[float]:
        """The last `steps` steps of a figure (its index in Figures) in `width` means or fewer; GAP where none is known.

        Fewer where the program was seen for a shorter time.
        """
        series = self._series.get(number)
        if series is None or width < 1:
            return []
        values = series.values[figure][-steps:]
        group = max(1, -(-steps // width))
        first = (self._step or 0) - len(values) + 1
        means = []
        for start in range(-(first % group), len(values), group):
            some = [value for value in values[max(0, start) : start + group] if not math.isnan(value)]
            means.append(sum(some) / len(some) if some else GAP)
        return means[-width:]


def _empty() -> _Series:
    return _Series(_arrays(), _arrays())


def _arrays() -> tuple["array[float]", "array[float]", "array[float]"]:
    return array("f"), array("f"), array("f")
