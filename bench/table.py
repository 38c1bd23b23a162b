"""Rows of the table, their figures in readable units, and the table as Markdown. Measures nothing."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from types import MappingProxyType
from typing import NamedTuple

COLUMNS = ("what", "bpfscope", "bpftrace", "funccount", "ratio", "limit", "runs", "")
Peers = Mapping[str, str]


class Row(NamedTuple):
    """One line: figures as text, `ratio` to what the limit is about, `kept` None where nothing is promised."""

    what: str
    ours: str
    peers: Peers = MappingProxyType({})
    ratio: float | None = None
    limit: str = ""
    runs: str = ""
    kept: bool | None = None

    def cells(self) -> tuple[str, ...]:
        """As the table shows it."""
        ratio = "" if self.ratio is None else f"{self.ratio:.3f}" if self.ratio < 0.1 else f"{self.ratio:.2f}"
        verdict = "" if self.kept is None else "ok" if self.kept else "**MISSED**"
        peers = [self.peers.get(name, "") for name in COLUMNS[2:4]]
        return (self.what, self.ours, *peers, ratio, self.limit, self.runs, verdict)


def against(limit: float, ratio: float | None) -> tuple[float | None, str, bool | None]:
    """The ratio, limit and kept fields of a row that promises a ratio to bpftrace."""
    return ratio, f"≤ {limit:g} ×", None if ratio is None else ratio <= limit


def ratio_of(ours: Sequence[float], other: Sequence[float] | None) -> float | None:
    """Of the medians; None where the other was not measured."""
    return median(ours) / median(other) if other else None


def milliseconds(seconds: float) -> str:
    """12.3 ms, 123 ms, 1.23 s."""
    value = seconds * 1000
    if value >= 1000:
        return f"{seconds:.2f} s"
    return f"{value:.0f} ms" if value >= 100 else f"{value:.1f} ms"


def nanoseconds(value: float) -> str:
    """1,234 ns."""
    return f"{value:,.0f} ns"


def megabytes(size: float) -> str:
    """Of bytes; a megabyte is 1,000,000."""
    return f"{size / 1e6:.1f} MB"


def markdown(rows: Iterable[Row]) -> str:
    """The table, padded so that it also reads well as it stands; all but the first column to the right."""
    lines = [COLUMNS, *(row.cells() for row in rows)]
    widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(COLUMNS))]
    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    padded = [
        [cell.ljust(width) if column == 0 else cell.rjust(width)
         for column, (cell, width) in enumerate(zip(line, widths, strict=True))]
        for line in lines
    ]  # fmt: skip
    return "\n".join(f"| {' | '.join(line)} |" for line in [padded[0], rule, *padded[1:]])
