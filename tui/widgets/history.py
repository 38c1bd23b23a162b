"""The last sixty seconds of one figure per row, in steps, for sparklines. Pure: knows no widget."""

from array import array
from collections.abc import Hashable, Mapping
from typing import Any

SECONDS = 60
STEPS = 20
_STEP = SECONDS / STEPS


class History:
    """Means per step of three seconds. Steps lie on the clock, so that bars don't wobble as time goes on."""

    def __init__(self) -> None:
        self._series: dict[Hashable, array[float]] = {}
        self._step: int | None = None
        self._readings = 0  # in the present step

    def add(self, time: float, values: Mapping[Any, float]) -> None:
        """Note the values at a time (seconds, monotonic); keys that are missing are forgotten."""
        step = int(time // _STEP)
        fresh = min(STEPS, step - self._step) if self._step is not None else 1
        self._step = step
        self._readings = 1 if fresh > 0 else self._readings + 1
        before = self._series
        self._series = {key: before.get(key) or array("f") for key in values}
        for series, value in zip(self._series.values(), values.values(), strict=True):
            if fresh > 0 or not series:
                series.extend([value] * (fresh if series else 1))
                del series[:-STEPS]
            else:
                series[-1] += (value - series[-1]) / self._readings

    def last(self, key: Hashable, width: int) -> list[float]:
        """The sixty seconds in `width` means, fewer where the row is younger."""
        series = self._series.get(key)
        if series is None:
            return []
        group = max(1, -(-STEPS // max(1, width)))
        first = (self._step or 0) - len(series) + 1
        means = []
        for start in range(-(first % group), len(series), group):
            some = series[max(0, start) : start + group]
            means.append(sum(some) / len(some))
        return means[-width:]

    def clear(self) -> None:
        """Forget everything."""
        self._series.clear()
