"""Text in pieces, each with a role; made to fit a number of terminal cells. Pure: knows no widget.

A piece is never markup: what it says is shown literally. Wide characters count as two cells, combining marks as none.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.strip import Strip
from textual.style import Style

_ANONYMOUS = "anonymous namespace"

Piece = tuple[str, str]  # text, role
Cell = str | tuple[Piece, ...]

# What a role looks like. Theme variables only; every role is readable without colour too.
ROLES = {
    "": "",
    "dim": "$text-dim",
    "faint": "$text-faint",
    "strong": "bold",
    "accent": "$text-accent",
    "graph": "$text-graph",
    "key": "bold $text-accent",
    "title": "bold $text-title",
    "good": "$text-success",
    "warn": "$text-warning",
    "bad": "bold $text-error",
    "head": "$text-dim",
    "head-sorted": "bold $text-title",
    "cursor": "bold $text-accent",
    "row": "on $cursor",
    "found": "bold reverse $text-accent",  # bytes that a field or an instruction takes
    "frame0": "on $frame",
    "frame1": "on $frame-other",
    "frame-rest": "$text-dim on $panel",
    "frame-found": "bold underline $text-warning on $frame",
    "frame-here": "bold $background on $accent",
}


class Palette(dict[str, RichStyle]):
    """What each role looks like on top of a widget's own style."""

    def __init__(self, base: RichStyle) -> None:
        super().__init__({"": base})
        self.base = base

    def __missing__(self, role: str) -> RichStyle:
        style = self[role] = self.base + Style.parse(ROLES[role]).rich_style
        return style


@lru_cache(maxsize=64)
def palette(base: RichStyle, theme: str) -> Palette:  # noqa: ARG001 - the theme is part of the cache's key
    """The palette for a widget's own style."""
    return Palette(base)


def pieces_of(cell: Cell) -> tuple[Piece, ...]:
    """A plain string is one piece without a role."""
    return ((cell, ""),) if isinstance(cell, str) else cell


def length(pieces: Iterable[Piece]) -> int:
    """Cells that the pieces take."""
    return sum(len(text) if text.isascii() else cell_len(text) for text, _ in pieces)


def cut_end(text: str, width: int) -> str:
    """The text in at most `width` cells; an ellipsis says where it was cut."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…" if width > 1 else "…"[:width]


def cut_middle(text: str, width: int) -> str:
    """The same, keeping the beginning and the end: names differ there. Of C++ and Rust, parameters go first."""
    if cell_len(text) <= width or width < 9:
        return cut_end(text, width)
    if "::" in text:
        for brackets in ("()", "<>"):
            text = _emptied(text, *brackets)
            if cell_len(text) <= width:
                return text
    head = (width - 1) * 3 // 5
    tail = ""
    for character in reversed(text):
        if cell_len(character + tail) > width - 1 - head:
            break
        tail = character + tail
    return f"{set_cell_size(text, head).rstrip()}…{tail}"


def _emptied(text: str, opening: str, closing: str) -> str:
    """With … for what stands between the outermost brackets of a kind; as it is where they don't match.

    Rust's names may begin with one, as in <alloc::vec::Vec<T> as Drop>::drop: then what is within that goes.
    """
    parts, start = [], 0
    depth = -(opening == "<" and text.startswith("<"))
    for at, letter in enumerate(text):
        if letter == opening:
            depth += 1
            if depth == 1:
                parts.append(text[start : at + 1])
                start = at + 1
        elif letter == closing and text[at - 1 : at] not in ("-", "="):
            depth -= 1
            if depth < -1:
                return text
            if depth == 0 and start:
                inside = text[start:at]
                parts.append(inside if len(inside) < 2 or inside == _ANONYMOUS else "…")
                start = at
    return "".join([*parts, text[start:]]) if depth in (0, -1) else text


def fit(cell: Cell, width: int, *, right: bool = False, middle: bool = False) -> tuple[Piece, ...]:
    """The cell in exactly `width` cells: cut, and padded on one side."""
    pieces = pieces_of(cell)
    missing = width - length(pieces)
    if missing < 0:
        pieces = _cut(pieces, width, middle)
        missing = width - length(pieces)
    if missing == 0:
        return pieces
    padding = (" " * missing, "")
    return (padding, *pieces) if right else (*pieces, padding)


def _cut(pieces: Sequence[Piece], width: int, middle: bool) -> tuple[Piece, ...]:
    """The pieces up to `width`; the one that doesn't fit is cut, the rest dropped."""
    kept: list[Piece] = []
    for text, role in pieces:
        needed = cell_len(text)
        if needed <= width:
            kept.append((text, role))
            width -= needed
            continue
        if width > 0:
            kept.append(((cut_middle if middle else cut_end)(text, width), role))
        break
    return tuple(kept)


def wrap(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` cells, broken at spaces where there are some."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if cell_len(longer) <= width:
            line = longer
            continue
        if line and cell_len(word) <= width:
            lines.append(line)
            line = word
            continue
        *full, line = _chop(longer, width)
        lines += full
    return [*lines, line]


def _chop(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` cells, broken anywhere."""
    lines = [""]
    for character in text:
        if cell_len(lines[-1] + character) > max(2, width):
            lines.append("")
        lines[-1] += character
    return lines


def paint(pieces: Iterable[Piece], width: int, styles: Palette) -> Strip:
    """A line of exactly `width` cells. Neighbours of one style become one segment: that saves bytes on the way."""
    runs: list[tuple[str, RichStyle]] = []
    base = styles.base
    cells = 0
    for text, role in pieces:
        if not text:
            continue
        blank = text.isspace()
        style = base if blank else styles[role]
        cells += len(text) if text.isascii() else cell_len(text)
        if runs and (blank or runs[-1][1] is style):
            runs[-1] = (runs[-1][0] + text, runs[-1][1])
        else:
            runs.append((text, style))
    if cells < width:
        runs.append((" " * (width - cells), base))
    strip = Strip([Segment(*run) for run in runs], max(cells, width))
    return strip if cells <= width else strip.crop(0, width)
