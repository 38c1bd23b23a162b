"""A flame graph that fills the screen, the root on top, and how one walks it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Final

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.widgets.icicle import Block, beside, layout
from tui.widgets.pieces import Piece, cut_middle, fit, palette, wrap
from tui.widgets.tree import Frame, Node, Path, widest

GATHERED: Final = "…"
_SHARE: Final = 6  # cells of a share, with a blank before it


class Flame(ScrollView, can_focus=True):
    """Every line a depth, every frame as wide as its share of the calls. The cursor is on a path of frames."""

    DEFAULT_CSS = """
    Flame {
        height: 1fr; width: 1fr; background: $background; overflow-x: hidden; overflow-y: auto;
        scrollbar-size-vertical: 1; scrollbar-gutter: stable;
        scrollbar-color: $scrollbar; scrollbar-color-hover: $accent; scrollbar-color-active: $accent;
        scrollbar-background: $background; scrollbar-background-hover: $background;
        scrollbar-background-active: $background;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "walk(-1)", show=False),
        Binding("down,j", "walk(1)", show=False),
        Binding("left", "step(-1)", show=False),
        Binding("right", "step(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "top", show=False),
        Binding("end", "page(99)", show=False),
    ]

    class Moved(Message):
        """The cursor is on another frame, or the figures are others."""

    class Chosen(Message):
        """A frame was double-clicked."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.cursor: Path = ()
        self.empty = ""
        self._zooms: list[Path] = []  # each within the one before
        self._root: Node | None = None
        self._matched: frozenset[Frame] = frozenset()
        self._signs: Mapping[Frame, str] = {}
        self._rows: list[list[Block]] = []
        self._lines: dict[int, tuple[Piece, ...]] = {}

    def show(
        self,
        root: Node | None,
        matched: frozenset[Frame] = frozenset(),
        signs: Mapping[Frame, str] = MappingProxyType({}),
    ) -> None:
        """Show this tree, None where there are no calls. Cursor and zoom stay.

        Frames of `matched` stand out; those of `signs` have one before their names.
        """
        self._root, self._matched, self._signs = root, matched, signs
        self._arrange()

    def _arrange(self) -> None:
        """Lay everything out anew."""
        width = self._width
        self._rows = []
        if self._root is not None and width > 0:
            self._zooms = [zoom for zoom in self._zooms if len(list(self._root.walk(zoom))) > len(zoom)]
            self.cursor = self.cursor[: len(list(self._root.walk(self.cursor))) - 1]
            self._rows = layout(self._root, self.zoom, width)
        self.virtual_size = Size(width, len(self._rows))
        self._reveal()
        self.repaint()
        self.post_message(self.Moved())

    # Where one is

    @property
    def zoom(self) -> Path:
        """What spans the width."""
        return self._zooms[-1] if self._zooms else ()

    @property
    def spine(self) -> list[Node]:
        """The frames from the top to the one under the cursor, which is the last."""
        return list(self._root.walk(self.cursor)) if self._root else []

    def zoom_in(self) -> None:
        """Let the frame under the cursor span the width."""
        self._zooms = [zoom for zoom in self._zooms if len(zoom) < len(self.cursor)]
        if self.cursor:
            self._zooms.append(self.cursor)
        self._arrange()
        self._scroll_top(max(0, len(self.zoom) - self.size.height // 3))

    def zoom_out(self) -> bool:
        """Back to what spanned the width before; whether there was something."""
        if not self._zooms:
            return False
        self._zooms.pop()
        self._arrange()
        return True

    def turn(self) -> None:
        """The tree that comes next is the same upside down: go where the cursor's frames are there."""
        self.cursor = self.cursor[::-1]
        self._zooms = []

    # Moving

    def move_to(self, path: Path) -> None:
        """Put the cursor on a frame."""
        if path != self.cursor:
            self.cursor = path
            self._reveal()
            self.repaint()
            self.post_message(self.Moved())

    def action_walk(self, lines: int) -> None:
        """Up to the frame above; down to what is zoomed in on, then to the widest frame below."""
        path, spine = self.cursor, self.spine
        for _ in range(abs(lines)):
            if lines < 0:
                path = path[:-1]
            elif len(path) < len(self.zoom):
                path = self.zoom[: len(path) + 1]
                spine = list(self._root.walk(path)) if self._root else []
            elif spine and (child := widest(spine[-1].children)):
                path, spine = (*path, child.frame), [child]
        self.move_to(path)

    def action_page(self, pages: int) -> None:
        """Walk by pages."""
        self.action_walk(pages * max(1, self.size.height - 1))

    def action_step(self, step: int) -> None:
        """To the frame on the left or on the right."""
        self.move_to(beside(self._rows, self.cursor, step))

    def action_top(self) -> None:
        """To the first line."""
        self.move_to(())

    def on_click(self, event: events.Click) -> None:
        """A click puts the cursor on a frame; two zoom in on it."""
        self.focus()
        row = event.y + round(self.scroll_y)
        for block in self._rows[row] if row < len(self._rows) else ():
            if block.start <= event.x < block.start + block.width:
                most = widest(block.nodes) if block.gathered else None
                self.move_to((*block.path, most.frame) if most else block.path)
                if event.chain > 1:
                    self.post_message(self.Chosen())

    def _scroll_top(self, top: int) -> None:
        # Forced: whether there is a scroll bar is known only after the next layout.
        self.scroll_to(y=top, animate=False, immediate=True, force=True)

    def _reveal(self) -> None:
        """Scroll just so far that the cursor is seen."""
        top, line, height = round(self.scroll_y), len(self.cursor), max(1, self.size.height)
        if line < top:
            self._scroll_top(line)
        elif line >= top + height:
            self._scroll_top(line - height + 1)

    # Painting

    def repaint(self) -> None:
        """Paint the visible lines that show something else than before."""
        changed = []
        for y in range(self.size.height):
            line = self._line(y)
            if self._lines.get(y) != line:
                self._lines[y] = line
                changed.append(Region(0, y, self.size.width, 1))
        if changed:
            self.refresh(*changed)

    def on_resize(self) -> None:
        """Lay out for the new width."""
        self._lines.clear()
        self._arrange()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Paint what came into view."""
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.position = new_value
        if round(old_value) != round(new_value):
            self.repaint()

    @property
    def _width(self) -> int:
        """Cells for the frames. The scroll bar's are never used, so that nothing moves when it comes and goes."""
        return max(0, self.size.width - self.scrollbar_size_vertical)

    def _line(self, y: int) -> tuple[Piece, ...]:
        """What line y shows, in exactly the widget's cells."""
        width, row = self.size.width, y + round(self.scroll_y)
        if not self._rows:
            lines = ["", *wrap(self.empty, max(8, width - 4))]
            return fit((("  ", ""), (lines[y] if y < len(lines) else "", "dim")), width)
        pieces: list[Piece] = []
        at = 0
        for number, block in enumerate(self._rows[row] if row < len(self._rows) else ()):
            pieces += [(" " * (block.start - at), ""), *self._block(block, row, (number + row) % 2)]
            at = block.start + block.width
        return (*pieces, (" " * (width - at), ""))

    def _block(self, block: Block, row: int, odd: int) -> tuple[Piece, ...]:
        """A block's edge, its name and, where there is room, its share: in exactly its cells."""
        here = self._is_under_cursor(block, row)
        own = row == len(block.path) + block.gathered  # not a line below gathered frames
        found = own and not self._matched.isdisjoint(node.frame for node in block.nodes)
        plain = "frame-here" if here else "frame-rest" if block.gathered else f"frame{0 if found else odd}"
        role = "frame-found" if found and not here else plain
        if block.gathered and block.width == 1:
            return ((GATHERED, role),)
        edge = ("▌", plain) if here else ("▏", plain)
        name, room = GATHERED if block.gathered else self._titled(block.nodes[0].frame), block.width - 1
        if self._root is None or block.gathered or room < cell_len(name) + _SHARE:
            shown = cut_middle(name, room) if room > 2 else set_cell_size(name, room)
            return edge, (shown, role), (" " * (room - cell_len(shown)), plain)
        share = f"{100 * block.nodes[0].calls / self._root.calls:.0f} %"
        return edge, (name, role), (" " * (room - cell_len(name) - len(share)) + share, plain)

    def _titled(self, frame: Frame) -> str:
        return f"{self._signs[frame]} {frame[0]}" if frame in self._signs else frame[0]

    def _is_under_cursor(self, block: Block, row: int) -> bool:
        if row != len(self.cursor):
            return False
        if not block.gathered:
            return block.path == self.cursor
        above = len(block.path)
        return self.cursor[:above] == block.path and any(node.frame == self.cursor[above] for node in block.nodes)

    def render_line(self, y: int) -> Strip:
        """One line of frames."""
        line = self._lines.get(y)
        if line is None:
            line = self._lines[y] = self._line(y)
        styles = palette(self.rich_style, self.app.theme)
        return Strip([Segment(text, styles[role]) for text, role in line if text], self.size.width)

    @property
    def plain(self) -> list[str]:
        """What is shown, for tests."""
        return ["".join(text for text, _ in self._line(y)).rstrip() for y in range(self.size.height)]
