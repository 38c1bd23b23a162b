"""The screen where NO_COLOR is set (no-color.org): bold, underlined and reversed text, in the terminal's own colours.

Textual makes greys of colours then, on a black of its own, which may not be seen on a light terminal.
"""

from functools import lru_cache
from typing import Final

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter, Monochrome

_LIGHT: Final = 0.3  # brightness from which on a background means that this is chosen


class Colourless(LineFilter):
    """Leaves out all colours; what stands on a light background is reversed."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002 - Textual's
        """The segments without colours."""
        return [Segment(text, _without(style) if style else None, control) for text, style, control in segments]


def without_greys(filters: list[LineFilter]) -> list[LineFilter]:
    """An application's filters, with this one in the place of Textual's."""
    return [Colourless() if isinstance(one, Monochrome) else one for one in filters]


@lru_cache(maxsize=1024)
def _without(style: Style) -> Style:
    light = style.bgcolor is not None and Color.from_rich_color(style.bgcolor).brightness > _LIGHT
    return Style(
        bold=style.bold or None, underline=style.underline or None, reverse=(bool(style.reverse) != light) or None
    )
