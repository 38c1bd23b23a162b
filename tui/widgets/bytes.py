"""Bytes in hexadecimal, and as letters where they are some; a range of them stands out."""

from typing import Final

from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.pieces import Piece, paint, palette

_OFFSET: Final = 6  # cells of the offset and the blanks behind it


class Bytes(Widget):
    """Rows of 16 bytes, of 8 where there is little room. It scrolls to what stands out."""

    DEFAULT_CSS = """
    Bytes { height: 1fr; width: 1fr; background: $background; }
    """
    top = reactive(0)

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._data = b""
        self._marked = (0, 0)

    def show(self, data: bytes, marked: tuple[int, int] = (0, 0)) -> None:
        """Show these; `marked`: the first byte that stands out, and how many."""
        if (data, marked) != (self._data, self._marked):
            self._data, self._marked = data, marked
            self._reveal()
            self.refresh()

    @property
    def per_row(self) -> int:
        """Bytes in a row."""
        return 16 if self.size.width >= row_width(16) else 8

    def _reveal(self) -> None:
        height = max(1, self.size.height)
        first, size = self._marked
        row, last = first // self.per_row, max(first, first + size - 1) // self.per_row
        rows = -(-len(self._data) // self.per_row)
        if size and not self.top <= row <= last < self.top + height:
            self.top = max(0, min(row - height // 3, rows - height))
        elif not size:
            self.top = max(0, min(self.top, rows - height))

    def on_resize(self) -> None:
        """There is other room."""
        self._reveal()
        self.refresh()

    def on_mouse_scroll_down(self) -> None:
        """Further on."""
        rows = -(-len(self._data) // self.per_row)
        self.top = max(0, min(self.top + 3, rows - self.size.height))

    def on_mouse_scroll_up(self) -> None:
        """Back."""
        self.top = max(0, self.top - 3)

    def render_line(self, y: int) -> Strip:
        """One row."""
        pieces = row_pieces(self._data, (self.top + y) * self.per_row, self.per_row, self._marked)
        return paint(pieces, self.size.width, palette(self.rich_style, self.app.theme))

    @property
    def plain(self) -> list[str]:
        """What is shown, for tests; what stands out is in brackets."""
        rows = range(self.top, min(self.top + self.size.height, -(-len(self._data) // self.per_row)))
        return [
            "".join(f"[{shown}]" if role == _MARKED else shown for shown, role in self._row(row)).rstrip()
            for row in rows
        ]

    def _row(self, row: int) -> list[Piece]:
        return row_pieces(self._data, row * self.per_row, self.per_row, self._marked)


_MARKED: Final = "found"


def row_width(per_row: int) -> int:
    """Cells of a row."""
    return _OFFSET + 3 * per_row + per_row // 8 + per_row + 1


def row_pieces(data: bytes, start: int, per_row: int, marked: tuple[int, int]) -> list[Piece]:
    """The offset, the bytes, the letters; what is marked has a role of its own, also in the blanks between."""
    row = data[start : start + per_row]
    if not row:
        return []
    first, behind = marked[0], marked[0] + marked[1]
    pieces: list[Piece] = [(f" {start:04x} ", "faint")]
    letters: list[Piece] = []
    for at in range(per_row):
        gap = "  " if at and at % 8 == 0 else " "
        if at >= len(row):
            pieces.append((gap + "  ", ""))
            continue
        inside = first <= start + at < behind
        joined = inside and at > 0 and first < start + at
        pieces += [(gap, _MARKED if joined else ""), (f"{row[at]:02x}", _MARKED if inside else "")]
        letter = chr(row[at]) if 0x20 <= row[at] < 0x7F else "·"
        letters.append((letter, _MARKED if inside else "dim"))
    return [*_together(pieces), ("  ", ""), *_together(letters)]


def _together(pieces: list[Piece]) -> list[Piece]:
    """Neighbours of one role in one piece."""
    result: list[Piece] = []
    for shown, role in pieces:
        if result and result[-1][1] == role:
            result[-1] = (result[-1][0] + shown, role)
        else:
            result.append((shown, role))
    return result
