"""What the filter screen shows: its widgets, what is painted into them, the lines around. filter.py has its keys."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final

from rich.cells import cell_len
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Static

from tui import text
from tui.collectors.filters import BINNED, Filter, completions
from tui.collectors.samples import FilterFigures, Interface
from tui.screens import past
from tui.screens.filter_actions import ACTIONS, ENTRY_KEYS, SIGNS
from tui.screens.filter_columns import (
    FILTERS,
    WAYS,
    ListingRow,
    arrange,
    listing_columns,
    listing_key,
    listing_rows,
    talker_columns,
    with_differences,
)
from tui.screens.filter_rows import PLURALS, FilterRow, TalkerRow, bars, filter_key, label, summed, talker_key, without
from tui.screens.filter_run import CLASSIC, Run
from tui.screens.live import LiveScreen
from tui.screens.modes import SWITCHING
from tui.widgets.actions import Action
from tui.widgets.columns import Sort
from tui.widgets.entry import Entry, Past
from tui.widgets.histogram import Histogram
from tui.widgets.lines import Detail, KeyLine, Line, Phrase
from tui.widgets.table import Table

VAST: Final = 150  # cells, from which on both languages have room beside the figures
SLIM: Final = 100  # cells, below which the listing and the figures take turns
BESIDE: Final = 84  # cells of the listing, from which on both languages fit beside each other
UNGROUPED: Final = "the hook socket counts with classic BPF, which can't group: h leads to the others"
HINT: Final = "an expression of tcpdump's, as in: tcp port 22 and not host 192.0.2.1"
_LABELS: Final[dict[str, Callable[[int], str]]] = {by: partial(label, by) for by in BINNED}


class FilterView(LiveScreen):
    """A screen that shows what a run of filters counts."""

    CSS_PATH = "filter.tcss"
    NAME = "Filter"
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (SLIM, "-wide"), (VAST, "-vast")]
    ACTIONS = ACTIONS
    ALWAYS = (*SWITCHING, *LiveScreen.ALWAYS)
    SIGNS = SIGNS

    def __init__(self, interfaces: Sequence[Interface]) -> None:
        super().__init__()
        self.interfaces = tuple(interfaces)
        self.run = Run(self, self.interfaces)
        self.preview: Filter | None = None  # of what is typed
        self.complaint: tuple[str, int | None] = ("", None)  # what is wrong with it, and where
        self.languages: tuple[str, ...] = ("classic", "extended")  # in which the program is listed
        self.explains = False  # in words instead
        self._columns: object = None  # what the listing was made for, and the groups
        self._by = "flow"
        self._due = False  # to be painted
        self._added = False  # a filter, which the cursor goes to as soon as it runs
        self.down: tuple[str, ...] = ()  # names of the interfaces that are set down
        self._limits: dict[tuple[str, str, str], int] = {}  # cells that columns can use

    # Widgets

    def compose(self) -> Iterable[Widget]:
        """The lines around the content, with the expression among them."""
        for number, widget in enumerate(super().compose()):
            yield widget
            if number == 0:
                yield Entry(HINT, completions, Past(past.read()))

    def content(self) -> Iterable[Widget]:
        """The filters, the listing, the figures; or why there are none."""
        filters: Table[FilterRow] = Table(
            FILTERS, filter_key, Sort("", False), arrange=lambda rows, _: rows, id="filters"
        )
        groups: Table[TalkerRow] = Table(
            talker_columns("flow"),
            talker_key,
            Sort("packets", True),
            arrange=lambda rows, sort: arrange(self._by, rows, sort),
            id="groups",
        )
        listing: Table[ListingRow] = Table((), listing_key, Sort("", False), arrange=lambda rows, _: rows, id="listing")
        yield filters
        with Horizontal(id="panes"):
            with Vertical(id="listing-pane"):
                yield Line(id="listing-title")
                yield listing
            with Vertical(id="figures-pane"):
                yield Line(id="groups-title")
                yield groups
                yield Histogram(id="bars")
        yield Static(id="failure", markup=False)

    @property
    def entry(self) -> Entry:
        """The expression."""
        return self.query_one(Entry)

    @property
    def filters(self) -> Table[FilterRow]:
        """The filters that run."""
        return self.query_one("#filters", Table)

    @property
    def groups(self) -> Table[TalkerRow]:
        """What matched, grouped."""
        return self.query_one("#groups", Table)

    @property
    def listing(self) -> Table[ListingRow]:
        """The program."""
        return self.query_one("#listing", Table)

    def table(self) -> Table[Any]:
        """The table that has the keys, or the one that has them first."""
        focused = self.focused
        return focused if isinstance(focused, Table) else self.groups

    @property
    def chosen(self) -> int:
        """The number of the filter under the cursor, among all filters at all interfaces."""
        return min(self.filters.cursor, max(0, len(self.run.slots) - 1))

    @property
    def shown(self) -> Filter | None:
        """The filter whose program is listed: what is typed, else the one that runs."""
        if self.entry.typing and self.preview is not None:
            return self.preview
        return self.run.filters[self.chosen] if self.chosen < len(self.run.filters) else self.preview

    # Painting

    def paint(self) -> None:
        """Show what is known, once what happens now has happened."""
        if not self._due:
            self._due = True
            self.call_next(self._paint)

    def _paint(self) -> None:
        self._due = False
        if not self.is_mounted or not self.children:
            return
        counted = self.run.counted
        self.filters.empty = self.run.busy or self.run.failure or "…"
        rows = counted.rows()
        self._limit(self.filters, "interface", max((cell_len(row.figures.interface) for row in rows), default=0))
        self._limit(self.filters, "filter", max((cell_len(row.figures.filter) for row in rows), default=0))
        self.filters.show(with_differences(rows))
        if self._added and self.run.counted.sample is not None and len(self.filters.rows) == len(self.run.slots):
            self._added = False
            self.filters.move_to(len(self.filters.rows) - len(self.run.interfaces))
        self._name_chosen()
        self._paint_listing()
        self._paint_figures()
        failed = bool(self.run.failure) and counted.sample is None and self.run.running is None
        self.set_class(failed, "-failed")
        self.query_one("#failure", Static).update(self.run.failure)
        self._spell(self.table())
        self.show_state()

    def _limit(self, table: Table[Any], key: str, cells: int) -> None:
        """Room for a column; never less than before, so that columns don't jump to and fro."""
        name = (str(table.id), key, self._by if table is self.groups else "")
        self._limits[name] = max(cells, self._limits.get(name, 10))
        table.limit(key, self._limits[name])

    def _paint_figures(self) -> None:
        number, counted = self.chosen, self.run.counted
        if counted.sample is None or number >= len(counted.figures):
            self.groups.empty = self.run.busy or "no figures yet"
            self.groups.show([])
            self.query_one("#groups-title", Line).show([])
            return
        figures = counted.figures[number]
        by = figures.by
        self.set_class(by in BINNED, "-binned")
        none = without(figures)
        if by in BINNED:
            title = f"{PLURALS[by]}"
            self.query_one(Histogram).show(title, bars(figures.groups), label=_LABELS[by])
        else:
            if self._by != by:
                self._by = by
                self.groups.use(talker_columns(by), {})
            rows = counted.talkers(number)
            self._limit(self.groups, "name", max((cell_len(row.name) for row in rows), default=0))
            self.groups.empty = (
                "nothing matched yet" if by else UNGROUPED if self._classic() else "not grouped: b groups what matches"
            )
            self.groups.show(rows, anew=False)
        said: list[Phrase] = [(f"by {by} (b)" if by else "not grouped (b)", "accent")]
        if by:
            sum_ = summed(figures)
            same = " = matched" if sum_ == figures.matched else f", matched {figures.matched:,}"
            said.append((("sum ", "dim"), (f"{sum_:,}", "strong"), (same, "dim")))
        if none:
            said.append((f"{none:,} without", "dim"))
        self.query_one("#groups-title", Line).show(said)

    def _classic(self) -> bool:
        return any(each.hook == CLASSIC for each in self.run.filters)

    def _paint_listing(self) -> None:
        shown = self.shown
        width = self.listing.size.width
        both = width >= BESIDE and not self.explains
        first = self.languages[0]
        classic = first == "classic" or (both and len(self.languages) == 2)
        extended = (first == "extended" or (both and len(self.languages) == 2)) and not self.explains
        self.set_class(self.explains, "-explains")
        key = (classic, extended, self.explains)
        if self._columns != key:
            self._columns = key
            self.listing.use(
                listing_columns(classic=classic or self.explains, extended=extended, words=self.explains), {}
            )
        if shown is None:
            self.listing.empty = self.run.busy or "no program: type an expression"
            self.listing.show([])
            self.query_one("#listing-title", Line).show([])
            return
        figures = self._figures_of(shown)
        hits = figures.hits if figures else ()
        rows = listing_rows(
            shown, hits, figures.seen if figures else 0, classic=classic or self.explains, extended=extended
        )
        self.listing.empty = shown.without or "no program"
        self.listing.show(rows)
        self.query_one("#listing-title", Line).show(self._about(shown, running=figures is not None))

    def _figures_of(self, shown: Filter) -> FilterFigures | None:
        number, figures = self.chosen, self.run.counted.figures
        running = number < len(self.run.filters) and self.run.filters[number] is shown
        return figures[number] if running and number < len(figures) else None

    def _about(self, shown: Filter, *, running: bool) -> list[Phrase]:
        """What is said above the listing."""
        said: list[Phrase] = [(text.plural(len(shown.lines), "instruction"), "strong")]
        if not running:
            said.insert(0, ("not attached: enter attaches it", "warn") if self.entry.typing else ("", ""))
        said.append(("optimised", "dim") if shown.optimised else ("not optimised", "warn"))
        if shown.translation:
            said.append((f"{len(shown.translation):,} in eBPF", "dim"))
        elif shown.without:
            said.append(("no translation", "warn"))
        if shown.accepts_all:
            said.append(("every packet matches", "warn" if shown.expression else "dim"))
        return said

    # Lines

    def show_state(self) -> None:
        """The lines around the content."""
        if not self.is_mounted or not self.children:
            return
        names = [one.name for one in self.run.interfaces]
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        spec, interface = self.run.spec_of(self.chosen)
        row = self.filters.row
        way = WAYS.get(row.figures.direction, "") if row else ""
        hook: list[Phrase] = [(f"{spec.hook}{f' of {interface.name}' if len(names) > 1 else ''}", "")]
        context: list[Phrase] = [(("Network ▸ ", "dim"), (shown, "title")), *hook, (way, "dim")]
        self.query_one("#context", Line).show(context, self._clock())
        self.query_one("#state", Line).show(*self._state())
        self.show_keys()

    def _clock(self) -> list[Phrase]:
        counted = self.run.counted
        if counted.sample is None:
            return []
        clock: list[Phrase] = [(text.clock(self.run.elapsed), "strong")]
        if counted.was_reset:
            clock.insert(0, (f"since reset {text.clock(counted.sample.elapsed - counted.since)}", "dim"))
        return clock

    def _state(self) -> tuple[list[Phrase], list[Phrase]]:
        """What the state line says, left and right."""
        if self.entry.typing and self.complaint[0]:
            return [self._caret(*self.complaint)], []
        if self.run.leaving:
            return [("taking the filters off …", "strong")], []
        phrases: list[Phrase] = []
        sample = self.run.counted.sample
        if self.run.failure:
            phrases.append((self.run.failure if sample or self.run.running else "nothing is attached", "bad"))
        if self.run.ended and sample:
            phrases.append((f"{self.run.ended} after {text.clock(self.run.elapsed)}; the numbers stay", "warn"))
        if self.entry.typing and (words := self.entry.words):
            phrases.append((("tab ", "key"), (" ".join(words[:8]), "dim")))
        if self.run.busy:
            phrases.append((self.run.busy, "strong"))
        phrases += self._numbers()
        return phrases, self._state_right()

    def _numbers(self) -> list[Phrase]:
        rows = self.run.counted.rows()
        if self.chosen >= len(rows):
            return []
        row, notes = rows[self.chosen], self.run.notes
        one = row.figures
        said: list[Phrase] = [
            (("matched ", ""), (f"{one.matched:,}", "strong"), (f" of {one.seen:,}", "")),
            (f"lost {one.lost:,}", "bad" if one.lost else "dim"),
        ]
        if one.gone and not self.run.ended:
            said.append((one.gone, "warn"))
        if self.down:
            said.append((f"{', '.join(self.down)} {'is' if len(self.down) == 1 else 'are'} down", "warn"))
        if self.run.anew and not self.run.counted.was_reset and self.run.counted.sample:
            begun = self.run.elapsed - self.run.counted.sample.elapsed
            said.append((f"{self.run.anew} since {text.clock(begun)}", "accent"))
        if not self.run.ended and not one.gone:
            said.append((f"{text.rate(row.per_second)}/s · {text.rate(row.bits)} bit/s", ""))
        said.append((text.size(one.bytes_matched), ""))
        if one.segments != one.matched:
            said.append((f"{text.plural(one.segments, 'segment')}", "dim"))
        said += [(note, "warn") for note in notes if not (" is down" in note and (one.seen or self.down))]
        position = self.run.position(self.chosen)
        if position and not position.startswith("the only"):
            said.append((position, "dim"))
        return said

    def _state_right(self) -> list[Phrase]:
        if self.run.counted.sample is None:
            return []
        if self.run.ended:
            return [("ended ■", "warn")]
        live: Phrase = ("paused ‖", "warn") if self.paused else ("live ●", "good")
        return [live, (f"every {self.interval:g} s", "dim")]

    def _caret(self, reason: str, column: int | None) -> Phrase:
        """The reason, at the letter that is wrong."""
        if column is None:
            return (reason, "warn")
        room = max(8, self.size.width - 3)
        at = max(0, min(self.entry.cells(column) - 1, room - 1))
        if at + 2 + len(reason) <= room or at < len(reason):
            return (" " * at + f"▲ {reason}", "warn")
        return (" " * max(0, at - len(reason) - 1) + f"{reason} ▲", "warn")

    def show_keys(self) -> None:
        """The keys that do something now."""
        if self.is_mounted and self.children:
            keys = ENTRY_KEYS if self.entry.typing else [action for action in self.actions() if action.rank < 10]
            self.query_one(KeyLine).show(keys)

    def actions(self) -> list[Action]:
        """Labels that depend on the state."""
        labels = {"pause": "go on" if self.paused else "pause", "back": "back" if self.run.ended else "detach"}
        return [action._replace(label=labels.get(action.name, action.label)) for action in super().actions()]

    def can(self, name: str) -> bool:
        """What does something now."""
        if name in ("packets", "export"):
            return self.run.counted.sample is not None
        if name in ("pause", "faster", "slower", "reset"):
            return self.run.counted.sample is not None and not self.run.ended
        if name == "drop":
            return len(self.run.specs) > 1
        if name.startswith("by("):
            return not self.run.ended
        if name in ("sort", "sort_reverse"):
            return self.is_mounted and self.focused is self.groups
        return True

    def on_table_moved(self, event: Table.Moved) -> None:
        """Spell the row out; another filter has other figures."""
        if event.table is self.filters and self.filters.has_focus:
            self.call_next(self._other_filter)
        if event.table is self.table():
            self._spell(event.table)

    def _name_chosen(self) -> None:
        """The line has the expression of the filter whose figures are shown, unless another is being typed."""
        expression = self.run.spec_of(self.chosen)[0].expression
        if not self.entry.typing and self.entry.text != expression:
            self.entry.put(expression)

    def _other_filter(self) -> None:
        self._name_chosen()
        self._paint_listing()
        self._paint_figures()
        self.show_state()

    def _spell(self, table: Table[Any]) -> None:
        row, detail = table.row, self.query_one(Detail)
        if isinstance(row, ListingRow):
            shown = self.shown
            line = shown.lines[row.number] if shown and row.number < len(shown.lines) else None
            extended = f"{row.extended.slot}: {row.extended.text}" if row.extended else ""
            detail.show(f"{line.text} — {line.words}" if line else "", extended)
        elif isinstance(row, TalkerRow):
            size = f"{text.plural(row.packets, 'packet')} · {text.plural(row.bytes, 'byte')}"
            detail.show(row.name, f"{size} · {100 * row.share:.2f} %")
        elif isinstance(row, FilterRow):
            one = row.figures
            note = f"{one.interface}, {one.hook} · {one.bytes_seen:,} bytes seen, {one.bytes_matched:,} matched"
            detail.show(one.filter or "everything", note)
        else:
            detail.show("")

    def on_descendant_focus(self) -> None:
        """Other keys apply, and another row is spelt out."""
        self.call_next(self._focused_anew)

    def _focused_anew(self) -> None:
        if self.is_mounted and self.children and isinstance(self.focused, Table):
            self._spell(self.focused)
        self.show_keys()

    def on_resize(self) -> None:
        """There is other room."""
        self.call_after_refresh(self.paint)

    def on_run_changed(self) -> None:
        """Other filters run, or it was refused."""
        raise NotImplementedError

    def on_run_anew(self, what: str) -> None:
        """What had been counted is gone; what is different now."""
        raise NotImplementedError

    def on_run_arrived(self) -> None:
        """There is a new reading."""
        raise NotImplementedError
