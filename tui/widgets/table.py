"""The one table of the console: virtual, so that 200,000 rows cost what the visible ones cost.

It formats and paints only lines that show something else than before. The cursor stays on its row when rows are
sorted anew or new ones arrive; while somebody moves it, the order of the rows is held.
"""

import time
from collections.abc import Callable, Hashable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.widgets import order
from tui.widgets.columns import Column, Placed, Sort, place
from tui.widgets.pieces import Cell, Palette, Piece, fit, paint, palette, pieces_of, wrap

Row = TypeVar("Row")
Arrange = Callable[[Sequence[Row], Sort], Sequence[Row]]
HOLD = 2.0  # seconds during which the order is held after the cursor moved
GUTTER = 3  # the cursor's bar, the mark, a blank


class Table(ScrollView, Generic[Row], can_focus=True):
    """Rows of one type under a line of titles."""

    DEFAULT_CSS = """
    Table {
        height: 1fr;
        width: 1fr;
        background: $background;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        scrollbar-gutter: stable;
        scrollbar-color: $scrollbar;
        scrollbar-color-hover: $accent;
        scrollbar-color-active: $accent;
        scrollbar-background: $background;
        scrollbar-background-hover: $background;
        scrollbar-background-active: $background;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "home", show=False),
        Binding("end", "end", show=False),
    ]

    class Moved(Message):
        """The cursor is on another row, or on another position."""

        def __init__(self, table: "Table[Any]") -> None:
            super().__init__()
            self.table = table

        @property
        def control(self) -> "Table[Any]":
            """The table, for `on` with a selector."""
            return self.table

    class Chosen(Moved):
        """A row was double-clicked."""

    class Sorted(Moved):
        """The person asked for another order."""

    def __init__(
        self,
        columns: Sequence[Column[Row]],
        key: Callable[[Row], Hashable],
        sort: Sort,
        *,
        mark: Callable[[Row], str] | None = None,
        shade: Callable[[Row], str] | None = None,
        arrange: Arrange[Row] | None = None,
        id: str | None = None,  # noqa: A002 - Textual's name
    ) -> None:
        """`mark` gives a row's sign (one cell), `shade` the role of its pieces without one, `arrange` the order."""
        super().__init__(id=id)
        self.columns = columns
        self.key = key
        self.sort = sort
        self.rows: Sequence[Row] = ()
        self.cursor = 0
        self.empty = ""
        self.now = time.monotonic
        self._mark = mark
        self._shade = shade
        self._ordered = arrange or self._by_column
        self._limits: dict[str, int] = {}
        self._placed: tuple[Placed[Row], ...] = ()
        self._followed = False
        self._held_until = 0.0
        self._lines: dict[int, tuple[Any, ...]] = {}
        self._strips: dict[int, Strip] = {}
        self._palettes: dict[str, Palette] = {}

    # Rows

    def show(self, rows: Sequence[Row], *, anew: bool = False) -> None:
        """Show these rows. `anew`: they are other rows, so start on top unless the cursor's row is among them."""
        held = not anew and self.rows and self.holds
        arranged = order.held(rows, self.rows, self.key) if held else self._ordered(rows, self.sort)
        before, old = self.row, self.cursor
        self.rows = arranged
        found = None
        if before is not None and (self._followed or anew):
            found = order.position_of(arranged, self.key, self.key(before), old)
        if found is None:
            found = 0 if anew else min(old, max(0, len(arranged) - 1))
            self._followed = self._followed and not anew
        self._resize_virtual()
        self._follow(old, found)
        self.repaint()
        self.post_message(self.Moved(self))

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if self.cursor < len(self.rows) else None

    @property
    def followed(self) -> bool:
        """Whether somebody put the cursor on its row, which it then stays on."""
        return self._followed

    @property
    def holds(self) -> bool:
        """Whether the order is held, since the cursor has just moved."""
        return self.now() < self._held_until

    def use(self, columns: Sequence[Column[Row]], limits: dict[str, int]) -> None:
        """Show these columns from now on; `limits` says how many cells the flexible ones can use."""
        self.columns, self._limits = columns, limits
        self._place()

    def limit(self, key: str, cells: int) -> None:
        """How many cells a flexible column can use."""
        if self._limits.get(key) != cells:
            self._limits[key] = cells
            self._place()

    def _by_column(self, rows: Sequence[Row], sort: Sort) -> Sequence[Row]:
        return order.by_column(rows, self.columns, sort)

    def _follow(self, old: int, new: int) -> None:
        """Put the cursor on row `new`, at the same height of the screen where it was visible."""
        top = round(self.scroll_y)
        self.cursor = new
        if new != old and top <= old < top + self._page:
            self._scroll_top(top + new - old)
        self._reveal()

    # Sorting

    def sort_by(self, key: str) -> None:
        """Sort by this column; again: the other way round."""
        column = next(column for column in self.columns if column.key == key)
        again = self.sort.key == key
        self.sort = Sort(key, not self.sort.descending if again else column.descending)
        self.release()
        self.show(self.rows)
        self.post_message(self.Sorted(self))

    def release(self) -> None:
        """Let the next rows take their places, even if the cursor has just moved."""
        self._held_until = 0.0

    def sort_next(self) -> None:
        """Sort by the next column on the screen that can be sorted by."""
        keys = [placed.column.key for placed in self._placed if placed.column.sort]
        if keys:
            index = keys.index(self.sort.key) if self.sort.key in keys else -1
            self.sort_by(keys[(index + 1) % len(keys)])

    def sort_reverse(self) -> None:
        """Sort by the same column, the other way round."""
        self.sort_by(self.sort.key)

    @property
    def sort_title(self) -> str:
        """The order in words: CPU% ↓."""
        title = next((column.title for column in self.columns if column.key == self.sort.key), "")
        return f"{title} {_arrow(self.sort)}"

    # Moving

    @property
    def _page(self) -> int:
        return max(1, self.size.height - 1)

    def move_to(self, index: int) -> None:
        """Put the cursor on the row at this position, as somebody who presses a key does."""
        index = max(0, min(index, len(self.rows) - 1))
        self._held_until = self.now() + HOLD
        self._followed = index > 0
        moved, self.cursor = index != self.cursor, index
        self._reveal()
        if moved:
            self.repaint()
            self.post_message(self.Moved(self))

    def action_move(self, lines: int) -> None:
        """Move the cursor by lines."""
        self.move_to(self.cursor + lines)

    def action_page(self, pages: int) -> None:
        """Move the cursor by pages."""
        self.move_to(self.cursor + pages * max(1, self._page - 1))

    def action_home(self) -> None:
        """The first row."""
        self.move_to(0)

    def action_end(self) -> None:
        """The last row."""
        self.move_to(len(self.rows) - 1)

    def on_click(self, event: events.Click) -> None:
        """A click puts the cursor on a row, or sorts by a column; two open the row."""
        self.focus()
        if event.y == 0:
            self._click_title(event.x - GUTTER)
            return
        index = event.y - 1 + round(self.scroll_y)
        if index < len(self.rows):
            self.move_to(index)
            if event.chain > 1:
                self.post_message(self.Chosen(self))

    def _click_title(self, x: int) -> None:
        for placed in self._placed:
            if placed.start <= x < placed.start + placed.width and placed.column.sort:
                self.sort_by(placed.column.key)

    def _scroll_top(self, top: int) -> None:
        # Forced: whether there is a scroll bar is known only after the next layout.
        self.scroll_to(y=top, animate=False, immediate=True, force=True)

    def _reveal(self) -> None:
        """Scroll just so far that the cursor is seen."""
        top = round(self.scroll_y)
        if self.cursor < top:
            self._scroll_top(self.cursor)
        elif self.cursor >= top + self._page:
            self._scroll_top(self.cursor - self._page + 1)

    # Painting

    def repaint(self) -> None:
        """Paint the visible lines that show something else than before."""
        changed = []
        for y in range(self.size.height):
            line = self._line(y)
            if self._lines.get(y) != line:
                self._lines[y] = line
                self._strips.pop(y, None)
                changed.append(Region(0, y, self.size.width, 1))
        if changed:
            self.refresh(*changed)

    @property
    def _width(self) -> int:
        """Cells for the columns. The scroll bar's are never used, so that nothing moves when it comes and goes."""
        return max(1, self.size.width - GUTTER - self.scrollbar_size_vertical)

    def _resize_virtual(self) -> None:
        size = Size(self.size.width, len(self.rows) + 1)
        if self.virtual_size != size:
            self.virtual_size = size

    def _place(self) -> None:
        self._placed = place(self.columns, self._width, self._limits)
        self._lines.clear()
        self.repaint()

    def on_resize(self) -> None:
        """Choose the columns that fit."""
        self._resize_virtual()
        self._reveal()
        self._place()

    def on_focus(self) -> None:
        """The cursor is drawn stronger."""
        self.repaint()

    def on_blur(self) -> None:
        """The cursor is drawn weaker."""
        self.repaint()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Paint what came into view."""
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.position = new_value
        if round(old_value) != round(new_value):
            self.repaint()

    def notify_style_update(self) -> None:
        """The theme changed."""
        super().notify_style_update()
        self._palettes.clear()
        self._lines.clear()
        self._strips.clear()

    def _line(self, y: int) -> tuple[Any, ...]:
        """What line y shows: the line's role, then its pieces. Equal lines look equal."""
        if y == 0:
            return ("", *self._titles())
        index = y - 1 + round(self.scroll_y)
        if index < len(self.rows):
            return self._row_line(index)
        lines = ["", "", *wrap(self.empty, max(8, self._width))] if not self.rows else []
        return ("", (" " * GUTTER, ""), (lines[y], "dim")) if y < len(lines) else ("",)

    def _row_line(self, index: int) -> tuple[Any, ...]:
        row = self.rows[index]
        here = index == self.cursor
        bar = ("▌" if self.has_focus else "▏") if here else " "
        mark = (self._mark(row) if self._mark else "") or " "
        pieces: list[Piece] = [(bar, "cursor"), (mark, "accent"), (" ", "")]
        shade = self._shade(row) if self._shade else ""
        at = 0
        for column, start, width in self._placed:
            pieces.append((" " * (start - at), ""))
            cell = column.cell(row, width)
            pieces += fit(_shaded(cell, shade), width, right=column.right, middle=column.middle)
            at = start + width
        return ("row" if here and self.has_focus else "", *pieces)

    def _titles(self) -> list[Piece]:
        pieces: list[Piece] = [(" " * GUTTER, "")]
        at = 0
        for column, start, width in self._placed:
            chosen = column.key == self.sort.key
            title = f"{column.title} {_arrow(self.sort)}" if chosen else column.title
            if chosen and len(title) > width:
                title = f"{column.title[: max(0, width - 1)]}{_arrow(self.sort)}"
            pieces.append((" " * (start - at), ""))
            pieces += fit(((title, "head-sorted" if chosen else "head"),), width, right=column.right)
            at = start + width
        return pieces

    def _palette(self, role: str) -> Palette:
        """The styles for a line with this role."""
        if role not in self._palettes:
            theme = self.app.theme
            self._palettes[role] = palette(palette(self.rich_style, theme)[role], theme)
        return self._palettes[role]

    def render_line(self, y: int) -> Strip:
        """One line of the table."""
        strip = self._strips.get(y)
        if strip is None:
            line = self._lines.get(y)
            if line is None:
                line = self._lines[y] = self._line(y)
            strip = self._strips[y] = paint(line[1:], self.size.width, self._palette(line[0]))
        return strip


def _shaded(cell: Cell, shade: str) -> Cell:
    if not shade:
        return cell
    return tuple((text, role or shade) for text, role in pieces_of(cell))


def _arrow(sort: Sort) -> str:
    return "↓" if sort.descending else "↑"
