"""What the filter screen watches with: filters at hooks of interfaces, attached anew when one of them changes.

One change after the other. The new filters are attached before the old ones are taken off; where that fails, the old
ones stay and the reason is told. Only of XDP, which an interface has once, the old one goes first.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, Protocol

from textual.worker import Worker

from tui import text
from tui.collectors.filters import BY, Filter
from tui.collectors.samples import Interface
from tui.collectors.sources import Filtering, Sources
from tui.errors import BpfscopeError, UsageError
from tui.export import rows
from tui.screens.filter_rows import Counted
from tui.screens.packet_tail import PacketTail
from tui.screens.session import Session

FIRST: Final = "socket-ebpf"
CLASSIC: Final = "socket"


class Spec(NamedTuple):
    """A filter, at all chosen interfaces."""

    hook: str
    expression: str


class _Console(Protocol):
    def open_session(self, attaching: Any) -> Session[Any]: ...  # noqa: ANN401
    async def close_session(self, session: Session[Any]) -> None: ...


class Screen(Protocol):
    """Whom the run belongs to, and tells."""

    interval: float

    @property
    def sources(self) -> Sources:
        """Where data comes from."""

    @property
    def console(self) -> _Console:
        """Who closes what is open when it ends."""

    def run_worker(self, work: Any, *, group: str = "default") -> Worker[Any]:  # noqa: ANN401 - Textual's
        """Does something on the side."""

    def on_run_changed(self) -> None:
        """Other filters run, or it was refused."""

    def on_run_anew(self, what: str) -> None:
        """What had been counted is gone; what is different now."""

    def on_run_arrived(self) -> None:
        """There is a new reading."""


class Run:
    """The filters, and what they have counted."""

    def __init__(self, screen: Screen, interfaces: Sequence[Interface]) -> None:
        self._screen = screen
        self.interfaces = tuple(interfaces)
        self.specs: list[Spec] = [Spec(FIRST, "")]
        self.pending: Spec | None = None  # one that is being typed
        self.by, self.optimise = BY[0], True
        self.filters: tuple[Filter, ...] = ()  # that run
        self.counted = Counted()
        self.tail = PacketTail()
        self.began: float | None = None  # the first sample's clock less what had elapsed then: the screen's own start
        self.anew = ""  # what is counted anew by, after something was counted in another way
        self.busy, self.failure = "", ""
        self.leaving = False
        self.running: Filtering | None = None
        self._works: tuple[tuple[Spec, ...], str, bool] = ((), BY[0], True)  # what runs
        self._counts = (BY[0], True)  # by what it counts, and whether optimised
        self._session: Session[Any] | None = None
        self._opening: Session[Any] | None = None
        self._turn = asyncio.Lock()
        self._wanted = 0  # numbers the changes: of several that wait, the last one is made
        self._reading = 0

    # What there is

    @property
    def slots(self) -> list[tuple[Interface, Spec]]:
        """Each filter at each interface, in the order of the figures."""
        return [(interface, spec) for spec in self.specs for interface in self.interfaces]

    def spec_of(self, number: int) -> tuple[Spec, Interface]:
        """The filter of that number; the one that is being typed, if one is added."""
        if self.pending is not None:
            return self.pending, self.interfaces[0]
        interface, spec = self.slots[min(number, len(self.slots) - 1)]
        return spec, interface

    @property
    def ended(self) -> str:
        """Why nothing more can be counted."""
        sample = self.counted.sample
        return sample.ended if sample else ""

    @property
    def elapsed(self) -> float:
        """Seconds since the first filter was attached."""
        sample = self.counted.sample
        return 0.0 if sample is None or self.began is None else sample.time - self.began

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know of how they are made and attached."""
        made = tuple(dict.fromkeys(each.note for each in self.filters if each.note))
        return (*made, *(self.running.notes if self.running else ()))

    def position(self, number: int) -> str:
        """A filter's place at its hook."""
        positions = self.running.positions if self.running else ()
        return positions[number] if number < len(positions) else ""

    @property
    def holding(self) -> int:
        """How many are attached, or about to be."""
        if self.leaving or self.ended:
            return 0
        return len(self.filters) if self._session else len(self.slots) if self._opening or self.busy else 0

    # Changing it

    def change(self, number: int, *, expression: str | None = None, hook: str | None = None) -> bool:
        """Another expression or hook for the filter of that number; of one that is being added, its expression.

        False where nothing changes: it is there already.
        """
        if self.pending is not None and expression is not None:
            added, self.pending = self.pending._replace(expression=expression), None
            return self.add(added)
        at = min(number // max(1, len(self.interfaces)), len(self.specs) - 1)
        before = self.specs[at]
        self.specs[at] = Spec(hook or before.hook, before.expression if expression is None else expression)
        self.apply()
        return True

    def add(self, spec: Spec) -> bool:
        """One more; False where it is there already."""
        if spec in self.specs:
            return False
        self.specs.append(spec)
        self.apply()
        return True

    def drop(self, number: int) -> None:
        """One less."""
        if len(self.specs) > 1:
            del self.specs[min(number // max(1, len(self.interfaces)), len(self.specs) - 1)]
            self.apply()

    def apply(self) -> None:
        """Attach what is wanted now, at the interfaces that are still there."""
        gone = {figures.interface for figures in self.counted.figures if figures.gone}
        left = tuple(interface for interface in self.interfaces if interface.name not in gone)
        self.interfaces = left or self.interfaces
        self._wanted += 1
        self.busy = f"attaching {text.plural(len(self.slots), 'filter')} …"
        self.failure = ""
        self._screen.run_worker(self._apply(self._wanted), group="apply")
        self._screen.on_run_changed()

    async def _apply(self, number: int) -> None:
        async with self._turn:
            if number != self._wanted or self.leaving:
                return
            specs, by, optimise = tuple(self.specs), self.by, self.optimise
            before, by_before = self.filters, self._counts[0]
            try:
                filters = await self._compiled(specs, optimise=optimise)
                await self._attach(filters, by)
            except BpfscopeError as error:
                self.failure = str(error).partition("\n")[0]
                if self._session is None and before:  # it was taken off first: XDP
                    with suppress(BpfscopeError):
                        await self._attach(before, by_before)
                runs = self._session is not None or self.counted.sample is not None
                if runs and number == self._wanted:  # it goes on, or can begin again
                    self.specs, self.by, self.optimise = list(self._works[0]), self._works[1], self._works[2]
            else:
                self._works = (specs, by, optimise)
            if number == self._wanted:
                self.busy = ""
        self._screen.on_run_changed()

    async def _compiled(self, specs: Sequence[Spec], *, optimise: bool) -> tuple[Filter, ...]:
        filters = []
        for spec in specs:
            for interface in self.interfaces:
                made = self._screen.sources.filter(spec.expression, spec.hook, interface, optimise=optimise)
                filters.append(await made)
        return tuple(filters)

    async def _attach(self, filters: tuple[Filter, ...], by: str) -> None:
        """Attaches, then takes off what was there. Raises BpfscopeError where it was refused."""
        if any(each.hook == CLASSIC for each in filters):
            by = ""  # classic BPF can't group
        if len([each for each in filters if each.hook == "xdp"]) > len(self.interfaces):
            raise UsageError("an interface runs only one XDP program: compare filters at another hook (h)")
        if "xdp" in {each.hook for each in filters} & {each.hook for each in self.filters}:
            await self._take_off()
        console, sources = self._screen.console, self._screen.sources
        self._opening = console.open_session(sources.packets(filters, by))
        try:
            running, _ = await self._opening.attached()
        except BpfscopeError:
            await console.close_session(self._opening)
            raise
        finally:
            opened, self._opening = self._opening, None
        before, self._session = self._session, opened
        if self.counted.seen or self.anew:
            self.anew = self._changed(filters, by)
            self._screen.on_run_anew(self.anew)
        self.running, self.filters, self.counted = running, filters, Counted()
        self._counts = (by, self.optimise)
        self.tail.clear()
        self.read()
        if before is not None:
            with suppress(BpfscopeError):
                await console.close_session(before)

    def _changed(self, filters: tuple[Filter, ...], by: str) -> str:
        """What is different of these filters, in a word or two."""
        by_before, optimise = self._counts
        if by != by_before:
            return f"by {by}" if by else "not grouped"
        if len(filters) != len(self.filters):
            return text.plural(len(filters), "filter")
        if optimise != self.optimise:
            return "optimised" if self.optimise else "not optimised"
        hooks = [new.hook for new, old in zip(filters, self.filters, strict=True) if new.hook != old.hook]
        return hooks[0] if hooks else "counted"

    async def _take_off(self) -> None:
        if self._session is not None:
            session, self._session, self.running = self._session, None, None
            await self._screen.console.close_session(session)

    def read(self) -> None:
        """Read what runs, from now on at the screen's interval."""
        self._reading += 1
        if self.running is not None and not self.ended:
            self._screen.run_worker(self._collect(self.running, self._reading), group="samples")

    async def _collect(self, running: Filtering, number: int) -> None:
        try:
            async for sample in running.readings(self._screen.interval):
                if number != self._reading:
                    return
                if self.began is None:
                    self.began = sample.time - sample.elapsed
                self.counted.take(sample)
                self.tail.take(sample)
                self._screen.on_run_arrived()
        except BpfscopeError as error:
            if number == self._reading:
                self.failure = str(error)
                self._screen.on_run_changed()

    async def leave(self) -> str:
        """Take everything off, for good; why that failed, if it did."""
        self.leaving = True
        failed = ""
        if self._opening is not None:  # it is closed as soon as it is attached
            with suppress(BpfscopeError):
                await self._screen.console.close_session(self._opening)
        async with self._turn:
            try:
                await self._take_off()
            except BpfscopeError as error:
                failed = str(error)
        return failed


def document(run: Run) -> Callable[[], str]:
    """Makes what an export says, of what is known now."""
    shown, notes = run.counted.shown, list(run.notes)
    about: rows.Row = {"kind": "summary", "attached": len(run.filters), "skipped": [], "notes": notes}
    if run.counted.was_reset:
        about["since_reset"] = True
    whole = about | (rows.packets(shown) if shown else {})
    return lambda: json.dumps(whole, ensure_ascii=False, indent=2) + "\n"
