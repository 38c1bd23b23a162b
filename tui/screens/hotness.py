"""What CPU sampling has found, as the functions' screen shows it. Pure: knows no widget."""

from collections.abc import Callable, Iterable, Sequence
from itertools import compress
from operator import attrgetter
from typing import Final, TypeVar

from tui.collectors.samples import HotSample
from tui.elf.names import Function, Module
from tui.screens.target import Key, function_key
from tui.widgets.columns import Column, Sort
from tui.widgets.lines import Phrase

Row = TypeVar("Row")
HOT: Final = 0.01  # of all: what is worth a closer look
CPU: Final = "cpu"  # the column
SHARES: Final = ("CPU %", "of the process's CPU time, sampled as long as you look; nothing is probed for that")
_PATIENCE: Final = 3.0  # seconds without a sample, after which that is said
_MODULE, _OFFSET = attrgetter("module"), attrgetter("offset")
ALL: Final = Module("all modules", "", "", 0, 0)  # stands for them among the modules
KERNEL: Final = Module("[kernel]", "", "", 0, 0)  # where a process also spends its time
INVERSE: Final = bytes([1, 0]).ljust(256, b"\0")


class Hotness:
    """Shares of the target's CPU time: of the last sample, or of one before as long as a new one has nothing."""

    def __init__(self) -> None:
        self.running = False
        self.refused = False
        self.several = False  # whether rows are of several modules
        self._quiet = False  # nothing has run since sampling began
        self._sample: HotSample | None = None

    def take(self, sample: HotSample) -> None:
        """Note the next sample."""
        self._quiet = not sample.total and sample.elapsed >= _PATIENCE
        if sample.total or self._sample is None:
            self._sample = sample

    def of(self, function: Function) -> float:
        """A function's share, 0–1."""
        return self._share(self._sample.ticks(function)) if self._sample else 0.0

    def of_module(self, module: Module) -> float:
        """A module's share, 0–1."""
        if self._sample is None:
            return 0.0
        if module == ALL:
            return self._share(sum(self._sample.modules.values()))
        return self._share(self._sample.kernel if module == KERNEL else self._sample.modules.get(module.name, 0))

    def hot(self, functions: Iterable[Function]) -> frozenset[Key]:
        """Those of these functions that took the CPU time that is worth a closer look."""
        return frozenset(function_key(function) for function in functions if self.of(function) >= HOT)

    def arranged(self, rows: Sequence[Function], sort: Sort) -> Sequence[Function]:
        """The rows by their shares, where that is asked for; equal ones keep their order.

        Of 200,000 of one module in 15 ms, of several in 30: it is done again with each sample.
        """
        if sort.key != CPU or self._sample is None or not rows:
            return rows
        module = rows[0].module
        if self.several:
            ran = bytes(map(self._sample.starts.__contains__, zip(map(_MODULE, rows), map(_OFFSET, rows))))  # noqa: B905
        else:
            offsets = {start for where, start in self._sample.starts if where == module}
            ran = bytes(map(offsets.__contains__, map(_OFFSET, rows)))
        first = sorted(compress(rows, ran), key=self.of, reverse=sort.descending)
        rest = list(compress(rows, ran.translate(INVERSE)))
        return first + rest if sort.descending else rest + first

    def phrases(self) -> list[Phrase]:
        """What the state line says."""
        if self.refused:
            return [("no CPU sampling", "warn")]
        sample = self._sample
        phrases: list[Phrase] = []
        if self.running:
            phrases.append(("sampling CPU: nothing ran" if self._quiet else "sampling CPU", "good"))
        if sample and sample.total:
            phrases.append((f"{sample.total:,} samples", "dim"))
            for ticks, where in (
                (sample.kernel, "in the kernel"), (sample.elsewhere, "elsewhere"), (sample.lost, "lost")
            ):  # fmt: skip
                if ticks:
                    phrases.append((f"{percent(self._share(ticks))} % {where}", "dim"))
            if sample.note:
                phrases.append((sample.note, "warn"))
        return phrases

    def _share(self, ticks: int) -> float:
        return ticks / self._sample.total if self._sample and self._sample.total else 0.0


def column(share: Callable[[Row], float]) -> Column[Row]:
    """The column of the shares of some kind of row; nothing where nothing was seen."""
    return Column(
        CPU,
        "CPU %",
        6,
        lambda row, _: percent(found) if (found := share(row)) else "",
        share,
        descending=True,
        right=True,
        narrow=5,
    )


def percent(share: float) -> str:
    """As 61.0; what is less than can be said so is not nothing."""
    return f"{100 * share:.1f}" if share >= 0.0005 else "<0.1"
