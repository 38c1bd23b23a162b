"""Text in pieces, each with a role; made to fit a number of terminal cells. Pure: knows no widget.

A piece is never markup: what it says is shown literally. Wide characters count as two cells, combining marks as none.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.strip import Strip
from textual.style import Style

_ANONYMOUS = "anonymous namespace"
_BRACKETS = {"(": ")", "<": ">"}
_LEAST_ENDS = 9  # cells in which both ends of a text make sense
_LEVELS = 3  # of brackets within brackets, that are looked into

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


def cut_start(text: str, width: int) -> str:
    """The same, keeping the end: addresses that lie close to each other differ there."""
    return text if len(text) <= width else f"…{text[len(text) - width + 1 :]}"


def cut_middle(text: str, width: int) -> str:
    """The same, keeping the beginning and the end: names differ there. Of C++ and Rust, what templates are made of goes
    first, then parameters, as far as they have to: by what is left of them overloads are told apart.
    """
    return _cut_middle(text, width, _LEVELS)


def _cut_middle(text: str, width: int, levels: int) -> str:
    if cell_len(text) <= width or width < _LEAST_ENDS:
        return cut_end(text, width)
    if "::" not in text or not levels:
        return _ends(text, width, 0)
    spans: list[tuple[int, int]] = []
    for pairs in ({"<": ">"}, {"(": ")"}, _BRACKETS):
        spans = _inner(text, pairs)
        room = width - cell_len(text) + sum(cell_len(text[start:end]) for start, end in spans)
        if spans and room >= len(spans):
            return _squeezed(text, spans, room, levels - 1)
    short = _squeezed(text, spans, 0, 0)
    last = cell_len(short) - cell_len(short[: _last_part(short)])
    return short if cell_len(short) <= width else _ends(short, width, last if last <= width - _LEAST_ENDS else 0)


def _ends(text: str, width: int, last: int) -> str:
    """Beginning and end, with … between them; the end has two fifths, or `last` cells if these are more."""
    head = (width - 1) - max(last, (width - 1) - (width - 1) * 3 // 5)
    tail = ""
    for character in reversed(text):
        if cell_len(character + tail) > width - 1 - head:
            break
        tail = character + tail
    return f"{set_cell_size(text, head).rstrip(' …')}…{tail.lstrip('…')}"


def _last_part(name: str) -> int:
    """Where the last part of a name begins, which its parameters don't."""
    spans = _inner(name, _BRACKETS)
    ends = (at.end() for at in re.finditer("::", name))
    return max((end for end in ends if not any(start <= end <= to for start, to in spans)), default=0)


def _inner(text: str, pairs: Mapping[str, str]) -> list[tuple[int, int]]:
    """What stands between the outermost brackets: where it begins and ends. Nothing where they don't match.

    Rust's names may begin with one, as in <alloc::vec::Vec<T> as Drop>::drop: then what is within that counts.
    """
    spans, closing, start = [], list[str](), 0
    around = "<" in pairs and text.startswith("<")
    for at, letter in enumerate(text):
        if letter in pairs and not (at == 0 and around):
            if not closing:
                start = at + 1
            closing.append(pairs[letter])
        elif letter in pairs.values() and not (letter == ">" and text[at - 1] in "-="):
            if closing and closing.pop() == letter:
                if not closing and at - start > 1 and text[start:at] != _ANONYMOUS:
                    spans.append((start, at))
            elif around and letter == ">":
                around = False
            else:
                return []
    return [] if closing else spans


def _squeezed(text: str, spans: Sequence[tuple[int, int]], room: int, levels: int) -> str:
    """The text with so many cells for what stands at the spans: the longest are cut, all to the same length."""
    left, share = room, 0
    for count, each in zip(range(len(spans), 0, -1), sorted(cell_len(text[a:b]) for a, b in spans), strict=True):
        share = left // count
        left -= min(each, share)
    parts, at = [], 0
    for start, end in spans:
        inside = text[start:end]
        parts += [text[at:start], _cut_middle(inside, share, levels) if share >= min(4, cell_len(inside)) else "…"]
        at = end
    return "".join([*parts, text[at:]])


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
